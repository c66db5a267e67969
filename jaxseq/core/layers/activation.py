"""Activation: a function of each element, or over the last axis."""

from __future__ import annotations

from typing import Any

from jaxseq.core import activations
from jaxseq.core.last_activation import Function
from jaxseq.core.layers.identity import Identity
from jaxseq.core.precision import floating


class Activation(Function):
    """Applies an activation: y = activation(x).

    Shapes: x (batch, ...) -> y of the same shape; whole numbers become float32. Params: none. State: none.
    Raises: ValueError for a name that is not an activation.
    """

    activation: Any

    def apply(self, params, state, x, ctx):
        return activations.get(self.activation)(floating(x)), state

    def without_activation(self):
        return Identity(dtype=self.dtype), activations.get(self.activation)
