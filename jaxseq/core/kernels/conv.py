"""Convolution, with gradients that are convolutions of the plainest kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.window import Edges, Ints, edges, per_axis, require_room
from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

PART_BYTES = 6 * 2**20      # of x and dy, in each part of a kernel's gradient on the CPU


def conv(x: Array, kernel: Array, bias: Array | None = None, strides: Any = 1, padding: str = "valid",
         dilation: Any = 1, groups: int = 1) -> Array:
    """Slides a kernel over x: y[b, o, f] = sum_{t, c} x[b, o * stride + t * dilation - before, c] * kernel[t, c, f] + bias[f].

    Shapes: x (batch, *lengths, channels), kernel (*sizes, channels / groups, filters), bias (filters,)
        -> y (batch, *lengths', filters), for one, two or three spatial axes. Outside x there are zeros.
    padding: "valid" (none), "same" (ceil(length / stride) outputs, the odd zero at the end), "causal" (all before x).
    groups: filters and channels are cut into that many parts, and each part of the filters sees its own channels.
    Raises: ValueError when the shapes of x and kernel do not belong together, or when nothing is padded and the kernel
        is longer than x.
    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic". A correlation, as in all such libraries.

    It can be differentiated in reverse mode any number of times (jax.grad, jax.jacrev); jax.jvp raises TypeError.
    """
    axes = x.ndim - 2
    fits = kernel.ndim == x.ndim and x.shape[-1] == kernel.shape[-2] * groups and kernel.shape[-1] % groups == 0
    require(fits, f"conv: kernel {kernel.shape} in {groups} group(s) does not fit x {x.shape}. It must be (*sizes, "
            "channels / groups, filters), with filters a multiple of groups.")
    steps, gaps = per_axis("strides", strides, axes), per_axis("dilation", dilation, axes)
    lengths, sizes = x.shape[1:-1], kernel.shape[:-2]
    require_room("conv", x.shape, tuple(f"axis {axis}" for axis in range(1, axes + 1)), lengths, sizes, padding, gaps)
    border = edges(lengths, sizes, steps, padding, gaps)
    dtype = jnp.result_type(x, kernel)
    bias = None if bias is None else bias.astype(dtype)
    return _conv(x.astype(dtype), kernel.astype(dtype), bias, Walk(steps, border, (1,) * axes, gaps, groups))


class Walk(NamedTuple):
    """How a convolution walks, per spatial axis. Its two gradients are convolutions again, with another walk.

    strides: steps from output to output. border: zeros (before, after) x; negative where x is cropped.
    spread, dilation: the elements of x, and of the kernel, lie this far apart, with zeros between.
    """

    strides: Ints
    border: Edges
    spread: Ints
    dilation: Ints
    groups: int


def _plain(x: Array, kernel: Array, bias: Array | None, walk: Walk) -> Array:
    space = "DHW"[5 - x.ndim:]
    y = lax.conv_general_dilated(
        x, kernel, walk.strides, walk.border, lhs_dilation=walk.spread, rhs_dilation=walk.dilation,
        feature_group_count=walk.groups, dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"))
    return y if bias is None else y + bias


_conv = jax.custom_vjp(_plain, nondiff_argnums=(3,))


def _forward(x: Array, kernel: Array, bias: Array | None, walk: Walk) -> tuple[Array, tuple]:
    return _plain(x, kernel, bias, walk), (x, kernel, bias)


def _backward(walk: Walk, saved: tuple, dy: Array) -> tuple[Array, Array, Array | None]:
    """The gradients by x, kernel and bias, in the form that suits the device.

    XLA's own gradients are convolutions with exchanged axes. On the CPU they run 3 to 300 times slower inside a loop
    than a plain convolution (jaxlib 0.10 puts such axes in order outside of loops only), at every stride and dilation
    that was measured; so here they are put in order by hand. Accelerators take them as they are. The choice is made
    when a program is lowered, not by the default backend, so each device gets its own form.
    """
    def ordered(x, kernel, bias, dy):
        return _input_gradient(x, kernel, dy, walk), *_weight_gradients(x, kernel, bias, dy, walk)

    def own(x, kernel, bias, dy):
        return jax.vjp(lambda x, kernel, bias: _plain(x, kernel, bias, walk), x, kernel, bias)[1](dy)

    return lax.platform_dependent(*saved, dy, cpu=ordered, default=own)


_conv.defvjp(_forward, _backward)


def _span(length: int, gap: int) -> int:
    """The length of an axis whose elements lie `gap` apart."""
    return gap * (length - 1) + 1


def _input_gradient(x: Array, kernel: Array, dy: Array, walk: Walk) -> Array:
    """dy, spread by the strides, under the kernel turned round; the channels and the filters change places."""
    axes, groups, (channels, filters) = x.ndim - 2, walk.groups, kernel.shape[-2:]
    turned = lax.rev(kernel, tuple(range(axes))).reshape(*kernel.shape[:-1], groups, filters // groups)
    turned = jnp.swapaxes(turned, -3, -1)                               # (*sizes, filters / groups, groups, channels)
    turned = turned.reshape(*kernel.shape[:-2], filters // groups, groups * channels)
    border = tuple(
        (gap * (size - 1) - before, _span(n, spread) + before - _span(m, stride))
        for n, m, size, stride, (before, _), spread, gap in _axes(x, kernel, dy, walk))
    return _conv(dy, turned, None, Walk(walk.spread, border, walk.strides, walk.dilation, groups))


def _kernel_gradient(x: Array, kernel: Array, dy: Array, walk: Walk) -> Array:
    """x under dy as its kernel, dy spread by the strides; the batch and the channels change places."""
    groups, (batch, channels) = walk.groups, (x.shape[0], kernel.shape[-2])
    turned = jnp.swapaxes(x.reshape(*x.shape[:-1], groups, channels), 0, -1)    # (channels, *lengths, groups, batch)
    turned = turned.reshape(channels, *x.shape[1:-1], groups * batch)
    border = tuple(
        (before, gap * (size - 1) + _span(m, stride) - _span(n, spread) - before)
        for n, m, size, stride, (before, _), spread, gap in _axes(x, kernel, dy, walk))
    gradient = _conv(turned, jnp.moveaxis(dy, 0, -2), None, Walk(walk.dilation, border, walk.spread, walk.strides, groups))
    return jnp.moveaxis(gradient, 0, -2)                                # (channels, *sizes, filters) -> the kernel's


def _weight_gradients(x: Array, kernel: Array, bias: Array | None, dy: Array, walk: Walk) -> tuple[Array, Array | None]:
    """The gradients by kernel and bias, as sums over parts of the batch that lie in a processor's cache while they are read.

    On images that is a quarter faster; small batches are one part.
    """
    def of(x: Array, dy: Array) -> tuple[Array, Array | None]:
        by_bias = None if bias is None else jnp.sum(dy, axis=tuple(range(dy.ndim - 1)))
        return _kernel_gradient(x, kernel, dy, walk), by_bias

    batch = x.shape[0]
    fitting = max(1, PART_BYTES * batch // max(1, x.nbytes + dy.nbytes))
    part = max(size for size in range(1, min(fitting, batch) + 1) if batch % size == 0)
    if part == batch:
        return of(x, dy)
    parts = jax.tree.map(lambda whole: whole.reshape(batch // part, part, *whole.shape[1:]), (x, dy))
    zero = jax.tree.map(lambda weight: jnp.zeros_like(widened(weight)), (kernel, bias))
    add = lambda totals, part: (jax.tree.map(lambda total, new: total + widened(new), totals, of(*part)), None)
    return jax.tree.map(lambda total: total.astype(kernel.dtype), lax.scan(add, zero, parts)[0])


def _axes(x: Array, kernel: Array, dy: Array, walk: Walk):
    """Per spatial axis: the lengths of x, dy and kernel, then the walk's four numbers."""
    return zip(x.shape[1:-1], dy.shape[1:-1], kernel.shape[:-2], walk.strides, walk.border, walk.spread, walk.dilation,
               strict=True)
