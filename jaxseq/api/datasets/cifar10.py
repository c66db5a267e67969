"""CIFAR-10: 60,000 photographs of 32 x 32 pixels in ten classes, by A. Krizhevsky, V. Nair and G. Hinton."""

from __future__ import annotations

import numpy as np

from jaxseq.api.datasets.cifar import Batch, batches
from jaxseq.api.datasets.fetch import Published, fetch
from jaxseq.api.datasets.shares import Pair

__all__ = ["load_data"]

# SHA-256: Keras 3. The aliases are Keras 3's and Keras 2's names.
FILE = Published("cifar-10-python.tar.gz", ("sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",),
                 ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
                 ("cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz"))
MEMBERS = tuple(f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"))


def load_data() -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x uint8 (50000, 32, 32, 3) and (10000, 32, 32, 3); y uint8 (n, 1), 0 to 9.

    The classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
    """
    *train, test = batches(fetch(FILE), MEMBERS, "labels")
    return _joined(train), _joined([test])


def _joined(parts: list[Batch]) -> Pair:
    labels = np.concatenate([np.array(labels, np.uint8) for _, labels in parts])
    return np.concatenate([images for images, _ in parts]), labels[:, None]
