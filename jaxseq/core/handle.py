"""What a user may ask of a layer object once it stands in a model: its weights, its shapes, its state.

The declaration stays free of arrays. `bind` gives it a weak reference to its owner and the name it has there; the few
methods below only ask that owner.
"""

from __future__ import annotations

import weakref
from dataclasses import Field, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, dataclass_transform

from jaxseq.core.require import require

if TYPE_CHECKING:
    import numpy as np

    from jaxseq.core.types import Shape


class Owner(Protocol):
    """What a model answers about the layer called `name`."""

    def layer_shapes(self, name: str) -> tuple[Shape, Shape]: ...
    def layer_count(self, name: str) -> int: ...
    def get_layer_weights(self, name: str) -> list[np.ndarray]: ...
    def set_layer_weights(self, name: str, weights: list) -> None: ...
    def get_layer_state(self, name: str) -> dict[str, Any]: ...
    def reset_layer_states(self, name: str, states: Any) -> None: ...


class Home(NamedTuple):
    """Where a layer stands. `named` is False when the model chose the name, which then goes when the layer leaves."""

    model: weakref.ref[Any]
    named: bool


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Handle:
    """The bound half of a layer. See `jaxseq.core.layer.Layer` for the pure half."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _home: Home | None = None
    name: str | None
    trainable: bool

    def __setattr__(self, field: str, value: Any) -> None:
        require(field == "trainable", f"{type(self).__name__}.{field} cannot be changed: a layer is a frozen declaration. "
                f"Write a new one: dataclasses.replace(layer, {field}={value!r}).", AttributeError)
        require(isinstance(value, bool), f"trainable={value!r}: write True or False.", TypeError)
        object.__setattr__(self, "trainable", value)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along: the declaration. A copy stands in no model."""
        own = {field: value for field, value in vars(self).items() if field != "_home"}
        return {**own, "name": self._own_name()}

    def bind(self, model: Owner, name: str) -> None:
        """Gives the layer its place in `model`, under `name`."""
        require(self.owner is None or self.owner is model, f"{self!r} already stands in another model. Write a new layer "
                "for this one, or copy it: dataclasses.replace(layer).")
        object.__setattr__(self, "_home", Home(weakref.ref(model), self._own_name() is not None))
        object.__setattr__(self, "name", name)

    def unbind(self) -> None:
        """Takes the layer out of its model again."""
        object.__setattr__(self, "name", self._own_name())
        object.__setattr__(self, "_home", None)

    @property
    def owner(self) -> Any:
        """The model that the layer stands in, or None."""
        return None if self._home is None else self._home.model()

    def _own_name(self) -> str | None:
        return self.name if self._home is None or self._home.named else None

    def _placed(self, question: str) -> tuple[Any, str]:
        require(self.owner is not None and self.name is not None,
                f"{self!r} stands in no model yet, so it has no {question}. Add it first: model.add(layer).")
        return self.owner, str(self.name)

    if not TYPE_CHECKING:       # a type checker sees the constructor's word of this name: see Layer

        @property
        def input_shape(self) -> Shape:
            """The shape of the layer's input in its model, batch axis first, None where any length fits."""
            model, name = self._placed("input_shape")
            return model.layer_shapes(name)[0]

    @property
    def output_shape(self) -> Shape:
        """The shape of the layer's output in its model, batch axis first, None where any length fits."""
        model, name = self._placed("output_shape")
        return model.layer_shapes(name)[1]

    def count_params(self) -> int:
        """The number of weights, trained or not, moving statistics included."""
        model, name = self._placed("weights")
        return model.layer_count(name)

    def get_weights(self) -> list[np.ndarray]:
        """The layer's weights in Keras's order, as NumPy arrays: trained ones first, then moving statistics."""
        model, name = self._placed("weights")
        return model.get_layer_weights(name)

    def set_weights(self, weights: list) -> None:
        """Replaces all of the layer's weights. ValueError, and no change, unless number and shapes fit."""
        model, name = self._placed("weights")
        model.set_layer_weights(name, weights)

    @property
    def states(self) -> dict[str, Any]:
        """What a stateful layer carries from batch to batch: {"h": (batch, units), ...}."""
        model, name = self._placed("states")
        return model.get_layer_state(name)

    def reset_states(self, states: Any = None) -> None:
        """Puts a stateful layer's carry back to zero, or to `states`: a list in the order of `layer.states`, or a dict."""
        model, name = self._placed("states")
        model.reset_layer_states(name, states)

    reset_state = reset_states
