"""Embedding: a learned row for every id."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxseq.core.layer import Layer
from jaxseq.core.require import positive_int
from jaxseq.core.types import Array, Shape


class Embedding(Layer):
    """Looks up a row for every id: y = embeddings[x].

    Shapes: x (batch, ...) ids in [0, input_dim), whole numbers of any dtype -> y (batch, ..., output_dim).
    Params: embeddings (input_dim, output_dim), uniform in +-0.05. State: none.
    mask_zero: id 0 stands for "no step here"; the layers that follow skip it.
    input_length: the number of ids in a row (or a tuple, for ids in more axes), when the layer stands first. Without
        any word about its input the layer reads rows of any length: batch_input_shape is (None, None).
    Raises: ValueError when input_dim or output_dim < 1. An id out of range gives a row of NaN, negative ids too.
    Source: Keras on JAX lets negative ids count from the end of the table.
    """

    input_dim: int      # pyright: ignore[reportGeneralTypeIssues]  # its own field, not the base's word for a width
    output_dim: int     # pyright: ignore[reportGeneralTypeIssues]
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    activity_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    batch_input_shape: Shape | None = field(default=(None, None), kw_only=True, compare=False)

    autocast: ClassVar[bool] = False        # rows are cast, not the table
    input_dtype: ClassVar[str] = "int32"

    @staticmethod
    def shape_in_words(length: Any, dim: int | None) -> Shape:
        """The ids of one row: as many as `input_length` says in each axis, or any number."""
        return tuple(length) if isinstance(length, tuple | list) else (length,)

    def __post_init__(self):
        positive_int("Embedding(input_dim)", self.input_dim)
        positive_int("Embedding(output_dim)", self.output_dim)

    def init(self, key, x):
        return self.draw(key, {"embeddings": (self.input_dim, self.output_dim)}), {}

    def apply(self, params, state, x, ctx):
        rows = jnp.asarray(params["embeddings"]).at[_ids(x)]
        return rows.get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False), state

    def out_mask(self, x, mask):
        return _ids(x) != 0 if self.mask_zero else None


def _ids(x: Array) -> Array:
    """x as integers. Float ids hold whole numbers exactly up to 2**24."""
    return x if x.dtype in (jnp.int32, jnp.int64) else x.astype(jnp.int32)
