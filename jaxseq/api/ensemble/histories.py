"""What the members of an ensemble measured, epoch by epoch: each one's History, and their mean and spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxseq.api.history import History
from jaxseq.api.showing import ensembles


class Histories(Sequence[History]):
    """One History for each member, in the members' order. `fit` of an ensemble returns it.

    epoch: the epochs' numbers, up to the last that any member made.
    """

    def __init__(self, histories: Sequence[History]):
        self._histories = tuple(histories)
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
    def mean(self) -> dict[str, np.ndarray]:
        """{"loss": (epochs,), ...} over the members that measured it in that epoch."""
        return {name: _over_members(np.mean, values) for name, values in self.values.items()}

    @property
    def spread(self) -> dict[str, np.ndarray]:
        """Like `mean`: the standard deviation, sqrt(mean((value - mean)^2)); 0 where one member is left."""
        return {name: _over_members(np.std, values) for name, values in self.values.items()}

    def plot(self, metrics: Any = None, ax: Any = None, *, log: bool = False) -> Any:
        """The members' curves, faint, and their mean in a band of one spread: as `History.plot`, with its arguments."""
        return ensembles.curves(self, metrics, ax, log)

    def _repr_html_(self) -> str:
        """What a notebook shows: of every metric the last and the best mean. Needs no matplotlib."""
        return ensembles.of_histories(self)

    def __repr__(self) -> str:
        spread = self.spread
        last = ", ".join(f"{name}={mean[-1]:.4g} ± {spread[name][-1]:.2g}" for name, mean in self.mean.items() if len(mean))
        return f"<Histories of {len(self)} members, {len(self.epoch)} epochs{': ' + last if last else ''}>"

    def _row(self, history: History, name: str) -> np.ndarray:
        """A member's values over all epochs; of a metric that gives several numbers their mean."""
        row = np.full(len(self.epoch), np.nan)
        for epoch, value in zip(history.measured.get(name, ()), history.history.get(name, ()), strict=True):
            row[self.epoch.index(epoch)] = np.mean(value)
        return row


def _over_members(reduce: Any, values: np.ndarray) -> np.ndarray:
    """`reduce` over those members of each epoch that are not NaN; NaN where all are."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([reduce(column) if len(column) else np.nan for column in columns])
