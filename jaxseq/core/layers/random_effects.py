"""Images made grey, inverted, solarized and sharper at random, in training only."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.core.augmenting import Augmenting, Coloring, for_each
from jaxseq.core.declared import number
from jaxseq.core.kernels.colors import grey


class RandomGrayscale(Augmenting):
    """Makes images grey in training, each with probability `factor`: all three channels 0.2989 red + 0.587 green + 0.114 blue.

    Shapes: x (batch, height, width, 3) -> y of the same shape, of floats; data_format="channels_first": the channels stand
        second. Params: none. State: none.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer, row).
    Raises: ValueError for a factor outside [0, 1], and where x has not 3 channels.
    Source: as keras.layers.RandomGrayscale.
    """

    factor: float = 0.5
    data_format: str | None = None
    seed: int | None = None

    def __post_init__(self):
        super().__post_init__()
        number("RandomGrayscale", "factor", self.factor, 0, 1)

    def draws(self, draw):
        return draw("grey", (0.0, 1.0)) < self.factor

    def change(self, x, draws):
        return jnp.where(for_each(draws), grey(x), x)


class RandomInvert(Coloring):
    """Turns images into negatives in training: y = high - x, with a probability that is drawn from `factor` for each.

    factor: f for [0, f], or (low, high), within [0, 1]. value_range: (low, high) of the values.
    Shapes, params, state, seed: as RandomGrayscale, for any number of channels.
    Raises: ValueError for factors outside [0, 1], and for a value_range without room.
    Source: as keras.layers.RandomInvert.
    """

    factor: Any = 1.0
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors = {"factor": (0, 1)}

    def draws(self, draw):
        return draw("whether", (0.0, 1.0)) < draw("probability", self.from_zero("factor"))

    def change(self, x, draws):
        return jnp.where(for_each(draws), self.bounds[1] - x, x)


class Solarization(Coloring):
    """Inverts what is light, in training: y = z where z < t, else white - z, for z = clip(x + a), a and t drawn for each image.

    addition_factor, threshold_factor: f for [0, f], or (low, high), within [0, 1], shares of the whole range.
    Shapes, params, state, seed, value_range, errors: as RandomInvert.
    Source: as keras.layers.Solarization, which takes the lower end of a pair for a share of 1/255.
    """

    addition_factor: Any = 0.0
    threshold_factor: Any = 0.0
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors = {"addition_factor": (0, 1), "threshold_factor": (0, 1)}

    def draws(self, draw):
        return draw("addition", self.from_zero("addition_factor")), draw("threshold", self.from_zero("threshold_factor"))

    def change(self, x, draws):
        addition, threshold = map(for_each, draws)
        light = jnp.clip(self.shares(x) + addition, 0, 1)
        return self.values(jnp.where(light < threshold, light, 1 - light))


class RandomSharpness(Coloring):
    """Blurs or sharpens images in training: y = clip(x + (1 - 2 f) (smooth - x)), f drawn evenly.

    smooth: the weighted mean of the 3 x 3 pixels around, 5/13 for the middle and 1/13 for each other; zeros beyond the border.
    factor: f for [0, f], or (low, high), within [0, 1]: 0 is smooth, 0.5 the image as it is, 1 sharp.
    Shapes, params, state, seed, value_range, errors: as RandomInvert.
    Source: as keras.layers.RandomSharpness.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    factors = {"factor": (0, 1)}

    def draws(self, draw):
        return draw("sharpness", self.from_zero("factor"))

    def change(self, x, draws):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        height, width = x.shape[1:3]
        around = sum((padded[:, i:i + height, j:j + width] for i in range(3) for j in range(3)), 4 * x)
        return self.within(x + (1 - 2 * for_each(draws)) * (around / 13 - x))
