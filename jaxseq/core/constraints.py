"""Rules that weights obey: w -> w of the same shape and dtype, applied after each update.

The norm is sqrt(sum w^2) along `axis`. For Dense kernels (in, units), axis=0 takes the weights into each unit; for
convolution kernels (rows, columns, in, out), axis=(0, 1, 2) takes each filter. As in Keras, 1e-7 is added to the norm
that is divided by. Norms of bfloat16 and float16 weights are taken in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxseq.core.declared import Declared, from_config, number
from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

_EPSILON = 1e-7


class Constraint(Declared):
    """What all of them are. A user's own may be any function of an array, or a subclass with `__call__(self, w)`."""


@dataclass(frozen=True)
class MaxNorm(Constraint):
    """w * min(norm, max_value) / (norm + 1e-7).

    Raises: ValueError for a max_value below 0, and for an axis that w does not have.
    Source: Srivastava et al. 2014, "Dropout", section 5.1.
    """

    max_value: float = 2
    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("MaxNorm", "max_value", self.max_value, least=0)
        _check_axis(self)

    def __call__(self, w: Array) -> Array:
        norm = _norm(self, w)
        return _rescaled(w, jnp.minimum(norm, self.max_value) / (_EPSILON + norm))


@dataclass(frozen=True)
class NonNeg(Constraint):
    """max(w, 0)."""

    def __call__(self, w: Array) -> Array:
        return jnp.maximum(w, 0)


@dataclass(frozen=True)
class UnitNorm(Constraint):
    """w / (norm + 1e-7).

    Raises: ValueError for an axis that w does not have.
    """

    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_axis(self)

    def __call__(self, w: Array) -> Array:
        return _rescaled(w, 1 / (_EPSILON + _norm(self, w)))


@dataclass(frozen=True)
class MinMaxNorm(Constraint):
    """w * wanted / (norm + 1e-7), wanted = rate * min(max(norm, min_value), max_value) + (1 - rate) * norm.

    rate: 1 enforces the bounds at once, less moves towards them at each update.
    Raises: ValueError unless 0 <= min_value <= max_value and 0 <= rate <= 1, and for an axis that w does not have.
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("MinMaxNorm", "min_value", self.min_value, least=0)
        number("MinMaxNorm", "max_value", self.max_value, least=0)
        number("MinMaxNorm", "rate", self.rate, 0, 1)
        require(self.min_value <= self.max_value, f"MinMaxNorm(min_value={self.min_value!r}, "
                f"max_value={self.max_value!r}): write the smaller one first.")
        _check_axis(self)

    def __call__(self, w: Array) -> Array:
        norm = _norm(self, w)
        wanted = self.rate * jnp.clip(norm, self.min_value, self.max_value) + (1 - self.rate) * norm
        return _rescaled(w, wanted / (_EPSILON + norm))


def _check_axis(constraint: MaxNorm | UnitNorm | MinMaxNorm) -> None:
    axes = _axes(constraint.axis)
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in axes)
    require(whole and len(axes) > 0, f"{type(constraint).__name__}(axis={constraint.axis!r}): write a whole number, or "
            "a tuple of them, as axis=(0, 1, 2).")


def _axes(axis: int | Sequence[int]) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, Sequence) else (axis,)


def _norm(constraint: MaxNorm | UnitNorm | MinMaxNorm, w: Array) -> Array:
    """The norm of w along the constraint's axes, which keep length 1."""
    axes = _axes(constraint.axis)
    require(all(-w.ndim <= each < w.ndim for each in axes), f"{constraint} needs axes that the weights {w.shape} have: "
            f"write whole numbers from {-w.ndim} to {w.ndim - 1}.")
    return jnp.sqrt(jnp.sum(jnp.square(widened(w)), axis=axes, keepdims=True))


def _rescaled(w: Array, factor: Array) -> Array:
    return (widened(w) * factor).astype(w.dtype)


# Keras 2's and Keras 3's other names for the same.
max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm

TABLE: Mapping[str, Callable[..., Constraint]] = {
    "MaxNorm": MaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm, "MinMaxNorm": MinMaxNorm,
    "max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm,
    "maxnorm": MaxNorm, "nonneg": NonNeg, "unitnorm": UnitNorm,
}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[[Array], Array] | None:
    """The constraint that an identifier stands for: None, a name, a config, a class, or anything called with weights.

    Raises: ValueError for an unknown name and for what is none of these.
    """
    return None if identifier is None else from_config("constraint", identifier, TABLE, custom_objects)
