"""Noise: random changes of the input, in training only."""

from __future__ import annotations

import math

import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.declared import is_zero, number
from jaxseq.core.kernels.dropout import check_rate, drawn_once, noise_shape, own_key
from jaxseq.core.layer import Layer
from jaxseq.core.precision import floating

# Where SELU(x) ends for x -> -inf: -scale * alpha, of Klambauer et al. 2017.
SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772


class GaussianNoise(Layer):
    """Adds noise to each element in training: y = x + stddev * n, n from Normal(0, 1).

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer).
    Raises: ValueError for a stddev below 0.
    Source: as keras.layers.GaussianNoise; Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """

    stddev: float
    seed: int | None = None

    def __post_init__(self):
        number("GaussianNoise", "stddev", self.stddev, least=0)

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not ctx.train or is_zero(self.stddev):
            return x, state
        noise = rng.normal(own_key(ctx.key, self.seed), x.shape)
        return x + (self.stddev * noise).astype(x.dtype), state


class GaussianDropout(Layer):
    """Multiplies each element in training by a number around 1: y = x * (1 + sqrt(rate / (1 - rate)) * n), n from Normal(0, 1).

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    rate: the probability of the Dropout whose variance this has. seed: as in GaussianNoise.
    Raises: ValueError for a rate outside [0, 1).
    Source: Srivastava et al. 2014, section 10.
    """

    rate: float
    seed: int | None = None

    def __post_init__(self):
        check_rate("GaussianDropout", self.rate)

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not ctx.train or self.rate == 0:
            return x, state
        spread = math.sqrt(self.rate / (1 - self.rate))
        factor = drawn_once(own_key(ctx.key, self.seed), lambda key: 1 + spread * rng.normal(key, x.shape))
        return x * factor.astype(x.dtype), state


class AlphaDropout(Layer):
    """Dropout that keeps mean 0 and variance 1: y = a * (x where kept, s elsewhere) + b, in training.

    s is the value at which SELU saturates, and a = ((1 - rate) (1 + rate s^2))^(-1/2), b = -a rate s.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    noise_shape, seed: as in Dropout.
    Raises: ValueError for a rate outside [0, 1).
    Source: Klambauer et al. 2017, "Self-normalizing neural networks"; for layers with SELU and lecun_normal.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self):
        check_rate("AlphaDropout", self.rate)
        if self.noise_shape is not None:
            object.__setattr__(self, "noise_shape", tuple(self.noise_shape))

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not ctx.train or self.rate == 0:
            return x, state
        shape = noise_shape(self.noise_shape, x.shape)
        kept = drawn_once(own_key(ctx.key, self.seed), lambda key: rng.keep(key, self.rate, shape))
        a = 1 / math.sqrt((1 - self.rate) * (1 + self.rate * SELU_FLOOR**2))
        b = -a * self.rate * SELU_FLOOR
        return (a * jnp.where(kept, x, jnp.asarray(SELU_FLOOR, x.dtype)) + b).astype(x.dtype), state
