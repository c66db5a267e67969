"""What is trained: seven models, the data, and the floating-point operations of a step. NumPy only; all contestants share it.

Every contestant trains with dropout, measures the accuracy besides the loss, and sees the rows in a fresh order in every
epoch (not where the model is stateful).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Part, Pool, Shape

SGD = {"learning_rate": 0.01, "decay": 1e-6, "momentum": 0.9}           # nesterov; rate = learning_rate / (1 + decay step)
RMSPROP = {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7}
PRODUCT = 2048              # rows and columns of the matrices whose product measures what the machine can do


@dataclass(frozen=True)
class Workload:
    """shape: of one row. optimizer: "sgd" or "rmsprop". epochs: how many make a round; the same for every contestant."""

    name: str
    shape: Shape
    parts: tuple[Part, ...]
    optimizer: str
    batch: int
    rows: int
    epochs: int
    stateful: bool = False

    @property
    def steps(self) -> int:
        """Steps of one epoch; the last one may be smaller."""
        return -(-self.rows // self.batch)

    @property
    def last(self) -> Dense:
        """The layer that predicts."""
        part = self.parts[-1]
        assert isinstance(part, Dense)
        return part

    @property
    def binary(self) -> bool:
        """One probability and binary crossentropy, or else one-hot classes and categorical crossentropy."""
        return self.last.units == 1

    @property
    def words(self) -> int | None:
        """The number of different ids, where x is ids."""
        return self.parts[0].words if isinstance(self.parts[0], Embedding) else None

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products and convolutions of one full training step.

        A multiply-add is two operations. Each product is made three times: forward, for the gradient by the weights, and
        for that by the input; but where the input is the data itself, which nothing learned precedes, only twice.
        """
        total, shape, learned_before = 0, self.shape, False
        for part in self.parts:
            times = 3 if learned_before else 2
            total += times * part.products(shape) + 3 * part.inner_products(shape)
            learned_before, shape = learned_before or part.learns, part.after(shape)
        return 2 * self.batch * total


def data(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """x (rows, *shape) float32, or int32 ids; y one-hot (rows, classes) or (rows, 1), float32. The same at every call."""
    rng = np.random.default_rng(0)
    size = (workload.rows, *workload.shape)
    x = rng.standard_normal(size, np.float32) if workload.words is None else rng.integers(0, workload.words, size, np.int32)
    if workload.binary:
        return x, rng.integers(0, 2, (workload.rows, 1)).astype(np.float32)
    classes = workload.last.units
    return x, np.eye(classes, dtype=np.float32)[rng.integers(0, classes, workload.rows)]


TEN = Dense(10, "softmax")
ONE = Dense(1, "sigmoid")
LSTMS = (LSTM(32, sequences=True), LSTM(32, sequences=True), LSTM(32), TEN)

WORKLOADS = {workload.name: workload for workload in (
    Workload("guide-mlp", (20,), (Dense(64, "relu"), Dropout(0.5), Dense(64, "relu"), Dropout(0.5), TEN),
             "sgd", batch=128, rows=12_800, epochs=50),
    Workload("mlp", (784,), (Dense(512, "relu"), Dropout(0.2), Dense(512, "relu"), Dropout(0.2), TEN),
             "rmsprop", batch=128, rows=60_000, epochs=1),
    Workload("vgg", (100, 100, 3), (
        Conv(2, 32, 3), Conv(2, 32, 3), Pool(2, 2), Dropout(0.25),
        Conv(2, 64, 3), Conv(2, 64, 3), Pool(2, 2), Dropout(0.25),
        Flatten(), Dense(256, "relu"), Dropout(0.5), TEN),
             "sgd", batch=32, rows=128, epochs=1),
    Workload("lstm", (80,), (Embedding(1024, 256), LSTM(128), Dropout(0.5), ONE), "rmsprop", batch=16, rows=640, epochs=2),
    Workload("conv1d", (64, 100), (
        Conv(1, 64, 3), Conv(1, 64, 3), Pool(1, 3), Conv(1, 128, 3), Conv(1, 128, 3), Average(), Dropout(0.5), ONE),
             "rmsprop", batch=16, rows=1_600, epochs=3),
    Workload("stacked-lstm", (8, 16), LSTMS, "rmsprop", batch=64, rows=6_400, epochs=8),
    Workload("stateful-lstm", (8, 16), LSTMS, "rmsprop", batch=32, rows=3_200, epochs=12, stateful=True),
)}
