"""Adaptive pooling: as many windows along each axis as the output is to have steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxseq.core.precision import as_given, widened
from jaxseq.core.spatial import Spatial
from jaxseq.core.types import Array


class _AdaptivePooling(Spatial):
    """Window i of n along an axis of length L goes from floor(i L / n) up to ceil((i + 1) L / n), so windows may overlap."""

    output_size: Any
    data_format: str | None = None

    pooled: ClassVar[Callable[..., Array]]

    def __post_init__(self):
        super().__post_init__()
        self.per_axis("output_size")

    def apply(self, params, state, x, ctx):
        lengths = self.lengths(x)
        for place, length, windows in zip(self.places, lengths, self.per_axis("output_size"), strict=True):
            x = type(self).pooled(x, place, *_edges(length, windows), length // windows + min(length % windows, 2))
        return x, state


def largest(x: Array, place: int, first: Array, end: Array, longest: int) -> Array:
    """The largest element of each window [first, end) along the axis `place`, none of which has more steps than `longest`."""
    steps = jnp.arange(longest) + first[:, None]                                   # (windows, steps of the longest)
    steps = jnp.minimum(steps, end[:, None] - 1)                                   # a shorter one sees its last step again
    return jnp.take(x, steps, axis=place).max(place + 1)


def mean(x: Array, place: int, first: Array, end: Array, longest: int) -> Array:
    """The mean of each window [first, end) along the axis `place`."""
    del longest
    steps, dtype = jnp.arange(x.shape[place]), widened(x).dtype
    inside = (steps >= first[:, None]) & (steps < end[:, None])
    share = inside.astype(dtype) / (end - first)[:, None].astype(dtype)             # (windows, steps), rows sum to 1
    return as_given(jnp.moveaxis(jnp.tensordot(widened(x), share, ((place,), (1,))), -1, place), x)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The largest element of each of `output_size` windows, whatever the length of x.

    Shapes: x (batch, steps, channels) -> y (batch, output_size, channels); data_format="channels_first": channels second.
    Params: none. State: none.
    Raises: ValueError for an output_size below 1, and when x has another number of axes.
    Source: as keras.layers.AdaptiveMaxPooling1D.
    """

    axes = ("steps",)
    pooled = staticmethod(largest)


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The largest element of each of output_size[0] x output_size[1] windows. As AdaptiveMaxPooling1D, with two axes.

    Shapes: x (batch, height, width, channels) -> y (batch, *output_size, channels).
    """

    axes = ("height", "width")
    pooled = staticmethod(largest)


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """The largest element of each window along three axes. As AdaptiveMaxPooling1D.

    Shapes: x (batch, depth, height, width, channels) -> y (batch, *output_size, channels).
    """

    axes = ("depth", "height", "width")
    pooled = staticmethod(largest)


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The mean of each of `output_size` windows, whatever the length of x.

    Shapes: x (batch, steps, channels) -> y (batch, output_size, channels); data_format="channels_first": channels second.
    Params: none. State: none.
    Raises: ValueError for an output_size below 1, and when x has another number of axes.
    Source: as keras.layers.AdaptiveAveragePooling1D.
    """

    axes = ("steps",)
    pooled = staticmethod(mean)


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The mean of each of output_size[0] x output_size[1] windows. As AdaptiveAveragePooling1D, with two axes.

    Shapes: x (batch, height, width, channels) -> y (batch, *output_size, channels).
    """

    axes = ("height", "width")
    pooled = staticmethod(mean)


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """The mean of each window along three axes. As AdaptiveAveragePooling1D.

    Shapes: x (batch, depth, height, width, channels) -> y (batch, *output_size, channels).
    """

    axes = ("depth", "height", "width")
    pooled = staticmethod(mean)


def _edges(length: int, windows: int) -> tuple[Array, Array]:
    """(where each window begins, where it has ended). JAX's arrays: to ask for shapes alone then makes no table."""
    places, (whole, rest) = jnp.arange(windows), divmod(length, windows)
    return places * whole + places * rest // windows, (places + 1) * whole - (places + 1) * -rest // windows
