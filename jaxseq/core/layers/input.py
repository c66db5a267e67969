"""Input: says what the data look like, and nothing else."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.require import require


class InputLayer(Layer):
    """The declared input of a model: y = x. `Sequential` reads its shape and dtype and does not list it as a layer.

    Shapes: batch_input_shape, batch axis first, None where any length fits.
    dtype: what the data become on their way in: float32, or an integer type for token ids. None: what the first layer
        works in.
    """

    dtype: str | None = None       # pyright: ignore[reportGeneralTypeIssues]  # of the data; no weights, no arithmetic

    read_dtype = staticmethod(lambda dtype: dtype)

    def __post_init__(self):
        require(self.batch_input_shape is not None, "InputLayer needs a shape: write Input(shape=(784,)).")
        if self.dtype is not None:
            usable = any(jnp.issubdtype(self.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
            require(usable, f"Input(dtype={self.dtype!r}): write 'float32', or 'int32' for token ids.")
            object.__setattr__(self, "dtype", jnp.dtype(self.dtype).name)

    def apply(self, params, state, x, ctx):
        return x, state


def Input(shape: Any = None, batch_size: int | None = None, dtype: str | None = None, *, batch_shape: Any = None,
          name: str | None = None) -> InputLayer:
    """The input as Keras 3 declares it: Input(shape=(28, 28)), or Input(batch_shape=(32, 28, 28)) for a fixed batch.

    Raises: ValueError without a shape, or for one that is not a tuple of whole numbers and None.
    """
    require(shape is not None or batch_shape is not None, "Input() needs a shape: write Input(shape=(784,)).")
    if batch_shape is None:
        batch_shape = (batch_size, *checked_shape("shape", shape))
    return InputLayer(dtype, batch_input_shape=checked_shape("batch_shape", batch_shape), name=name)
