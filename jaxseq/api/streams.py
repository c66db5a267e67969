"""Streams: batches from a source, fitted to the model, as segments of one step each."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import jax
import numpy as np

from jaxseq.api import alike, hosts
from jaxseq.api.data import NO_ROW, Feed, Segment, ahead, longer
from jaxseq.api.dealing import dealt_batch
from jaxseq.api.sources import Numbered, Source, told
from jaxseq.core.layout import Layout
from jaxseq.core.types import Batch

Fit = Callable[[Any], Batch]        # a batch as the source gives it -> columns that fit the model


class Stream(Feed):
    """A source as a feed. Batches are read and put on the device in a thread, while the one before is worked on.

    padded: whether a batch smaller than one before it is filled up with `NO_ROW`, so that it needs no program of its own.
    layout: of the devices that batches are dealt to; None: one device.
    """

    def __init__(self, source: Source, fit: Fit, padded: bool, layout: Layout | None = None):
        self.steps, self.rows, self.batch_size = source.length, None, None
        self._source, self._fit, self._padded, self._layout, self._size = source, fit, padded, layout, 0
        self._left: float = math.inf

    def passes(self, words: tuple[int, int] = (0, 0), step: int = 0, most: float = math.inf,
               skip: int = 0) -> Generator[Generator[Segment]]:
        self._left = most - skip if self.steps is None else math.inf        # what has a length can be read again
        yield from super().passes(words, step, most, skip)

    def one_pass(self, words: tuple[int, int] = (0, 0), step: int = 0, skip: int = 0) -> Generator[Segment]:
        with closing(self._source.one_pass(words, step, skip)) as batches:  # an error holds frames, and with them its threads
            segments = ahead(map(self._segment, self._limited(batches)))
            yield from alike.parts(segments, skip) if hosts.is_joint(self._layout) else segments

    def place(self, made: int, done: int) -> tuple[int, int]:
        return (0, made) if self._source.once else super().place(made, done)

    def kinds(self) -> list[Segment]:
        return []

    def _limited(self, batches: Iterator[Numbered]) -> Iterator[Numbered]:
        for batch in batches if self._left == math.inf else islice(batches, int(self._left)):
            self._left -= 1
            yield batch

    def _segment(self, given: Numbered) -> Segment:
        with told(given[0]):
            batch = self._fit(given[1])
        count = len(batch.x)
        self._size = max(self._size, count)
        rows = np.arange(count, dtype=np.int32)
        if self._padded and count < self._size:
            rows = np.pad(rows, (0, self._size - count), constant_values=NO_ROW)
            batch = jax.tree.map(lambda column: longer(np.asarray(column), self._size), batch)
        layout, rows = self._layout, rows[None]
        slab, rows = jax.device_put((batch, rows)) if layout is None else dealt_batch(layout, batch, rows)
        return Segment(jax.block_until_ready(slab), rows, 1)


def first_of(source: Source, fit: Callable[[Any], Any]) -> Any:
    """The first batch of a source, fitted. ValueError where there is none."""
    try:
        number, batch = source.peek()
    except StopIteration:
        raise ValueError("The data are empty: they gave no batch.") from None
    with told(number):
        return fit(batch)


class StreamedBatches:
    """Batches to predict, from a source. x: the first of them, fitted. joint: whether several processes predict them."""

    rows = batch_size = None

    def __init__(self, source: Source, fit: Callable[[Any], np.ndarray], padded: bool, most: int | None, joint: bool = False):
        self._joint = joint
        self.steps, self.x = source.length if most is None else most, first_of(source, fit)
        self._source, self._fit, self._padded, self._most, self._size = source, fit, padded, most, 0

    def one_pass(self) -> Generator[Segment]:
        """A segment for each batch."""
        with closing(self._source.one_pass((0, 0), 0, 0)) as batches:
            segments = ahead(map(self._segment, islice(batches, self._most)))
            yield from alike.wholes(segments) if self._joint else segments

    def told(self) -> dict[str, Any]:
        """What is known of the batches before they are read."""
        return {"rows": None, "batch_size": None, "steps": self.steps}

    def _segment(self, given: Numbered) -> Segment:
        with told(given[0]):
            x = self._fit(given[1])
        self._size = max(self._size, len(x))
        return Segment(Batch(longer(x, self._size) if self._padded else x, None), np.arange(len(x))[None], 1)
