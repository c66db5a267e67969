"""Optimizers: declarations in Keras's words, each a short chain of Optax transformations.

The learning rate stands in the optimizer's state, so it may change between two steps without a new program. Numbers
are Keras 3's (the place of epsilon, first accumulators); `lr` and `decay` mean what they meant in Keras 2.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeGuard, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxseq.core.require import known_words, pick, require
from jaxseq.core.types import Array

Schedule = Callable[[Array], Array]


class RateState(NamedTuple):
    """step: () int32, updates made. learning_rate: () float32, without decay: of the last update, or of the next if set."""

    step: Array
    learning_rate: Array


def scale_by_rate(learning_rate: float | Schedule, decay: float = 0.0) -> optax.GradientTransformation:
    """updates = -rate * updates, rate = learning_rate / (1 + decay * step), step from 0.

    A schedule (step -> rate) is asked at every update. A number stands in the state, where it may be changed.
    """

    def init(params):
        del params
        step = jnp.zeros((), jnp.int32)
        return RateState(step, jnp.asarray(learning_rate(step) if callable(learning_rate) else learning_rate, jnp.float32))

    def update(updates, state, params=None):
        del params
        base = jnp.asarray(learning_rate(state.step), jnp.float32) if callable(learning_rate) else state.learning_rate
        rate = base / (1 + decay * state.step.astype(jnp.float32))
        updates = jax.tree.map(lambda u: -rate.astype(u.dtype) * u, updates)
        return updates, RateState(_after(state.step), base)

    return optax.GradientTransformation(init, update)


class AdamState(NamedTuple):
    """step: () int32. m, v: the first and second moment of each weight's gradient. v_max: for amsgrad, else None."""

    step: Array
    m: Any
    v: Any
    v_max: Any


def scale_by_adam(beta_1: float, beta_2: float, epsilon: float, amsgrad: bool = False) -> optax.GradientTransformation:
    """m sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon), with the moments m and v of the gradient.

    Source: Kingma & Ba 2015, the form at the end of section 2 ("epsilon hat"), as Keras has it. optax.scale_by_adam adds
    epsilon after the correction of v, which is another number by a factor of up to 1 / sqrt(1 - b2).
    amsgrad: v is the largest there was (Reddi et al. 2018).
    """

    def init(params):
        zeros = lambda: optax.tree.zeros_like(params)
        return AdamState(jnp.zeros((), jnp.int32), zeros(), zeros(), zeros() if amsgrad else None)

    def update(updates, state, params=None):
        del params
        step = _after(state.step)
        t = step.astype(jnp.float32)
        m = optax.tree.update_moment(updates, state.m, beta_1, 1)
        v = optax.tree.update_moment(updates, state.v, beta_2, 2)
        v_max = jax.tree.map(jnp.maximum, state.v_max, v) if amsgrad else None
        scale = jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        scaled = lambda m, v: m * scale.astype(m.dtype) / (jnp.sqrt(v) + epsilon)
        return jax.tree.map(scaled, m, v_max if amsgrad else v), AdamState(step, m, v, v_max)

    return optax.GradientTransformation(init, update)


class DeviationState(NamedTuple):
    """m, v: the first and second moment of each weight's gradient."""

    m: Any
    v: Any


def scale_by_deviation(decay: float, epsilon: float) -> optax.GradientTransformation:
    """updates / sqrt(max(v - m^2, 0) + epsilon), with the moments m and v of the gradient.

    Source: Graves 2013, arXiv:1308.0850. Keras and optax.scale_by_stddev have no max: where a gradient stays
    the same, v - m^2 is 0 but for rounding, which may be negative, and then the weight is NaN.
    """

    def init(params):
        return DeviationState(optax.tree.zeros_like(params), optax.tree.zeros_like(params))

    def update(updates, state, params=None):
        del params
        m = optax.tree.update_moment(updates, state.m, decay, 1)
        v = optax.tree.update_moment(updates, state.v, decay, 2)
        scaled = lambda u, m, v: u * jax.lax.rsqrt(jnp.maximum(v - jnp.square(m), 0) + epsilon)
        return jax.tree.map(scaled, updates, m, v), DeviationState(m, v)

    return optax.GradientTransformation(init, update)


def _after(step: Array) -> Array:
    """step + 1, which stays at the largest int32 where it would wrap."""
    return jnp.asarray(optax.safe_increment(step))


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Optimizer:
    """How gradients become updates. A subclass is a frozen dataclass whose `transform` gives the Optax transformation.

    Fields of every optimizer, after its own: decay, Keras 2's: the rate of update t is learning_rate / (1 + decay t).
    `lr` is understood as learning_rate.
    """

    learning_rate: float | Schedule = 0.001
    decay: float = field(default=0.0, kw_only=True)

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)
        cls.__init__ = _in_keras_words(cls.__init__)
        cls.__setattr__ = _refused

    def __post_init__(self):
        for each in fields(self):
            setting = getattr(self, each.name)
            if isinstance(each.default, bool | int | float):
                object.__setattr__(self, each.name, _settled(f"{type(self).__name__}({each.name}={setting!r})", each, setting))

    def transform(self) -> optax.GradientTransformation:
        """The Optax transformation."""
        raise NotImplementedError(f"{type(self).__name__} must define transform().")

    def _rate(self) -> optax.GradientTransformation:
        return scale_by_rate(self.learning_rate, self.decay)


dataclass(frozen=True)(Optimizer)


def _refused(optimizer: Optimizer, name: str, value: Any) -> None:
    """What an assignment to a field says: the declaration is frozen, the rate in use stands in the model."""
    raise FrozenInstanceError(f"{type(optimizer).__name__}.{name} cannot be changed: compile with another optimizer, or "
                              f"write model.learning_rate = {value!r} for the rate of the next step.")


def _in_keras_words(init: Callable[..., None]) -> Callable[..., None]:
    """The same constructor, with `lr` for learning_rate, epsilon=None for the default, and a hint for a misspelt word."""

    @functools.wraps(init)
    def constructor(self: Optimizer, *values: Any, **words: Any) -> None:
        known = {each.name for each in fields(self)} | {"lr"}
        known_words(type(self).__name__, words, known)
        if "lr" in words:
            require("learning_rate" not in words, "lr and learning_rate are the same: write one of them.", TypeError)
            words["learning_rate"] = words.pop("lr")
        if words.get("epsilon", 0.0) is None:
            del words["epsilon"]
        init(self, *values, **words)

    return constructor


_SHARES = "momentum", "rho", "beta_1", "beta_2"     # what is kept of a running mean


def _settled(given: str, setting: Field, value: Any) -> Any:
    """The value of a setting as a plain number, bool or schedule; a ValueError for what it cannot be."""
    if isinstance(setting.default, bool):
        require(isinstance(value, bool | np.bool_), f"{given}: write True or False.")
        return bool(value)
    if setting.name == "learning_rate" and callable(value):
        return value
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    usable = number and math.isfinite(value) and value >= 0
    if setting.name in _SHARES:
        require(usable and value < 1, f"{given}: write a number from 0 up to, and without, 1.")
    also = ", or an Optax schedule" if setting.name == "learning_rate" else ""
    require(usable, f"{given}: write a number from 0 on{also}.")
    return value.item() if isinstance(value, np.generic) else value


class SGD(Optimizer):
    """Gradient descent: v = momentum v - rate g; w += v, or with nesterov w += momentum v - rate g.

    Source: Sutskever et al. 2013, as Keras has it: the rate stands inside the velocity.
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def transform(self):
        return optax.chain(self._rate(), optax.trace(self.momentum, self.nesterov) if self.momentum else optax.identity())


class RMSprop(Optimizer):
    """v = rho v + (1 - rho) g^2; w -= rate g / sqrt(v + epsilon).

    centered: the variance of g in the place of v (`scale_by_deviation`). momentum: the step is a velocity, as in SGD.
    Source: Tieleman & Hinton 2012, lecture 6.5. Keras 2 has sqrt(v) + epsilon.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def transform(self):
        scale = scale_by_deviation if self.centered else optax.scale_by_rms
        velocity = optax.trace(self.momentum) if self.momentum else optax.identity()
        return optax.chain(scale(self.rho, self.epsilon), self._rate(), velocity)


class Adagrad(Optimizer):
    """a += g^2; w -= rate g / sqrt(a + epsilon), a from initial_accumulator_value.

    Source: Duchi et al. 2011. Keras 2 has a from 0, rate 0.01 and sqrt(a) + epsilon.
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def transform(self):
        return optax.chain(optax.scale_by_rss(self.initial_accumulator_value, self.epsilon), self._rate())


class Adam(Optimizer):
    """w -= rate m_hat / (sqrt(v) + epsilon), corrected as `scale_by_adam` says.

    Source: Kingma & Ba 2015; amsgrad: Reddi et al. 2018.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def transform(self):
        return optax.chain(scale_by_adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad), self._rate())


TABLE: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam}


def get(identifier: Any) -> Optimizer | optax.GradientTransformation:
    """The optimizer for a name, a class, an instance, or any Optax transformation."""
    if isinstance(identifier, str):
        return pick("optimizer", identifier.lower(), TABLE)()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    if isinstance(identifier, Optimizer) or _is_optax(identifier):
        return identifier
    raise TypeError(f"optimizer={identifier!r}: write a name such as 'adam', jaxseq.optimizers.Adam(), or an Optax "
                    "transformation such as optax.adamw(1e-3).")


def transformation(optimizer: Optimizer | optax.GradientTransformation) -> optax.GradientTransformation:
    """The Optax transformation of what `get` gave."""
    return optimizer.transform() if isinstance(optimizer, Optimizer) else optimizer


def _is_optax(value: Any) -> TypeGuard[optax.GradientTransformation]:
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))
