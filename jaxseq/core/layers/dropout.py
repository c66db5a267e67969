"""Dropout: zeros at random, in training only."""

from __future__ import annotations

import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.layer import Layer
from jaxseq.core.require import require
from jaxseq.core.types import Array, Key


class Dropout(Layer):
    """Zeroes each element with probability `rate` in training, and scales the rest: y = x * kept / (1 - rate).

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    noise_shape: the shape of the mask, with 1 where one draw serves a whole axis and None where x's own length stands.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer).
    Raises: ValueError for a rate outside [0, 1).
    Source: Srivastava et al. 2014. Keras 3 draws from a counter that evaluations move; nothing moves here.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self):
        check_rate("Dropout", self.rate)

    def apply(self, params, state, x, ctx):
        if not ctx.train or self.rate == 0:
            return x, state
        assert ctx.key is not None
        return dropped(x, own_key(ctx.key, self.seed), self.rate, self._noise_shape(x)), state

    def _noise_shape(self, x: Array) -> tuple[int, ...]:
        if self.noise_shape is None:
            return x.shape
        require(len(self.noise_shape) == x.ndim, f"noise_shape {self.noise_shape} must have one entry per axis of x "
                f"{x.shape}.")
        return tuple(size if each is None else each for size, each in zip(x.shape, self.noise_shape, strict=True))


def check_rate(name: str, rate: float) -> None:
    """ValueError unless 0 <= rate < 1: at 1 nothing would be left."""
    usable = isinstance(rate, int | float) and not isinstance(rate, bool) and 0 <= rate < 1
    require(usable, f"{name}(rate={rate!r}): write a number from 0 up to, and without, 1.")


def own_key(key: Key, seed: int | None) -> Key:
    """The layer's key, set apart by the user's own seed where there is one."""
    return key if seed is None else rng.fold_in(key, seed)


def dropped(x: Array, key: Key, rate: float, shape: tuple[int, ...]) -> Array:
    """Inverted dropout with one draw for each element of `shape`, which broadcasts against x."""
    scale = jnp.asarray(1 / (1 - rate), x.dtype)
    return jnp.where(rng.keep(key, rate, shape), x * scale, jnp.zeros((), x.dtype))
