"""Pairs of words that stand near each other, and pairs that do not: what word2vec learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from jaxseq.core.require import positive_int, require

EULER = 0.577


def skipgrams(sequence: Any, vocabulary_size: int, window_size: int = 4, negative_samples: float = 1.0, shuffle: bool = True,
              categorical: bool = False, sampling_table: Any = None, seed: int | None = None) -> tuple[list[Any], list[Any]]:
    """(couples, labels): [word, a word at most `window_size` away] with 1, and [word, any word] with 0.

    sequence: numbers of words; 0 is no word. vocabulary_size: the largest number, and 1.
    negative_samples: couples with 0 for each with 1. categorical: labels [0, 1] and [1, 0] instead of 1 and 0.
    sampling_table: for each word the probability that its couples are taken, as `make_sampling_table` gives them.
    seed: every draw follows from it; None for new ones each time.
    Source: Mikolov et al. 2013, arXiv:1301.3781. As in Keras, which draws all but the order of the result from Python's
    global generator: with random.seed(seed) before it and the same seed=, it gives the same.
    """
    positive_int("vocabulary_size", vocabulary_size)
    words = [int(word) for word in sequence]
    largest = vocabulary_size if sampling_table is None else min(vocabulary_size, len(sampling_table))
    bad = next((word for word in words if not 0 <= word < largest), None)
    require(bad is None, f"skipgrams: there is no word {bad} among {largest}, counted from 0.")
    draw = Random(seed)
    taken = [place for place, word in enumerate(words)
             if word and (sampling_table is None or sampling_table[word] >= draw.random())]
    couples = [[words[place], near] for place in taken for near in _near(words, place, window_size)]
    positive, negative = len(couples), int(len(couples) * negative_samples)
    if negative > 0:
        require(vocabulary_size > 1, "skipgrams: vocabulary_size=1 leaves no word to draw; 0 is none.")
        first = [word for word, _ in couples]
        draw.shuffle(first)
        couples += [[first[count % positive], draw.randint(1, vocabulary_size - 1)] for count in range(negative)]
    labels: list[Any] = [[0, 1]] * positive + [[1, 0]] * negative if categorical else [1] * positive + [0] * negative
    if not shuffle:
        return couples, labels
    pairs = list(zip(couples, labels, strict=True))
    Random(seed).shuffle(pairs)
    return [couple for couple, _ in pairs], [label for _, label in pairs]


def _near(words: Sequence[int], place: int, window: int) -> Iterator[int]:
    """The words at most `window` places away from one, without it."""
    for other in range(max(0, place - window), min(len(words), place + window + 1)):
        if other != place and words[other]:
            yield words[other]


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """The probability that a word is kept, by its rank: min(1, sqrt(sampling_factor / frequency)). Shape: (size,).

    The frequency of rank r is that of Zipf's law, 1 / (r (log r + 0.577) + 1/2 - 1/(12 r)). Rank 0 is no word, and as rank 1.
    Source: Mikolov et al. 2013, arXiv:1310.4546.
    """
    rank = np.maximum(np.arange(size), 1)
    inverse_frequency = rank * (np.log(rank) + EULER) + 0.5 - 1 / (12 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))
