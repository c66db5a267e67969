"""Products, and everything that moves elements without changing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.api.backend.inputs import alike, array, axis_tuple, common_dtype
from jaxseq.core.require import one_of, require
from jaxseq.core.types import Array

__all__ = [
    "batch_dot", "batch_flatten", "concatenate", "dot", "expand_dims", "flatten", "gather", "int_shape", "ndim",
    "one_hot", "permute_dimensions", "repeat", "repeat_elements", "reshape", "reverse", "shape", "spatial_2d_padding",
    "spatial_3d_padding", "squeeze", "stack", "stop_gradient", "switch", "temporal_padding", "tile", "transpose",
]

Pad = tuple[int, int]


# Asking ------------------------------------------------------------------------------------------------------------

def shape(x: Any) -> tuple[int, ...]:
    """The shape of x: a tuple of ints, also while a program is traced (Keras gives a symbolic tensor)."""
    return array(x).shape


def int_shape(x: Any) -> tuple[int, ...]:
    """The shape of x: a tuple of ints, the batch axis included (Keras gives None for it)."""
    return array(x).shape


def ndim(x: Any) -> int:
    """The number of axes of x."""
    return array(x).ndim


# Products ----------------------------------------------------------------------------------------------------------

def dot(x: Any, y: Any) -> Array:
    """The matrix product: x's last axis against y's last but one.

    Shapes: x (*a, k), y (*b, k, n) -> (*a, *b, n). The batch axes of x and y are not paired; see batch_dot.
    """
    return jnp.dot(*alike(x, y))


def batch_dot(x: Any, y: Any, axes: int | Sequence[int] | None = None) -> Array:
    """The product of each example of x with the same example of y, over one axis of each.

    axes: (axis of x, axis of y), one number for both, or None: x's last axis against y's last but one (y's last, where
    y has two axes).
    Shapes: x (batch, *a) and y (batch, *b) -> (batch, *rest of a, *rest of b); two matrices give (batch, 1).
    Raises: ValueError when the axes cannot be paired. Differs from Keras 2.2 and earlier for inputs of four axes, where
    it follows Keras 2.3 and later.
    """
    x, y = alike(x, y)
    over_x, over_y = _paired_axes(x, y, axes)
    product = lax.dot_general(x, y, (((over_x,), (over_y,)), ((0,), (0,))))
    return product[:, None] if product.ndim == 1 else product


def _paired_axes(x: Array, y: Array, axes: int | Sequence[int] | None) -> tuple[int, int]:
    given = f"K.batch_dot(x {x.shape}, y {y.shape}, axes={axes!r})"
    require(x.ndim >= 2 and y.ndim >= 2, f"{given}: both need a batch axis and one more. Write K.expand_dims(x).")
    require(x.shape[0] == y.shape[0], f"{given}: the batch axes differ, {x.shape[0]} and {y.shape[0]}. "
            "For a product with one matrix for all examples write K.dot(x, y).")
    if axes is None:
        axes = (-1, -1 if y.ndim == 2 else -2)
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    known = len(pair) == 2 and -x.ndim <= pair[0] < x.ndim and -y.ndim <= pair[1] < y.ndim
    require(known, f"{given}: write axes=(axis of x, axis of y), one axis of each.")
    over_x, over_y = pair[0] % x.ndim, pair[1] % y.ndim
    require(over_x and over_y, f"{given}: axis 0 is the batch. Write an axis from 1 on.")
    require(x.shape[over_x] == y.shape[over_y], f"{given}: axis {over_x} of x has {x.shape[over_x]} elements, axis "
            f"{over_y} of y has {y.shape[over_y]}. Write axes=(axis of x, axis of y) of equal length.")
    return over_x, over_y


# Other axes --------------------------------------------------------------------------------------------------------

def transpose(x: Any) -> Array:
    """x with its axes in reverse order, the batch axis included."""
    return jnp.transpose(array(x))


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Array:
    """x with its axes in the order of `pattern`, counted from 0, the batch axis included."""
    return jnp.transpose(array(x), tuple(pattern))


def reshape(x: Any, shape: Sequence[int]) -> Array:
    """x in another shape, the batch axis included; one length may be -1."""
    return jnp.reshape(array(x), tuple(shape))


def flatten(x: Any) -> Array:
    """All elements of x, the batch axis included, in one axis."""
    return jnp.ravel(array(x))


def batch_flatten(x: Any) -> Array:
    """Each example in one axis. Shapes: x (batch, ...) -> (batch, features)."""
    x = array(x)
    require(x.ndim >= 1, "K.batch_flatten needs x (batch, ...), got a scalar. Write K.reshape(x, (1, 1)).")
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def expand_dims(x: Any, axis: int = -1) -> Array:
    """x with a new axis of length 1."""
    return jnp.expand_dims(array(x), axis)


def squeeze(x: Any, axis: int) -> Array:
    """x without an axis of length 1."""
    return jnp.squeeze(array(x), axis)


def reverse(x: Any, axes: int | Sequence[int]) -> Array:
    """x with its elements in reverse order along one axis or several."""
    return jnp.flip(array(x), axis_tuple(axes))


# More and less of it -----------------------------------------------------------------------------------------------

def concatenate(tensors: Sequence[Any], axis: int = -1) -> Array:
    """The arrays one after the other along an axis they have."""
    return jnp.concatenate(alike(*tensors), axis)


def stack(x: Sequence[Any], axis: int = 0) -> Array:
    """The arrays side by side along a new axis."""
    return jnp.stack(alike(*x), axis)


def repeat(x: Any, n: int) -> Array:
    """Each row n times, along a new axis of time. Shapes: x (batch, features) -> (batch, n, features)."""
    x = array(x)
    require(x.ndim == 2, f"K.repeat needs x (batch, features), got {x.shape}. To repeat along an axis that is there "
            "write K.repeat_elements(x, n, axis).")
    return jnp.repeat(x[:, None], n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Array:
    """Each slice along an axis `rep` times in a row: a a b b."""
    return jnp.repeat(array(x), rep, axis)


def tile(x: Any, n: int | Sequence[int]) -> Array:
    """The whole of x several times: a b a b. n: a number for each axis, or one for the last."""
    return jnp.tile(array(x), n if isinstance(n, int) else tuple(n))


def temporal_padding(x: Any, padding: Pad = (1, 1)) -> Array:
    """Zeros before and after the axis of time.

    Shapes: x (batch, time, features) -> (batch, before + time + after, features).
    """
    return _pad_with_zeros("temporal_padding", x, (padding,), "channels_last")


def spatial_2d_padding(x: Any, padding: tuple[Pad, Pad] = ((1, 1), (1, 1)), data_format: str | None = None) -> Array:
    """Zeros around rows and columns. Shapes: x (batch, rows, columns, channels), or channels first when told so."""
    return _pad_with_zeros("spatial_2d_padding", x, padding, data_format)


def spatial_3d_padding(x: Any, padding: tuple[Pad, Pad, Pad] = ((1, 1), (1, 1), (1, 1)),
                       data_format: str | None = None) -> Array:
    """Zeros around three axes. Shapes: x (batch, a, b, c, channels), or channels first when told so."""
    return _pad_with_zeros("spatial_3d_padding", x, padding, data_format)


def _pad_with_zeros(name: str, x: Any, padding: Sequence[Pad], data_format: str | None) -> Array:
    x = array(x)
    order = one_of("data_format", data_format or "channels_last", ("channels_last", "channels_first"))
    wanted = len(padding) + 2
    require(x.ndim == wanted, f"K.{name} needs x of {wanted} axes, batch and channels included, got {x.shape}.")
    middle = [(int(before), int(after)) for before, after in padding]
    outer = [(0, 0)], [(0, 0)]
    if order == "channels_first":
        outer = [(0, 0), (0, 0)], []
    return jnp.pad(x, [*outer[0], *middle, *outer[1]])


# Choosing ----------------------------------------------------------------------------------------------------------

def gather(reference: Any, indices: Any) -> Array:
    """The rows of `reference` at `indices`.

    Shapes: reference (rows, *a), indices (*b) -> (*b, *a).
    An index below 0 or from `rows` on gives nan (integers: the extreme of their dtype), so that it shows.
    """
    table = array(reference)
    return jnp.take(table, _inside(indices, table.shape[0]), axis=0, mode="fill")


def _inside(indices: Any, count: int) -> Array:
    """Indices as int32, negative ones moved past the end, where "fill" marks them instead of counting backwards."""
    ids = array(indices).astype(jnp.int32)
    return jnp.where(ids < 0, count, ids)


def one_hot(indices: Any, num_classes: int) -> Array:
    """A row with a single 1 for each index: float32. An index out of range gives a row of zeros.

    Shapes: indices (*a) -> (*a, num_classes).
    """
    return jax.nn.one_hot(array(indices).astype(jnp.int32), num_classes, dtype=jnp.float32)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Array:
    """`then_expression` where the condition holds, `else_expression` elsewhere; either may be a function of nothing.

    A scalar condition runs only the function it chooses. A condition with axes is laid along the first axes of the
    expressions: (batch,) against (batch, features) chooses whole rows.
    Raises: ValueError when the condition has more axes than the expressions.
    """
    condition = array(condition).astype(bool)
    if condition.ndim == 0:
        return _one_of_two(condition, _function(then_expression), _function(else_expression))
    then, other = alike(_function(then_expression)(), _function(else_expression)())
    axes = max(then.ndim, other.ndim)
    require(condition.ndim <= axes or axes == 0, f"K.switch: the condition {condition.shape} has more axes than the "
            f"expressions {then.shape} and {other.shape}. Write K.expand_dims(expression) to give them as many.")
    condition = condition.reshape(condition.shape + (1,) * (axes - condition.ndim))
    return jnp.where(condition, then, other)


def _function(expression: Any) -> Callable[[], Any]:
    return expression if callable(expression) else lambda: expression


def _one_of_two(condition: Array, then: Callable[[], Any], other: Callable[[], Any]) -> Array:
    """Runs one of two functions; both results get the dtype and the shape that fit either."""
    specs = [jax.eval_shape(lambda function=function: array(function())) for function in (then, other)]
    dtype, shape = common_dtype(*specs), jnp.broadcast_shapes(*(spec.shape for spec in specs))

    def shaped(function: Callable[[], Any]) -> Callable[[], Array]:
        return lambda: jnp.broadcast_to(array(function()).astype(dtype), shape)

    return lax.cond(condition, shaped(then), shaped(other))


def stop_gradient(variables: Any) -> Any:
    """The same values, which no gradient flows through: an array, or a list of arrays."""
    return jax.tree.map(lambda x: lax.stop_gradient(array(x)), variables)
