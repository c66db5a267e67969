"""Targets and predictions brought together: what losses and metrics ask of (y, y_hat) before they measure."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core.precision import widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

EPSILON = 1e-7      # probabilities are kept this far from 0 and 1, as in Keras


def arrays(y: Any, y_hat: Any) -> tuple[Array, Array]:
    """(y, y_hat), lists and NumPy arrays as JAX has them; JAX's own are left as they are."""
    return tuple(each if isinstance(each, jax.Array) else jnp.asarray(each) for each in (y, y_hat))  # type: ignore[return-value]


def alike(y: Array, y_hat: Array, who: str) -> tuple[Array, Array]:
    """(y, y_hat) in one dtype, float32 at least, once their shapes agree."""
    y, y_hat = arrays(y, y_hat)
    require(y.shape == y_hat.shape, f"{who} wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    y_hat = widened(y_hat)
    return y.astype(y_hat.dtype), y_hat


def class_ids(y: Array, y_hat: Array, who: str = "sparse_categorical_crossentropy") -> Array:
    """Integer labels as int32 of y_hat's shape without its last axis; a trailing axis of length 1 is dropped."""
    y, y_hat = arrays(y, y_hat)
    if y.ndim == y_hat.ndim and y.shape[-1] == 1:
        y = y[..., 0]
    require(y.shape == y_hat.shape[:-1], f"{who} wants one integer per prediction, y {y_hat.shape[:-1]}; got y {y.shape} for "
            f"predictions {y_hat.shape}. For one-hot y write " + (
                "loss='categorical_crossentropy'." if "crossentropy" in who else who.removeprefix("sparse_") + "."))
    return y.astype(jnp.int32)


def at(values: Array, ids: Array) -> Array:
    """values[..., ids]; a label outside the classes gives NaN, never a neighbour's value."""
    ids = jnp.where(ids < 0, values.shape[-1], ids)[..., None]      # else -1 would be the last class, as in NumPy
    return jnp.take_along_axis(values, ids, axis=-1, mode="fill", fill_value=jnp.nan)[..., 0]


def unit(x: Array, axis: int) -> Array:
    """x / |x| along `axis`. A vector shorter than 1e-7 is divided by that, so 0 stays 0, and its gradient is finite."""
    squares = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squares, EPSILON**2))
