"""ModelCheckpoint: the model in a file after every epoch, or when it has become better."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.files import keras_zip
from jaxseq.api.files.atomic import make_folder
from jaxseq.api.files.methods import model_path, weights_path
from jaxseq.api.monitoring import SIGNS, direction, monitored
from jaxseq.core.declared import number
from jaxseq.core.require import nearest, positive_int, require


class ModelCheckpoint(Callback):
    """Saves the model at the end of an epoch: as a `.keras` file, or its weights alone.

    filepath: a name with {epoch}, counted from 1, {batch} with a save_freq in batches, and whatever the epoch measured:
        "model.{epoch:02d}-{val_loss:.2f}.keras". Folders that are missing are made.
    save_weights_only: `.weights.h5` (Keras 3's, with the optimizer's state), `.h5` or `.hdf5` (Keras 2's).
    save_best_only: only when `monitor` is better than ever before, in this fit and in earlier ones of the same callback.
        mode: as in EarlyStopping. initial_value_threshold: a value to beat.
    save_freq: "epoch", or after so many batches, over the ends of epochs. period: Keras 2's; after every so many epochs.
    Every file stands for a whole step, and the one before it is whole until the new one is.

    Raises: ValueError for a name whose ending does not say what to write; at the end of an epoch that does not measure
        `monitor`, or what the name asks for; before the first step for a model that cannot be written down.
    Source: as keras.callbacks.ModelCheckpoint; the seventh argument by place is Keras 3's, and Keras 2's period is a word.
        Differs from Keras 3, which saves whatever it is where `monitor` is not measured, and takes NaN for the best there is
        when it comes first.
    """

    def __init__(self, filepath: Any, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False,
                 save_weights_only: bool = False, mode: str = "auto", save_freq: str | int = "epoch",
                 initial_value_threshold: float | None = None, period: int = 1):
        super().__init__()
        self.filepath = weights_path(filepath) if save_weights_only else model_path(filepath)
        self.monitor, self.verbose = monitor, verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.period, self._waited = positive_int("ModelCheckpoint(period)", period), 0
        if save_best_only:
            self._sign = SIGNS[direction(monitor, mode)]
        if initial_value_threshold is not None:
            number("ModelCheckpoint", "initial_value_threshold", initial_value_threshold)
        self.best = initial_value_threshold
        self.save_freq: Any = save_freq
        if save_freq != "epoch":
            self._count_batches()

    @property
    def writes_to(self) -> Any:
        """The file, with the names that are filled in."""
        return self.filepath

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """What would fail after an epoch fails now: a folder that cannot be written to, a model without a description."""
        if not self.save_weights_only:
            keras_zip.described(self.model)
        folder = Path(self.filepath).parent
        if "{" not in str(folder):
            make_folder(folder)
            require(os.access(folder, os.W_OK), f"ModelCheckpoint cannot write to the folder {str(folder)!r}.", PermissionError)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._waited += 1
        if self.save_freq == "epoch" and self._waited >= self.period:
            self._waited = 0
            self._save(logs or {}, {"epoch": epoch + 1})

    def _count_batches(self) -> None:
        """Takes the hook of every batch, which keeps the run to one step per dispatch."""
        every = positive_int("ModelCheckpoint(save_freq)", self.save_freq)
        require(self.period == 1, "ModelCheckpoint: save_freq counts batches and period epochs: write one of them.")
        require(not self.save_best_only or not self.monitor.startswith("val_"), f"ModelCheckpoint(save_freq={every}, "
                f"monitor={self.monitor!r}): a validation follows epochs, not batches. Write save_freq='epoch', or "
                f"monitor={self.monitor.removeprefix('val_')!r}.")
        self.save_freq, self._batches = every, 0
        self.on_train_batch_end = self._after_batch         # type: ignore[method-assign]

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(logs or {}, {"epoch": self._epoch + 1, "batch": batch + 1})

    def _save(self, logs: Logs, place: dict[str, int]) -> None:
        """Saves the model, with save_best_only where it is the best; the best of all is one that lies in a file."""
        score = monitored(self, logs) if self.save_best_only else None
        if self.save_best_only and not self._is_best(score, place["epoch"]):
            return
        path = self._path(place | logs)
        make_folder(Path(path).parent)
        went = "" if score is None else f"{self.monitor} went from {self._best_so_far} to {score:.5f}, "
        self._say(f"Epoch {place['epoch']}: {went}saving {path}")
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path)
        self.best = self.best if score is None else score

    def _is_best(self, score: float | None, epoch: int) -> bool:
        """Whether the score is better than all before it; None, of an epoch without a validation, is not."""
        if score is None:
            return False
        better = not math.isnan(score) and (self.best is None or self._sign * score < self._sign * self.best)
        if not better:
            self._say(f"Epoch {epoch}: {self.monitor} is {score:.5f}, not better than {self._best_so_far}")
        return better

    @property
    def _best_so_far(self) -> str:
        return "nothing" if self.best is None else f"{self.best:.5f}"

    def _path(self, names: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            name = str(error.args[0])
            raise ValueError(f"ModelCheckpoint({self.filepath!r}) asks for {name!r}, which this run does not measure."
                             + nearest(name, names)) from None

    def _say(self, line: str) -> None:
        if self.verbose > 0:
            print(line)
