"""Streams: batches from a source, fitted to the model, as segments of one step each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import jax
import numpy as np

from jaxseq.api.data import NO_ROW, Feed, Segment, ahead, longer
from jaxseq.api.sources import Source
from jaxseq.core.types import Batch

Fit = Callable[[Any], Batch]        # a batch as the source gives it -> columns that fit the model


class Stream(Feed):
    """A source as a feed. Batches are read and put on the device in a thread, while the one before is worked on.

    padded: whether a batch smaller than one before it is filled up with `NO_ROW`, so that it needs no program of its own.
    """

    def __init__(self, source: Source, fit: Fit, padded: bool):
        self.steps, self.rows, self.batch_size = source.length, None, None
        self._source, self._fit, self._padded, self._size = source, fit, padded, 0
        self._left: float = math.inf

    def passes(self, words: tuple[int, int] = (0, 0), step: int = 0, most: float = math.inf) -> Iterator[Iterator[Segment]]:
        self._left = most if self.steps is None else math.inf       # what has a length can be read again
        yield from super().passes(words, step)

    def one_pass(self, words: tuple[int, int] = (0, 0), step: int = 0) -> Iterator[Segment]:
        return ahead(map(self._segment, self._limited(self._source.one_pass(words, step))))

    def kinds(self) -> list[Segment]:
        return []

    def _limited(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches if self._left == math.inf else islice(batches, int(self._left)):
            self._left -= 1
            yield batch

    def _segment(self, given: Any) -> Segment:
        batch = self._fit(given)
        count = len(batch.x)
        self._size = max(self._size, count)
        rows = np.arange(count, dtype=np.int32)
        if self._padded and count < self._size:
            rows = np.pad(rows, (0, self._size - count), constant_values=NO_ROW)
            batch = jax.tree.map(lambda column: longer(np.asarray(column), self._size), batch)
        return Segment(jax.block_until_ready(jax.device_put(batch)), jax.device_put(rows[None]), 1)


class StreamedBatches:
    """Batches to predict, from a source. x: the first of them, fitted."""

    rows = batch_size = None

    def __init__(self, source: Source, fit: Callable[[Any], np.ndarray], padded: bool, most: int | None):
        self.steps, self.x = source.length if most is None else most, fit(source.peek())
        self._source, self._fit, self._padded, self._most, self._size = source, fit, padded, most, 0

    def one_pass(self) -> Iterator[Segment]:
        """A segment for each batch."""
        return ahead(map(self._segment, islice(self._source.one_pass((0, 0), 0), self._most)))

    def _segment(self, given: Any) -> Segment:
        x = self._fit(given)
        self._size = max(self._size, len(x))
        return Segment(Batch(longer(x, self._size) if self._padded else x, None), np.arange(len(x))[None], 1)
