"""Layers made of layers: what wrappers and stacks of cells pass on to their parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, replace
from typing import Any

import jax.numpy as jnp

from jaxseq.core.layer import Layer
from jaxseq.core.precision import total
from jaxseq.core.require import require

PENALTY = "activity_penalty"    # the state entry that holds a part's activity penalty until the loss takes it


class Nested(Layer):
    """A layer whose weights and state are those of its parts, each name behind the part's prefix.

    A part's regularizers, constraints and moving statistics count as they do outside. trainable=False freezes all parts,
    and parts with trainable=False freeze the whole: they are frozen together or not at all, also where that is said later.
    In the same way the whole and its parts have one dtype, wherever it is written.
    """

    @abstractmethod
    def parts(self) -> Mapping[str, Layer]:
        """{prefix: part} in Keras's order of weights. The prefix may be empty where there is one part."""

    def __post_init__(self):
        inner = self.parts()
        self._require_together()
        self._share_dtype(inner)
        object.__setattr__(self, "autocast", all(part.autocast for part in inner.values()))

    @property
    def stands_still(self) -> bool:
        """Whether it is frozen, or its parts are. ValueError where some of them are and others are not."""
        self._require_together()
        return not self.trainable or all(part.stands_still for part in self.parts().values())

    def _require_together(self) -> None:
        still = {part.stands_still for part in self.parts().values()}
        require(len(still) < 2, f"{type(self).__name__}: its parts are trained together or not at all. Write the same "
                "trainable=... in each.")

    @property
    def statistics(self) -> tuple[str, ...]:        # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the parts. Asked for each time, for a part in Keras's way knows its own only once it is built."""
        return tuple(prefix + entry for prefix, part in self.parts().items() for entry in part.statistics)

    def _share_dtype(self, inner: Mapping[str, Layer]) -> None:
        written = {each.dtype for each in (self, *inner.values())} - {None}
        require(len(written) < 2, f"{type(self).__name__}: it computes in one dtype, got {', '.join(sorted(written))}. Write "
                "dtype=... once.")
        for dtype in written:
            object.__setattr__(self, "dtype", dtype)
            for each in fields(self):
                object.__setattr__(self, each.name, _under(getattr(self, each.name), dtype))

    def frozen_within(self):
        return frozenset(prefix + path for prefix, part in self.parts().items() for path in part.frozen_within())

    def dtypes_within(self):
        return super().dtypes_within().union(*(part.dtypes_within() for part in self.parts().values()))

    def models_within(self):
        return joined([named(prefix, part.models_within()) for prefix, part in self.parts().items()])

    def by_row(self, train):
        penalised = any(getattr(part, "activity_regularizer", None) is not None for part in self.parts().values())
        return not penalised and all(part.by_row(train) for part in self.parts().values())

    def reset(self, state):
        fresh = [named(prefix, part.reset(own(prefix, state))) for prefix, part in self.parts().items()]
        return joined([state, *fresh])

    def penalty(self, params):
        return total(part.penalty(own(prefix, params)) for prefix, part in self.parts().items())

    def constrain(self, params):
        return joined([named(prefix, part.constrain(own(prefix, params))) for prefix, part in self.parts().items()])


def _under(value: Any, dtype: str) -> Any:
    """A field's layers with that dtype; whatever else it holds as it is."""
    if isinstance(value, tuple):
        return tuple(_under(each, dtype) for each in value)
    return value.under(dtype) if isinstance(value, Layer) else value


def own(prefix: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The entries behind `prefix`, by the names that the part knows."""
    return {name.removeprefix(prefix): value for name, value in tree.items() if name.startswith(prefix)}


def named(prefix: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """A part's entries by the names they have in the whole."""
    return {prefix + name: value for name, value in tree.items()}


def joined(trees: list[Any]) -> dict[str, Any]:
    """All entries in one dict; of equal names the last."""
    return {name: value for tree in trees for name, value in tree.items()}


class Flat(Layer):
    """A model as a part of another layer: what its row does, with weights and state by flat names, "dense/kernel".

    row: the layer that the model is within other models. model: what holds its weights; None where the other layer does.
    What activities within cost is added up in one entry.
    """

    row: Layer
    model: Any = field(default=None, compare=False)

    autocast = False            # its layers cast for themselves

    def __post_init__(self):
        object.__setattr__(self, "input_dtype", self.row.input_dtype)

    def __repr__(self) -> str:
        return repr(self.row)

    def under(self, dtype):
        row = self.row.under(dtype)
        return self if row is self.row else replace(self, row=row)

    @property
    def stands_still(self) -> bool:
        """Whether it, or the model, is frozen as a whole."""
        return not self.trainable or self.row.stands_still

    @property
    def statistics(self) -> tuple[str, ...]:        # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of its layers."""
        return tuple(path + entry for path, layer in _leaves(self.row) for entry in layer.statistics)

    def dtypes_within(self):
        return self.row.dtypes_within()

    def frozen_within(self):
        return self.row.frozen_within()

    def models_within(self):
        return {} if self.model is None else {"": self.model}

    def inputs_of_models(self, x):
        return {} if self.model is None else {"": x}

    def init(self, key, x):
        params, state = self.row.init(key, x)
        return flattened(params), self._with_penalty(flattened(state))

    def forward(self, params, state, x, ctx):
        row = self.row if self.trainable else self.row.replaced(trainable=False)
        y, after, mask = row.forward(deepened(row, params), deepened(row, state), x, ctx)
        return y, self._with_penalty(flattened(after)), mask

    def apply(self, params, state, x, ctx):
        y, state, _ = self.forward(params, state, x, ctx)
        return y, state

    def by_row(self, train):
        penalised = any(getattr(layer, "activity_regularizer", None) is not None for _, layer in _leaves(self.row))
        return not penalised and self.row.by_row(train)

    def reset(self, state):
        return {**state, **flattened(self.row.reset(deepened(self.row, state)))}

    def penalty(self, params):
        return self.row.penalty(deepened(self.row, params))

    def constrain(self, params):
        return flattened(self.row.constrain(deepened(self.row, params)))

    def _with_penalty(self, state: dict[str, Any]) -> dict[str, Any]:
        shares = {name: value for name, value in state.items() if name.endswith(f"/{PENALTY}")}
        spent = {name: jnp.zeros_like(value) for name, value in shares.items()}
        return {**state, **spent, PENALTY: total(shares.values())} if shares else state


def as_layer(part: Any) -> Any:
    """A model as the part that it is of a layer; anything else as it is."""
    return part.as_part() if hasattr(part, "as_part") else part


def flattened(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{"layer/weight": array} of the entries of a row, at any depth."""
    return {f"{name}/{inner}": value for name, entry in tree.items()
            for inner, value in (flattened(entry) if _is_deep(entry) else entry).items()}


def deepened(row: Layer, flat: Mapping[str, Any]) -> dict[str, Any]:
    """What `flattened` was given: {layer: {weight: array}}, deeper where layers are rows."""
    entries = {name: (layer, own(f"{name}/", flat)) for name, layer in row.row_of}
    return {name: deepened(layer, entry) if layer.row_of else entry for name, (layer, entry) in entries.items() if entry}


def _is_deep(entry: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping) for value in entry.values())


def _leaves(row: Layer, above: str = "") -> Iterator[tuple[str, Layer]]:
    """(prefix of its weights' flat names, layer) of all layers, at any depth."""
    for name, layer in row.row_of:
        if layer.row_of:
            yield from _leaves(layer, f"{above}{name}/")
        else:
            yield f"{above}{name}/", layer
