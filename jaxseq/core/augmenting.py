"""Layers that change images at random in training, each image by draws of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.declared import is_number
from jaxseq.core.kernels.dropout import own_key
from jaxseq.core.precision import as_given, floating, widened
from jaxseq.core.require import require
from jaxseq.core.spatial import Spatial
from jaxseq.core.types import Array

Interval = tuple[float, float]
Draw = Callable[[str, Interval], Array]     # (what for, from where to where) -> (batch,) numbers


class Augmenting(Spatial):
    """y = change(x, draws) in training, x itself in evaluation.

    What is drawn for an image depends on the layer's key and on its row in the batch, and not on how many rows there are.
    """

    axes: ClassVar[tuple[str, ...]] = ("height", "width")
    factors: ClassVar[dict[str, Interval]] = {}     # {a field that holds a number or a pair: what they may be}

    @abstractmethod
    def draws(self, draw: Draw) -> Any:
        """The numbers that say how each image is changed: arrays (batch,)."""

    @abstractmethod
    def change(self, x: Array, draws: Any) -> Array:
        """The changed images, of an x (batch, height, width, channels) of floats of 32 bits or more."""

    def apply(self, params, state, x, ctx):
        self.lengths(x)
        x = floating(x)
        if not ctx.train:
            return x, state
        key, wide = own_key(ctx.key, getattr(self, "seed", None)), widened(self.channels_last(x))

        def draw(purpose: str, interval: Interval) -> Array:
            return rng.uniform(rng.fold_in(key, purpose), x.shape[:1], *interval).astype(wide.dtype)

        return as_given(self.as_it_came(self.change(wide, self.draws(draw))), x), state

    def __post_init__(self):
        super().__post_init__()
        for argument in self.factors:
            if getattr(self, argument) is not None:
                self.pair(argument)

    def interval(self, argument: str) -> Interval:
        """The factor `argument` as (low, high): a number f is (-|f|, |f|). ValueError where that goes beyond its bounds."""
        low, high = self.pair(argument)
        if isinstance(getattr(self, argument), tuple):
            return low, high
        (least, most), reach = self.factors[argument], abs(high)
        require(least <= -reach and reach <= most, f"{self._class}({argument}={high!r}) goes from {-reach!r} to {reach!r}: "
                f"write a number up to {min(-least, most):g}, or a pair of them from {least:g} to {most:g}, (low, high).")
        return -reach, reach

    def from_zero(self, argument: str) -> Interval:
        """The factor `argument` as (low, high): a number f is (0, f)."""
        low, high = self.pair(argument)
        return (low, high) if isinstance(getattr(self, argument), tuple) else (min(0, low), max(0, high))

    def pair(self, argument: str) -> Interval:
        """The factor `argument` as two numbers, the smaller first; one stands for both. ValueError outside its bounds."""
        value, (least, most) = getattr(self, argument), self.factors[argument]
        numbers = value if isinstance(value, tuple) else (value, value)
        inside = len(numbers) == 2 and all(is_number(each) and least <= each <= most for each in numbers)
        require(inside, f"{self._class}({argument}={value!r}): write a number from {least:g} to {most:g}, or a pair of them, "
                "(low, high).")
        low, high = sorted(numbers)
        return low, high


class Coloring(Augmenting):
    """A change of the pixels' values, which lie within the field `value_range`."""

    def __post_init__(self):
        super().__post_init__()
        value = self.bounds
        ordered = isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]
        require(ordered, f"{self._class}(value_range={value!r}): write (low, high), the values of black and white, such as "
                "(0, 255) or (0, 1).")

    def within(self, y: Array) -> Array:
        """y, what lies beyond `value_range` at its end."""
        return jnp.clip(y, *self.bounds)

    def shares(self, x: Array) -> Array:
        """x counted from 0, black, to 1, white."""
        black, white = self.bounds
        return (x - black) / (white - black)

    def values(self, shares: Array) -> Array:
        """The way back from `shares`."""
        black, white = self.bounds
        return black + shares * (white - black)

    @property
    def bounds(self) -> Interval:
        """(the value of black, the value of white)."""
        return getattr(self, "value_range", (0, 255))


def for_each(draws: Array) -> Array:
    """Numbers (batch,) as (batch, 1, 1, 1): one for each image."""
    return draws[:, None, None, None]
