"""Texts as lists of word numbers: the reserved numbers are set before them, and rare or frequent words taken out."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from jaxseq.api.datasets.fetch import Published, fetch
from jaxseq.api.files.refusal import Source
from jaxseq.core.require import require

Rows = list[list[int]]


def started(rows: Iterable[list[int]], start_char: int | None, index_from: int | None) -> Rows:
    """Each row after start_char (None for none), its words counted from index_from."""
    first = [] if start_char is None else [start_char]
    return [first + [word + (index_from or 0) for word in row] for row in rows]


def shorter(rows: Rows, labels: np.ndarray, maxlen: int | None) -> tuple[Rows, np.ndarray]:
    """The rows of less than maxlen numbers, with their labels; all for None or 0. ValueError where none is left."""
    if not maxlen:
        return rows, labels
    kept = np.array([len(row) < maxlen for row in rows], bool)
    require(kept.any(), f"maxlen={maxlen!r} leaves no row: the shortest has {min(map(len, rows))} numbers.")
    return [row for row in rows if len(row) < maxlen], labels[kept]


def within(rows: Rows, num_words: int | None, skip_top: int, oov_char: int | None) -> Rows:
    """Rows in which a number is oov_char, or left out for None, unless skip_top <= number < num_words.

    num_words: None or 0 for the largest number there is; that one falls out, as in Keras.
    """
    end = num_words or max(map(max, filter(None, rows)))
    if oov_char is None:
        return [[word for word in row if skip_top <= word < end] for row in rows]
    return [[word if skip_top <= word < end else oov_char for word in row] for row in rows]


def index(file: Published) -> dict[str, int]:
    """{word: its number}, from a JSON file."""
    path = fetch(file)
    source = Source(path)
    with source.readable("this is no JSON", ValueError, RecursionError), open(path, encoding="utf-8") as content:
        found = json.load(content)
    source.require(isinstance(found, dict) and all(type(number) is int for number in found.values()),
                   "does not give a number to each word.")
    return found
