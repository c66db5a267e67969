"""Pooling as slices that are folded together, one axis after the other.

The maximum (and the sum) over a window is that over its rows, then over its columns. Along one axis the elements are
cut into blocks of `stride`, and every place of the window is a slice of those blocks; so the gradient consists of
selections and of padding, which fuse, where that of XLA's reduce_window searches each window once more.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core.kernels.window import edges, per_axis, require_room
from jaxseq.core.precision import as_given, widened
from jaxseq.core.types import Array

MANY = 16       # places in a row of a window; more slices take long to compile, and gain little over reduce_window


def max_pool(x: Array, size: Any = 2, strides: Any = None, padding: str = "valid") -> Array:
    """The largest element of every window.

    Shapes: x (batch, *lengths, channels) -> (batch, *lengths', channels). strides: as `size` when absent.
    padding: "valid" (elements that fill no window are dropped) or "same" (ceil(length / stride) windows).
    Of equal elements the first in the window, row by row, receives the whole gradient. NaN counts as the largest.
    Raises: ValueError when a window is longer than its axis and nothing is padded.
    """
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.iinfo(x.dtype).min
    outside = np.asarray(lowest, x.dtype)
    for row in _rows(x, size, strides, padding):
        x = _searched(x, row, outside, lax.max) if row.size > MANY else reduce(_first_largest, _places(x, row, outside))
    return x


def average_pool(x: Array, size: Any = 2, strides: Any = None, padding: str = "valid") -> Array:
    """The mean of every window, over the elements that lie in x: what is padded does not count.

    Shapes, strides, padding and errors as in `max_pool`. Sums are taken in float32 at least.
    """
    y = widened(x)
    for row in _rows(x, size, strides, padding):
        y = _sums(y, row) / _counts(row, y.ndim).astype(y.dtype)
    return as_given(y, x)


class _Row(NamedTuple):
    """The windows along one axis of x; the first begins `before` elements before it."""

    axis: int
    length: int
    size: int
    stride: int
    before: int
    windows: int


def _rows(x: Array, size: Any, strides: Any, padding: str) -> list[_Row]:
    """The last axis first: then the first of equal elements is the first row by row."""
    spatial, lengths = x.ndim - 2, x.shape[1:-1]
    sizes = per_axis("size", size, spatial)
    steps = sizes if strides is None else per_axis("strides", strides, spatial)
    names = tuple(f"axis {axis}" for axis in range(1, spatial + 1))
    require_room("pool", x.shape, names, lengths, sizes, padding, (1,) * spatial)
    borders = edges(lengths, sizes, steps, padding, (1,) * spatial)
    return [_Row(axis + 1, n, size, stride, border[0], (n + sum(border) - size) // stride + 1)
            for axis, n, size, stride, border in zip(range(spatial), lengths, sizes, steps, borders, strict=True)][::-1]


def _blocks(x: Array, row: _Row, outside: np.ndarray) -> Array:
    """x with the axis cut in two, (blocks, stride): as many blocks as the windows reach into."""
    blocks = row.windows + (row.size - 1) // row.stride
    border = [(0, 0, 0)] * x.ndim
    border[row.axis] = row.before, blocks * row.stride - row.before - row.length, 0         # negative: cropped
    x = lax.pad(x, outside, border)
    return x.reshape(*x.shape[:row.axis], blocks, row.stride, *x.shape[row.axis + 1:])


def _places(x: Array, row: _Row, outside: np.ndarray) -> Iterator[Array]:
    """For each place in the window, in order: the elements that stand there, one per window."""
    x = _blocks(x, row, outside)
    for place in range(row.size):
        block, phase = divmod(place, row.stride)
        there = lax.index_in_dim(x, phase, row.axis + 1, keepdims=False)
        yield lax.slice_in_dim(there, block, block + row.windows, axis=row.axis)


def _searched(x: Array, row: _Row, outside: np.ndarray, function: Callable[..., Array]) -> Array:
    """The same by XLA's own windows, for long ones."""
    along = lambda number, others: [number if axis == row.axis else others for axis in range(x.ndim)]
    after = max((row.windows - 1) * row.stride + row.size - row.before - row.length, 0)
    return lax.reduce_window(x, outside, function, along(row.size, 1), along(row.stride, 1),
                             along((row.before, after), (0, 0)))


def _sums(x: Array, row: _Row) -> Array:
    """The sum of every window."""
    zero = np.zeros((), x.dtype)
    if row.size == row.stride:
        return _blocks(x, row, zero).sum(row.axis + 1)
    return _searched(x, row, zero, lax.add) if row.size > MANY else reduce(operator.add, _places(x, row, zero))


def _counts(row: _Row, ndim: int) -> Any:
    """How many elements of each window lie in x, to be broadcast along the axis."""
    lib = np if isinstance(row.windows, int) else jnp       # an exported program may not know how many there are
    start = lib.arange(row.windows) * row.stride - row.before
    inside = lib.minimum(start + row.size, row.length) - lib.maximum(start, 0)
    return inside.reshape([-1 if axis == row.axis else 1 for axis in range(ndim)])


def _first_largest(a: Array, b: Array) -> Array:
    """The larger of two, `a` where they are equal; the gradient goes to that one alone."""
    return jnp.where((a >= b) | (a != a), a, b)
