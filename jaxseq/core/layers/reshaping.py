"""Flatten, Reshape, Permute, RepeatVector: the same numbers in another shape."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from jaxseq.core.layer import Layer
from jaxseq.core.require import one_of, positive_int, require


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
        return x.reshape(x.shape[0], *(size // max(known, 1) if n == -1 else n for n in target)), state

    def out_mask(self, x, mask):
        return None


class Permute(Layer):
    """Puts the axes of each row into another order: axis k of y is axis dims[k - 1] of x, counted from 1 after the batch.

    Shapes: x (batch, ...) -> y with the lengths in that order. Params: none. State: none. A mask ends here.
    Raises: ValueError when dims is not an order of the axes.
    """

    dims: Any

    def __post_init__(self):
        whole = isinstance(self.dims, tuple | list) and all(hasattr(each, "__index__") for each in self.dims)
        require(whole and sorted(self.dims) == list(range(1, len(self.dims) + 1)), f"Permute({self.dims!r}): write every axis "
                "of a row once, counted from 1: Permute((2, 1)).")
        object.__setattr__(self, "dims", tuple(int(each) for each in self.dims))

    def apply(self, params, state, x, ctx):
        require(x.ndim == len(self.dims) + 1, f"Permute({self.dims}) orders {len(self.dims)} axes, but x {x.shape} has "
                f"{x.ndim - 1} besides the batch.")
        return x.transpose(0, *self.dims), state

    def out_mask(self, x, mask):
        return None


class RepeatVector(Layer):
    """Repeats each row n times, as the steps of a sequence.

    Shapes: x (batch, features) -> y (batch, n, features). Params: none. State: none.
    Raises: ValueError when n < 1, and when x has more axes.
    """

    n: int

    def __post_init__(self):
        positive_int("RepeatVector(n)", self.n)

    def apply(self, params, state, x, ctx):
        require(x.ndim == 2, f"RepeatVector needs x (batch, features), got {x.shape}.")
        return jnp.repeat(x[:, None], self.n, axis=1), state

    def out_mask(self, x, mask):
        return None
