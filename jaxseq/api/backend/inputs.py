"""How arguments become arrays. Everything else in this package goes through these functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core.types import Array, Spec

Axis = int | Sequence[int] | None


def array(x: Any) -> Array:
    """x as a JAX array; 64-bit NumPy arrays become 32-bit ones, unless jax_enable_x64 is set."""
    return jnp.asarray(x)


def real(x: Any) -> Array:
    """x as an array of floats: booleans and integers become float32, floats stay as they are."""
    x = array(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)


def alike(*values: Any) -> list[Array]:
    """The values as arrays of one dtype, the one of JAX's standard promotion, also where promotion is strict.

    int32 with float32 gives float32; uint8 with int32 gives int32; a Python number takes the dtype of the arrays.
    """
    arrays = [array(value) for value in values]
    dtype = common_dtype(*arrays)
    return [each.astype(dtype) for each in arrays]


def common_dtype(*arrays: Array | Spec) -> jnp.dtype:
    """The dtype that JAX's standard promotion gives to all of them."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(*arrays)


def axis_tuple(axis: Axis) -> int | tuple[int, ...] | None:
    """A list of axes, as Keras users write it, as the tuple that JAX wants."""
    return axis if axis is None or isinstance(axis, int) else tuple(axis)
