"""Crossentropies, in nats: from probabilities, as Keras clips them, and from logits, exact.

y may be of any float or integer dtype; all are computed in the dtype of y_hat, in float32 at least.
Options of all: from_logits, whether y_hat are logits; label_smoothing s, which takes the share s of each target and
spreads it evenly over the classes (Szegedy et al. 2016); axis, that of the classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseq.core.pairs import EPSILON, alike, arrays, at, class_ids
from jaxseq.core.precision import widened
from jaxseq.core.types import Array

__all__ = [
    "categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy",
    "categorical_focal_crossentropy", "binary_focal_crossentropy", "bce", "BCE",
]


def categorical_crossentropy(y: Array, y_hat: Array, from_logits: bool = False, label_smoothing: float = 0.0,
                             axis: int = -1) -> Array:
    """-sum(y log p) over the classes, p = y_hat normalised and kept within [1e-7, 1 - 1e-7].

    Shapes: y one-hot, or a distribution, (batch, ..., classes); y_hat the same -> (batch, ...).
    """
    y, y_hat = _classes_last(y, y_hat, "categorical_crossentropy", label_smoothing, axis)
    if from_logits:
        return categorical_crossentropy_from_logits(y, y_hat)
    return -jnp.sum(y * jnp.log(_inside(_normalised(y_hat))), axis=-1)


def categorical_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-sum(y log softmax(logits)) over the last axis; its gradient never dies. A logit may be -inf where y is 0.

    Shapes: y one-hot, or a distribution, (batch, ..., classes); logits the same -> (batch, ...).
    Source: Goodfellow et al. 2016, 6.2.2. Equals Keras with from_logits=True; no clipping is needed.
    """
    y, logits = alike(y, logits, "categorical_crossentropy")
    return -jnp.sum(jnp.where(y == 0, 0, y * jax.nn.log_softmax(logits)), axis=-1)


def sparse_categorical_crossentropy(y: Array, y_hat: Array, from_logits: bool = False, ignore_class: int | None = None,
                                    axis: int = -1) -> Array:
    """-log p[y], p = y_hat normalised and kept within [1e-7, 1 - 1e-7]. NaN for a y that is no class.

    ignore_class: a label that costs nothing, as 255 of pixels that belong to no class.
    Shapes: y whole numbers in [0, classes), (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes) -> (batch, ...).
    """
    y, y_hat = arrays(y, y_hat)
    form = sparse_categorical_crossentropy_from_logits if from_logits else _sparse_of_shares
    real = known(y, y_hat, ignore_class, axis)
    y_hat = jnp.moveaxis(y_hat, axis, -1)
    return jnp.where(real, form(jnp.where(real, class_ids(y, y_hat), 0), y_hat), 0)


def known(y: Array, y_hat: Array, ignore_class: int | None, axis: int = -1) -> Array:
    """Which labels count, of y and y_hat as of `sparse_categorical_crossentropy`: (batch, ...) bool."""
    ids = class_ids(y, jnp.moveaxis(y_hat, axis, -1))
    return jnp.ones(ids.shape, bool) if ignore_class is None else ids != ignore_class


def sparse_categorical_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-log softmax(logits)[y]; its gradient never dies. NaN for a y that is no class.

    Shapes: y whole numbers in [0, classes), (batch, ...) or (batch, ..., 1); logits (batch, ..., classes) -> (batch, ...).
    Source: Goodfellow et al. 2016, 6.2.2. Equals Keras with from_logits=True; no clipping is needed.
    """
    y, logits = arrays(y, logits)
    return -at(jax.nn.log_softmax(widened(logits)), class_ids(y, logits))


def _sparse_of_shares(ids: Array, y_hat: Array) -> Array:
    return -at(jnp.log(_inside(_normalised(widened(y_hat)))), ids)


def binary_crossentropy(y: Array, y_hat: Array, from_logits: bool = False, label_smoothing: float = 0.0,
                        axis: int = -1) -> Array:
    """-mean(y log p + (1 - y) log(1 - p)) over the labels, p = y_hat within [1e-7, 1 - 1e-7].

    Shapes: y in [0, 1] and y_hat, both (batch, ..., labels) -> (batch, ...).
    """
    y, y_hat = alike(y, y_hat, "binary_crossentropy")
    cost = _binary_of_logits if from_logits else _binary_of_shares
    return jnp.mean(cost(_smoothed(y, label_smoothing, 2), y_hat), axis=axis)


def binary_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-mean(y log s + (1 - y) log(1 - s)) over the last axis, s = sigmoid(logits); its gradient never dies.

    Shapes: y in [0, 1] and logits, both (batch, ..., labels) -> (batch, ...).
    """
    return binary_crossentropy(y, logits, from_logits=True)


def _binary_of_shares(y: Array, y_hat: Array) -> Array:
    p = _inside(y_hat)
    return -(y * jnp.log(p) + (1 - y) * jnp.log1p(-p))


def _binary_of_logits(y: Array, logits: Array) -> Array:
    """log(1 - sigmoid(x)) = log_sigmoid(-x), and the latter does not cancel."""
    return -(y * jax.nn.log_sigmoid(logits) + (1 - y) * jax.nn.log_sigmoid(-logits))


# ---- turned to what is hard ----


def categorical_focal_crossentropy(y: Array, y_hat: Array, alpha: float | Sequence[float] = 0.25, gamma: float = 2.0,
                                   from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Array:
    """-sum(alpha (1 - p)^gamma y log p) over the classes, p as in `categorical_crossentropy`.

    alpha: a factor, or one per class. gamma: how little counts what is sure already; 0 for all alike.
    Shapes: y one-hot, or a distribution, (batch, ..., classes); y_hat the same -> (batch, ...).
    Source: Lin et al. 2017, arXiv:1708.02002. From logits it is exact, where Keras clips p.
    """
    y, y_hat = _classes_last(y, y_hat, "categorical_focal_crossentropy", label_smoothing, axis)
    log_p = jax.nn.log_softmax(y_hat) if from_logits else jnp.log(_inside(_normalised(y_hat)))
    doubt = jnp.maximum(-jnp.expm1(log_p), EPSILON)
    costs = jnp.where(y == 0, 0, y * log_p)
    return -jnp.sum(jnp.asarray(alpha, y_hat.dtype) * doubt**gamma * costs, axis=-1)


def binary_focal_crossentropy(y: Array, y_hat: Array, apply_class_balancing: bool = False, alpha: float = 0.25,
                              gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0,
                              axis: int = -1) -> Array:
    """mean((1 - q)^gamma * binary crossentropy) over the labels, q = y p + (1 - y) (1 - p): how far p is right, up to 1 - 1e-7.

    apply_class_balancing: each label also counts alpha where y is 1, and 1 - alpha where it is 0.
    Shapes: y in [0, 1] and y_hat, both (batch, ..., labels) -> (batch, ...).
    Source: Lin et al. 2017, arXiv:1708.02002. From logits it is exact, where Keras clips p.
    """
    y, y_hat = alike(y, y_hat, "binary_focal_crossentropy")
    y = _smoothed(y, label_smoothing, 2)
    costs = (_binary_of_logits if from_logits else _binary_of_shares)(y, y_hat)
    p, other = (jax.nn.sigmoid(y_hat), jax.nn.sigmoid(-y_hat)) if from_logits else (y_hat, 1 - y_hat)
    doubt = jnp.maximum(y * other + (1 - y) * p, EPSILON)
    focal = doubt**gamma * costs
    balance = y * alpha + (1 - y) * (1 - alpha) if apply_class_balancing else 1
    return jnp.mean(balance * focal, axis=axis)


def _classes_last(y: Array, y_hat: Array, who: str, label_smoothing: float, axis: int) -> tuple[Array, Array]:
    y, y_hat = alike(y, y_hat, who)
    y, y_hat = jnp.moveaxis(y, axis, -1), jnp.moveaxis(y_hat, axis, -1)
    return _smoothed(y, label_smoothing, y.shape[-1]), y_hat


def _smoothed(y: Array, share: float, classes: int) -> Array:
    return y if share == 0 else y * (1 - share) + share / classes


def _normalised(y_hat: Array) -> Array:
    return y_hat / jnp.sum(y_hat, axis=-1, keepdims=True)


def _inside(p: Array) -> Array:
    return jnp.clip(p, EPSILON, 1 - EPSILON)


bce = BCE = binary_crossentropy        # Keras's other names for the same
