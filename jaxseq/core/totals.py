"""What a metric is: sums that may be added, finished once. So metrics scan, shard and average exactly over ragged batches.

A metric of another kind says by its `merge` how the totals go on from batch to batch.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxseq.core import policy
from jaxseq.core.declared import Declared
from jaxseq.core.overriding import speaks_for
from jaxseq.core.precision import wide_dtype, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array, Spec

Sums = tuple[Array, ...]


def added(totals: Sums, new: Sums) -> Sums:
    """The totals of all examples so far, in the dtype they began with."""
    return jax.tree.map(lambda total, each: total + jnp.asarray(each, jnp.result_type(total)), totals, new)


class Monoid(NamedTuple):
    """A monoid over examples, and the number at its end.

    name: as it stands in the History.
    zero: the totals of no examples; None where their shapes follow the predictions' (see `zeros`).
    sums: (y, y_hat, weight) -> totals that may be added; weight (batch,) or (batch, time), or None for all ones.
    finish: the totals -> the number reported, or an array of numbers.
    by_row: whether each row counts for itself, so that rows of weight 0 change nothing.
    of_shares: whether predictions are read as shares from 0 to 1, so that logits would be measured wrongly.
    weighted: whether sample_weight and class_weight count.
    merge: (the totals so far, what `sums` gave) -> the totals. They are added, unless this says otherwise.
    """

    name: str
    zero: Sums | None
    sums: Callable[[Array, Array, Array | None], Sums]
    finish: Callable[..., Any]
    by_row: bool = False
    of_shares: bool = False
    weighted: bool = False
    merge: Callable[[Sums, Sums], Sums] = added


class DeclaredMetric(Declared, ABC):
    """A metric with settings: a frozen declaration, of which `metric()` makes the Monoid.

    By itself it measures batch after batch: update_state(y, y_hat), result(), reset_state(). What a model measures, the
    model keeps, and not this object.
    """

    name: str
    dtype: Any
    _kept: ClassVar[Sums | None] = None         # of an instance: the totals since reset_state
    _of_model: ClassVar[bool] = False           # of an instance: whether a model goes through it, and keeps the totals

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is None:                                   # Keras's way to ask for the usual name
            object.__setattr__(self, "name", type(self).name)
        float32_alone(type(self).__name__, self.dtype)
        object.__setattr__(self, "dtype", None)

    def get_config(self) -> dict[str, Any]:
        return {setting: value for setting, value in super().get_config().items() if setting != "dtype"}

    @abstractmethod
    def metric(self) -> Monoid:
        """The Monoid."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes these rows into the measure."""
        if not self._of_model:
            untraced(type(self).__name__, y_true, y_pred, sample_weight)
        metric = self.metric()
        new = metric.sums(*as_rows(y_true, y_pred, sample_weight))
        object.__setattr__(self, "_kept", new if self._kept is None else metric.merge(self._kept, new))

    def result(self) -> Any:
        """The measure of all rows since reset_state: a NumPy number, or an array. Of no rows it is NaN where 0 / 0 is."""
        metric = self.metric()
        totals = metric.zero if self._kept is None else self._kept
        require(totals is not None, f"{type(self).__name__}.result(): call update_state(y_true, y_pred) first.", RuntimeError)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(metric.finish(*jax.device_get(totals)))[()]

    def reset_state(self) -> None:
        """Forgets all rows."""
        object.__setattr__(self, "_kept", None)

    reset_states = reset_state

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """update_state, then result."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


def measured_by(declared: DeclaredMetric) -> Monoid:
    """The Monoid of a declaration, through its update_state and result where a class of the user's has its own."""
    metric, owner = declared.metric(), type(declared).__name__

    def with_totals(totals: Sums | None) -> DeclaredMetric:
        twin = copy.copy(declared)
        object.__setattr__(twin, "_of_model", True)
        object.__setattr__(twin, "_kept", totals)
        return twin

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        twin = with_totals(None)
        twin.update_state(y, y_hat, *() if weight is None else (weight,))
        require(twin._kept is not None, f"{owner}.update_state measured nothing. Let it end with "
                "super().update_state(y_true, y_pred, sample_weight).", TypeError)
        return twin._kept  # pyright: ignore[reportReturnType]  # not None

    if not speaks_for(declared, "metric", "update_state"):      # which may look at the whole batch, and at logits
        metric = metric._replace(sums=sums, by_row=False, of_shares=False)
    if not speaks_for(declared, "metric", "result"):
        metric = metric._replace(finish=lambda *totals: with_totals(totals).result())
    return metric


def unused_dtype() -> Any:
    """The field `dtype` that Keras's constructors have. What it may say is what is done without it: see `float32_alone`."""
    return field(default=None, repr=False, compare=False)


def float32_alone(owner: str, dtype: Any) -> None:
    """ValueError for a dtype that is neither None nor some form of float32."""
    usual = dtype is None or policy.name_of(dtype) == "float32"
    require(usual, f"{owner}(dtype={dtype!r}): losses and metrics are measured in "
            "float32, whatever layers compute in. Leave dtype out.")


def untraced(who: str, *values: Any) -> None:
    """RuntimeError while a program is traced: an object that is used by itself would keep what has no value yet."""
    require(not any(isinstance(each, Tracer) for each in values), f"{who} keeps what it is given, so it cannot be "
            f"used within a program. Give it to compile(metrics=[{who}()]).", RuntimeError)


def as_rows(y: Any, y_hat: Any, weight: Any = None) -> tuple[Array, Array, Array | None]:
    """What update_state is given as a model hands it on: float32, a vector as a column where the predictions are one."""
    y, y_hat = jnp.asarray(y).astype(jnp.float32), jnp.asarray(y_hat).astype(jnp.float32)
    y_hat = y_hat[:, None] if y_hat.ndim == 1 else y_hat
    y = y[..., None] if y_hat.shape[-1] == 1 and y.ndim == y_hat.ndim - 1 else y
    return y, y_hat, None if weight is None else jnp.asarray(weight).astype(jnp.float32)


def zeros(metric: Monoid, y: Spec, y_hat: Spec) -> Sums:
    """The totals of no examples, for targets and predictions like these."""
    if metric.zero is not None:
        return metric.zero
    like = jax.eval_shape(lambda y, y_hat: metric.sums(y, y_hat, None), y, y_hat)
    return tuple(np.zeros(each.shape, each.dtype) for each in like)  # type: ignore[return-value]


def mean(name: str, function: Callable[[Array, Array], Array],
         counted: Callable[[Array, Array], Array | None] | None = None) -> Monoid:
    """The weighted mean of function(y, y_hat) over the examples, or time steps. Where the weight is 0, NaN counts nothing.

    A function that gives one number for the whole batch is weighted by the batch's rows, so that a ragged last batch
    does not tilt the mean (Keras 2's way; Keras 3 counts every batch once).
    Weights of rows cannot reach into it, which is an error; a mask of time steps is passed over.
    counted: (y, y_hat) -> which of the function's numbers count at all, bool of their shape; None for all.
    """

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        values = measured(f"metric {name!r}", function(y, y_hat), y_hat)
        if values.ndim == 0:
            require(weight is None or weight.ndim > 1, f"metric {name!r} gives one number for the whole batch, so "
                    "sample_weight and class_weight cannot weigh its rows. Name it in metrics=[...], or let it return one "
                    "number per row: mean(..., axis=-1).")
            rows = jnp.asarray(y_hat.shape[0], values.dtype)
            return values * rows, rows
        if weight is not None:
            require(fits(weight, values), f"metric {name!r} gave shape {values.shape}, which the mask {weight.shape} of the "
                    "time steps does not fit: return one number per time step, for example mean(..., axis=-1).")
        spread = spread_weight(weight, values)
        real = None if counted is None else counted(y, y_hat)
        spread = spread if real is None else jnp.where(real, spread, 0)
        return jnp.sum(jnp.where(spread == 0, 0, values * spread)), jnp.sum(spread)

    return Monoid(name, (jnp.float32(0), jnp.float32(0)), sums, lambda total, weight: total / weight)


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
