"""What an ensemble's fit shows: a line for each epoch, with the mean over the members and its spread."""

from __future__ import annotations

import time

import numpy as np

from jaxseq.api.ensemble.spread import spread_of
from jaxseq.api.ensemble.units import Measured
from jaxseq.api.showing.ensembles import counted


class Teller:
    """Called after each epoch with what the members measured that are still at work."""

    def __init__(self, epochs: int, count: int, visible: bool):
        self._epochs, self._count, self._visible = epochs, count, visible
        self._began = time.perf_counter()

    def __call__(self, epoch: int, measured: Measured) -> None:
        """Prints the line, where anything is to be shown."""
        seconds, self._began = time.perf_counter() - self._began, time.perf_counter()
        if self._visible:
            at_work = f"{len(measured)} of {counted(self._count, 'member')}"
            print(" - ".join([f"Epoch {epoch + 1}/{self._epochs}", f"{seconds:.2f}s", at_work, *_shares(measured)]), flush=True)


def _shares(measured: Measured) -> list[str]:
    """loss: 0.3010 ± 0.0100, of every number; one member has no spread."""
    names = next(iter(measured.values()), {})
    columns = {name: np.array([np.mean(logs[name]) for logs in measured.values() if name in logs]) for name in names}
    spread = {name: f" ± {spread_of(values):.4f}" if len(values) > 1 else "" for name, values in columns.items()}
    return [f"{name}: {values.mean():.4f}{spread[name]}" for name, values in columns.items()]
