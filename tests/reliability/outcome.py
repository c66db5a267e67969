"""What a measurement found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """So many cases, and a line for each that went wrong."""

    count: int
    failures: tuple[str, ...]


def total(found: Sequence[Outcome]) -> Outcome:
    """All of them as one."""
    return Outcome(sum(each.count for each in found), tuple(line for each in found for line in each.failures))


def spread(cases: Sequence[T], count: int) -> list[T]:
    """So many of the cases, from the first one to the last."""
    return [cases[number * (len(cases) - 1) // (count - 1)] for number in range(count)]
