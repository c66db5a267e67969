"""Draws on the host: each a pure function of (seed, pass, number of the image)."""

from __future__ import annotations

import functools
import secrets
from typing import Any

import numpy as np

from jaxseq.core import rng
from jaxseq.core.require import require

IMAGES = 1      # the second word of the generator's key: 0 is that of the orders of rows


def known_seed(seed: Any) -> int:
    """The seed as an int; one of the operating system's where there is none. ValueError for what is no seed."""
    if seed is None:
        return secrets.randbits(63)
    whole = hasattr(seed, "__index__") and not isinstance(seed, bool)
    require(whole and 0 <= int(seed) < 2**63, f"seed={seed!r}: write a whole number from 0 to 2**63 - 1, or None.")
    return int(seed)


def units(seed: int, pass_number: int, image: int, many: int) -> np.ndarray:
    """(many,) float64 in [0, 1). The words of Philox, which NumPy promises never to change."""
    key, counter = np.array([seed, IMAGES], np.uint64), np.array([0, image, pass_number, 0], np.uint64)
    return (np.random.Philox(key=key, counter=counter).random_raw(many) >> np.uint64(11)) * 2.0**-53


@functools.lru_cache(maxsize=8)
def order_of(seed: int, pass_number: int, rows: int) -> np.ndarray:
    """The order in which a pass visits its rows."""
    return rng.row_order((seed >> 32, seed & 0xFFFFFFFF), pass_number, rows)


def between(unit: float, low: float, high: float) -> float:
    """The number in [low, high) that a number in [0, 1) stands for."""
    return float(low + unit * (high - low))


def one_from(unit: float, values: Any) -> Any:
    """The one of the values that a number in [0, 1) stands for."""
    return values[int(unit * len(values))]
