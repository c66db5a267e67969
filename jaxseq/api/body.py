"""A row of layers with weights: what a Sequential is before anyone says how to train it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxseq.api import sharing, summary, weights
from jaxseq.api.architecture import Architecture
from jaxseq.api.dealing import moved
from jaxseq.api.functional import Functional, OpenRow, opened
from jaxseq.api.showing import diagram, tables
from jaxseq.api.stack import Stack, fits, some_array
from jaxseq.core import chain, rng, run
from jaxseq.core.handle import NO_VALUES, answer
from jaxseq.core.layer import Layer
from jaxseq.core.layout import Layout
from jaxseq.core.nested import PENALTY
from jaxseq.core.require import absent, require, require_known, spelled
from jaxseq.core.types import Array, Shape, Spec, TrainState


class Body(Stack):
    """Layers, their names, shapes and weights, and the one TrainState. See `Sequential` for how to train it."""

    _order: Any = None          # {part: {layer: names of its entries}} as Keras lists them, once that is known
    _fingerprint: weights.Fingerprint | None = None         # the last one that was asked for
    layout: Layout | None = None        # how its arrays lie on several devices

    def build(self, input_shape: Shape | None = None) -> None:
        """Draws the first weights, for an input of that shape, batch axis first: build((None, 784))."""
        if input_shape is not None:
            whole = isinstance(input_shape, tuple | list) and input_shape
            require(whole, f"build({input_shape!r}): write the shape with its batch axis, "
                    "build((None, 784)).", TypeError)
            known = self.input_shape
            require(known is None or fits(input_shape[1:], known[1:]), f"build({tuple(input_shape)}): the model's input is "
                    f"declared as {known}.")
            if known is None:
                self._declare(tuple(input_shape), None)
        self._need_state()

    @answer
    def built(self) -> bool:
        """Whether it has weights to be asked for: it has layers, and their input is known."""
        return bool(self.layers) and self.input_shape is not None

    if not TYPE_CHECKING:       # a type checker says by itself what a model has not

        def __getattr__(self, name: str) -> Any:
            return absent(self, name, NO_VALUES if name in ("input", "inputs", "output", "outputs") else None)

    @spelled
    def summary(self, line_length: int | None = None, positions: Sequence[float] | None = None,
                print_fn: Callable[[str], Any] | None = None, expand_nested: bool = False,
                show_trainable: bool = False) -> None:
        """Prints a table of the layers: name, class, output shape, weights.

        positions: where the columns end, in letters or in shares of the line: [0.5, 0.8, 1.0].
        print_fn: takes each line instead. expand_nested: the layers of models within it, too.
        show_trainable: a column with Y or N for each that has weights.
        """
        summary.show(self, print_fn, line_length, positions, expand_nested, show_trainable)

    def plot(self, to_file: Any = None, **settings: Any) -> diagram.Diagram:
        """The graph of the model, which shows itself in a notebook: plot(show_shapes=True). See `jaxseq.utils.plot_model`."""
        return diagram.plot_model(self, to_file, **settings)

    def _repr_html_(self) -> str:
        """The table that a notebook shows: a row for each layer, and the totals. Nothing is drawn for it."""
        return tables.of_model(self)

    # ---- weights and state

    @property
    def train_state(self) -> TrainState:
        """All of training: params, state, optimizer state, step and key. Built when first asked for."""
        return self._need_state()

    @train_state.setter
    def train_state(self, value: TrainState) -> None:
        self._train_state = sharing.handed_out(value, self._places) if self._places else value

    @property
    def drawn(self) -> bool:
        """Whether the model has its weights already; they are drawn when they are first asked for."""
        return self._train_state is not None

    @property
    def params(self) -> dict[str, Any]:
        """{layer: {weight: array}} of what is trained, in the layers' order. A copy: assign a tree like it to change it."""
        return self._ordered("params")

    @params.setter
    def params(self, tree: dict[str, Any]) -> None:
        self.train_state = self.train_state._replace(params=weights.like("params", self.train_state.params, tree))

    @property
    def state(self) -> dict[str, Any]:
        """{layer: {name: array}} of what is carried but not differentiated. Assign a tree of that form to replace it."""
        return self._ordered("state")

    @state.setter
    def state(self, tree: dict[str, Any]) -> None:
        self.train_state = self.train_state._replace(state=weights.like("state", self.train_state.state, tree))

    @property
    def weights(self) -> list[Array]:
        """All weights as JAX arrays, in the order of get_weights."""
        return [weights.at(self.train_state, slot) for slot in self._slots()]

    @property
    def trainable_weights(self) -> list[Array]:
        """Those that training changes through their gradient."""
        ts, trained = self.train_state, self._trained_slots()
        return [weights.at(ts, slot) for slot in self._slots() if slot in trained]

    @property
    def non_trainable_weights(self) -> list[Array]:
        """Those of frozen layers, and moving statistics."""
        ts, trained = self.train_state, self._trained_slots()
        return [weights.at(ts, slot) for slot in self._slots() if slot not in trained]

    # Keras 3's names.
    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """All weights as NumPy arrays, layer by layer: trained ones, then moving statistics."""
        return weights.get(self.train_state, self._slots())

    def set_weights(self, values: Iterable[Any]) -> None:
        """Replaces all weights, in the order of get_weights. ValueError, and no change, unless number and shapes fit."""
        self.train_state = weights.put(self.train_state, self._slots(), values)

    def count_params(self) -> int:
        """The number of weights, moving statistics included."""
        return sum(self.layer_count(name) for name in self._architecture.names)

    def count_trainable_params(self) -> int:
        """The number of weights that training changes through their gradient."""
        return sum(leaf.size for leaf in self.trainable_weights)

    def reset_states(self) -> None:
        """Makes every stateful layer forget what it carries. Nothing else clears it."""
        ts = self.train_state
        self.train_state = ts._replace(state=chain.reset(self._architecture.layers, ts.state))

    def fingerprint(self) -> str:
        """SHA-256 over everything in the TrainState: equal fingerprints, equal models, to the bit. The very arrays that were
        read the last time are not read again."""
        ts, last = self.train_state, self._fingerprint
        if last is None or not last.is_of(ts):
            last = self._fingerprint = weights.Fingerprint(ts)
        return last.text

    def functional(self, until: str | None = None) -> Functional:
        """The model as pure functions (init, apply) over named pytrees. Its own params and state fit them.

        until: the name of the last layer that is applied, so that y is its output; all when absent.
        """
        row, spec = self._open_row(), self._need_input_spec()
        if until is not None:
            require_known(until, self._architecture.names, f"There is no layer {until!r}.")
            row = row._replace(layers=row.layers[:self._architecture.names.index(until) + 1])
        return opened(row, spec)

    def __call__(self, x: Any, training: bool | None = False) -> Array:
        """The model's output for x as a JAX array; no state moves.

        training: True for what a training step computes: dropout and the like draw, BatchNormalization goes by the batch. The
            draws are those of the model's next step, a pure function of seed and step, so they are the same until it has been
            made. In Keras each call draws anew, and moves the moving statistics. None: False.
        """
        require(training is None or isinstance(training, bool), f"training={training!r}: write True or False.", TypeError)
        ts = self.train_state
        key = rng.fold_in(rng.fold_in(ts.key, rng.Purpose.STEP), ts.step) if training else None
        y, _ = self._open_row().applied(ts.params, ts.state, x, train=bool(training), key=key)
        return y

    # ---- what a bound layer asks (see core/handle.py)

    def layer_count(self, name: str) -> int:
        """The number of the layer's weights."""
        ts = self.train_state
        return sum(weights.at(ts, slot).size for slot in self._slots(name))

    def layer_html(self, name: str, layer: Layer) -> str:
        """What a notebook shows of the layer."""
        return tables.of_layer(self, name, layer)

    def layer_weights(self, name: str) -> list[tuple[Array, bool]]:
        """The layer's weights, each with whether training changes it."""
        ts, trained = self.train_state, self._trained_slots()
        return [(weights.at(ts, slot), slot in trained) for slot in self._slots(name)]

    def get_layer_weights(self, name: str) -> list[np.ndarray]:
        """The layer's weights."""
        return weights.get(self.train_state, self._slots(name))

    def set_layer_weights(self, name: str, values: Iterable[Any]) -> None:
        """Replaces the layer's weights."""
        self.train_state = weights.put(self.train_state, self._slots(name), values)

    def get_layer_state(self, name: str) -> dict[str, Any]:
        """What the layer carries; a penalty on its way to the loss is none of it."""
        return {entry: value for entry, value in self.state.get(name, {}).items() if not entry.endswith(PENALTY)}

    def reset_layer_states(self, name: str, states: Any = None) -> None:
        """Puts the layer's carry back to zero, or to `states`."""
        ts, layer = self.train_state, dict(self._architecture.layers)[name]
        whole, old = self.state.get(name, {}), self.get_layer_state(name)
        if states is None:
            new = layer.reset(whole)
        else:
            named = states if isinstance(states, dict) else dict(zip(old, states, strict=True))
            new = {**whole, **weights.like(f"states of {name}", old, named)}
        self.train_state = ts._replace(state={**ts.state, name: new} if whole else ts.state)

    def share_layer(self, layer: Layer) -> sharing.Box:
        """The box in which the layer's weights lie from now on, so that another model may use them, too."""
        name = self._name_of(layer)
        if name not in self._places:
            box = sharing.Box()
            if self._train_state is not None:
                box.train_state = sharing.Entry(self.params.get(name, {}), self.state.get(name, {}))
                self._train_state = sharing.without(self._train_state, {name})
            self._places[name] = box
        box = self._places[name]
        assert isinstance(box, sharing.Box)
        return box

    # ---- within

    def _changed(self) -> None:
        """After the layers changed: programs are stale; weights of layers that stayed are kept, new ones are drawn."""
        self._row = None
        if self._train_state is None or not self.layers:
            self._train_state = self._order = None
            return
        old, new = self._train_state, self._drawn(self.layout)
        keep = lambda fresh, had: {name: had.get(name, entry) for name, entry in fresh.items()}
        ts = new._replace(params=keep(new.params, old.params), state=keep(new.state, old.state), step=old.step)
        self.train_state = self._fitted_optimizer(sharing.whole(ts, self._places), old.opt_state)

    def _need_state(self) -> TrainState:
        self.draw_weights(self.layout)
        ts = self._train_state
        assert ts is not None
        return sharing.whole(ts, self._places) if self._places else ts

    def _drawn(self, layout: Layout | None) -> TrainState:
        """First weights for all layers that have none elsewhere, and the order in which they are listed."""
        require(self.layers, "The model is empty: add a layer first, model.add(Dense(10)).")
        spec = self._need_input_spec()
        self._settle()
        boxes = {name: place for name, place in self._places.items() if isinstance(place, sharing.Box)}
        empty = {name: box for name, box in boxes.items() if box.train_state is None}
        own = [name for name in self._architecture.names if name not in self._places]
        key = self._key
        if layout is not None:
            key = moved(key, layout.everywhere)
            self._draw_within(layout)
        params, state = run.draw(self._architecture.typed, key, spec, {*own, *empty}, layout)
        for name, box in empty.items():
            box.begin(sharing.Entry(params.pop(name, {}), state.pop(name, {})))
        return self._begun(params, state)

    def _draw_within(self, layout: Layout) -> None:
        """First weights of the models within, where the layout of this one has them."""
        for name, place in self._places.items():
            for prefix, model in {"": place}.items() if isinstance(place, Stack) else place.models.items():
                model.draw_weights(layout.within(f"{name}/{prefix}"))

    def _begun(self, params: dict[str, Any], state: dict[str, Any], opt_state: Any = ()) -> TrainState:
        """The TrainState before the first step, of weights that were drawn; and the order in which these are listed."""
        self._mark_drawn()
        self._order = {"params": _order(params), "state": _order(state)}
        return TrainState(params, state, opt_state, jax.device_put(np.int32(0)), self._key)

    def _fitted_optimizer(self, ts: TrainState, old: Any = ()) -> TrainState:
        """The TrainState with the optimizer's state for it, entries of `old` kept. Nothing optimizes a mere body."""
        return ts._replace(opt_state=())

    @property
    def architecture(self) -> Architecture:
        """The layers and their shapes, to be looked at."""
        return self._architecture

    def learn_from(self, shape: Shape) -> None:
        """The first data declare the input of a model that has none, batch axis first. Nothing is drawn."""
        if self.input_shape is None:
            self._declare((None, *shape[1:]), None)

    def draw_weights(self, layout: Layout | None) -> None:
        """Draws the first weights where the layout has them, unless the model has its weights already."""
        if self._train_state is None:
            self.train_state = self._fitted_optimizer(sharing.whole(self._drawn(layout), self._places))

    def drawing(self) -> tuple[chain.Layers, Spec]:
        """What first weights are drawn from: the layers, and a spec of their input."""
        return self._architecture.typed, self._need_input_spec()

    def draws_for_itself(self) -> bool:
        """Whether first weights are the model's own to draw: not those of models within, nor such as layers share."""
        return not self._places

    def begin_with(self, params: dict[str, Any], state: dict[str, Any], opt_state: Any) -> None:
        """Takes for its first weights what `run.draw` gave for its layers and its key, and the optimizer's state for them."""
        self._settle()
        self.train_state = self._begun(params, state, opt_state)

    def specs(self) -> dict[weights.Slot, Spec]:
        """Where every weight and every entry of the state stands, and its shape and dtype. Nothing is drawn."""
        names = self._architecture.names
        params, state = run.specs(self._architecture.typed, self._key, self._need_input_spec(), names)
        self._order = {"params": _order(params), "state": _order(state)}
        leaves = jax.tree_util.tree_leaves_with_path({"params": params, "state": state})
        return {tuple(key.key for key in path): spec for path, spec in leaves}

    def listed(self, name: str | None = None) -> list[tuple[weights.Slot, Any, bool]]:
        """(where it stands, its array or else its spec, whether training would change it) of every weight that Keras lists,
        of one layer or of all. Nothing is drawn."""
        if self.drawn:
            ts = self.train_state
            found = {slot: weights.at(ts, slot) for slot in self._slots(name)}
        else:
            specs = self.specs()
            found = {slot: specs[slot] for slot in self._slots(name)}
        trained = self._trained_slots()
        return [(slot, weight, slot in trained) for slot, weight in found.items()]

    def fill_with_zeros(self) -> None:
        """Makes all weights and states zeros, for a model whose weights come from elsewhere: nothing is compiled or drawn."""
        for model in self._within().values():
            model.fill_with_zeros()
        held = {name: place for name, place in self._places.items() if isinstance(place, sharing.Held)}
        names = [name for name in self._architecture.names if name in held or name not in self._places]
        specs = run.specs(self._architecture.typed, self._key, self._need_input_spec(), names)
        self._order = {"params": _order(specs[0]), "state": _order(specs[1])}
        params, state = jax.tree.map(lambda spec: jax.device_put(np.zeros(spec.shape, spec.dtype)), specs)
        for name, place in held.items():
            entry = {"params": params.pop(name, {}), "state": state.pop(name, {})}
            place.begin(sharing.Entry(**{part: {each: entry[part][each] for each in self._order[part].get(name, ())}
                                         for part in entry}))
        self._mark_drawn()
        ts = TrainState(params, state, (), jax.device_put(np.int32(0)), self._key)
        self.train_state = self._fitted_optimizer(sharing.whole(ts, self._places))

    def _need_input_spec(self) -> Spec:
        shape = self.input_shape
        require(shape is not None, "The model has not seen its input yet, so it has no weights. Declare it, "
                "Dense(32, input_shape=(784,)), or call build((None, 784)) or fit.")
        return some_array(shape or (), self._architecture.input_dtype)

    def _open_row(self) -> OpenRow:
        return OpenRow(self._architecture.typed, self.input_shape or (), self._architecture.input_dtype)

    def _slots(self, name: str | None = None) -> list[weights.Slot]:
        """Where the weights stand that Keras lists, in its order; of one layer, or of all."""
        if self._train_state is None and self._order is None:
            self.specs()
        slots = []
        for own, layer in self._architecture.layers if name is None else [(name, dict(self._architecture.layers)[name])]:
            place = self._places.get(own)
            if isinstance(place, Stack):
                slots += [(part, own, *path) for part, *path in place._slots()]
            else:
                slots += [("params", own, weight) for weight in self._listed("params", own)]
                slots += [("state", own, entry) for entry in self._listed("state", own) if entry in layer.statistics]
        return slots

    def _listed(self, part: str, name: str) -> Iterable[str]:
        """The names of a layer's entries as Keras lists them."""
        place = self._places.get(name)
        entry = None if place is None else place.train_state
        return self._order[part].get(name, ()) if entry is None else getattr(entry, part)

    def _trained_slots(self) -> set[weights.Slot]:
        """Where the weights stand that training would change if the model were compiled now."""
        return self._slots_without(chain.frozen(self._architecture.layers)) if self.trainable else set()

    def _slots_without(self, frozen: frozenset[str]) -> set[weights.Slot]:
        """Where the weights stand that training changes while the layers of `frozen` are left as they are."""
        return {(part, *path) for part, *path in self._slots()
                if part == "params" and not chain.lies_within("/".join(path), frozen)}

    def _ordered(self, part: str) -> dict[str, Any]:
        """params or state with names in the layers' order (a compiled program gives them back sorted)."""
        tree = getattr(self.train_state, part)
        entry = lambda name, place: place._ordered(part) if isinstance(place, Stack) else {
            each: tree[name][each] for each in self._listed(part, name)}
        return {name: entry(name, self._places.get(name)) for name in self._architecture.names if name in tree}

    def _see(self, shape: Shape) -> None:
        """The first data declare the input of a model that has none."""
        self.learn_from(shape)
        self._need_state()


def _order(tree: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(entry) for name, entry in tree.items()}
