"""A convnet on ten thousand small photographs, with and without pictures that are moved and mirrored as it trains.

    python examples/cifar10.py                  # CIFAR-10, downloaded once: its first ten thousand pictures
    python examples/cifar10.py FILE.npz         # x_train, y_train, x_test, y_test of a file
    python examples/cifar10.py FILE.npz --quick
"""

import sys
import time

import numpy as np

from jaxseq.datasets import cifar10
from jaxseq.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    RandomFlip,
    RandomTranslation,
    Rescaling,
)
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam
from jaxseq.optimizers.schedules import CosineDecay

QUICK = "--quick" in sys.argv
FILES = [each for each in sys.argv[1:] if not each.startswith("--")]
ROWS, EPOCHS, BATCH = (1_000, 1, 64) if QUICK else (10_000, 30, 64)

if FILES:
    with np.load(FILES[0]) as held:
        x, y, x_test, y_test = (held[name] for name in ("x_train", "y_train", "x_test", "y_test"))
else:
    (x, y), (x_test, y_test) = cifar10.load_data()
x, y = x[:ROWS], y[:ROWS]


def block(filters):
    return [Conv2D(filters, 3, padding="same", activation="relu"), BatchNormalization(), MaxPooling2D()]


def accuracy(*augmentation):
    """Of the test pictures, after training with what is done to the pictures before."""
    model = Sequential([
        Rescaling(1 / 255, input_shape=(32, 32, 3)),
        *augmentation,
        *block(32), *block(64), *block(128),
        GlobalAveragePooling2D(),
        Dense(10, activation="softmax"),
    ], seed=0)
    rate = CosineDecay(2e-3, decay_steps=EPOCHS * -(-ROWS // BATCH))
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS)
    return model.evaluate(x_test, y_test, batch_size=200, verbose=0)[1]


began = time.perf_counter()
augmented = accuracy(RandomFlip("horizontal"), RandomTranslation(0.1, 0.1))
seconds = time.perf_counter() - began
without = accuracy()
print(f"test accuracy {augmented:.4f} with pictures moved and mirrored, {without:.4f} without, after {EPOCHS} epochs each, "
      f"{seconds:.0f} s with them")
