"""Normalization: activations brought to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
from jax import lax

from jaxseq.core.axes import axes_of
from jaxseq.core.declared import number
from jaxseq.core.kernels.batch_norm import batch_norm
from jaxseq.core.layer import Layer
from jaxseq.core.normalizing import gamma_and_beta, require_epsilon
from jaxseq.core.precision import as_given, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx


class BatchNormalization(Layer):
    """Normalizes each feature: y = gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    In training mean and variance are those of the batch, over every axis but `axis`, and moving ones follow them,
    moving <- momentum * moving + (1 - momentum) * batch, which serve in evaluation and with trainable=False.

    Shapes: x (batch, ...) -> y of the same shape. Masked steps do not count in the statistics of a mask (batch, time).
    Params: gamma (features,), ones; beta (features,), zeros. Either is absent without scale, without center.
    State: moving_mean (features,), zeros; moving_variance (features,), ones. All is computed in float32 at least.
    Gradients: in training in reverse mode, where jax.jvp and jax.jacfwd raise TypeError, and in both over that (jax.hessian).
    Raises: ValueError for an axis that x does not have or that is the batch axis, and for numbers out of range.
    Source: Ioffe & Szegedy 2015; numbers of Keras 3, whose variance is the biased one (Keras 2 moves by the unbiased).
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    moving_mean_initializer: Any = "zeros"
    moving_variance_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    autocast: ClassVar[bool] = False
    statistics: ClassVar[tuple[str, ...]] = ("moving_mean", "moving_variance")

    def __post_init__(self):
        whole = hasattr(self.axis, "__index__") and not isinstance(self.axis, bool)
        require(whole and self.axis != 0, f"BatchNormalization(axis={self.axis!r}): write the number of the axis that "
                "holds the features: -1 for the last, 1 for channels first.")
        number("BatchNormalization", "momentum", self.momentum, 0, 1)
        require_epsilon(self)

    def init(self, key, x):
        shape = (x.shape[axes_of("BatchNormalization", self.axis, x.shape)[0]],)
        params = self.draw(key, gamma_and_beta(self, shape))
        return params, self.draw(key, {"moving_mean": shape, "moving_variance": shape})

    def by_row(self, train):
        return not train and super().by_row(train)          # the moments are those of the batch

    def apply(self, params, state, x, ctx):
        gamma = params["gamma"] if self.scale else jnp.ones_like(state["moving_variance"])
        beta = params["beta"] if self.center else jnp.zeros_like(state["moving_mean"])
        if not (ctx.train and self.trainable):
            return self._as_moved(state, x, gamma, beta), state
        y, mean, variance = batch_norm(x, gamma, beta, self.epsilon, self.axis, _fitting(ctx, x))
        return y, self._moved(state, mean, variance)

    def _as_moved(self, state, x: Array, gamma: Array, beta: Array) -> Array:
        """y by the moving statistics."""
        along = [1] * x.ndim
        along[self.axis] = -1
        wide = widened(x)
        factor = lax.rsqrt(widened(state["moving_variance"]) + self.epsilon)
        factor = factor * gamma.astype(factor.dtype)
        mean, factor, beta = (each.astype(wide.dtype).reshape(along) for each in (state["moving_mean"], factor, beta))
        return as_given((wide - mean) * factor + beta, x)

    def _moved(self, state, mean: Array, variance: Array) -> dict[str, Array]:
        """The moving statistics a step further. They are read by no loss, so no gradient flows into them."""
        def follow(old, batch):
            return self.momentum * old + (1 - self.momentum) * lax.stop_gradient(batch).astype(old.dtype)

        return {**state, "moving_mean": follow(state["moving_mean"], mean),
                "moving_variance": follow(state["moving_variance"], variance)}


def _fitting(ctx: Ctx, x: Array) -> Array | None:
    """The mask, if x has its two axes and one of features besides."""
    fits = ctx.mask is not None and x.ndim >= 3 and ctx.mask.shape == x.shape[:2]
    return ctx.mask if fits else None
