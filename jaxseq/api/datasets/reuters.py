"""Reuters: 11,228 short news of 1987 as word numbers, of 46 topics, after Reuters-21578 by D. Lewis."""

from __future__ import annotations

from jaxseq.api.datasets import words
from jaxseq.api.datasets.fetch import fetch
from jaxseq.api.datasets.keras_files import published
from jaxseq.api.datasets.npz import lists, numbers
from jaxseq.api.datasets.shares import Pair, require_share, shuffler, split
from jaxseq.api.datasets.unpickled import column
from jaxseq.core.require import spelled

__all__ = ["get_label_names", "get_word_index", "load_data"]

# SHA-256 and MD5: Keras 3.
FILE = published("reuters.npz", "sha256:d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916", "text-datasets")
INDEX = published("reuters_word_index.json", "md5:4d44cc38712099c9e383dc6e5f11a921", "text-datasets")
TOPICS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude nat-gas
    cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel rubber heat jobs
    lei bop zinc orange pet-chem dlr gas silver wpi hog lead"""


@spelled
def load_data(path: str = "reuters.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              test_split: float = 0.2, seed: int = 113, start_char: int | None = 1, oov_char: int | None = 2,
              index_from: int | None = 3, nb_words: int | None = None) -> tuple[Pair, Pair]:
    """(x_train, y_train), (x_test, y_test): x object (8982,) and (2246,) of lists of word numbers; y int64 (n,), 0 to 45.

    Words are numbered as in `imdb.load_data`, which tells of the arguments. The last test_split of the rows are held out.
    Raises: ValueError for a maxlen that leaves nothing, a test_split outside [0, 1), or a seed outside [0, 2**32).
    """
    require_share(test_split)
    generator = shuffler(seed)
    place = fetch(FILE.called(path))
    (x,), (y,) = lists(place, "x"), numbers(place, "y")
    order = generator.permutation(len(x))
    rows, y = words.shorter(words.started(x[order], start_char, index_from), y[order], maxlen)
    return split(column(words.within(rows, nb_words or num_words, skip_top, oov_char)), y, test_split)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """{word: its number}. In `load_data` that number has index_from added to it."""
    return words.index(INDEX.called(path))


def get_label_names() -> tuple[str, ...]:
    """The 46 topics, in the order of their numbers."""
    return tuple(TOPICS.split())
