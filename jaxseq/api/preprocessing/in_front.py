"""What reads data that cannot enter a compiled program, such as text."""

from __future__ import annotations

from jaxseq.core.require import Spelled


class InFront(Spelled):
    """Stands in front of a model, not in it: it is called on the data, and gives arrays."""


def instead_of_adding(tool: InFront) -> str:
    """What to write where such a thing was to be added to a model."""
    name = type(tool).__name__
    return (f"{name} cannot stand in a model: no text enters a compiled program. Call it on the data: "
            "model.fit(vectorize(x), y), model.predict(vectorize(x)), or data.map(lambda x, y: (vectorize(x), y)), where "
            f"vectorize = {name}(...).")
