"""Normalization of each row by itself: the same in training and evaluation, and for any batch size."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jax import lax

from jaxseq.core.layer import Layer
from jaxseq.core.precision import widened
from jaxseq.core.require import positive_int, require
from jaxseq.core.types import Array


class _ByAxes(Layer):
    """What normalizing along the axes `axis` has in common."""

    axis: Any = -1

    autocast: ClassVar[bool] = False

    def __post_init__(self):
        if isinstance(self.axis, list):
            object.__setattr__(self, "axis", tuple(self.axis))
        require(all(hasattr(each, "__index__") and not isinstance(each, bool) for each in self._given()),
                f"{type(self).__name__}(axis={self.axis!r}): write the number of an axis, or a tuple of them.")

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The axes to normalize along, counted from 0; ValueError for one that is not there."""
        require(all(-len(shape) <= each < len(shape) for each in self._given()), f"{type(self).__name__}(axis={self.axis}) "
                f"needs x with such an axis, got {shape}.")
        return tuple(sorted(each % len(shape) for each in self._given()))

    def _given(self) -> tuple[int, ...]:
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)


class LayerNormalization(_ByAxes):
    """Normalizes each row by its own features: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance (the biased one) are taken along `axis`, in float32 at least.

    Shapes: x (batch, ...) -> y of the same shape. Params: gamma, ones, and beta, zeros, of the lengths of x along `axis`;
        either is absent without scale, without center. State: none.
    Raises: ValueError for an axis that x does not have, and for an epsilon below 0.
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
        axes = self.axes(x.shape)
        along = tuple(size if axis in axes else 1 for axis, size in enumerate(x.shape))
        return scaled(standardized(widened(x), axes, self.epsilon), params, along).astype(x.dtype), state


class GroupNormalization(Layer):
    """Cuts the channels of each row into groups and normalizes each: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    Mean and variance are those of all elements of a group, in float32 at least.

    Shapes: x (batch, ...) with the channels along `axis` -> y of the same shape.
    Params: gamma (channels,), ones; beta (channels,), zeros; absent without scale, without center. State: none.
    groups: how many; -1: one for each channel.
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
        cut = last.reshape(x.shape[0], -1, groups, channels // groups)
        y = standardized(cut, (1, 3), self.epsilon).reshape(last.shape)
        return jnp.moveaxis(scaled(y, params, (channels,)), -1, self.axis).astype(x.dtype), state

    def _channels(self, shape: tuple[int, ...]) -> int:
        usable = -len(shape) < self.axis < len(shape) and self.axis != 0
        require(usable, f"GroupNormalization(axis={self.axis}) needs x with such an axis, and not the batch axis, got {shape}.")
        channels = shape[self.axis]
        require(channels % self.groups == 0, f"GroupNormalization(groups={self.groups}) cannot cut {channels} channels into "
                f"groups of one size. Write groups as a divisor of {channels}.")
        return channels


class RMSNormalization(_ByAxes):
    """Divides each row by the root of its mean square: y = scale * x / sqrt(mean(x^2) + epsilon).

    Shapes: x (batch, ...) -> y of the same shape. Params: scale, ones, of the lengths of x along `axis`. State: none.
    Raises: ValueError for an axis that x does not have, and for an epsilon below 0.
    Source: Zhang & Sennrich 2019; as keras.layers.RMSNormalization.
    """

    epsilon: float = 1e-6

    def __post_init__(self):
        super().__post_init__()
        require_epsilon(self)

    def init(self, key, x):
        return {"scale": jnp.ones(tuple(x.shape[axis] for axis in self.axes(x.shape)), self.variable_dtype)}, {}

    def apply(self, params, state, x, ctx):
        axes, wide = self.axes(x.shape), widened(x)
        factor = lax.rsqrt(jnp.mean(jnp.square(wide), axes, keepdims=True) + self.epsilon)
        along = tuple(size if axis in axes else 1 for axis, size in enumerate(x.shape))
        return (wide * factor * params["scale"].astype(wide.dtype).reshape(along)).astype(x.dtype), state


class UnitNormalization(_ByAxes):
    """Divides each row by its length: y = x / sqrt(max(sum(x^2), 1e-12)), along `axis`.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    Raises: ValueError for an axis that x does not have.
    Source: as keras.layers.UnitNormalization.
    """

    SMALLEST: ClassVar[float] = 1e-12

    def apply(self, params, state, x, ctx):
        wide = widened(x)
        square = jnp.sum(jnp.square(wide), self.axes(x.shape), keepdims=True)
        return (wide * lax.rsqrt(jnp.maximum(square, self.SMALLEST))).astype(x.dtype), state


# ---- what they share


def require_epsilon(layer: Any) -> None:
    """ValueError for an epsilon below 0."""
    require(layer.epsilon >= 0, f"{type(layer).__name__}(epsilon={layer.epsilon!r}): write a number of at least 0.")


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
