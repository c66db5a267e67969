"""Handwritten digits: 1797 images of 8 x 8 pixels, from the UCI Machine Learning Repository.

Each pixel counts the black dots in a block of 4 x 4, so it is a whole number from 0 to 16. The images are those of
scikit-learn's `load_digits`, in its order. Source and licence (CC BY 4.0): DIGITS_LICENSE.txt, beside this file.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from jaxseq.core.require import require, spelled

__all__ = ["load_data"]

FILE = Path(__file__).with_name("digits.npz")
SHA256 = "0c2aff3ad3efa4c983d74435f40847c3f2dea3c33f362c61616f7b067d84c8fe"

_MEND = "The package is damaged. Reinstall it: pip install --force-reinstall --no-deps jaxseq."

Pair = tuple[np.ndarray, np.ndarray]


@spelled
def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x uint8 (n, 8, 8), values 0 to 16; y uint8 (n,), classes 0 to 9.

        (x_train, y_train), (x_test, y_test) = digits.load_data()
        x_train, x_test = x_train / 16, x_test / 16

    The rows are put in an order that follows from `seed` alone, and the last `test_split` of them are the test set:
    with the defaults 1437 rows to train on and 360 to test. The same writers are in both.
    Raises: ValueError for a test_split outside [0, 1), a seed outside [0, 2**64), or a data file that has changed;
    FileNotFoundError when it is missing.
    """
    require(0 <= test_split < 1, f"test_split={test_split!r}: write the share of the rows to hold out, such as 0.2.")
    order = _row_order(seed)
    images, labels = _read()
    train, test = np.split(order, [int(len(order) * (1 - test_split))])
    return (images[train], labels[train]), (images[test], labels[test])


def _row_order(seed: int) -> np.ndarray:
    """The order of the rows: stable argsort of one Philox word for each.

    NumPy promises that the words of a bit generator never change; of Generator.permutation it does not.
    """
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= int(seed) < 2**64, f"seed={seed!r}: write a whole number from 0 to 2**64 - 1.")
    words = np.random.Philox(key=int(seed)).random_raw(1797)
    return np.argsort(words, kind="stable")


def _read() -> Pair:
    """images (1797, 8, 8) and labels (1797,), both uint8, from the file, after its checksum is checked."""
    require(FILE.is_file(), f"{FILE} is missing. {_MEND}", FileNotFoundError)
    content = FILE.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    require(found == SHA256, f"{FILE} has changed: its SHA-256 should be {SHA256}, and is {found}. {_MEND}")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return arrays["images"], arrays["labels"]
