"""Moments: mean and variance of the real elements, in at least float32."""

from __future__ import annotations

import jax.numpy as jnp

from jaxseq.core.precision import widened
from jaxseq.core.types import Array


def moments(x: Array, axis: int = -1, mask: Array | None = None) -> tuple[Array, Array]:
    """(mean, variance) along every axis but one: var = sum (x - mean)^2 / n, over the n real elements.

    Two passes: E[x^2] - E[x]^2 would cancel. The variance is the biased one.

    Shapes: x (batch, ...); mask (batch, time) bool, or any other shape that x begins with, True = a real element;
        -> two arrays (x.shape[axis],). Where nothing is real, both are 0.
    """
    x = widened(x)
    others = tuple(each for each in range(x.ndim) if each != axis % x.ndim)
    if mask is None:
        mean = x.mean(others, keepdims=True)
        return mean.reshape(-1), jnp.square(x - mean).mean(others)
    real = jnp.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape)
    count = jnp.maximum(real.sum(others, keepdims=True, dtype=x.dtype), 1)
    mean = x.sum(others, keepdims=True, where=real) / count
    variance = jnp.square(x - mean).sum(others, keepdims=True, where=real) / count
    return mean.reshape(-1), variance.reshape(-1)
