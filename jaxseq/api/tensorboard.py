"""TensorBoard: what a run measured, in the files that the program of that name shows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api import weights
from jaxseq.api.callbacks import Callback, Logs
from jaxseq.core.require import require


class TensorBoard(Callback):
    """Writes what TensorBoard shows: the measured numbers and the learning rate by epoch, evaluations by updates made.

    log_dir: a folder; training goes to its subfolder train, validation to validation.
    histogram_freq: every so many epochs histograms of the weights; 0: none. write_images: then also the weights as pictures.
    update_freq: "epoch", "batch", or a number of steps after which the running means are written, too; they come at the end
        of the dispatch in which that step falls. write_steps_per_second: of each epoch.
    batch_size, write_graph, profile_batch: accepted; there is no graph here, and `fit(profile=folder)` traces programs.
    write_grads, embeddings_freq: not here; a warning says so.
    Raises: ImportError without the package tensorboardX, with the line that installs it.
    """

    for_all = True

    def __init__(self, log_dir: Any = "logs", histogram_freq: int = 0, batch_size: int | None = None, write_graph: bool = True,
                 write_grads: bool = False, write_images: bool = False, write_steps_per_second: bool = False,
                 update_freq: int | str = "epoch", profile_batch: Any = 0, embeddings_freq: int = 0,
                 embeddings_layer_names: Any = None, embeddings_metadata: Any = None, embeddings_data: Any = None):
        super().__init__()
        require(update_freq in ("epoch", "batch") or isinstance(update_freq, int) and update_freq >= 1,
                f"TensorBoard(update_freq={update_freq!r}): write 'epoch', 'batch', or a number of steps.")
        for argument, value in ("write_grads", write_grads), ("embeddings_freq", embeddings_freq):
            if value:
                warnings.warn(f"TensorBoard({argument}={value!r}): jaxseq does not write these.", stacklevel=2)
        self.log_dir, self.histogram_freq, self.write_images = Path(log_dir), histogram_freq, write_images
        self.write_steps_per_second = write_steps_per_second
        self.every: Any = {"epoch": 0, "batch": 1}.get(update_freq, update_freq)  # pyright: ignore[reportArgumentType]
        self._writers: dict[str, Any] = {}
        self._training = False

    @property
    def writes_to(self) -> Any:
        """The folder."""
        return self.log_dir

    def state_dict(self) -> dict[str, Any]:
        """The steps at which something was written; clocks and open files are made anew."""
        return {name: vars(self)[name] for name in ("_written", "_first") if name in vars(self)}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._training, self._written = True, int(self.model.train_state.step)

    def on_steps_end(self, done: int, logs: Logs | None = None) -> None:
        step = int(self.model.train_state.step)
        if self._training and self.every and step - self._written >= self.every:
            self._written = step
            for name, value in _scalars(logs or {}):
                self._writer("train").add_scalar(f"batch_{name}", value, step)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began, self._first = time.perf_counter(), int(self.model.train_state.step)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        numbers = {**(logs or {}), **self._about_the_run()}
        for name, value in _scalars(numbers):
            where = "validation" if name.startswith("val_") else "train"
            self._writer(where).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for name, value in weights.by_path(self.model.params):
                self._write_weight(name, np.asarray(value), epoch)
        self._flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        for name, value in _scalars(logs or {}):
            step = int(self.model.train_state.step)
            self._writer("validation").add_scalar(f"evaluation_{name}_vs_iterations", value, step)
        if self._training:
            self._flush()
        else:
            self._close()

    def _about_the_run(self) -> Logs:
        """The learning rate, where there is one, and the speed of the epoch, where it is asked for."""
        rate = getattr(self.model.optimizer, "learning_rate", None)
        steps = int(self.model.train_state.step) - self._first
        speed = {"steps_per_second": steps / (time.perf_counter() - self._began)} if self.write_steps_per_second else {}
        return speed if rate is None else {"learning_rate": float(rate), **speed}

    def _write_weight(self, name: str, value: np.ndarray, epoch: int) -> None:
        self._writer("train").add_histogram(name, value, epoch)
        if self.write_images:
            self._writer("train").add_image(f"{name}/image", _picture(value), epoch, dataformats="HW")

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False
        self._close()

    def _close(self) -> None:
        """Waits until all is written, which a flush does not."""
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, name: str) -> Any:
        """The writer of a subfolder, opened when it is first needed."""
        if name not in self._writers:
            try:
                from tensorboardX import SummaryWriter
            except ImportError as error:
                raise ImportError("TensorBoard writes with tensorboardX: pip install 'jaxseq[tensorboard]'.") from error
            own = f".{time.time_ns()}"          # of one second's files the last would take the place of the others
            self._writers[name] = SummaryWriter(str(self.log_dir / name), filename_suffix=own)
        return self._writers[name]


def _scalars(logs: Logs) -> Iterator[tuple[str, float]]:
    """Every single number: those of a metric that gives several are called name_0, name_1."""
    for name, value in logs.items():
        for place, number in np.ndenumerate(np.asarray(value)):
            yield "_".join([name, *map(str, place)]), float(number)


def _picture(weight: np.ndarray) -> np.ndarray:
    """A weight as one grey picture (height, width) of 0 to 1, wider than high: axes before the last one lie in a column."""
    flat = weight.reshape(-1, *weight.shape[-1:] or (1,)).astype(np.float32)
    flat = flat.T if flat.shape[0] > flat.shape[1] else flat
    low, high = flat.min(), flat.max()
    return (flat - low) / max(high - low, np.finfo(np.float32).tiny)
