"""A member's way through the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np

from jaxseq.api.data import NO_ROW, Cursor, Resident, Segment
from jaxseq.api.loop import Plan

PLACES = 2**14          # rows of a segment that holds several epochs, those that fill up batches among them
TOTALS = 2**20          # bytes of these epochs' totals, of all members of a unit


class Way(Protocol):
    """Epoch after epoch. at_once: how many of them a segment has place for."""

    at_once: int

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        """The steps of the next `epochs` epochs, at most `at_once`, as (segment, start, stop)."""
        ...

    def close(self) -> None:
        """Ends what reads ahead."""
        ...


class Epochs:
    """Epochs of `steps` steps, one at a time, whatever they are made of."""

    at_once = 1

    def __init__(self, cursor: Cursor, steps: int | None):
        self._cursor, self._steps = cursor, steps

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        return self._cursor.take(self._steps)

    def close(self) -> None:
        self._cursor.close()


class WholePasses:
    """Epochs that are passes over data that lie on the device, in batches of one kind: several of them as one segment."""

    def __init__(self, feed: Resident, words: tuple[int, int], step: int, at_once: int):
        self._feed, self._words, self._step, self.at_once = feed, words, step, at_once

    def take(self, epochs: int) -> Iterator[tuple[Segment, int, int]]:
        feed = self._feed
        rows = np.full((self.at_once, feed.steps, feed.batch_size), NO_ROW, np.int32)
        for epoch in rows[:epochs]:
            epoch.reshape(-1)[:feed.rows] = feed.order(self._words, self._step)
            self._step += feed.steps
        yield Segment(feed.columns, rows.reshape(-1, feed.batch_size), self.at_once * feed.steps), 0, epochs * feed.steps

    def close(self) -> None:
        """There is nothing to end."""


def at_once(plan: Plan, totals: int) -> int:
    """How many epochs a segment has place for. totals: the bytes of one epoch's, of all members that make it together."""
    feed = _whole(plan)
    return 1 if feed is None else max(1, min(PLACES // (feed.steps * feed.batch_size), TOTALS // totals))


def way(plan: Plan, ts: Any, at_once: int) -> Way:
    """A member's way through the data from where it stands: the order of its rows is a function of its seed and its step."""
    high, low = np.asarray(jax.random.key_data(ts.key))
    words, step, feed = (int(high), int(low)), int(ts.step), _whole(plan)
    if feed is not None:
        return WholePasses(feed, words, step, at_once)
    left = math.inf if plan.steps is None else plan.steps * len(plan.epochs)
    return Epochs(Cursor(plan.train.passes(words, step, left), left), plan.steps)


def _whole(plan: Plan) -> Resident | None:
    """The data, where they lie on the device and an epoch is one pass over them in batches of one kind."""
    feed = plan.train
    return feed if isinstance(feed, Resident) and feed.padded and feed.rows and plan.steps == feed.steps else None
