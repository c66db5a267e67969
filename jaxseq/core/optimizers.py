"""Optimizers: declarations in Keras's words, each a short chain of Optax transformations.

The learning rate stands in the optimizer's state, so it may change between two steps without a new program. Numbers
are Keras 3's (the place of epsilon, first accumulators); `lr`, `decay` and `schedule_decay` mean what they meant in Keras 2.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeGuard, dataclass_transform

import numpy as np
import optax

from jaxseq.core import loss_scale, muon, schedules, transforms
from jaxseq.core.declared import Declared, from_config, to_config
from jaxseq.core.live import Live, Owner, Rate, Standing
from jaxseq.core.require import pick, positive_int, require
from jaxseq.core.transforms import Schedule, Transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Optimizer(Standing, Declared):
    """How gradients become updates. A subclass is a frozen dataclass whose `step` gives the Optax transformation.

    Fields of every optimizer, after its own:
    decay: Keras 2's: the rate of update t is learning_rate / (1 + decay t).
    weight_decay: before each update the weights shrink by learning_rate * weight_decay of themselves.
    clipnorm: gradients are shortened to this length, each by itself; global_clipnorm: all of them as one vector.
    clipvalue: every entry of a gradient is kept within +-clipvalue, after clipnorm where both are given.
    gradient_accumulation_steps: an update is made of the mean gradient of so many batches.
    use_ema: an average of the weights is kept, average = ema_momentum * average + (1 - ema_momentum) * weights, which takes
        their place after every ema_overwrite_frequency updates (None: never). See `averaged_weights`.
    loss_scale_factor: the loss is multiplied with it before gradients are taken, and they are divided by it: for float16.
    name: for the reader.
    `lr` is understood as learning_rate.

    A declaration holds no numbers that change. `model.optimizer` is a copy that knows its model (see `bound_to`).
    Differs from Keras 2, where clipnorm is that of all gradients as one vector, and from Keras 3, which takes one of the
    three ways to clip alone.
    """

    learning_rate: float | Schedule = 0.001
    decay: float = field(default=0.0, kw_only=True)
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    use_ema: bool = field(default=False, kw_only=True)
    ema_momentum: float = field(default=0.99, kw_only=True)
    ema_overwrite_frequency: int | None = field(default=None, kw_only=True)
    gradient_accumulation_steps: int | None = field(default=None, kw_only=True)
    loss_scale_factor: float | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)

    other_words: ClassVar[tuple[str, ...]] = ("lr",)
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, repr=False, eq=False)(cls)
        cls.__init__ = _in_keras_words(cls.__init__)
        cls.__setattr__ = Standing.__setattr__
        if "learning_rate" in vars(cls):
            del cls.learning_rate           # the field keeps its default; what is read is `Rate`

    def __post_init__(self):
        for each in fields(self):
            setting = getattr(self, each.name)
            unset = setting is None and (each.default is None or each.name in _OR_NONE)
            if each.name != "name" and not unset and (each.default is None or isinstance(each.default, bool | int | float)):
                object.__setattr__(self, each.name, _settled(f"{type(self).__name__}({each.name}={setting!r})", each, setting))
        require(self.clipnorm is None or self.global_clipnorm is None, f"{type(self).__name__}: clipnorm is for each gradient, "
                "global_clipnorm for all as one; write one of them.")

    def __repr__(self) -> str:
        usual = {each.name: each.default for each in fields(self) if each.name in _COMMON}
        shown = [f"{name}={value!r}" for name, value in self._settings().items() if name not in usual or value != usual[name]]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Optimizer) and self._settings() == other._settings()

    def __hash__(self) -> int:
        return hash((type(self), *self._settings().values()))

    def _settings(self) -> dict[str, Any]:
        """{field: value}, the rate as a constructor would be given it."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value.setting if isinstance(value, Live) else value for name, value in given.items()}

    def step(self) -> Transform:
        """The gradients' way to updates, in an `at_rate`."""
        raise NotImplementedError(f"{type(self).__name__} must define step().")

    def shrinking(self) -> Any:
        """weight_decay as `at_rate` takes it: a number, None, or a function of the weights."""
        return self.weight_decay

    def transform(self) -> Transform:
        """The Optax transformation."""
        batches = self.gradient_accumulation_steps or 1
        rated = transforms.at_rate(self.step(), self.learning_rate, self.decay, self.shrinking(), batches)
        whole = optax.chain(*self._clips(), rated) if self._clips() else rated
        if batches > 1:
            whole = transforms.any_dtypes(optax.MultiSteps(whole, batches).gradient_transformation())
        if self.use_ema:
            whole = transforms.averaging(whole, self.ema_momentum, self.ema_overwrite_frequency, batches)
        return whole if self.loss_scale_factor is None else loss_scale.scaled(whole, self.loss_scale_factor)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"learning_rate": to_config(self._settings()["learning_rate"])}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        rate = config.get("learning_rate")
        known = from_config("schedule", rate, schedules.CLASSES) if isinstance(rate, Mapping) else rate
        return super().from_config({**config, "learning_rate": known} if "learning_rate" in config else config)

    def _clips(self) -> list[Transform]:
        clips = {transforms.clip_each_by_norm: self.clipnorm, optax.clip_by_global_norm: self.global_clipnorm,
                 optax.clip: self.clipvalue}
        return [clip(limit) for clip, limit in clips.items() if limit is not None]


dataclass(frozen=True, repr=False, eq=False)(Optimizer)
Optimizer.learning_rate = Rate()                            # pyright: ignore[reportAttributeAccessIssue]
_COMMON = {each.name for each in fields(Optimizer)} - {"learning_rate"}


def _in_keras_words(init: Callable[..., None]) -> Callable[..., None]:
    """The same constructor, with `lr` for learning_rate, and epsilon=None for the default."""

    @functools.wraps(init)
    def constructor(self: Optimizer, *values: Any, **words: Any) -> None:
        if "lr" in words:
            require("learning_rate" not in words, "lr and learning_rate are the same: write one of them.", TypeError)
            words["learning_rate"] = words.pop("lr")
        if words.get("epsilon", 0.0) is None:
            del words["epsilon"]
        init(self, *values, **words)

    return constructor


# What is kept of a running mean; numbers from 0 down; what None switches off; numbers of steps, and the least of them.
_SHARES = "momentum", "rho", "beta_1", "beta_2", "ema_momentum", "adam_beta_1", "adam_beta_2"
_NEGATIVE = "learning_rate_power", "beta_2_decay"
_OR_NONE = "weight_decay", "adam_weight_decay", "rms_rate"
_STEPS = {"gradient_accumulation_steps": 2, "ema_overwrite_frequency": 1, "warmup_steps": 0, "ns_steps": 1}


def _settled(given: str, setting: Field, value: Any) -> Any:
    """The value of a setting as a plain number, bool or schedule; a ValueError for what it cannot be."""
    if isinstance(value, Live):
        return value.setting
    if isinstance(setting.default, bool):
        require(isinstance(value, bool | np.bool_), f"{given}: write True or False.")
        return bool(value)
    if setting.name == "learning_rate" and callable(value):
        return value
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool) and math.isfinite(value)
    if setting.name in _STEPS:
        least = _STEPS[setting.name]
        require(number and value == int(value) >= least, f"{given}: write a whole number from {least} on.")
        return int(value)
    if setting.name in _NEGATIVE:
        require(number and value <= 0, f"{given}: write a number up to 0.")
    else:
        _check_positive(given, setting, bool(number and value >= 0), value)
    return value.item() if isinstance(value, np.generic) else value


def _check_positive(given: str, setting: Field, usable: bool, value: Any) -> None:
    if setting.name in _SHARES:
        require(usable and value < 1, f"{given}: write a number from 0 up to, and without, 1.")
    if setting.name.startswith(("clip", "global_clip", "loss_scale")):
        require(usable and value > 0, f"{given}: write a number above 0, or None.")
    also = ", or an Optax schedule" if setting.name == "learning_rate" else ""
    require(usable, f"{given}: write a number from 0 on{also}.")


class SGD(Optimizer):
    """Gradient descent: v = momentum v - rate g; w += v, or with nesterov w += momentum v - rate g.

    Source: Sutskever et al. 2013, as Keras has it: the rate stands inside the velocity.
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def step(self):
        velocity = optax.trace(self.momentum, self.nesterov) if self.momentum else optax.identity()
        return optax.chain(transforms.times_rate(), velocity)


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

    def step(self):
        scale = transforms.scale_by_deviation if self.centered else optax.scale_by_rms
        velocity = optax.trace(self.momentum) if self.momentum else optax.identity()
        return optax.chain(scale(self.rho, self.epsilon), transforms.times_rate(), velocity)


class Adagrad(Optimizer):
    """a += g^2; w -= rate g / sqrt(a + epsilon), a from initial_accumulator_value.

    Source: Duchi et al. 2011. Keras 2 has a from 0, rate 0.01 and sqrt(a) + epsilon.
    """

    learning_rate: float | Schedule = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(optax.scale_by_rss(self.initial_accumulator_value, self.epsilon), transforms.times_rate())


class Adadelta(Optimizer):
    """a = rho a + (1 - rho) g^2; u = sqrt(d + epsilon) / sqrt(a + epsilon) g; d = rho d + (1 - rho) u^2; w -= rate u.

    Source: Zeiler 2012, arXiv:1212.5701, where the rate is 1, as in Keras 2; here it is Keras 3's.
    """

    learning_rate: float | Schedule = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(optax.scale_by_adadelta(self.rho, self.epsilon), transforms.times_rate())


class Adam(Optimizer):
    """w -= rate m_hat / (sqrt(v) + epsilon), corrected as `scale_by_adam` says.

    Source: Kingma & Ba 2015; amsgrad: Reddi et al. 2018.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def step(self):
        scale = transforms.scale_by_adam(self.beta_1, self.beta_2, self.epsilon, self.amsgrad)
        return optax.chain(scale, transforms.times_rate())


class AdamW(Adam):
    """`Adam` with a weight_decay that is not 0. Raises: ValueError for weight_decay=None.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    learning_rate: float | Schedule = 0.001
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def __post_init__(self):
        require(self.weight_decay is not None, "AdamW(weight_decay=None): write a number, or Adam without one.")
        super().__post_init__()


class Adamax(Optimizer):
    """w -= rate m / (1 - b1^t) / (u + epsilon), u = max(b2 u, |g|). Source: Kingma & Ba 2015. Keras 2's rate is 0.002."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def step(self):
        return optax.chain(transforms.scale_by_adamax(self.beta_1, self.beta_2, self.epsilon), transforms.times_rate())


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead, see `scale_by_nadam`. Source: Dozat 2016.

    schedule_decay: Keras 2's, where it is 0.004 and the rate 0.002; Keras 3's numbers are those of 1.
    """

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    schedule_decay: float = field(default=1.0, kw_only=True)

    def step(self):
        scale = transforms.scale_by_nadam(self.beta_1, self.beta_2, self.epsilon, self.schedule_decay)
        return optax.chain(scale, transforms.times_rate())


class Ftrl(Optimizer):
    """Follow the regularized leader, see `transforms.ftrl`; l1 sets weights to exactly 0. Source: McMahan et al. 2013."""

    learning_rate: float | Schedule = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def step(self):
        return transforms.ftrl(self.learning_rate_power, self.initial_accumulator_value, self.l1_regularization_strength,
                               self.l2_regularization_strength, self.l2_shrinkage_regularization_strength, self.beta)


class Lion(Optimizer):
    """w -= rate sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g. Source: Chen et al. 2023, arXiv:2302.06675."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    def step(self):
        return optax.chain(optax.scale_by_lion(self.beta_1, self.beta_2), transforms.times_rate())


class Adafactor(Optimizer):
    """Steps as large as their weights, remembered by rows and columns, see `transforms.adafactor`.

    Source: Shazeer & Stern 2018, arXiv:1804.04235. Differs from Keras in that relative_step=False takes the learning rate
    as it is; there it changes nothing.
    """

    learning_rate: float | Schedule = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def step(self):
        return transforms.adafactor(self.beta_2_decay, self.epsilon_1, self.epsilon_2, self.clip_threshold,
                                    self.relative_step)


class Lamb(Optimizer):
    """Adam's step, made as long as rate |w| for each weight array. Source: You et al. 2020, arXiv:1904.00962."""

    learning_rate: float | Schedule = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def step(self):
        adam = transforms.any_dtypes(optax.scale_by_adam(self.beta_1, self.beta_2, self.epsilon))
        return optax.chain(adam, optax.scale_by_trust_ratio(), transforms.times_rate())


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its weights as it goes, see `transforms.schedule_free_adamw`; it needs no schedule.

    Source: Defazio et al. 2024, arXiv:2405.15682. As in Keras, it is the point between both that is measured.
    """

    learning_rate: float | Schedule = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0

    def __post_init__(self):
        super().__post_init__()
        require(self.beta_1 > 0, f"ScheduleFreeAdamW(beta_1={self.beta_1!r}): write a number above 0.")

    def step(self):
        return transforms.schedule_free_adamw(self.beta_1, self.beta_2, self.epsilon, self.warmup_steps)


class Muon(Optimizer):
    """Steps of matrices made orthogonal, see `muon.scale_by_muon`; Adam for all other weights, and for embeddings.

    adam_weight_decay: weight_decay of the weights that Adam moves. adam_lr_ratio: their rate over the others'.
    rms_rate: a step's rms, as a share of the rate; None leaves steps as orthogonal as they are.
    exclude_layers: patterns; Adam also moves weights whose path, as "dense/kernel", has one of them.
    Source: Jordan et al. 2024, "Muon"; Liu et al. 2025, arXiv:2502.16982 (rms_rate).
    """

    learning_rate: float | Schedule = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = field(default=0.004, kw_only=True)
    exclude_layers: tuple[str, ...] = field(default=(), kw_only=True)
    exclude_embeddings: bool = field(default=True, kw_only=True)
    adam_lr_ratio: float = field(default=1.0, kw_only=True)
    momentum: float = field(default=0.95, kw_only=True)
    ns_steps: int = field(default=5, kw_only=True)
    nesterov: bool = field(default=True, kw_only=True)
    rms_rate: float | None = field(default=0.2, kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "exclude_layers", tuple(self.exclude_layers))

    def _chosen(self, weights: Any) -> Any:
        return muon.matrices(weights, self.exclude_embeddings, self.exclude_layers)

    def shrinking(self):
        share = {True: self.weight_decay or 0.0, False: self.adam_weight_decay or 0.0}
        return lambda weights: muon.shares(self._chosen(weights), share)

    def step(self):
        orthogonal = muon.scale_by_muon(self.momentum, self.nesterov, self.ns_steps, self.rms_rate)
        adam = transforms.scale_by_adam(self.adam_beta_1, self.adam_beta_2, self.epsilon)
        adam = optax.chain(adam, optax.scale(self.adam_lr_ratio))
        each = optax.partition({"matrix": orthogonal, "other": adam}, lambda w: muon.labels(self._chosen(w)))
        return optax.chain(each, transforms.times_rate())


def _within_the_other(init: Callable[..., None]) -> Callable[..., None]:
    """The same constructor, with a hint for what belongs to the optimizer within."""

    @functools.wraps(init)
    def constructor(self: LossScaleOptimizer, *values: Any, **words: Any) -> None:
        for word in words.keys() & {*self.other_words}:
            raise TypeError(f"LossScaleOptimizer takes no argument {word!r}: write it in the optimizer within, "
                            f"LossScaleOptimizer(Adam({word}={words[word]!r})).")
        init(self, *values, **words)

    return constructor


@dataclass(frozen=True)
class LossScaleOptimizer(Standing, Declared):
    """Another optimizer, given gradients of a loss that is multiplied with a scale and divided by it: see `loss_scale.scaled`.

    The scale halves at a step whose gradients overflow, which is then left out, and doubles after dynamic_growth_steps
    others. `compile` puts it around the optimizer of a model that computes in float16.
    inner_optimizer: whatever compile() takes; its loss_scale_factor does not count.
    Raises: ValueError for numbers out of range, TypeError for an optimizer in a second one of these.
    Source: as keras.optimizers.LossScaleOptimizer.
    """

    inner_optimizer: Any
    initial_scale: float = 2.0**15
    dynamic_growth_steps: int = 2000
    name: str | None = None

    other_words: ClassVar[tuple[str, ...]] = (*sorted(_COMMON - {"name"}), "learning_rate", "lr")      # of the other

    def __post_init__(self):
        inner = get(self.inner_optimizer)
        require(not isinstance(inner, LossScaleOptimizer), f"{inner!r} scales the loss already: pass its inner_optimizer.",
                TypeError)
        if isinstance(inner, Optimizer) and inner.loss_scale_factor is not None:
            inner = replace(inner, loss_scale_factor=None)
        object.__setattr__(self, "inner_optimizer", inner)
        scale = self.initial_scale
        usable = isinstance(scale, int | float) and not isinstance(scale, bool) and 0 < scale < math.inf
        require(usable, f"LossScaleOptimizer(initial_scale={scale!r}): write a number above 0.")
        positive_int("LossScaleOptimizer(dynamic_growth_steps)", self.dynamic_growth_steps)

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return getattr(self.inner_optimizer, "learning_rate", None)

    def bound_to(self, model: Owner) -> Self:
        bound, inner = super().bound_to(model), self.inner_optimizer
        vars(bound)["inner_optimizer"] = inner.bound_to(model) if isinstance(inner, Standing) else inner
        return bound

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def transform(self) -> Transform:
        """The Optax transformation."""
        return loss_scale.scaled(transformation(self.inner_optimizer), self.initial_scale, self.dynamic_growth_steps)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"inner_optimizer": to_config(self.inner_optimizer)}


LossScaleOptimizer.__init__ = _within_the_other(LossScaleOptimizer.__init__)
LossScaleOptimizer.__setattr__ = Standing.__setattr__

CLASSES: dict[str, type[Optimizer]] = {each.__name__: each for each in (
    SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion, Adafactor, Lamb, ScheduleFreeAdamW, Muon)}
TABLE: dict[str, type[Optimizer]] = {name.lower(): each for name, each in CLASSES.items()}


def get(identifier: Any) -> Optimizer | LossScaleOptimizer | Transform:
    """The optimizer for a name, a class, an instance, a config, or any Optax transformation."""
    if isinstance(identifier, str):
        return pick("optimizer", identifier.lower(), TABLE)()
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "LossScaleOptimizer":
        return LossScaleOptimizer.from_config(identifier["config"])
    if isinstance(identifier, Mapping):
        return from_config("optimizer", identifier, CLASSES)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    if isinstance(identifier, Optimizer | LossScaleOptimizer):
        return identifier if identifier.owner is None else replace(identifier)      # of another model: its numbers stay there
    if _is_optax(identifier):
        return identifier
    raise TypeError(f"optimizer={identifier!r}: write a name such as 'adam', jaxseq.optimizers.Adam(), or an Optax "
                    "transformation such as optax.adamw(1e-3).")


def transformation(optimizer: Optimizer | LossScaleOptimizer | Transform) -> Transform:
    """The Optax transformation of what `get` gave."""
    return optimizer.transform() if isinstance(optimizer, Optimizer | LossScaleOptimizer) else optimizer


def averaged_weights(opt_state: Any) -> Any:
    """The average of the trained weights that use_ema keeps, of their structure; None without use_ema."""
    inner = loss_scale.within(opt_state)
    return inner.average if isinstance(inner, transforms.AverageState) else None


def average_to_take(opt_state: Any) -> Any:
    """`averaged_weights`, once it has seen a step: before, and without use_ema, there is nothing to take, {}."""
    inner = loss_scale.within(opt_state)
    return inner.average if isinstance(inner, transforms.AverageState) and int(inner.batches) > 0 else {}


def rate_now(optimizer: Optimizer | LossScaleOptimizer | Transform, opt_state: Any) -> Any:
    """The learning rate of the next update, without decay; None where the optimizer's state keeps none."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = getattr(optimizer, "learning_rate", None)
    if not callable(schedule):
        return optax.tree.get(opt_state, "learning_rate")
    batches = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return schedule(transforms.updates_made(opt_state) * batches + (batches - 1))


def _is_optax(value: Any) -> TypeGuard[Transform]:
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))
