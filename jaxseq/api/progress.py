"""What a run shows of itself: a bar where someone watches, one plain line per epoch where nobody does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.core.require import one_of, require

BAR = "{desc}{bar:12} {n_fmt}/{total_fmt} {elapsed}{postfix}"
COUNT = "{desc}{n_fmt} {unit}s {elapsed}{postfix}"       # where nobody knows how many there will be


def shown(verbose: Any) -> bool:
    """Whether anything is to be shown: verbose 0 (or False) nothing, 1 (True, "auto") a bar, 2 a line. ValueError else."""
    return one_of("verbose", verbose, ("auto", 0, 1, 2)) != 0


def formatted(logs: Logs) -> str:
    """loss: 0.3010 - accuracy: 0.8750; very small and very large numbers with an exponent."""
    return " - ".join(f"{name}: {told(value, _number)}" for name, value in logs.items())


def told(value: Any, number: Any) -> str:
    """A measured number, or the numbers of a metric that gives several, each as `number` writes it."""
    return number(float(value)) if np.ndim(value) == 0 else "[" + ", ".join(told(each, number) for each in value) + "]"


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4e}"


def _duration(seconds: float) -> str:
    if seconds >= 60:
        return f"{int(seconds) // 60}m {int(seconds) % 60}s"
    return f"{seconds:.1f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _line(*parts: str) -> None:
    """One line for good."""
    print(" - ".join(part for part in parts if part), flush=True)


def _watched() -> bool:
    return sys.stdout.isatty() or in_notebook()


def in_notebook() -> bool:
    """Whether a notebook runs this: what is displayed there may be drawn anew in its place."""
    shell = sys.modules.get("IPython")
    return shell is not None and "ZMQInteractiveShell" in {kind.__name__ for kind in type(shell.get_ipython()).__mro__}


class _Bar:
    """tqdm's bar while it is open; nothing is left of it."""

    def __init__(self, title: str, total: int | None, unit: str = "step", interval: float = 0.1, width: int = 12):
        from tqdm import tqdm

        form = BAR.replace("12", str(width)) if total else COUNT
        self.tqdm = tqdm(desc=title, total=total, file=sys.stdout, dynamic_ncols=True, mininterval=interval, leave=False,
                         bar_format=form, unit=unit)

    def move_to(self, done: int, logs: Logs) -> None:
        """So many are done, and this was measured."""
        self.tqdm.set_postfix_str(formatted(logs), refresh=False)
        self.tqdm.update(done - self.tqdm.n)

    def close(self) -> None:
        self.tqdm.close()


class ProgbarLogger(Callback):
    """What `verbose` shows: one line when an epoch, an evaluation or a prediction is over, and a bar until then.

    fit, evaluate and predict add it themselves; one that is passed takes that one's place in the order of the callbacks.
    count_mode: what the bar counts, "steps" or "samples". stateful_metrics: accepted; all that is shown is a mean over the
    rows already. The bar is for verbose=1 and for someone who watches: a terminal or a notebook.
    Differs from Keras in the form of the lines.
    """

    for_all = True

    def __init__(self, count_mode: str = "steps", stateful_metrics: Iterable[str] | None = None):
        super().__init__()
        self.count_mode = one_of("count_mode", count_mode, ("steps", "samples"))
        self._bar: _Bar | None = None
        self._in_fit, self._began, self._done = False, 0.0, 0
        self._total: int | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._total = params.get("steps")

    def state_dict(self) -> dict[str, Any]:
        return {}                                           # what is shown begins anew

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False
        self._close()                                       # only open still when the run broke off

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._open(self._epoch(epoch))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._total = self._total or self._done or None     # an epoch that ended by itself says how long the next one is
        self._end(self._epoch(epoch), logs or {})

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self._in_fit:
            self._close()                                   # a validation: its epoch's line follows
        else:
            self._open("Evaluate")

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._end(f"{self._done} steps", logs or {})

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._open("Predict")

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(f"{self._done} steps", {})

    def on_steps_end(self, done: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.move_to(self._counted(done), {name: value for name, value in (logs or {}).items() if name != "outputs"})
        if self._bar is not None or not self._in_fit:
            self._done = done

    def _epoch(self, epoch: int) -> str:
        return f"Epoch {epoch + 1}/{self.params['epochs']}"

    def _counted(self, steps: int) -> int:
        """The steps, or their rows."""
        if self.count_mode == "steps" or not self.params.get("batch_size"):
            return steps
        rows = steps * self.params["batch_size"]
        return min(rows, self.params.get("samples") or rows)

    def _open(self, title: str) -> None:
        self._close()
        self._began, self._done = time.perf_counter(), 0
        if self.params.get("verbose", 1) in (1, "auto") and _watched():
            total = None if self._total is None else self._counted(self._total)
            self._bar = _Bar(f"{title} ", total, self.count_mode.removesuffix("s"))

    def _end(self, title: str, logs: Logs) -> None:
        self._close()
        if self.params.get("verbose", 1):
            _line(title, _duration(time.perf_counter() - self._began), formatted(logs))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Progbar:
    """A bar for a loop of one's own, which shows the means of what it is told.

        bar = Progbar(100)
        for step in range(100):
            bar.add(1, [("loss", loss)])

    target: the number of units; None: not known. width: of the bar, in characters. verbose: 0 nothing, 1 a bar and then a
    line, 2 the line. interval: seconds between two looks. unit_name: of what is counted.
    stateful_metrics: names that are shown as they are. stateless_metrics: instead, the only ones that are averaged.
    The line comes with the last unit, or with finalize=True. Where nobody watches there is the line alone.
    Source: as keras.utils.Progbar. Differs from Keras 3, which shows the last value, and not the mean, in the end.
    """

    def __init__(self, target: int | None, width: int = 20, verbose: Any = 1, interval: float = 0.05,
                 stateful_metrics: Iterable[str] | None = None, stateless_metrics: Iterable[str] | None = None,
                 unit_name: str = "step"):
        require(stateful_metrics is None or stateless_metrics is None, "Progbar: stateful_metrics are shown as they are, and "
                "stateless_metrics alone are averaged: write one of them.")
        self.target, self.width, self.interval, self.unit_name = target, width, interval, unit_name
        self._visible, self._verbose = shown(verbose), verbose
        self._stateful = None if stateful_metrics is None else set(stateful_metrics)
        self._stateless = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[Any, float]] = {}
        self._seen, self._began = 0, time.perf_counter()
        self._bar: _Bar | None = None

    def update(self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None) -> None:
        """`current` units are done. values: (name, value over the units since the last update), ..."""
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0)) if self._averages(name) else (0.0, 0)
            new = max(current - self._seen, 1)
            self._sums[name] = total + np.asarray(value, float) * new, count + new
        self._seen = current
        if self._visible:
            last = self.target is not None and current >= self.target if finalize is None else finalize
            self._show({name: total / count for name, (total, count) in self._sums.items()}, last)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """`n` more units are done."""
        self.update(self._seen + n, values)

    def _averages(self, name: str) -> bool:
        return name in self._stateless if self._stateless is not None else name not in (self._stateful or ())

    def _show(self, means: Logs, last: bool) -> None:
        if self._verbose != 2 and not last and _watched():
            self._bar = self._bar or _Bar("", self.target, self.unit_name, self.interval, self.width)
            self._bar.move_to(self._seen, means)
        if last:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            seconds = time.perf_counter() - self._began
            of = "" if self.target is None else f"/{self.target}"
            _line(f"{self._seen}{of}", f"{_duration(seconds)} {_duration(seconds / max(self._seen, 1))}/{self.unit_name}",
                  formatted(means))
