"""Random numbers, as pure functions of a seed.

Keras draws from a generator that all of a program shares. jaxseq has none, so `seed` must be given: an int, or a JAX
key. The same seed gives the same numbers at every call; for new ones in every step, write a layer and pass the key that
the step brings: `seed=ctx.key` in its `apply`, `seed=self.draw_key()` in the `call` of a layer in Keras's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.api.backend.dtypes import resolve
from jaxseq.api.backend.inputs import real
from jaxseq.core.require import require
from jaxseq.core.rng import keep, root_key
from jaxseq.core.types import Array, Key

__all__ = ["dropout", "random_binomial", "random_normal", "random_uniform", "truncated_normal"]

Seed = int | Key | None


def random_normal(shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
                  seed: Seed = None) -> Array:
    """mean + stddev * z, with z of the standard normal distribution.

    Raises: ValueError without a seed; Keras then takes its global generator.
    """
    return mean + stddev * jax.random.normal(_key("random_normal", seed), tuple(shape), resolve(dtype))


def random_uniform(shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: Any = None,
                   seed: Seed = None) -> Array:
    """Every number from minval on and below maxval alike; whole numbers for an integer dtype.

    Raises: ValueError without a seed; Keras then takes its global generator.
    """
    key, wanted = _key("random_uniform", seed), resolve(dtype)
    if jnp.issubdtype(wanted, jnp.integer):
        return jax.random.randint(key, tuple(shape), int(minval), int(maxval), wanted)
    return jax.random.uniform(key, tuple(shape), wanted, minval, maxval)


def random_binomial(shape: Sequence[int], p: float = 0.0, dtype: Any = None, seed: Seed = None) -> Array:
    """1 with probability p, else 0.

    Raises: ValueError without a seed; Keras then takes its global generator.
    """
    return jax.random.bernoulli(_key("random_binomial", seed), p, tuple(shape)).astype(resolve(dtype))


def truncated_normal(shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None,
                     seed: Seed = None) -> Array:
    """mean + stddev * z, with z of the standard normal distribution, drawn again outside [-2, 2].

    Raises: ValueError without a seed; Keras then takes its global generator.
    """
    key = _key("truncated_normal", seed)
    return mean + stddev * jax.random.truncated_normal(key, -2, 2, tuple(shape), resolve(dtype))


def dropout(x: Any, level: float, noise_shape: Sequence[int] | None = None, seed: Seed = None) -> Array:
    """x / (1 - level), with each element set to 0 with probability `level`.

    noise_shape: the shape of the draw, 1 where elements share one. Source: Srivastava et al. 2014.
    Raises: ValueError without a seed, or for a level outside [0, 1).
    """
    x = real(x)
    require(0 <= level < 1, f"K.dropout(level={level!r}): write a number from 0 on and below 1.")
    kept = keep(_key("dropout", seed), level, x.shape if noise_shape is None else tuple(noise_shape))
    return jnp.where(kept, x / (1 - level), 0)


def _key(function: str, seed: Seed) -> Key:
    if seed is None:
        raise ValueError(f"K.{function} needs seed=: there is no global generator to draw from. Write seed=0 for the "
                         "same numbers at every call; for new ones in every step, seed=ctx.key in a layer's apply, or "
                         "seed=self.draw_key() in its call.")
    return root_key(seed)
