"""Losses: one number per example, or per time step. Weighting and averaging happen in run.py alone.

Every function takes (y, y_hat), y of any float or integer dtype, and works in the dtype of y_hat, in float32 at least.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core import activations
from jaxseq.core.precision import widened
from jaxseq.core.require import pick, require
from jaxseq.core.types import Array

LossFn = Callable[[Array, Array], Array]
EPSILON = 1e-7      # probabilities are kept this far from 0 and 1, as in Keras


def mean_squared_error(y: Array, y_hat: Array) -> Array:
    """mean((y - y_hat)^2) over the last axis. Shapes: y, y_hat (batch, ..., features) -> (batch, ...)."""
    y, y_hat = _alike(y, y_hat, "mean_squared_error")
    return jnp.mean(jnp.square(y - y_hat), axis=-1)


def mean_absolute_error(y: Array, y_hat: Array) -> Array:
    """mean(|y - y_hat|) over the last axis. Shapes: y, y_hat (batch, ..., features) -> (batch, ...)."""
    y, y_hat = _alike(y, y_hat, "mean_absolute_error")
    return jnp.mean(jnp.abs(y - y_hat), axis=-1)


def categorical_crossentropy(y: Array, y_hat: Array) -> Array:
    """-sum(y log p) over the last axis, p = y_hat normalised and kept within [1e-7, 1 - 1e-7]; in nats.

    Shapes: y one-hot, or a distribution, (batch, ..., classes); y_hat the same -> (batch, ...).
    """
    y, y_hat = _alike(y, y_hat, "categorical_crossentropy")
    return -jnp.sum(y * jnp.log(_inside(_normalised(y_hat))), axis=-1)


def categorical_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-sum(y log softmax(logits)) over the last axis, in nats; its gradient never dies. A logit may be -inf where y is 0.

    Shapes: y one-hot, or a distribution, (batch, ..., classes); logits the same -> (batch, ...).
    Source: Goodfellow et al. 2016, 6.2.2. Equals Keras with from_logits=True; no clipping is needed.
    """
    y, logits = _alike(y, logits, "categorical_crossentropy")
    return -jnp.sum(jnp.where(y == 0, 0, y * jax.nn.log_softmax(logits)), axis=-1)


def sparse_categorical_crossentropy(y: Array, y_hat: Array) -> Array:
    """-log p[y], p = y_hat normalised and kept within [1e-7, 1 - 1e-7]; in nats. NaN for a y that is no class.

    Shapes: y whole numbers in [0, classes), (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes) -> (batch, ...).
    """
    return -_at(jnp.log(_inside(_normalised(widened(y_hat)))), class_ids(y, y_hat))


def sparse_categorical_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-log softmax(logits)[y], in nats; its gradient never dies. NaN for a y that is no class.

    Shapes: y whole numbers in [0, classes), (batch, ...) or (batch, ..., 1); logits (batch, ..., classes) -> (batch, ...).
    Source: Goodfellow et al. 2016, 6.2.2. Equals Keras with from_logits=True; no clipping is needed.
    """
    return -_at(jax.nn.log_softmax(widened(logits)), class_ids(y, logits))


def binary_crossentropy(y: Array, y_hat: Array) -> Array:
    """-mean(y log p + (1 - y) log(1 - p)) over the last axis, p = y_hat within [1e-7, 1 - 1e-7]; in nats.

    Shapes: y in [0, 1] and y_hat, both (batch, ..., labels) -> (batch, ...).
    """
    y, y_hat = _alike(y, y_hat, "binary_crossentropy")
    p = _inside(y_hat)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log1p(-p), axis=-1)


def binary_crossentropy_from_logits(y: Array, logits: Array) -> Array:
    """-mean(y log s + (1 - y) log(1 - s)) over the last axis, s = sigmoid(logits); its gradient never dies.

    Shapes: y in [0, 1] and logits, both (batch, ..., labels) -> (batch, ...).
    log(1 - sigmoid(x)) = log_sigmoid(-x), and the latter does not cancel.
    """
    y, logits = _alike(y, logits, "binary_crossentropy")
    return -jnp.mean(y * jax.nn.log_sigmoid(logits) + (1 - y) * jax.nn.log_sigmoid(-logits), axis=-1)


def class_ids(y: Array, y_hat: Array) -> Array:
    """Integer labels as int32 of y_hat's shape without its last axis; a trailing axis of length 1 is dropped."""
    if y.ndim == y_hat.ndim and y.shape[-1] == 1:
        y = y[..., 0]
    require(y.shape == y_hat.shape[:-1], f"sparse_categorical_crossentropy wants one integer per prediction, y "
            f"{y_hat.shape[:-1]}; got y {y.shape} for predictions {y_hat.shape}. For one-hot y write "
            "loss='categorical_crossentropy'.")
    return y.astype(jnp.int32)


def _alike(y: Array, y_hat: Array, loss: str) -> tuple[Array, Array]:
    """(y, y_hat) in one dtype, once their shapes agree."""
    require(y.shape == y_hat.shape, f"{loss} wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    y_hat = widened(y_hat)
    return y.astype(y_hat.dtype), y_hat


def _normalised(y_hat: Array) -> Array:
    return y_hat / jnp.sum(y_hat, axis=-1, keepdims=True)


def _inside(p: Array) -> Array:
    return jnp.clip(p, EPSILON, 1 - EPSILON)


def _at(values: Array, ids: Array) -> Array:
    """values[..., ids]; a label outside the classes gives NaN, never a neighbour's value."""
    ids = jnp.where(ids < 0, values.shape[-1], ids)[..., None]      # else -1 would be the last class, as in NumPy
    return jnp.take_along_axis(values, ids, axis=-1, mode="fill", fill_value=jnp.nan)[..., 0]


TABLE: dict[str, LossFn] = {
    "mean_squared_error": mean_squared_error, "mse": mean_squared_error, "MSE": mean_squared_error,
    "mean_absolute_error": mean_absolute_error, "mae": mean_absolute_error, "MAE": mean_absolute_error,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy, "bce": binary_crossentropy,
}

_OF_LOGITS = (
    (categorical_crossentropy, activations.softmax, categorical_crossentropy_from_logits),
    (sparse_categorical_crossentropy, activations.softmax, sparse_categorical_crossentropy_from_logits),
    (binary_crossentropy, activations.sigmoid, binary_crossentropy_from_logits),
)


def get(identifier: Any) -> LossFn:
    """The loss for a name or a function (y, y_hat) -> one number per example."""
    if isinstance(identifier, str):
        return pick("loss", identifier, TABLE)
    require(callable(identifier), f"loss={identifier!r}: write a name such as 'mse', or a function (y_true, y_pred).",
            TypeError)
    return identifier


def of_logits(loss: LossFn, activation: Callable) -> LossFn | None:
    """The same loss computed from what goes into `activation`, or None where no such form is known."""
    return next((form for known, before, form in _OF_LOGITS if known is loss and before is activation), None)
