"""One rule about digits: sums are taken in at least float32."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.core.types import Array


def wide_dtype(dtype: Any) -> Any:
    """float32 for bfloat16 and float16, the dtype itself for wider floats."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else jnp.dtype(dtype)


def widened(x: Array) -> Array:
    """x in `wide_dtype`: bfloat16 keeps 8 binary digits, too few to add up more than a few hundred numbers."""
    return x.astype(wide_dtype(x.dtype))
