"""Columns as slabs on the device, and the rows of each batch as indices into them."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, repeat
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxseq.api.columns import Column, Rows
from jaxseq.api.memory import advised
from jaxseq.api.sparse import SparseRows, dense
from jaxseq.core import rng
from jaxseq.core.types import Batch, Spec

NO_ROW = -1                             # the row number of what fills up a batch
RESIDENT_BYTES = 64 * 2**20             # of training data, up to which they lie on the device as a whole
RESIDENT_SHARE = 8                      # or one part of so many of the memory that an accelerator has left: an eighth
STREAMED_SLAB_BYTES = 16 * 2**20        # of each slab of larger ones
BLOCK_BYTES = 2**20                     # of each slab of an evaluation
SAMPLED = 64                            # rows of the data that are looked at to tell them from others
ALIGNMENT = 64                          # bytes; JAX takes host memory as it is where it begins at a multiple


class Segment(NamedTuple):
    """Some steps over one slab: rows (steps or more, batch) int32, which rows each step takes. first: of those to be made."""

    slab: Batch
    rows: Any
    steps: int
    first: int = 0


class Feed(ABC):
    """Data in batches, pass after pass.

    steps: the batches of a pass; None where only its end will tell. rows, batch_size: None where nobody knows them.
    """

    steps: int | None
    rows: int | None
    batch_size: int | None

    @abstractmethod
    def one_pass(self, words: tuple[int, int] = (0, 0), step: int = 0, skip: int = 0) -> Generator[Segment]:
        """The segments of one pass that begins at `step`; its order is a pure function of that and the key's words.

        skip: so many of its batches are left out at the beginning.
        """

    @abstractmethod
    def kinds(self) -> list[Segment]:
        """A segment of Specs for each program that a pass needs, as far as that is known in advance."""

    def passes(self, words: tuple[int, int] = (0, 0), step: int = 0, most: float = math.inf,
               skip: int = 0) -> Generator[Generator[Segment]]:
        """Pass after pass, each in its own order. most: batches that will be read. skip: those left out of the first pass."""
        while True:
            yield self.one_pass(words, step, skip)
            step, skip = step + (self.steps or 1), 0

    def told(self) -> dict[str, Any]:
        """What tells these data from others, as far as it can be known without reading them all."""
        return {"rows": self.rows, "batch_size": self.batch_size, "steps": self.steps}

    def place(self, made: int, done: int) -> tuple[int, int]:
        """(whole passes, batches of the one after) that `made` steps have taken; `done` of them since a pass may have begun."""
        return divmod(made, self.steps) if self.steps else (0, done)


@dataclass(frozen=True)
class Columns(Feed):
    """Whole columns, and how they are cut into batches.

    columns: x, y and weight, whole. batch_size: rows of a batch; the last one may be smaller.
    shuffle: True, False, or "batch": whole batches change places, the rows in them do not (as Keras 2).
    padded: whether the last batch is filled up with `NO_ROW`.
    """

    columns: Batch
    rows: int           # pyright: ignore[reportIncompatibleVariableOverride]  # known here
    batch_size: int     # pyright: ignore[reportIncompatibleVariableOverride]
    shuffle: bool | str = False
    padded: bool = False

    @property
    def steps(self) -> int:         # pyright: ignore[reportIncompatibleVariableOverride]
        """The batches of one pass over the data."""
        return math.ceil(self.rows / self.batch_size)

    def one_pass(self, words: tuple[int, int] = (0, 0), step: int = 0, skip: int = 0) -> Generator[Segment]:
        """The segments of one pass that begins at `step`: the full batches, then the ragged one where there is one.

        The order is a pure function of (words of the root key, step): see `rng.row_order`.
        """
        order = self.order(words, step)
        for start, size in self._pieces():
            piece = order[start:start + size]
            steps = math.ceil(size / self.batch_size)
            if self.padded:
                piece = np.pad(piece, (0, steps * self.batch_size - size), constant_values=NO_ROW)
            if skip < steps:
                yield from self._segments(piece.reshape(steps, -1), skip)
            skip = max(0, skip - steps)

    def told(self) -> dict[str, Any]:
        return super().told() | {"shuffle": self.shuffle, "content": self._content}

    @cached_property
    def _content(self) -> str:
        return _digest(self.columns)

    def kinds(self) -> list[Segment]:
        """A segment of Specs for each program that a pass needs."""
        return [self._kind(math.ceil(size / self.batch_size), self.batch_size if self.padded else min(size, self.batch_size))
                for _, size in self._pieces()]

    def _pieces(self) -> list[tuple[int, int]]:
        """(start, rows) of what can be cut into batches of one size."""
        full = self.rows if self.padded else self.rows // self.batch_size * self.batch_size
        return [(start, size) for start, size in ((0, full), (full, self.rows - full)) if size]

    def order(self, words: tuple[int, int], step: int) -> np.ndarray:
        """The rows of one pass in the order in which it visits them."""
        if self.shuffle == "batch":
            full = self.rows // self.batch_size
            rows = np.arange(self.rows, dtype=np.int32)
            batches = rng.row_order(words, step, full)
            body, rest = rows[:full * self.batch_size], rows[full * self.batch_size:]
            return np.concatenate([body.reshape(full, self.batch_size)[batches].ravel(), rest])
        if self.shuffle:
            return rng.row_order(words, step, self.rows)
        return np.arange(self.rows, dtype=np.int32)

    @abstractmethod
    def _segments(self, rows: np.ndarray, skip: int) -> Generator[Segment]:
        """The segments of some steps, without the first `skip` of them: rows (steps, batch)."""

    @abstractmethod
    def _kind(self, steps: int, size: int) -> Segment:
        """What `_segments` gives for `steps` batches of `size` rows, as Specs."""


class Resident(Columns):
    """Data that lie on the device as a whole, as one slab."""

    def _segments(self, rows, skip):
        yield Segment(self.columns, jax.device_put(rows), len(rows), skip)

    def _kind(self, steps, size):
        return Segment(self.columns, Spec((steps, size), np.int32), steps)


@dataclass(frozen=True)
class Streamed(Columns):
    """Data that stay on the host and go to the device slab by slab, the next one while the last one is worked on.

    All slabs of full batches have one shape, whatever the number of rows, so one program runs over them. Their size in
    bytes: slab_bytes, or one batch where that is larger.
    """

    slab_bytes: int = STREAMED_SLAB_BYTES

    def _segments(self, rows, skip):
        rows, steps = rows[skip:], self._steps_of_a_slab(rows.shape[1])
        parts = [rows[start:start + steps] for start in range(0, len(rows), steps)]
        slabs = self._slabs(parts, steps)
        return slabs if len(parts) == 1 else ahead(slabs)

    def _slabs(self, parts: list[np.ndarray], steps: int) -> Iterator[Segment]:
        """A segment of `steps` steps for each part, which may have fewer."""
        memory = [jax.tree.map(lambda column: _aligned((steps * parts[0].shape[1], *column.shape[1:]), column.dtype),
                               self.columns) for _ in parts[:3]]                # one in use, one ready, one to fill; in turns
        return map(_filled, repeat(self.columns), parts, cycle(memory), repeat(steps))

    def _kind(self, steps, size):
        steps = self._steps_of_a_slab(size)
        slab = jax.tree.map(lambda column: Spec((steps * size, *column.shape[1:]), column.dtype), self.columns)
        return Segment(slab, Spec((steps, size), np.int32), steps)

    def _steps_of_a_slab(self, size: int) -> int:
        if size != self.batch_size:
            return 1                                                    # the ragged last batch
        return max(1, self.slab_bytes // size_of_batch(self.columns, self.rows, size))


class Batches(Protocol):
    """Rows to predict, one batch at a time, as segments whose `rows` are as many as are real.

    steps: the number of batches, None where only their end will tell. x: some of the rows, to see their shape and dtype.
    rows, batch_size: None where nobody knows them.
    """

    @property
    def steps(self) -> int | None: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def batch_size(self) -> int | None: ...
    @property
    def x(self) -> Any: ...
    def told(self) -> dict[str, Any]: ...
    def one_pass(self) -> Generator[Segment]: ...


class RowBatches(NamedTuple):
    """A column of rows to predict. padded: whether a short batch is filled up, with rows of whatever content."""

    x: Any
    batch_size: int
    padded: bool

    @property
    def steps(self) -> int:
        """The number of batches."""
        return math.ceil(len(self.x) / self.batch_size)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.x)

    def told(self) -> dict[str, Any]:
        """What tells these rows from others."""
        return {"rows": self.rows, "batch_size": self.batch_size, "steps": self.steps, "content": _digest(Batch(self.x, None))}

    def one_pass(self) -> Generator[Segment]:
        """A segment for each batch.

        Short batches have the length of the others. A few rows alone are filled up to the next power of two, so that one
        of them does not cost as much as a batch.
        """
        length = few_rows(len(self.x), self.batch_size)
        for start in range(0, len(self.x), self.batch_size):
            part = dense(self.x[start:start + self.batch_size])
            rows = np.arange(start, start + len(part))[None]
            yield Segment(Batch(longer(part, length) if self.padded else part, None), rows, 1)


def few_rows(rows: int, most: int) -> int:
    """How many rows so many are filled up to: the next power of two, and a batch at most."""
    return min(most, 1 << (rows - 1).bit_length())


def longer(column: np.ndarray, size: int) -> np.ndarray:
    """The column with its last row repeated up to `size` rows; itself where it has as many."""
    if len(column) >= size:
        return column
    return np.concatenate([column, np.repeat(column[-1:], size - len(column), axis=0)])


def training_feed(x: Rows, y: Column, weight: Column | None, batch_size: int, shuffle: bool | str = False,
                  padded: bool = False) -> Feed:
    """Columns to train on: on the device as a whole, or in slabs where they are sparse, or large and on the host."""
    columns = columns_of(x, y, weight)
    if isinstance(x, SparseRows):
        slab_bytes = min(STREAMED_SLAB_BYTES, size_of(columns))
        return Streamed(on_host(columns), len(x), batch_size, shuffle, padded, slab_bytes)
    if size_of(columns) > resident_bytes() and not isinstance(x, jax.Array):
        return Streamed(on_host(columns), len(x), batch_size, shuffle, padded)
    return _resident(columns, batch_size, shuffle, padded)


def resident_bytes() -> int:
    """Up to how many bytes of training data lie on the device as a whole: an eighth of the memory that an accelerator has left,
    and RESIDENT_BYTES at least. JAX knows no limit of a CPU's, where the data lie already."""
    chosen = jax.config.jax_default_device                  # a device, the name of a backend, or None
    device = chosen if isinstance(chosen, jax.Device) else jax.local_devices(backend=chosen)[0]
    told = device.memory_stats() or {}
    return max(RESIDENT_BYTES, (told.get("bytes_limit", 0) - told.get("bytes_in_use", 0)) // RESIDENT_SHARE)


def evaluation_feed(x: Rows, y: Column, weight: Column | None, batch_size: int, padded: bool) -> Feed:
    """Columns to be measured in their order; those from the host in slabs of one shape, whatever the number of rows."""
    columns = columns_of(x, y, weight)
    if isinstance(x, jax.Array):
        return _resident(columns, batch_size, False, padded)
    return Streamed(on_host(columns), len(x), batch_size, False, padded, BLOCK_BYTES)


def ahead(items: Iterator[Any]) -> Generator[Any]:
    """The items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1, "jaxseq-data") as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


class Cursor:
    """Where a run of at most `steps` steps stands in its passes. Epochs take theirs from it.

    midway: whether the run begins within an epoch, and so with what is left of the first pass.
    """

    def __init__(self, passes: Generator[Generator[Segment]], steps: float = math.inf, *, midway: bool = False):
        self._passes, self._left = passes, steps
        self._pass: Generator[Segment] = next(passes) if midway else (none for none in ())
        self._open: tuple[Segment, int] | None = None       # a segment that is not used up, and its next step
        self._over_the_end = not midway                     # whether a new pass may begin within an epoch

    def take(self, steps: int | None = None) -> Iterator[tuple[Segment, int, int]]:
        """The next `steps` steps as (segment, start, stop), over the ends of passes; None: the steps of one pass."""
        taken = 0
        while taken != steps and self.prepare():
            self._over_the_end = steps is not None
            assert self._open is not None
            segment, start = self._open
            stop = segment.steps if steps is None else min(segment.steps, start + steps - taken)
            self._open = (segment, stop) if stop < segment.steps else None
            self._left -= stop - start
            taken += stop - start
            yield segment, start, stop
        self._over_the_end = True

    def close(self) -> None:
        """Ends the pass that is under way, and with it the threads that read ahead."""
        for each in self._pass, self._passes:
            each.close()

    def prepare(self) -> bool:
        """Whether the run goes on here. Makes the next segment now, if the last one made is used up."""
        if self._open is None and self._left > 0:
            segment = next(self._pass, None)
            if segment is None and self._over_the_end:
                self._pass = next(self._passes)
                segment = next(self._pass, None)
            self._open = segment and (segment, segment.first)
        return self._open is not None


def columns_of(x: Any, y: Column, weight: Column | None) -> Batch:
    """The columns of a feed: weights in float32, unless they are float64."""
    narrow = weight is not None and weight.dtype != np.float64
    return Batch(x, y, weight.astype(np.float32) if narrow else weight)


def on_host(columns: Batch) -> Batch:
    """The columns as NumPy arrays, sparse rows as they are."""
    return jax.tree.map(lambda column: column if isinstance(column, SparseRows) else np.asarray(column), columns)


def _digest(columns: Batch) -> str:
    """A hash of the columns' shapes and dtypes, and of some rows of each, evenly spread."""
    digest = hashlib.blake2b(digest_size=16)
    for column in jax.tree.leaves(columns):
        digest.update(f"{column.shape} {column.dtype}\n".encode())
        if not isinstance(column, SparseRows) and len(column):
            host = np.asarray(column) if jax.default_backend() == "cpu" else column        # there no copy, and no program
            digest.update(np.asarray(host[:: max(1, len(column) // SAMPLED)]).tobytes())
    return digest.hexdigest()


def size_of_batch(columns: Batch, rows: int, size: int) -> int:
    """The bytes of `size` of so many rows; 1 at least."""
    return max(1, size_of(columns) * size // max(1, rows))


def size_of(tree: Any) -> int:
    """The bytes of all arrays in it."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _resident(columns: Batch, batch_size: int, shuffle: bool | str, padded: bool) -> Resident:
    with advised(f"The data are {size_of(columns) / 2**20:,.0f} MiB, too much for the device's memory: pass a generator or "
                 "a jaxseq.utils.Sequence, which go there batch by batch."):
        return Resident(jax.device_put(columns), len(columns.x), batch_size, shuffle, padded)


def _filled(columns: Batch, rows: np.ndarray, memory: Batch, steps: int) -> Segment:
    """The rows of some steps, gathered into `memory`; where they are fewer than `steps`, the rest is left as it is."""
    size = rows.shape[1]
    places = np.full(steps * size, NO_ROW, np.int32)
    places[:rows.size] = np.where(rows.ravel() == NO_ROW, NO_ROW, np.arange(rows.size))
    wanted = np.maximum(rows.ravel(), 0)
    for column, slab in zip(jax.tree.leaves(columns), jax.tree.leaves(memory), strict=True):
        if isinstance(column, SparseRows):
            column.take(wanted, slab[:rows.size])
        else:
            np.take(column, wanted, axis=0, out=slab[:rows.size], mode="clip")  # with this mode NumPy writes there directly
    return Segment(jax.block_until_ready(jax.device_put(memory)), jax.device_put(places.reshape(steps, size)), len(rows))


def _aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Memory that a CPU device takes as it is."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start:start + size].view(dtype).reshape(shape)
