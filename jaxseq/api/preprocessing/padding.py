"""Sequences of many lengths as one array."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxseq.core.require import one_of, require, spelled


@spelled
def pad_sequences(sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre",
                  truncating: str = "pre", value: Any = 0.0) -> np.ndarray:
    """Every sequence as a row of `maxlen` steps: filled up with `value`, or cut off, where `padding` and `truncating` say.

    Shapes: n sequences of (steps, ...) -> (n, maxlen, ...). maxlen: None for the steps of the longest.
    dtype: of the result. Text needs dtype=object.
    Raises: ValueError for what is no sequence, steps of different shapes, and numbers that a whole `dtype` would cut.
    Source: as keras.utils.pad_sequences, which cuts fractions off.
    """
    one_of("padding", padding, ("pre", "post"))
    one_of("truncating", truncating, ("pre", "post"))
    if not isinstance(sequences, Iterable) or isinstance(sequences, str):
        raise ValueError(f"pad_sequences({sequences!r}): write a list of sequences.")
    _require_text_type(value, np.dtype(dtype), "value")
    _require_kept(value, np.dtype(dtype))
    rows = [_row(each, place, np.dtype(dtype)) for place, each in enumerate(sequences)]
    steps = max(map(len, rows), default=0) if maxlen is None else _length(maxlen)
    shape = next((row.shape[1:] for row in rows if len(row)), ())
    padded = np.full((len(rows), steps, *shape), value, dtype)
    for place, row in enumerate(rows):
        require(not len(row) or row.shape[1:] == shape, f"pad_sequences: the steps of sequences[{place}] have shape "
                f"{row.shape[1:]}, those before it {shape}.")
        kept = min(len(row), steps)
        if kept:
            part = row[len(row) - kept:] if truncating == "pre" else row[:kept]
            padded[place, slice(steps - kept, None) if padding == "pre" else slice(kept)] = part
    return padded


def _row(sequence: Any, place: int, dtype: np.dtype) -> np.ndarray:
    """One sequence as an array of dtype."""
    several = hasattr(sequence, "__len__") and not isinstance(sequence, str | bytes) and np.ndim(sequence) > 0
    if not several:             # and nothing is printed of the thousands that are
        raise ValueError(f"pad_sequences: sequences[{place}] is {sequence!r}: write a list of steps.")
    given = np.asarray(sequence, object if dtype.kind == "O" else None)
    if given.size:
        _require_text_type(given.item(0), dtype, f"sequences[{place}]")
    with np.errstate(invalid="ignore"):             # NaN as a whole number: refused below
        row = given.astype(dtype)
    changed = given[row != given].tolist() if dtype.kind in "iu" else []
    require(not changed, f"pad_sequences: sequences[{place}] holds {changed[:1]}, which {dtype.name!r} cannot hold. Write "
            "another dtype=, such as 'float32'.")
    return row


def _require_text_type(value: Any, dtype: np.dtype, where: str) -> None:
    require(not isinstance(value, str | bytes) or dtype.kind in "OUST", f"pad_sequences: {where} holds text, "
            f"{value!r}, and dtype is {dtype.name!r}. Write dtype=object, or make numbers of the words: "
            "Tokenizer().texts_to_sequences(texts).")


def _require_kept(value: Any, dtype: np.dtype) -> None:
    whole = dtype.kind in "iu" and np.ndim(value) == 0
    kept = not whole or np.isfinite(value) and int(value) == value and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    require(kept, f"pad_sequences(value={value!r}, dtype={dtype.name!r}): the one cannot be kept as the other. Write another "
            "dtype=, such as 'float32', or another value=.")


def _length(maxlen: Any) -> int:
    whole = hasattr(maxlen, "__index__") and not isinstance(maxlen, bool)
    require(whole and int(maxlen) >= 0, f"maxlen={maxlen!r}: write a whole number of at least 0.")
    return int(maxlen)
