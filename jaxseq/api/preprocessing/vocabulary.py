"""Numbers for tokens: which token has which, and how they are learned from documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseq.core.require import require


class Layout(NamedTuple):
    """What stands before the tokens: `mask` with number 0, where it has one, then `unknown`, for each number that it has.

    mask: what stands for no token, None if nothing does. masked: whether it has a number; without one it is dropped.
    """

    mask: Any
    masked: bool
    unknown: Any
    unknowns: int

    @property
    def special(self) -> list[Any]:
        return [self.mask] * self.masked + [self.unknown] * self.unknowns


class Vocabulary(NamedTuple):
    """tokens: all but the special ones, in order. number: of each of them. idf: the weight of each number, special ones too."""

    tokens: list[Any]
    number: Mapping[Hashable, int]
    idf: np.ndarray | None


def learned(documents: Iterable[Sequence[Any]], layout: Layout, most: int | None) -> Vocabulary:
    """The tokens of the documents, the most frequent first, of two as frequent the one that sorts last; at most `most`.

    A token's weight is log(1 + documents / (1 + those it is in)), that of an unknown one the mean of all.
    """
    counts: Counter[Any] = Counter()
    within: Counter[Any] = Counter()
    seen = 0
    for document in documents:
        counts.update(document)
        within.update(set(document))
        seen += 1
    for special in {layout.mask, layout.unknown}:
        counts.pop(special, None)
    tokens = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
    tokens = tokens if most is None else tokens[:max(0, most - len(layout.special))]
    idf = np.log(1 + seen / (1 + np.array([within[token] for token in tokens])))
    return numbered(tokens, layout, idf)


def written(terms: Sequence[Any], layout: Layout, idf: Any) -> Vocabulary:
    """The vocabulary that a user writes down, with the special tokens at its beginning or without them."""
    terms, special = list(terms), layout.special
    whole = terms[:len(special)] == special
    tokens = terms[len(special):] if whole else terms
    require(tokens, "This vocabulary is empty. Write its tokens, or call adapt(data).")
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    require(not twice, f"This vocabulary has {twice[:5]} more than once.")
    require(layout.mask is None or layout.mask not in tokens, f"{layout.mask!r} stands for no token: leave it out of the "
            f"vocabulary, or begin it with {special}.")
    weights = None if idf is None else np.asarray(idf, np.float64)
    found = len(terms) if weights is None else weights.size
    require(found == len(terms), f"Here are {found} idf_weights for {len(terms)} tokens.")
    before = len(special) if whole else 0
    vocabulary = numbered(tokens, layout, None if weights is None else weights[before:])
    return vocabulary if weights is None or not whole else vocabulary._replace(idf=weights)


def numbered(tokens: list[Any], layout: Layout, idf: np.ndarray | None) -> Vocabulary:
    """Numbers from the special tokens on; the special ones weigh the mean."""
    first = len(layout.special)
    weights = None if idf is None else np.concatenate([np.full(first, idf.mean() if idf.size else 0.0), idf])
    return Vocabulary(tokens, {token: number for number, token in enumerate(tokens, first)}, weights)
