"""Layers in Keras's way: classes that define `call`, run as the pure functions that every layer here is.

Nothing is ever stored on the object that the user made. `build` runs once for each input shape, on a copy; what it made is
kept, and holds no traced value. Each `call` runs on a copy of that, whose weights are the arrays of this one call.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core import chain, constraints, initializers, regularizers, rng
from jaxseq.core.declared import as_data
from jaxseq.core.keras_call import InputSpec, Part, Run, Weight
from jaxseq.core.layer import INPUT_WORDS, Layer
from jaxseq.core.nested import PENALTY, named, own
from jaxseq.core.policy import DTypePolicy
from jaxseq.core.precision import total, wide_dtype, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Key, Shape, Spec
from jaxseq.core.variable import asked, plain, swapped, whole_shape

BASE = tuple(each.name for each in fields(Layer))       # name, trainable, dtype, batch_input_shape
OURS = frozenset({"apply", "init", "first_weights", "draw", "out_mask", "reset", "penalty", "activity_penalty", "constrain",
                  "bind", "unbind", "without_activation", "replaced"})      # words with a meaning that Keras does not know


class KerasStyle(Layer, adapter=True):
    """What stands under a layer in Keras's way, and what such a class may use. One derives from `Layer`:

        class Linear(Layer):
            def __init__(self, units, **kwargs):
                super().__init__(**kwargs)
                self.units = units

            def build(self, input_shape):               # batch axis None, as in Keras
                self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
                self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

            def call(self, x, training=None):           # `mask=None` as well, where the layer wants it
                if training:
                    self.seen.assign_add(1.0)
                return x @ self.w

    Weights: in `call` a trainable one is a JAX array; one with trainable=False is a `Variable`, whose `assign`, `assign_add`
    and `assign_sub` make the layer's state. No gradient flows through the state. get_weights lists trainable ones first.
    Layers as attributes, also in lists and dicts, are called within `call`. Their weights stand beside the layer's own, with
    the attribute before the name: "dense/kernel". They are trained or frozen with the whole.
    `add_loss(value)` adds to the loss of the step. Draws: `self.draw_key()` gives another key at each place it is asked,
    in training; it is a function of seed, step and layer: jax.random.bernoulli(self.draw_key(), 0.5, x.shape).
    `training` is a Python bool. A mask ends here unless `supports_masking` is set or `compute_mask` is defined.
    `compute_output_shape` is not asked: the shape is what `call` gives.
    dtype=..., its own or the model's, is what x and the trainable weights are in `call`, and its parts as well where they have
    none; in `build` and `call` self.dtype is that of the weights, and self.compute_dtype that of x.
    get_config tells the constructor's arguments, unless the class defines its own.

    Raises: ValueError for a weight that is asked for in `call`, and AttributeError where an attribute is set on a layer that
        stands in a model: its programs are compiled.
    """

    supports_masking = False
    stateful = False
    built = False
    input_spec: Any = None
    activity_regularizer: Any = None

    autocast = False                            # it casts its weights and x itself, where `_casts`

    _casts = True
    _policy: DTypePolicy | None = None          # on a copy: what `dtype` was; there it is that of the weights, as in Keras
    _written: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    _run: Run | None = None                    # on the copy that is called
    _building = False                           # on the copy that is built
    _weights: dict[str, Weight]  # pyright: ignore[reportGeneralTypeIssues]
    _parts: dict[str, Layer]  # pyright: ignore[reportGeneralTypeIssues]
    _builds: dict[Any, Self]  # pyright: ignore[reportGeneralTypeIssues]
    _aside: dict[str, Any]  # pyright: ignore[reportGeneralTypeIssues]

    def __init_subclass__(cls, **options: Any) -> None:
        super(Layer, cls).__init_subclass__(**options)
        taken = sorted(OURS & vars(cls).keys())
        require(not taken, f"{cls.__name__}.{', '.join(taken)}: a layer that defines call leaves this name to jaxseq. Give the "
                "method another one.", TypeError)

    def __new__(cls, *values: Any, **words: Any) -> Self:
        self = super().__new__(cls)
        for name, value in (("_written", (values, words)), ("_weights", {}), ("_parts", {}), ("_builds", {}),
                            ("_aside", {})):
            object.__setattr__(self, name, value)
        return self

    def __init__(self, *, activity_regularizer: Any = None, dtype: Any = None, autocast: bool = True, dynamic: bool = False,
                 **words: Any) -> None:
        super().__init__(dtype=dtype, **words)
        if not autocast:
            object.__setattr__(self, "_casts", False)
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)      # pyright: ignore[reportAttributeAccessIssue]

    def __setattr__(self, field: str, value: Any) -> None:
        if self._run is not None or self._building:
            object.__setattr__(self, field, swapped(value, field, self._as_part))
            return
        if field in BASE:
            super().__setattr__(field, value)
            return
        require(self.owner is None, f"{type(self).__name__}.{field} cannot be changed any more: the layer stands in a model. "
                "Set it before, or write a new layer.", AttributeError)
        if field in OURS:
            self._aside[field] = value          # here the name is a method's; build and call find the attribute
            return
        object.__setattr__(self, field, value)

    # ---- what the user's class defines and uses

    @abstractmethod
    def call(self, x: Any, *values: Any, **words: Any) -> Any:
        """The output for x. It may take `training`, a bool, and `mask`."""

    def __call__(self, *values: Any, **words: Any) -> Any:
        raise TypeError(f"{type(self).__name__} is called within a model: Sequential([{type(self).__name__}(...)]). Alone: "
                        "params, state = layer.init(key, x); y, state = layer.apply(params, state, x, Ctx()).")

    def build(self, input_shape: Shape) -> None:
        """Makes the weights for inputs of this shape, batch axis first."""
        self.built = True       # pyright: ignore[reportAttributeAccessIssue]  # __setattr__ above takes it

    def add_weight(self, *values: Any, **words: Any) -> Any:
        """A weight. By position as in Keras 2, add_weight(name, shape, ...), or as in Keras 3, add_weight(shape, ...).

        initializer: Glorot-uniform when absent, zeros for whole numbers. regularizer and constraint count for trainable ones.
        """
        owner = type(self).__name__
        require(self._run is None, f"{owner} asks for a weight in call. Do it in build(self, input_shape) or in the "
                "constructor.")
        told = asked(owner, values, words)
        name = self._free(str(told.get("name") or "weight"))
        dtype = jax.dtypes.canonicalize_dtype(told.get("dtype") or self.variable_dtype)
        real, initializer = jnp.issubdtype(dtype, jnp.floating), told.get("initializer")
        trainable = told.get("trainable", True)
        require(real or not trainable, f"{owner}.add_weight({name!r}, dtype={dtype.name!r}): whole numbers cannot be trained. "
                "Write trainable=False.")
        initializer = initializers.get(("glorot_uniform" if real else "zeros") if initializer is None else initializer)
        weight = Weight(name, whole_shape(owner, name, told.get("shape")), dtype, initializer, bool(trainable),
                        regularizers.get(told.get("regularizer")), constraints.get(told.get("constraint")))
        self._weights[name] = weight
        return weight

    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Adds to the loss of this step: the sum of an array, or of several in a list."""
        require(self._run is not None, f"{type(self).__name__}.add_loss belongs into call.", RuntimeError)
        assert self._run is not None
        for each in loss if isinstance(loss, list | tuple) else [loss]:
            self._run.losses.append(widened(jnp.sum(jnp.asarray(plain(each)))))

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Keras 2's word for what `assign` has done by then."""

    def draw_key(self) -> Key:
        """A key for what `call` draws, another at each place. ValueError in evaluation, where nothing is drawn."""
        require(self._run is not None and self._run.ctx.key is not None, f"{type(self).__name__}.draw_key() has a key in "
                "training alone: draw under `if training:`.")
        assert self._run is not None
        self._run.draws += 1
        return rng.fold_in(self._run.ctx.key, self._run.draws)  # type: ignore[arg-type]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the output: that of the input, where `supports_masking` is set."""
        return mask if self.supports_masking else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output, as `call` gives it."""
        return chain.shapes(str(self.name), self, tuple(input_shape), jnp.float32)[0]

    # ---- the declaration

    def get_config(self) -> dict[str, Any]:
        """What was written, as JSON can hold it; the constructor's own arguments where the class tells no others."""
        where = type(self).__name__
        told = {} if type(self).get_config is not KerasStyle.get_config else self._arguments()
        return {name: as_data(value, f"{where}({name})") for name, value in (told | self._base()).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The layer that `get_config` described. What the constructor does not take is set afterwards."""
        taken = inspect.signature(cls.__init__).parameters
        every = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values())
        later = {} if every else {word: config[word] for word in BASE if word in config and word not in taken}
        self = cls(**{word: value for word, value in config.items() if word not in later})
        return self.replaced(**later) if later else self

    def replaced(self, **changes: Any) -> Self:
        """A new layer like this one; of the settings, those of every layer may be others."""
        known = set(changes) <= {*BASE}
        require(known, f"{type(self).__name__}.replaced({', '.join(changes)}): of a layer in Keras's way {', '.join(BASE)} may "
                "be replaced. Write a new layer for anything else.", TypeError)
        return self._twin({"_homes": (), "_builds": dict(self._builds), **changes})

    def _twin(self, changes: dict[str, Any]) -> Self:
        """An object with the same attributes, but for some."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), **changes)
        return twin

    def under(self, dtype):
        twin = super().under(dtype)
        object.__setattr__(twin, "_builds", self._builds)       # what is asked of the one is what the other has built
        return twin

    @property
    def dtype_policy(self) -> DTypePolicy:
        return self._policy or super().dtype_policy

    def __repr__(self) -> str:
        told = [f"{name}={_told(value)}" for name, value in (self._arguments() | self._base()).items()]
        return f"{type(self).__name__}({', '.join(told)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _equal(self._arguments(), other._arguments())  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), *self._arguments()))

    def _arguments(self) -> dict[str, Any]:
        """What the constructor was given, by name, but for what every layer has."""
        values, words = self._written
        told: dict[str, Any] = {}
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *values, **words).arguments
        for name, value in list(bound.items())[1:]:
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                told |= {word: each for word, each in value.items() if word not in {"weights", *INPUT_WORDS}}
            else:
                told[name] = value
        return {name: value for name, value in told.items() if name not in BASE}

    def _base(self) -> dict[str, Any]:
        """The fields of every layer that were written."""
        return {each.name: getattr(self, each.name) for each in fields(Layer) if getattr(self, each.name) != each.default}

    # ---- the layer's contract

    def init(self, key, x):
        built = self._built(x)
        params, state = {}, {}
        for name, weight in built._weights.items():
            drawn = weight.initializer(rng.fold_in(key, name), weight.shape, weight.dtype)
            (params if weight.trainable else state)[name] = drawn
        met, penalised = built._tried(x)
        for place, part in built._parts.items():
            if place in met:
                require(part.trainable or not self.trainable, f"{part!r} in {self!r} has trainable=False: what stands in a "
                        "layer is trained or frozen with it. Write trainable=False in the whole, or give the part a place of "
                        "its own.")
                inner = chain.begun(part.under(self.dtype), rng.fold_in(key, place), met[place])
                params, state = params | named(f"{place}/", inner[0]), state | named(f"{place}/", inner[1])
        return params, {**state, PENALTY: self._no_penalty()} if penalised else state

    def apply(self, params, state, x, ctx):
        run = Run(ctx, params, dict(state), self.trainable, dtype=self.dtype, casts=self._casts)
        y = self._built(x)._called(run, x)
        share = super().activity_penalty(y)
        losses = run.losses if share is None else [*run.losses, share]
        after = run.after()
        if losses or PENALTY in after:
            zero = self._no_penalty()
            after[PENALTY] = sum((each.astype(zero.dtype) for each in losses), zero)
        return y, after

    def _no_penalty(self) -> Array:
        return jnp.zeros((), wide_dtype(self.compute_dtype))

    def activity_penalty(self, y):
        return None             # it stands among the losses of `apply`

    def out_mask(self, x, mask):
        mine = type(self).compute_mask is not KerasStyle.compute_mask
        return self._built(x).compute_mask(x, mask) if mine else self.compute_mask(x, mask)

    def penalty(self, params):
        built = self._any_built()
        own_shares = [weight.regularizer(params[name]) for name, weight in built._weights.items()
                      if weight.trainable and weight.regularizer is not None]
        shares = [part.penalty(own(f"{place}/", params)) for place, part in built._parts.items()]
        return total(own_shares + shares)

    def constrain(self, params):
        built, after = self._any_built(), dict(params)
        for name, weight in built._weights.items():
            if weight.trainable and weight.constraint is not None:
                after[name] = weight.constraint(params[name])
        for place, part in built._parts.items():
            after |= named(f"{place}/", part.constrain(own(f"{place}/", params)))
        return after

    def reset(self, state):
        after = dict(state)
        for place, part in self._any_built()._parts.items():
            after |= named(f"{place}/", part.reset(own(f"{place}/", state)))
        return after

    @property
    def statistics(self) -> tuple[str, ...]:        # pyright: ignore[reportIncompatibleVariableOverride]
        """The weights that are not trained by gradients: those with trainable=False, and those of the parts."""
        if not self._builds:
            return ()
        built = self._any_built()
        mine = [name for name, weight in built._weights.items() if not weight.trainable]
        return *mine, *(f"{place}/{entry}" for place, part in built._parts.items() for entry in part.statistics)

    def _free(self, name: str) -> str:
        """The name, with a number behind it where a weight of that name is there already."""
        free, count = name, 0
        while free in self._weights:
            count += 1
            free = f"{name}_{count}"
        return free

    # ---- copies: the one that is built, and those that are called

    def _built(self, x: Spec | Array) -> Self:
        """The copy that has been built for inputs like x. The batch axis is None, as in Keras."""
        shape = (None, *x.shape[1:])
        if (self.name, self.dtype, shape) not in self._builds:
            policy = None if self.dtype is None else self.dtype_policy
            twin = self._copy(self._as_part, _building=True, _weights=dict(self._weights), _parts={}, _policy=policy,
                              dtype=self.variable_dtype, name=self.name or type(self).__name__.lower())
            with jax.ensure_compile_time_eval():                # numbers that build makes are numbers, not parts of a trace
                twin.build(shape)
            ready = twin._copy(twin._as_part, _parts={})
            ready._copy(ready._listed)
            self._builds.setdefault((self.name, self.dtype, shape), ready)
        return self._builds[self.name, self.dtype, shape]

    def _any_built(self) -> Self:
        require(self._builds, f"{self!r} has not been built: call its init(key, x) first.", RuntimeError)
        return next(reversed(self._builds.values()))

    def _copy(self, swap: Callable[[Any, str], Any], **changes: Any) -> Self:
        """A copy with another object in the place of each leaf of what the user set."""
        kept = {*BASE, "_homes", "_casts", "_policy", "_written", "_builds", "_aside", "_weights", "_parts", "_run", "_brought"}
        mine = {place: value if place in kept else swapped(value, place, swap)
                for place, value in {**vars(self), **self._aside}.items()}
        return self._twin({**mine, "_aside": {}, **changes})

    def _as_part(self, leaf: Any, place: str) -> Any:
        return Part(place, leaf) if isinstance(leaf, Layer) else leaf

    def _listed(self, leaf: Any, place: str) -> Any:
        """Notes every part under the place where it stands first: a layer in two attributes is one layer."""
        if isinstance(leaf, Part) and not any(leaf.layer is each for each in self._parts.values()):
            self._parts[place] = leaf.layer
        return leaf

    def _called(self, run: Run, x: Array) -> Array:
        """call(x) on a copy whose weights are those of `run`."""
        places = {id(layer): place for place, layer in self._parts.items()}

        def bound(leaf: Any, place: str) -> Any:
            if isinstance(leaf, Weight):
                return run.weight(leaf)
            return Part(places[id(leaf.layer)], leaf.layer, run) if isinstance(leaf, Part) else leaf

        twin = self._copy(bound, _run=run, _building=False, trainable=run.trainable)
        if isinstance(twin.input_spec, InputSpec):
            twin.input_spec.check(type(self).__name__, x)
        x = run.entering(x)
        run.masks[id(x)] = x, run.ctx.mask
        offered = {"training": run.ctx.train, "mask": run.ctx.mask}
        y = twin.call(x, **{word: value for word, value in offered.items() if word in _words(type(self).call)})
        require(y is not None, f"{type(self).__name__}.call gave None: end it with return.")
        require(not isinstance(y, list | tuple | dict), f"{type(self).__name__}.call gave a {type(y).__name__}: a layer of a "
                "Sequential has one output.", TypeError)
        return jnp.asarray(plain(y))

    def _tried(self, x: Spec | Array) -> tuple[dict[str, Spec], bool]:
        """(the input of each part that `call` asks, whether anything is added to the loss). Nothing is computed."""
        met: dict[str, Spec] = {}
        penalised = []

        def trial(key: Key, x: Array) -> None:
            blank = {name: jnp.zeros(weight.shape, weight.dtype) for name, weight in self._weights.items()}
            for train in (False, True):
                run = Run(Ctx(train, key if train else None), dict(blank), dict(blank), self.trainable, met,
                          self._policy and self._policy.name, self._casts)
                y = self._called(run, x)
                penalised.append(bool(run.losses) or Layer.activity_penalty(self, y) is not None)

        jax.eval_shape(trial, jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32")), Spec(x.shape, x.dtype))
        return met, any(penalised)


def _words(function: Callable[..., Any]) -> set[str]:
    """The parameters of a function."""
    return set(inspect.signature(function).parameters)


def _told(value: Any) -> str:
    """A function by its name, everything else as it shows itself."""
    return value.__name__ if inspect.isfunction(value) else repr(value)


def _equal(one: Any, other: Any) -> bool:
    """Whether two settings are equal, arrays among them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray | jax.Array) or isinstance(other, np.ndarray | jax.Array):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other)
