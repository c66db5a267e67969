"""What do checkpoints cost? The 784-512-512 perceptron with one every 100 steps, in turns with the same run without any.

    python benchmarks/checkpoints.py [--rounds 9] [--epochs 3] [--every 100] [--folder DIR]

Both train in one process with the same programs, one after the other, and each round changes the order. A round's ratio is
seconds with checkpoints / seconds without. The state has three numbers for each of 669,706 weights; an epoch 469 steps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from contestants import keras_words
from workloads import RMSPROP, WORKLOADS, data

from jaxseq import layers, optimizers
from jaxseq.callbacks import BackupAndRestore
from jaxseq.models import Sequential

WORKLOAD = WORKLOADS["mlp"]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--epochs", type=int, default=3)
    words.add_argument("--every", type=int, default=100)
    words.add_argument("--folder", type=Path, help="on the disk that is to be measured; the default is the system's own for "
                       "temporary files")
    how = words.parse_args()
    with tempfile.TemporaryDirectory(dir=how.folder) as folder:
        ratios = measured(Path(folder), how.rounds, how.epochs, how.every)
    print(f"with a checkpoint every {how.every} steps / without: {median(ratios):.3f} (from {min(ratios):.3f} to "
          f"{max(ratios):.3f}, {how.rounds} rounds of {how.epochs} epochs)")


def measured(folder: Path, rounds: int, epochs: int, every: int) -> list[float]:
    """The ratio of every round."""
    model, (x, y) = built(), data(WORKLOAD)
    seconds(model, x, y, 1, [])                                     # compiles
    ratios = []
    for number in range(rounds):
        turns = {"with": [BackupAndRestore(folder / str(number), save_freq=every)], "without": []}
        order = turns if number % 2 else reversed(turns)
        took = {name: seconds(model, x, y, epochs, turns[name]) for name in order}
        ratios.append(took["with"] / took["without"])
        print(f"round {number + 1}: {took['with']:.2f} s with, {took['without']:.2f} s without")
    return ratios


def built() -> Sequential:
    parts = [keras_words.layer(part, layers, stateful=False) for part in WORKLOAD.parts]
    model = Sequential([layers.Input(WORKLOAD.shape), *parts], seed=0)
    model.compile(optimizers.RMSprop(**RMSPROP), "categorical_crossentropy", metrics=["accuracy"])
    return model


def seconds(model: Sequential, x, y, epochs: int, callbacks: list) -> float:
    began = time.perf_counter()
    model.fit(x, y, batch_size=WORKLOAD.batch, epochs=epochs, verbose=0, callbacks=callbacks)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
