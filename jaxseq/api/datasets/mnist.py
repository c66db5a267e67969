"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, by Y. LeCun and C. Cortes (CC BY-SA 3.0), from NIST's forms."""

from __future__ import annotations

from jaxseq.api.datasets.fetch import fetch
from jaxseq.api.datasets.keras_files import published
from jaxseq.api.datasets.npz import numbers
from jaxseq.api.datasets.shares import Pair

__all__ = ["load_data"]

# SHA-256: Keras 3.
FILE = published("mnist.npz", "sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1", "img-datasets")


def load_data(path: str = "mnist.npz") -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x uint8 (60000, 28, 28) and (10000, 28, 28), 0 to 255; y uint8 (n,), 0 to 9.

    path: its name in the cache, or a whole path.
    """
    x_train, y_train, x_test, y_test = numbers(fetch(FILE.called(path)), "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
