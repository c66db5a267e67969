"""How the arrays of a training lie on a mesh of devices: which are cut, along which axis, and which are whole everywhere.

The partitioner of XLA does the rest: a program says what it computes with whole arrays, and where they are cut it computes
the same in pieces, with the sums between devices that this takes. So draws, means over a batch and gradients are those of
one device, up to the order in which numbers are added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxseq.core.types import Array, Batch, Params, Shape, TrainState

EVERYWHERE = PartitionSpec()


class Layout(NamedTuple):
    """Where the arrays of one training lie.

    mesh: the devices, by named axes. batch: the axes that the rows of a batch are cut along.
    weight: (path, shape) -> how that weight, and what the optimizer keeps of it, are cut.
    together: whether the weights are put together for a step and used whole (fully sharded), or used as they are cut.
    """

    mesh: Mesh
    batch: tuple[str, ...]
    weight: Callable[[str, Shape], PartitionSpec]
    together: bool = False

    @property
    def parts(self) -> int:
        """Into how many parts a batch is cut."""
        return math.prod(self.mesh.shape[axis] for axis in self.batch)

    def dealt_size(self, size: int) -> int:
        """The rows of a batch of `size` rows with those that fill it up, so that all parts are equal."""
        return -(-size // self.parts) * self.parts

    @property
    def everywhere(self) -> NamedSharding:
        """Whole on every device."""
        return NamedSharding(self.mesh, EVERYWHERE)

    @property
    def dealt(self) -> NamedSharding:
        """Of arrays (steps, rows, ...): each device has its rows of every step."""
        return NamedSharding(self.mesh, PartitionSpec(None, self.batch))

    @property
    def by_rows(self) -> NamedSharding:
        """Of arrays (rows, ...)."""
        return NamedSharding(self.mesh, PartitionSpec(self.batch))

    def within(self, above: str) -> Layout:
        """Of a model within another, where the paths of its weights have `above` in front."""
        return self._replace(weight=lambda path, shape: self.weight(above + path, shape))


def of_state(layout: Layout, ts: TrainState) -> TrainState:
    """Where every array of the TrainState lies."""
    return of_tree(layout, ts.params, ts)


def of_tree(layout: Layout, params: Params, tree: Any) -> Any:
    """Where every array of the tree lies: a weight, and what is kept of it under its path, where the layout has the weight."""
    cut = {path: (leaf.shape, layout.weight("/".join(path), leaf.shape)) for path, leaf in _leaves(params)}

    def place(path: Any, leaf: Array) -> Any:
        names = tuple(str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey))
        shape, spec = next((cut[names[start:]] for start in range(len(names)) if names[start:] in cut), (None, EVERYWHERE))
        return NamedSharding(layout.mesh, spec if shape == leaf.shape else EVERYWHERE)

    return jax.tree_util.tree_map_with_path(place, tree)


def _leaves(params: Params) -> list[tuple[tuple[str, ...], Array]]:
    return [(tuple(str(key.key) for key in path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)]


# ---- within a program; a layout of None changes nothing


def begun(layout: Layout | None, params: Params, tree: Any) -> Any:
    """What training begins with, made where it is going to lie: a draw counts its numbers by their places in the whole, so
    each device draws its own, and none holds the others'."""
    return tree if layout is None else lax.with_sharding_constraint(tree, of_tree(layout, params, tree))


def settled(layout: Layout | None, ts: TrainState) -> TrainState:
    """The TrainState after a step, where it lay before."""
    return begun(layout, ts.params, ts)


def whole(layout: Layout | None, tree: Any) -> Any:
    """The arrays, whole on every device."""
    return tree if layout is None else lax.with_sharding_constraint(tree, layout.everywhere)


def used(layout: Layout | None, params: Any) -> Any:
    """The weights as a step computes with them."""
    return whole(layout, params) if layout is not None and layout.together else params


def cut(layout: Layout | None, x: Any) -> Any:
    """Arrays (rows, ...), each device with its rows; their number need not be a multiple of the devices'."""
    return x if layout is None else lax.with_sharding_constraint(x, layout.by_rows)


def dealt(layout: Layout, data: Batch, rows: Array, padded: bool) -> tuple[Batch, Array | None]:
    """(the batch of a step of which each device has its rows already, which of them count; None: all).

    data: columns of that step, (rows or more, ...). rows: (rows,), -1 where a row does not count.
    """
    batch = jax.tree.map(lambda column: cut(layout, column[:rows.shape[0]]), data)
    return batch, rows >= 0 if padded else None
