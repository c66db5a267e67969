"""StringLookup and IntegerLookup: categories as numbers or rows, by a vocabulary that is written down or learned."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from jaxseq.api.preprocessing.bags import bags
from jaxseq.api.preprocessing.in_front import InFront
from jaxseq.api.preprocessing.vocabulary import Layout, Vocabulary, learned, written
from jaxseq.api.preprocessing.words import as_text, md5, values_of
from jaxseq.core.require import one_of, positive_int, require

OLD_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}


class Lookup(InFront):
    """What StringLookup, IntegerLookup and TextVectorization share: a vocabulary, and rows made of numbers of tokens.

    A subclass says what the documents, lists of tokens, in data are.
    """

    modes = "int", "one_hot", "multi_hot", "count", "tf_idf"

    def __init__(self, layout: Layout, output_mode: str, max_tokens: int | None, pad_to_max_tokens: bool, vocabulary: Any,
                 idf_weights: Any):
        self.output_mode, self.max_tokens, self.pad_to_max_tokens = output_mode, max_tokens, pad_to_max_tokens
        require(max_tokens is None or positive_int("max_tokens", max_tokens) > len(layout.special), f"max_tokens={max_tokens} "
                f"leaves no room for tokens: {layout.special} are counted, too.")
        require(max_tokens or not pad_to_max_tokens, "pad_to_max_tokens=True needs max_tokens=.")
        self._layout, self._vocabulary = layout, None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learns the vocabulary of the data anew: their most frequent tokens first, of two as frequent the one that sorts last.

        data: all of them, or an iterable of batches, of which the first `steps` are read. batch_size: accepted.
        """
        data = values_of(data)
        batches = [data] if isinstance(data, list | tuple | np.ndarray | str) else _batches(data, steps)
        documents = (document for batch in batches for document in self._documents(batch))
        self._vocabulary = learned(documents, self._layout, self.max_tokens)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their numbers; without those for padding and unknown tokens if it is to be."""
        tokens = [] if self._vocabulary is None else self._vocabulary.tokens
        return self._layout.special + tokens if include_special_tokens else list(tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """The tokens in order, or a text file with one in each line; for "tf_idf", their weights."""
        require((idf_weights is not None) == (self.output_mode == "tf_idf"), "idf_weights go with output_mode='tf_idf', and it "
                "with them.")
        kind = type(self._layout.unknown)
        terms = map(kind, _lines(vocabulary)) if isinstance(vocabulary, str | Path) else np.asarray(vocabulary).tolist()
        made = written([self._token(term) for term in terms], self._layout, idf_weights)
        size = len(self._layout.special) + len(made.tokens)
        require(self.max_tokens is None or size <= self.max_tokens, f"This vocabulary has {size} tokens with "
                f"{self._layout.special}, and max_tokens={self.max_tokens}.")
        self._vocabulary = made

    def vocabulary_size(self) -> int:
        """How many numbers there are, those for padding and unknown tokens included."""
        return len(self.get_vocabulary())

    def get_config(self) -> dict[str, Any]:
        """What the constructor was given, and the vocabulary that was learned since."""
        known = self._vocabulary
        return self._settings() | {
            "output_mode": self.output_mode, "max_tokens": self.max_tokens, "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary": None if known is None else self.get_vocabulary(),
            "idf_weights": None if known is None or known.idf is None or self.output_mode != "tf_idf" else known.idf.tolist()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The same again, with its vocabulary."""
        return cls(**config)

    @abstractmethod
    def _documents(self, data: Any) -> Iterable[Sequence[Any]]:
        """The tokens of each document in the data."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """The arguments of the constructor that are not of every Lookup."""

    @abstractmethod
    def _token(self, value: Any) -> Any:
        """A token in its own type; TypeError for what is none."""

    def _known(self) -> Vocabulary:
        require(self._vocabulary is not None, f"{type(self).__name__} has no vocabulary: call adapt(data), or write "
                "vocabulary=.", RuntimeError)
        return self._vocabulary     # pyright: ignore[reportReturnType]

    def _numbers(self, tokens: Iterable[Any]) -> list[int]:
        """The number of each token. One that is masked has 0, or is dropped."""
        number, layout = self._known().number, self._layout
        absent = lambda token: 0 if layout.mask is not None and token == layout.mask else self._unknown(token)
        kept = tokens if layout.mask is None or layout.masked else (token for token in tokens if token != layout.mask)
        return [number[token] if token in number else absent(token) for token in kept]

    def _unknown(self, token: Any) -> int:
        layout = self._layout
        require(layout.unknowns, f"{type(self).__name__}: {token!r} is not in the vocabulary. Write num_oov_indices=1 "
                "for a number of those that are not.")
        return layout.masked + (token if isinstance(token, int) else md5(token)) % layout.unknowns

    def _rows(self, documents: Iterable[Sequence[Any]]) -> np.ndarray:
        """(documents, width): 1, how often, or that times its weight, at the numbers of the tokens in each document."""
        numbers = [self._numbers(document) for document in documents]
        width = self.max_tokens if self.max_tokens and self.pad_to_max_tokens else self.vocabulary_size()
        bag, weights = bags(numbers, width), self._known().idf
        if self.output_mode == "tf_idf" and weights is not None:
            return bag.matrix((len(numbers), width), bag.times * weights[bag.column], np.float32)
        return bag.matrix((len(numbers), width), bag.times if self.output_mode == "count" else 1, np.int32)


class Categories(Lookup):
    """StringLookup and IntegerLookup: a lookup of every element of an array."""

    def __init__(self, layout: Layout, invert: bool, sparse: bool, output_mode: str, *rest: Any):
        output_mode = one_of("output_mode", OLD_MODES.get(output_mode, output_mode), self.modes)
        require(not sparse, "sparse=True: rows are dense arrays here.")
        require(not invert or output_mode == "int", "invert=True gives tokens for numbers: it goes with output_mode='int'.")
        self.invert = invert
        super().__init__(layout._replace(masked=layout.mask is not None and output_mode == "int"), output_mode, *rest)

    def __call__(self, data: Any) -> np.ndarray:
        """What stands for the tokens in an array.

        Shapes: (...) -> (...) int32 for "int"; (...) -> (..., width) for "one_hot", where an axis of 1 at the end makes room;
        (..., tokens) -> (..., width) for the others. With invert, (...) numbers -> (...) tokens.
        """
        x = np.asarray(data)
        if self.invert:
            return self._tokens(x)
        if self.output_mode == "int":
            return np.array(self._numbers(map(self._token, x.ravel().tolist())), np.int32).reshape(x.shape)
        each_alone = self.output_mode == "one_hot" and (x.ndim < 2 or x.shape[-1] != 1)
        x = x[..., None] if each_alone or not x.ndim else x
        rows = self._rows(self._by_row(x))
        return rows.reshape(*x.shape[:-1], rows.shape[-1])

    def _tokens(self, numbers: np.ndarray) -> np.ndarray:
        self._known()
        require(numbers.dtype.kind in "iu", f"{type(self).__name__}(invert=True) wants numbers of tokens, got {numbers.dtype}.")
        tokens = dict(enumerate(self.get_vocabulary()))
        found = [tokens.get(number, self._layout.unknown) for number in numbers.ravel().tolist()]
        return np.array(found, type(self._layout.unknown)).reshape(numbers.shape)

    def _documents(self, data: Any) -> list[list[Any]]:
        x = np.atleast_1d(np.asarray(data))
        return self._by_row(x if x.ndim > 1 else x[:, None])

    def _by_row(self, x: np.ndarray) -> list[list[Any]]:
        return [list(map(self._token, row)) for row in x.reshape(math.prod(x.shape[:-1]), x.shape[-1]).tolist()]

    def _settings(self) -> dict[str, Any]:
        return {"num_oov_indices": self._layout.unknowns, "mask_token": self._layout.mask, "oov_token": self._layout.unknown,
                "invert": self.invert}


class StringLookup(Categories):
    """Numbers for text that is one of some categories: those of the vocabulary in order, behind one for all others.

    num_oov_indices: how many numbers there are for others, chosen by their MD5; 0: they are an error.
    mask_token: what stands for nothing: number 0 for "int", dropped otherwise. oov_token: the name of the others.
    output_mode: "int"; "one_hot", "multi_hot", "count", "tf_idf": rows, see `__call__`. invert: tokens for numbers.
    max_tokens: the most there may be. pad_to_max_tokens: makes rows that wide.
    Source: as keras.layers.StringLookup, which hashes others by FarmHash64.
    """

    def __init__(self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: str | None = None,
                 oov_token: str = "[UNK]", vocabulary: Any = None, idf_weights: Any = None, invert: bool = False,
                 output_mode: str = "int", pad_to_max_tokens: bool = False, sparse: bool = False, encoding: str = "utf-8",
                 name: str | None = None):
        self.encoding, self.name = encoding, name
        super().__init__(Layout(mask_token, False, oov_token, num_oov_indices), invert, sparse, output_mode, max_tokens,
                         pad_to_max_tokens, vocabulary, idf_weights)

    def _token(self, value: Any) -> str:
        return as_text(value.decode(self.encoding) if isinstance(value, bytes) else value, type(self).__name__)

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"encoding": self.encoding, "name": self.name}


class IntegerLookup(Categories):
    """Numbers for whole numbers that are some categories; otherwise as StringLookup. Others go by value % num_oov_indices.

    Source: as keras.layers.IntegerLookup, with oov_method "floormod".
    """

    def __init__(self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: int | None = None,
                 oov_token: int = -1, vocabulary: Any = None, vocabulary_dtype: str = "int64", idf_weights: Any = None,
                 invert: bool = False, output_mode: str = "int", sparse: bool = False, pad_to_max_tokens: bool = False,
                 name: str | None = None):
        self.vocabulary_dtype, self.name = one_of("vocabulary_dtype", vocabulary_dtype, ("int32", "int64")), name
        super().__init__(Layout(mask_token, False, oov_token, num_oov_indices), invert, sparse, output_mode, max_tokens,
                         pad_to_max_tokens, vocabulary, idf_weights)

    def _token(self, value: Any) -> int:
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        require(whole, f"IntegerLookup wants whole numbers, got {value!r}.", TypeError)
        return int(value)

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"vocabulary_dtype": self.vocabulary_dtype, "name": self.name}


def _batches(data: Iterable[Any], steps: int | None) -> Iterator[Any]:
    """The first `steps` batches, or all."""
    for place, batch in enumerate(data):
        if place == steps:
            return
        require(not isinstance(batch, tuple), "adapt wants batches of x alone: write adapt(x for x, _ in data).", TypeError)
        yield batch


def _lines(path: str | Path) -> list[str]:
    """The lines of a text file, without their ends: newlines, in the way of any system. What else Unicode ends lines with is a
    part of a token."""
    with open(path, encoding="utf-8") as file:
        return [line.removesuffix("\n") for line in file]
