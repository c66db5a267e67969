"""What a metric is: sums that may be added, finished once. So metrics scan, shard and average exactly over ragged batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core.declared import Declared
from jaxseq.core.precision import wide_dtype, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array, Spec

Sums = tuple[Array, ...]


class Metric(NamedTuple):
    """A monoid over examples, and the number at its end.

    name: as it stands in the History.
    zero: the totals of no examples; None where their shapes follow the predictions' (see `zeros`).
    sums: (y, y_hat, weight) -> totals that may be added; weight (batch,) or (batch, time), or None for all ones.
    finish: the totals -> the number reported, or an array of numbers.
    by_row: whether each row counts for itself, so that rows of weight 0 change nothing.
    """

    name: str
    zero: Sums | None
    sums: Callable[[Array, Array, Array | None], Sums]
    finish: Callable[..., Any]
    by_row: bool = False


class DeclaredMetric(Declared, ABC):
    """A metric with settings: a frozen declaration, of which `metric()` makes the Metric."""

    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is None:                                   # Keras's way to ask for the usual name
            object.__setattr__(self, "name", type(self).name)

    @abstractmethod
    def metric(self) -> Metric:
        """The Metric."""


def zeros(metric: Metric, y: Spec, y_hat: Spec) -> Sums:
    """The totals of no examples, for targets and predictions like these."""
    if metric.zero is not None:
        return metric.zero
    like = jax.eval_shape(lambda y, y_hat: metric.sums(y, y_hat, None), y, y_hat)
    return tuple(np.zeros(each.shape, each.dtype) for each in like)  # type: ignore[return-value]


def mean(name: str, function: Callable[[Array, Array], Array],
         counted: Callable[[Array, Array], Array | None] | None = None) -> Metric:
    """The weighted mean of function(y, y_hat) over the examples, or time steps. Where the weight is 0, NaN counts nothing.

    A function that gives one number for the whole batch is weighted by the batch's rows, so that a ragged last batch
    does not tilt the mean (Keras 2's way; Keras 3 counts every batch once).
    counted: (y, y_hat) -> which of the function's numbers count at all, bool of their shape; None for all.
    """

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        values = measured(f"metric {name!r}", function(y, y_hat), y_hat)
        if values.ndim == 0:
            rows = jnp.asarray(y_hat.shape[0], values.dtype)
            return values * rows, rows
        if weight is not None:
            require(fits(weight, values), f"metric {name!r} gave shape {values.shape}, which the mask {weight.shape} of the "
                    "time steps does not fit: return one number per time step, for example mean(..., axis=-1).")
        spread = spread_weight(weight, values)
        real = None if counted is None else counted(y, y_hat)
        spread = spread if real is None else jnp.where(real, spread, 0)
        return jnp.sum(jnp.where(spread == 0, 0, values * spread)), jnp.sum(spread)

    return Metric(name, (jnp.float32(0), jnp.float32(0)), sums, lambda total, weight: total / weight)


def measured(who: str, values: Any, y_hat: Array) -> Array:
    """What a loss or metric gave, in float32 at least: one number, or an array with one per row and some of y_hat's other axes.

    Raises: ValueError for None, and for shapes that come of broadcasting (n,) against (n, 1).
    """
    require(values is not None, f"{who} gave None: end the function with return.")
    values = widened(jnp.asarray(values))
    rest = iter(y_hat.shape[1:])
    usable = values.shape[:1] in ((), y_hat.shape[:1]) and all(length in rest for length in values.shape[1:])
    require(usable, f"{who} gave shape {values.shape} for predictions {y_hat.shape}: return one number per row, for example "
            "mean(..., axis=-1), from y_true and y_pred of the same shape.")
    return values


def fits(weight: Array, values: Array) -> bool:
    """Whether the axes of `weight`, (batch,) or (batch, time), are the first of `values`."""
    return weight.shape == values.shape[:weight.ndim]


def spread_weight(weight: Array | None, values: Array) -> Array:
    """`weight` (batch,) or (batch, time) in the shape of `values`, which may have more axes; float32, or wider as they are."""
    if weight is None:
        return jnp.ones(values.shape, wide_dtype(values.dtype))
    require(fits(weight, values), f"weights {weight.shape} do not fit the {values.shape} values they weigh: give one weight "
            "per row, or one per row and time step.")
    weight = weight.astype(wide_dtype(values.dtype)).reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
    return jnp.broadcast_to(weight, values.shape)


def ratio(part: Any, whole: Any) -> Any:
    """part / whole on the host, 0 where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float32), np.asarray(whole, np.float32))
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)
