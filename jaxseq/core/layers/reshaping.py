"""Flatten and Reshape: the same numbers in another shape."""

from __future__ import annotations

import math
from typing import Any

from jaxseq.core.layer import Layer
from jaxseq.core.require import one_of, require


class Flatten(Layer):
    """Lays each row out flat.

    Shapes: x (batch, ...) -> y (batch, product of the rest). Params: none. State: none.
    data_format: "channels_first" lays the channels out last all the same, as Keras does.
    """

    data_format: str | None = None

    def __post_init__(self):
        one_of("data_format", self.data_format, (None, "channels_last", "channels_first"))

    def apply(self, params, state, x, ctx):
        if self.data_format == "channels_first" and x.ndim > 2:
            x = x.transpose(0, *range(2, x.ndim), 1)
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), state

    def out_mask(self, x, mask):
        return None


class Reshape(Layer):
    """Gives each row another shape.

    Shapes: x (batch, ...) -> y (batch, *target_shape); one entry may be -1. Params: none. State: none.
    Raises: ValueError when a row has another number of elements.
    """

    target_shape: Any

    def __post_init__(self):
        whole = isinstance(self.target_shape, tuple | list) and all(hasattr(n, "__index__") for n in self.target_shape)
        require(whole and list(self.target_shape).count(-1) <= 1, f"Reshape({self.target_shape!r}): write a tuple of whole "
                "numbers without the batch axis, at most one of them -1.")
        object.__setattr__(self, "target_shape", tuple(int(n) for n in self.target_shape))

    def apply(self, params, state, x, ctx):
        target, size = self.target_shape, math.prod(x.shape[1:])
        known = math.prod(n for n in target if n != -1)
        fits = size % max(known, 1) == 0 if -1 in target else size == known
        require(fits, f"Reshape({target}) cannot hold a row of x {x.shape}: {size} elements.")
        return x.reshape(x.shape[0], *target), state

    def out_mask(self, x, mask):
        return None
