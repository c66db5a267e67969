"""Metrics in Keras's way: classes that define `update_state` and `result` over variables.

By itself such an object works as in Keras: its variables change. What a model measures with it is a pure fold: the
variables are totals that the model's program carries from batch to batch, so they may be added to, or be a maximum, or the
last value; the object stays as it was.
"""

from __future__ import annotations

import copy
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxseq.core import initializers, rng
from jaxseq.core.overriding import speaks_for
from jaxseq.core.require import require
from jaxseq.core.totals import (
    DeclaredMetric,
    Monoid,
    Sums,
    as_rows,
    float32_alone,
    mean,
    ratio,
    spread_weight,
    untraced,
)
from jaxseq.core.types import Array
from jaxseq.core.variable import Variable, asked, plain, swapped, whole_shape
from jaxseq.core.words import snake_case

__all__ = ["Metric", "Mean", "Sum", "MeanMetricWrapper"]


class Kept(Variable):
    """A variable of the object that the user made. It outlives every program, so nothing traced may be kept in it."""

    def assign(self, value: Any) -> Any:
        require(not isinstance(plain(value), Tracer), f"{self.name}.assign: a metric that is updated while a program "
                "is traced would keep a part of that program. Name it in compile(metrics=[...]). In call a layer counts in a "
                "weight of its own: self.add_weight(..., trainable=False).", RuntimeError)
        return super().assign(value)


class Metric(ABC):
    """What a metric of one's own in Keras's way is derived from:

        class Largest(Metric):
            def __init__(self, name="largest", **kwargs):
                super().__init__(name=name, **kwargs)
                self.value = self.add_variable(shape=(), initializer="zeros", name="value")

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.value.assign(K.maximum(self.value, K.max(y_pred)))

            def result(self):
                return self.value

    Every epoch begins with reset_state(), which sets all variables to 0 unless the class says otherwise. A metric among the
    variables of another counts with it. A mask comes as sample_weight.
    """

    def __init__(self, name: str | None = None, dtype: Any = None):
        float32_alone(type(self).__name__, dtype)
        self.name, self.dtype = name or snake_case(type(self).__name__), "float32"
        self._variables: list[Variable] = []

    @abstractmethod
    def update_state(self, *values: Any, **words: Any) -> Any:
        """Takes a batch into the variables: (y_true, y_pred, sample_weight=None)."""

    @abstractmethod
    def result(self) -> Any:
        """The measure that the variables come to: a number, or an array."""

    def reset_state(self) -> None:
        """Sets all variables to 0."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def reset_states(self) -> None:
        """Keras 2's name for reset_state."""
        self.reset_state()

    def __call__(self, *values: Any, **words: Any) -> Any:
        """update_state, then result."""
        untraced(type(self).__name__, *values, *words.values())
        self.update_state(*values, **words)
        return plain(self.result())

    def add_variable(self, *values: Any, **words: Any) -> Variable:
        """A variable: (shape, initializer="zeros", ..., name=None), or the name first. To be made in the constructor."""
        owner = type(self).__name__
        require(hasattr(self, "_variables"), f"{owner} adds a variable before super().__init__(name=name): call that first.",
                RuntimeError)
        told = asked(owner, values, words)
        name, initializer = str(told.get("name") or "variable"), told.get("initializer")
        dtype = jax.dtypes.canonicalize_dtype(told.get("dtype") or jnp.float32)
        shape = whole_shape(owner, name, told.get("shape"))
        with jax.ensure_compile_time_eval():            # numbers, also where a program that is traced makes the metric
            first = initializers.get("zeros" if initializer is None else initializer)(rng.root_key(0), shape, dtype)
        self._variables.append(Kept(name, np.asarray(first)))
        return self._variables[-1]

    add_weight = add_variable

    @property
    def variables(self) -> list[Variable]:
        """All variables, those of metrics in attributes last."""
        return [*self._variables, *(each for inner in self._inner() for each in inner.variables)]

    def get_config(self) -> dict[str, Any]:
        """The settings that every metric has. A class with others adds them."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The metric that get_config described."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"

    def metric(self) -> Monoid:
        """The Monoid whose totals are the variables."""
        owner = type(self).__name__
        require(_measures_pairs(self.update_state), f"{owner} takes (values, sample_weight), and a model measures targets "
                "and predictions. Write MeanMetricWrapper(function) with a function (y_true, y_pred), or a class of your own "
                f"that holds {owner}().", TypeError)
        declared = [each for each in self._leaves() if isinstance(each, DeclaredMetric)]
        require(not declared, f"{owner} holds {declared}: within a metric there may be metrics in Keras's way. Name the other "
                "in compile beside this one.", TypeError)
        fresh = self._at(tuple(each.value for each in self.variables))
        fresh.reset_state()
        start: Any = tuple(np.asarray(each.value) for each in fresh.variables)
        with np.errstate(divide="ignore", invalid="ignore"):
            told = plain(fresh.result())
        require(not isinstance(told, dict | list | tuple) and told is not None, f"{owner}.result gave {type(told).__name__}: "
                "give one number, or an array.", TypeError)
        weighed = _takes_weight(self.update_state)

        def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
            require(weight is None or weighed, f"{owner}.update_state takes no sample_weight, so the mask of the time steps "
                    "cannot reach it. Write update_state(self, y_true, y_pred, sample_weight=None).")
            return (y, y_hat) if weight is None else (y, y_hat, weight)

        def merge(totals: Sums, batch: Sums) -> Sums:
            twin = self._at(totals)
            twin.update_state(*batch)
            return tuple(jnp.asarray(each.value) for each in twin.variables)

        return Monoid(self.name, start, sums, lambda *totals: np.asarray(plain(self._at(totals).result())), merge=merge)

    def _at(self, values: Sums) -> Self:
        """A copy whose variables have other values."""
        return self._copy({id(each): Variable(each.name, value) for each, value in zip(self.variables, values, strict=True)})

    def _copy(self, fresh: dict[int, Variable]) -> Self:
        def swap(leaf: Any, place: str) -> Any:
            return leaf._copy(fresh) if _in_keras_way(leaf) else fresh.get(id(leaf), leaf)

        twin = copy.copy(self)
        vars(twin).update({place: swapped(value, place, swap) for place, value in vars(self).items()})
        return twin

    def _inner(self) -> list[Metric]:
        return [each for each in self._leaves() if _in_keras_way(each)]

    def _leaves(self) -> Iterator[Any]:
        found: list[Any] = []
        for place, value in vars(self).items():
            swapped(value, place, lambda leaf, place: found.append(leaf))
        return iter(found)


Metric.register(DeclaredMetric)


class Sum(Metric):
    """The sum of all values: update_state(values, sample_weight=None). It is 0 of none. As keras.metrics.Sum."""

    def __init__(self, name: str = "sum", dtype: Any = None):
        super().__init__(name, dtype)
        self.total = self.add_variable(shape=(), name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        self.total.assign_add(_weighed(values, sample_weight)[0])

    def result(self) -> Any:
        return plain(self.total)


class Mean(Sum):
    """The weighted mean of all values: update_state(values, sample_weight=None). It is 0 of none. As keras.metrics.Mean.

    A row counts once, however many values it has.
    """

    def __init__(self, name: str = "mean", dtype: Any = None):
        super().__init__(name, dtype)
        self.count = self.add_variable(shape=(), name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        total, count = _weighed(values, sample_weight)
        in_a_row = math.prod(np.shape(plain(values))[1:])
        self.total.assign_add(total / in_a_row)
        self.count.assign_add(count / in_a_row)

    def result(self) -> Any:
        return ratio(self.total.value, self.count.value)[()]


class MeanMetricWrapper(Mean):
    """The weighted mean of fn(y_true, y_pred, **options), under a name. As keras.metrics.MeanMetricWrapper."""

    def __init__(self, fn: Callable[..., Array], name: str | None = None, dtype: Any = None, **options: Any):
        super().__init__(name or getattr(fn, "__name__", "mean"), dtype)
        self.function = partial(fn, **options)

    def update_state(       # pyright: ignore[reportIncompatibleMethodOverride]  # a mean of what fn gives
            self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y, y_hat, weight = as_rows(y_true, y_pred, sample_weight)
        total, count = mean(self.name, self.function).sums(y, y_hat, weight)
        self.total.assign_add(total)
        self.count.assign_add(count)

    def get_config(self) -> dict[str, Any]:
        """Its function, too, where the class has this constructor."""
        own = type(self).__init__ is MeanMetricWrapper.__init__
        return super().get_config() | ({"fn": self.function.func, **self.function.keywords} if own else {})

    def metric(self) -> Monoid:
        """`mean` itself, unless a class under this one measures otherwise."""
        plainly = speaks_for(self, "metric", "update_state", "result")
        return mean(self.name, self.function) if plainly else super().metric()


def _weighed(values: Any, weight: Any) -> tuple[Array, Array]:
    """(the sum of values times weights, the sum of the weights)."""
    values = jnp.asarray(plain(values)).astype(jnp.float32)
    weights = spread_weight(None if weight is None else jnp.asarray(plain(weight)), values)
    return jnp.sum(values * weights), jnp.sum(weights)


def _measures_pairs(function: Callable[..., Any]) -> bool:
    """Whether what comes second are predictions, and not the weights of what comes first."""
    return [*inspect.signature(function).parameters][1:2] != ["sample_weight"]


def _takes_weight(function: Callable[..., Any]) -> bool:
    taken = inspect.signature(function).parameters.values()
    by_place = [each for each in taken if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return len(by_place) > 2 or any(each.kind is each.VAR_POSITIONAL for each in taken)


def _in_keras_way(value: Any) -> bool:
    return isinstance(value, Metric) and not isinstance(value, DeclaredMetric)
