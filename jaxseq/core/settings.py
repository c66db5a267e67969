"""Settings of declarations that differ between members of one program: each member's number is an argument of it.

A declaration is frozen and checked when it is made. What runs within a program is a copy of it in which a `Given` stands in the
place of the number, so that one program serves all of them; a setting that decides what is computed, and not only with what
number, refuses that with a TypeError.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array


class Given:
    """A number that a program is given in two parts, so that `1 - number` is as exact as with a float of Python.

    high: the number as float32. low: what is missing from it to float64, as float32. It is no number to `is_number`, and
    cannot be compared or asked whether it is 0: TypeError.
    Source: the two-sum of Dekker 1971; 1 - 0.999 of float32 numbers is wrong in the fifth digit.
    """

    __hash__ = None                     # pyright: ignore[reportAssignmentType]

    def __init__(self, high: Any, low: Any):
        self.high, self.low = high, low

    def __jax_array__(self) -> Array:
        return self.high

    def below(self, range_: int) -> Array:
        """round(number * range_) for a power of two up to 2**32 and a number in [0, 1): () uint32."""
        part = lambda number: jnp.round(number * np.float32(range_))
        return part(self.high).astype(jnp.uint32) + part(self.low).astype(jnp.int32).astype(jnp.uint32)

    def __rsub__(self, other: Any) -> Array:
        return (other - self.high) - self.low

    def __sub__(self, other: Any) -> Array:
        return (self.high - other) + self.low

    def __neg__(self) -> Array:
        return -self.high

    def __add__(self, other: Any) -> Array:
        return self.high + other

    def __mul__(self, other: Any) -> Array:
        return self.high * other

    def __truediv__(self, other: Any) -> Array:
        return self.high / other

    def __rtruediv__(self, other: Any) -> Array:
        return other / self.high

    def __pow__(self, other: Any) -> Array:
        return self.high**other

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> Any:
        raise TypeError("This setting decides what is computed, so each of its values needs a program of its own.")

    def __bool__(self) -> bool:
        return self == 0

    def __lt__(self, other: Any) -> bool:
        return self == other

    __gt__ = __le__ = __ge__ = __lt__


def in_two_parts(number: float) -> tuple[float, float]:
    """(high, low) of a `Given`, as floats of Python: a program that is given these has them bend to the weights' dtype."""
    high = float(np.float32(number))
    return high, number - high


def replaced(declaration: Any, path: tuple[str, ...], value: Any) -> Any:
    """A declaration with another value at a path of fields, checked as if it were written so."""
    name, *deeper = path
    inner = value if not deeper else replaced(getattr(declaration, name), tuple(deeper), value)
    return declaration.replaced(**{name: inner}) if hasattr(declaration, "replaced") else replace(declaration, **{name: inner})


def placed(declaration: Any, path: tuple[str, ...], value: Any) -> Any:
    """A declaration with another value at a path of fields. Nothing is checked, so it may be a `Given`."""
    name, *deeper = path
    held = vars(declaration)
    copied = object.__new__(type(declaration))
    vars(copied).update(held, **{name: value if not deeper else placed(held[name], tuple(deeper), value)})
    return copied
