"""First weights that the user brings: Embedding(..., weights=[matrix]), as Keras 2 has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxseq.core.require import require
from jaxseq.core.types import Params, State

Arrays = tuple[np.ndarray, ...]


def arrays(owner: str, weights: Any) -> Arrays | None:
    """Copies of what weights=[...] was given, so that nobody can change them afterwards. TypeError for what is no list."""
    if weights is None:
        return None
    listed = isinstance(weights, Iterable) and not isinstance(weights, str) and not hasattr(weights, "shape")
    require(listed, f"{owner}(weights=...) takes a list of arrays, in the order of get_weights: write weights=[matrix].",
            TypeError)
    found = tuple(np.array(each) for each in weights)
    for each in found:
        require(each.dtype.kind in "biuf", f"{owner}(weights=...) takes arrays of numbers, got one of {each.dtype}.", TypeError)
    return found


def placed(first: Arrays, params: Params, state: State, statistics: tuple[str, ...]) -> tuple[Params, State]:
    """(params, state) with `first` in the order of get_weights: params, then statistics. ValueError unless they fit."""
    params, state = dict(params), dict(state)
    places = [(params, name) for name in params] + [(state, name) for name in state if name in statistics]
    wanted = ", ".join(f"{name} {tree[name].shape}" for tree, name in places) or "none"
    require(len(first) == len(places), f"weights={[each.shape for each in first]} were given, and it has "
            f"{len(places)}: {wanted}.")
    for (tree, name), value in zip(places, first, strict=True):
        require(value.shape == tree[name].shape, f"the array of shape {value.shape} in weights=[...] stands for {name}, "
                f"which has shape {tree[name].shape}.")
        tree[name] = jnp.asarray(value, tree[name].dtype)
    return params, state
