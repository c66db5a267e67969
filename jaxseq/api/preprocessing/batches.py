"""Rows that are read when their batch is asked for, in an order that is drawn once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxseq.api.datasets.shares import shuffler
from jaxseq.api.sources import Sequence
from jaxseq.core.require import positive_int, require


class Batches(Sequence):
    """A Sequence of read(rows), where `rows` are some numbers of rows, as many as a batch holds.

    rows: the numbers of all rows, in order. batch_size: None for one row at a time, without a batch axis.
    """

    def __init__(self, read: Callable[[np.ndarray], Any], rows: np.ndarray, batch_size: int | None):
        super().__init__()
        self.batch_size = None if batch_size is None else positive_int("batch_size", batch_size)
        self._read, self._rows = read, rows

    def __len__(self) -> int:
        return -(-len(self._rows) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        """Batch `index`, counted from 0. IndexError for others, which ends a `for`."""
        require(0 <= index < len(self), f"There is no batch {index}: there are {len(self)}, counted from 0.", IndexError)
        size = self.batch_size or 1
        batch = self._read(self._rows[index * size:(index + 1) * size])
        return batch if self.batch_size else _first(batch)

    def map(self, function: Callable[..., Any]) -> Mapped:
        """The same batches, each as what function(x) or function(x, y) makes of it: data.map(lambda x, y: (ids(x), y))."""
        return Mapped(self, function)


class Mapped(Sequence):
    """What a function makes of each batch of a Sequence, in the threads that read. Made by `map`."""

    def __init__(self, batches: Sequence, function: Callable[..., Any]):
        super().__init__(batches.workers, max_queue_size=batches.max_queue_size)
        self._batches, self._function = batches, function

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Any:
        batch = self._batches[index]
        return self._function(*batch) if isinstance(batch, tuple) else self._function(batch)

    def on_epoch_begin(self) -> None:
        self._batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._batches.on_epoch_end()

    map = Batches.map


def order(count: int, seed: int | None) -> np.ndarray:
    """The numbers from 0 to count - 1 as Keras's `shuffle` leaves them with this seed, a new order for None."""
    generator = np.random.RandomState() if seed is None else shuffler(seed)
    return generator.permutation(count)


def _first(batch: Any) -> Any:
    return tuple(part[0] for part in batch) if isinstance(batch, tuple) else batch[0]
