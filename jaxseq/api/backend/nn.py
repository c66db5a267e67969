"""Activations and cross-entropies on plain arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.api.backend.inputs import Axis, alike, array, axis_tuple, real
from jaxseq.core import activations, crossentropy
from jaxseq.core.precision import as_given, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "elu", "hard_sigmoid", "in_top_k", "l2_normalize", "relu",
    "sigmoid", "softmax", "softplus", "softsign", "sparse_categorical_crossentropy", "tanh",
]


# Activations -------------------------------------------------------------------------------------------------------

def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Array:
    """x above the threshold, at most max_value; alpha * (x - threshold) below it. See jaxseq.activations.relu."""
    return activations.relu(real(x), alpha, max_value, threshold)


def elu(x: Any, alpha: float = 1.0) -> Array:
    """x above 0, alpha * (exp(x) - 1) below. Source: Clevert et al. 2016, arXiv:1511.07289."""
    return jax.nn.elu(real(x), alpha)


def sigmoid(x: Any) -> Array:
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(real(x))


def hard_sigmoid(x: Any) -> Array:
    """0.2 * x + 0.5, kept between 0 and 1, as in Keras 2; Keras 3 has x / 6 + 0.5."""
    return activations.hard_sigmoid_keras2(real(x))


def tanh(x: Any) -> Array:
    """The hyperbolic tangent."""
    return jnp.tanh(real(x))


def softplus(x: Any) -> Array:
    """log(1 + exp(x)), without overflow."""
    return jax.nn.softplus(real(x))


def softsign(x: Any) -> Array:
    """x / (1 + |x|)."""
    return jax.nn.soft_sign(real(x))


def softmax(x: Any, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along an axis, without overflow."""
    return jax.nn.softmax(real(x), axis)


def l2_normalize(x: Any, axis: Axis = None) -> Array:
    """x / sqrt(max(sum(x**2), 1e-12)) along some axes, or all: vectors of length 1, zeros where x is all zeros."""
    x = real(x)
    wide = widened(x)
    return as_given(wide * lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(wide), axis_tuple(axis), keepdims=True), 1e-12)), x)


# Cross-entropies ---------------------------------------------------------------------------------------------------

def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Array:
    """-sum(target * log(p)), in nats.

    p is softmax(output) from logits, else output made to sum to 1 and clipped to [1e-7, 1 - 1e-7].
    Shapes: target and output (..., classes) -> (...).
    The clipped form stops at 16.118 and has no gradient there, as in Keras; from logits it has neither limit.
    Raises: ValueError when the shapes differ.
    """
    target, output = _floats(target, output)
    require(target.shape == output.shape, f"K.categorical_crossentropy wants one-hot target of the shape of output, "
            f"{output.shape}; got {target.shape}. Write K.sparse_categorical_crossentropy(target, output) for integer "
            f"classes, or K.one_hot(target, num_classes).")
    return as_given(crossentropy.categorical_crossentropy(target, output, from_logits, axis=axis), output)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Array:
    """-log(p[target]), in nats, with p as in categorical_crossentropy.

    Shapes: target (...) or (..., 1), whole numbers from 0 to classes - 1; output (..., classes) -> (...).
    A class out of range gives nan, so that it shows; Keras 3 on JAX gives a loss of 0.
    Raises: ValueError when the shapes do not fit.
    """
    output, ids = real(output), array(target).astype(jnp.int32)
    one = (*output.shape[:axis % output.ndim], 1, *output.shape[axis % output.ndim + 1:])
    fits = ids.shape == one or jnp.expand_dims(ids, axis).shape == one
    require(fits, f"K.sparse_categorical_crossentropy wants target of the shape of output {output.shape} without axis "
            f"{axis}; got {ids.shape}. For one-hot target write K.categorical_crossentropy(target, output).")
    ids = jnp.squeeze(ids.reshape(one), axis)
    return as_given(crossentropy.sparse_categorical_crossentropy(ids, output, from_logits, axis=axis), output)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Array:
    """-target * log(p) - (1 - target) * log(1 - p), in nats.

    p is sigmoid(output) from logits, else output clipped to [1e-7, 1 - 1e-7].
    Shapes: target and output (...) -> (...): one number per element; take K.mean(..., axis=-1) for one per example.
    Raises: ValueError when the shapes differ.
    """
    target, output = _floats(target, output)
    require(target.shape == output.shape, f"K.binary_crossentropy wants target of the shape of output, {output.shape}; "
            f"got {target.shape}. Write K.reshape(target, K.shape(output)).")
    alone = crossentropy.binary_crossentropy(target[..., None], output[..., None], from_logits)     # the mean of one label
    return as_given(alone, output)


def in_top_k(predictions: Any, targets: Any, k: int) -> Array:
    """Whether fewer than k classes are predicted above the target: bool; ties count as hits.

    Shapes: predictions (..., classes), targets (...) -> (...). A target out of range, or a row with nan, is no hit.
    """
    scores, ids = array(predictions), array(targets).astype(jnp.int32)
    classes = scores.shape[-1]
    require(ids.shape == scores.shape[:-1], f"K.in_top_k wants targets of the shape of predictions {scores.shape} "
            f"without the last axis; got {ids.shape}. For targets (n, 1) write K.flatten(targets).")
    known = (ids >= 0) & (ids < classes)
    own = jnp.take_along_axis(scores, jnp.where(known, ids, 0)[..., None], -1)
    above = jnp.sum(scores > own, -1)
    return known & (above < k) & ~jnp.any(jnp.isnan(scores), -1)


def _floats(target: Any, output: Any) -> tuple[Array, Array]:
    target, output = alike(target, real(output))
    return target, output
