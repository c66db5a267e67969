"""Sparse matrices as x: rows that are made dense where a batch needs them, and nowhere else.

SciPy is not imported: what can be turned into its compressed rows tells so by `tocsr`.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np


class SparseRows:
    """A column whose rows lie in a compressed sparse matrix. Its shape, dtype and bytes are those of the dense one."""

    def __init__(self, matrix: Any):
        self._matrix = matrix
        self.shape: tuple[int, ...] = tuple(map(int, matrix.shape))
        self.ndim, self.dtype = len(self.shape), np.dtype(matrix.dtype)
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> SparseRows:
        return SparseRows(self._matrix[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(f"A sparse matrix {self.shape} is made dense batch by batch, and here it is needed as a whole: pass "
                        "x.toarray().")

    @property
    def stored(self) -> np.ndarray:
        """The numbers that are written down, row after row."""
        return self._matrix.data

    def place(self, number: int) -> tuple[int, int]:
        """Row and column of one of the numbers that are written down."""
        return int(np.searchsorted(self._matrix.indptr, number, "right")) - 1, int(self._matrix.indices[number])

    def dense(self) -> np.ndarray:
        """All rows, as an array."""
        return self._matrix.toarray()

    def take(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Writes those rows into `out`."""
        self._matrix[rows].toarray(out=out)


def is_sparse(data: Any) -> bool:
    """Whether `data` are a sparse matrix, or already its rows."""
    return isinstance(data, SparseRows) or hasattr(data, "tocsr") and hasattr(data, "toarray")


def dense(column: Any) -> Any:
    """The column itself, or the array that sparse rows stand for."""
    return column.dense() if isinstance(column, SparseRows) else column


def compressed(data: Any, values: Any) -> SparseRows:
    """Rows of `data`, any sparse matrix, with its numbers in the dtype that the function `values` gives them."""
    matrix = data.tocsr()
    return SparseRows(type(matrix)((values(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape))
