"""Pooling: the largest or the mean of every window, or of everything."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxseq.core.kernels.pool import average_pool, max_pool
from jaxseq.core.kernels.rows import sum_of_rows
from jaxseq.core.precision import as_given, floating, widened
from jaxseq.core.require import one_of
from jaxseq.core.spatial import Spatial, Windowed
from jaxseq.core.types import Array, Ctx


class _Pooling(Windowed):
    """What pooling over windows has in common."""

    pool_size: Any = 2
    strides: Any = None
    padding: str = "valid"
    data_format: str | None = None

    pool: ClassVar[Callable[..., Array]]

    def __post_init__(self):
        super().__post_init__()
        for argument in ("pool_size",) if self.strides is None else ("pool_size", "strides"):
            self.per_axis(argument)

    def apply(self, params, state, x, ctx):
        size = self.per_axis("pool_size")
        self.require_room(x, size, (1,) * len(size))
        strides = size if self.strides is None else self.per_axis("strides")
        return self.as_it_came(type(self).pool(self.channels_last(x), size, strides, self.padding)), state


class MaxPooling1D(_Pooling):
    """The largest of every window of steps: y[t] = max over k < pool_size of x[t s + k], s = strides.

    Shapes: x (batch, steps, channels) -> y (batch, steps', channels); steps' = (steps - pool_size) // s + 1 with
        padding "valid", ceil(steps / s) with "same". data_format="channels_first": the channels stand second.
        strides: pool_size when None.
    Params: none. State: none.
    Of equal elements the first receives the whole gradient.
    Raises: ValueError for numbers below 1, and for sequences shorter than the window with "valid".
    Source: as keras.layers.MaxPooling1D; a mask ends here without a word (Keras 2 raises, Keras 3 warns).
    """

    axes = ("steps",)
    pool = staticmethod(max_pool)


class MaxPooling2D(_Pooling):
    """The largest of every window of an image: y[i, j] = max over k, l < pool_size of x[i s + k, j s + l], s = strides.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', channels);
        height' = (height - pool_size) // s + 1 with padding "valid", ceil(height / s) with "same".
        data_format="channels_first": the channels stand second. strides: pool_size when None.
    Params: none. State: none.
    Of equal elements the first, row by row, receives the whole gradient.
    Raises: ValueError for numbers below 1, and for images smaller than the window with "valid".
    Source: as keras.layers.MaxPooling2D.
    """

    axes = ("height", "width")
    pool = staticmethod(max_pool)


class MaxPooling3D(_Pooling):
    """The largest of every window of a volume, along each axis as MaxPooling2D.

    Shapes: x (batch, depth, height, width, channels) -> y (batch, depth', height', width', channels), each length as in
        MaxPooling2D. data_format="channels_first": the channels stand second. strides: pool_size when None.
    Params: none. State: none.
    Of equal elements the first, slice by slice and row by row, receives the whole gradient.
    Raises: ValueError for numbers below 1, and for volumes smaller than the window with "valid".
    Source: as keras.layers.MaxPooling3D.
    """

    axes = ("depth", "height", "width")
    pool = staticmethod(max_pool)


class AveragePooling1D(_Pooling):
    """The mean of every window of steps: y[t] = mean over k < pool_size of x[t s + k], s = strides.

    With padding "same" the mean is over the steps there are. Shapes, errors and mask: as MaxPooling1D. Params: none.
    State: none. Source: as keras.layers.AveragePooling1D; sums are taken in float32 for narrower dtypes.
    """

    axes = ("steps",)
    pool = staticmethod(average_pool)


class AveragePooling2D(_Pooling):
    """The mean of every window of an image: y[i, j] = mean over k, l < pool_size of x[i s + k, j s + l], s = strides.

    With padding "same" the mean is over the elements there are. Shapes and errors: as MaxPooling2D. Params: none.
    State: none. Source: as keras.layers.AveragePooling2D; sums are taken in float32 for narrower dtypes.
    """

    axes = ("height", "width")
    pool = staticmethod(average_pool)


class AveragePooling3D(_Pooling):
    """The mean of every window of a volume, along each axis as AveragePooling2D.

    With padding "same" the mean is over the elements there are. Shapes and errors: as MaxPooling3D. Params: none.
    State: none. Source: as keras.layers.AveragePooling3D; sums are taken in float32 for narrower dtypes.
    """

    axes = ("depth", "height", "width")
    pool = staticmethod(average_pool)


class _GlobalPooling(Spatial):
    """What pooling over everything has in common."""

    data_format: str | None = None
    keepdims: bool = False

    def __post_init__(self):
        super().__post_init__()
        one_of(f"{self._class}: keepdims", self.keepdims, (True, False))

    def apply(self, params, state, x, ctx):
        self.lengths(x)
        y = self.pooled(x, ctx)
        return y if self.keepdims else y.squeeze(self.places), state

    @abstractmethod
    def pooled(self, x: Array, ctx: Ctx) -> Array:
        """x with its spatial axes pooled to length 1."""


class _GlobalMaxPooling(_GlobalPooling):
    """The largest element along all axes."""

    def pooled(self, x, ctx):
        return x.max(self.places, keepdims=True)


class _GlobalAveragePooling(_GlobalPooling):
    """The mean along all axes."""

    def pooled(self, x, ctx):
        if self.places[0] != 1:                                         # channels first
            return floating(x).mean(self.places, keepdims=True)
        y = jax.vmap(sum_of_rows)(widened(x)) / math.prod(x.shape[1:-1])
        return as_given(jnp.expand_dims(y, self.places), x)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest step of each channel: y = max over t of x[t].

    Shapes: x (batch, steps, channels) -> y (batch, channels), or (batch, 1, channels) with keepdims=True.
        data_format="channels_first": x (batch, channels, steps). Params: none. State: none.
    Equal elements share the gradient. A mask is not looked at, as in Keras 3: masked steps take part.
    Raises: ValueError when x has another number of axes.
    Source: as keras.layers.GlobalMaxPooling1D.
    """

    axes = ("steps",)


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest element of each channel: y = max over i, j of x[i, j].

    Shapes: x (batch, height, width, channels) -> y (batch, channels), or (batch, 1, 1, channels) with keepdims=True.
        data_format="channels_first": x (batch, channels, height, width). Params: none. State: none.
    Equal elements share the gradient.
    Raises: ValueError when x has another number of axes.
    Source: as keras.layers.GlobalMaxPooling2D.
    """

    axes = ("height", "width")


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest element of each channel: y = max over i, j, k of x[i, j, k].

    Shapes: x (batch, depth, height, width, channels) -> y (batch, channels), or (batch, 1, 1, 1, channels) with
        keepdims=True. data_format="channels_first": x (batch, channels, depth, height, width). Params: none. State: none.
    Equal elements share the gradient.
    Raises: ValueError when x has another number of axes.
    Source: as keras.layers.GlobalMaxPooling3D.
    """

    axes = ("depth", "height", "width")


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean step of each channel: y = mean over t of x[t], over the real steps where there is a mask.

    Shapes: as GlobalMaxPooling1D. Params: none. State: none.
    A row without one real step gives zeros; Keras gives NaN there.
    Raises: ValueError when x has another number of axes.
    Source: Lin et al. 2014, "Network in network"; as keras.layers.GlobalAveragePooling1D.
    """

    axes = ("steps",)

    def pooled(self, x, ctx):
        if ctx.mask is None:
            return super().pooled(x, ctx)
        real = jnp.expand_dims(ctx.mask, 3 - self.places[0])            # (batch, steps, 1), or (batch, 1, steps)
        total = jnp.where(real, widened(x), 0).sum(self.places, keepdims=True)
        count = jnp.maximum(real.sum(self.places, keepdims=True), 1)
        return as_given(total / count.astype(total.dtype), x)


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean of each channel: y = mean over i, j of x[i, j].

    Shapes: as GlobalMaxPooling2D. Params: none. State: none.
    Raises: ValueError when x has another number of axes.
    Source: Lin et al. 2014, "Network in network"; as keras.layers.GlobalAveragePooling2D.
    """

    axes = ("height", "width")


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean of each channel: y = mean over i, j, k of x[i, j, k].

    Shapes: as GlobalMaxPooling3D. Params: none. State: none.
    Raises: ValueError when x has another number of axes.
    Source: as keras.layers.GlobalAveragePooling3D.
    """

    axes = ("depth", "height", "width")


# Keras's shorter names.
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D
