"""Losses that look across rows, or whose targets are not of the predictions' shape."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from jaxseq.core.pairs import EPSILON, alike, arrays, at, class_ids
from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = [
    "dice", "tversky", "circle", "ctc", "categorical_generalized_cross_entropy",
]


def dice(y: Array, y_hat: Array, axis: int | Sequence[int] | None = None) -> Array:
    """1 - 2 sum(y y_hat) / (sum(y) + sum(y_hat) + 1e-7): 0 where the two regions are one, 1 where they do not meet.

    axis: the axes to sum over; None for all, which gives one number for the whole batch.
    Shapes: y, y_hat (batch, ...) -> the axes that are left. Source: Milletari, Navab & Ahmadi 2016, arXiv:1606.04797.
    """
    y, y_hat = alike(y, y_hat, "dice")
    total = lambda x: jnp.sum(x, axis=_axes(axis))
    return 1 - 2 * total(y * y_hat) / (total(y) + total(y_hat) + EPSILON)


def tversky(y: Array, y_hat: Array, alpha: float = 0.5, beta: float = 0.5,
            axis: int | Sequence[int] | None = None) -> Array:
    """1 - both / (both + alpha * sum(y (1 - y_hat)) + beta * sum((1 - y) y_hat) + 1e-7), both = sum(y y_hat).

    alpha: what a missed part costs. beta: what a false one costs. With a half each it is `dice`.
    Shapes: y, y_hat (batch, ...) -> the axes that are left by `axis`, as in `dice`.
    Source: Salehi, Erdogmus & Gholipour 2017, arXiv:1706.05721. Keras gives alpha and beta these meanings; the paper
    exchanges them.
    """
    y, y_hat = alike(y, y_hat, "tversky")
    total = lambda x: jnp.sum(x, axis=_axes(axis))
    both = total(y * y_hat)
    return 1 - both / (both + alpha * total(y * (1 - y_hat)) + beta * total((1 - y) * y_hat) + EPSILON)


def circle(y: Array, y_hat: Array, remove_diagonal: bool = True, gamma: float = 80.0, margin: float = 0.4) -> Array:
    """log(1 + sum_n exp(gamma a_n (s_n - margin)) sum_p exp(-gamma a_p (s_p - 1 + margin))) for each row of the batch.

    s_p, s_n: its cosines with the rows of its own class and of others; a_p = max(1 + margin - s_p, 0) and
    a_n = max(s_n + margin, 0) weigh what is far from where it should be.
    remove_diagonal: a row is no partner of its own.
    Shapes: y integer labels (batch,) or (batch, 1); y_hat unit vectors (batch, features), as UnitNormalization() gives
        -> (batch,), 0 for a row that has no partner or no opponent in its batch.
    Source: Sun et al. 2020, arXiv:2002.10857.
    """
    y, y_hat = arrays(y, y_hat)
    labels = y.reshape(-1)
    require(y_hat.ndim == 2 and labels.shape == y_hat.shape[:1], f"circle wants one label per row, y {y_hat.shape[:1]}, for "
            f"unit vectors (batch, features); got y {y.shape} for predictions {y_hat.shape}.")
    away = jnp.maximum(1 - (widened(y_hat) @ widened(y_hat).T), 0)                                  # 1 - cosine
    same = labels[:, None] == labels[None, :]
    partner = same & ~jnp.eye(len(labels), dtype=bool) if remove_diagonal else same
    pull = -gamma * (margin + away) * (margin - away)
    push = gamma * jnp.maximum(1 + margin - away, 0) * (1 - margin - away)
    complete = jnp.any(partner, axis=1) & jnp.any(~same, axis=1)
    both = _log_sum(pull, partner) + _log_sum(push, ~same)
    return jnp.where(complete, jax.nn.softplus(both), 0)


def ctc(y: Array, y_hat: Array) -> Array:
    """-log of the probability, over all alignments, of the labels y; class 0 is the blank between them.

    Shapes: y (batch, length) labels from 1 on, padded with 0 behind; y_hat logits (batch, time, classes) -> (batch,).
    Source: Graves et al. 2006. Every time step of y_hat counts, as in Keras.
    """
    y, y_hat = arrays(y, y_hat)
    require(y.ndim == 2 and y_hat.ndim == 3 and len(y) == len(y_hat), "ctc wants labels y (batch, length) for logits "
            f"(batch, time, classes); got y {y.shape} for predictions {y_hat.shape}.")
    logits = widened(y_hat)
    labels = y.astype(jnp.int32)
    with jax.numpy_dtype_promotion("standard"):             # Optax adds integers to floats
        return optax.losses.ctc_loss(logits, jnp.zeros(logits.shape[:2], logits.dtype), labels,
                                     (labels == 0).astype(logits.dtype), blank_id=0)


def categorical_generalized_cross_entropy(y: Array, y_hat: Array, q: float = 0.5) -> Array:
    """(1 - p[y]^q) / q: between crossentropy (q to 0) and absolute error (q = 1), for labels that may be wrong.

    Shapes: y whole numbers in [0, classes), (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes) -> (batch, ...).
    Source: Zhang & Sabuncu 2018, arXiv:1805.07836. NaN for a y that is no class, where Keras has 1 / q.
    """
    y, y_hat = arrays(y, y_hat)
    p = at(widened(y_hat), class_ids(y, y_hat, "categorical_generalized_cross_entropy"))
    return (1 - jnp.maximum(p, jnp.finfo(p.dtype).tiny) ** q) / q       # the root of 0 has no slope


def _axes(axis: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _log_sum(x: Array, where: Array) -> Array:
    """log sum exp of x along its rows where `where` is True; some number where it is True nowhere."""
    some = jnp.any(where, axis=1, keepdims=True)
    return jax.nn.logsumexp(jnp.where(where | ~some, x, -jnp.inf), axis=1)
