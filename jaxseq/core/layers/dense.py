"""Dense: a learned matrix."""

from __future__ import annotations

from typing import Any

from jaxseq.core import activations
from jaxseq.core.kernels.product import product
from jaxseq.core.kernels.rows import add_to_rows
from jaxseq.core.last_activation import taken_off
from jaxseq.core.layer import Layer
from jaxseq.core.precision import floating
from jaxseq.core.require import positive_int, require


class Dense(Layer):
    """Multiplies the last axis by a learned matrix: y = activation(x @ kernel + bias).

    Shapes: x (batch, ..., fan_in) -> y (batch, ..., units).
    Params: kernel (fan_in, units), Glorot-uniform; bias (units,), zeros. State: none.
    Raises: ValueError when units < 1, or when x has no feature axis.
    Gradients: in training in reverse mode, where jax.jvp and jax.jacfwd raise TypeError, and in both over that (jax.hessian).
    Source: Glorot & Bengio 2010 (kernel); layout and defaults of keras.layers.Dense.
    """

    units: int
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self):
        positive_int("Dense(units)", self.units)

    def init(self, key, x):
        require(len(x.shape) >= 2, f"Dense needs x (batch, features), got {x.shape}. Put Flatten() before it, or pass "
                "x[:, None].")
        weights = {"kernel": (x.shape[-1], self.units), "bias": (self.units,)}
        return self.draw(key, weights if self.use_bias else {"kernel": weights["kernel"]}), {}

    def apply(self, params, state, x, ctx):
        x = floating(x, params["kernel"].dtype)
        rows = x.reshape(-1, x.shape[-1])           # XLA:CPU runs gradients of products with two batch axes at half speed
        y = product(rows, params["kernel"]) if ctx.train else rows @ params["kernel"]       # which jax.jvp goes through
        y = y.reshape(*x.shape[:-1], self.units)
        if self.use_bias:
            y = add_to_rows(y, params["bias"]) if ctx.train else y + params["bias"]
        return activations.get(self.activation)(y), state

    def without_activation(self):
        return taken_off(self)
