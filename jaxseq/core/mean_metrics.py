"""Metrics that are the weighted mean of a function over the examples, as declarations under the names of Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

import numpy as np

from jaxseq.core import crossentropy, measures, regression
from jaxseq.core.require import positive_int
from jaxseq.core.totals import DeclaredMetric, Monoid, mean, unused_dtype
from jaxseq.core.types import Array

__all__ = [
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "TopKCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy", "MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError", "LogCoshError", "Hinge", "SquaredHinge", "CategoricalHinge", "KLDivergence",
    "Poisson", "RootMeanSquaredError", "CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation",
    "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy",
]


class MeanMetric(DeclaredMetric):
    """The weighted mean of `function`, whose settings are the fields but `name`."""

    function: ClassVar[Callable[..., Array]]

    def options(self) -> dict[str, Any]:
        """The settings that the function takes."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("name", "dtype")}  # type: ignore[arg-type]

    def metric(self) -> Monoid:
        function, options = type(self).function, self.options()
        by_row = options.get("axis", -1) == -1
        of_shares = options.get("from_logits") is False or 0 < options.get("threshold", 0) < 1
        measured = mean(self.name, lambda y, y_hat: function(y, y_hat, **options), self.counted())
        return measured._replace(by_row=by_row, of_shares=of_shares)

    def counted(self) -> Callable[[Array, Array], Array] | None:
        """(y, y_hat) -> which of the function's values count; None: all."""
        return None


# ---- hits ----


@dataclass(frozen=True)
class Accuracy(MeanMetric):
    """The share of predictions that equal their targets; for labels see BinaryAccuracy and its siblings."""

    name: str = "accuracy"
    dtype: Any = unused_dtype()

    function = measures.accuracy


@dataclass(frozen=True)
class BinaryAccuracy(MeanMetric):
    """The share of labels on the right side of the threshold."""

    name: str = "binary_accuracy"
    dtype: Any = unused_dtype()
    threshold: float = 0.5

    function = measures.binary_accuracy


@dataclass(frozen=True)
class CategoricalAccuracy(MeanMetric):
    """The share of rows whose largest prediction stands where the one-hot y has its 1."""

    name: str = "categorical_accuracy"
    dtype: Any = unused_dtype()

    function = measures.categorical_accuracy


@dataclass(frozen=True)
class SparseCategoricalAccuracy(MeanMetric):
    """The share of rows whose largest prediction stands at the label."""

    name: str = "sparse_categorical_accuracy"
    dtype: Any = unused_dtype()

    function = measures.sparse_categorical_accuracy


@dataclass(frozen=True)
class TopKCategoricalAccuracy(MeanMetric):
    """The share of rows with the class of the one-hot y among the k largest predictions. Raises: ValueError when k < 1."""

    k: int = 5
    name: str = "top_k_categorical_accuracy"
    dtype: Any = unused_dtype()

    function = measures.top_k_categorical_accuracy

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_int("k", self.k)


@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(MeanMetric):
    """The share of rows with the label among the k largest predictions. Raises: ValueError when k < 1."""

    k: int = 5
    name: str = "sparse_top_k_categorical_accuracy"
    dtype: Any = unused_dtype()
    from_sorted_ids: bool = False

    function = measures.sparse_top_k_categorical_accuracy

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_int("k", self.k)


# ---- differences ----


@dataclass(frozen=True)
class MeanSquaredError(MeanMetric):
    """mean((y - y_hat)^2)."""

    name: str = "mean_squared_error"
    dtype: Any = unused_dtype()

    function = regression.mean_squared_error


@dataclass(frozen=True)
class MeanAbsoluteError(MeanMetric):
    """mean(|y - y_hat|)."""

    name: str = "mean_absolute_error"
    dtype: Any = unused_dtype()

    function = regression.mean_absolute_error


@dataclass(frozen=True)
class MeanAbsolutePercentageError(MeanMetric):
    """100 * mean(|y - y_hat| / |y|)."""

    name: str = "mean_absolute_percentage_error"
    dtype: Any = unused_dtype()

    function = regression.mean_absolute_percentage_error


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(MeanMetric):
    """mean((log(1 + y) - log(1 + y_hat))^2)."""

    name: str = "mean_squared_logarithmic_error"
    dtype: Any = unused_dtype()

    function = regression.mean_squared_logarithmic_error


@dataclass(frozen=True)
class LogCoshError(MeanMetric):
    """mean(log cosh(y_hat - y))."""

    name: str = "logcosh"
    dtype: Any = unused_dtype()

    function = regression.log_cosh


@dataclass(frozen=True)
class Hinge(MeanMetric):
    """`regression.hinge`."""

    name: str = "hinge"
    dtype: Any = unused_dtype()

    function = regression.hinge


@dataclass(frozen=True)
class SquaredHinge(MeanMetric):
    """`regression.squared_hinge`."""

    name: str = "squared_hinge"
    dtype: Any = unused_dtype()

    function = regression.squared_hinge


@dataclass(frozen=True)
class CategoricalHinge(MeanMetric):
    """`regression.categorical_hinge`."""

    name: str = "categorical_hinge"
    dtype: Any = unused_dtype()

    function = regression.categorical_hinge


@dataclass(frozen=True)
class KLDivergence(MeanMetric):
    """`regression.kl_divergence`."""

    name: str = "kl_divergence"
    dtype: Any = unused_dtype()

    function = regression.kl_divergence


@dataclass(frozen=True)
class Poisson(MeanMetric):
    """`regression.poisson`."""

    name: str = "poisson"
    dtype: Any = unused_dtype()

    function = regression.poisson


@dataclass(frozen=True)
class RootMeanSquaredError(MeanMetric):
    """sqrt(mean((y - y_hat)^2)), the mean over all examples."""

    name: str = "root_mean_squared_error"
    dtype: Any = unused_dtype()

    function = regression.mean_squared_error

    def metric(self) -> Monoid:
        squares = super().metric()
        return squares._replace(finish=lambda *sums: np.sqrt(squares.finish(*sums)))


# ---- likeness ----


@dataclass(frozen=True)
class CosineSimilarity(MeanMetric):
    """The mean cosine of the angle between y and y_hat along `axis`; the loss has the other sign."""

    name: str = "cosine_similarity"
    dtype: Any = unused_dtype()
    axis: int = -1

    function = measures.cosine_similarity


@dataclass(frozen=True)
class PearsonCorrelation(MeanMetric):
    """The mean of the correlations along `axis`."""

    name: str = "pearson_correlation"
    dtype: Any = unused_dtype()
    axis: int = -1

    function = measures.pearson_correlation


@dataclass(frozen=True)
class ConcordanceCorrelation(MeanMetric):
    """The mean of the concordances along `axis`."""

    name: str = "concordance_correlation"
    dtype: Any = unused_dtype()
    axis: int = -1

    function = measures.concordance_correlation


# ---- crossentropies ----


@dataclass(frozen=True)
class BinaryCrossentropy(MeanMetric):
    """`crossentropy.binary_crossentropy`."""

    name: str = "binary_crossentropy"
    dtype: Any = unused_dtype()
    from_logits: bool = False
    label_smoothing: float = 0.0

    function = crossentropy.binary_crossentropy


@dataclass(frozen=True)
class CategoricalCrossentropy(MeanMetric):
    """`crossentropy.categorical_crossentropy`."""

    name: str = "categorical_crossentropy"
    dtype: Any = unused_dtype()
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = crossentropy.categorical_crossentropy


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(MeanMetric):
    """`crossentropy.sparse_categorical_crossentropy`; the label `ignore_class` does not count, where Keras counts it as 0."""

    name: str = "sparse_categorical_crossentropy"
    dtype: Any = unused_dtype()
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1

    function = crossentropy.sparse_categorical_crossentropy

    def counted(self) -> Callable[[Array, Array], Array] | None:
        if self.ignore_class is None:
            return None
        return partial(crossentropy.known, ignore_class=self.ignore_class, axis=self.axis)


CLASSES: dict[str, type[MeanMetric]] = {each.__name__: each for each in (
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError, LogCoshError, Hinge, SquaredHinge, CategoricalHinge, KLDivergence, Poisson,
    RootMeanSquaredError, CosineSimilarity, PearsonCorrelation, ConcordanceCorrelation, BinaryCrossentropy,
    CategoricalCrossentropy, SparseCategoricalCrossentropy,
)}
