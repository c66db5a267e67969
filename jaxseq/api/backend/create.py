"""Arrays made from nothing, or in the image of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jaxseq.api.backend.dtypes import resolve
from jaxseq.api.backend.inputs import array
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = ["arange", "constant", "eye", "ones", "ones_like", "variable", "zeros", "zeros_like"]


def constant(value: Any, dtype: Any = None, shape: Sequence[int] | None = None, name: str | None = None) -> Array:
    """`value` as an array of float32, or of `dtype`; spread over `shape` if there is one. `name` is not kept."""
    filled = array(value).astype(resolve(dtype))
    return filled if shape is None else jnp.broadcast_to(filled, tuple(shape))


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Array:
    """The same as constant(value): arrays do not change, so what a Keras variable remembers is carried by hand.

    Raises: ValueError when there is a constraint, which could never be applied.
    """
    require(constraint is None, f"K.variable(constraint={constraint!r}): an array does not change, so a constraint "
            "never applies. Write it into the layer that owns the weight: Dense(8, kernel_constraint=...).")
    return constant(value, dtype)


def zeros(shape: Sequence[int], dtype: Any = None, name: str | None = None) -> Array:
    """Zeros, of float32 unless told otherwise. `name` is not kept."""
    return jnp.zeros(shape, resolve(dtype))


def ones(shape: Sequence[int], dtype: Any = None, name: str | None = None) -> Array:
    """Ones, of float32 unless told otherwise. `name` is not kept."""
    return jnp.ones(shape, resolve(dtype))


def eye(size: int, dtype: Any = None, name: str | None = None) -> Array:
    """The identity matrix (size, size), of float32 unless told otherwise. `name` is not kept."""
    return jnp.eye(size, dtype=resolve(dtype))


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Array:
    """Zeros of the shape of x, and of its dtype unless told otherwise. `name` is not kept."""
    x = array(x)
    return jnp.zeros(x.shape, x.dtype if dtype is None else resolve(dtype))


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Array:
    """Ones of the shape of x, and of its dtype unless told otherwise. `name` is not kept."""
    x = array(x)
    return jnp.ones(x.shape, x.dtype if dtype is None else resolve(dtype))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Array:
    """start, start + step, ... below stop; 0, 1, ... below start when there is no stop.

    Floats keep their dtype under the default, as in Keras 2: K.arange(0, 1, 0.25) is float32.
    """
    steps = jnp.arange(start, stop, step)
    whole = jnp.issubdtype(steps.dtype, jnp.integer)
    return steps.astype(resolve(dtype)) if whole or dtype != "int32" else steps
