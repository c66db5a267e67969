"""A model as pure functions over its trees, which say at their door what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import weights
from jaxseq.api.checks import fitted_x
from jaxseq.core import chain, rng, run
from jaxseq.core.nested import PENALTY
from jaxseq.core.require import nearest, require, spelled
from jaxseq.core.types import Array, Key, Shape, Spec


class Functional(NamedTuple):
    """A model as two pure functions over named pytrees, for jax.jit, jax.grad and jax.vmap.

    init: (key) -> (params, state).
    apply: (params, state, x, *, train=False, key=None) -> (y, state). `key` is the step's, needed where a layer draws. x has
        the shape that predict wants, its rows along the first axis. What params and state have beyond the layers' is not
        looked at.
        Raises: ValueError for an x of another shape, and for a tree in which an entry is missing or has another shape;
        TypeError for a key that is none. Shapes are known when a function is traced, so under jax.jit that costs nothing.
    """

    init: Callable[[Key], tuple[dict[str, Any], dict[str, Any]]]
    apply: Callable[..., tuple[Array, dict[str, Any]]]


class OpenRow(NamedTuple):
    """Layers, and the input that they were declared for: its shape, None where any length will do, and its dtype."""

    layers: chain.Layers
    shape: Shape
    dtype: Any

    def applied(self, params: Any, state: Any, x: Any, *, train: bool, key: Key | None) -> tuple[Array, dict[str, Any]]:
        """(y, new state); ValueError for an x of another shape."""
        x = fitted_x("x", jnp.asarray(x), self.shape)       # pyright: ignore[reportArgumentType]  # it asks for a shape alone
        out = chain.apply(self.layers, params, state, x.astype(self.dtype), train=train, key=key)
        return out.y, out.state


def opened(row: OpenRow, spec: Spec) -> Functional:
    """The layers as pure functions. spec: of an x, from which first weights are drawn."""
    wanted = cache(lambda: run.specs(row.layers, rng.key_spec(), spec, [name for name, _ in row.layers]))

    def init(key: Key) -> tuple[dict[str, Any], dict[str, Any]]:
        return chain.init(row.layers, rng.fold_in(rng.root_key(key), rng.Purpose.INIT), spec)

    @spelled
    def apply(params: Any, state: Any, x: Array, *, train: bool = False, key: Key | None = None):
        for part, tree, like in zip(("params", "state"), (params, state), wanted(), strict=True):
            _require_like(part, tree, like)
        require(key is None or isinstance(key, jax.Array | np.ndarray), f"apply(key={key!r}): pass a JAX key, one for each "
                "step: jax.random.fold_in(jax.random.key(0), step).", TypeError)
        return row.applied(params, state, x, train=train, key=key)

    return Functional(init, apply)


def _require_like(part: str, tree: Any, like: Any) -> None:
    """An error unless the tree has every entry of `like`, of the same shape."""
    require(isinstance(tree, Mapping), f"apply(params, state, x): {part} is no dict. Pass a tree like "
            f"model.{part}, {{layer: {{name: array}}}}.", TypeError)
    have = dict(weights.by_path(tree))
    for path, spec in weights.by_path(like):
        if path.endswith(PENALTY):          # which a step writes and none reads
            continue
        if path not in have:
            raise ValueError(f"apply(params, state, x): {part} has no {path}, of shape {spec.shape}. Pass a tree like "
                             f"model.{part}." + (nearest(path, have) if have else ""))
        require(jnp.shape(have[path]) == spec.shape, f"apply(params, state, x): {part} has {path} of shape "
                f"{jnp.shape(have[path])}, the model's {spec.shape}.")
