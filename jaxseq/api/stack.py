"""A row of layers and models, their names and shapes: what a Sequential is before it has weights."""

from __future__ import annotations

import dataclasses
import secrets
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import jax
import numpy as np

from jaxseq.api import cache, config, hosts, sharing
from jaxseq.api.architecture import Architecture
from jaxseq.api.files import rebuilt
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.preprocessing.in_front import InFront, instead_of_adding
from jaxseq.core import chain, policy, rng
from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.nested import Flat
from jaxseq.core.require import Spelled, positive_int, require, require_known
from jaxseq.core.row import Row
from jaxseq.core.types import Array, Key, Shape, Spec, TrainState

SOME_LENGTH = 512       # stands for a length that is not known, and is longer than most windows


class Stack(Spelled, ABC):
    """Layers in a row, and models that stand among them as layers. See `Body` for its weights."""

    @abstractmethod
    def share_layer(self, layer: Layer) -> sharing.Box:
        """The box in which the layer's weights lie from now on, for another model to use as well."""

    @abstractmethod
    def _shelve(self, layer: Layer) -> Stack:
        """Leaves the layer its weights, which stands in no other model, on the shelf that is returned."""

    @abstractmethod
    def _changed(self) -> None:
        """After the layers changed."""

    is_shelf: ClassVar[bool] = False        # see shelf.py

    def __init__(self, layers: Iterable[Layer] = (), name: str = "sequential", *, seed: int | Array | None = None,
                 dtype: Any = None, trainable: bool = True):
        cache.switch_on()
        self.name = name
        self._seeded = seed is not None
        self.seed = secrets.randbits(32) if seed is None else seed
        self._key = rng.root_key(self.seed)
        self._architecture = Architecture(policy=policy.named(dtype))
        self._train_state: TrainState | None = None         # the model's own; see sharing.py
        self._places: dict[str, sharing.Place] = {}         # what holds the entries that are not
        self._users: weakref.WeakSet[Stack] = weakref.WeakSet()      # the models that this one stands in
        self._row: Row | None = None
        self.trainable = trainable
        self._part: Flat | None = None
        require(layers is None or isinstance(layers, Iterable), f"Sequential({layers!r}): write a list, Sequential([...]).",
                TypeError)
        for layer in layers or ():
            self.add(layer)

    # ---- the architecture

    def add(self, layer: Layer | Stack | None = None, *, batch_size: int | None = None,
            input_shape: Shape | None = None) -> None:
        """Adds a layer at the end, or a whole model as a layer.

        A model keeps its weights; a layer of another model shares them with it. They are trained wherever any of the models
        is. Without a layer, `batch_size=` and `input_shape=` declare the input of the model.
        Raises: TypeError for what is not a layer; ValueError for a layer that cannot follow the one before it, for a name
        that is taken, and for what stands in this model already. The model is then as it was; one that was to be added may
        have learned its input.
        """
        if layer is None:
            require(batch_size is not None or input_shape is not None, "add() needs a layer: model.add(Dense(10)).", TypeError)
            size = None if batch_size is None else positive_int("batch_size", batch_size)
            self._declare(None if input_shape is None else (None, *checked_shape("input_shape", input_shape)), size)
            return
        require(not isinstance(layer, type), f"add({getattr(layer, '__name__', layer)}) is a class: add an instance, "
                f"{getattr(layer, '__name__', layer)}(...).", TypeError)
        require(not isinstance(layer, InFront), instead_of_adding(layer), TypeError)
        require(isinstance(layer, Layer | Stack), f"add({layer!r}): write a layer of jaxseq.layers, or an instance of your own "
                "subclass of jaxseq.layers.Layer.", TypeError)
        sharing.require_apart(self, layer)
        self._require_free("add")
        owner = layer.owner if isinstance(layer, Layer) else None
        with at_step_boundary():
            before = dataclasses.replace(self._architecture), dict(self._places)
            try:
                self._put_last(layer)
            except BaseException:
                self._architecture, self._places = before
                self._let_go(layer)
                raise
            if owner is not None and owner.is_shelf:
                owner._let_go(layer)
                layer.mark_drawn(self)          # pyright: ignore[reportAttributeAccessIssue]  # a layer has an owner

    def pop(self) -> Layer | Stack:
        """Takes the last layer away and returns it, with its weights. TypeError when there is none; ValueError within another
        model."""
        self._require_free("pop")
        with at_step_boundary():
            layer = (self.layers or [None])[-1]
            before, shelf = (dataclasses.replace(self._architecture), dict(self._places), self._train_state), None
            try:
                if isinstance(layer, Layer) and self._train_state is not None and not layer.shared:
                    shelf = self._shelve(layer)
                name, _ = self._architecture.pop()
                self._places.pop(name, None)
                self._changed()
            except BaseException:
                self._architecture, self._places, self._train_state = before
                if shelf is not None:
                    shelf._let_go(layer)
                raise
            assert layer is not None
            self._let_go(layer)
        return layer

    @property
    def layers(self) -> list[Any]:
        """The layers in order, without the input; models among them are themselves."""
        return [layer for _, layer in self.named_layers]

    @property
    def named_layers(self) -> list[tuple[str, Any]]:
        """(name, layer) in order. A layer or model that stands in others, too, may be called otherwise there."""
        models = self._within()
        return [(name, models.get(name, layer)) for name, layer in self._architecture.layers]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of that name, or at that place. ValueError when there is none."""
        require((name is None) != (index is None), "get_layer needs a name or an index: get_layer('dense') or "
                "get_layer(index=0).")
        if index is not None:
            require(-len(self.layers) <= index < len(self.layers), f"get_layer(index={index}): the model has "
                    f"{len(self.layers)} layers.")
            return self.layers[index]
        require_known(name, self._architecture.names, f"There is no layer {name!r}.")
        return self.layers[self._architecture.names.index(str(name))]

    @property
    def input_shape(self) -> Shape | None:
        """What the model is given, batch axis first, None where any length fits; None while it is not known."""
        return self._architecture.input

    @property
    def input_dtype(self) -> str:
        """What x becomes on its way in: as declared, or as the first layer wants it."""
        return self._architecture.input_dtype

    @property
    def dtype(self) -> str | None:
        """The number format of layers that have none of their own, as it was written; None, for float32, where it was not.

        A model without one takes that of the first model it comes to stand in, as long as it has no weights.
        """
        return self._architecture.policy

    @property
    def dtype_policy(self) -> policy.DTypePolicy:
        """`dtype` as a policy, with its compute_dtype and variable_dtype."""
        return policy.DTypePolicy(self.dtype or "float32")

    @property
    def compute_dtype(self) -> str:
        """What such layers compute in."""
        return self.dtype_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """What such layers keep their weights in."""
        return self.dtype_policy.variable_dtype

    @property
    def output_shape(self) -> Shape | None:
        """What the model gives, batch axis first; None while the input is not known."""
        edges = self._architecture.edges
        return edges[-1][0] if edges else self.input_shape

    @property
    def trainable(self) -> bool:
        """Whether the model is trained as a whole; what each layer says of itself is left alone.

        It counts at once in the models that this one stands in, and for its own training at the next compile().
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        require(isinstance(value, bool), f"trainable={value!r}: write True or False.", TypeError)
        self._trainable = value
        if self._row is not None:
            self._row.trainable = value

    def get_config(self) -> dict[str, Any]:
        """The architecture as plain data, from which `from_config` makes an equal, untrained model."""
        described = config.of_model(self.name, self.named_layers, self._architecture)
        return described if self.trainable else {**described, "trainable": False}

    @classmethod
    def from_config(cls, data: dict[str, Any], custom_objects: dict[str, Any] | None = None, *,
                    seed: int | Array | None = None) -> Self:
        """The model that `get_config` describes, ours or that of Keras 3. custom_objects: {name: class or function} of the
        user's own."""
        if config.in_words_of_keras(data):
            return rebuilt.of_config(cls, data, custom_objects, seed)
        part = lambda data: cls.from_config(data, custom_objects)
        model = cls(config.layers(data, custom_objects or {}, part), name=data.get("name", "sequential"), seed=seed,
                    dtype=data.get("dtype"))
        model.trainable = data.get("trainable", True)
        return model

    def to_json(self, **options: Any) -> str:
        """The architecture as JSON text, from which `jaxseq.models.model_from_json` makes an equal, untrained model.

        options: of json.dumps, such as indent=2.
        """
        return config.to_json(self.get_config(), **options)

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(map(repr, self.layers))}], name={self.name!r})"

    def go_on_with(self, seed: int | None, key: Any) -> None:
        """Takes the seed of a run that goes on in this model; of a seed that is not known, its key."""
        self._key = rng.root_key(np.asarray(key))
        self.seed = self._key if seed is None else seed

    def agree_on_seed(self) -> None:
        """The first process's seed for all that train the model together, where none was written for it; all have to ask.

        It is asked at compile(), to which all come with a mesh of everyone's devices. A constructor may ask nobody: models are
        made in one process alone, too. Weights that are drawn already stay, and are compared before the first step.
        """
        if self._seeded:
            return
        words = hosts.agreed_words(np.asarray(jax.random.key_data(self._key)))
        self.go_on_with(int(words[0]) << 32 | int(words[1]) if isinstance(self.seed, int) else None, words)
        if self._train_state is not None:
            self._train_state = self._train_state._replace(key=self._key)
        for name, place in self._places.items():
            key = rng.fold_in(self._key, name)
            if isinstance(place, Stack):
                place.take_seed(key)
            for prefix, part in getattr(place, "models", {}).items():
                part.take_seed(rng.fold_in(key, prefix))

    def layer_shapes(self, name: str) -> tuple[Shape, Shape]:
        """(input shape, output shape) of the layer."""
        return self._architecture.shapes(name)

    def layer_output(self, name: str) -> tuple[Shape, str]:
        """(shape, dtype) of the layer's output."""
        return self._architecture.shapes(name)[1], str(self._architecture.edges[self._architecture.names.index(name)][1])

    # ---- what other models ask

    def as_row(self) -> Row:
        """The model as a layer of others, the same one for all: it is trained there where `trainable` says so."""
        if self._row is None:
            name = None if self.name == "sequential" else self.name
            self._row = Row(self._architecture.layers, self._architecture.dtype, dtype=self.dtype, name=name,
                            trainable=self.trainable)
        return self._row

    def as_part(self) -> Flat:
        """The model as a part of layers, which know its weights by flat names; the same one for all."""
        row = self.as_row()
        if self._part is None or self._part.row is not row:
            self._part = Flat(row, self)
        return self._part

    def learn_input(self, shape: Shape) -> None:
        """Takes the input of its place in another model for its own; ValueError if it is declared otherwise."""
        known = self.input_shape
        require(known is None or fits(shape, known), f"{sharing.called(self)} takes an input {known}, and would be given "
                f"{shape} here.")
        if known is None:
            self._declare(shape, None)

    def take_seed(self, key: Key) -> None:
        """Draws from `key`, unless the model has a seed that was written for it, or has drawn already."""
        if not self._seeded and self._train_state is None:
            self.seed = self._key = key
            for name, model in self._within().items():
                model.take_seed(rng.fold_in(key, name))

    def may_take_dtype(self, user: Stack | None) -> bool:
        """Whether the model is still free to take the number format of `user`, the only model that it may stand in."""
        shared = any(isinstance(place, sharing.Box) for place in self._places.values())
        free = self.dtype is None and self._train_state is None and not shared and all(each is user for each in self._users)
        return free and all(model.dtype is not None or model.may_take_dtype(self) for model in self._within().values())

    def take_dtype(self, dtype: str | None) -> None:
        """Takes a number format for its own, where it has none. See `may_take_dtype`."""
        if dtype is None or self.dtype is not None:
            return
        self._architecture.policy = dtype
        for model in self._within().values():
            model.take_dtype(dtype)
        self._architecture.declare()
        if self._row is not None:
            self._row.take_dtype(dtype)

    def known_input(self, layer: Layer) -> Shape | None:
        """What the layer is given here; None while that is not known."""
        name = self._name_of(layer)
        return self.layer_shapes(name)[0] if self._architecture.edges else None

    # ---- within

    def _put_last(self, layer: Layer | Stack) -> None:
        """`add`, but for what is asked before, and for what goes back when something is refused."""
        free = isinstance(layer, Stack) and self._may_give_dtype(layer, self.dtype)
        if isinstance(layer, Stack):
            name = self._architecture.add(layer.as_row(), layer.input_shape)
            assert name is not None
            self._places[name] = layer
        else:
            owner = layer.owner
            if owner is not None and layer.dtype is None:
                sharing.require_one_dtype(layer, owner.variable_dtype, self.variable_dtype)
            parts = layer.models_within()
            free_parts = [part for part in parts.values() if self._may_give_dtype(part, layer.dtype or self.dtype)]
            name = self._architecture.add(layer, None if owner is None else owner.known_input(layer))
            if name is None:
                return
            if owner is not None:
                self._places[name] = owner.share_layer(layer)
            elif parts:
                self._places[name] = sharing.Held(parts)
        self._settle()
        if isinstance(layer, Stack):
            if free:
                layer.take_dtype(self.dtype)
            layer._users.add(self)
            layer.take_seed(rng.fold_in(self._key, name))
        else:
            layer.bind(self, name)
            for part in free_parts:
                part.take_dtype(layer.dtype or self.dtype)
            for prefix, part in parts.items():
                part._users.add(self)
                part.take_seed(rng.fold_in(rng.fold_in(self._key, name), prefix))
        self._changed()

    def _may_give_dtype(self, model: Stack, dtype: str | None) -> bool:
        """Whether a model that comes to stand here may take `dtype`. ValueError where it may not, and would have to."""
        free = model.may_take_dtype(None)
        if model.dtype is None and not free:
            sharing.require_one_dtype(model, model.variable_dtype, policy.DTypePolicy(dtype or "float32").variable_dtype)
        return free

    def _move_in(self) -> None:
        """Gives the layers of a copied or unpickled model their place in it."""
        cache.switch_on()
        self._users = weakref.WeakSet()
        for name, layer in self._architecture.layers:
            place = self._places.get(name)
            if isinstance(place, Stack):
                place._users.add(self)
            else:
                layer.bind(self, name)
                for part in layer.models_within().values():
                    part._users.add(self)
        if self._train_state is not None:
            self._mark_drawn()

    def _mark_drawn(self) -> None:
        """Tells the layers that their weights are here, and die with the model."""
        for layer in self.layers:
            if isinstance(layer, Layer):
                layer.mark_drawn(self)

    def _let_go(self, layer: Layer | Stack) -> None:
        """Tells a layer or a model that it stands here no longer."""
        for model in [layer] if isinstance(layer, Stack) else layer.models_within().values():
            model._users.discard(self)
        if isinstance(layer, Layer):
            layer.unbind(self)

    def _within(self) -> dict[str, Stack]:
        """The models within, by the names they have here, and those that are parts of layers: {"layer/prefix": model}."""
        models: dict[str, Any] = {}
        for name, place in self._places.items():
            models |= {name: place} if isinstance(place, Stack) else {
                f"{name}/{prefix}": part for prefix, part in getattr(place, "models", {}).items()}
        return models

    def _name_of(self, layer: Layer) -> str:
        return next(name for name, each in self._architecture.layers if each is layer)

    def _require_free(self, what: str) -> None:
        """ValueError while the model stands in another one, which was built for the layers it has."""
        require(not self._users, f"{what}() would change {sharing.called(self)}, which stands in another one. Build a "
                "new model of its layers, Sequential([*model.layers, ...]): it shares their weights.")

    def _declare(self, shape: Shape | None, batch_size: int | None) -> None:
        require(self._train_state is None, "The model has its weights already: declare the input before they are drawn.")
        before = dataclasses.replace(self._architecture)
        self._architecture.declare(shape, batch_size=batch_size)
        try:
            self._settle()
        except ValueError:
            self._architecture = before
            raise

    def _settle(self) -> None:
        """Once the shapes are known: tells the models within what they are given, and looks whether shared weights fit."""
        if not self._places or not self._architecture.edges:
            return
        for name, layer in self._architecture.typed:
            place = self._places.get(name)
            if isinstance(place, Stack):
                place.learn_input(self.layer_shapes(name)[0])
                continue
            if isinstance(place, sharing.Held):
                given = chain.inputs_of_models(layer, *self._architecture.given(name))
                inputs = {prefix: shape for prefix, shape in given.items() if prefix in place.models}
                place.models = {prefix: place.models[prefix] for prefix in inputs}
                for prefix, shape in inputs.items():
                    place.models[prefix].learn_input(shape)
            if place is not None and place.train_state is not None:
                sharing.require_same(name, layer, place.train_state, some_array(*self._architecture.given(name)))


def fits(shape: Any, known: Shape) -> bool:
    """Whether every length that is known is the one that is given."""
    return len(shape) == len(known) and all(want in (None, have) for have, want in zip(shape, known, strict=True))


def some_array(shape: Shape, dtype: Any) -> Spec:
    """The spec of an array like those of that shape. Weights do not depend on the lengths that are not known."""
    batch, *rest = shape
    return Spec((batch or 1, *(SOME_LENGTH if each is None else each for each in rest)), dtype)
