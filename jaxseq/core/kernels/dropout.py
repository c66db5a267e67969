"""Dropout as a plain function, and what every layer that drops needs besides."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core import rng
from jaxseq.core.declared import is_number
from jaxseq.core.kernels.order import always
from jaxseq.core.precision import floating
from jaxseq.core.require import require
from jaxseq.core.types import Array, Key


def dropped(x: Array, key: Key, rate: float, shape: tuple[int, ...]) -> Array:
    """Inverted dropout: y = x * kept / (1 - rate), one draw for each element of `shape`, which broadcasts against x."""
    x = floating(x)
    scale = jnp.asarray(1 / (1 - rate), x.dtype)
    kept = drawn_once(key, lambda key: rng.keep(key, rate, shape))
    return jnp.where(kept, x * scale, jnp.zeros((), x.dtype))


def drawn_once(key: Key, draw: Callable[[Key], Array]) -> Array:
    """draw(key), and not again in the backward pass.

    XLA:CPU fuses the draw into everything that uses it, so that the bits are hashed in the forward pass and again in
    the backward pass; it drops optimization barriers before it fuses. What a branch gives, it does not fuse: here the
    branch is always taken, which the compiler cannot know.
    """
    def plain(words: Array) -> Array:
        return draw(jax.random.wrap_key_data(words, impl="threefry2x32"))

    def once(words: Array) -> Array:
        like = jax.eval_shape(plain, words)
        return lax.cond(always(words), plain, lambda _: jnp.zeros(like.shape, like.dtype), words)

    return lax.platform_dependent(jax.random.key_data(key), cpu=once, default=plain)


def noise_shape(wanted: tuple[int | None, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a layer's draw: that of x, or `wanted` with x's own length where it says None."""
    if wanted is None:
        return shape
    require(len(wanted) == len(shape), f"noise_shape {wanted} must have one entry per axis of x {shape}.")
    return tuple(size if each is None else each for size, each in zip(shape, wanted, strict=True))


def check_rate(name: str, rate: float, argument: str = "rate") -> None:
    """ValueError unless 0 <= rate < 1: at 1 nothing would be left."""
    require(is_number(rate) and 0 <= rate < 1, f"{name}({argument}={rate!r}): write a number from 0 up to, and without, 1.")


def own_key(key: Key | None, seed: int | None) -> Key:
    """The layer's key, set apart by the user's own seed where there is one; a ValueError where there is no key."""
    if key is None:
        raise ValueError("A layer that drops draws at random in training, so it needs a key: apply(..., train=True, "
                         "key=jax.random.key(0)).")
    return key if seed is None else rng.fold_in(key, seed)
