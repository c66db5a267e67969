"""Masking: says which steps of a padded sequence are real."""

from __future__ import annotations

import jax.numpy as jnp

from jaxseq.core.layer import Layer, sequence_in_words
from jaxseq.core.precision import floating
from jaxseq.core.require import require
from jaxseq.core.types import Array


class Masking(Layer):
    """Masks every step whose features all equal `mask_value`, and zeroes it: y = x * mask, mask = any(x != mask_value).

    Shapes: x (batch, time, features) -> y of the same shape, with a mask (batch, time) for the layers that follow.
    Params: none. State: none.
    Raises: ValueError for x without a time axis, and for a mask_value that equals nothing (nan).
    """

    mask_value: float = 0.0

    shape_in_words = staticmethod(sequence_in_words)

    def __post_init__(self):
        require(self.mask_value == self.mask_value, "Masking(mask_value=nan): nan equals nothing, so no step would be "
                "masked. Put a number in its place first: x = np.nan_to_num(x, nan=-1.0), and Masking(-1.0).")

    def init(self, key, x):
        require(len(x.shape) >= 3, f"Masking needs x (batch, time, features), got {x.shape}. Give it a features axis: "
                "x[:, :, None].")
        return {}, {}

    def apply(self, params, state, x, ctx):
        return jnp.where(self._real(x)[..., None], x, jnp.zeros((), x.dtype)), state

    def out_mask(self, x, mask):
        return self._real(x)

    def _real(self, x: Array) -> Array:
        x = floating(x)
        return jnp.any(x != jnp.asarray(self.mask_value, x.dtype), axis=-1)
