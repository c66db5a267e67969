"""Rows dealt to the devices of a mesh: of every batch each device gets its part, and nothing of the others'."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from jaxseq.api import hosts
from jaxseq.api.data import BLOCK_BYTES, NO_ROW, STREAMED_SLAB_BYTES, Segment, Streamed, columns_of, on_host, size_of_batch
from jaxseq.api.sparse import SparseRows
from jaxseq.core.layout import Layout, of_state
from jaxseq.core.require import require
from jaxseq.core.types import Batch, Spec, TrainState


def put(sharding: NamedSharding, value: np.ndarray) -> jax.Array:
    """An array on all devices of a mesh, of which every process has the whole `value` and puts its own devices' part."""
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def put_like(leaf: jax.Array, value: np.ndarray) -> jax.Array:
    """The value on the devices that `leaf` lies on."""
    return put(leaf.sharding, value) if len(leaf.devices()) > 1 else jax.device_put(value)


def on_all(layout: Layout, tree: Any) -> Any:
    """The arrays, whole on every device."""
    return jax.tree.map(lambda leaf: put(layout.everywhere, np.asarray(leaf)), tree)


def placed(layout: Layout | None, ts: TrainState) -> TrainState:
    """The TrainState where the layout has it, or on one device; what lies there already is not touched."""
    if layout is not None:
        return jax.tree.map(moved, ts, of_state(layout, ts))
    alone = lambda leaf: jax.device_put(hosts.here(hosts.whole(leaf)), jax.local_devices()[0])
    return jax.tree.map(lambda leaf: leaf if len(leaf.devices()) == 1 else alone(leaf), ts)


def moved(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """The array, or the key, where it is going to lie; what lies there already is not touched."""
    if isinstance(leaf, jax.Array) and leaf.sharding.is_equivalent_to(sharding, leaf.ndim):
        return leaf
    if isinstance(leaf, jax.Array) and leaf.sharding.device_set == sharding.device_set:
        return jax.device_put(leaf, sharding)       # from device to device: of several processes none has the whole
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        words = put(sharding, np.asarray(jax.random.key_data(leaf)))
        return jax.random.wrap_key_data(words, impl=jax.random.key_impl(leaf))
    return put(sharding, np.asarray(leaf))


@dataclass(frozen=True)
class Dealt(Streamed):
    """Data on the host, slab by slab: (steps, rows of a batch, ...), each device with its rows of every step.

    A process reads those rows that its own devices get. layout: of these devices.
    """

    layout: Layout = field(kw_only=True)

    def _slabs(self, parts, steps):
        for part in parts:
            rows = np.pad(part, ((0, steps - len(part)), (0, 0)), constant_values=NO_ROW)
            yield Segment(dealt(self.layout, self.columns, rows), put(self.layout.everywhere, rows), len(part))

    def _kind(self, steps, size):
        steps = self._steps_of_a_slab(size)
        rows = Spec((steps, size), np.int32, sharding=self.layout.everywhere)
        return Segment(dealt_like(self.layout, self.columns, steps, size), rows, steps)


def dealt_to_train(layout: Layout, x: Any, y: Any, weight: Any, batch_size: int, shuffle: bool | str, padded: bool) -> Dealt:
    """Columns to train on, in slabs no longer than a pass."""
    columns = on_host(columns_of(x, y, weight))
    of_a_pass = -(-len(x) // batch_size) * size_of_batch(columns, len(x), batch_size)
    return Dealt(columns, len(x), batch_size, shuffle, padded, min(STREAMED_SLAB_BYTES, of_a_pass), layout=layout)


def dealt_to_measure(layout: Layout, x: Any, y: Any, weight: Any, batch_size: int, padded: bool) -> Dealt:
    """Columns to be measured in their order, in slabs of one shape, whatever the number of rows."""
    return Dealt(on_host(columns_of(x, y, weight)), len(x), batch_size, False, padded, BLOCK_BYTES, layout=layout)


def dealt(layout: Layout, columns: Batch, rows: np.ndarray) -> Batch:
    """The rows (steps, batch) of the columns as arrays (steps, batch, ...), each device with its part of every batch.

    The batch is filled up with rows of whatever content where the devices do not divide it.
    """
    fill = layout.dealt_size(rows.shape[1]) - rows.shape[1]
    wanted = np.pad(np.maximum(rows, 0), ((0, 0), (0, fill)))

    def one(column: Any) -> jax.Array:
        shape = (*wanted.shape, *column.shape[1:])
        return jax.make_array_from_callback(shape, layout.dealt, lambda index: _rows_of(column, wanted[index[:2]]))

    return jax.tree.map(one, columns)


def dealt_like(layout: Layout, columns: Batch, steps: int, size: int) -> Batch:
    """The specs of what `dealt` makes of columns, or of specs of them, for so many steps of `size` rows."""
    shape = steps, layout.dealt_size(size)
    return jax.tree.map(lambda column: Spec((*shape, *column.shape[1:]), column.dtype, sharding=layout.dealt), columns)


def _rows_of(column: Any, rows: np.ndarray) -> np.ndarray:
    shape = (*rows.shape, *column.shape[1:])
    if not isinstance(column, SparseRows):
        return np.take(column, rows.ravel(), axis=0).reshape(shape)
    taken = np.empty((rows.size, *column.shape[1:]), column.dtype)
    column.take(rows.ravel(), taken)
    return taken.reshape(shape)


def dealt_batch(layout: Layout, batch: Batch, rows: np.ndarray) -> tuple[Batch, jax.Array]:
    """(a batch of a stream as a slab of one step, its rows). Of several processes each has its own part of the batch."""
    batch, processes = jax.tree.map(np.asarray, batch), jax.process_count()
    if processes == 1:
        return dealt(layout, batch, rows), put(layout.everywhere, rows)
    size, own = rows.shape[1], layout.parts // processes
    require(layout.parts % processes == 0, f"The mesh cuts a batch into {layout.parts} parts, and each of {processes} "
            "processes would give its own: let the axis of the batch have a multiple of that many devices, or pass arrays.")
    require(size % own == 0, f"A batch of {size} rows for the {own} parts of this process: of several processes each gives its "
            "part of a batch, and all parts have the same number of rows. Let the loader give batches of a multiple of "
            f"{own}, and leave out a smaller last one.")
    whole = lambda column: jax.make_array_from_process_local_data(layout.dealt, column[None])
    every = np.concatenate([np.where(rows == NO_ROW, NO_ROW, rows + size * each) for each in range(processes)], 1)
    return jax.tree.map(whole, batch), put(layout.everywhere, every)


def rows_on(layout: Layout | None, x: np.ndarray) -> Any:
    """Rows to predict, where the layout has them; without one as they are."""
    return x if layout is None else put(place_of_rows(layout, len(x)), np.asarray(x))


def place_of_rows(layout: Layout, size: int) -> NamedSharding:
    """Where so many rows to predict lie: in parts where these are equal, else whole on every device."""
    return layout.everywhere if size % layout.parts else layout.by_rows
