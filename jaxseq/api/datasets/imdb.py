"""IMDB: 50,000 reviews of films as word numbers, half of them favourable, by A. Maas and others (ACL 2011)."""

from __future__ import annotations

from jaxseq.api.datasets import words
from jaxseq.api.datasets.fetch import fetch
from jaxseq.api.datasets.keras_files import published
from jaxseq.api.datasets.npz import lists, numbers
from jaxseq.api.datasets.shares import Pair, shuffler
from jaxseq.api.datasets.unpickled import column
from jaxseq.core.require import spelled

__all__ = ["get_word_index", "load_data"]

# SHA-256 and MD5: Keras 3.
FILE = published("imdb.npz", "sha256:69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f", "text-datasets")
INDEX = published("imdb_word_index.json", "md5:bfafd718b763782e994055a2d397834f", "text-datasets")


@spelled
def load_data(path: str = "imdb.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              seed: int = 113, start_char: int | None = 1, oov_char: int | None = 2, index_from: int | None = 3,
              nb_words: int | None = None) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x object (25000,), a list of word numbers in each; y int64 (n,), 1 for favourable.

    Words are counted from 1, the most frequent, plus index_from; 0 is left free for padding. num_words, skip_top: numbers
    outside [skip_top, num_words) become oov_char; nb_words is num_words in old programs. maxlen: rows of so many numbers or
    more are left out. The order is Keras's for the seed.
    Raises: ValueError for a maxlen that leaves nothing, or a seed outside [0, 2**32).
    """
    generator = shuffler(seed)
    place = fetch(FILE.called(path))
    parts = []
    for x, y in zip(lists(place, "x_train", "x_test"), numbers(place, "y_train", "y_test"), strict=True):
        order = generator.permutation(len(x))
        parts.append(words.shorter(words.started(x[order], start_char, index_from), y[order], maxlen))
    (x_train, y_train), (x_test, y_test) = parts
    x = column(words.within(x_train + x_test, nb_words or num_words, skip_top, oov_char))
    return (x[:len(x_train)], y_train), (x[len(x_train):], y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """{word: its number}. In `load_data` that number has index_from added to it."""
    return words.index(INDEX.called(path))
