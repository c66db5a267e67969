"""What the state of an optimizer tells: the average of the weights, and the learning rate of the next update."""

from __future__ import annotations

from typing import Any

import optax

from jaxseq.core import loss_scale, transforms
from jaxseq.core.live import Standing
from jaxseq.core.transforms import Transform


def averaged_weights(opt_state: Any) -> Any:
    """The average of the trained weights that use_ema keeps, of their structure; None without use_ema."""
    inner = loss_scale.within(opt_state)
    return inner.average if isinstance(inner, transforms.AverageState) else None


def average_to_take(opt_state: Any) -> Any:
    """`averaged_weights`, once it has seen a step: before, and without use_ema, there is nothing to take, {}."""
    inner = loss_scale.within(opt_state)
    return inner.average if isinstance(inner, transforms.AverageState) and int(inner.batches) > 0 else {}


def rate_now(optimizer: Standing | Transform, opt_state: Any) -> Any:
    """The learning rate of the next update, without decay; None where the optimizer's state keeps none."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    schedule = getattr(optimizer, "learning_rate", None)
    if not callable(schedule):
        return optax.tree.get(opt_state, "learning_rate")
    batches = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return schedule(transforms.updates_made(opt_state) * batches + (batches - 1))
