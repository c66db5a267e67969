"""Arrays as a slab on the device, and the rows of each batch as indices into it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxseq.api.columns import Column
from jaxseq.api.memory import advised
from jaxseq.core import rng
from jaxseq.core.types import Array, Batch


class Segment(NamedTuple):
    """Some steps over one slab: rows (steps, batch) int32, which rows each step takes."""

    slab: Batch
    rows: Array
    steps: int


class Feed(NamedTuple):
    """Data on the device, and how they are cut into batches.

    batch_size: rows of a batch; the last one may be smaller.
    shuffle: True, False, or "batch": whole batches change places, the rows in them do not (as Keras 2).
    """

    slab: Batch
    rows: int
    batch_size: int
    shuffle: bool | str = False

    @property
    def steps(self) -> int:
        """The batches of one pass over the data."""
        return math.ceil(self.rows / self.batch_size)

    def one_pass(self, words: tuple[int, int] = (0, 0), step: int = 0) -> Iterator[Segment]:
        """The segments of one pass that begins at `step`: the full batches, then the ragged one where there is one.

        The order is a pure function of (words of the root key, step): see `rng.row_order`.
        """
        order = self._order(words, step)
        full = self.rows // self.batch_size * self.batch_size
        for piece, size in (order[:full], self.batch_size), (order[full:], self.rows - full):
            if len(piece):
                yield Segment(self.slab, jnp.asarray(piece.reshape(-1, size)), len(piece) // size)

    def endless(self, words: tuple[int, int] = (0, 0), step: int = 0) -> Iterator[Segment]:
        """Pass after pass, each in its own order."""
        while True:
            yield from self.one_pass(words, step)
            step += self.steps

    def _order(self, words: tuple[int, int], step: int) -> np.ndarray:
        if self.shuffle == "batch":
            full = self.rows // self.batch_size
            rows = np.arange(self.rows, dtype=np.int32)
            batches = rng.row_order(words, step, full)
            body, rest = rows[:full * self.batch_size], rows[full * self.batch_size:]
            return np.concatenate([body.reshape(full, self.batch_size)[batches].ravel(), rest])
        if self.shuffle:
            return rng.row_order(words, step, self.rows)
        return np.arange(self.rows, dtype=np.int32)


def feed(x: Column, y: Column | None, weight: Column | None, batch_size: int, shuffle: bool | str = False) -> Feed:
    """The columns on the device, ready to be cut into batches."""
    with advised(f"x is {x.nbytes / 2**20:,.0f} MiB, too much for the device's memory: pass fewer rows at a time."):
        slab = Batch(jnp.asarray(x), None if y is None else jnp.asarray(y),
                     None if weight is None else jnp.asarray(weight, jnp.float32))
    return Feed(slab, x.shape[0], batch_size, shuffle)


class Cursor:
    """Where a run stands in its endless feed. Epochs take steps from it; they need not end where a pass ends."""

    def __init__(self, segments: Iterator[Segment]):
        self._segments = segments
        self._open: tuple[Segment, int] | None = None       # a segment that is not used up, and its next step

    def take(self, steps: int) -> Iterator[tuple[Segment, int, int]]:
        """The next `steps` steps as (segment, start, stop)."""
        while steps > 0:
            segment, start = self._open or (next(self._segments), 0)
            stop = min(segment.steps, start + steps)
            self._open = (segment, stop) if stop < segment.steps else None
            yield segment, start, stop
            steps -= stop - start
