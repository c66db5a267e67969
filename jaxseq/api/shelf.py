"""Shelf: where a layer's weights lie from pop() until it is added again."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from jaxseq.api.body import Body
from jaxseq.api.stack import Stack
from jaxseq.core.layer import Layer


class Shelf(Body):
    """A model of one layer, which nobody has but that layer. It answers for the layer as its model did."""

    is_shelf: ClassVar[bool] = True

    def _shelve(self, layer: Layer) -> Stack:
        return self


def shelve(model: Stack, layer: Layer) -> Shelf:
    """Gives the layer a shelf with its weights in `model`; the layer holds it."""
    shape, dtype = model._architecture.given(model._name_of(layer))
    shelf = Shelf(dtype=model.dtype)
    shelf._architecture.declare(shape)
    shelf._architecture.dtype = jnp.dtype(dtype).name
    shelf.add(layer)
    layer.keep(shelf)
    layer.mark_drawn(shelf)
    return shelf
