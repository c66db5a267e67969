"""A member's way through the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np

from jaxseq.api.data import NO_ROW, Cursor, Resident, Segment
from jaxseq.api.loop import Plan


class Way(Protocol):
    """What `Cursor` is."""

    def take(self, steps: int | None = None) -> Iterator[tuple[Segment, int, int]]: ...
    def close(self) -> None: ...


class WholePasses:
    """Pass after pass over data that lie on the device, where an epoch is one of them and has one kind of batch.

    What a Cursor gives, and its rows on the host: for a third of the time that Python takes, of which all members have but one.
    """

    def __init__(self, feed: Resident, words: tuple[int, int], step: int):
        self._feed, self._words, self._step = feed, words, step

    def take(self, steps: int | None = None) -> Iterator[tuple[Segment, int, int]]:
        """The steps of the next pass."""
        feed, rows = self._feed, np.full((self._feed.steps, self._feed.batch_size), NO_ROW, np.int32)
        rows.reshape(-1)[:feed.rows] = feed.order(self._words, self._step)
        self._step += feed.steps
        yield Segment(feed.columns, rows, feed.steps), 0, feed.steps

    def close(self) -> None:
        """There is nothing to end."""


def way(plan: Plan, ts: Any) -> Way:
    """A member's way through the data from where it stands: the order of its rows is a function of its seed and its step."""
    high, low = np.asarray(jax.random.key_data(ts.key))
    words, step, feed = (int(high), int(low)), int(ts.step), plan.train
    if isinstance(feed, Resident) and feed.padded and plan.steps == feed.steps:
        return WholePasses(feed, words, step)
    left = math.inf if plan.steps is None else plan.steps * len(plan.epochs)
    return Cursor(feed.passes(words, step, left), left)
