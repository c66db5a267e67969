"""History: what fit measured, epoch by epoch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from jaxseq.api.callbacks import Callback
from jaxseq.api.environment import environment
from jaxseq.api.files import plain_json, regular
from jaxseq.api.files.atomic import replacing
from jaxseq.api.files.refusal import Source
from jaxseq.api.progress import told
from jaxseq.api.showing import curves, plots
from jaxseq.core.require import spelled


class History(Callback):
    """Records the logs of every epoch. `fit` returns it, and it stays at `model.history`.

    One that is passed to fit is the one it returns. Every run begins an empty one.

    history: {"loss": [one float per epoch], "accuracy": [...], "val_loss": [...]}, under the names the user wrote.
    epoch: the epochs' numbers, from initial_epoch on. measured: {name: those after which it was measured}.
    run: what the numbers follow from: the model's seed, the data (shapes, and a hash of some of their rows), how they were gone
        through, versions and device, and hashes of all of training `before` and `after`.
    """

    def __init__(self):
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.run: dict[str, Any] = {}
        self.measured: dict[str, list[int]] = {}

    def save(self, path: Any) -> None:
        """Writes history, epoch, measured and run as JSON, as a whole or not at all."""
        told = {"history": self.history, "epoch": self.epoch, "run": self.run, "measured": self.measured}
        with replacing(path) as file:
            file.write(json.dumps(told, default=_plain, indent=1).encode())

    @classmethod
    def load(cls, path: Any) -> History:
        """The History that was saved. FileRejected for a file that is none."""
        source = Source(path)
        content = regular.content(source, path, plain_json.LARGEST, links=True)
        told = plain_json.parsed(source, "the History", content, numbers=True)
        source.require(is_history(told), "is no History: that has lists by name, the numbers of epochs, and a run.")
        self = cls()
        self.history, self.epoch, self.run = told["history"], told["epoch"], told["run"]
        self.measured = told.get("measured", {})
        return self

    @spelled
    def plot(self, metrics: Any = None, ax: Any = None, *, log: bool = False) -> Any:
        """The curves over the epochs, counted from 1: a picture of matplotlib's with a panel for each metric and its val_.

        metrics: names, one or a list; None: all. ax: axes that all are drawn into; they are returned. log: a logarithmic scale.
        The picture shows itself in a notebook, and has savefig; pyplot does not know it, so nothing has to be closed.
        Raises: ImportError without matplotlib; ValueError for a name that was not measured.
        """
        return plots.of_history(self, metrics, ax, log)

    def _repr_html_(self) -> str:
        """What a notebook shows: the curves, the last values and the best. Needs no matplotlib."""
        return curves.of_history(self)

    def on_run_begin(self, fit: Any) -> None:
        self.run = begun(fit)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.run:
            self.run["after"] = self.model.fingerprint()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.history, self.epoch, self.run, self.measured = {}, [], {}, {}
        if self.model is not None:
            self.model.history = self

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self.measured.setdefault(name, []).append(epoch)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={told(values[-1], '{:.4g}'.format)}" for name, values in self.history.items())
        return f"<History of {len(self.epoch)} epochs{': ' + last if last else ''}>"


_FORM = {"history": dict, "epoch": list, "run": dict}


def is_history(told: dict[str, Any]) -> bool:
    """Whether these are the attributes of a History."""
    if {each: type(told.get(each)) for each in _FORM} != _FORM or not _counts_epochs(told.get("measured", {})):
        return False
    named = all(type(name) is str and type(values) is list for name, values in told["history"].items())
    return named and {int} >= {*map(type, told["epoch"])}


def _counts_epochs(measured: Any) -> bool:
    """Whether it is a list of whole numbers by every name. A file from before there was one has none."""
    return type(measured) is dict and all(type(name) is str and type(epochs) is list and {int} >= {*map(type, epochs)}
                                          for name, epochs in measured.items())


def begun(fit: Any) -> dict[str, Any]:
    """What a fit begins with."""
    plan, seed = fit.plan, fit.model.seed
    return {"seed": seed if isinstance(seed, int) else "a key", "data": plan.train.told(),
            "validation": None if plan.valid is None else plan.valid.told(),
            "epochs": [plan.epochs.start, plan.epochs.stop], "steps_per_epoch": plan.steps,
            "environment": environment(), "before": fit.model.fingerprint()}


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as JSON can hold them."""
    return np.asarray(value).tolist()
