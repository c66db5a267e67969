"""The copies of a layer in Keras's way: the one that is built, and those that are called.

Nothing is ever stored on the object that the user made. `build` runs once for each input shape, on a copy; what it made is
kept, and holds no traced value. Each `call` runs on a copy of that, whose weights are the arrays of this one call.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.keras_call import InputSpec, Part, Run, Weight
from jaxseq.core.keras_told import Told
from jaxseq.core.layer import BASE, Layer
from jaxseq.core.nested import as_layer
from jaxseq.core.policy import DTypePolicy
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Key, Shape, Spec
from jaxseq.core.variable import plain, swapped


class Copies(Told, declared=False):
    """A layer whose `build` and `call` are the user's, and run on copies."""

    input_spec: Any = None

    _casts = True
    _policy: DTypePolicy | None = None          # on a copy: what `dtype` was; there it is that of the weights, as in Keras
    _run: Run | None = None                     # on the copy that is called
    _building = False                           # on the copy that is built
    _asked: frozenset[str] = frozenset()        # on the copy that has been built: the places of the parts that `call` asks
    _weights: dict[str, Weight]  # pyright: ignore[reportGeneralTypeIssues]
    _parts: dict[str, Layer]  # pyright: ignore[reportGeneralTypeIssues]
    _builds: dict[Any, Self]  # pyright: ignore[reportGeneralTypeIssues]
    _aside: dict[str, Any]  # pyright: ignore[reportGeneralTypeIssues]  # attributes under names of ours: for the copies

    def __new__(cls, *values: Any, **words: Any) -> Self:
        self = super().__new__(cls, *values, **words)
        for name in "_weights", "_parts", "_builds", "_aside":
            object.__setattr__(self, name, {})
        return self

    @abstractmethod
    def call(self, x: Any, *values: Any, **words: Any) -> Any:
        """The output for x. It may take `training`, a bool, and `mask`."""

    def build(self, input_shape: Shape) -> None:
        """Makes the weights for inputs of this shape, batch axis first."""
        self.built = True       # pyright: ignore[reportAttributeAccessIssue]  # KerasStyle's __setattr__ takes it

    def replaced(self, **changes: Any) -> Self:
        twin = super().replaced(**changes)
        object.__setattr__(twin, "_builds", dict(self._builds))
        return twin

    def under(self, dtype):
        twin = super().under(dtype)
        object.__setattr__(twin, "_builds", self._builds)       # what is asked of the one is what the other has built
        return twin

    @property
    def dtype_policy(self) -> DTypePolicy:
        return self._policy or super().dtype_policy

    def _with_all(self) -> Self:
        """A copy with all attributes that the user set, those under names of ours, too."""
        return self._twin({**self._aside, "_aside": {}})

    def _built(self, x: Spec | Array) -> Self:
        """The copy that has been built for inputs like x. The batch axis is None, as in Keras."""
        shape = (None, *x.shape[1:])
        if (self.name, self.dtype, shape) not in self._builds:
            policy = None if self.dtype is None else self.dtype_policy
            twin = self._copy(self._as_part, _building=True, _weights=dict(self._weights), _parts={}, _policy=policy,
                              built=False, dtype=self.variable_dtype, name=self.name or type(self).__name__.lower())
            with jax.ensure_compile_time_eval():                # numbers that build makes are numbers, not parts of a trace
                twin.build(shape)
            ready = twin._copy(twin._as_part, _parts={}, built=True)
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
        leaf = as_layer(leaf)
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

        jax.eval_shape(trial, rng.key_spec(), Spec(x.shape, x.dtype))
        object.__setattr__(self, "_asked", frozenset(met))
        return met, any(penalised)


def _words(function: Callable[..., Any]) -> set[str]:
    """The parameters of a function."""
    return set(inspect.signature(function).parameters)
