"""How the members of an ensemble ended: a table with a row for each choice of settings, over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseq.api.ensemble.spread import spread_of
from jaxseq.api.monitoring import direction
from jaxseq.api.showing import ensembles
from jaxseq.core.require import require, require_known


class Row(NamedTuple):
    """settings: what they had in common. members: their numbers. mean, spread: {name: over them}; the spread of one is NaN."""

    settings: dict[str, Any]
    members: tuple[int, ...]
    mean: dict[str, float]
    spread: dict[str, float]


class Results(Sequence[dict[str, Any]]):
    """What every member measured in its last epoch, or where its weights were put back to an earlier one, in that.

    As a sequence, a dict for each member: its settings, "seed", and what it measured. So pandas.DataFrame(results) has a row
    for each member, and csv.DictWriter writes them. Where a setting is measured, too, as ReduceLROnPlateau does with the
    learning rate, the dict has what was set, and `last` what was measured.
    rows: one `Row` for each choice of settings, in the order of the sweep. last: {name: (members,) float64}.
    """

    def __init__(self, settings: list[dict[str, Any]], seeds: list[Any], last: dict[str, np.ndarray]):
        self.settings, self.seeds, self.last = settings, seeds, last
        alike: list[tuple[dict[str, Any], list[int]]] = []
        for number, chosen in enumerate(settings):
            home = next((members for other, members in alike if other == chosen), None)
            alike.append((chosen, [number])) if home is None else home.append(number)
        over = lambda reduce, members: {name: float(reduce(values[members])) for name, values in last.items()}
        self.rows = [Row(chosen, tuple(own), over(np.mean, own), over(spread_of, own)) for chosen, own in alike]

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, place: Any) -> Any:
        """The numbers of a member; of a slice, a list of them."""
        numbers = range(len(self))[place]
        return self._told(numbers) if isinstance(numbers, int) else list(map(self._told, numbers))

    def _told(self, number: int) -> dict[str, Any]:
        own = {**self.settings[number], "seed": self.seeds[number]}
        return own | {name: float(values[number]) for name, values in self.last.items() if name not in own}

    def best(self, monitor: str = "val_loss", mode: str = "auto") -> int:
        """The number of the member with the best value; NaN is the worst. mode: as in EarlyStopping.

        Raises: ValueError for what was not measured, and where every member's is NaN.
        """
        require_known(monitor, self.last, f"best({monitor!r}): the members have not measured it.")
        scores = self.last[monitor] * (-1 if direction(monitor, mode) == "max" else 1)
        require(not np.isnan(scores).all(), f"best({monitor!r}): it is NaN for every member.")
        return int(np.nanargmin(scores))

    def plot(self, metric: str = "val_loss", setting: str | None = None, ax: Any = None, *, log: bool = False) -> Any:
        """A metric over the values of a setting, a point for each member and a line through the means, by matplotlib.

        setting: the first of the sweep when absent. log: a logarithmic axis of the setting.
        Raises: ImportError without matplotlib; ValueError for names that there are not.
        """
        return ensembles.scores(self, metric, setting, ax, log)

    def _repr_html_(self) -> str:
        """What a notebook shows. Needs no matplotlib."""
        return ensembles.of_results(self)

    def __str__(self) -> str:
        head, rows = ensembles.cells(self)
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows])

    __repr__ = __str__
