"""Images made darker and lighter, paler and stronger, and of other colors at random, in training only."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.core.augmenting import Coloring, for_each
from jaxseq.core.kernels.colors import grey, hsv, rgb


class RandomContrast(Coloring):
    """Stretches the values of each channel around their mean, in training: y = clip(mean + f (x - mean)).

    f is drawn evenly from [1 - low, 1 + high], one for each image.

    factor: a number for low and high, or (low, high), within [0, 1]. value_range: what y is clipped to.
    Shapes: x (batch, height, width, channels) -> y of the same shape, of floats; data_format="channels_first": the channels
        stand second. Params: none. State: none.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer, row).
    Raises: ValueError for factors outside [0, 1], for a value_range without room, and where x is no images.
    Source: as the documentation of keras.layers.RandomContrast; the layer itself takes low = 0 for a single number.
    """

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors = {"factor": (0, 1)}

    def draws(self, draw):
        low, high = self.pair("factor")
        return draw("contrast", (1 - low, 1 + high))

    def change(self, x, draws):
        mean = jnp.mean(x, (1, 2), keepdims=True)
        return self.within(mean + for_each(draws) * (x - mean))


class RandomBrightness(Coloring):
    """Adds a share of the values' whole range to each image, in training: y = clip(x + a (high - low)), a drawn evenly.

    factor: f for [-f, f], or (low, high), within [-1, 1]: at -1 all is black, at 1 all is white.
    value_range: (low, high), the values of black and white; y is clipped to it.
    Shapes, params, state, seed: as RandomContrast.
    Raises: ValueError for factors outside [-1, 1], for a value_range without room, and where x is no images.
    Source: as keras.layers.RandomBrightness.
    """

    factor: Any
    value_range: Any = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors = {"factor": (-1, 1)}

    def draws(self, draw):
        return draw("brightness", self.interval("factor"))

    def change(self, x, draws):
        black, white = self.bounds
        return self.within(x + for_each(draws) * (white - black))


class RandomSaturation(Coloring):
    """Makes colors paler or stronger in training: the saturation s becomes min(1, s f / (1 - f)), f drawn evenly.

    factor: f for [0, f], or (low, high), within [-1, 1]: 0 and below is grey, 0.5 the image as it is.
    Shapes: x (batch, height, width, 3) -> y of the same shape. value_range, params, state, seed: as RandomContrast.
    Raises: ValueError for factors outside [-1, 1], and where x has not 3 channels.
    Source: as the documentation of keras.layers.RandomSaturation, where f is [-f, f], and s is cut at the ends of value_range.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    factors = {"factor": (-1, 1)}

    def draws(self, draw):
        factor = draw("saturation", self.from_zero("factor"))
        return factor / (1 - factor + 1e-7)

    def change(self, x, draws):
        hue, saturation, value = hsv(self.shares(x))
        return self.values(rgb(hue, jnp.clip(saturation * draws[:, None, None], 0, 1), value))


class RandomHue(Coloring):
    """Turns the circle of colors in training, by a / 2, a drawn evenly from `factor` and of either sign; 1 is the whole circle.

    factor: f for [0, f], or (low, high), within [0, 1]. The rest as in RandomSaturation.
    Source: as keras.layers.RandomHue.
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    factors = {"factor": (0, 1)}

    def draws(self, draw):
        return jnp.where(draw("sign", (0.0, 1.0)) > 0.5, -0.5, 0.5) * draw("hue", self.from_zero("factor"))

    def change(self, x, draws):
        hue, saturation, value = hsv(self.shares(x))
        return self.within(self.values(rgb(hue + draws[:, None, None], saturation, value)))


class RandomColorDegeneration(Coloring):
    """Takes a share of the color away in training: y = clip(x + a (grey - x)), a drawn evenly.

    factor: f for [0, f], or (low, high), within [-1, 1]; below 0 colors get stronger. The rest as in RandomSaturation.
    Source: as the documentation of keras.layers.RandomColorDegeneration, where f is [-f, f].
    """

    factor: Any
    value_range: Any = (0, 255)
    data_format: str | None = None
    seed: int | None = None

    factors = {"factor": (-1, 1)}

    def draws(self, draw):
        return draw("degeneration", self.from_zero("factor"))

    def change(self, x, draws):
        return self.within(x + for_each(draws) * (grey(x) - x))


class RandomColorJitter(Coloring):
    """RandomBrightness, RandomContrast, RandomSaturation and RandomHue in this order, those of them whose factor is given.

    Shapes, params, state, errors: as theirs. Source: as keras.layers.RandomColorJitter.
    """

    value_range: Any = (0, 255)
    brightness_factor: Any = None
    contrast_factor: Any = None
    saturation_factor: Any = None
    hue_factor: Any = None
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self):
        super().__post_init__()
        self._parts()

    def draws(self, draw):
        return [part.draws(draw) for part in self._parts()]

    def change(self, x, draws):
        for part, drawn in zip(self._parts(), draws, strict=True):
            x = part.change(x, drawn)
        return x

    def _parts(self) -> list[Coloring]:
        made = ((RandomBrightness, self.brightness_factor), (RandomContrast, self.contrast_factor),
                (RandomSaturation, self.saturation_factor), (RandomHue, self.hue_factor))
        return [part(factor, self.value_range) for part, factor in made if factor is not None]
