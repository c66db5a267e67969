"""Measures that are no losses: (y, y_hat) -> one number per row, or per time step, of which more is better."""

from __future__ import annotations

import jax.numpy as jnp

from jaxseq.core import regression
from jaxseq.core.pairs import EPSILON, alike, arrays, at, class_ids
from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = [
    "accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "cosine_similarity", "pearson_correlation", "concordance_correlation",
]

# ---- hits ----


def accuracy(y: Array, y_hat: Array) -> Array:
    """The share of predictions that equal their targets. Shapes: y, y_hat (batch, ..., features) -> (batch, ...)."""
    y, y_hat = alike(y, y_hat, "accuracy")
    return jnp.mean((y == y_hat).astype(jnp.float32), axis=-1)


def binary_accuracy(y: Array, y_hat: Array, threshold: float = 0.5) -> Array:
    """The share of labels on the right side of the threshold. Shapes: y, y_hat (batch, ..., labels) -> (batch, ...)."""
    y, y_hat = arrays(y, y_hat)
    require(y.shape == y_hat.shape, f"binary_accuracy wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    return jnp.mean((y == (y_hat > threshold).astype(y.dtype)).astype(jnp.float32), axis=-1)


def categorical_accuracy(y: Array, y_hat: Array) -> Array:
    """1 where the largest entries of y and y_hat stand in the same place. Shapes: (batch, ..., classes) -> (batch, ...)."""
    y, y_hat = arrays(y, y_hat)
    require(y.shape == y_hat.shape, f"categorical_accuracy wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    return (jnp.argmax(y, -1) == jnp.argmax(y_hat, -1)).astype(jnp.float32)


def sparse_categorical_accuracy(y: Array, y_hat: Array) -> Array:
    """1 where y_hat is largest at the label. Shapes: y (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes)."""
    y, y_hat = arrays(y, y_hat)
    return (class_ids(y, y_hat) == jnp.argmax(y_hat, -1).astype(jnp.int32)).astype(jnp.float32)


def top_k_categorical_accuracy(y: Array, y_hat: Array, k: int = 5) -> Array:
    """1 where fewer than k entries of y_hat are larger than the one at y's largest. Shapes: (batch, ..., classes)."""
    y, y_hat = arrays(y, y_hat)
    require(y.shape == y_hat.shape, "top_k_categorical_accuracy wants y of the predictions' shape "
            f"{y_hat.shape}, got {y.shape}.")
    return _among_top(jnp.argmax(y, -1).astype(jnp.int32), y_hat, k)


def sparse_top_k_categorical_accuracy(y: Array, y_hat: Array, k: int = 5, from_sorted_ids: bool = False) -> Array:
    """1 where fewer than k entries of y_hat are larger than the one at the label; 0 for a label that is no class.

    from_sorted_ids: y_hat are class numbers, the best first, and it is 1 where the label is one of the first k.
    Shapes: y (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes) -> (batch, ...).
    """
    y, y_hat = arrays(y, y_hat)
    ids = class_ids(y, y_hat, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        return jnp.any(y_hat[..., :k] == ids[..., None].astype(y_hat.dtype), axis=-1).astype(jnp.float32)
    return _among_top(ids, y_hat, k)


def _among_top(ids: Array, y_hat: Array, k: int) -> Array:
    own = at(widened(y_hat), ids)
    larger = jnp.sum(widened(y_hat) > own[..., None], axis=-1)
    return ((larger < k) & jnp.isfinite(own)).astype(jnp.float32)


# ---- likeness ----


def cosine_similarity(y: Array, y_hat: Array, axis: int = -1) -> Array:
    """cos(angle between y and y_hat) along `axis`; the loss of this name has the other sign."""
    return -regression.cosine_similarity(y, y_hat, axis)


def pearson_correlation(y: Array, y_hat: Array, axis: int = -1) -> Array:
    """cov(y, y_hat) / (std(y) std(y_hat)) along `axis`; NaN where one of them does not vary. Source: Pearson 1895."""
    y, y_hat = alike(y, y_hat, "pearson_correlation")
    y, y_hat = _centred(y, axis), _centred(y_hat, axis)
    square = lambda x: jnp.mean(jnp.square(x), axis=axis)
    return jnp.mean(y * y_hat, axis=axis) / jnp.sqrt(square(y) * square(y_hat))


def concordance_correlation(y: Array, y_hat: Array, axis: int = -1) -> Array:
    """2 cov(y, y_hat) / (var(y) + var(y_hat) + (mean(y) - mean(y_hat))^2 + 1e-7) along `axis`. Source: Lin 1989."""
    y, y_hat = alike(y, y_hat, "concordance_correlation")
    apart = jnp.square(jnp.mean(y, axis=axis) - jnp.mean(y_hat, axis=axis))
    y, y_hat = _centred(y, axis), _centred(y_hat, axis)
    spread = jnp.mean(jnp.square(y), axis=axis) + jnp.mean(jnp.square(y_hat), axis=axis)
    return 2 * jnp.mean(y * y_hat, axis=axis) / (spread + apart + EPSILON)


def _centred(x: Array, axis: int) -> Array:
    return x - jnp.mean(x, axis=axis, keepdims=True)
