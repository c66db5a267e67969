"""Dropout: zeros at random, in training only."""

from __future__ import annotations

from jaxseq.core.kernels.dropout import check_rate, dropped, own_key
from jaxseq.core.layer import Layer
from jaxseq.core.require import require
from jaxseq.core.types import Array


class Dropout(Layer):
    """Zeroes each element with probability `rate` in training, and scales the rest: y = x * kept / (1 - rate).

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    noise_shape: the shape of the mask, with 1 where one draw serves a whole axis and None where x's own length stands.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer).
    Raises: ValueError for a rate outside [0, 1).
    Source: Srivastava et al. 2014. Keras 3 draws from a counter kept in the layer; nothing is kept here.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self):
        check_rate("Dropout", self.rate)
        if self.noise_shape is not None:
            object.__setattr__(self, "noise_shape", tuple(self.noise_shape))

    def apply(self, params, state, x, ctx):
        if not ctx.train or self.rate == 0:
            return x, state
        return dropped(x, own_key(ctx.key, self.seed), self.rate, self._noise_shape(x)), state

    def _noise_shape(self, x: Array) -> tuple[int, ...]:
        if self.noise_shape is None:
            return x.shape
        require(len(self.noise_shape) == x.ndim, f"noise_shape {self.noise_shape} must have one entry per axis of x "
                f"{x.shape}.")
        return tuple(size if each is None else each for size, each in zip(x.shape, self.noise_shape, strict=True))
