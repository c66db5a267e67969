"""Policies: the number format in which a layer computes, and that in which it keeps its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core.require import require, require_known

# name -> (what is computed in, what weights are kept in)
FORMATS = {each: (each, each) for each in ("float16", "bfloat16", "float32", "float64")} | {
    "mixed_float16": ("float16", "float32"), "mixed_bfloat16": ("bfloat16", "float32")}


@dataclass(frozen=True)
class DTypePolicy:
    """The dtypes behind a name such as "mixed_bfloat16": compute_dtype bfloat16, variable_dtype float32.

    name: a float dtype, for both; or mixed_bfloat16 or mixed_float16, which keep weights in float32.
    Raises: ValueError for another name, and for float64 while JAX has its 64-bit numbers switched off.
    Source: Micikevicius et al. 2018 (mixed precision); as keras.DTypePolicy, whose name may also be an integer type.
    """

    name: str = "float32"

    def __post_init__(self):
        require_known(self.name, FORMATS, f"Unknown dtype {self.name!r}.")
        require(self.name != "float64" or jax.dtypes.canonicalize_dtype("float64").itemsize == 8, "dtype='float64' needs JAX's "
                "64-bit numbers: write jax.config.update('jax_enable_x64', True) first.")

    @property
    def compute_dtype(self) -> str:
        """What floats become on their way into the layer, and what it hands on."""
        return FORMATS[self.name][0]

    @property
    def variable_dtype(self) -> str:
        """What weights are drawn and kept in."""
        return FORMATS[self.name][1]

    def get_config(self) -> dict[str, Any]:
        """{"name"}."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> DTypePolicy:
        """The policy that `get_config` described."""
        return cls(**config)


def named(dtype: Any) -> str | None:
    """The name of the policy that is meant: by its name, a DTypePolicy, a float type of NumPy or JAX, or Keras's config."""
    return None if dtype is None else DTypePolicy(name_of(dtype)).name


def name_of(dtype: Any) -> str:
    """The name that stands in any such form, whether it is known or not."""
    name: Any = dtype["config"].get("name") if isinstance(dtype, Mapping) and "config" in dtype else dtype
    name = name.name if hasattr(name, "compute_dtype") else name            # Keras's own policies, too
    require(isinstance(name, str | type | np.dtype), f"dtype={dtype!r}: write a name such as 'mixed_bfloat16', or a "
            "DTypePolicy.", TypeError)
    return name if isinstance(name, str) else jnp.dtype(name).name


def cast(tree: Any, dtype: Any) -> Any:
    """The floats of a tree of arrays in `dtype`; ids, masks and keys stay what they are."""
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree)
