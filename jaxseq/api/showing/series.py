"""What a History holds, as curves: for each metric a panel, with what was trained on and what was validated."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxseq.core.require import require_known

POINTS = 400        # that a curve has at most: more than its picture has columns


class Curve(NamedTuple):
    """epochs: counted from 1, (n,). values: (n, k) for a metric that gives k numbers."""

    label: str
    epochs: np.ndarray
    values: np.ndarray

    @property
    def is_validation(self) -> bool:
        """Whether it was measured on data that are not trained on."""
        return self.label.startswith("val_")


def panels(history: Any, metrics: Any = None) -> dict[str, list[Curve]]:
    """{metric: its curve, and that of val_metric}, in the order in which they were measured.

    metrics: the names of those to show, one or a list; a name brings its val_ along. None: all.
    """
    wanted = history.history if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
    for name in wanted:
        require_known(name, history.history, f"The History has no {name!r}.")
    found: dict[str, list[Curve]] = {}
    for name in history.history:
        bare = name.removeprefix("val_")
        if history.history[name] and (name in wanted or bare in wanted):
            found.setdefault(bare, []).append(_curve(history, name))
    return found


def _curve(history: Any, name: str) -> Curve:
    values = np.asarray(history.history[name], float)
    epochs = history.measured.get(name, history.epoch)
    epochs = epochs if len(epochs) == len(values) else range(len(values))       # joined by hand, as of two runs
    return Curve(name, np.asarray(epochs) + 1, values.reshape(len(values), -1))


def thinned(curve: Curve) -> Curve:
    """At most so many points as can be seen, the first and the last among them."""
    kept = np.unique(np.linspace(0, len(curve.epochs) - 1, POINTS).astype(int)) if len(curve.epochs) > POINTS else slice(None)
    return curve._replace(epochs=curve.epochs[kept], values=curve.values[kept])


def ticks(low: float, high: float, log: bool = False) -> list[float]:
    """A few round numbers from low to high: multiples of 1, 2 or 5 times a power of ten; of logarithms whole ones."""
    least = max((high - low) / 5, 1.0 if log and high - low >= 1.5 else 0.0)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - 1e-9))
    return [place * step for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
