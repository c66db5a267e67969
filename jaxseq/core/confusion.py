"""Metrics of yes or no: how many labels lie above a threshold, rightly or wrongly, for one threshold or for many.

A label is positive where y is not 0, and claimed where y_hat > threshold. Numbers are Keras 3's for y_hat from 0 to 1; where
one that counts lies outside, it is no probability, and the metric is NaN.
Shapes: y, y_hat (batch, ..., labels); every label counts as one example, unless a docstring says otherwise.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core.declared import number
from jaxseq.core.pairs import EPSILON, alike
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.totals import DeclaredMetric, Monoid, Sums, ratio, spread_weight, unused_dtype
from jaxseq.core.types import Array

__all__ = [
    "TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall",
    "SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision", "AUC",
]

_ROUNDING = 1e-5        # as far as a softmax may come out above 1

Triple = tuple[Array, Array, Array]     # y, y_hat, weight, of one shape


class Counts(NamedTuple):
    """Weighted numbers of labels, each (thresholds, labels): claimed rightly, wrongly, left rightly, wrongly."""

    tp: Any
    fp: Any
    tn: Any
    fn: Any


def counting(name: str, thresholds: Sequence[float], finish: Callable[[Counts], Any], labels: int | None = 1,
             prepare: Callable[[Triple], Triple] = lambda triple: triple, of_shares: bool = True,
             class_id: int | None = None) -> Monoid:
    """The Monoid that finish(Counts) makes of the counts at `thresholds`.

    labels: 1 to count all labels together, else how many there are on the last axis; None where the predictions tell.
    prepare: what is done to (y, y_hat, weight) before they are counted.
    of_shares: whether y_hat has to lie between 0 and 1. class_id: the one label of the last axis that counts.
    """
    cuts = np.sort(np.asarray(thresholds, np.float32))
    places = np.searchsorted(cuts, np.asarray(thresholds, np.float32))

    def sums(y: Array, y_hat: Array, weight: Array | None) -> Sums:
        y, y_hat = alike(y, y_hat, f"metric {name!r}")
        weights = spread_weight(weight, y_hat)
        outside = (weights != 0) & ((y_hat < -_ROUNDING) | (y_hat > 1 + _ROUNDING))
        *prepared, outside = (_of_class(class_id, each) for each in (*prepare((y, y_hat, weights)), outside))
        *above, positive, negative = _above(prepared, jnp.asarray(cuts), y_hat.shape[-1] if labels is None else labels)
        return *above, positive + jnp.where(of_shares & jnp.any(outside), jnp.nan, 0), negative

    def finished(tp: Any, fp: Any, positive: Any, negative: Any) -> Any:
        tp, fp, positive, negative = map(np.asarray, (tp, fp, positive, negative))
        counts = Counts(tp[places], fp[places], negative - fp[places], positive - tp[places])
        return np.nan * finish(counts) if np.isnan(positive).any() else finish(counts)

    zero = None if labels is None else tuple(jnp.zeros(shape, jnp.float32) for shape in (
        (len(cuts), labels), (len(cuts), labels), (labels,), (labels,)))
    return Monoid(name, zero, sums, finished, by_row=True, of_shares=of_shares)


def _above(triple: Sequence[Array], cuts: Array, labels: int) -> Sums:
    """(positives above each cut, negatives above it: (cuts, labels); all positives, all negatives: (labels,)).

    Each prediction falls into the interval between two cuts; what lies above a cut is the sum of the intervals there.
    """
    y, y_hat, weight = (each.reshape(-1, labels) for each in triple)
    y_hat, cuts = jnp.where(jnp.isnan(y_hat), -jnp.inf, y_hat), cuts.astype(y_hat.dtype)
    passed = jnp.searchsorted(cuts, y_hat, method="scan_unrolled").astype(jnp.int32)       # how many cuts are smaller
    place = passed * labels + jnp.arange(labels, dtype=jnp.int32)

    def above(weight: Array) -> tuple[Array, Array]:
        intervals = jnp.zeros((len(cuts) + 1) * labels, weight.dtype).at[place].add(weight).reshape(-1, labels)
        from_the_top = jnp.cumsum(intervals[::-1], axis=0)[::-1]
        return from_the_top[1:], from_the_top[0]

    rightly, positive = above(jnp.where(y != 0, weight, 0))
    wrongly, negative = above(jnp.where(y != 0, 0, weight))
    return rightly, wrongly, positive, negative


# ---- one count, or a ratio of two ----


@dataclass(frozen=True)
class _AtThresholds(DeclaredMetric):
    """A metric with one number for each of its thresholds: a number where there is one, else an array."""

    thresholds: float | Sequence[float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in self._thresholds():
            number(type(self).__name__, "thresholds", each)
            require(0 <= each <= 1, f"{type(self).__name__}(thresholds={self.thresholds!r}): write numbers from 0 to 1.")

    def _thresholds(self) -> tuple[float, ...]:
        if self.thresholds is None:
            return (0.5,)
        return tuple(self.thresholds) if isinstance(self.thresholds, Sequence) else (self.thresholds,)

    @abstractmethod
    def of_counts(self, counts: Counts) -> Any:
        """The number at each threshold, (thresholds, 1)."""

    def metric(self) -> Monoid:
        return counting(self.name, self._thresholds(), lambda counts: _one(self.of_counts(counts)))


def _one(numbers: Any) -> Any:
    """(thresholds, 1) as one number where there is one, else (thresholds,)."""
    return numbers[0, 0] if len(numbers) == 1 else numbers[:, 0]


@dataclass(frozen=True)
class TruePositives(_AtThresholds):
    """How many positive labels lie above the threshold. Raises: ValueError for a threshold outside of [0, 1]."""

    name: str = "true_positives"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return counts.tp


@dataclass(frozen=True)
class FalsePositives(_AtThresholds):
    """How many other labels lie above the threshold. Raises: ValueError for a threshold outside of [0, 1]."""

    name: str = "false_positives"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return counts.fp


@dataclass(frozen=True)
class TrueNegatives(_AtThresholds):
    """How many other labels do not lie above the threshold. Raises: ValueError for a threshold outside of [0, 1]."""

    name: str = "true_negatives"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return counts.tn


@dataclass(frozen=True)
class FalseNegatives(_AtThresholds):
    """How many positive labels do not lie above the threshold. Raises: ValueError for a threshold outside of [0, 1]."""

    name: str = "false_negatives"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return counts.fn


@dataclass(frozen=True)
class _Ratio(_AtThresholds):
    """A ratio of two counts, of all labels, of those among the top k of their row, or of one class."""

    top_k: int | None = None
    class_id: int | None = None

    def _thresholds(self) -> tuple[float, ...]:
        return super()._thresholds() if self.thresholds is not None or self.top_k is None else ()

    def metric(self) -> Monoid:
        cuts = self._thresholds() or (-np.inf,)                 # the top k count whatever they are
        prepare = functools.partial(_selected, top_k=self.top_k)
        return counting(self.name, cuts, lambda counts: _one(self.of_counts(counts)), prepare=prepare,
                        of_shares=bool(self._thresholds()), class_id=self.class_id)


@dataclass(frozen=True)
class Precision(_Ratio):
    """tp / (tp + fp): the share of the claimed labels that are positive; 0 where none is claimed.

    top_k: only the k largest predictions of each row are claimed, without a threshold unless one is given.
    class_id: the one label of the last axis that counts.
    Raises: ValueError for a threshold outside of [0, 1], and top_k < 1.
    """

    name: str = "precision"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return ratio(counts.tp, counts.tp + counts.fp)


@dataclass(frozen=True)
class Recall(_Ratio):
    """tp / (tp + fn): the share of the positive labels that are claimed; 0 where none is positive. See `Precision`."""

    name: str = "recall"
    dtype: Any = unused_dtype()

    def of_counts(self, counts: Counts) -> Any:
        return ratio(counts.tp, counts.tp + counts.fn)


def _selected(triple: Triple, top_k: int | None) -> Triple:
    """The triple with -inf for what is not among the top k of its row."""
    y, y_hat, weight = triple
    if top_k is not None:
        _, best = jax.lax.top_k(y_hat, positive_int("top_k", top_k))
        chosen = jnp.any(jax.nn.one_hot(best, y_hat.shape[-1], dtype=bool), axis=-2)
        y_hat = jnp.where(chosen, y_hat, -jnp.inf)
    return y, y_hat, weight


def _of_class(class_id: int | None, values: Array) -> Array:
    """The values of one class; all where none is named."""
    if class_id is None:
        return values
    classes = values.shape[-1]
    require(-classes <= class_id < classes, f"class_id={class_id!r}: the predictions have {classes} classes.")
    return values[..., class_id]


# ---- the best of one ratio where another is good enough ----


def _sensitivity(counts: Counts) -> Any:
    return ratio(counts.tp, counts.tp + counts.fn)


def _specificity(counts: Counts) -> Any:
    return ratio(counts.tn, counts.tn + counts.fp)


def _precision(counts: Counts) -> Any:
    return ratio(counts.tp, counts.tp + counts.fp)


class _Constrained(DeclaredMetric):
    """The largest of one ratio over the thresholds where another is at least what was asked; 0 where it never is.

    asked: the field that says the least wanted. reaching: the ratio that has to reach it. wanted: the one that is reported.
    """

    num_thresholds: int
    class_id: int | None
    asked: ClassVar[str]
    reaching: ClassVar[Callable[[Counts], Any]]
    wanted: ClassVar[Callable[[Counts], Any]]

    def __post_init__(self) -> None:
        super().__post_init__()
        number(type(self).__name__, self.asked, getattr(self, self.asked), 0, 1)

    def metric(self) -> Monoid:
        positive_int("num_thresholds", self.num_thresholds)
        cuts = (0.5,) if self.num_thresholds == 1 else np.linspace(0, 1, self.num_thresholds).tolist()
        return counting(self.name, cuts, self._best, prepare=_clipped, class_id=self.class_id)

    def _best(self, counts: Counts) -> Any:
        enough = type(self).reaching(counts) >= getattr(self, self.asked)
        return np.max(np.where(enough, type(self).wanted(counts), 0))


def _clipped(triple: Triple) -> Triple:
    y, y_hat, weight = triple
    return y, jnp.clip(y_hat, 0, 1), weight


@dataclass(frozen=True)
class SensitivityAtSpecificity(_Constrained):
    """The largest tp / (tp + fn) where tn / (tn + fp) >= specificity. Raises: ValueError unless 0 <= specificity <= 1."""

    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str = "sensitivity_at_specificity"
    dtype: Any = unused_dtype()

    asked, reaching, wanted = "specificity", staticmethod(_specificity), staticmethod(_sensitivity)


@dataclass(frozen=True)
class SpecificityAtSensitivity(_Constrained):
    """The largest tn / (tn + fp) where tp / (tp + fn) >= sensitivity. Raises: ValueError unless 0 <= sensitivity <= 1."""

    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str = "specificity_at_sensitivity"
    dtype: Any = unused_dtype()

    asked, reaching, wanted = "sensitivity", staticmethod(_sensitivity), staticmethod(_specificity)


@dataclass(frozen=True)
class PrecisionAtRecall(_Constrained):
    """The largest tp / (tp + fp) where tp / (tp + fn) >= recall. Raises: ValueError unless 0 <= recall <= 1."""

    recall: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str = "precision_at_recall"
    dtype: Any = unused_dtype()

    asked, reaching, wanted = "recall", staticmethod(_sensitivity), staticmethod(_precision)


@dataclass(frozen=True)
class RecallAtPrecision(_Constrained):
    """The largest tp / (tp + fn) where tp / (tp + fp) >= precision. Raises: ValueError unless 0 <= precision <= 1."""

    precision: float
    num_thresholds: int = 200
    class_id: int | None = None
    name: str = "recall_at_precision"
    dtype: Any = unused_dtype()

    asked, reaching, wanted = "precision", staticmethod(_precision), staticmethod(_sensitivity)


# ---- areas ----


@dataclass(frozen=True)
class AUC(DeclaredMetric):
    """The area under a curve that the thresholds draw.

    curve: "ROC" (sensitivity over the share of false alarms), "PR" (precision over recall) or "PRGAIN".
    summation_method: "interpolation" (trapezoids; for "PR" the interpolation of Davis & Goadrich 2006), "minoring" or
        "majoring" (the smaller or the larger of two neighbours).
    num_thresholds: how many, evenly between 0 and 1, with one beyond each end; or `thresholds`, to which 0 and 1 are added.
    multi_label: an area for each label of the last axis, then their mean, weighed by label_weights; else label_weights
        weigh the labels as they are counted.
    from_logits: y_hat are logits, not shares.
    Raises: ValueError for an unknown curve or method, fewer than 2 thresholds, and num_labels without multi_label.
    Source: Fawcett 2006; Flach & Kull 2015 for "PRGAIN".
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str = "auc"
    dtype: Any = unused_dtype()
    thresholds: Sequence[float] | None = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Sequence[float] | None = None
    from_logits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("AUC curve", self.curve.upper(), ("ROC", "PR", "PRGAIN"))
        one_of("AUC summation_method", self.summation_method.lower(), ("interpolation", "minoring", "majoring"))
        require(self.thresholds is not None or positive_int("num_thresholds", self.num_thresholds) > 1,
                f"AUC(num_thresholds={self.num_thresholds!r}): write at least 2.")
        require(self.multi_label or self.num_labels is None, f"AUC(num_labels={self.num_labels!r}): write multi_label=True, "
                "too, for an area per label.")

    def metric(self) -> Monoid:
        inner = np.linspace(0, 1, self.num_thresholds)[1:-1] if self.thresholds is None else np.sort(self.thresholds)
        cuts = [-EPSILON, *inner, 1 + EPSILON]
        labels = self.num_labels if self.multi_label else 1
        return counting(self.name, cuts, self._area, labels, self._prepared, not self.from_logits)

    def _prepared(self, triple: Triple) -> Triple:
        y, y_hat, weight = triple
        y_hat = jnp.clip(jax.nn.sigmoid(y_hat) if self.from_logits else y_hat, 0, 1)
        if self.label_weights is None or self.multi_label:
            return y, y_hat, weight
        return y, y_hat, weight * jnp.asarray(self.label_weights, weight.dtype)

    def _area(self, counts: Counts) -> Any:
        interpolated = self.curve.upper() == "PR" and self.summation_method.lower() == "interpolation"
        areas = np.sum(_pr_slices(counts) if interpolated else self._slices(counts), axis=0)
        if self.label_weights is None or not self.multi_label:
            return np.mean(areas)
        return ratio(np.sum(areas * np.asarray(self.label_weights)), np.sum(self.label_weights))

    def _slices(self, counts: Counts) -> Any:
        """The area between each two thresholds, (thresholds - 1, labels)."""
        x, y = _CURVES[self.curve.upper()](counts)
        heights = {"interpolation": (y[:-1] + y[1:]) / 2, "minoring": np.minimum(y[:-1], y[1:]),
                   "majoring": np.maximum(y[:-1], y[1:])}[self.summation_method.lower()]
        return (x[:-1] - x[1:]) * heights


def _pr_slices(counts: Counts) -> Any:
    """The area under precision over recall between each two thresholds: tp is linear in tp + fp there, precision is not."""
    tp, claimed = counts.tp, counts.tp + counts.fp
    slope = ratio(tp[:-1] - tp[1:], np.maximum(claimed[:-1] - claimed[1:], 0))
    intercept = tp[1:] - slope * claimed[1:]
    open_ends = (claimed[:-1] > 0) & (claimed[1:] > 0)
    growth = np.where(open_ends, ratio(claimed[:-1], np.maximum(claimed[1:], 0)), 1)
    return ratio(slope * (tp[:-1] - tp[1:] + intercept * np.log(growth)), np.maximum(tp[1:] + counts.fn[1:], 0))


def _gains(counts: Counts) -> tuple[Any, Any]:
    """(recall gain, precision gain): 1 for the best, 0 for claiming everything."""
    odds = ratio(counts.tp + counts.fn, counts.tn + counts.fp)
    recall = np.where(counts.tp == 0, 0, 1 - odds * ratio(counts.fn, counts.tp))
    precision = np.where(counts.tp == 0, 1, 1 - odds * ratio(counts.fp, counts.tp))
    return np.maximum(recall, 0), precision


_CURVES: dict[str, Callable[[Counts], tuple[Any, Any]]] = {
    "ROC": lambda counts: (ratio(counts.fp, counts.fp + counts.tn), _sensitivity(counts)),
    "PR": lambda counts: (_sensitivity(counts), _precision(counts)),
    "PRGAIN": _gains,
}

CLASSES: dict[str, type[DeclaredMetric]] = {each.__name__: each for each in (
    TruePositives, FalsePositives, TrueNegatives, FalseNegatives, Precision, Recall, SensitivityAtSpecificity,
    SpecificityAtSensitivity, PrecisionAtRecall, RecallAtPrecision, AUC)}
