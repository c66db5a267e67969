"""Steps of matrices made orthogonal by Newton's iteration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxseq.core.types import Array

# Of x, x^3 and x^5: they drive every singular value near 1, fast rather than exactly.
_COEFFICIENTS = 3.4445, -4.7750, 2.0315


def scale_by_muon(momentum: float, nesterov: bool, steps: int, rms_rate: float | None) -> optax.GradientTransformation:
    """The orthogonal matrix nearest to m = momentum m + g, or with nesterov to g + momentum m, about.

    rms_rate: the matrix times rms_rate sqrt(its longer side), so that the rms of its entries is about rms_rate.
    Source: Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982. Optax's has a running mean for m, which is the same but
    for the epsilon in `orthogonal`.
    """

    def scaled(x: Array) -> Array:
        return orthogonal(x, steps) * (1 if rms_rate is None else rms_rate * max(x.shape) ** 0.5)

    velocity = optax.trace(momentum, nesterov)
    return optax.chain(velocity, optax.stateless(lambda updates, params: jax.tree.map(scaled, updates)))


def orthogonal(x: Array, steps: int) -> Array:
    """x (rows, columns) with singular values near 1, by a few steps of x <- a x + b (x x') x + c (x x')^2 x."""
    a, b, c = _COEFFICIENTS
    wide = x.T if x.shape[0] > x.shape[1] else x
    wide = wide / (jnp.sqrt(jnp.sum(jnp.square(wide))) + 1e-7)
    for _ in range(steps):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * (square @ square)) @ wide
    return wide.T if x.shape[0] > x.shape[1] else wide


def matrices(weights: Any, exclude_embeddings: bool, exclude_layers: Sequence[str]) -> Any:
    """Whether each weight is a matrix that Muon moves."""
    patterns = [*exclude_layers, *(["(?i)embedding"] if exclude_embeddings else [])]

    def moved(path: Any, w: Array) -> bool:
        name = "/".join(str(getattr(key, "key", key)) for key in path)
        return w.ndim == 2 and not any(re.search(pattern, name) for pattern in patterns)

    return jax.tree_util.tree_map_with_path(moved, weights)


def labels(chosen: Any) -> Any:
    """The names of the ways for optax.partition."""
    return jax.tree.map(lambda matrix: "matrix" if matrix else "other", chosen)


def shares(chosen: Any, share: Mapping[bool, float]) -> Any:
    """The weight decay of each weight."""
    return jax.tree.map(lambda matrix: share[matrix], chosen)
