"""Weights as Keras lists them, and the parts of a TrainState that must fit together."""

from __future__ import annotations

import functools
import hashlib
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxseq.api import hosts
from jaxseq.api.columns import numbers
from jaxseq.core import run
from jaxseq.core.layout import Layout
from jaxseq.core.require import require
from jaxseq.core.types import TrainState

Slot = tuple[str, ...]              # (field of the TrainState, layer name, weight name); within a model its name as well


def get(ts: TrainState, slots: list[Slot]) -> list[np.ndarray]:
    """The weights at `slots`, as NumPy arrays of their own."""
    return [np.array(hosts.on_host(at(ts, slot))) for slot in slots]


def at(ts: TrainState, slot: Slot) -> jax.Array:
    """The weight at a slot."""
    field, *path = slot
    return functools.reduce(lambda tree, name: tree[name], path, getattr(ts, field))


def told(slot: Slot) -> str:
    """A slot as errors name it."""
    return "/".join(slot[1:])


def put(ts: TrainState, slots: list[Slot], weights: Any) -> TrainState:
    """The TrainState with other weights at `slots`. ValueError unless number and shapes fit."""
    require(isinstance(weights, Iterable), f"set_weights({weights!r}): pass a list of arrays, as get_weights gives it.",
            TypeError)
    weights = list(weights)
    require(len(weights) == len(slots), f"set_weights got {len(weights)} arrays and needs {len(slots)}: "
            + ", ".join(map(told, slots)) + ".")
    new = jax.tree.map(lambda leaf: leaf, {"params": ts.params, "state": ts.state})         # dicts of its own
    for slot, value in zip(slots, weights, strict=True):
        old = at(ts, slot)
        value = numbers(told(slot), value, old.dtype == np.float64)
        require(value.shape == old.shape, f"{told(slot)} has shape {old.shape}, got {value.shape}.")
        *path, weight = slot
        functools.reduce(lambda tree, name: tree[name], path, new)[weight] = _copied(value, old.dtype)
    return ts._replace(**new)


def like(name: str, old: Any, new: Any) -> Any:
    """`new` as a tree of arrays like `old`; ValueError that names the first entry that differs."""
    have, want = dict(leaves(new)), dict(leaves(old))
    for path in sorted(have.keys() | want.keys()):
        require(path in want, f"{name}{path} is not in the model.")
        require(path in have, f"{name}{path} is missing.")
        require(jnp.shape(have[path]) == want[path].shape, f"{name}{path} has shape {jnp.shape(have[path])}, the model's "
                f"{want[path].shape}.")
    return jax.tree_util.tree_map_with_path(lambda path, leaf: _copied(have[_key(path)], leaf.dtype), old)


def grafted(optimizer: optax.GradientTransformation, trained: Any, old: Any, layout: Layout | None = None) -> Any:
    """A fresh optimizer state for `trained`, with the entries of `old` wherever path and shape agree."""
    known = dict(leaves(old))

    def keep(path: Any, fresh: Any) -> Any:
        had = known.get(_key(path))
        if had is None or had.shape != fresh.shape:
            return fresh
        return had if had.dtype == fresh.dtype else had.astype(fresh.dtype)     # of numbers set before the weights were drawn

    return jax.tree_util.tree_map_with_path(keep, run.init_optimizer(optimizer, trained, layout))


def by_path(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """("layer/weight", array) for every entry of nested dicts, in their order, which jax.tree would not keep."""
    for name, each in tree.items():
        if isinstance(each, Mapping):
            yield from by_path(each, f"{above}{name}/")
        else:
            yield above + name, each


def fingerprint(ts: TrainState) -> str:
    """SHA-256, in hex, over everything in the TrainState: paths, dtypes, shapes and bytes.

    The hash goes through the bytes in the order of the whole arrays, in which the parts of a cut one alternate. So it is not
    made of hashes of parts, but arrays are put together for it, one at a time, and none is kept.
    """
    digest = hashlib.sha256()
    for path, leaf in leaves(ts._replace(key=jax.random.key_data(hosts.here(ts.key)))):
        host = hosts.on_host(leaf)
        digest.update(f"{path} {host.dtype} {host.shape}\n".encode())
        digest.update(np.ascontiguousarray(host).view(np.uint8))
    return digest.hexdigest()


class Fingerprint:
    """The fingerprint of a TrainState, for as long as the model has that one. It keeps none of the arrays."""

    def __init__(self, ts: TrainState):
        self.text = fingerprint(ts)
        arrays, self._tree = jax.tree.flatten(ts)
        self._arrays = [weakref.ref(each) for each in arrays if isinstance(each, jax.Array)]

    def is_of(self, ts: TrainState) -> bool:
        """Whether these are the very arrays that were read. Arrays of JAX never change, so nothing else need be asked."""
        now, tree = jax.tree.flatten(ts)
        return tree == self._tree and len(now) == len(self._arrays) and all(
            each is read() for each, read in zip(now, self._arrays, strict=True))


def _copied(value: Any, dtype: Any) -> jax.Array:
    """`value` in memory of its own. JAX copies while Python goes on, so the user's array is free only after the wait."""
    return jax.block_until_ready(jnp.array(value, dtype))


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """Every leaf of a tree behind its path as text."""
    return [(_key(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def _key(path: Any) -> str:
    return jax.tree_util.keystr(path)
