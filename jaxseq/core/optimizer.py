"""Optimizer: the declaration that all optimizers are, its settings in Keras's words, and its Optax transformation.

The learning rate stands in the optimizer's state, so it may change between two steps without a new program. `lr` and `decay`
mean what they meant in Keras 2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Self, dataclass_transform

import numpy as np
import optax

from jaxseq.core import loss_scale, schedules, transforms
from jaxseq.core.declared import Declared, from_config, is_number, to_config
from jaxseq.core.live import Live, Rate, Standing
from jaxseq.core.require import require
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
        usual = {each.name: each.default for each in fields(self) if each.name in COMMON}
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
            whole = transforms.accumulating(whole, batches)
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
        clips = {transforms.clip_each_by_norm: self.clipnorm, transforms.clip_all_by_norm: self.global_clipnorm,
                 optax.clip: self.clipvalue}
        return [clip(limit) for clip, limit in clips.items() if limit is not None]


dataclass(frozen=True, repr=False, eq=False)(Optimizer)
Optimizer.learning_rate = Rate()                            # pyright: ignore[reportAttributeAccessIssue]
COMMON = {each.name for each in fields(Optimizer)} - {"learning_rate"}


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
    number = is_number(value)
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
