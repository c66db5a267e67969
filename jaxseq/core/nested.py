"""Layers made of layers: what wrappers and stacks of cells pass on to their parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jaxseq.core.layer import Layer
from jaxseq.core.precision import total
from jaxseq.core.require import require

PENALTY = "activity_penalty"    # the state entry that holds a part's activity penalty until the loss takes it


class Nested(Layer):
    """A layer whose weights and state are those of its parts, each name behind the part's prefix.

    A part's regularizers, constraints and moving statistics count as they do outside. trainable=False freezes all parts,
    and parts that were written with trainable=False freeze the whole: they are frozen together or not at all. In the same
    way the whole and its parts have one dtype, wherever it is written.
    """

    @abstractmethod
    def parts(self) -> Mapping[str, Layer]:
        """{prefix: part} in Keras's order of weights. The prefix may be empty where there is one part."""

    def __post_init__(self):
        inner = self.parts()
        trained = {part.trainable for part in inner.values()}
        require(len(trained) < 2, f"{type(self).__name__}: its parts are trained together or not at all. Write the same "
                "trainable=... in each.")
        if trained == {False}:
            object.__setattr__(self, "trainable", False)
        self._share_dtype(inner)
        object.__setattr__(self, "autocast", all(part.autocast for part in inner.values()))

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
