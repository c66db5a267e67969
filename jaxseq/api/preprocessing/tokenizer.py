"""Tokenizer: numbers for words, the most frequent first, and texts as sequences of them or as rows of a matrix."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.bags import bags
from jaxseq.api.preprocessing.words import FILTERS, as_text, text_to_word_sequence, values_of
from jaxseq.core.require import Spelled, one_of, require

Text = str | Sequence[str]
MODES = "binary", "count", "freq", "tfidf"


class Tokenizer(Spelled):
    """Learns the words of texts, and turns texts into numbers of words: 1 for the most frequent; 0 is no word.

        tokenizer = Tokenizer(num_words=10000)
        tokenizer.fit_on_texts(texts)
        x = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=100)

    A text is a str, or a list of words that is taken as it is. Words as frequent as each other stand in the order they came in.
    num_words: only the num_words - 1 most frequent words get into sequences and matrices; None for all. nb_words: the same.
    filters, lower, split: how words are found, see `text_to_word_sequence`. analyzer: a function from a text to its words.
    char_level: every character is a word. oov_token: what stands for unknown words, with number 1; None leaves them out.
    Attributes: word_counts {word: times}, word_docs {word: texts it is in}, word_index {word: number}, index_word
    {number: word}, index_docs {number: texts}, document_count.
    Source: as keras.preprocessing.text.Tokenizer.
    """

    def __init__(self, num_words: int | None = None, filters: str = FILTERS, lower: bool = True, split: str = " ",
                 char_level: bool = False, oov_token: str | None = None, analyzer: Callable[[str], list[str]] | None = None, *,
                 document_count: int = 0, nb_words: int | None = None):
        self.num_words = num_words if nb_words is None else nb_words
        self.filters, self.lower, self.split, self.char_level = filters, lower, split, char_level
        self.oov_token, self.analyzer, self.document_count = oov_token, analyzer, document_count
        self.word_counts: dict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = defaultdict(int)
        self.index_docs: dict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[Text]) -> None:
        """Counts the words of the texts, with those of earlier calls, and numbers all of them anew."""
        for words in self._words_of(texts):
            self.document_count += 1
            for word, count in Counter(words).items():
                self.word_counts[word] = self.word_counts.get(word, 0) + count
                self.word_docs[word] = self.word_docs.get(word, 0) + 1
        frequent = sorted(self.word_counts, key=self.word_counts.__getitem__, reverse=True)
        first = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: number for number, word in enumerate(dict.fromkeys(first + frequent), 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        self.index_docs.update({self.word_index[word]: texts for word, texts in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Counts in how many sequences each number stands: what "tfidf" needs where there are no texts."""
        self.document_count += len(sequences)
        for number in (number for sequence in sequences for number in set(sequence)):
            self.index_docs[number] = self.index_docs.get(number, 0) + 1

    def texts_to_sequences(self, texts: Iterable[Text]) -> list[list[int]]:
        """For each text the numbers of its words."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Text]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one by one."""
        kept = {word: number for word, number in self.word_index.items() if not self._is_rare(number)}
        unknown = self.word_index.get(self.oov_token)       # pyright: ignore[reportArgumentType]  # None is no word
        for words in self._words_of(texts):
            numbers = (kept.get(word, unknown) for word in words)
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """For each sequence its words, with blanks between them."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one by one."""
        kept = {number: word for number, word in self.index_word.items() if not self._is_rare(number)}
        unknown = self.oov_token if self.oov_token in self.word_index else None
        for sequence in sequences:
            words = (kept.get(number, unknown) for number in sequence)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[Text], mode: str = "binary") -> np.ndarray:
        """`sequences_to_matrix` of `texts_to_sequences`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Iterable[int]], mode: str = "binary") -> np.ndarray:
        """A row for each sequence, a column for each number: (sequences, num_words or words + 1), float64.

        mode: "binary", 1 where the number stands in the sequence; "count", how often; "freq", that, divided by the length;
        "tfidf", (1 + log(count)) log(1 + document_count / (1 + texts it is in)).
        Raises: ValueError for a Tokenizer that knows no words and has no num_words, or, for "tfidf", has seen no texts.
        """
        one_of("mode", mode, MODES)
        require(self.num_words or self.word_index, "How wide should the matrix be? Write Tokenizer(num_words=...), or call "
                "fit_on_texts(texts) first.")
        require(mode != "tfidf" or self.document_count, "mode='tfidf' needs texts to count words in: call fit_on_texts(texts) "
                "first.")
        width = self.num_words or len(self.word_index) + 1
        bag = bags(sequences, width)
        texts = np.array([self.index_docs.get(number, 0) for number in range(width)])
        values = {"binary": lambda: 1, "count": lambda: bag.times, "freq": lambda: bag.times / bag.length,
                  "tfidf": lambda: (1 + np.log(bag.times)) * np.log(1 + self.document_count / (1 + texts[bag.column]))}
        return bag.matrix((len(sequences), width), values[mode]())

    def get_config(self) -> dict[str, Any]:
        """Settings and counts; the counts as JSON."""
        settings = {name: getattr(self, name) for name in _SETTINGS}
        return settings | {name: json.dumps(getattr(self, name)) for name in _COUNTS}

    def to_json(self, **words: Any) -> str:
        """`get_config` as JSON. words: for json.dumps."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **words)

    def _words_of(self, texts: Iterable[Text]) -> Iterator[Sequence[str]]:
        """The words of each text."""
        require(not isinstance(texts, str), f"{str(texts)[:40]!r} is one text: write a list of them, [text].", TypeError)
        rows = values_of(texts)
        rows = rows[:, 0] if getattr(rows, "shape", ())[1:] == (1,) else rows       # a table of one column
        for place, text in enumerate(rows):
            if isinstance(text, list | tuple):
                words = [as_text(word, f"texts[{place}]") for word in text]
                yield [word.lower() for word in words] if self.lower else words
            elif self.char_level:
                text = as_text(text, f"texts[{place}]")
                yield text.lower() if self.lower else text
            elif self.analyzer is None:
                yield text_to_word_sequence(as_text(text, f"texts[{place}]"), self.filters, self.lower, self.split)
            else:
                yield self.analyzer(as_text(text, f"texts[{place}]"))

    def _is_rare(self, number: int) -> bool:
        return bool(self.num_words) and number >= self.num_words        # pyright: ignore[reportOptionalOperand]


_SETTINGS = "num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count"
_COUNTS = "word_counts", "word_docs", "index_docs", "index_word", "word_index"


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The Tokenizer that `to_json` described, Keras's too. ValueError for what is none."""
    data = json.loads(json_string)
    config = data.get("config") if isinstance(data, dict) else None
    config = config if isinstance(config, dict) else {}
    require({*_COUNTS} <= config.keys(), "This JSON describes no Tokenizer: write "
            "tokenizer_from_json(tokenizer.to_json()).")
    tokenizer = Tokenizer(**{name: value for name, value in config.items() if name not in _COUNTS})
    for name in _COUNTS:
        key = int if name.startswith("index_") else str         # JSON has text for keys alone
        getattr(tokenizer, name).update({key(each): count for each, count in json.loads(config[name]).items()})
    return tokenizer
