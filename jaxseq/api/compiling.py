"""What compile() is told, as the core takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxseq.core import losses, metrics, optimizers
from jaxseq.core.require import require


class Compiled(NamedTuple):
    """What compile() was told, interpreted. metrics: those of `metrics`, then those of `weighted_metrics`.

    given: the arguments as they were written. trainable: what the model said of itself as a whole. remat: see `core.remat`.
    """

    optimizer: Any
    transform: optax.GradientTransformation
    loss: losses.LossFn | None
    metrics: tuple[metrics.Monoid, ...]
    loss_weight: float = 1.0
    given: Mapping[str, Any] = {}
    trainable: bool = True
    remat: Any = False


def interpreted(optimizer: Any, loss: Any, measured: Any, loss_weights: Any = None, weighted: Any = None,
                output: str | None = None, auto_scale_loss: bool = True, half: bool = False, remat: Any = False) -> Compiled:
    """compile()'s arguments as the core takes them. output: the name of the last layer, which a dict may name.

    half: whether anything is computed in float16, whose gradients want a loss that is scaled.
    """
    given = {"optimizer": optimizer, "loss": loss, "metrics": measured, "loss_weights": loss_weights,
             "weighted_metrics": weighted, "auto_scale_loss": auto_scale_loss, "remat": remat}
    optimizer = optimizers.get(optimizer)
    if half and auto_scale_loss and not isinstance(optimizer, optimizers.LossScaleOptimizer):
        optimizer = optimizers.LossScaleOptimizer(optimizer)
    loss = _one("loss", loss, output)
    loss = None if loss is None else losses.get(loss)
    require(getattr(loss, "reduction", "sum") not in (None, "none"), f"loss={loss!r} leaves its values as they are, so there "
            "is no one number to train on: write reduction='sum_over_batch_size'.")
    return Compiled(optimizer, optimizers.transformation(optimizer), loss, _metrics(measured, weighted, loss, output),
                    _loss_weight(loss_weights, output), given, remat=remat)


def _metrics(measured: Any, weighted: Any, loss: Any, output: str | None) -> tuple[metrics.Monoid, ...]:
    """The metrics in order, each under a name of its own: the second 'mse' is mse_1, or where it is weighted weighted_mse."""
    found: list[metrics.Monoid] = []
    asked = [(False, each) for each in _listed("metrics", measured, output)]
    asked += [(True, each) for each in _listed("weighted_metrics", weighted, output)]
    for is_weighted, each in asked:
        metric = metrics.get(each, loss)
        _check_scale(metric, loss)
        taken = {"loss", *(other.name for other in found)}
        name = _free(metric.name, taken, f"weighted_{metric.name}" if is_weighted else metric.name)
        found.append(metric._replace(name=name, weighted=is_weighted))
    return tuple(found)


def _free(name: str, taken: set[str], second: str) -> str:
    """`name` where it is free, else `second`, with a number behind it where that is taken, too."""
    free, count = name if name not in taken else second, 1
    while free in taken:
        free, count = f"{second}_{count}", count + 1
    return free


def _listed(argument: str, given: Any, output: str | None) -> list[Any]:
    """A list of metrics, a list of such lists, or a dict that names the one output, as one list."""
    if isinstance(given, Mapping):
        given = _of_output(argument, given, output)
        given = given if isinstance(given, list | tuple) else [given]
    require(given is None or isinstance(given, list | tuple), f"{argument}={given!r}: write a list, {argument}=[{given!r}].",
            TypeError)
    several = lambda each: isinstance(each, list | tuple) and not isinstance(each, metrics.Monoid)
    flat = [one for each in given or () for one in (each if several(each) else [each])]
    numbers = [each for each in flat if _is_number(each)]
    require(not flat or len(numbers) < len(flat), f"{argument}={given!r} are numbers: the third argument of compile is "
            f"metrics, as in Keras 2. Write loss_weights={given!r}.", TypeError)
    return flat


def _loss_weight(given: Any, output: str | None) -> float:
    """The one number that `loss_weights` comes to: itself, the one of a list, or the one of a dict."""
    value = _one("loss_weights", given, output)
    require(value is None or _is_number(value) and np.isfinite(value), f"loss_weights={given!r}: write a finite number, by "
            "which the loss is multiplied.")
    return 1.0 if value is None else float(value)


def _one(argument: str, given: Any, output: str | None) -> Any:
    """What is given for the one output: itself, the one of a list, or the one of a dict that names the output."""
    if isinstance(given, Mapping) and "class_name" not in given:
        return _of_output(argument, given, output)
    if isinstance(given, list | tuple):
        require(len(given) == 1, f"{argument}={given!r}: a Sequential has one loss, write one.")
        return given[0]
    return given


def _of_output(argument: str, given: Mapping[str, Any], output: str | None) -> Any:
    require(len(given) == 1, f"{argument}={dict(given)!r}: a Sequential has one output, write one entry.")
    (name, value), = given.items()
    require(output in (None, name), f"{argument}={dict(given)!r}: the model's output is its last layer, {output!r}. Write "
            f"{argument}={value!r}.")
    return value


def _check_scale(metric: metrics.Monoid, loss: Any) -> None:
    """ValueError for a metric that cuts between 0 and 1, beside a loss that reads the same predictions as logits."""
    require(not (metric.of_shares and loss is not None and losses.takes_logits(loss)), f"The loss reads the predictions as "
            f"logits, the metric {metric.name!r} as shares from 0 to 1. Give the last layer activation='sigmoid' and leave "
            "from_logits out of the loss: it is computed from the logits all the same. Or tell the metric: "
            "AUC(from_logits=True), BinaryAccuracy(threshold=0.0).")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
