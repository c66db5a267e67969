"""Convolution, with gradients that are convolutions of the plainest kind."""

from __future__ import annotations

import math
from functools import partial, reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core.kernels.rows import add_to_rows, sum_of_rows
from jaxseq.core.kernels.window import Edges, Ints, edges, per_axis, require_room, transposed_edges
from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

PART_BYTES = 6 * 2**20      # of x and dy, in each part of a kernel's gradient on the CPU
MANY = 32                   # places in a kernel for every channel; more, in one sum, take long to compile and to run


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
    if not all(isinstance(edge, int) for pair in border for edge in pair):      # of a length that is not known, which the
        x, border = _padded(x, border), ((0, 0),) * axes                        # walk of an exported program cannot name
    dtype = jnp.result_type(x, kernel)
    bias = None if bias is None else bias.astype(dtype)
    return _conv(x.astype(dtype), kernel.astype(dtype), bias, Walk(steps, border, (1,) * axes, gaps, groups))


def depthwise_conv(x: Array, kernel: Array, bias: Array | None = None, strides: Any = 1, padding: str = "valid",
                   dilation: Any = 1) -> Array:
    """`conv` of every channel by itself: output c * multiplier + j is channel c under kernel[..., c, j].

    Shapes: x (batch, *lengths, channels), kernel (*sizes, channels, multiplier), bias (channels * multiplier,)
        -> y (batch, *lengths', channels * multiplier). Arguments, errors and gradients as those of `conv`.
    Source: Chollet 2017 (Xception).
    """
    *sizes, channels, multiplier = kernel.shape
    return conv(x, kernel.reshape(*sizes, 1, channels * multiplier), bias, strides, padding, dilation, channels)


def conv_transpose(x: Array, kernel: Array, bias: Array | None = None, strides: Any = 1, padding: str = "valid",
                   dilation: Any = 1, output_padding: Any = None) -> Array:
    """The convolution that leads back: what `conv` does to the gradient of its output, to reach that of its input.

    y[b, i * stride + t * dilation - before, f] is the sum, over all i and t that meet there, of x[b, i, c] * kernel[t, f, c],
    plus bias[f].

    Shapes: x (batch, *lengths, channels), kernel (*sizes, filters, channels), bias (filters,) -> y (batch, *lengths', filters).
    output_padding: where y ends, per axis; see `window.transposed_edges`.
    Raises: ValueError when the shapes of x and kernel do not belong together, or when nothing would come out.
    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic", 4. Its gradients are those of `conv`.
    """
    axes = x.ndim - 2
    require(kernel.ndim == x.ndim and x.shape[-1] == kernel.shape[-1], f"conv_transpose: kernel {kernel.shape} does not fit "
            f"x {x.shape}. It must be (*sizes, filters, channels).")
    steps, gaps = per_axis("strides", strides, axes), per_axis("dilation", dilation, axes)
    extra = None if output_padding is None else per_axis("output_padding", output_padding, axes, least=0)
    sizes = kernel.shape[:-2]
    border = transposed_edges(sizes, steps, padding, gaps, extra)
    room = [_span(n, step) + sum(edge) > gap * (size - 1)
            for n, step, edge, gap, size in zip(x.shape[1:-1], steps, border, gaps, sizes, strict=True)]
    require(all(room), f"conv_transpose: nothing comes out of x {x.shape} with a kernel {sizes}, strides={steps} and "
            f"output_padding={extra}. Write output_padding=None, or a larger one.")
    dtype = jnp.result_type(x, kernel)
    bias = None if bias is None else bias.astype(dtype)
    return _conv(x.astype(dtype), _turned(kernel.astype(dtype), 1), bias, Walk((1,) * axes, border, steps, gaps, 1))


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


def _by_place(x: Array, kernel: Array, bias: Array | None, walk: Walk) -> Array:
    """The same, where every filter sees one channel alone: a sum over the places of the kernel of what stands there."""
    x = _padded(x, walk.border)
    x = jnp.repeat(x, kernel.shape[-1] // walk.groups, -1)              # (batch, *lengths, filters)
    sizes = kernel.shape[:-2]
    reach = [(n - gap * (size - 1) - 1) // stride * stride + 1
             for n, size, stride, gap in zip(x.shape[1:-1], sizes, walk.strides, walk.dilation, strict=True)]

    def at(place: Ints) -> Array:
        start = [gap * each for gap, each in zip(walk.dilation, place, strict=True)]
        end = [first + each for first, each in zip(start, reach, strict=True)]
        there = lax.slice(x, (0, *start, 0), (x.shape[0], *end, x.shape[-1]), (1, *walk.strides, 1))
        return widened(there) * widened(kernel[*place, 0])

    y = reduce(jnp.add, map(at, np.ndindex(*sizes))).astype(x.dtype)
    return y if bias is None else add_to_rows(y, bias)


def _padded(x: Array, border: Edges) -> Array:
    """x with zeros around it."""
    still = (0, 0, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), [still, *((before, after, 0) for before, after in border), still])


def _is_by_place(kernel: Array, walk: Walk) -> bool:
    """Whether `_by_place` can take this, and in not too many places. On the CPU it is 3 to 10 times faster inside a loop."""
    return walk.groups > 1 and kernel.shape[-2] == 1 and max(walk.spread) == 1 and math.prod(kernel.shape[:-2]) <= MANY


def _walked(x: Array, kernel: Array, bias: Array | None, walk: Walk) -> Array:
    """The convolution, in the form that suits the device."""
    if not _is_by_place(kernel, walk):
        return _plain(x, kernel, bias, walk)
    return lax.platform_dependent(x, kernel, bias, cpu=partial(_by_place, walk=walk), default=partial(_plain, walk=walk))


_conv = jax.custom_vjp(_walked, nondiff_argnums=(3,))


def _forward(x: Array, kernel: Array, bias: Array | None, walk: Walk) -> tuple[Array, tuple]:
    return _walked(x, kernel, bias, walk), (x, kernel, bias)


def _backward(walk: Walk, saved: tuple, dy: Array) -> tuple[Array, Array, Array | None]:
    """The gradients by x, kernel and bias, in the form that suits the device.

    XLA's own gradients are convolutions with exchanged axes. On the CPU they run 3 to 300 times slower inside a loop
    than a plain convolution (jaxlib 0.10 puts such axes in order outside of loops only), at every stride and dilation
    that was measured; so here they are put in order by hand. Accelerators take them as they are. The choice is made
    when a program is lowered, not by the default backend, so each device gets its own form.
    """
    def ordered(x, kernel, bias, dy):
        return _input_gradient(x, kernel, dy, walk), *_weight_gradients(x, kernel, bias, dy, walk)

    def derived(form):
        return lambda x, kernel, bias, dy: jax.vjp(partial(form, walk=walk), x, kernel, bias)[1](dy)

    on_cpu = derived(_by_place) if _is_by_place(saved[1], walk) else ordered
    return lax.platform_dependent(*saved, dy, cpu=on_cpu, default=derived(_plain))


_conv.defvjp(_forward, _backward)


def _span(length: int, gap: int) -> int:
    """The length of an axis whose elements lie `gap` apart."""
    return gap * (length - 1) + 1


def _turned(kernel: Array, groups: int) -> Array:
    """The kernel turned round, with its channels and its filters in each other's place. Twice is as before."""
    *sizes, channels, filters = kernel.shape
    turned = lax.rev(kernel, tuple(range(len(sizes)))).reshape(*sizes, channels, groups, filters // groups)
    return jnp.swapaxes(turned, -3, -1).reshape(*sizes, filters // groups, groups * channels)


def _way_back(x: Array, kernel: Array, dy: Array, walk: Walk) -> Walk:
    """How the turned kernel walks over dy to reach x."""
    border = tuple(
        (gap * (size - 1) - before, _span(n, spread) + before - _span(m, stride))
        for n, m, size, stride, (before, _), spread, gap in _axes(x, kernel, dy, walk))
    return Walk(walk.spread, border, walk.strides, walk.dilation, walk.groups)


def _input_gradient(x: Array, kernel: Array, dy: Array, walk: Walk) -> Array:
    """dy, spread by the strides, under the kernel turned round."""
    return _conv(dy, _turned(kernel, walk.groups), None, _way_back(x, kernel, dy, walk))


def _kernel_gradient(x: Array, kernel: Array, dy: Array, walk: Walk) -> Array:
    """x under dy as its kernel, dy spread by the strides; the batch and the channels change places.

    Where x is spread, that would be a convolution of many zeros: there it is the way back whose kernel is looked for.
    """
    if max(walk.spread) > max(walk.strides):
        turned = _kernel_gradient(dy, _turned(kernel, walk.groups), x, _way_back(x, kernel, dy, walk))
        return _turned(turned, walk.groups)
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
        by_bias = None if bias is None else sum_of_rows(dy)
        return _kernel_gradient(x, kernel, dy, walk), by_bias

    batch = x.shape[0]
    fitting = max(1, PART_BYTES * batch // max(1, x.nbytes + dy.nbytes))
    part = max((size for size in range(1, min(fitting, batch) + 1) if batch % size == 0), default=batch)
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
