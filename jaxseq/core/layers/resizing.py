"""Up-sampling: every element several times, or with values between them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core.precision import as_given, widened
from jaxseq.core.spatial import Spatial

INTERPOLATIONS = "nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"


class _UpSampling(Spatial):
    """What up-sampling along any number of axes has in common."""

    size: Any = 2
    data_format: str | None = None

    def __post_init__(self):
        super().__post_init__()
        self.per_axis("size")

    def apply(self, params, state, x, ctx):
        self.lengths(x)
        for axis, times in zip(self.places, self.per_axis("size"), strict=True):
            x = jnp.repeat(x, times, axis)
        return x, state


class UpSampling1D(_UpSampling):
    """Every step `size` times in a row: y[t] = x[t // size].

    Shapes: x (batch, steps, channels) -> y (batch, steps size, channels); with data_format="channels_first", which Keras
        does not have here, the channels stand second. Params: none. State: none.
    Raises: ValueError for a size below 1.
    Source: as keras.layers.UpSampling1D; a mask ends here without a word (Keras 2 raises, Keras 3 warns).
    """

    axes = ("steps",)


class UpSampling2D(_UpSampling):
    """Larger images: y[i, j] = x[i // size, j // size], or values between the pixels.

    interpolation: "nearest", as above; "bilinear", "bicubic" (Keys, a = -1/2), "lanczos3" and "lanczos5" weigh the pixels
        around, whose centres stand at 1/2, 3/2, ...; beyond the border the weights of the pixels there are make up 1.
    Shapes: x (batch, height, width, channels) -> y (batch, height size, width size, channels); size may differ by axis.
        data_format="channels_first": the channels stand second. Params: none. State: none.
    Raises: ValueError for a size below 1, and for another interpolation.
    Source: Keys 1981 (bicubic); Duchon 1979 (Lanczos). As keras.layers.UpSampling2D of Keras 3; Keras 2 knows the first
        two, and its bilinear pixels stood at 0, 1, ... Sums are taken in float32 for narrower dtypes.
    """

    interpolation: str = "nearest"

    axes = ("height", "width")

    def __post_init__(self):
        super().__post_init__()
        self.in_lower_case("interpolation", INTERPOLATIONS)

    def apply(self, params, state, x, ctx):
        if self.interpolation == "nearest":
            return super().apply(params, state, x, ctx)
        shape = list(x.shape)
        for axis, length, times in zip(self.places, self.lengths(x), self.per_axis("size"), strict=True):
            shape[axis] = length * times
        return as_given(jax.image.resize(widened(x), shape, self.interpolation), x), state


class UpSampling3D(_UpSampling):
    """Every element of a volume `size` times along each axis: y[i, j, k] = x[i // size, j // size, k // size].

    Shapes: x (batch, depth, height, width, channels) -> y (batch, depth size, height size, width size, channels); size
        may differ by axis. data_format="channels_first": the channels stand second. Params: none. State: none.
    Raises: ValueError for a size below 1.
    Source: as keras.layers.UpSampling3D.
    """

    axes = ("depth", "height", "width")
