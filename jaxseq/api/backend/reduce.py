"""Sums and their kin over one axis, several or all; `axis` is a number, a tuple, a list, or None for all."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.api.backend.elementwise import sqrt
from jaxseq.api.backend.inputs import Axis, array, axis_tuple, real
from jaxseq.core.types import Array

__all__ = [
    "all", "any", "argmax", "argmin", "cumprod", "cumsum", "logsumexp", "max", "mean", "min", "prod", "std", "sum",
    "var",
]


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The sum. Booleans are counted: int32."""
    return jnp.sum(array(x), axis_tuple(axis), keepdims=keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The product."""
    return jnp.prod(array(x), axis_tuple(axis), keepdims=keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element."""
    return jnp.max(array(x), axis_tuple(axis), keepdims=keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element."""
    return jnp.min(array(x), axis_tuple(axis), keepdims=keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean. Booleans and integers are taken as float32, so K.mean(K.equal(a, b)) is the share of hits."""
    return jnp.mean(real(x), axis_tuple(axis), keepdims=keepdims)


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The variance mean((x - mean(x))**2), divided by n and not by n - 1."""
    return jnp.var(real(x), axis_tuple(axis), keepdims=keepdims)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """The standard deviation sqrt(var(x)); where all elements are equal its gradient is 0, and nan in Keras."""
    return sqrt(var(x, axis, keepdims))


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """log(sum(exp(x))), without overflow."""
    return jax.nn.logsumexp(real(x), axis_tuple(axis), keepdims=keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether some element is not 0: bool."""
    return jnp.any(array(x), axis_tuple(axis), keepdims=keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether no element is 0: bool."""
    return jnp.all(array(x), axis_tuple(axis), keepdims=keepdims)


def argmax(x: Any, axis: int = -1) -> Array:
    """The place of the largest element along an axis, the first of several: int32."""
    return jnp.argmax(array(x), axis)


def argmin(x: Any, axis: int = -1) -> Array:
    """The place of the smallest element along an axis, the first of several: int32."""
    return jnp.argmin(array(x), axis)


def cumsum(x: Any, axis: int = 0) -> Array:
    """The running sum along an axis. Shape: that of x."""
    return jnp.cumsum(array(x), axis)


def cumprod(x: Any, axis: int = 0) -> Array:
    """The running product along an axis. Shape: that of x."""
    return jnp.cumprod(array(x), axis)
