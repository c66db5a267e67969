"""Normalization of each row by itself: the same in training and evaluation, and for any batch size."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import lax

from jaxseq.core.axes import as_axis, axes_of
from jaxseq.core.layer import Layer
from jaxseq.core.normalizing import along, gamma_and_beta, of_rows, require_epsilon, scaled, standardized
from jaxseq.core.precision import as_given, widened
from jaxseq.core.require import positive_int, require
from jaxseq.core.types import Array


class _ByAxes(Layer):
    """What normalizing along the axes `axis` has in common."""

    axis: Any = -1

    autocast: ClassVar[bool] = False

    def __post_init__(self):
        object.__setattr__(self, "axis", as_axis(type(self).__name__, self.axis))

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The axes to normalize along, counted from 0; ValueError for one that is not there."""
        return axes_of(type(self).__name__, self.axis, shape)

    def scaled(self, y: Array, params: Any, train: bool) -> Array:
        """gamma * y + beta, whichever are there, along these axes."""
        own = self.axes(y.shape)
        if own == (y.ndim - 1,):
            return scaled(y, params, of_rows(train))
        return scaled(y, params, along(tuple(size if axis in own else 1 for axis, size in enumerate(y.shape))))


class LayerNormalization(_ByAxes):
    """Normalizes each row by its own features: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance (the biased one) are taken along `axis`, in float32 at least.

    Shapes: x (batch, ...) -> y of the same shape. Params: gamma, ones, and beta, zeros, of the lengths of x along `axis`;
        either is absent without scale, without center. State: none.
    Gradients: in training in reverse mode, where jax.jvp and jax.jacfwd raise TypeError, and in both over that (jax.hessian).
    Raises: ValueError for an axis that x does not have or that is the batch axis, and for an epsilon below 0.
    Source: Ba et al. 2016; as keras.layers.LayerNormalization.
    """

    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    def __post_init__(self):
        super().__post_init__()
        require_epsilon(self)

    def init(self, key, x):
        shape = tuple(x.shape[axis] for axis in self.axes(x.shape))
        return self.draw(key, gamma_and_beta(self, shape)), {}

    def apply(self, params, state, x, ctx):
        y = standardized(widened(x), self.axes(x.shape), self.epsilon)
        return as_given(self.scaled(y, params, ctx.train), x), state


class GroupNormalization(Layer):
    """Cuts the channels of each row into groups and normalizes each: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance are those of all elements of a group, in float32 at least.

    Shapes: x (batch, ...) with the channels along `axis` -> y of the same shape.
    Params: gamma (channels,), ones; beta (channels,), zeros; absent without scale, without center. State: none.
    groups: how many; -1: one for each channel.
    Gradients: in training in reverse mode, where jax.jvp and jax.jacfwd raise TypeError, and in both over that (jax.hessian).
    Raises: ValueError when the channels cannot be cut into so many groups.
    Source: Wu & He 2018; as keras.layers.GroupNormalization.
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    autocast: ClassVar[bool] = False

    def __post_init__(self):
        if self.groups != -1:
            positive_int("GroupNormalization(groups)", self.groups)
        require_epsilon(self)

    def init(self, key, x):
        return self.draw(key, gamma_and_beta(self, (self._channels(x.shape),))), {}

    def apply(self, params, state, x, ctx):
        channels = self._channels(x.shape)
        groups = channels if self.groups == -1 else self.groups
        last = jnp.moveaxis(widened(x), self.axis, -1)
        cut = last.reshape(x.shape[0], math.prod(last.shape[1:-1]), groups, channels // groups)
        y = scaled(standardized(cut, (1, 3), self.epsilon).reshape(last.shape), params, of_rows(ctx.train))
        return as_given(jnp.moveaxis(y, -1, self.axis), x), state

    def _channels(self, shape: tuple[int, ...]) -> int:
        channels = shape[axes_of("GroupNormalization", self.axis, shape)[0]]
        require(channels % self.groups == 0, f"GroupNormalization(groups={self.groups}) cannot cut {channels} channels into "
                f"groups of one size. Write groups as a divisor of {channels}.")
        return channels


class RMSNormalization(_ByAxes):
    """Divides each row by the root of its mean square: y = scale * x / sqrt(mean(x^2) + epsilon).

    Shapes: x (batch, ...) -> y of the same shape. Params: scale, ones, of the lengths of x along `axis`. State: none.
    Gradients: in training in reverse mode, where jax.jvp and jax.jacfwd raise TypeError, and in both over that (jax.hessian).
    Raises: ValueError for an axis that x does not have or that is the batch axis, and for an epsilon below 0.
    Source: Zhang & Sennrich 2019; as keras.layers.RMSNormalization.
    """

    epsilon: float = 1e-6

    def __post_init__(self):
        super().__post_init__()
        require_epsilon(self)

    def init(self, key, x):
        return {"scale": jnp.ones(tuple(x.shape[axis] for axis in self.axes(x.shape)), self.variable_dtype)}, {}

    def apply(self, params, state, x, ctx):
        wide = widened(x)
        factor = lax.rsqrt(jnp.mean(jnp.square(wide), self.axes(x.shape), keepdims=True) + self.epsilon)
        return as_given(self.scaled(wide * factor, {"gamma": params["scale"]}, ctx.train), x), state


class UnitNormalization(_ByAxes):
    """Divides each row by its length: y = x / sqrt(max(sum(x^2), 1e-12)), along `axis`.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for an axis that x does not have or that is the batch axis.
    Source: as keras.layers.UnitNormalization.
    """

    SMALLEST: ClassVar[float] = 1e-12

    def apply(self, params, state, x, ctx):
        wide = widened(x)
        square = jnp.sum(jnp.square(wide), self.axes(x.shape), keepdims=True)
        return as_given(wide * lax.rsqrt(jnp.maximum(square, self.SMALLEST)), x), state
