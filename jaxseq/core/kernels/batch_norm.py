"""Batch normalization with a gradient of its own: two sums over the batch, where automatic differentiation makes five."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.rows import sum_of_rows
from jaxseq.core.precision import floating, wide_dtype, widened
from jaxseq.core.types import Array


def batch_norm(x: Array, gamma: Array, beta: Array, epsilon: float, axis: int = -1,
               mask: Array | None = None) -> tuple[Array, Array, Array]:
    """(y, mean, variance), y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, in at least float32.

    Mean and variance are those of the n real elements along every axis but `axis`; var = sum (x - mean)^2 / n, the biased one,
    in two passes, for E[x^2] - E[x]^2 would cancel. Where nothing is real, both are 0.

    Shapes: x (batch, ...); gamma, beta (x.shape[axis],); mask (batch, time) bool, or any other shape that x begins with,
        True = a real element -> y like x; mean, variance (x.shape[axis],).

    With z = (x - mean) / s, s = sqrt(variance + epsilon), and sums over all elements of a feature,

        dbeta = sum dy,   dgamma = sum dy * z,   dx = gamma / s * (dy - (dbeta + z * dgamma) / n),

    the last without its second part where x is not real; and what flows in through mean and variance.
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
    wide, count = widened(x), _count(x, real)
    mean = sum_of_rows(wide if real is None else jnp.where(real, wide, 0)) / count
    square = jnp.square(wide - mean)
    variance = sum_of_rows(square if real is None else jnp.where(real, square, 0)) / count
    factor = lax.rsqrt(variance + epsilon)
    y = (wide - mean) * (gamma * factor) + beta
    return (y.astype(x.dtype), mean, variance), (x, gamma, mean, factor, real)


def _backward(saved, cotangents):
    x, gamma, mean, factor, real = saved
    dy, d_mean, d_variance = cotangents
    dy, z = widened(dy), (widened(x) - mean) * factor
    by_beta, by_gamma = sum_of_rows(dy), sum_of_rows(dy * z)
    slope = gamma * factor
    by_moments = (d_mean - slope * by_beta + z * (2 * d_variance / factor - slope * by_gamma)) / _count(x, real)
    dx = slope * dy + (by_moments if real is None else jnp.where(real, by_moments, 0))
    by_epsilon = -jnp.sum(gamma * factor**2 * by_gamma) / 2
    return dx.astype(x.dtype), by_gamma, by_beta, by_epsilon, None


_normalized.defvjp(_forward, _backward)


def _count(x: Array, real: Array | None) -> Array:
    """How many elements of each feature are real, at least 1."""
    if real is None:
        return jnp.asarray(x.size // x.shape[-1], widened(x).dtype)
    return jnp.maximum(sum_of_rows(real.astype(widened(x).dtype)), 1)
