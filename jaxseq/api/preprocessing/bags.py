"""Which numbers stand in each of many sequences, and how often: bags of words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from jaxseq.core.require import require


class Bags(NamedTuple):
    """The numbers that stand in each sequence, once each: all arrays (pairs,), ordered by row, then by column.

    row: which sequence. column: which number. times: how often it stands there. length: of that sequence, dropped ones too.
    """

    row: np.ndarray
    column: np.ndarray
    times: np.ndarray
    length: np.ndarray

    def matrix(self, shape: tuple[int, int], values: Any, dtype: Any = np.float64) -> np.ndarray:
        """(sequences, width) of 0, with `values` at the pairs."""
        x = np.zeros(shape, dtype)
        x[self.row, self.column] = values
        return x


def bags(sequences: Iterable[Iterable[int]], width: int) -> Bags:
    """The bags of sequences of whole numbers; those of `width` and more are dropped. ValueError for others below 0."""
    rows = [list(each) for each in sequences]
    length = np.array([len(row) for row in rows], np.int64)
    numbers = np.array(list(chain.from_iterable(rows)))
    require(numbers.dtype.kind in "iu" or not numbers.size, f"These sequences hold {numbers.dtype}: write whole numbers, as "
            "texts_to_sequences(texts) gives them.")
    numbers = numbers.astype(np.int64)
    require(not numbers.size or numbers.min() >= 0, f"There is no word {numbers.min(initial=0)}: they are counted from 0.")
    row, known = np.repeat(np.arange(len(rows)), length), numbers < width
    place, times = np.unique(row[known] * width + numbers[known], return_counts=True)
    row, column = place // width, place % width
    return Bags(row, column, times, length[row])
