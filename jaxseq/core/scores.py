"""Metrics of whole columns of a batch: F-scores, the share of variance explained, and overlaps of classes.

Numbers are Keras 3's where a docstring does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxseq.core.declared import number
from jaxseq.core.pairs import EPSILON, alike
from jaxseq.core.precision import widened
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.totals import DeclaredMetric, Monoid, Sums, spread_weight, unused_dtype
from jaxseq.core.types import Array

__all__ = [
    "FBetaScore", "F1Score", "R2Score", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "BinaryIoU",
]

# ---- F-scores ----


@dataclass(frozen=True)
class FBetaScore(DeclaredMetric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), 0 where nothing is right.

    average: None gives an array with a score per class; "macro" their mean, "weighted" that by the classes' frequency,
        "micro" one score of all labels together.
    threshold: a label is claimed above it; None: where it is the largest of its row.
    Shapes: y, y_hat (batch, classes).
    Raises: ValueError for an unknown average, beta <= 0, and a threshold outside of (0, 1].
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None
    name: str = "fbeta_score"
    dtype: Any = unused_dtype()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_f_score(self, self.average, self.beta, self.threshold)

    def metric(self) -> Monoid:
        return _f_score(self.name, self.average, self.beta, self.threshold)


@dataclass(frozen=True)
class F1Score(DeclaredMetric):
    """2 precision recall / (precision + recall): `FBetaScore` with beta=1."""

    average: str | None = None
    threshold: float | None = None
    name: str = "f1_score"
    dtype: Any = unused_dtype()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_f_score(self, self.average, 1.0, self.threshold)

    def metric(self) -> Monoid:
        return _f_score(self.name, self.average, 1.0, self.threshold)


def _check_f_score(metric: DeclaredMetric, average: str | None, beta: float, threshold: float | None) -> None:
    who = type(metric).__name__
    one_of(f"{who} average", average, (None, "micro", "macro", "weighted"))
    number(who, "beta", beta)
    require(beta > 0, f"{who}(beta={beta!r}): write a number above 0.")
    require(threshold is None or 0 < threshold <= 1, f"{who}(threshold={threshold!r}): write a number above 0, up to 1.")


def _f_score(name: str, average: str | None, beta: float, threshold: float | None) -> Monoid:
    axis = None if average == "micro" else 0

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        y, y_hat = alike(y, y_hat, f"metric {name!r}")
        require(y.ndim == 2, f"metric {name!r} wants predictions (batch, classes), got {y_hat.shape}.")
        weight = spread_weight(weight, y_hat)
        total = lambda x: jnp.sum(jnp.where(weight == 0, 0, x * weight), axis=axis)
        claimed = _claimed(y_hat, threshold).astype(y.dtype)
        return total(claimed * y), total(claimed * (1 - y)), total((1 - claimed) * y)

    def finish(tp: Any, fp: Any, fn: Any) -> Any:
        tp, fp, fn = map(np.asarray, (tp, fp, fn))
        precision, recall = tp / (tp + fp + EPSILON), tp / (tp + fn + EPSILON)
        score = (1 + beta**2) * precision * recall / (beta**2 * precision + recall + EPSILON)
        if average == "weighted":
            return np.sum(score * (tp + fn) / (np.sum(tp + fn) + EPSILON))
        return score if average is None else np.mean(score)

    zero = tuple(jnp.zeros((), jnp.float32) for _ in range(3)) if average == "micro" else None
    return Monoid(name, zero, sums, finish, by_row=True, of_shares=threshold is not None)


def _claimed(y_hat: Array, threshold: float | None) -> Array:
    if threshold is not None:
        return y_hat > threshold
    return (y_hat >= jnp.max(y_hat, axis=-1, keepdims=True)) & (jnp.abs(y_hat) > 1e-9)


# ---- variance ----


@dataclass(frozen=True)
class R2Score(DeclaredMetric):
    """1 - sum (y - y_hat)^2 / sum (y - mean y)^2 for each column of y: 1 for the best, 0 for telling the mean.

    class_aggregation: "uniform_average" of the columns, "variance_weighted_average", or None for an array of all.
    num_regressors: p > 0 adjusts the score for p inputs, 1 - (1 - R2) (n - 1) / (n - p - 1), n the rows that count.
    Shapes: y, y_hat (batch, columns). The totals are of y and y^2, so digits are lost where y lies far from 0.
    Raises: ValueError for an unknown class_aggregation, and num_regressors < 0.
    Differs from Keras, whose n counts the numbers of all columns, and rows of weight 0 as well.
    """

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0
    name: str = "r2_score"
    dtype: Any = unused_dtype()

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("R2Score class_aggregation", self.class_aggregation, (None, "uniform_average", "variance_weighted_average"))
        number("R2Score", "num_regressors", self.num_regressors, least=0)

    def metric(self) -> Monoid:
        return Monoid(self.name, None, self._sums, self._finish, by_row=True)

    def _sums(self, y: Array, y_hat: Array, weight: Array | None) -> Sums:
        y, y_hat = alike(y, y_hat, f"metric {self.name!r}")
        require(y.ndim == 2, f"metric {self.name!r} wants predictions (batch, columns), got {y_hat.shape}.")
        weight = spread_weight(weight, y_hat)
        total = lambda x: jnp.sum(jnp.where(weight == 0, 0, x * weight), axis=0)
        rows = jnp.sum((weight[:, 0] > 0).astype(jnp.float32))
        return total(y), total(jnp.square(y)), total(jnp.square(y - y_hat)), jnp.sum(weight, axis=0), rows

    def _finish(self, y: Any, squares: Any, errors: Any, weight: Any, rows: Any) -> Any:
        y, squares, errors, weight = map(np.asarray, (y, squares, errors, weight))
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = squares - y * (y / weight)
            scores = 1 - errors / spread
            scores = np.where(np.isinf(scores), 0, scores)
            if self.class_aggregation == "variance_weighted_average":
                scores = np.sum(spread * scores) / np.sum(spread)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        free = rows - self.num_regressors - 1
        return scores if self.num_regressors == 0 or free <= 0 else 1 - (1 - scores) * (rows - 1) / free


# ---- overlaps ----


@dataclass(frozen=True)
class IoU(DeclaredMetric):
    """The mean over some classes of |both| / |either|: the examples of the class in y and y_hat, over those in one of them.

    sparse_y_true, sparse_y_pred: whether y and y_hat are class numbers; else the largest along `axis` is the class.
    ignore_class: a label of y that does not count. Numbers that are no class do not count either.
    Shapes: y, y_hat (batch, ...), with an axis of classes where they are not sparse.
    Raises: ValueError for a class outside of num_classes.
    Differs from Keras in that weights need not be whole: Keras cuts 0.5 off to 0.
    """

    num_classes: int
    target_class_ids: Sequence[int]
    name: str = "io_u"
    dtype: Any = unused_dtype()
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_classes(self, self.num_classes, self.target_class_ids)

    def metric(self) -> Monoid:
        classes = lambda values, sparse: values if sparse else jnp.argmax(values, axis=self.axis)

        def ids(y: Array, y_hat: Array) -> tuple[Array, Array]:
            return classes(y, self.sparse_y_true), classes(y_hat, self.sparse_y_pred)

        return _overlap(self.name, self.num_classes, self.target_class_ids, ids, self.ignore_class)


@dataclass(frozen=True)
class MeanIoU(DeclaredMetric):
    """`IoU` over all classes that there are in y or y_hat."""

    num_classes: int
    name: str = "mean_io_u"
    dtype: Any = unused_dtype()
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def metric(self) -> Monoid:
        every = range(positive_int("num_classes", self.num_classes))
        return IoU(self.num_classes, tuple(every), self.name, None, self.ignore_class, self.sparse_y_true, self.sparse_y_pred,
                   self.axis).metric()


@dataclass(frozen=True)
class OneHotIoU(DeclaredMetric):
    """`IoU` where y is one-hot, and y_hat has a number for each class."""

    num_classes: int
    target_class_ids: Sequence[int]
    name: str = "one_hot_io_u"
    dtype: Any = unused_dtype()
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_classes(self, self.num_classes, self.target_class_ids)

    def metric(self) -> Monoid:
        return IoU(self.num_classes, self.target_class_ids, self.name, None, self.ignore_class, False, self.sparse_y_pred,
                   self.axis).metric()


@dataclass(frozen=True)
class OneHotMeanIoU(DeclaredMetric):
    """`OneHotIoU` over all classes that there are in y or y_hat."""

    num_classes: int
    name: str = "one_hot_mean_io_u"
    dtype: Any = unused_dtype()
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1

    def metric(self) -> Monoid:
        every = range(positive_int("num_classes", self.num_classes))
        return OneHotIoU(self.num_classes, tuple(every), self.name, None, self.ignore_class, self.sparse_y_pred,
                         self.axis).metric()


@dataclass(frozen=True)
class BinaryIoU(DeclaredMetric):
    """`IoU` of the classes 0 and 1, a prediction being of class 1 where y_hat >= threshold."""

    target_class_ids: Sequence[int] = (0, 1)
    threshold: float = 0.5
    name: str = "binary_io_u"
    dtype: Any = unused_dtype()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_classes(self, 2, self.target_class_ids)

    def metric(self) -> Monoid:
        overlap = _overlap(self.name, 2, self.target_class_ids, lambda y, y_hat: (y, y_hat >= self.threshold))
        return overlap._replace(of_shares=0 < self.threshold < 1)


def _check_classes(metric: DeclaredMetric, num_classes: int, targets: Sequence[int]) -> None:
    positive_int("num_classes", num_classes)
    require(len(targets) > 0 and all(0 <= each < num_classes for each in targets), f"{type(metric).__name__}(target_class_ids="
            f"{list(targets)!r}): write whole numbers from 0 to {num_classes - 1}.")


def _overlap(name: str, classes: int, targets: Sequence[int], ids: Any, ignore_class: int | None = None) -> Monoid:
    """ids: (y, y_hat) -> their class numbers, (batch, ...) both. The totals: a matrix (classes of y, classes of y_hat)."""

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        have, claimed = (_whole(each) for each in ids(y, y_hat))
        require(have.size == claimed.size, f"metric {name!r} compares classes of shape {have.shape} with {claimed.shape}: "
                "set sparse_y_true and sparse_y_pred to False where there is an axis of classes.")
        have = have.reshape(claimed.shape)
        known = (have >= 0) & (have < classes) & (claimed >= 0) & (claimed < classes)
        known = known if ignore_class is None else known & (have != ignore_class)
        place = jnp.where(known, have * classes + claimed, 0).reshape(-1)
        weights = jnp.where(known, spread_weight(weight, claimed), 0).reshape(-1)
        return (jnp.zeros(classes * classes, jnp.float32).at[place].add(weights).reshape(classes, classes),)

    def finish(matrix: Any) -> Any:
        matrix = np.asarray(matrix)
        both = np.diagonal(matrix)
        either = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        both, either = both[list(targets)], either[list(targets)]
        shares = np.where(either > 1e-9, both / (either + EPSILON), 0)
        return np.sum(shares) / (np.sum(either > 1e-9) + EPSILON)

    return Monoid(name, (jnp.zeros((classes, classes), jnp.float32),), sums, finish, by_row=True)


def _whole(ids: Array) -> Array:
    ids = widened(ids) if jnp.issubdtype(ids.dtype, jnp.floating) else ids
    return ids.astype(jnp.int32)


CLASSES: dict[str, type[DeclaredMetric]] = {each.__name__: each for each in (
    FBetaScore, F1Score, R2Score, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU, BinaryIoU)}
