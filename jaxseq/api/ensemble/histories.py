"""What the members of an ensemble measured, epoch by epoch: each one's History, and their mean and spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxseq.api.ensemble.spread import spread_of
from jaxseq.api.history import History
from jaxseq.api.showing import ensembles


class Histories(Sequence[History]):
    """One History for each member, in the members' order. `fit` of an ensemble returns it.

    epoch: the epochs' numbers, up to the last that any member made.
    kept: for each member the epoch whose weights were put back, None where those of its last epoch stayed.
    Its text, in a notebook too, has mean ± spread of `last`: over all members, each where it ended.
    """

    def __init__(self, histories: Sequence[History], kept: Sequence[int | None] | None = None):
        self._histories = tuple(histories)
        self._kept = [None] * len(self) if kept is None else list(kept)
        self.epoch: list[int] = sorted({epoch for each in self._histories for epoch in each.epoch})

    def __len__(self) -> int:
        return len(self._histories)

    def __getitem__(self, place: Any) -> Any:
        return self._histories[place]

    def __iter__(self) -> Iterator[History]:
        return iter(self._histories)

    @property
    def names(self) -> list[str]:
        """What was measured."""
        return list(dict.fromkeys(name for each in self._histories for name in each.history))

    @property
    def values(self) -> dict[str, np.ndarray]:
        """{"loss": (members, epochs) float64, ...}; NaN where a member has not measured it."""
        return {name: np.stack([self._row(each, name) for each in self._histories]) for name in self.names}

    @property
    def last(self) -> dict[str, np.ndarray]:
        """{"loss": (members,) float64, ...}: what each member measured in its own last epoch, or where its weights were put
        back to an earlier one, in that. NaN where it never measured it."""
        return {name: np.array([_at_the_end(each, name, kept) for each, kept in zip(self, self._kept, strict=True)])
                for name in self.names}

    @property
    def mean(self) -> dict[str, np.ndarray]:
        """{"loss": (epochs,), ...}: in each epoch the mean over the members that made it and measured this.

        Once members have stopped, it is the mean of those that are left, which are not like the others, and it may jump: how
        all members ended says `last`.
        """
        return self._by_epoch(np.mean)

    @property
    def spread(self) -> dict[str, np.ndarray]:
        """Like `mean`: the standard deviation, sqrt(mean((value - mean)^2)); NaN where one member is left, which has none."""
        return self._by_epoch(spread_of)

    def plot(self, metrics: Any = None, ax: Any = None, *, log: bool = False) -> Any:
        """The members' curves, faint, and their mean in a band of one spread: as `History.plot`, with its arguments."""
        return ensembles.curves(self, metrics, ax, log)

    def _repr_html_(self) -> str:
        """What a notebook shows: of every metric how the members ended, and the best mean of all. Needs no matplotlib."""
        return ensembles.of_histories(self)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={ensembles.told(values.mean(), spread_of(values))}" for name, values in self.last.items())
        return f"<{ensembles.titled(self)}{': ' + last if last else ''}>"

    def _row(self, history: History, name: str) -> np.ndarray:
        """A member's values over all epochs; of a metric that gives several numbers their mean."""
        row = np.full(len(self.epoch), np.nan)
        for epoch, value in zip(history.measured.get(name, ()), history.history.get(name, ()), strict=True):
            row[self.epoch.index(epoch)] = np.mean(value)
        return row

    def _by_epoch(self, reduce: Callable[[Any], Any]) -> dict[str, np.ndarray]:
        """{name: `reduce` over those members of each epoch that measured it}; NaN where none did."""
        over = lambda values, made: reduce(values[made]) if made.any() else np.nan
        made = {name: np.stack([np.isin(self.epoch, each.measured.get(name, ())) for each in self]) for name in self.names}
        return {name: np.array([over(*columns) for columns in zip(values.T, made[name].T, strict=True)])
                for name, values in self.values.items()}


def _at_the_end(history: History, name: str, kept: int | None) -> float:
    """A member's value in the epoch whose weights it kept; else its last."""
    measured = dict(zip(history.measured.get(name, ()), history.history.get(name, ()), strict=True))
    return float(np.mean(measured.get(kept, list(measured.values())[-1]))) if measured else np.nan
