"""What normalizations share: gamma, beta and epsilon, and how they act."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core.declared import number
from jaxseq.core.kernels.rows import add_to_rows, scale_rows
from jaxseq.core.types import Array


def require_epsilon(layer: Any) -> None:
    """ValueError for an epsilon below 0."""
    number(type(layer).__name__, "epsilon", layer.epsilon, least=0)


def gamma_and_beta(layer: Any, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The weights that the layer's `scale` and `center` ask for."""
    wanted = {"gamma": layer.scale, "beta": layer.center}
    return {weight: shape for weight, present in wanted.items() if present}


def standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """(x - mean) / sqrt(variance + epsilon) along `axes`."""
    centered = x - jnp.mean(x, axes, keepdims=True)
    return centered * lax.rsqrt(jnp.mean(jnp.square(centered), axes, keepdims=True) + epsilon)


def scaled(x: Array, params: Any, along: tuple[int, ...]) -> Array:
    """gamma * x + beta, whichever are there; `along` is their shape against x."""
    if "gamma" in params:
        x = x * params["gamma"].astype(x.dtype).reshape(along)
    return x + params["beta"].astype(x.dtype).reshape(along) if "beta" in params else x


def scaled_rows(x: Array, params: Any) -> Array:
    """`scaled` along the last axis, in training: its gradient is quicker, and has no forward mode."""
    if "gamma" in params:
        x = scale_rows(x, params["gamma"].astype(x.dtype))
    return add_to_rows(x, params["beta"].astype(x.dtype)) if "beta" in params else x
