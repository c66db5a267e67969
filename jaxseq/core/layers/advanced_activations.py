"""Activations with parameters of their own, as layers."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core import activations
from jaxseq.core.axes import as_axis, axes_of
from jaxseq.core.declared import number
from jaxseq.core.last_activation import Function
from jaxseq.core.layer import Layer
from jaxseq.core.layers.identity import Identity
from jaxseq.core.precision import floating
from jaxseq.core.require import require


class ReLU(Function):
    """y = x from `threshold` on, negative_slope * (x - threshold) below it, and never more than `max_value`.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for a max_value, negative_slope or threshold below 0.
    Source: as keras.layers.ReLU.
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self):
        for argument in "max_value", "negative_slope", "threshold":
            if getattr(self, argument) is not None or argument != "max_value":
                number("ReLU", argument, getattr(self, argument), least=0)

    def apply(self, params, state, x, ctx):
        x = floating(x)
        y = jnp.where(x >= self.threshold, x, self.negative_slope * (x - self.threshold)).astype(x.dtype)
        return y if self.max_value is None else jnp.minimum(y, jnp.asarray(self.max_value, x.dtype)), state


class LeakyReLU(Function):
    """y = x where x >= 0, negative_slope * x elsewhere.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    alpha: Keras 2's word for negative_slope.
    Raises: ValueError for a negative_slope that is not a number.
    Source: Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """

    negative_slope: float = 0.3
    alpha: float | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self):
        if self.alpha is not None:
            object.__setattr__(self, "negative_slope", self.alpha)
            object.__setattr__(self, "alpha", None)
        number("LeakyReLU", "negative_slope", self.negative_slope)

    def apply(self, params, state, x, ctx):
        x = floating(x)
        return jnp.where(x >= 0, x, self.negative_slope * x).astype(x.dtype), state


class PReLU(Layer):
    """y = x where x >= 0, alpha * x elsewhere, with a learned alpha for each place.

    Shapes: x (batch, ...) -> y of the same shape.
    Params: alpha, of the shape of a row of x, with 1 along shared_axes (counted from 1, after the batch); zeros. State: none.
    Raises: ValueError for a shared axis that x does not have.
    Source: He et al. 2015, "Delving deep into rectifiers".
    """

    alpha_initializer: Any = "zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None
    shared_axes: Any = None

    def __post_init__(self):
        axes = self.shared_axes
        if axes is not None:
            axes = tuple(axes) if isinstance(axes, tuple | list) else (axes,)
            require(all(hasattr(each, "__index__") and each >= 1 for each in axes), f"PReLU(shared_axes={self.shared_axes!r}): "
                    "write the axes along which alpha is shared, counted from 1: shared_axes=(1, 2).")
            object.__setattr__(self, "shared_axes", axes)

    def init(self, key, x):
        shared = self.shared_axes or ()
        require(all(each < len(x.shape) for each in shared), f"PReLU(shared_axes={self.shared_axes}) shares an axis that x "
                f"{x.shape} does not have.")
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(x.shape[1:], start=1))
        return self.draw(key, {"alpha": shape}), {}

    def apply(self, params, state, x, ctx):
        x = floating(x)
        return jnp.where(x >= 0, x, params["alpha"] * x).astype(x.dtype), state


class ELU(Function):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for an alpha that is not a number.
    Source: Clevert et al. 2016.
    """

    alpha: float = 1.0

    def __post_init__(self):
        number("ELU", "alpha", self.alpha)

    def apply(self, params, state, x, ctx):
        return jax.nn.elu(floating(x), self.alpha), state


class ThresholdedReLU(Function):
    """y = x where x > theta, 0 elsewhere.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for a theta below 0.
    Source: Konda et al. 2015; as keras.layers.ThresholdedReLU of Keras 2 (Keras 3 has none).
    """

    theta: float = 1.0

    def __post_init__(self):
        number("ThresholdedReLU", "theta", self.theta, least=0)

    def apply(self, params, state, x, ctx):
        x = floating(x)
        return jnp.where(x > self.theta, x, jnp.zeros((), x.dtype)), state


class Softmax(Function):
    """y = exp(x) / sum(exp(x)) along an axis, or several.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for an axis that x does not have or that is the batch axis.
    """

    axis: Any = -1

    def __post_init__(self):
        object.__setattr__(self, "axis", as_axis("Softmax", self.axis))

    def apply(self, params, state, x, ctx):
        return jax.nn.softmax(floating(x), axis=axes_of("Softmax", self.axis, x.shape)), state

    def without_activation(self):
        return (Identity(dtype=self.dtype), activations.softmax) if self.axis == -1 else None
