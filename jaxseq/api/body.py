"""A row of layers with weights: what a Sequential is before anyone says how to train it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import cache, config, summary, weights
from jaxseq.api.architecture import Architecture
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.core import chain, policy, rng, run
from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.require import nearest, positive_int, require
from jaxseq.core.types import Array, Key, Shape, Spec, TrainState

SOME_LENGTH = 512       # stands for a length that is not known, and is longer than most windows


class Functional(NamedTuple):
    """A model as two pure functions over named pytrees, for jax.jit, jax.grad and jax.vmap.

    init: (key) -> (params, state).
    apply: (params, state, x, *, train=False, key=None) -> (y, state). `key` is the step's, needed where a layer draws.
    """

    init: Callable[[Key], tuple[dict[str, Any], dict[str, Any]]]
    apply: Callable[..., tuple[Array, dict[str, Any]]]


class Body:
    """Layers, their names, shapes and weights, and the one TrainState. See `Sequential` for how to train it."""

    def __init__(self, layers: Iterable[Layer] = (), name: str = "sequential", *, seed: int | Array | None = None,
                 dtype: Any = None):
        cache.switch_on()
        self.name = name
        self.seed = secrets.randbits(32) if seed is None else seed
        self._key = rng.root_key(self.seed)
        self._architecture = Architecture(policy=policy.named(dtype))
        self._train_state: TrainState | None = None
        require(layers is None or isinstance(layers, Iterable), f"Sequential({layers!r}): write a list, Sequential([...]).",
                TypeError)
        for layer in layers or ():
            self.add(layer)

    # ---- the architecture

    def add(self, layer: Layer | None = None, *, batch_size: int | None = None, input_shape: Shape | None = None) -> None:
        """Adds a layer at the end.

        Without a layer, `batch_size=` and `input_shape=` declare the input of the model.
        Raises: TypeError for what is not a layer; ValueError for a layer that cannot follow the one before it, for a name
        that is taken, and for a layer that stands in another model. The model is then as it was.
        """
        if layer is None:
            require(batch_size is not None or input_shape is not None, "add() needs a layer: model.add(Dense(10)).", TypeError)
            size = None if batch_size is None else positive_int("batch_size", batch_size)
            self._declare(None if input_shape is None else (None, *checked_shape("input_shape", input_shape)), size)
            return
        require(not isinstance(layer, type), f"add({getattr(layer, '__name__', layer)}) is a class: add an instance, "
                f"{getattr(layer, '__name__', layer)}(...).", TypeError)
        require(isinstance(layer, Layer), f"add({layer!r}): write a layer of jaxseq.layers, or an instance of your own "
                "subclass of jaxseq.layers.Layer.", TypeError)
        require(not any(each is layer for each in self.layers), f"{layer!r} stands in this model already: write a new layer.")
        require(layer.owner is None, f"{layer!r} stands in another model: write a new layer for this one.")
        with at_step_boundary():
            name = self._architecture.add(layer)
            if name is not None:
                layer.bind(self, name)
                self._changed()

    def pop(self) -> Layer:
        """Takes the last layer away and returns it. TypeError when there is none."""
        with at_step_boundary():
            _, layer = self._architecture.pop()
            layer.unbind()
            self._changed()
        return layer

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, without the input."""
        return [layer for _, layer in self._architecture.layers]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of that name, or at that place. ValueError when there is none."""
        require((name is None) != (index is None), "get_layer needs a name or an index: get_layer('dense') or "
                "get_layer(index=0).")
        if index is not None:
            require(-len(self.layers) <= index < len(self.layers), f"get_layer(index={index}): the model has "
                    f"{len(self.layers)} layers.")
            return self.layers[index]
        require(name in self._architecture.names, f"There is no layer {name!r}." + nearest(str(name), self._architecture.names))
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
        """The number format of layers that have none of their own, as it was written; None, for float32, where it was not."""
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
        """Whether any layer is trained. Setting it sets every layer's."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.layers:
            layer.trainable = value

    def build(self, input_shape: Shape | None = None) -> None:
        """Draws the first weights, for an input of that shape, batch axis first: build((None, 784))."""
        if input_shape is not None:
            whole = isinstance(input_shape, tuple | list) and input_shape
            require(whole, f"build({input_shape!r}): write the shape with its batch axis, "
                    "build((None, 784)).", TypeError)
            known = self.input_shape
            fits = known is None or len(known) == len(input_shape) and all(
                want is None or have == want for have, want in zip(input_shape[1:], known[1:], strict=True))
            require(fits, f"build({tuple(input_shape)}): the model's input is "
                    f"declared as {known}.")
            if known is None:
                self._declare(tuple(input_shape), None)
        self._need_state()

    def summary(self, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None) -> None:
        """Prints a table of the layers: name, class, output shape, weights."""
        summary.show(self, line_length, print_fn)

    def get_config(self) -> dict[str, Any]:
        """The architecture as plain data, from which `from_config` makes an equal, untrained model."""
        return config.of_model(self.name, self._architecture)

    @classmethod
    def from_config(cls, data: dict[str, Any], custom_objects: dict[str, Any] | None = None, *,
                    seed: int | Array | None = None) -> Self:
        """The model that `get_config` describes. `custom_objects` names the user's own layers and functions."""
        return cls(config.layers(data, custom_objects or {}), name=data.get("name", "sequential"), seed=seed,
                   dtype=data.get("dtype"))

    def to_json(self, **options: Any) -> str:
        """The architecture as JSON text, from which `jaxseq.models.model_from_json` makes an equal, untrained model.

        options: of json.dumps, such as indent=2.
        """
        return config.to_json(self.get_config(), **options)

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(map(repr, self.layers))}], name={self.name!r})"

    # ---- weights and state

    @property
    def train_state(self) -> TrainState:
        """All of training: params, state, optimizer state, step and key. Built when first asked for."""
        return self._need_state()

    @train_state.setter
    def train_state(self, value: TrainState) -> None:
        self._train_state = value

    @property
    def params(self) -> dict[str, Any]:
        """{layer: {weight: array}} of what is trained, in the layers' order. Assign a tree of that form to replace it."""
        return self._ordered("params")

    @params.setter
    def params(self, tree: dict[str, Any]) -> None:
        self._train_state = self.train_state._replace(params=weights.like("params", self.train_state.params, tree))

    @property
    def state(self) -> dict[str, Any]:
        """{layer: {name: array}} of what is carried but not differentiated. Assign a tree of that form to replace it."""
        return self._ordered("state")

    @state.setter
    def state(self, tree: dict[str, Any]) -> None:
        self._train_state = self.train_state._replace(state=weights.like("state", self.train_state.state, tree))

    @property
    def weights(self) -> list[Array]:
        """All weights as JAX arrays, in the order of get_weights."""
        return [weights.at(self.train_state, slot) for slot in self._slots()]

    @property
    def trainable_weights(self) -> list[Array]:
        """Those that training changes through their gradient."""
        return [weights.at(self.train_state, slot) for slot in self._slots() if self._is_trained(slot)]

    @property
    def non_trainable_weights(self) -> list[Array]:
        """Those of frozen layers, and moving statistics."""
        return [weights.at(self.train_state, slot) for slot in self._slots() if not self._is_trained(slot)]

    def get_weights(self) -> list[np.ndarray]:
        """All weights as NumPy arrays, layer by layer: trained ones, then moving statistics."""
        return weights.get(self.train_state, self._slots())

    def set_weights(self, values: Iterable[Any]) -> None:
        """Replaces all weights, in the order of get_weights. ValueError, and no change, unless number and shapes fit."""
        self._train_state = weights.put(self.train_state, self._slots(), values)

    def count_params(self) -> int:
        """The number of weights, moving statistics included."""
        return sum(self.layer_count(name) for name in self._architecture.names)

    def count_trainable_params(self) -> int:
        """The number of weights that training changes through their gradient."""
        trained = {layer.name for layer in self.layers if layer.trainable}
        return sum(leaf.size for name, entry in self.train_state.params.items() if name in trained for leaf in entry.values())

    def reset_states(self) -> None:
        """Makes every stateful layer forget what it carries. Nothing else clears it."""
        ts = self.train_state
        self._train_state = ts._replace(state=chain.reset(self._architecture.layers, ts.state))

    def fingerprint(self) -> str:
        """SHA-256 over everything in the TrainState: equal fingerprints, equal models, to the bit."""
        return weights.fingerprint(self.train_state)

    def functional(self) -> Functional:
        """The model as pure functions (init, apply) over named pytrees. Its own params and state fit them."""
        layers, dtype = self._architecture.typed, self._architecture.input_dtype
        spec = self._need_input_spec()

        def init(key: Key) -> tuple[dict[str, Any], dict[str, Any]]:
            return chain.init(layers, rng.fold_in(rng.root_key(key), rng.Purpose.INIT), spec)

        def apply(params: Any, state: Any, x: Array, *, train: bool = False, key: Key | None = None):
            out = chain.apply(layers, params, state, jnp.asarray(x).astype(dtype), train=train, key=key)
            return out.y, out.state

        return Functional(init, apply)

    def __call__(self, x: Any) -> Array:
        """The model's output for x as a JAX array, in evaluation mode; no state moves."""
        y, _ = self.functional().apply(self.train_state.params, self.train_state.state, x)
        return y

    # ---- what a bound layer asks (see core/handle.py)

    def layer_shapes(self, name: str) -> tuple[Shape, Shape]:
        """(input shape, output shape) of the layer."""
        return self._architecture.shapes(name)

    def layer_count(self, name: str) -> int:
        """The number of the layer's weights."""
        ts = self.train_state
        return sum(getattr(ts, field)[layer][weight].size for field, layer, weight in self._slots(name))

    def get_layer_weights(self, name: str) -> list[np.ndarray]:
        """The layer's weights."""
        return weights.get(self.train_state, self._slots(name))

    def set_layer_weights(self, name: str, values: Iterable[Any]) -> None:
        """Replaces the layer's weights."""
        self._train_state = weights.put(self.train_state, self._slots(name), values)

    def get_layer_state(self, name: str) -> dict[str, Any]:
        """What the layer carries."""
        return self.state.get(name, {})

    def reset_layer_states(self, name: str, states: Any = None) -> None:
        """Puts the layer's carry back to zero, or to `states`."""
        ts, layer = self.train_state, self.get_layer(name)
        old = self.get_layer_state(name)
        if states is None:
            new = layer.reset(old)
        else:
            named = states if isinstance(states, dict) else dict(zip(old, states, strict=True))
            new = weights.like(f"states of {name}", old, named)
        self._train_state = ts._replace(state={**ts.state, name: new} if old else ts.state)

    # ---- within

    def _declare(self, shape: Shape | None, batch_size: int | None) -> None:
        require(self._train_state is None, "The model has its weights already: declare the input before they are drawn.")
        self._architecture.declare(shape, batch_size=batch_size)

    def _changed(self) -> None:
        """After the layers changed: programs are stale; weights of layers that stayed are kept, new ones are drawn."""
        if self._train_state is None:
            return
        if not self.layers:
            self._train_state = None
            return
        old, new = self._train_state, self._drawn()
        keep = lambda fresh, had: {name: had.get(name, entry) for name, entry in fresh.items()}
        ts = new._replace(params=keep(new.params, old.params), state=keep(new.state, old.state), step=old.step,
                          opt_state=old.opt_state)
        self._train_state = self._fitted_optimizer(ts, old.opt_state)

    def _need_state(self) -> TrainState:
        if self._train_state is None:
            self._train_state = self._fitted_optimizer(self._drawn())
        return self._train_state

    def _drawn(self) -> TrainState:
        """First weights for all layers, and the order in which they are listed; nothing optimizes them yet."""
        require(self.layers, "The model is empty: add a layer first, model.add(Dense(10)).")
        spec = self._need_input_spec()
        params, state = run.draw(self._architecture.typed, self._key, spec)
        self._order = {"params": _order(params), "state": _order(state)}
        return TrainState(params, state, (), jax.device_put(np.int32(0)), self._key)

    def _fitted_optimizer(self, ts: TrainState, old: Any = ()) -> TrainState:
        """The TrainState with the optimizer's state for it, entries of `old` kept. Nothing optimizes a mere body."""
        return ts._replace(opt_state=())

    def _need_input_spec(self) -> Spec:
        shape = self.input_shape
        require(shape is not None, "The model has not seen its input yet, so it has no weights. Declare it, "
                "Dense(32, input_shape=(784,)), or call build((None, 784)) or fit.")
        batch, *rest = shape or ()
        lengths = (SOME_LENGTH if each is None else each for each in rest)      # weights do not depend on it
        return Spec((batch or 1, *lengths), self._architecture.input_dtype)

    def _slots(self, name: str | None = None) -> list[weights.Slot]:
        """Where the weights stand that Keras lists, in its order; of one layer, or of all."""
        self._need_state()
        slots = []
        for layer in self.layers if name is None else [self.get_layer(name)]:
            own = str(layer.name)
            slots += [("params", own, weight) for weight in self._order["params"].get(own, ())]
            slots += [("state", own, entry) for entry in self._order["state"].get(own, ()) if entry in layer.statistics]
        return slots

    def _is_trained(self, slot: weights.Slot) -> bool:
        part, layer, _ = slot
        return part == "params" and self.get_layer(layer).trainable

    def _ordered(self, part: str) -> dict[str, Any]:
        """params or state with names in the layers' order (a compiled program gives them back sorted)."""
        tree = getattr(self.train_state, part)
        return {name: {entry: tree[name][entry] for entry in entries} for name, entries in self._order[part].items()}

    def _see(self, shape: Shape) -> None:
        """The first data declare the input of a model that has none."""
        if self.input_shape is None:
            self._declare((None, *shape[1:]), None)
        self._need_state()


def _order(tree: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(entry) for name, entry in tree.items()}
