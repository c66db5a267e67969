"""Images made darker and lighter, paler and stronger at random, in training only."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.core.augmenting import Augmenting, Interval
from jaxseq.core.declared import is_number
from jaxseq.core.require import require
from jaxseq.core.types import Array


class _RandomColors(Augmenting):
    """What changes of the pixels' values have in common: y lies within `value_range`."""

    def __post_init__(self):
        super().__post_init__()
        value = self._bounds
        ordered = isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
        require(ordered, f"{self._class}(value_range={value!r}): write (low, high), the values of black and white, such as "
                "(0, 255) or (0, 1).")

    def within(self, y: Array) -> Array:
        """y, what lies beyond `value_range` at its end."""
        return jnp.clip(y, *self._bounds)

    @property
    def _bounds(self) -> Interval:
        return getattr(self, "value_range", (0, 255))


class RandomContrast(_RandomColors):
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
        return self.within(mean + draws[:, None, None, None] * (x - mean))


class RandomBrightness(_RandomColors):
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
        black, white = self._bounds
        return self.within(x + draws[:, None, None, None] * (white - black))
