"""The arithmetic of the report. A round is {"seconds", "steps"}; ratios are taken within a round, then their median."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from workloads import PRODUCT


class Ratio(NamedTuple):
    """The median of the ratios, and the smallest and the largest of them."""

    median: float
    low: float
    high: float


def ratio(above: list[float], below: list[float]) -> Ratio:
    """above / below, round by round."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


def step_seconds(rounds: list[dict]) -> list[float]:
    """Of every round."""
    return [each["seconds"] / each["steps"] for each in rounds]


def compile_seconds(first: float, rounds: list[dict], epochs: int) -> float:
    """How much longer it took to build the model and train the first epoch than an epoch takes when all is warm."""
    return first - median(each["seconds"] for each in rounds) / epochs


def floor_rates(rounds: list[dict]) -> list[float]:
    """Floating-point operations per second of the large matrix product, of every round."""
    return [2 * PRODUCT**3 / seconds for seconds in step_seconds(rounds)]


def floor_seconds(flops: int, rounds: list[dict]) -> list[float]:
    """How long a step with so many operations would take at that rate, of every round."""
    return [flops / rate for rate in floor_rates(rounds)]
