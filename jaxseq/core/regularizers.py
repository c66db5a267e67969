"""Weight penalties: w (...) -> scalar, to be added to the loss. There is no factor 1/2 in the squares, as in Keras.

The scalar is float32 for bfloat16 and float16 weights, where Keras adds up in the weights' own dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core.declared import Declared, from_config, number
from jaxseq.core.precision import widened
from jaxseq.core.require import one_of, require, spelled
from jaxseq.core.types import Array


class Regularizer(Declared):
    """What all of them are. A user's own may be any function of an array, or a subclass with `__call__(self, w)`."""


@dataclass(frozen=True)
class L1(Regularizer):
    """l1 * sum |w|; its gradient at w = 0 is l1, as JAX has |.|.

    Raises: ValueError unless l1 is finite and at least 0. Source: Tibshirani 1996.
    """

    l1: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        number("L1", "l1", self.l1, least=0)

    def __call__(self, w: Array) -> Array:
        return self.l1 * jnp.sum(jnp.abs(widened(w)))


@dataclass(frozen=True)
class L2(Regularizer):
    """l2 * sum w^2.

    Raises: ValueError unless l2 is finite and at least 0. Source: Hoerl & Kennard 1970.
    """

    l2: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        number("L2", "l2", self.l2, least=0)

    def __call__(self, w: Array) -> Array:
        return self.l2 * jnp.sum(jnp.square(widened(w)))


@dataclass(frozen=True)
class L1L2(Regularizer):
    """l1 * sum |w| + l2 * sum w^2.

    Raises: ValueError unless l1 and l2 are finite and at least 0. Source: Zou & Hastie 2005.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("L1L2", "l1", self.l1, least=0)
        number("L1L2", "l2", self.l2, least=0)

    def __call__(self, w: Array) -> Array:
        return self.l1 * jnp.sum(jnp.abs(widened(w))) + self.l2 * jnp.sum(jnp.square(widened(w)))


@dataclass(frozen=True)
class OrthogonalRegularizer(Regularizer):
    """factor * mean |cos(angle)| over the pairs of rows of w, or of its columns (mode "columns").

    Shapes: w (rows, columns) -> scalar. A row shorter than 1e-7 is at right angles to all others and has gradient 0.
    Raises: ValueError for a factor below 0, an unknown mode, and weights of another rank than 2.
    Differs from Keras 3, where a single row, and the gradient of a row of zeros, give NaN.
    """

    factor: float = 0.01
    mode: str = "rows"

    def __post_init__(self) -> None:
        super().__post_init__()
        number("OrthogonalRegularizer", "factor", self.factor, least=0)
        one_of("OrthogonalRegularizer mode", self.mode, ("rows", "columns"))

    def __call__(self, w: Array) -> Array:
        require(w.ndim == 2, f"OrthogonalRegularizer wants weights (rows, columns), got {w.shape}. For other weights "
                "write lambda w: OrthogonalRegularizer()(w.reshape(-1, w.shape[-1])).")
        rows = widened(w) if self.mode == "rows" else widened(w).T
        squares = jnp.sum(jnp.square(rows), axis=1, keepdims=True)
        unit = rows * jnp.where(squares > 1e-14, lax.rsqrt(jnp.maximum(squares, 1e-14)), 0)
        pairs = len(rows) * (len(rows) - 1) // 2
        return self.factor * jnp.sum(jnp.abs(jnp.triu(unit @ unit.T, 1))) / max(1, pairs)


@spelled
def l1(l1: float = 0.01, *, l: float | None = None) -> L1:  # noqa: E741
    """L1(l1). `l` is Keras 2's word for l1."""
    return L1(l1 if l is None else l)


@spelled
def l2(l2: float = 0.01, *, l: float | None = None) -> L2:  # noqa: E741
    """L2(l2). `l` is Keras 2's word for l2."""
    return L2(l2 if l is None else l)


@spelled
def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """L1L2(l1, l2), with the defaults of Keras 2. The name "l1_l2" in a layer means this, 0.01 and 0.01."""
    return L1L2(l1, l2)


orthogonal_regularizer = OrthogonalRegularizer

TABLE: Mapping[str, Callable[..., Regularizer]] = {
    "L1": L1, "L2": L2, "L1L2": L1L2, "OrthogonalRegularizer": OrthogonalRegularizer,
    "l1": l1, "l2": l2, "l1_l2": l1_l2, "l1l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer,
}


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[[Array], Array] | None:
    """The regularizer that an identifier stands for: None, a name, a config, a class, or anything called with weights.

    Raises: ValueError for an unknown name and for what is none of these.
    """
    return None if identifier is None else from_config("regularizer", identifier, TABLE, custom_objects)
