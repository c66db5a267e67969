"""Weights that several models use: where they lie, and what of a model's training is its own.

A model within another keeps its own weights, and the outer one asks it. A layer that comes to stand in a second model gives
its weights into a Box, which all of its models ask from then on. So there is one set of arrays, and whatever is trained
anywhere is seen everywhere at the next dispatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import jax

from jaxseq.core import chain, rng
from jaxseq.core.layer import Layer
from jaxseq.core.nested import deepened, flattened, named, own
from jaxseq.core.require import require
from jaxseq.core.types import Spec, TrainState


class Entry(NamedTuple):
    """The part of a TrainState that belongs to one layer."""

    params: dict[str, Any]
    state: dict[str, Any]


class Place(Protocol):
    """What holds an entry that is not the model's own: a Box, or a model."""

    train_state: Any        # with the fields of an Entry


class Box:
    """The weights and the state of one layer that stands in several models.

    train_state: None until the first of its models draws them. The entries stand in the order in which Keras lists them.
    """

    models: Mapping[str, Any] = {}      # {prefix: model} of the models within the layer, whose entries lie with them

    def __init__(self) -> None:
        self._entry: Entry | None = None

    def begin(self, entry: Entry) -> None:
        """Takes the first entry."""
        self.train_state = entry

    @property
    def train_state(self) -> Entry | None:
        """The entry that all models see."""
        return self._entry

    @train_state.setter
    def train_state(self, entry: Entry) -> None:
        had = self._entry or entry          # compiled programs give dicts back sorted
        self._entry = Entry(*({name: new[name] for name in old} for old, new in zip(had, entry, strict=True)))


class Held(Box):
    """The place of a layer that holds models: their entries lie with them, and the others in here.

    models: {prefix: model}; the layer knows the entries of a model by flat names behind the prefix.
    """

    def __init__(self, models: Mapping[str, Any]):
        super().__init__()
        self.models = dict(models)

    def begin(self, entry: Entry) -> None:
        self._names = tuple(map(tuple, entry))
        theirs = self._theirs()
        self._entry = Entry(*({name: value for name, value in part.items() if name not in other}
                              for part, other in zip(entry, theirs, strict=True)))

    @property
    def train_state(self) -> Entry | None:
        if self._entry is None:
            return None
        held = [mine | other for mine, other in zip(self._entry, self._theirs(), strict=True)]
        return Entry(*({name: part[name] for name in names} for part, names in zip(held, self._names, strict=True)))

    @train_state.setter
    def train_state(self, entry: Entry) -> None:
        for prefix, model in self.models.items():
            params, state = (deepened(model.as_row(), own(prefix, part)) for part in entry)
            model.train_state = model.train_state._replace(params=params, state=state)
        assert self._entry is not None
        self._entry = Entry(*({name: new[name] for name in mine} for mine, new in zip(self._entry, entry, strict=True)))

    def _theirs(self) -> Entry:
        """The entries of the models, by the names that the layer knows."""
        entry = Entry({}, {})
        for prefix, model in self.models.items():
            for mine, part in zip(entry, (model.train_state.params, model.train_state.state), strict=True):
                mine.update(named(prefix, flattened(part)))
        return entry


def whole(ts: TrainState, places: Mapping[str, Place]) -> TrainState:
    """A model's training: what is its own, and what its places hold now."""
    entries = {name: place.train_state for name, place in places.items()}
    held = lambda part: {name: getattr(entry, part) for name, entry in entries.items() if getattr(entry, part)}
    return ts._replace(params={**ts.params, **held("params")}, state={**ts.state, **held("state")})


def handed_out(ts: TrainState, places: Mapping[str, Place]) -> TrainState:
    """Gives the entries of `ts` to the places that hold them; returns what remains, the model's own."""
    for name, place in places.items():
        place.train_state = place.train_state._replace(params=ts.params.get(name, {}), state=ts.state.get(name, {}))
    return without(ts, places)


def without(ts: TrainState, names: Any) -> TrainState:
    """The TrainState without the entries of these layers."""
    kept = lambda part: {name: entry for name, entry in part.items() if name not in names}
    return ts._replace(params=kept(ts.params), state=kept(ts.state))


def models_within(model: Any) -> Iterator[Any]:
    """The model, and all that stand within it at any depth."""
    yield model
    for layer in model.layers:
        for part in layer.models_within().values() if isinstance(layer, Layer) else [layer]:
            yield from models_within(part)


def layers_within(layer: Any) -> list[Layer]:
    """The layers of a model at any depth; of a layer, itself and those of the models within it."""
    parts = layer.models_within().values() if isinstance(layer, Layer) else layer.layers
    return [*([layer] if isinstance(layer, Layer) else ()), *(each for part in parts for each in layers_within(part))]


def called(layer: Any) -> str:
    """A layer by its declaration, a model by its name, for its layers may be many."""
    return repr(layer) if isinstance(layer, Layer) else f"Sequential(name={layer.name!r})"


def require_apart(model: Any, layer: Any) -> None:
    """ValueError if `layer`, a layer or a model, has anything in common with `model`, or nothing to give."""
    mine = layers_within(model)
    again = next((each for each in layers_within(layer) if any(each is other for other in mine)), None)
    if isinstance(layer, Layer):
        require(again is None, f"{layer!r} stands in this model already: write a new layer.")
        require(not layer.bereft, f"{layer!r} had its weights in a model that is gone, and they with it. Keep that model while "
                "its layers are used, base = ...; Sequential(base.layers[:-1]), or copy the layer: layer.replaced().")
        return
    copy = "copy it with jaxseq.models.clone_model."
    require(all(each is not model for each in models_within(layer)), f"{called(model)} cannot stand within itself: {copy}")
    require(again is None, f"{again!r}, a layer of {called(layer)}, stands in this model already: {copy}")
    require(layer.layers, f"{called(layer)} is empty: add its layers first.")


def require_one_dtype(layer: Any, there: str, here: str) -> None:
    """ValueError unless a layer or a model would keep its weights here in the dtype in which it keeps them elsewhere."""
    require(there == here, f"{called(layer)} keeps its weights in {there}, and would keep them in {here} here: one set of "
            "weights has one dtype. Write the same dtype=... in both models.")


def require_same(name: str, layer: Layer, entry: Entry, x: Spec) -> None:
    """ValueError unless the weights in a box are those that `layer` needs for an input like `x`."""
    shapes = lambda entry: jax.tree.map(lambda leaf: leaf.shape, tuple(map(dict, entry)))
    key = rng.key_spec()
    wanted = jax.eval_shape(lambda key: chain.init_layer(name, layer, key, x)[:2], key)
    told = lambda entry: ", ".join(f"{weight} {leaf.shape}" for part in entry for weight, leaf in part.items())
    require(shapes(entry) == shapes(wanted), f"{layer!r} has in its other model {told(entry)}, and would need here "
            f"{told(wanted)}: write a new layer.")
