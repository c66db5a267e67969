"""What a run shows of itself: a bar where someone watches, one plain line per epoch where nobody does."""

from __future__ import annotations

import sys
import time
from typing import Any

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.history import told
from jaxseq.core.require import one_of


def reporters(verbose: Any, *, alone: bool = False) -> list[Callback]:
    """The callbacks that report: verbose 0 nothing, 1 (or True, or "auto") a bar, 2 one line per epoch.

    alone: for evaluate and predict outside of fit. A bar becomes plain lines when the output is not a terminal or a
    notebook.
    """
    one_of("verbose", verbose, ("auto", 0, 1, 2))
    if verbose == 0:
        return []
    if verbose == 2 or not _watched():
        return [Lines(alone)]
    return [Bar(alone)]


def formatted(logs: Logs) -> str:
    """loss: 0.3010 - accuracy: 0.8750; very small and very large numbers with an exponent."""
    return " - ".join(f"{name}: {told(value, _number)}" for name, value in logs.items())


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4e}"


def _watched() -> bool:
    return sys.stdout.isatty() or _in_notebook()


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


class Lines(Callback):
    """One line when an epoch, an evaluation or a prediction is over."""

    def __init__(self, alone: bool = False):
        super().__init__()
        self._alone = alone

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        seconds = time.perf_counter() - self._began
        print(f"Epoch {epoch + 1}/{self.params['epochs']} - {_duration(seconds)} - {formatted(logs or {})}", flush=True)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self._alone:
            self._began = time.perf_counter()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self._alone:
            print(f"{self.params['steps']} steps - {_duration(time.perf_counter() - self._began)} - {formatted(logs or {})}",
                  flush=True)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._began = time.perf_counter()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        print(f"{self.params['steps']} steps - {_duration(time.perf_counter() - self._began)}", flush=True)


class Bar(Lines):
    """The same lines, and tqdm's bar while an epoch, an evaluation or a prediction runs. What stays is plain text."""

    _bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._open(f"Epoch {epoch + 1}/{self.params['epochs']}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._close()
        super().on_epoch_end(epoch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        super().on_test_begin(logs)
        if self._alone:
            self._open("Evaluate")
        else:
            self._close()                                   # a validation in fit: its epoch's line follows

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._close()
        super().on_test_end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        super().on_predict_begin(logs)
        self._open("Predict")

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._close()
        super().on_predict_end(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()                                       # only open still when the run broke off

    def on_steps_end(self, done: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(formatted(logs or {}), refresh=False)
            self._bar.update(done - self._bar.n)

    def _open(self, title: str) -> None:
        from tqdm import tqdm

        self._close()
        self._bar = tqdm(desc=title, total=self.params["steps"], file=sys.stdout, dynamic_ncols=True, mininterval=0.1,
                         leave=False, bar_format="{desc} {bar:12} {n_fmt}/{total_fmt} {elapsed}{postfix}")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _duration(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"
