"""What normalizations share: gamma, beta and epsilon, and how they act."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core.declared import number
from jaxseq.core.kernels.rows import add_to_rows, scale_rows
from jaxseq.core.types import Array

Operations = tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]        # x times gamma, x plus beta


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


def scaled(x: Array, params: Any, operations: Operations) -> Array:
    """gamma * x + beta, whichever are there, by these operations."""
    multiply, add = operations
    if "gamma" in params:
        x = multiply(x, params["gamma"].astype(x.dtype))
    return add(x, params["beta"].astype(x.dtype)) if "beta" in params else x


def of_rows(train: bool) -> Operations:
    """How gamma and beta (n,) act along the last axis: in training with a gradient that is quicker, and has no forward mode."""
    return (scale_rows, add_to_rows) if train else (operator.mul, operator.add)


def along(shape: tuple[int, ...]) -> Operations:
    """How gamma and beta act that lie in this shape against x."""
    return lambda x, gamma: x * gamma.reshape(shape), lambda x, beta: x + beta.reshape(shape)
