"""Layers in Keras's way: classes that define `call`, run as the pure functions that every layer here is."""

from __future__ import annotations

import inspect
import re
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxseq.core import chain, constraints, initializers, regularizers, rng
from jaxseq.core.handle import answer
from jaxseq.core.keras_call import InputSpec as InputSpec, Run, Weight
from jaxseq.core.keras_copies import Copies
from jaxseq.core.keras_told import whole_and_plain
from jaxseq.core.layer import ANSWERS, BASE, Layer, Style, words_of_layers
from jaxseq.core.nested import PENALTY, as_layer, joined, named, own
from jaxseq.core.precision import total, wide_dtype, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array, Key, Shape
from jaxseq.core.variable import asked, plain, swapped, whole_shape

# Words of every layer that are Keras's as well, or that a class may use to speak of itself.
SHARED = frozenset({
    *BASE, *ANSWERS, "reset_states", "reset_state", "count_params", "get_weights", "set_weights", "get_config", "from_config",
    "dtype_policy", "compute_dtype", "variable_dtype", "input_dtype", "autocast"})
OURS = words_of_layers() - SHARED                               # Keras knows none of them, so a user may take them
ASIDE = OURS | ANSWERS                                          # an attribute may have such a name: see `Copies._aside`


class KerasStyle(Copies, declared=False):
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
    An attribute may be called as a method of every layer is, `self.penalty` or `self.forward`: the constructor, `build`, `call`
    and `get_config` find the attribute, and jaxseq its method.

    Raises: ValueError for a weight that is asked for in `call`; TypeError for a class that defines what jaxseq defines;
        AttributeError where an attribute is set on a layer that stands in a model, whose programs are compiled.
    """

    supports_masking = False
    stateful = False
    activity_regularizer: Any = None

    autocast = False                            # it casts its weights and x itself, where `_casts`

    _ready = False                              # whether the constructor is over

    def __init_subclass__(cls, **options: Any) -> None:
        super(Layer, cls).__init_subclass__(**options)
        taken = sorted(name for name in OURS | PRIVATE if not _is_ours(cls, name))
        require(not taken, f"{cls.__name__}.{', '.join(taken)}: a layer that defines call leaves this name to jaxseq. Give the "
                "method another one.", TypeError)
        if "get_config" in vars(cls):
            setattr(cls, "get_config", whole_and_plain(cls.get_config))     # noqa: B010  # its `self` has no name any more

    def __init__(self, *, activity_regularizer: Any = None, dtype: Any = None, autocast: bool = True, dynamic: bool = False,
                 **words: Any) -> None:
        super().__init__(dtype=dtype, **words)
        if not autocast:
            object.__setattr__(self, "_casts", False)
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)      # pyright: ignore[reportAttributeAccessIssue]

    def __setattr__(self, field: str, value: Any) -> None:
        require(field not in TAKEN or not _is_ours(type(self), field), f"{type(self).__name__}.{field}: jaxseq has something "
                "else under this name. Give the attribute another one.", AttributeError)
        if self._run is not None or self._building:
            object.__setattr__(self, field, swapped(value, field, self._as_part))
            return
        if field in BASE:
            super().__setattr__(field, value)
            return
        require(self.owner is None, f"{type(self).__name__}.{field} cannot be changed any more: the layer stands in a model. "
                "Set it before, or write a new layer.", AttributeError)
        if field in ASIDE and self._ready:
            self._aside[field] = value
        else:
            object.__setattr__(self, field, value)

    def _made(self) -> Self:
        for name in ASIDE & vars(self).keys():
            self._aside[name] = vars(self).pop(name)
        object.__setattr__(self, "_ready", True)
        return self

    # ---- what the user's class uses; `call` and `build` are in core/keras_copies.py

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
                self._require_with(part)
                inner = chain.begun(part.under(self.dtype), rng.fold_in(key, place), met[place])
                params, state = params | named(f"{place}/", inner[0]), state | named(f"{place}/", inner[1])
        return params, {**state, PENALTY: self._no_penalty()} if penalised else state

    def apply(self, params, state, x, ctx):
        run = Run(ctx, params, dict(state), self.trainable, dtype=self.dtype, casts=self._casts)
        y = self._built(x)._called(run, x)
        share = super().activity_penalty(y)
        losses = run.losses if share is None else [*run.losses, share]
        require(not losses or PENALTY in state, f"{type(self).__name__}.call adds to the loss here, and did not where its "
                "state was made, without a mask. Call add_loss each time, self.add_loss(0.0) where there is nothing to add.")
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

    @answer
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

    @property
    def stands_still(self) -> bool:
        """Whether it is frozen. ValueError where a part of it is, and it is not."""
        built = self._any_built() if self._builds else self
        for place in built._asked:
            self._require_with(built._parts[place])
        return not self.trainable

    def frozen_within(self):
        built = self._any_built() if self._builds else self
        return frozenset(f"{place}/{path}" for place in built._asked for path in built._parts[place].frozen_within())

    def dtypes_within(self):
        models = self.models_within().values()
        return super().dtypes_within().union(*(as_layer(model).dtypes_within() for model in models))

    def models_within(self):
        found: dict[str, Any] = {}

        def note(leaf: Any, place: str) -> Any:
            part = as_layer(leaf)
            inner = part.models_within() if isinstance(part, Layer) else {}
            found.update({f"{place}/{prefix}": model for prefix, model in inner.items() if model not in found.values()})
            return leaf

        self._copy(note)
        return found

    def inputs_of_models(self, x):
        if not self.models_within():
            return {}
        built = self._built(x)
        met, _ = built._tried(x)
        return joined([named(f"{place}/", built._parts[place].inputs_of_models(spec)) for place, spec in met.items()])

    def with_models(self, swap):
        def other(leaf: Any, place: str) -> Any:
            if isinstance(leaf, Layer):
                return leaf.with_models(swap) if leaf.models_within() else leaf
            return swap(leaf) if hasattr(leaf, "as_part") else leaf

        if not self.models_within():
            return self.replaced()
        mine = {name: swapped(value, name, other) for name, value in vars(self).items() if name not in PRIVATE}
        return self._twin({**mine, "_homes": (), "_builds": {}, "_aside": swapped(self._aside, "", other)})

    def _require_with(self, part: Layer) -> None:
        require(not part.stands_still or not self.trainable, f"{part!r} in {self!r} has trainable=False: what stands in a "
                "layer is trained or frozen with it. Write trainable=False in the whole, or give the part a place of its own.")


Style.adapter = KerasStyle


def _is_ours(cls: type, name: str) -> bool:
    """Whether what a class has under a name is what KerasStyle has."""
    return inspect.getattr_static(cls, name, None) is inspect.getattr_static(KerasStyle, name, None)


_MEMBERS = {name: value for each in reversed(KerasStyle.__mro__[:-1]) for name, value in {
    **dict.fromkeys(inspect.get_annotations(each)), **vars(each)}.items()}
PRIVATE = frozenset(name for name in _MEMBERS if re.match("_[a-z](?!bc_)", name))
TAKEN = PRIVATE | {name for name, value in _MEMBERS.items() if isinstance(value, property)}
