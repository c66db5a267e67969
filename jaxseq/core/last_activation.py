"""The activation that a layer ends with, taken off: what softmax and sigmoid are left to the loss by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jaxseq.core import activations
from jaxseq.core.layer import Layer
from jaxseq.core.overriding import speaks_for
from jaxseq.core.types import Array

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
