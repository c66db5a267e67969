"""What XLA:CPU is to do before what. It has no word for that: optimization barriers are gone before it plans its memory."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from jaxseq.core.types import Array


def always(x: Array) -> Array:
    """True, once the first number of x is there. The compiler cannot know: it does not ask what `| 1` does to a number."""
    first = jnp.ravel(x)[0]
    word = first if jnp.issubdtype(x.dtype, jnp.unsignedinteger) else lax.bitcast_convert_type(first, f"uint{8 * x.itemsize}")
    return (word | 1) != 0


def after(leaf: Array, x: Array) -> Array:
    """The array as it is, on the CPU not before x is there: what is made of it then may take its place in memory."""
    wait = lambda leaf, x: jnp.where(always(x), leaf, jnp.zeros((), leaf.dtype))
    return lax.platform_dependent(leaf, x, cpu=wait, default=lambda leaf, _: leaf)
