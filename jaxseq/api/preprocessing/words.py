"""Text taken apart into words, and words given numbers without a vocabulary."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from jaxseq.core.require import positive_int, require

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text: in small letters, with every character of `filters` as a `split`, taken apart at `split`.

    Source: as keras.preprocessing.text.text_to_word_sequence.
    """
    require(isinstance(split, str) and split, f"split={split!r}: write the text that stands between words, as ' '.")
    text = as_text(text, "text_to_word_sequence")
    parted = (text.lower() if lower else text).translate(str.maketrans(dict.fromkeys(filters, split)))
    return [word for word in parted.split(split) if word]


def one_hot(text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ",
            analyzer: Callable[[str], list[str]] | None = None) -> list[int]:
    """`hashing_trick` with its own hash, which is the same in every process; Keras uses Python's, which is not."""
    return hashing_trick(text, n, None, filters, lower, split, analyzer)


def hashing_trick(text: str, n: int, hash_function: Any = None, filters: str = FILTERS, lower: bool = True, split: str = " ",
                  analyzer: Callable[[str], list[str]] | None = None) -> list[int]:
    """For each word hash(word) % (n - 1) + 1: a number from 1 to n - 1, the same for some words that differ.

    hash_function: "md5" or None for MD5, the same in every process; or a function from a word to a whole number.
    analyzer: a function from the text to its words, in place of filters, lower and split.
    Source: Weinberger et al. 2009, arXiv:0902.2206; as keras.preprocessing.text.hashing_trick.
    """
    require(positive_int("n", n) >= 2, f"n={n!r}: write a whole number of at least 2; 0 is no word.")
    require(hash_function in (None, "md5") or callable(hash_function), f"hash_function={hash_function!r}: write None, 'md5' or "
            "a function from a word to a whole number.")
    number: Any = md5 if hash_function in (None, "md5") else hash_function
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [number(word) % (n - 1) + 1 for word in words]


def md5(word: str) -> int:
    """The MD5 of a word as a number of 128 bits."""
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def values_of(data: Any) -> Any:
    """The values of a pandas or polars object, row by row; anything else as it is.

    When one iterates over such a table, it gives the names of its columns.
    """
    return data.to_numpy() if hasattr(data, "to_numpy") else data


def as_text(value: Any, where: str) -> str:
    """`value` if it is text; TypeError for anything else."""
    cure = "Decode it: each.decode('utf-8')." if isinstance(value, bytes) else "Write text, or put '' where there is none."
    if not isinstance(value, str):
        raise TypeError(f"{where} wants text, got {value!r}. {cure}")
    return value
