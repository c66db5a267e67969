"""Callbacks: what a user may do at the edges of batches, epochs and runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from jaxseq.core.declared import number
from jaxseq.core.require import nearest, one_of, require

Logs = dict[str, Any]


class Callback:
    """A base of empty hooks, made to be subclassed.

    self.model: the model at work; it may be read, saved and set at any moment, for it stands at a whole step.
    self.params: {"epochs", "steps", "verbose", "batch_size", "samples", "metrics"}.
    A callback with a batch hook gets it at every step, with the running means of the epoch so far; the numbers of the
    run are the same bit for bit.
    """

    model: Any = None
    params: dict[str, Any]

    def __init__(self):
        self.params = {}

    def set_model(self, model: Any) -> None:
        """Called with the model before the first hook."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with the run's parameters before the first hook."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch of fit."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch of fit, however it ended."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch, with its logs, validation included. What is written into `logs` stands in the History."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for on_train_batch_end."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step, counted from 0 in its epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step, with the means of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_steps_end(self, done: int, logs: Logs | None = None) -> None:
        """After each dispatch, which makes one step or many: `done` steps of this epoch, evaluation or prediction.

        Unlike the batch hooks it does not slow the run down to one step per dispatch.
        """

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before evaluate, or a validation in fit."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After evaluate, or a validation in fit."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch was evaluated, with the means so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before predict."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After predict."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch was predicted, with {"outputs": its predictions}."""


class CallbackList:
    """The callbacks of one run, called in order."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]):
        self.callbacks = list(callbacks)
        for each in self.callbacks:
            require(isinstance(each, Callback), f"callbacks has {each!r}: write an instance of a subclass of "
                    "jaxseq.callbacks.Callback.", TypeError)
        for each in self.callbacks:
            each.set_params(params)
            each.set_model(model)

    def call(self, hook: str, *values: Any) -> None:
        """Calls one hook of every callback; an error names the callback and the hook."""
        for each in self.callbacks:
            _call(each, hook, *values)

    def wants(self, *hooks: str) -> bool:
        """Whether any callback has one of the hooks."""
        return any(getattr(type(each), hook) is not getattr(Callback, hook) or hook in vars(each)
                   for each in self.callbacks for hook in hooks)

    def run(self, what: str, body: Callable[[], Logs]) -> Logs:
        """on_<what>_begin, the body, on_<what>_end; every callback that began also ends, whatever happens."""
        begun: list[Callback] = []
        logs: Logs = {}
        try:
            for each in self.callbacks:
                begun.append(each)
                _call(each, f"on_{what}_begin", {})
            logs = body()
        finally:
            _call_all(begun, f"on_{what}_end", logs)
        return logs


def _call_all(callbacks: list[Callback], hook: str, *values: Any) -> None:
    """Calls the hook of all of them, in order, even when one raises; the last error carries those before as its context."""
    if callbacks:
        try:
            _call(callbacks[0], hook, *values)
        finally:
            _call_all(callbacks[1:], hook, *values)


def _call(callback: Callback, hook: str, *values: Any) -> None:
    try:
        getattr(callback, hook)(*values)
    except BaseException as error:
        error.add_note(f"In {hook} of the callback {type(callback).__name__}.")
        raise


class LambdaCallback(Callback):
    """A callback of loose functions: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Raises: TypeError for a hook that there is not.
    """

    def __init__(self, **hooks: Callable[..., Any] | None):
        super().__init__()
        known = {name for name in vars(Callback) if name.startswith("on_")}
        for hook, function in hooks.items():
            require(hook in known, f"LambdaCallback takes no argument {hook!r}." + nearest(hook, known), TypeError)
            if function is not None:
                require(callable(function), f"LambdaCallback({hook}={function!r}): write a function.", TypeError)
                setattr(self, hook, function)


class EarlyStopping(Callback):
    """Stops training when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    mode: "min", "max", or "auto": "max" for names that end in accuracy or acc (and their val_ forms), "min" for losses
        and error metrics; other names have to say which.
    baseline: a value to beat; until it is beaten an improvement does not reset the patience.
    restore_best_weights: at the end of training, put back the weights of the best epoch.
    start_from_epoch: the first epoch that counts.
    Raises: ValueError for a negative patience, and at the end of an epoch that does not measure `monitor`.
    Differs from Keras 3, which warns of the latter and goes on. stopped_epoch, best and best_epoch can be read afterwards.
    """

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0, mode: str = "auto",
                 baseline: float | None = None, restore_best_weights: bool = False, start_from_epoch: int = 0):
        super().__init__()
        number("EarlyStopping", "min_delta", min_delta)
        number("EarlyStopping", "patience", patience, least=0)
        self.monitor, self.min_delta, self.patience, self.verbose = monitor, abs(min_delta), patience, verbose
        self.sign = {"min": 1.0, "max": -1.0}[direction(monitor, mode)]
        self.baseline, self.restore_best_weights, self.start_from_epoch = baseline, restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait, self.stopped_epoch, self.best_epoch, self.best_weights = 0, 0, 0, None
        self.best = math.inf * self.sign

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        score = monitored(logs or {}, self.monitor, "EarlyStopping")
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_epoch, self.best_weights = epoch, self.model.get_weights()
        self.wait += 1
        if self._beats(score, self.best):
            self.best, self.best_epoch = score, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._beats(score, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring the weights of the best epoch, {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def _beats(self, score: float, other: float) -> bool:
        return self.sign * score + self.min_delta < self.sign * other


def direction(monitor: str, mode: str) -> str:
    """"min" or "max" for a monitored name; ValueError where "auto" cannot know."""
    one_of("mode", mode, ("auto", "min", "max"))
    if mode != "auto":
        return mode
    name = monitor.removeprefix("val_")
    if name.endswith(("acc", "accuracy", "auc", "precision", "recall", "f1_score")):
        return "max"
    smaller = ("loss", "error", "crossentropy", "mse", "mae", "mape", "msle", "ce", "bce")
    require(name.endswith(smaller), f"monitor={monitor!r}: is less or more of it better? Write mode='min' or mode='max'.")
    return "min"


def monitored(logs: Logs, name: str, who: str) -> float:
    """logs[name], or a ValueError that lists the names there are."""
    require(name in logs, f"{who} monitors {name!r}, which this run does not measure." + nearest(name, logs)
            + (" Pass validation_data or validation_split to fit." if name.startswith("val_") else ""))
    return logs[name]
