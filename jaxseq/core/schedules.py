"""Learning rates that follow the steps: frozen declarations, called with the number of steps made -> () float32.

Steps are counted in batches, from 0. Numbers are Keras 3's. Any function of a step, as Optax has them, serves as well.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp

from jaxseq.core.declared import Declared, number
from jaxseq.core.require import require
from jaxseq.core.types import Array

__all__ = [
    "LearningRateSchedule", "ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay",
    "CosineDecay", "CosineDecayRestarts",
]


_NEAR = 1e-6        # a compiled 45 / 15 may be 3.0000002: what is as near to a whole number is one


class LearningRateSchedule(Declared):
    """What all of them are. One of your own is a subclass that defines `__call__(step)`."""

    @abstractmethod
    def __call__(self, step: Array) -> Array:
        """The rate of the update after `step` others."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(step).")


@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate^(step / decay_steps), the exponent rounded down if `staircase`.

    Raises: ValueError unless decay_steps > 0.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps(self, "decay_steps", self.decay_steps)

    def __call__(self, step: Array) -> Array:
        return self.initial_learning_rate * jnp.float32(self.decay_rate) ** _periods(step, self.decay_steps, self.staircase)


@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps), the quotient rounded down if `staircase`.

    Raises: ValueError unless decay_steps > 0.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps(self, "decay_steps", self.decay_steps)

    def __call__(self, step: Array) -> Array:
        return self.initial_learning_rate / (1 + self.decay_rate * _periods(step, self.decay_steps, self.staircase))


@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] up to and with step boundaries[i], the last value beyond.

    Raises: ValueError unless there is one value more than boundaries.
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.boundaries) == len(self.values) - 1, f"PiecewiseConstantDecay(boundaries={list(self.boundaries)}, "
                f"values={list(self.values)}): write one value more than boundaries.")

    def __call__(self, step: Array) -> Array:
        passed = jnp.sum(jnp.asarray(step, jnp.float32) > jnp.asarray(self.boundaries, jnp.float32), dtype=jnp.int32)
        return jnp.asarray(self.values, jnp.float32)[passed]


@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """end + (initial - end) * (1 - step / decay_steps)^power, end from decay_steps on.

    cycle: instead, decay_steps grows to its next multiple whenever the steps reach it.
    Raises: ValueError unless decay_steps > 0.
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps(self, "decay_steps", self.decay_steps)

    def __call__(self, step: Array) -> Array:
        periods = _periods(step, self.decay_steps)
        rounds = jnp.maximum(jnp.ceil(periods * (1 - _NEAR)), 1)
        share = periods / rounds if self.cycle else jnp.minimum(periods, 1)
        return self.end_learning_rate + (self.initial_learning_rate - self.end_learning_rate) * (1 - share) ** self.power


@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """initial_learning_rate * ((1 - alpha) (1 + cos(pi step / decay_steps)) / 2 + alpha), the last value beyond.

    warmup_target: the rate first goes to it in a straight line, in warmup_steps, and decays from there.
    Raises: ValueError unless decay_steps > 0, and for a warmup_target without warmup_steps.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps(self, "decay_steps", self.decay_steps)
        require(self.warmup_target is None or self.warmup_steps > 0, f"CosineDecay(warmup_target={self.warmup_target!r}): "
                "write warmup_steps, too.")

    def __call__(self, step: Array) -> Array:
        if self.warmup_target is None:
            return self.initial_learning_rate * self._left(jnp.asarray(step, jnp.float32))
        behind = jnp.asarray(step, jnp.float32) - self.warmup_steps
        climb = self.warmup_target - self.initial_learning_rate
        rising = self.initial_learning_rate + climb * (1 + behind / self.warmup_steps)
        return jnp.where(behind < 0, rising, self.warmup_target * self._left(behind))

    def _left(self, step: Array) -> Array:
        """What is left of the rate after so many steps of decay."""
        return (1 - self.alpha) * _half_wave(jnp.clip(step / self.decay_steps, 0, 1)) + self.alpha


@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """CosineDecay over first_decay_steps, then anew over t_mul times as many, from m_mul times the rate, and so on.

    Raises: ValueError unless first_decay_steps > 0 and t_mul >= 1.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps(self, "first_decay_steps", self.first_decay_steps)
        number("CosineDecayRestarts", "t_mul", self.t_mul, least=1)

    def __call__(self, step: Array) -> Array:
        restarts, share = self._place(_periods(step, self.first_decay_steps))
        wave = jnp.float32(self.m_mul) ** restarts * _half_wave(share)
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)

    def _place(self, periods: Array) -> tuple[Array, Array]:
        """(restarts made, share of the present period that is over): n periods make (t_mul^n - 1) / (t_mul - 1) first ones."""
        if self.t_mul == 1:
            restarts = jnp.floor(periods * (1 + _NEAR))
            return restarts, periods - restarts
        restarts = jnp.floor(jnp.log(1 + periods * (self.t_mul - 1)) / jnp.log(jnp.float32(self.t_mul)) * (1 + _NEAR))
        length = jnp.float32(self.t_mul) ** restarts
        return restarts, (periods - (length - 1) / (self.t_mul - 1)) / length


def _periods(step: Array, length: float, whole: bool = False) -> Array:
    periods = jnp.asarray(step, jnp.float32) / length
    return jnp.floor(periods * (1 + _NEAR)) if whole else periods


def _half_wave(share: Array) -> Array:
    """From 1 to 0 as `share` goes from 0 to 1."""
    return (1 + jnp.cos(math.pi * share)) / 2


def _check_steps(schedule: LearningRateSchedule, argument: str, value: float) -> None:
    number(type(schedule).__name__, argument, value)
    require(value > 0, f"{type(schedule).__name__}({argument}={value!r}): write a number above 0.")


CLASSES: dict[str, type[LearningRateSchedule]] = {each.__name__: each for each in (
    ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay, CosineDecayRestarts)}
