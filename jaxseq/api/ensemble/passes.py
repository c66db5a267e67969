"""A member's way through the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np

from jaxseq.api.data import NO_ROW, Cursor, Resident, Segment
from jaxseq.api.loop import Plan

ROWS = 2**14            # of all epochs that a segment holds, unless one has more


class Way(Protocol):
    """Epoch after epoch."""

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        """The steps of the next `epochs` epochs as (segment, start, stop); several of them stand in one segment."""
        ...

    def close(self) -> None:
        """Ends what reads ahead."""
        ...


class Epochs:
    """Epochs of `steps` steps, one at a time, whatever they are made of."""

    def __init__(self, cursor: Cursor, steps: int | None):
        self._cursor, self._steps = cursor, steps

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        assert epochs == 1
        return self._cursor.take(self._steps)

    def close(self) -> None:
        self._cursor.close()


class WholePasses:
    """Epochs that are passes over data that lie on the device, in batches of one kind: several of them as one segment."""

    def __init__(self, feed: Resident, words: tuple[int, int], step: int, at_once: int):
        self._feed, self._words, self._step, self._at_once = feed, words, step, at_once

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        feed = self._feed
        rows = np.full((self._at_once, feed.steps, feed.batch_size), NO_ROW, np.int32)
        for epoch in rows[:epochs]:
            epoch.reshape(-1)[:feed.rows] = feed.order(self._words, self._step)
            self._step += feed.steps
        yield Segment(feed.columns, rows.reshape(-1, feed.batch_size), self._at_once * feed.steps), 0, epochs * feed.steps

    def close(self) -> None:
        """There is nothing to end."""


def at_once(plan: Plan) -> int:
    """How many epochs the rows of one segment have place for."""
    feed = plan.train
    whole = isinstance(feed, Resident) and feed.padded and plan.steps == feed.steps
    return max(1, ROWS // feed.rows) if whole and feed.rows else 1


def way(plan: Plan, ts: Any) -> Way:
    """A member's way through the data from where it stands: the order of its rows is a function of its seed and its step."""
    high, low = np.asarray(jax.random.key_data(ts.key))
    words, step, feed, most = (int(high), int(low)), int(ts.step), plan.train, at_once(plan)
    if most > 1:
        assert isinstance(feed, Resident)
        return WholePasses(feed, words, step, most)
    left = math.inf if plan.steps is None else plan.steps * len(plan.epochs)
    return Epochs(Cursor(feed.passes(words, step, left), left), plan.steps)
