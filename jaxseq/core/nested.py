"""Layers made of layers: what wrappers and stacks of cells pass on to their parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jaxseq.core.layer import Layer
from jaxseq.core.require import require

PENALTY = "activity_penalty"    # the state entry that holds a part's activity penalty until the loss takes it


class Nested(Layer):
    """A layer whose weights and state are those of its parts, each name behind the part's prefix.

    A part's regularizers, constraints and moving statistics count as they do outside. trainable=False freezes all parts,
    and parts that were written with trainable=False freeze the whole: they are frozen together or not at all.
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

    @property
    def statistics(self) -> tuple[str, ...]:        # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the parts. Asked for each time, for a part in Keras's way knows its own only once it is built."""
        return tuple(prefix + entry for prefix, part in self.parts().items() for entry in part.statistics)

    def by_row(self, train):
        penalised = any(getattr(part, "activity_regularizer", None) is not None for part in self.parts().values())
        return not penalised and all(part.by_row(train) for part in self.parts().values())

    def reset(self, state):
        fresh = [named(prefix, part.reset(own(prefix, state))) for prefix, part in self.parts().items()]
        return joined([state, *fresh])

    def penalty(self, params):
        shares = [part.penalty(own(prefix, params)) for prefix, part in self.parts().items()]
        return sum(shares, jnp.zeros((), jnp.float32))

    def constrain(self, params):
        return joined([named(prefix, part.constrain(own(prefix, params))) for prefix, part in self.parts().items()])


def own(prefix: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The entries behind `prefix`, by the names that the part knows."""
    return {name.removeprefix(prefix): value for name, value in tree.items() if name.startswith(prefix)}


def named(prefix: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """A part's entries by the names they have in the whole."""
    return {prefix + name: value for name, value in tree.items()}


def joined(trees: list[Any]) -> dict[str, Any]:
    """All entries in one dict; of equal names the last."""
    return {name: value for tree in trees for name, value in tree.items()}
