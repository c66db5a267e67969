"""Losses between numbers, vectors and distributions: (y, y_hat) of one shape -> one number per row, or per time step.

Shapes, unless a docstring says otherwise: y, y_hat (batch, ..., features) -> (batch, ...).
y may be of any float or integer dtype; all are computed in the dtype of y_hat, in float32 at least.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxseq.core.pairs import EPSILON, alike, unit
from jaxseq.core.types import Array

__all__ = [
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_logarithmic_error",
    "huber", "log_cosh", "cosine_similarity", "hinge", "squared_hinge", "categorical_hinge", "kl_divergence",
    "poisson", "mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "logcosh", "cosine", "cosine_proximity",
    "kullback_leibler_divergence", "kld", "KLD",
]

# ---- differences ----


def mean_squared_error(y: Array, y_hat: Array) -> Array:
    """mean((y - y_hat)^2) over the last axis."""
    y, y_hat = alike(y, y_hat, "mean_squared_error")
    return jnp.mean(jnp.square(y - y_hat), axis=-1)


def mean_absolute_error(y: Array, y_hat: Array) -> Array:
    """mean(|y - y_hat|) over the last axis."""
    y, y_hat = alike(y, y_hat, "mean_absolute_error")
    return jnp.mean(jnp.abs(y - y_hat), axis=-1)


def mean_absolute_percentage_error(y: Array, y_hat: Array) -> Array:
    """100 * mean(|y - y_hat| / max(|y|, 1e-7)) over the last axis."""
    y, y_hat = alike(y, y_hat, "mean_absolute_percentage_error")
    return 100 * jnp.mean(jnp.abs((y - y_hat) / jnp.maximum(jnp.abs(y), EPSILON)), axis=-1)


def mean_squared_logarithmic_error(y: Array, y_hat: Array) -> Array:
    """mean((log(1 + y) - log(1 + y_hat))^2) over the last axis; what is below 1e-7 counts as 1e-7, and has no gradient."""
    y, y_hat = alike(y, y_hat, "mean_squared_logarithmic_error")
    log = lambda x: jnp.log1p(jnp.maximum(x, EPSILON))
    return jnp.mean(jnp.square(log(y) - log(y_hat)), axis=-1)


def huber(y: Array, y_hat: Array, delta: float = 1.0) -> Array:
    """mean(e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2), e = y_hat - y, over the last axis.

    Source: Huber 1964.
    """
    y, y_hat = alike(y, y_hat, "huber")
    error = jnp.abs(y_hat - y)
    return jnp.mean(jnp.where(error <= delta, jnp.square(error) / 2, delta * error - delta**2 / 2), axis=-1)


def log_cosh(y: Array, y_hat: Array) -> Array:
    """mean(log cosh(y_hat - y)) over the last axis, written so that a large difference does not overflow."""
    y, y_hat = alike(y, y_hat, "log_cosh")
    error = y_hat - y
    return jnp.mean(error + jax.nn.softplus(-2 * error) - math.log(2), axis=-1)


def cosine_similarity(y: Array, y_hat: Array, axis: int = -1) -> Array:
    """-cos(angle between y and y_hat) along `axis`: -1 where they point the same way, so that less is better.

    The metric of this name has the other sign, as in Keras 3. A vector of zeros is at right angles to every other.
    """
    y, y_hat = alike(y, y_hat, "cosine_similarity")
    return -jnp.sum(unit(y, axis) * unit(y_hat, axis), axis=axis)


# ---- margins ----


def hinge(y: Array, y_hat: Array) -> Array:
    """mean(max(1 - y y_hat, 0)) over the last axis, y -1 or 1; a label 0 counts as -1.

    Differs from Keras 3, which turns 0 into -1 only in a batch that has no other labels than 0 and 1, and from Keras 2,
    which never does.
    """
    return jnp.mean(_margins(y, y_hat, "hinge"), axis=-1)


def squared_hinge(y: Array, y_hat: Array) -> Array:
    """mean(max(1 - y y_hat, 0)^2) over the last axis, y as in `hinge`."""
    return jnp.mean(jnp.square(_margins(y, y_hat, "squared_hinge")), axis=-1)


def categorical_hinge(y: Array, y_hat: Array) -> Array:
    """max(1 + max((1 - y) y_hat) - sum(y y_hat), 0) over the last axis, y one-hot. Source: Crammer & Singer 2001."""
    y, y_hat = alike(y, y_hat, "categorical_hinge")
    right, wrong = jnp.sum(y * y_hat, axis=-1), jnp.max((1 - y) * y_hat, axis=-1)
    return jnp.maximum(1 + wrong - right, 0)


def _margins(y: Array, y_hat: Array, who: str) -> Array:
    y, y_hat = alike(y, y_hat, who)
    return jnp.maximum(1 - jnp.where(y == 0, -1, y) * y_hat, 0)


# ---- distributions ----


def kl_divergence(y: Array, y_hat: Array) -> Array:
    """sum(y log(y / y_hat)) over the last axis, both kept within [1e-7, 1]; in nats. Source: Kullback & Leibler 1951."""
    y, y_hat = alike(y, y_hat, "kl_divergence")
    y, y_hat = jnp.clip(y, EPSILON, 1), jnp.clip(y_hat, EPSILON, 1)
    return jnp.sum(y * jnp.log(y / y_hat), axis=-1)


def poisson(y: Array, y_hat: Array) -> Array:
    """mean(y_hat - y log(y_hat + 1e-7)) over the last axis: a count's likelihood, but for log(y!), which no weight moves."""
    y, y_hat = alike(y, y_hat, "poisson")
    return jnp.mean(y_hat - y * jnp.log(y_hat + EPSILON), axis=-1)


# ---- Keras's other names for the same ----

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
logcosh = log_cosh
cosine = cosine_proximity = cosine_similarity
kullback_leibler_divergence = kld = KLD = kl_divergence
