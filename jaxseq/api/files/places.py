"""Where Keras 3 puts weights in a file: a group for each layer, called by its class and never by its name.

    layers/dense/vars/0               the first weight of the first Dense
    layers/dense_1/vars/0             of the second one
    layers/lstm/cell/vars/0           of what a layer does its work with
    layers/bidirectional/forward_layer/cell/vars/0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from jaxseq.api.architecture import snake_case
from jaxseq.api.weights import Slot
from jaxseq.core.layer import Layer
from jaxseq.core.layers import RNN, Bidirectional, SpectralNormalization, StackedRNNCells, TimeDistributed
from jaxseq.core.layers.recurrent import Sequences
from jaxseq.core.layers.spectral_normalization import KERNELS
from jaxseq.core.layers.wrappers import BACKWARD, FORWARD


class Place(NamedTuple):
    """A group of arrays: its path, the name it is labelled with, and the weights in it, in order."""

    path: str
    label: str
    slots: tuple[Slot, ...]


def places(model: Any) -> Iterator[Place]:
    """Every group of a model's weights; those of a model within it stand behind its own path."""
    own = by_layer(model)
    for store, (name, layer) in zip(numbered(model.layers), model.named_layers, strict=True):
        if isinstance(layer, Layer):
            yield from _of_layer(f"layers/{store}", name, layer, [(slot[-1], slot) for slot in own[name]])
        else:
            for place in places(layer):
                slots = tuple((part, name, *path) for part, *path in place.slots)
                yield Place(f"layers/{store}/{place.path}", place.label, slots)


def by_layer(model: Any) -> dict[str, list[Slot]]:
    """{layer: where its weights stand, in Keras's order}, in the order of the layers."""
    slots: dict[str, list[Slot]] = {name: [] for name, _ in model.named_layers}
    for slot in model._slots():
        slots[slot[1]].append(slot)
    return slots


def numbered(parts: Iterable[Any]) -> list[str]:
    """The names of parts in a list: by their classes, dense, dense_1, lstm, dense_2."""
    names: list[str] = []
    for part in parts:
        base = name = snake_case(type(part).__name__)
        count = 0
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names.append(name)
    return names


def _of_layer(path: str, label: str, layer: Layer, slots: list[tuple[str, Slot]]) -> Iterator[Place]:
    """The groups of one layer. slots: (the weight's name as the layer knows it, where it stands)."""
    parts = _parts(layer)
    own = slots if parts is None else []
    if isinstance(layer, SpectralNormalization):            # Keras keeps the kernel here, and in the layer within once more
        *slots, vector_u = slots
        own = [next(slot for slot in slots if slot[0] in KERNELS), vector_u]
    yield Place(f"{path}/vars", label, tuple(slot for _, slot in own))
    for inner, (prefix, part) in (parts or {}).items():
        behind = [(name.removeprefix(prefix), slot) for name, slot in slots if name.startswith(prefix)]
        if part is None:
            yield Place(f"{path}/{inner}/vars", label, tuple(slot for _, slot in behind))
        elif not isinstance(part, Layer):
            flat = dict(behind)                             # the layer knows them by the names that they have in the model
            for place in places(part):
                slots_there = tuple(flat["/".join(slot[1:])] for slot in place.slots)
                yield Place(f"{path}/{inner}/{place.path}", place.label, slots_there)
        else:
            yield from _of_layer(f"{path}/{inner}", snake_case(type(part).__name__), part, behind)


def _parts(layer: Layer) -> dict[str, tuple[str, Any]] | None:
    """{path: (prefix of its weights' names, part)}; None for a layer that holds its weights itself. A part may be a model.

    A recurrent layer here is its own cell, so its part is no layer.
    """
    match layer:
        case Bidirectional():
            inner = layer.parts()
            return {"forward_layer": (FORWARD, inner[FORWARD]), "backward_layer": (BACKWARD, inner[BACKWARD])}
        case TimeDistributed() | SpectralNormalization():
            return {"layer": ("", layer.layer)}
        case RNN():
            return {"cell": ("", layer.cell)}
        case StackedRNNCells():
            inner = layer.parts()
            stores = numbered(inner.values())
            return {f"cells/{store}": each for store, each in zip(stores, inner.items(), strict=True)}
        case Sequences():
            return {"cell": ("", None)}
    return None
