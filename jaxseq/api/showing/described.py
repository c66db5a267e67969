"""A model in lines, as summary(), its table and its graph show it. Nothing is drawn for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxseq.core.layer import Layer
from jaxseq.core.types import Shape

UNKNOWN = "The input is not known yet: declare it with input_shape=(...), or call build or fit."


class Line(NamedTuple):
    """A layer, or a model within. shape, dtype: of its output; they and count are None while the model's input is unknown."""

    name: str
    layer: Any
    depth: int
    frozen: bool
    shape: Shape | None
    dtype: str | None
    count: int | None

    @property
    def kind(self) -> str:
        """Its class."""
        return type(self.layer).__name__

    @property
    def training(self) -> str:
        """Whether its weights are trained; nothing where it has none."""
        return "" if not self.count else "frozen" if self.frozen else "trained"

    @property
    def size(self) -> str:
        """The number of its weights."""
        return "?" if self.count is None else f"{self.count:,}"


def lines(model: Any, expand_nested: bool = False, depth: int = 0, frozen: bool = False) -> Iterator[Line]:
    """One for each layer; with expand_nested, those of a model within the model after its own."""
    known = model.input_shape is not None
    counts = dict.fromkeys((name for name, _ in model.named_layers), 0 if known else None)
    for slot, spec, _ in model.listed() if known and counts else ():
        counts[slot[1]] += spec.size
    for name, layer in model.named_layers:
        still = frozen or (layer.stands_still if isinstance(layer, Layer) else not layer.trainable)
        shape, dtype = model.layer_output(name) if known else (None, None)
        yield Line(name, layer, depth, still, shape, dtype, counts[name])
        if expand_nested and hasattr(layer, "named_layers"):
            yield from lines(layer, True, depth + 1, still)


def totals(model: Any) -> str:
    """How many weights there are, their bytes, and how many are trained."""
    if model.input_shape is None:
        return UNKNOWN
    listed = model.listed() if model.layers else []
    total, trained = sum(spec.size for _, spec, _ in listed), sum(spec.size for _, spec, moves in listed if moves)
    size = sum(spec.size * spec.dtype.itemsize for _, spec, _ in listed)
    readable = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"
    return f"Weights: {total:,} ({readable}), trained {trained:,}, not trained {total - trained:,}"


def printable(words: str, most: int = 80) -> str:
    """Names come from users and files, and may be long or hold what a terminal obeys."""
    return "".join(c if c.isprintable() else "?" for c in words[:most])
