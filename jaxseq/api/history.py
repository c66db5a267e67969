"""History: what fit measured, epoch by epoch."""

from __future__ import annotations

from typing import Any

from jaxseq.api.callbacks import Callback
from jaxseq.api.progress import told


class History(Callback):
    """Records the logs of every epoch. `fit` returns it, and it stays at `model.history`.

    One that is passed to fit is the one it returns. Every run begins an empty one.

    history: {"loss": [one float per epoch], "accuracy": [...], "val_loss": [...]}, under the names the user wrote.
    epoch: the epochs' numbers, from initial_epoch on.
    """

    def __init__(self):
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.history, self.epoch = {}, []
        if self.model is not None:
            self.model.history = self

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={told(values[-1], '{:.4g}'.format)}" for name, values in self.history.items())
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"
