"""Counted randomness: every draw is a pure function of (root key, purpose, step, layer name).

Nothing is split and nothing is consumed, so resuming at step t needs only t, and adding a layer, a callback or an
evaluation changes no draw of another. The bits are those of JAX's partitionable threefry2x32, with the rounds written
out so that XLA fuses them into what uses them (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core.require import require
from jaxseq.core.settings import Given
from jaxseq.core.types import Array, Key, Spec

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)


class Purpose(IntEnum):
    """What a stream of draws is for. The numbers are part of the reproducibility promise: never reuse one."""

    INIT = 1
    STEP = 2
    SHUFFLE = 3


def root_key(seed: int | Array) -> Key:
    """The root key of a seed: both 32-bit words of an int are used, so 2**33 and 0 differ. A JAX key is taken as it is.

    Raises: ValueError for what is no whole number in [0, 2**63), and for a key that is not one of threefry2x32.
    """
    if isinstance(seed, jax.Array | np.ndarray):
        return _as_threefry(seed)
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= int(seed) < 2**63, f"seed={seed!r}: write a whole number from 0 to 2**63 - 1, or a JAX key.")
    words = jax.device_put(np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32))      # compiles nothing
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def key_spec() -> Spec:
    """What a key looks like to jax.eval_shape, whatever JAX makes of a seed by default."""
    return jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))


def _as_threefry(key: Any) -> Key:
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        impl = str(jax.random.key_impl(key))
        require("threefry2x32" in impl and key.shape == (), f"seed is a key of {impl}, shape {key.shape}: pass one key "
                "made by jax.random.key(seed, impl='threefry2x32').")
        return key
    require(key.shape == (2,) and key.dtype == jnp.uint32, f"seed is an array {key.shape} {key.dtype}: pass an int, "
            "jax.random.key(0) or jax.random.PRNGKey(0).")
    return jax.random.wrap_key_data(jnp.asarray(key), impl="threefry2x32")


def fold_in(key: Key, data: Array | int | str) -> Key:
    """A new key from a key and a number in [0, 2**32), or a name, by its CRC-32. Equals jax.random.fold_in bit for bit.

    The barrier keeps the hash out of what is drawn with the key: XLA:CPU would write a chain of three hashes out for every use
    of their words, and compile the first weights of one small layer for three seconds.
    """
    low = data.astype(jnp.uint32) if isinstance(data, jax.Array) else jnp.uint32(_word(data))
    first, second = jax.random.key_data(key)
    words = lax.optimization_barrier(jnp.stack(_threefry(first, second, jnp.zeros_like(low), low)))
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def fold_in_each(key: Key, names: Sequence[str]) -> list[Key]:
    """fold_in(key, name) for every name, hashed side by side: quicker to trace, to compile and to run than one by one."""
    first, second = jax.random.key_data(key)
    low = jnp.asarray(np.array([_word(name) for name in names], np.uint32))
    words = jnp.stack(_threefry(first, second, jnp.zeros_like(low), low), axis=-1)
    return [jax.random.wrap_key_data(each, impl="threefry2x32") for each in words]


def _word(data: int | str) -> int:
    """A name or a number as one 32-bit word."""
    if isinstance(data, str):
        return zlib.crc32(data.encode())
    number = operator.index(data)
    require(0 <= number < 2**32, f"fold_in takes a whole number from 0 to 2**32 - 1, or a name, got {number}.")
    return number


def bits(key: Key, shape: tuple[int, ...]) -> Array:
    """Uniform uint32 of the given shape. Equals jax.random.bits(key, shape) bit for bit, at a third of its cost."""
    if math.prod(shape) >= 2**32:      # the low counter word would wrap
        return jax.random.bits(key, shape)
    first, second = jax.random.key_data(key)
    low = _positions(shape)
    a, b = _threefry(first, second, jnp.zeros_like(low), low)
    return a ^ b


def keep(key: Key, rate: float | Given, shape: tuple[int, ...]) -> Array:
    """A bool mask of the given shape, False with probability `rate` (to within 2**-32)."""
    below = rate.below(2**32) if isinstance(rate, Given) else np.uint32(min(round(rate * 2**32), 2**32 - 1))
    return bits(key, shape) >= below


def uniform(key: Key, shape: tuple[int, ...], low: float, high: float) -> Array:
    """float32 in [low, high). Compiled it equals jax.random.uniform bit for bit, at a fifth of the compile time."""
    unit = lax.bitcast_convert_type((bits(key, shape) >> 9) | np.float32(1).view(np.uint32), jnp.float32) - np.float32(1)
    low_, high_ = jnp.float32(low), jnp.float32(high)
    return jnp.maximum(low_, unit * (high_ - low_) + low_)


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """float32 from Normal(0, 1). Equals jax.random.normal."""
    return np.float32(math.sqrt(2)) * lax.erf_inv(uniform(key, shape, np.nextafter(np.float32(-1), np.float32(0)), 1.0))


def row_order(seed_words: tuple[int, int], step: int, rows: int) -> np.ndarray:
    """The order in which an epoch that begins at `step` visits its rows: (rows,) int32.

    Stable argsort of raw Philox words: the bit stream of a NumPy bit generator is a stable promise,
    Generator.permutation is not. Evaluated on the host; the global NumPy generator is neither read nor moved.
    """
    high, low = (int(word) for word in seed_words)
    counter = np.array([0, step, int(Purpose.SHUFFLE), 0], np.uint64)
    words = np.random.Philox(key=np.array([high << 32 | low, 0], np.uint64), counter=counter).random_raw(rows)
    return _stable_order(words).astype(np.int32)


def _stable_order(words: np.ndarray) -> np.ndarray:
    """np.argsort(words, kind="stable"), in a sixth of the time for a million random words: equal ones are next to never."""
    order = np.argsort(words)
    ranked = words[order]
    return np.argsort(words, kind="stable") if (ranked[1:] == ranked[:-1]).any() else order


def _positions(shape: tuple[int, ...]) -> Array:
    """The row-major index of every element, uint32."""
    place = jnp.zeros(shape, jnp.uint32)
    stride = 1
    for axis in reversed(range(len(shape))):
        place = place + lax.broadcasted_iota(jnp.uint32, shape, axis) * np.uint32(stride)
        stride *= shape[axis]
    return place


@jax.jit        # not a program of its own: so it is traced and lowered once, and called in all the places that hash
def _threefry(key0: Array, key1: Array, x0: Array, x1: Array) -> tuple[Array, Array]:
    """Twenty rounds of threefry2x32 on the counter words (x0, x1)."""
    schedule = key0, key1, key0 ^ key1 ^ _PARITY
    x0, x1 = x0 + key0, x1 + key1
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation)))
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1
