"""Functions of each element alone. Arguments of two dtypes are promoted to one."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.api.backend.inputs import alike, array, real
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = [
    "abs", "clip", "cos", "equal", "exp", "greater", "greater_equal", "less", "less_equal", "log", "maximum", "minimum",
    "not_equal", "pow", "round", "sign", "sin", "sqrt", "square",
]


def abs(x: Any) -> Array:
    """|x|."""
    return jnp.abs(array(x))


def square(x: Any) -> Array:
    """x * x."""
    return jnp.square(array(x))


def sqrt(x: Any) -> Array:
    """The square root; 0 where x is negative, as in Keras 2 (Keras 3 gives nan there).

    The gradient at and below 0 is 0, so that a distance of zero does no harm; Keras gives inf or nan.
    """
    x = real(x)
    outside = x <= 0                                      # False for nan, which therefore stays nan
    return jnp.where(outside, 0, jnp.sqrt(jnp.where(outside, 1, x)))


def exp(x: Any) -> Array:
    """e to the power of x."""
    return jnp.exp(real(x))


def log(x: Any) -> Array:
    """The natural logarithm: -inf at 0, nan below."""
    return jnp.log(real(x))


def sin(x: Any) -> Array:
    """The sine of x, in radians."""
    return jnp.sin(real(x))


def cos(x: Any) -> Array:
    """The cosine of x, in radians."""
    return jnp.cos(real(x))


def pow(x: Any, a: Any) -> Array:
    """x to the power of a. A whole number written in Python is multiplied out, so negative x are welcome."""
    if isinstance(a, int):
        return jnp.power(array(x), a)
    return jnp.power(*alike(x, a))


def sign(x: Any) -> Array:
    """-1, 0 or 1."""
    return jnp.sign(array(x))


def round(x: Any) -> Array:
    """The nearest whole number; halves go to the even one: 0.5 -> 0, 1.5 -> 2."""
    return jnp.round(array(x))


def clip(x: Any, min_value: Any, max_value: Any) -> Array:
    """x, but at least min_value and at most max_value; None leaves a side open.

    Raises: ValueError when two numbers stand the wrong way round (Keras 2 gives min_value everywhere).
    """
    numbers = isinstance(min_value, int | float) and isinstance(max_value, int | float)
    require(not numbers or min_value <= max_value, f"K.clip(x, {min_value!r}, {max_value!r}): the smaller bound comes "
            f"first. Write K.clip(x, {max_value!r}, {min_value!r}).")
    x, *bounds = alike(x, *(bound for bound in (min_value, max_value) if bound is not None))
    low = None if min_value is None else bounds[0]
    high = None if max_value is None else bounds[-1]
    return jnp.clip(x, low, high)


def maximum(x: Any, y: Any) -> Array:
    """The larger of two, element by element."""
    return jnp.maximum(*alike(x, y))


def minimum(x: Any, y: Any) -> Array:
    """The smaller of two, element by element."""
    return jnp.minimum(*alike(x, y))


def equal(x: Any, y: Any) -> Array:
    """x == y, element by element: bool. Float labels may be compared with integer classes."""
    return jnp.equal(*alike(x, y))


def not_equal(x: Any, y: Any) -> Array:
    """x != y, element by element: bool."""
    return jnp.not_equal(*alike(x, y))


def greater(x: Any, y: Any) -> Array:
    """x > y, element by element: bool."""
    return jnp.greater(*alike(x, y))


def greater_equal(x: Any, y: Any) -> Array:
    """x >= y, element by element: bool."""
    return jnp.greater_equal(*alike(x, y))


def less(x: Any, y: Any) -> Array:
    """x < y, element by element: bool."""
    return jnp.less(*alike(x, y))


def less_equal(x: Any, y: Any) -> Array:
    """x <= y, element by element: bool."""
    return jnp.less_equal(*alike(x, y))
