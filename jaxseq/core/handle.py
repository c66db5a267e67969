"""What a user may ask of a layer object once it stands in a model: its weights, its shapes, its state.

The declaration stays free of arrays. `bind` gives it a weak reference to its model and the name it has there; the few
methods below only ask that model.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import Field, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, dataclass_transform

from jaxseq.core.require import NoFunction, absent, require

if TYPE_CHECKING:
    import numpy as np

    from jaxseq.core.types import Array, Shape

T = TypeVar("T")

# Of Keras's attributes those that a layer and a model have no values for.
NO_VALUES = ("there is no graph, so only shapes are known. Write Sequential(model.layers[:k]).predict(x) for what the k-th "
             "layer gives.")


class Owner(Protocol):
    """What a model answers about the layer called `name`."""

    @property
    def built(self) -> bool: ...
    def layer_shapes(self, name: str) -> tuple[Shape, Shape]: ...
    def layer_count(self, name: str) -> int: ...
    def layer_html(self, name: str, layer: Any) -> str: ...
    def layer_weights(self, name: str) -> list[tuple[Array, bool]]: ...
    def get_layer_weights(self, name: str) -> list[np.ndarray]: ...
    def set_layer_weights(self, name: str, weights: list) -> None: ...
    def get_layer_state(self, name: str) -> dict[str, Any]: ...
    def reset_layer_states(self, name: str, states: Any) -> None: ...


class Home(NamedTuple):
    """A model that a layer stands in, and the layer's name there. drawn: whether the model has had weights for it."""

    model: Callable[[], Any]        # a weak reference, unless the layer holds the model
    name: str
    drawn: bool = False


class answer(Generic[T]):
    """A property that gives way to an attribute or a field of the same name, which a layer may have. No class has it."""

    def __init__(self, read: Callable[[Any], T]):
        self._read, self.__doc__ = read, read.__doc__

    def __get__(self, layer: Any, owner: Any = None) -> T:
        if layer is None:
            raise AttributeError(self._read.__name__)           # so it is no field's default either
        return self._read(layer)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Handle(NoFunction):
    """The bound half of a layer. See `jaxseq.core.layer.Layer` for the pure half."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _homes: tuple[Home, ...] = ()
    _named: bool = False        # whether the user wrote the name; one that a model chose goes when the layer leaves
    name: str | None
    trainable: bool
    statistics: ClassVar[tuple[str, ...]]

    def __setattr__(self, field: str, value: Any) -> None:
        require(field == "trainable", f"{type(self).__name__}.{field} cannot be changed: a layer is a frozen declaration. "
                f"Write a new one: layer.replaced({field}={value!r}).", AttributeError)
        require(isinstance(value, bool), f"trainable={value!r}: write True or False.", TypeError)
        object.__setattr__(self, "trainable", value)

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along: the declaration. A copy stands in no model."""
        own = {field: value for field, value in vars(self).items() if field not in ("_homes", "_named")}
        return {**own, "name": self.own_name}

    def bind(self, model: Owner, name: str) -> None:
        """Gives the layer a place in `model`, under `name`. Of several models the first that lives answers for it."""
        self._settle((*self._homes_but(model), Home(weakref.ref(model), name)))

    def unbind(self, model: Owner) -> None:
        """Takes the layer out of `model` again."""
        self._settle(self._homes_but(model))

    def mark_drawn(self, model: Owner) -> None:
        """Notes that `model` has weights for the layer, which die with it."""
        homes = tuple(home._replace(drawn=True) if home.model() is model else home for home in self._homes)
        object.__setattr__(self, "_homes", homes)

    def keep(self, model: Owner) -> None:
        """Holds `model`, which the layer stands in, so that it lives as long as the layer stands there."""
        homes = tuple(home._replace(model=lambda: model) if home.model() is model else home for home in self._homes)
        object.__setattr__(self, "_homes", homes)

    @property
    def shared(self) -> bool:
        """Whether the layer stands in several models that live."""
        return sum(home.model() is not None for home in self._homes) > 1

    @property
    def owner(self) -> Any:
        """The model that the layer stands in, the first of several that lives; or None."""
        home = self._home()
        return None if home is None else home.model()

    @property
    def bereft(self) -> bool:
        """Whether the layer had weights, in a model that is gone."""
        return self._home() is None and any(home.drawn for home in self._homes)

    @property
    def own_name(self) -> str | None:
        """The name that the user wrote."""
        return self.name if self._named or not self._homes else None

    def _home(self) -> Home | None:
        return next((home for home in self._homes if home.model() is not None), None)

    def _homes_but(self, model: Owner) -> tuple[Home, ...]:
        return tuple(home for home in self._homes if home.model() not in (None, model))

    def _place_of(self, name: str) -> str | None:
        """Where the weight of that name is; None where the layer has none such, or stands in no model by itself."""
        home, asked = self._home(), {"gamma": "scale", "beta": "center"}.get(name, f"use_{name}")
        drawn = hasattr(type(self), f"{name.removesuffix('_kernel')}_initializer") and getattr(self, asked, True)
        if home is None or not drawn:
            return None
        part = "state" if name in self.statistics else "params"
        return f'the model holds it. Write model.{part}["{home.name}"]["{name}"], or layer.get_weights() for all of the layer.'

    def _settle(self, homes: tuple[Home, ...]) -> None:
        own = self.own_name
        object.__setattr__(self, "name", own or (homes[0].name if homes else None))
        object.__setattr__(self, "_named", own is not None)
        object.__setattr__(self, "_homes", homes)

    def _placed(self, question: str) -> tuple[Any, str]:
        home = self._home()
        require(home is not None,
                f"{self!r} stands in no model yet, so it has no {question}. Add it first: model.add(layer).")
        assert home is not None
        return home.model(), home.name

    if not TYPE_CHECKING:       # a type checker sees the constructor's word of this name: see Layer

        @answer
        def input_shape(self) -> Shape:
            """The shape of the layer's input in its model, batch axis first, None where any length fits."""
            model, name = self._placed("input_shape")
            return model.layer_shapes(name)[0]

    @answer
    def output_shape(self) -> Shape:
        """The shape of the layer's output in its model, batch axis first, None where any length fits."""
        model, name = self._placed("output_shape")
        return model.layer_shapes(name)[1]

    @answer
    def built(self) -> bool:
        """Whether it has weights to be asked for: it stands in a model whose input is known."""
        home = self._home()
        return home is not None and home.model().built

    if not TYPE_CHECKING:       # a type checker says by itself what a layer has not, and that it is no function

        def __getattr__(self, name: str) -> Any:
            return absent(self, name, NO_VALUES if name in ("input", "output") else self._place_of(name))

        def __call__(self, *values: Any, **words: Any) -> Any:
            raise TypeError(f"{type(self).__name__} is called within a model: Sequential([{type(self).__name__}(...)]). Alone: "
                            "params, state = layer.init(key, x); y, state = layer.apply(params, state, x, Ctx()).")

    def count_params(self) -> int:
        """The number of weights, trained or not, moving statistics included."""
        model, name = self._placed("weights")
        return model.layer_count(name)

    @answer
    def weights(self) -> list[Array]:
        """The layer's weights in the order of get_weights, as JAX arrays: as they are now, and not variables."""
        model, name = self._placed("weights")
        return [weight for weight, _ in model.layer_weights(name)]

    @answer
    def trainable_weights(self) -> list[Array]:
        """Those that training changes through their gradient."""
        model, name = self._placed("weights")
        return [weight for weight, trained in model.layer_weights(name) if trained]

    @answer
    def non_trainable_weights(self) -> list[Array]:
        """Those of a frozen layer, and moving statistics."""
        model, name = self._placed("weights")
        return [weight for weight, trained in model.layer_weights(name) if not trained]

    # Keras 3's names.
    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """The layer's weights in Keras's order, as NumPy arrays: trained ones first, then moving statistics."""
        model, name = self._placed("weights")
        return model.get_layer_weights(name)

    def set_weights(self, weights: list) -> None:
        """Replaces all of the layer's weights. ValueError, and no change, unless number and shapes fit."""
        model, name = self._placed("weights")
        model.set_layer_weights(name, weights)

    def _repr_html_(self) -> str | None:
        """What a notebook shows of a layer in a model. None, for its repr, where it stands in none."""
        home = self._home()
        return None if home is None else home.model().layer_html(home.name, self)

    @answer
    def states(self) -> dict[str, Any]:
        """What a stateful layer carries from batch to batch: {"h": (batch, units), ...}."""
        model, name = self._placed("states")
        return model.get_layer_state(name)

    def reset_states(self, states: Any = None) -> None:
        """Puts a stateful layer's carry back to zero, or to `states`: a list in the order of `layer.states`, or a dict."""
        model, name = self._placed("states")
        model.reset_layer_states(name, states)

    reset_state = reset_states
