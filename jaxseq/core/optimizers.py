"""Optimizers by their names. What an optimizer is, optimizer.py says; the classes stand in optimizer_classes.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jaxseq.core import optimizer_classes
from jaxseq.core.loss_scale_optimizer import LossScaleOptimizer as LossScaleOptimizer
from jaxseq.core.optimizer import Optimizer as Optimizer
from jaxseq.core.optimizer_classes import (
    CLASSES as CLASSES,
    SGD as SGD,
    TABLE as TABLE,
    Adadelta as Adadelta,
    Adafactor as Adafactor,
    Adagrad as Adagrad,
    Adam as Adam,
    Adamax as Adamax,
    AdamW as AdamW,
    Ftrl as Ftrl,
    Lamb as Lamb,
    Lion as Lion,
    Muon as Muon,
    Nadam as Nadam,
    RMSprop as RMSprop,
    ScheduleFreeAdamW as ScheduleFreeAdamW,
)
from jaxseq.core.optimizer_state import (
    average_to_take as average_to_take,
    averaged_weights as averaged_weights,
    rate_now as rate_now,
)
from jaxseq.core.transforms import Transform


def get(identifier: Any) -> Optimizer | LossScaleOptimizer | Transform:
    """The optimizer for a name, a class, an instance, a config, or any Optax transformation."""
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "LossScaleOptimizer":
        return LossScaleOptimizer.from_config(identifier["config"])
    if isinstance(identifier, LossScaleOptimizer):
        return identifier if identifier.owner is None else replace(identifier)      # of another model: its numbers stay there
    return optimizer_classes.get(identifier)


def transformation(optimizer: Optimizer | LossScaleOptimizer | Transform) -> Transform:
    """The Optax transformation of what `get` gave."""
    return optimizer.transform() if isinstance(optimizer, Optimizer | LossScaleOptimizer) else optimizer
