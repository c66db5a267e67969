"""LossScaleOptimizer: what `compile` puts around the optimizer of a model that computes in float16."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from jaxseq.core import loss_scale, optimizer_classes
from jaxseq.core.declared import Declared, is_number, to_config
from jaxseq.core.live import Owner, Standing
from jaxseq.core.optimizer import COMMON, Optimizer
from jaxseq.core.require import positive_int, require
from jaxseq.core.transforms import Transform


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

    other_words: ClassVar[tuple[str, ...]] = (*sorted(COMMON - {"name"}), "learning_rate", "lr")      # of the other

    def __post_init__(self):
        given = self.inner_optimizer
        require(not isinstance(given, LossScaleOptimizer), f"{given!r} scales the loss already: pass its inner_optimizer.",
                TypeError)
        inner = optimizer_classes.get(given)
        if isinstance(inner, Optimizer) and inner.loss_scale_factor is not None:
            inner = replace(inner, loss_scale_factor=None)
        object.__setattr__(self, "inner_optimizer", inner)
        scale = self.initial_scale
        require(is_number(scale) and scale > 0, f"LossScaleOptimizer(initial_scale={scale!r}): write a number above 0.")
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
        inner = self.inner_optimizer
        inner = inner.transform() if isinstance(inner, Optimizer) else inner
        return loss_scale.scaled(inner, self.initial_scale, self.dynamic_growth_steps)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"inner_optimizer": to_config(self.inner_optimizer)}


LossScaleOptimizer.__init__ = _within_the_other(LossScaleOptimizer.__init__)
LossScaleOptimizer.__setattr__ = Standing.__setattr__
