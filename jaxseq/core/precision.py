"""One rule about digits: sums are taken in at least float32, and in float64 where that is what comes in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core.types import Array


def wide_dtype(dtype: Any) -> Any:
    """The dtype itself for floats of 32 bits and more, float32 for everything else."""
    wide = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32
    return jnp.dtype(dtype) if wide else jnp.dtype(jnp.float32)


def widened(x: Array) -> Array:
    """x in `wide_dtype`: bfloat16 keeps 8 binary digits, too few to add up more than a few hundred numbers."""
    return x.astype(wide_dtype(x.dtype))


def floating(x: Array, dtype: Any = jnp.float32) -> Array:
    """x as it is where it holds floats; whole numbers in `dtype`."""
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(dtype)


def as_given(y: Array, x: Array) -> Array:
    """y, computed of x, in the dtype of x where that is one of floats: whole numbers have no room for what comes of them."""
    return y.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else y


def widest(tree: Any) -> Any:
    """The widest `wide_dtype` among the arrays of a tree: float64 where one of them is, else float32."""
    return max((wide_dtype(leaf.dtype) for leaf in jax.tree.leaves(tree)), key=lambda dtype: dtype.itemsize,
               default=jnp.dtype(jnp.float32))


def total(shares: Iterable[Array]) -> Array:
    """The sum of several () numbers in the widest of their dtypes, float32 at least; 0 of none."""
    shares = list(shares)
    dtype = widest(shares)
    return sum((share.astype(dtype) for share in shares), jnp.zeros((), dtype))


def all_finite(tree: Any) -> Array:
    """Whether no float in the tree is infinite or NaN: () bool."""
    floats = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in floats] or [jnp.array(True)]))
