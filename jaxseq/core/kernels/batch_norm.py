"""Batch normalization with a gradient of its own: two sums over the batch, where automatic differentiation makes five."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.rows import sum_of_rows
from jaxseq.core.precision import floating, wide_dtype, widened
from jaxseq.core.types import Array


def batch_norm(x: Array, gamma: Array, beta: Array, epsilon: Any, axis: int = -1,
               mask: Array | None = None) -> tuple[Array, Array, Array]:
    """(y, mean, variance), y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, in at least float32.

    Mean and variance are those of the n real elements along every axis but `axis`; variance = sum (x - mean)^2 / n, the
    biased one, in two passes, for E[x^2] - E[x]^2 would cancel. Where a mask leaves nothing real, both are 0.

    Shapes: x (batch, ...); gamma, beta (x.shape[axis],); epsilon (); mask (batch, time) bool, or any other shape that x begins
        with, True = a real element -> y like x, float32 for whole numbers; mean, variance (x.shape[axis],).

    With s = sqrt(variance + epsilon), z = (x - mean) / s, and sums over all elements of a feature,

        dbeta = sum dy,   dgamma = sum dy * z,   dx = gamma / s * dy + (dmean + 2 (x - mean) dvariance
                                                                       - gamma / s * (dbeta + z * dgamma)) / n,

    the latter without what is divided by n where x is not real; and the gradient by epsilon.
    It can be differentiated in reverse mode any number of times; jax.jvp raises TypeError.
    Source: Ioffe & Szegedy 2015.
    """
    x = floating(x)
    real = None if mask is None else jnp.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape)
    x, real = jax.tree.map(lambda each: jnp.moveaxis(each, axis, -1), (x, real))
    wide = wide_dtype(x.dtype)
    y, mean, variance = _normalized(x, *(jnp.asarray(part, wide) for part in (gamma, beta, epsilon)), real)
    return jnp.moveaxis(y, -1, axis), mean, variance


@jax.custom_vjp
def _normalized(x, gamma, beta, epsilon, real):
    return _forward(x, gamma, beta, epsilon, real)[0]


def _forward(x, gamma, beta, epsilon, real):
    wide = widened(x)
    of_real = lambda values: values if real is None else jnp.where(real, values, 0)
    count = (jnp.asarray(math.prod(x.shape[:-1]), wide.dtype) if real is None
             else jnp.maximum(sum_of_rows(real.astype(wide.dtype)), 1))
    mean = sum_of_rows(of_real(wide)) / count
    variance = sum_of_rows(of_real(jnp.square(wide - mean))) / count
    factor = lax.rsqrt(variance + epsilon)
    y = (wide - mean) * (gamma * factor) + beta
    return (y.astype(x.dtype), mean, variance), (x, gamma, mean, factor, real, count)


def _backward(saved, cotangents):
    x, gamma, mean, factor, real, count = saved
    dy, d_mean, d_variance = cotangents
    dy, centered = widened(dy), widened(x) - mean
    by_beta, by_gamma = sum_of_rows(dy), factor * sum_of_rows(dy * centered)
    slope = gamma * factor
    by_moments = (d_mean - slope * by_beta + centered * (2 * d_variance - slope * factor * by_gamma)) / count
    dx = slope * dy + (by_moments if real is None else jnp.where(real, by_moments, 0))
    by_epsilon = -jnp.sum(slope * factor * by_gamma) / 2
    return dx.astype(x.dtype), by_gamma, by_beta, by_epsilon, None


_normalized.defvjp(_forward, _backward)
