"""Input: says what the data look like, and nothing else."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import jax.numpy as jnp

from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.require import require
from jaxseq.core.types import Shape


class InputLayer(Layer):
    """The declared input of a model: y = x. `Sequential` reads its shape and dtype and does not list it as a layer.

    Shapes: shape without the batch axis, and batch_size, as Keras 3 has them; or all in one, batch_input_shape, which is what
        is kept. None where any length fits.
    dtype: what the data become on their way in: float32, or an integer type for token ids. None: what the first layer
        works in.
    Raises: ValueError without a shape, or for two of them.
    """

    shape: Any = field(default=None, compare=False)
    batch_size: int | None = field(default=None, compare=False)
    dtype: str | None = field(default=None, kw_only=True)       # of the data; no weights, no arithmetic

    read_dtype = staticmethod(lambda dtype: dtype)

    def __post_init__(self):
        for name, value in ("batch_input_shape", self._whole_shape()), ("shape", None), ("batch_size", None):
            object.__setattr__(self, name, value)
        if self.dtype is not None:
            usable = any(jnp.issubdtype(self.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_))
            require(usable, f"Input(dtype={self.dtype!r}): write 'float32', or 'int32' for token ids.")
            object.__setattr__(self, "dtype", jnp.dtype(self.dtype).name)

    def _whole_shape(self) -> Shape:
        """The one shape, batch axis first, that was said in one of the ways."""
        told, whole = self.shape, self.batch_input_shape
        require(told is None or whole is None, f"InputLayer(shape={told!r}) has another shape beside it, {whole}: write one of "
                "them.")
        require(told is not None or whole is not None, "InputLayer needs a shape: write Input(shape=(784,)).")
        size, *rest = whole or (None, *checked_shape("shape", told))
        require(None in (size, self.batch_size) or size == self.batch_size, f"InputLayer(batch_size={self.batch_size}) has "
                f"another one in its shape, {whole}: write one of them.")
        return checked_shape("batch_input_shape", (self.batch_size if size is None else size, *rest))

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
    return InputLayer(dtype=dtype, batch_input_shape=checked_shape("batch_shape", batch_shape), name=name)
