"""Images flipped, shifted, turned, zoomed and sheared at random, in training only."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import jax.numpy as jnp

from jaxseq.core.augmenting import Augmenting
from jaxseq.core.declared import number
from jaxseq.core.kernels.affine import FILL_MODES, ORDERS, about_centre, matrices, moved
from jaxseq.core.require import one_of
from jaxseq.core.types import Array


class RandomFlip(Augmenting):
    """Mirrors half of the images, in training: left to right, upside down, or each of the two by itself.

    mode: "horizontal", "vertical", "horizontal_and_vertical".
    Shapes: x (batch, height, width, channels) -> y of the same shape, of floats; data_format="channels_first": the channels
        stand second. Params: none. State: none.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer, row).
    Raises: ValueError for another mode, and where x is no images.
    Source: as keras.layers.RandomFlip, where both mirrors go by one draw: an image is turned by half a turn, or not at all.
    """

    mode: str = "horizontal_and_vertical"
    seed: int | None = None
    data_format: str | None = None

    def __post_init__(self):
        super().__post_init__()
        one_of("RandomFlip: mode", self.mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def draws(self, draw):
        return {axis: draw(way, (0.0, 1.0)) < 0.5 for way, axis in (("vertical", 1), ("horizontal", 2)) if way in self.mode}

    def change(self, x, draws):
        for axis, flipped in draws.items():
            x = jnp.where(flipped[:, None, None, None], jnp.flip(x, axis), x)
        return x


class _RandomAffine(Augmenting):
    """What looking images up at other places has in common: y[p] = x[matrix p + offset]."""

    def __post_init__(self):
        super().__post_init__()
        one_of(f"{self._class}: fill_mode", self._beyond["fill_mode"], FILL_MODES)
        one_of(f"{self._class}: interpolation", self._beyond["interpolation"], tuple(ORDERS))
        number(self._class, "fill_value", self._beyond["fill_value"])

    def change(self, x, draws):
        matrix, offset = self.mapping(draws, x.shape[1:3])
        return moved(x, matrix, offset, **self._beyond)

    @abstractmethod
    def mapping(self, draws: Any, lengths: tuple[int, ...]) -> tuple[Array, Array]:
        """(matrix (batch, 2, 2), offset (batch, 2)), rows before columns."""

    @property
    def _beyond(self) -> dict[str, Any]:
        """What stands between the pixels and beyond the border."""
        return {word: getattr(self, word) for word in ("interpolation", "fill_mode", "fill_value")}


class RandomTranslation(_RandomAffine):
    """Shifts images in training: y[i, j] = x[i - a height, j - b width], a and b drawn evenly from their factors.

    height_factor, width_factor: f for [-f, f], or (low, high), within [-1, 1]; positive is down, and to the right.
    fill_mode: what lies beyond the border: "reflect" (d c b a | a b c d | d c b a), "wrap", "nearest", or "constant":
        fill_value. interpolation: "bilinear" or "nearest".
    Shapes, params, state, seed: as RandomFlip.
    Raises: ValueError for factors outside [-1, 1], other words, and where x is no images.
    Source: as keras.layers.RandomTranslation.
    """

    height_factor: Any
    width_factor: Any
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    factors = {"height_factor": (-1, 1), "width_factor": (-1, 1)}

    def draws(self, draw):
        return draw("height", self.interval("height_factor")), draw("width", self.interval("width_factor"))

    def mapping(self, draws, lengths):
        shifts = jnp.stack([share * length for share, length in zip(draws, lengths, strict=True)], axis=-1)
        return jnp.broadcast_to(jnp.eye(2, dtype=shifts.dtype), (*shifts.shape, 2)), -shifts


class RandomRotation(_RandomAffine):
    """Turns images about their middle in training, by 2 pi a, a drawn evenly from `factor`; positive is against the clock.

    factor: f for [-f, f], or (low, high), within [-1, 1]. The other settings, shapes, errors: as RandomTranslation.
    Source: as keras.layers.RandomRotation.
    """

    factor: Any
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    factors = {"factor": (-1, 1)}

    def draws(self, draw):
        return 2 * math.pi * draw("angle", self.interval("factor"))

    def mapping(self, draws, lengths):
        cos, sin = jnp.cos(draws), jnp.sin(draws)
        matrix = matrices([[cos, sin], [-sin, cos]])
        return matrix, about_centre(matrix, lengths)


class RandomZoom(_RandomAffine):
    """Zooms images about their middle in training: what was (1 + a) long is 1 long, a drawn evenly from the factors.

    height_factor, width_factor: f up to 0.99 for [-f, f], or (low, high), within [-0.99, 1]; positive shows more of the image,
        and smaller. width_factor=None: one draw for both axes.
    The other settings, shapes, errors: as RandomTranslation.
    Source: as keras.layers.RandomZoom, which also takes what lies between -1 and -0.99: a hundredth of the image and less.
    """

    height_factor: Any
    width_factor: Any = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    factors = {"height_factor": (-0.99, 1), "width_factor": (-0.99, 1)}

    def __post_init__(self):
        super().__post_init__()
        for argument in self.factors:
            if getattr(self, argument) is not None:
                self.interval(argument)

    def draws(self, draw):
        height = 1 + draw("height", self.interval("height_factor"))
        return height, (height if self.width_factor is None else 1 + draw("width", self.interval("width_factor")))

    def mapping(self, draws, lengths):
        height, width = draws
        matrix = matrices([[height, jnp.zeros_like(height)], [jnp.zeros_like(width), width]])
        return matrix, about_centre(matrix, lengths)


class RandomShear(_RandomAffine):
    """Shears images from their upper left corner in training: y[i, j] = x[i + b j, j + a i], a and b drawn evenly.

    x_factor, y_factor: f for [-f, f], or (low, high), within [-1, 1]: for a and for b, both with one sign that is drawn.
    The other settings, shapes, errors: as RandomTranslation.
    Source: as keras.layers.RandomShear.
    """

    x_factor: Any = 0.0
    y_factor: Any = 0.0
    interpolation: str = "bilinear"
    fill_mode: str = "reflect"
    fill_value: float = 0.0
    data_format: str | None = None
    seed: int | None = None

    factors = {"x_factor": (-1, 1), "y_factor": (-1, 1)}

    def draws(self, draw):
        sign = jnp.where(draw("sign", (0.0, 1.0)) > 0.5, -1.0, 1.0)
        return sign * draw("x", self.interval("x_factor")), sign * draw("y", self.interval("y_factor"))

    def mapping(self, draws, lengths):
        along, down = draws
        one = jnp.ones_like(along)
        return matrices([[one, down], [along, one]]), jnp.zeros((len(along), 2), along.dtype)
