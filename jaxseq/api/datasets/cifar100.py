"""CIFAR-100: 60,000 photographs of 32 x 32 pixels in 100 classes or 20 of a coarser kind, by A. Krizhevsky."""

from __future__ import annotations

import numpy as np

from jaxseq.api.datasets.cifar import batches
from jaxseq.api.datasets.fetch import Published, fetch
from jaxseq.api.datasets.shares import Pair
from jaxseq.core.require import one_of

__all__ = ["load_data"]

# SHA-256: Keras 3. The aliases are Keras 3's and Keras 2's names.
FILE = Published("cifar-100-python.tar.gz", ("sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",),
                 ("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
                 ("cifar-100-python-target_archive", "cifar-100-python.tar.gz"))
MEMBERS = "cifar-100-python/train", "cifar-100-python/test"


def load_data(label_mode: str = "fine") -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x uint8 (50000, 32, 32, 3) and (10000, 32, 32, 3); y int64 (n, 1).

    label_mode: "fine" for classes 0 to 99, "coarse" for 0 to 19.
    """
    one_of("label_mode", label_mode, ("fine", "coarse"))
    found = batches(fetch(FILE), MEMBERS, f"{label_mode}_labels")
    train, test = ((images, np.array(labels, np.int64)[:, None]) for images, labels in found)
    return train, test
