"""The layers that the workloads are made of: what each makes of a row's shape, and the multiply-adds that takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

Shape = tuple[int, ...]     # of one row: without the batch axis


class Part:
    """Does nothing and learns nothing, unless a subclass says otherwise."""

    learns: ClassVar[bool] = False

    def after(self, shape: Shape) -> Shape:
        """The shape of the output."""
        return shape

    def products(self, shape: Shape) -> int:
        """Multiply-adds of the input with learned weights, for one row, forward."""
        return 0

    def inner_products(self, shape: Shape) -> int:
        """Multiply-adds of what the layer itself has computed with learned weights, for one row, forward."""
        return 0


@dataclass(frozen=True)
class Dense(Part):
    """Every output is the product of a row with a column of the matrix."""

    units: int
    activation: str
    learns: ClassVar[bool] = True

    def after(self, shape):
        return (*shape[:-1], self.units)

    def products(self, shape):
        return math.prod(shape) * self.units


@dataclass(frozen=True)
class Conv(Part):
    """relu(convolution), without padding: every output is the product of a window with a filter."""

    rank: int
    filters: int
    size: int
    learns: ClassVar[bool] = True

    def after(self, shape):
        return (*(length - self.size + 1 for length in shape[:-1]), self.filters)

    def products(self, shape):
        window = self.size**self.rank * shape[-1]
        return math.prod(self.after(shape)) * window


@dataclass(frozen=True)
class LSTM(Part):
    """Four gates at every time step, each from the step's input and from the output of the step before."""

    units: int
    sequences: bool = False
    learns: ClassVar[bool] = True

    def after(self, shape):
        return (shape[0], self.units) if self.sequences else (self.units,)

    def products(self, shape):
        return math.prod(shape) * 4 * self.units

    def inner_products(self, shape):
        return shape[0] * self.units * 4 * self.units


@dataclass(frozen=True)
class Embedding(Part):
    """Looks rows of a table up, which takes no products."""

    words: int
    units: int
    learns: ClassVar[bool] = True

    def after(self, shape):
        return (*shape, self.units)


@dataclass(frozen=True)
class Pool(Part):
    """The largest of every window; what does not fill a window is left out."""

    rank: int
    size: int

    def after(self, shape):
        return (*(length // self.size for length in shape[:-1]), shape[-1])


@dataclass(frozen=True)
class Average(Part):
    """The average over time."""

    def after(self, shape):
        return shape[-1:]


@dataclass(frozen=True)
class Flatten(Part):
    """All in one row."""

    def after(self, shape):
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dropout(Part):
    """Zeroes a share of the numbers, another one at every step."""

    rate: float
