"""What pickle, joblib and copy.deepcopy take along of a model: its declaration, and its arrays as the host holds them.

A distribution goes along with the names of its mesh's devices. Compiled programs stay behind and are compiled anew where they
are wanted. Classes and functions of the user's own go by their names, as everywhere in pickle. A pickle can run code when it
is loaded: load only those of people one trusts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import hosts
from jaxseq.api.distribution.strategies import Distribution, taken_up

ON_THE_DEVICE = "seed", "_key", "_train_state", "_begins_with"      # the attributes that hold arrays or keys


class HeldKey(NamedTuple):
    """A JAX key, which pickle does not know: the name of its generator, and its words."""

    generator: str
    words: np.ndarray


class Spread:
    """How a model is spread, on its way: a copy shares the distribution; out of a pickle it is what `taken_up` gives."""

    def __init__(self, distribution: Distribution | None):
        self.distribution = distribution

    def __deepcopy__(self, memo: Any) -> Spread:
        return self

    def __reduce__(self) -> Any:
        return _spread_again, (self.distribution,)


def _spread_again(kept: Distribution | None) -> Spread:
    return Spread(taken_up(kept))


def packed(attributes: dict[str, Any]) -> dict[str, Any]:
    """A model's attributes with NumPy arrays for those on the device; what lies in parts is put together: all have to ask."""
    whole = hosts.here(hosts.whole({name: attributes[name] for name in ON_THE_DEVICE}))
    return attributes | jax.tree.map(_held, whole)


def unpacked(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes that `packed` was given."""
    is_key = lambda each: isinstance(each, HeldKey)
    return attributes | {name: jax.tree.map(_given_back, attributes[name], is_leaf=is_key) for name in ON_THE_DEVICE}


def _held(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array):
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return HeldKey(str(jax.random.key_impl(leaf)), np.asarray(jax.random.key_data(leaf)))
    return np.asarray(leaf)


def _given_back(leaf: Any) -> Any:
    if isinstance(leaf, HeldKey):
        return jax.random.wrap_key_data(jnp.asarray(leaf.words), impl=leaf.generator)
    return jnp.array(leaf) if isinstance(leaf, np.ndarray) else leaf
