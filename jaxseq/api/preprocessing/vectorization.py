"""TextVectorization: texts as numbers of their words, or as rows that count them, by a vocabulary it learns."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.lookup import OLD_MODES, Lookup
from jaxseq.api.preprocessing.padding import pad_sequences
from jaxseq.api.preprocessing.vocabulary import Layout
from jaxseq.api.preprocessing.words import as_text, values_of
from jaxseq.core.require import one_of, positive_int, require

_BARE = str.maketrans("", "", string.punctuation)
STANDARDS: dict[Any, Callable[[str], str]] = {
    None: lambda text: text, "lower": str.lower, "strip_punctuation": lambda text: text.translate(_BARE),
    "lower_and_strip_punctuation": lambda text: text.lower().translate(_BARE)}
SPLITS: dict[Any, Callable[[str], list[str]]] = {"whitespace": str.split, "character": list}


class TextVectorization(Lookup):
    """Texts as numbers of their words. It stands in front of a model: called on text it gives an array.

        vectorize = TextVectorization(max_tokens=10000, output_sequence_length=200)
        vectorize.adapt(texts)
        model = Sequential([Embedding(10000, 32, mask_zero=True), LSTM(32), Dense(1, activation="sigmoid")])
        model.fit(vectorize(texts), y)

    A text is made plain (standardize), taken apart (split), its pieces are put together (ngrams), and looked up. Number 0 is
    for padding, '', and 1 for all words that are not known, '[UNK]'; in the modes other than "int" 0 is for the latter.
    max_tokens: the most numbers there may be. vocabulary, idf_weights: as `set_vocabulary` takes them; else call `adapt`.
    standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None, or a function of an array of texts.
    split: "whitespace", "character", None, or a function of an array of texts that gives a list of tokens for each.
    ngrams: 2 for pieces of 1 and of 2 tokens, with a blank between them; (2, 3) for these alone.
    output_mode: "int", or rows: "multi_hot", "count", "tf_idf" (count times log(1 + texts / (1 + those it is in))).
    output_sequence_length: of every row of "int"; None for that of the longest. pad_to_max_tokens: makes other rows that wide.
    encoding: of texts that are bytes.
    Source: as keras.layers.TextVectorization, which runs on TensorFlow and knows small letters and blanks of ASCII alone.
    """

    modes = "int", "multi_hot", "count", "tf_idf"

    def __init__(self, max_tokens: int | None = None, standardize: Any = "lower_and_strip_punctuation",
                 split: Any = "whitespace", ngrams: int | Sequence[int] | None = None, output_mode: str = "int",
                 output_sequence_length: int | None = None, pad_to_max_tokens: bool = False, vocabulary: Any = None,
                 idf_weights: Any = None, sparse: bool = False, ragged: bool = False, encoding: str = "utf-8",
                 name: str | None = None):
        output_mode = one_of("output_mode", OLD_MODES.get(output_mode, output_mode), self.modes)
        self.standardize = standardize if callable(standardize) else one_of("standardize", standardize, tuple(STANDARDS))
        self.split = split if callable(split) else one_of("split", split, (*SPLITS, None))
        require(not sparse and not ragged, "sparse=True, ragged=True: rows are dense arrays here; output_sequence_length= says "
                "how long.")
        require(output_mode == "int" or output_sequence_length is None, "output_sequence_length goes with output_mode='int': "
                "other rows are as wide as the vocabulary.")
        self.output_sequence_length = output_sequence_length and positive_int("output_sequence_length", output_sequence_length)
        self.ngrams, self.encoding, self.name = ngrams, encoding, name
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams or ()
        self._widths = [positive_int("ngrams", each) for each in widths]
        super().__init__(Layout("", output_mode == "int", "[UNK]", 1), output_mode, max_tokens, pad_to_max_tokens, vocabulary,
                         idf_weights)

    def __call__(self, texts: Any) -> np.ndarray:
        """Shapes: texts (batch,) or (batch, 1) of str -> (batch, words) int32 for "int", (batch, width) for the other modes.

        One text alone gives one row. Without a split, (batch, tokens) -> (batch, tokens).
        """
        documents = self._documents(texts)
        if self.output_mode == "int":
            numbers = [self._numbers(document) for document in documents]
            rows = pad_sequences(numbers, self.output_sequence_length, padding="post", truncating="post")
        else:
            rows = self._rows(documents)
        return rows[0] if isinstance(texts, str | bytes) else rows

    def _documents(self, data: Any) -> list[Sequence[str]]:
        given = [data] if isinstance(data, str | bytes) else values_of(data)
        rows = [row if isinstance(row, list | tuple | np.ndarray) else [row] for row in given]
        texts = self._standardized([self._token(text) for row in rows for text in row])
        if self.split is None:
            rest = iter(texts)
            documents: list[Sequence[str]] = [[next(rest) for _ in row] for row in rows]
        else:
            require(len(texts) == len(rows), "TextVectorization: texts are of shape (batch,) or (batch, 1). For tokens "
                    "(batch, tokens) write split=None.")
            parted: Any = self.split(np.array(texts, str)) if callable(self.split) else map(SPLITS[self.split], texts)
            documents = list(map(list, parted))
        return [self._pieces(document) for document in documents] if self._widths else documents

    def _standardized(self, texts: list[str]) -> list[str]:
        plain = self.standardize
        return np.asarray(plain(np.array(texts, str))).tolist() if callable(plain) else list(map(STANDARDS[plain], texts))

    def _pieces(self, tokens: Sequence[str]) -> list[str]:
        """The n-grams of each width, width by width."""
        return [" ".join(tokens[place:place + width]) for width in self._widths for place in range(len(tokens) - width + 1)]

    def _token(self, value: Any) -> str:
        return as_text(value.decode(self.encoding) if isinstance(value, bytes) else value, "TextVectorization")

    def _settings(self) -> dict[str, Any]:
        names = "standardize", "split", "ngrams", "output_sequence_length", "encoding", "name"
        return {name: getattr(self, name) for name in names}
