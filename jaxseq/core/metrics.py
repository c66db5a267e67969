"""Metrics: sums that may be added, finished once. So they scan, shard and average exactly over ragged batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxseq.core import losses
from jaxseq.core.require import nearest, require
from jaxseq.core.types import Array

Sums = tuple[Array, ...]


class Metric(NamedTuple):
    """A monoid over examples, and the number at its end.

    name: as it stands in the History.
    zero: the totals of no examples.
    sums: (y, y_hat, weight) -> totals that may be added; weight (batch,) or (batch, time), or None for all ones.
    finish: the totals -> the number reported.
    by_row: whether each row counts for itself, so that rows of weight 0 change nothing.
    """

    name: str
    zero: Sums
    sums: Callable[[Array, Array, Array | None], Sums]
    finish: Callable[..., Array]
    by_row: bool = False


def mean(name: str, function: Callable[[Array, Array], Array]) -> Metric:
    """The weighted mean of function(y, y_hat) over the examples, or time steps. Where the weight is 0, NaN counts nothing.

    A function that gives one number for the whole batch is weighted by the batch's rows, so that a ragged last batch
    does not tilt the mean (Keras 2's way; Keras 3 counts every batch once).
    """

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        values = measured(f"metric {name!r}", function(y, y_hat), y_hat)
        if values.ndim == 0:
            rows = jnp.float32(y_hat.shape[0])
            return values * rows, rows
        if weight is not None:
            require(fits(weight, values), f"metric {name!r} gave shape {values.shape}, which the mask {weight.shape} of the "
                    "time steps does not fit: return one number per time step, for example mean(..., axis=-1).")
        spread = spread_weight(weight, values)
        return jnp.sum(jnp.where(spread == 0, 0, values * spread)), jnp.sum(spread)

    return Metric(name, (jnp.float32(0), jnp.float32(0)), sums, lambda total, weight: total / weight)


def measured(who: str, values: Any, y_hat: Array) -> Array:
    """What a loss or metric gave, as float32: one number, or an array with one per row and some of y_hat's other axes.

    Raises: ValueError for None, and for shapes that come of broadcasting (n,) against (n, 1).
    """
    require(values is not None, f"{who} gave None: end the function with return.")
    values = jnp.asarray(values).astype(jnp.float32)
    rest = iter(y_hat.shape[1:])
    usable = values.shape[:1] in ((), y_hat.shape[:1]) and all(length in rest for length in values.shape[1:])
    require(usable, f"{who} gave shape {values.shape} for predictions {y_hat.shape}: return one number per row, for example "
            "mean(..., axis=-1), from y_true and y_pred of the same shape.")
    return values


def fits(weight: Array, values: Array) -> bool:
    """Whether the axes of `weight`, (batch,) or (batch, time), are the first of `values`."""
    return weight.shape == values.shape[:weight.ndim]


def spread_weight(weight: Array | None, values: Array) -> Array:
    """`weight` (batch,) or (batch, time) as float32 of the shape of `values`, which may have more axes."""
    if weight is None:
        return jnp.ones(values.shape, jnp.float32)
    require(fits(weight, values), f"weights {weight.shape} do not fit the {values.shape} values they weigh: give one weight "
            "per row, or one per row and time step.")
    weight = weight.astype(jnp.float32).reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
    return jnp.broadcast_to(weight, values.shape)


def binary_accuracy(y: Array, y_hat: Array) -> Array:
    """The share of labels on the right side of 0.5. Shapes: y, y_hat (batch, ..., labels) -> (batch, ...)."""
    require(y.shape == y_hat.shape, f"binary_accuracy wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    return jnp.mean((y == (y_hat > 0.5).astype(y.dtype)).astype(jnp.float32), axis=-1)


def categorical_accuracy(y: Array, y_hat: Array) -> Array:
    """1 where the largest entries of y and y_hat stand in the same place. Shapes: (batch, ..., classes) -> (batch, ...)."""
    require(y.shape == y_hat.shape, f"categorical_accuracy wants y of the predictions' shape {y_hat.shape}, got {y.shape}.")
    return (jnp.argmax(y, -1) == jnp.argmax(y_hat, -1)).astype(jnp.float32)


def sparse_categorical_accuracy(y: Array, y_hat: Array) -> Array:
    """1 where y_hat is largest at the label. Shapes: y (batch, ...) or (batch, ..., 1); y_hat (batch, ..., classes)."""
    return (losses.class_ids(y, y_hat) == jnp.argmax(y_hat, -1).astype(jnp.int32)).astype(jnp.float32)


TABLE: dict[str, Callable[[Array, Array], Array]] = {
    "binary_accuracy": binary_accuracy,
    "categorical_accuracy": categorical_accuracy,
    "sparse_categorical_accuracy": sparse_categorical_accuracy,
    **losses.TABLE,
}
BY_LOSS = {
    losses.binary_crossentropy: (binary_accuracy, losses.binary_crossentropy),
    losses.sparse_categorical_crossentropy: (sparse_categorical_accuracy, losses.sparse_categorical_crossentropy),
    losses.categorical_crossentropy: (categorical_accuracy, losses.categorical_crossentropy),
}
_BY_LOSS_NAMES = {"accuracy": 0, "acc": 0, "crossentropy": 1, "ce": 1}


def get(identifier: Any, loss: Any = None) -> Metric:
    """The metric for a name, a function (y_true, y_pred) or a Metric.

    'accuracy' and 'crossentropy' ('acc', 'ce') mean what fits the loss (as `losses.get` gives it); where it does not say,
    the shapes do.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        if identifier in _BY_LOSS_NAMES:
            return mean(identifier, _by_loss(_BY_LOSS_NAMES[identifier], loss))._replace(by_row=True)
        known = {**TABLE, **_BY_LOSS_NAMES}
        require(identifier in TABLE, f"Unknown metric {identifier!r}." + nearest(identifier, known))
        return mean(identifier, TABLE[identifier])._replace(by_row=True)
    require(callable(identifier), f"metric {identifier!r}: write a name such as 'accuracy', or a function (y_true, y_pred).",
            TypeError)
    return mean(getattr(identifier, "__name__", type(identifier).__name__), identifier)


def _by_loss(which: int, loss: Any) -> Callable[[Array, Array], Array]:
    told = next((pair for known, pair in BY_LOSS.items() if known is loss), None)

    def function(y: Array, y_hat: Array) -> Array:
        return (told or BY_LOSS[_by_shapes(y, y_hat)])[which](y, y_hat)

    return function


def _by_shapes(y: Array, y_hat: Array) -> Any:
    if y_hat.shape[-1] == 1:
        return losses.binary_crossentropy
    whole = y.ndim == y_hat.ndim and y.shape[-1] == y_hat.shape[-1]
    return losses.categorical_crossentropy if whole else losses.sparse_categorical_crossentropy
