"""What is trained on and what is held out: rows in Keras's order for a seed, and split by a share."""

from __future__ import annotations

import numpy as np

from jaxseq.core.require import require

Pair = tuple[np.ndarray, np.ndarray]


def shuffler(seed: int) -> np.random.RandomState:
    """A generator of its own that gives Keras's orders: NumPy has frozen what RandomState draws from a seed."""
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= int(seed) < 2**32, f"seed={seed!r}: write a whole number from 0 to 2**32 - 1.")
    return np.random.RandomState(int(seed))


def require_share(test_split: float) -> None:
    """ValueError for a test_split outside [0, 1)."""
    require(0 <= test_split < 1, f"test_split={test_split!r}: write the share of the rows to hold out, such as 0.2.")


def split(x: np.ndarray, y: np.ndarray, test_split: float) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): the last `test_split` of the rows are held out."""
    place = int(len(x) * (1 - test_split))
    return (x[:place], y[:place]), (x[place:], y[place:])
