"""Windows of a long series, as batches that are cut out when they are asked for."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.batches import Batches, order
from jaxseq.core.require import positive_int, require


class TimeseriesGenerator(Batches):
    """Batches (windows, targets): the `length` steps before each target, every `sampling_rate`-th of them.

    Shapes: data (steps, ...), targets (steps, ...) -> x (batch, length / sampling_rate, ...), y (batch, ...).
    stride: steps between two windows. start_index, end_index: the first step and the last that are used.
    shuffle: the windows in another order, each once, drawn once from `seed`; None for a new one.
    reverse: the last step first.
    Raises: ValueError for data and targets of different lengths, and where not one window fits.
    Source: as keras.preprocessing.sequence.TimeseriesGenerator, where `shuffle` draws windows with repetition from the global
    generator, and JSON that is read begins `length` steps later.
    """

    def __init__(self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1, start_index: int = 0,
                 end_index: int | None = None, shuffle: bool = False, reverse: bool = False, batch_size: int = 128, *,
                 seed: int | None = None):
        self.data, self.targets = np.asarray(data), np.asarray(targets)
        require(len(self.data) == len(self.targets), f"TimeseriesGenerator: data has {len(self.data)} steps, targets "
                f"{len(self.targets)}. Each step needs its target.")
        self.length, self.sampling_rate = positive_int("length", length), positive_int("sampling_rate", sampling_rate)
        self.stride, self.shuffle, self.reverse, self.seed = positive_int("stride", stride), shuffle, reverse, seed
        last = len(self.data) - 1
        self.start_index, self.end_index = start_index + self.length, last if end_index is None else end_index
        require(start_index >= 0 and self.start_index <= self.end_index <= last, f"TimeseriesGenerator: no window fits. From "
                f"start_index={start_index} {length} steps and a target must come before end_index={self.end_index}, and data "
                f"ends with step {last}.")
        steps = np.arange(-self.length, 0, self.sampling_rate)
        self._steps = steps[::-1] if reverse else steps
        rows = np.arange(self.start_index, self.end_index + 1, self.stride)
        super().__init__(self._cut, rows[order(len(rows), seed)] if shuffle else rows, positive_int("batch_size", batch_size))

    def _cut(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.data[rows[:, None] + self._steps], self.targets[rows]

    def get_config(self) -> dict[str, Any]:
        """Everything that was given; data and targets as JSON."""
        return {"data": json.dumps(self.data.tolist()), "targets": json.dumps(self.targets.tolist()), "length": self.length,
                "sampling_rate": self.sampling_rate, "stride": self.stride, "start_index": self.start_index - self.length,
                "end_index": self.end_index, "shuffle": self.shuffle, "reverse": self.reverse, "batch_size": self.batch_size,
                "seed": self.seed}

    def to_json(self, **words: Any) -> str:
        """`get_config` as JSON. words: for json.dumps."""
        return json.dumps({"class_name": "TimeseriesGenerator", "config": self.get_config()}, **words)


def timeseries_generator_from_json(json_string: str) -> TimeseriesGenerator:
    """The generator that `to_json` described."""
    config = json.loads(json_string)["config"]
    return TimeseriesGenerator(**config | {part: json.loads(config[part]) for part in ("data", "targets")})


def timeseries_dataset_from_array(data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1,
                                  sampling_rate: int = 1, batch_size: int | None = 128, shuffle: bool = False,
                                  seed: int | None = None, start_index: int | None = None, end_index: int | None = None,
                                  format: str = "tf") -> Batches:
    """Batches (windows, targets), where a window begins at a step and the target is that of the same step.

    Shapes: data (steps, ...), targets (steps, ...) or shorter -> x (batch, sequence_length, ...), y (batch, ...). Without
    targets, x alone. batch_size=None: one window at a time, without a batch axis.
    sequence_stride: steps between two windows. sampling_rate: steps between two of a window.
    start_index, end_index: the first step that is used, and the first that is not.
    shuffle: the windows in another order, drawn once from `seed`; `fit` puts the batches in another order in every epoch.
    format: accepted; a jaxseq.utils.Sequence comes all the same.
    Raises: ValueError where not one window fits.
    Source: as keras.utils.timeseries_dataset_from_array, which gives a tf.data.Dataset.
    """
    data, targets = np.asarray(data), None if targets is None else np.asarray(targets)
    length, rate = positive_int("sequence_length", sequence_length), positive_int("sampling_rate", sampling_rate)
    stride, first = positive_int("sequence_stride", sequence_stride), start_index or 0
    end = len(data) if end_index is None else end_index
    require(0 <= first < end <= len(data), f"start_index={start_index}, end_index={end_index}: write places in data of "
            f"{len(data)} steps, the first before the second.")
    reach = (length - 1) * rate
    rows = np.arange(first, min(end - reach, end if targets is None else len(targets)), stride)
    require(len(rows), f"timeseries_dataset_from_array: no window fits. sequence_length={length}, sampling_rate={rate} reach "
            f"over {reach + 1} steps, there are {end - first}" + ("." if targets is None else f", and {len(targets)} targets."))
    steps = np.arange(0, reach + 1, rate)
    cut = lambda rows: data[rows[:, None] + steps] if targets is None else (data[rows[:, None] + steps], targets[rows])
    return Batches(cut, rows[order(len(rows), seed)] if shuffle else rows, batch_size)
