"""Callbacks that watch a number: EarlyStopping, ReduceLROnPlateau, TerminateOnNaN."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.rates import require_rate
from jaxseq.core.declared import number
from jaxseq.core.require import one_of, require, require_known

SIGNS = {"min": 1.0, "max": -1.0}       # what a score is multiplied with so that less is better


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
        self.sign = SIGNS[direction(monitor, mode)]
        self.baseline, self.restore_best_weights, self.start_from_epoch = baseline, restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait, self.stopped_epoch, self.best_epoch, self.best_weights = 0, 0, 0, None
        self.best = math.inf * self.sign

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        score = monitored(self, logs or {})
        if score is None or epoch < self.start_from_epoch:
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


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    mode: as in EarlyStopping. cooldown: epochs after a reduction in which nothing is counted. min_lr: never below it.
    epsilon: Keras 2's older name of min_delta.
    The rate that an epoch was trained with stands in the History as "learning_rate".
    Raises: ValueError for a factor of 1 or more, and at the end of an epoch that does not measure `monitor`; TypeError when
        training begins with an optimizer that follows a schedule.
    Source: as keras.callbacks.ReduceLROnPlateau. No program is compiled anew: the rate stands in the optimizer's state.
    """

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: str = "auto",
                 min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0, *, epsilon: float | None = None):
        super().__init__()
        min_delta = min_delta if epsilon is None else epsilon
        require(0 < factor < 1, f"ReduceLROnPlateau(factor={factor!r}): write a number between 0 and 1, such as 0.1.")
        for argument, value in ("patience", patience), ("cooldown", cooldown), ("min_lr", min_lr), ("min_delta", min_delta):
            number("ReduceLROnPlateau", argument, value, least=0)
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr
        self.sign = SIGNS[direction(monitor, mode)]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require_rate(self.model)
        self.wait, self.cooling, self.best = 0, 0, math.inf * self.sign

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        score = monitored(self, logs)
        logs["learning_rate"] = self.model.learning_rate
        if score is None:
            return
        if self.cooling > 0:
            self.cooling, self.wait = self.cooling - 1, 0
        if self.sign * score < self.sign * self.best - self.min_delta:
            self.best, self.wait = score, 0
        elif self.cooling == 0:
            self.wait += 1
            if self.wait >= self.patience and np.float32(self.model.learning_rate) > np.float32(self.min_lr):
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        self.model.learning_rate = rate = max(self.model.learning_rate * self.factor, self.min_lr)
        self.cooling, self.wait = self.cooldown, 0
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: the learning rate is now {rate:.4g}")


class TerminateOnNaN(Callback):
    """Stops training when a step gives NaN or infinity, says in which layer, and leaves the model before that step.

    Loss and weights are looked at after every dispatch, which is some 50 ms of steps, and so do not slow the run down.
    """

    def on_not_finite(self, message: str) -> None:
        print(message)


HIGHER = ("acc", "accuracy", "auc", "precision", "recall", "f1_score", "fbeta_score", "r2_score", "specificity", "sensitivity",
          "similarity", "correlation", "iou", "io_u")
LOWER = ("loss", "error", "crossentropy", "mse", "mae", "mape", "msle", "ce", "bce", "hinge", "poisson", "logcosh", "log_cosh",
         "divergence")


def direction(monitor: str, mode: str) -> str:
    """"min" or "max" for a monitored name; ValueError where "auto" cannot know. accuracy_1 is told by accuracy."""
    one_of("mode", mode, ("auto", "min", "max"))
    if mode != "auto":
        return mode
    known = known_direction(monitor)
    require(known is not None, f"monitor={monitor!r}: is less or more of it better? Write mode='min' or mode='max'.")
    return str(known)


def known_direction(name: str) -> str | None:
    """Whether "min" or "max" of what is called so is the best; None where the name does not say."""
    name = re.sub(r"_\d+$", "", name)
    return "max" if name.endswith(HIGHER) else "min" if name.endswith(LOWER) else None


def monitored(callback: Any, logs: Logs) -> float | None:
    """What the callback monitors; None after an epoch without a validation. ValueError where the run never measures it."""
    name, who = callback.monitor, type(callback).__name__
    if name not in logs and callback.params.get("do_validation") and name.removeprefix("val_") in logs:
        return None
    cure = " Pass validation_data or validation_split to fit." if name.startswith("val_") else ""
    require_known(name, logs, f"{who} monitors {name!r}, which this run does not measure.", cure=cure)
    return logs[name]
