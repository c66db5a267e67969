"""History: what fit measured, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxseq.api.callbacks import Callback


class History(Callback):
    """Records the logs of every epoch. `fit` returns it, and it stays at `model.history`.

    history: {"loss": [one float per epoch], "accuracy": [...], "val_loss": [...]}, under the names the user wrote.
    epoch: the epochs' numbers, from initial_epoch on.
    """

    def __init__(self):
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={told(values[-1], '{:.4g}'.format)}" for name, values in self.history.items())
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"


def told(value: Any, number: Callable[[float], str]) -> str:
    """A measured number, or the numbers of a metric that gives several, each as `number` writes it."""
    return number(float(value)) if np.ndim(value) == 0 else "[" + ", ".join(told(each, number) for each in value) + "]"
