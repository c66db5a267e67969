"""Layers in order, their names, and the shapes between them. Nothing here holds a weight."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jaxseq.core import chain
from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.layers import InputLayer
from jaxseq.core.require import require
from jaxseq.core.row import Row
from jaxseq.core.types import Shape
from jaxseq.core.words import snake_case


@dataclass
class Architecture:
    """The rows of a model, changed by `add`, `pop` and `declare` alone; a refused change leaves all as it was.

    layers: ((name, layer), ...). input: what the model is given, batch axis first; None while unknown.
    dtype: what the data become, where it is declared. policy: the dtype of layers that have none of their own.
    edges: the (shape, dtype) after each layer; empty while the input is unknown.
    """

    layers: tuple[tuple[str, Layer], ...] = ()
    input: Shape | None = None
    batch_size: int | None = None
    dtype: str | None = None
    policy: str | None = None
    edges: list[tuple[Shape, Any]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The layers' names in order."""
        return [name for name, _ in self.layers]

    @property
    def typed(self) -> tuple[tuple[str, Layer], ...]:
        """The layers as they compute: each with its dtype, once any is written; the very same ones where none is."""
        dtype = self._usual_dtype(self.layers)
        return self.layers if dtype is None else tuple((name, layer.under(dtype)) for name, layer in self.layers)

    @property
    def input_dtype(self) -> str:
        """What x becomes on its way in: as declared, or as the first layer wants it."""
        return self.dtype or (self._wanted_by(self.layers[0][1]) if self.layers else "float32")

    @property
    def formats(self) -> set[str]:
        """The dtypes that the model and its layers have, at any depth; none where none is written."""
        return chain.dtypes(self.typed) | ({self.policy} - {None})

    def _wanted_by(self, first: Layer) -> str:
        """The dtype of x as the first layer wants it: float64 where it computes so. A narrower one it casts to itself."""
        wanted, dtype = first.input_dtype, first.dtype or self.policy
        while first.row_of:
            first = first.row_of[0][1]
            dtype = first.dtype or dtype
        return "float64" if dtype == "float64" and wanted == "float32" else wanted

    def _usual_dtype(self, layers: Iterable[tuple[str, Layer]]) -> str | None:
        """The dtype of a layer that has none of its own; None while no dtype is written anywhere."""
        return self.policy or ("float32" if chain.dtypes(layers) else None)

    def shapes(self, name: str) -> tuple[Shape, Shape]:
        """(input shape, output shape) of a layer; ValueError while the model's input is unknown."""
        require(self.edges, f"The shapes of {name!r} are not known before the input is: declare it with input_shape=(...), "
                "or show the model some data.")
        return self.given(name)[0], self.edges[self.names.index(name)][0]

    def given(self, name: str) -> tuple[Shape, Any]:
        """The (shape, dtype) of what a layer is given, where the model's input is known."""
        shape, dtype = self._before(self.names.index(name))
        assert shape is not None
        return shape, dtype

    def add(self, layer: Layer, seen: Shape | None = None) -> str | None:
        """Puts `layer` at the end and returns its name; an InputLayer declares the input and gets none.

        seen: the input that the layer has elsewhere, which is the model's where nothing else says what that is.
        """
        if isinstance(layer, InputLayer):
            require(not self.layers, f"{layer!r} must come before all layers: add it first.")
            require(self.input is None, f"{layer!r}: the model's input is declared already, {self.input}.")
            self.declare(layer.batch_input_shape)
            self.dtype = layer.dtype
            return None
        name = self._free_name(layer)
        shape = self.input
        declared = layer.batch_input_shape if seen is None else seen
        if not self.layers and shape is None and declared is not None:
            shape = self._with_batch_size(declared)
        layers = (*self.layers, (name, layer))
        if not self.layers and shape is not None or self.edges:
            self.edges = [*self.edges, self._after(name, layer, shape)]
        self.layers, self.input = layers, shape
        return name

    def pop(self) -> tuple[str, Layer]:
        """Takes the last layer away."""
        require(self.layers, "There is no layer to pop: the model is empty.", TypeError)
        *rest, last = self.layers
        self.layers, self.edges = tuple(rest), self.edges[:-1]
        return last

    def declare(self, shape: Shape | None = None, *, batch_size: int | None = None) -> None:
        """Says what the input is: its whole shape, or the batch size alone. ValueError, and no change, if a layer objects."""
        size = batch_size or self.batch_size
        shape = shape if shape is not None else self.input
        trial = Architecture(batch_size=size, dtype=self.dtype, policy=self.policy)
        trial.input = None if shape is None else trial._with_batch_size(shape)
        for name, layer in self.layers:
            if trial.input is not None:
                trial.edges.append(trial._after(name, layer, trial.input))
            trial.layers += ((name, layer),)
        self.input, self.batch_size, self.edges = trial.input, size, trial.edges

    def _after(self, name: str, layer: Layer, shape: Shape | None) -> tuple[Shape, Any]:
        """The (shape, dtype) after one more layer."""
        before = self._before(len(self.layers)) if self.layers else (shape, self.dtype or self._wanted_by(layer))
        try:
            return chain.shapes(name, layer.under(self._usual_dtype((*self.layers, (name, layer)))), *before)
        except (ValueError, TypeError) as error:
            follows = f"cannot follow {self.layers[-1][1]!r}, whose output is" if self.layers else "cannot take"
            kind = ValueError if isinstance(error, ValueError) else TypeError       # JAX's own take other arguments
            raise kind(f"{layer!r} {follows} {before[0]}: {error}") from error

    def _before(self, place: int) -> tuple[Shape, Any]:
        return self.edges[place - 1] if place else (self.input, self.input_dtype)

    def _with_batch_size(self, shape: Shape) -> Shape:
        size = self.batch_size if self.batch_size is not None else shape[0]
        return checked_shape("input shape", (size, *shape[1:]))

    def _free_name(self, layer: Layer) -> str:
        name = layer.own_name
        if name is not None:
            require(name not in self.names, f"Two layers are called {name!r}: write another name for {layer!r}.")
            usable = isinstance(name, str) and re.fullmatch(r"[\w.\- ]+", name) and name not in (".", "..")
            require(usable, f"name={name!r}: write letters, digits, '_', '-', '.' and spaces; the name becomes a key in files.")
            return name
        if layer.name is not None and layer.name not in self.names:
            return layer.name                       # as it is called in the model that it shares with this one
        base, count, taken = "sequential" if isinstance(layer, Row) else snake_case(type(layer).__name__), 0, set(self.names)
        while (name := f"{base}_{count}" if count else base) in taken:
            count += 1
        return name
