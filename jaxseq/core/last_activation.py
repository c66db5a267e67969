"""The activation that a layer ends with: taken off, so that softmax and sigmoid are left to the loss; layers that are one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jaxseq.core import activations
from jaxseq.core.layer import Layer
from jaxseq.core.overriding import speaks_for
from jaxseq.core.types import Array, Ctx

Parts = tuple[Layer, Callable[[Array], Array]]


def parted(layer: Layer) -> Parts | None:
    """`layer.without_activation()`; None where a class of the user's computes otherwise than the one that has it."""
    return layer.without_activation() if speaks_for(layer, "without_activation", "apply", "forward") else None


def taken_off(layer: Any) -> Parts | None:
    """(the layer without its field `activation`, that function); None where a regularizer looks at what it gives."""
    if getattr(layer, "activity_regularizer", None) is not None:
        return None
    return replace(layer, activation=None), activations.get(layer.activation)


def taken_off_within(layer: Any, part: Layer) -> Parts | None:
    """The same of a layer that ends with `part`, which its field `layer` stands for."""
    parts = parted(part)
    return None if parts is None else (replace(layer, layer=parts[0]), parts[1])


class Function(Layer, declared=False):
    """What stands as an activation within another layer, too: Dense(2, activation=LeakyReLU(0.1))."""

    def as_function(self):
        if type(self).init is not Layer.init:       # a class of the user's has weights
            return super().as_function()
        parts = parted(self)                        # a function of the table, which a loss knows, where it is one
        return self._applied if parts is None else parts[1]

    def _applied(self, x: Array) -> Array:
        return self.apply({}, {}, x, Ctx())[0]
