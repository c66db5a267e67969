"""Losses with settings: frozen declarations, called as (y, y_hat) -> one number per row, or per time step.

What the rows come to is a matter of `reduction`, which the training program reads: "sum_over_batch_size" and "mean" are their
mean, and so are "none" and None, for a model is trained on one number; "sum" is their sum; "mean_with_sample_weight" divides by
the weights. `name` is for the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from jaxseq.core import crossentropy, regression, unpaired
from jaxseq.core.declared import Declared, number
from jaxseq.core.pairs import arrays
from jaxseq.core.require import one_of, require
from jaxseq.core.totals import float32_alone
from jaxseq.core.types import Array

__all__ = [
    "Loss", "MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError",
    "Huber", "LogCosh", "CosineSimilarity", "Hinge", "SquaredHinge", "CategoricalHinge", "KLDivergence", "Poisson",
    "BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Dice", "Tversky", "Circle", "CTC",
]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight", "mean", "none", None)


class Loss(Declared):
    """What all of them are. A loss of your own is a subclass that defines `call(y, y_hat)` -> one number per row.

    name, reduction: as above. dtype: None or "float32", which is what losses are unless the predictions are float64.
    Differs from Keras, where calling a loss also reduces what it gives: write jnp.mean(loss(y, y_hat)).
    """

    name: str | None
    reduction: str | None

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None) -> None:
        self.name, self.reduction = name, one_of("reduction", reduction, REDUCTIONS)
        float32_alone(type(self).__name__, dtype)

    def call(self, y: Array, y_hat: Array) -> Array:
        """One number per row, or per row and time step."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y, y_hat).")

    def __call__(self, y: Array, y_hat: Array) -> Array:
        return self.call(*arrays(y, y_hat))

    def counted(self, y: Array, y_hat: Array) -> Array | None:
        """bool, of the shape of the loss's values: which of them count; None where all do."""
        del y, y_hat


@dataclass(frozen=True)
class DeclaredLoss(Loss):
    """A loss that is a function with settings."""

    reduction: str | None = field(default="sum_over_batch_size", kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    dtype: Any = field(default=None, kw_only=True, repr=False, compare=False)

    function: ClassVar[Callable[..., Array]]

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(f"{type(self).__name__} reduction", self.reduction, REDUCTIONS)
        float32_alone(type(self).__name__, self.dtype)
        object.__setattr__(self, "dtype", None)

    def get_config(self) -> dict[str, Any]:
        return {setting: value for setting, value in super().get_config().items() if setting != "dtype"}

    def options(self) -> dict[str, Any]:
        """The settings that the function takes."""
        own = (each.name for each in fields(self) if each.name not in ("reduction", "name", "dtype"))
        return {name: getattr(self, name) for name in own}

    def call(self, y: Array, y_hat: Array) -> Array:
        return type(self).function(y, y_hat, **self.options())


# ---- numbers, vectors, distributions ----


@dataclass(frozen=True)
class MeanSquaredError(DeclaredLoss):
    """`regression.mean_squared_error`."""

    function = regression.mean_squared_error


@dataclass(frozen=True)
class MeanAbsoluteError(DeclaredLoss):
    """`regression.mean_absolute_error`."""

    function = regression.mean_absolute_error


@dataclass(frozen=True)
class MeanAbsolutePercentageError(DeclaredLoss):
    """`regression.mean_absolute_percentage_error`."""

    function = regression.mean_absolute_percentage_error


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(DeclaredLoss):
    """`regression.mean_squared_logarithmic_error`."""

    function = regression.mean_squared_logarithmic_error


@dataclass(frozen=True)
class Huber(DeclaredLoss):
    """`regression.huber`, a parabola within `delta` of the target and straight beyond. Raises: ValueError for delta < 0."""

    delta: float = 1.0

    function = regression.huber

    def __post_init__(self) -> None:
        super().__post_init__()
        number("Huber", "delta", self.delta, least=0)


@dataclass(frozen=True)
class LogCosh(DeclaredLoss):
    """`regression.log_cosh`."""

    function = regression.log_cosh


@dataclass(frozen=True)
class CosineSimilarity(DeclaredLoss):
    """`regression.cosine_similarity`, -1 where target and prediction point the same way along `axis`."""

    axis: int = -1

    function = regression.cosine_similarity


@dataclass(frozen=True)
class Hinge(DeclaredLoss):
    """`regression.hinge`."""

    function = regression.hinge


@dataclass(frozen=True)
class SquaredHinge(DeclaredLoss):
    """`regression.squared_hinge`."""

    function = regression.squared_hinge


@dataclass(frozen=True)
class CategoricalHinge(DeclaredLoss):
    """`regression.categorical_hinge`."""

    function = regression.categorical_hinge


@dataclass(frozen=True)
class KLDivergence(DeclaredLoss):
    """`regression.kl_divergence`."""

    function = regression.kl_divergence


@dataclass(frozen=True)
class Poisson(DeclaredLoss):
    """`regression.poisson`."""

    function = regression.poisson


# ---- crossentropies ----


@dataclass(frozen=True)
class BinaryCrossentropy(DeclaredLoss):
    """`crossentropy.binary_crossentropy`. Raises: ValueError unless 0 <= label_smoothing <= 1."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = crossentropy.binary_crossentropy

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class CategoricalCrossentropy(DeclaredLoss):
    """`crossentropy.categorical_crossentropy`. Raises: ValueError unless 0 <= label_smoothing <= 1."""

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = crossentropy.categorical_crossentropy

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(DeclaredLoss):
    """`crossentropy.sparse_categorical_crossentropy`. Rows, or steps, of the class `ignore_class` do not count."""

    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = field(default=-1, kw_only=True)

    function = crossentropy.sparse_categorical_crossentropy

    def counted(self, y: Array, y_hat: Array) -> Array | None:
        return None if self.ignore_class is None else crossentropy.known(y, y_hat, self.ignore_class, self.axis)


@dataclass(frozen=True)
class BinaryFocalCrossentropy(DeclaredLoss):
    """`crossentropy.binary_focal_crossentropy`. Raises: ValueError for gamma < 0, or label_smoothing outside of [0, 1]."""

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = crossentropy.binary_focal_crossentropy

    def __post_init__(self) -> None:
        super().__post_init__()
        number("BinaryFocalCrossentropy", "gamma", self.gamma, least=0)
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class CategoricalFocalCrossentropy(DeclaredLoss):
    """`crossentropy.categorical_focal_crossentropy`. Raises: ValueError for gamma < 0, or label_smoothing outside of [0, 1]."""

    alpha: float | Sequence[float] = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    function = crossentropy.categorical_focal_crossentropy

    def __post_init__(self) -> None:
        super().__post_init__()
        number("CategoricalFocalCrossentropy", "gamma", self.gamma, least=0)
        _check_smoothing(self, self.label_smoothing)


@dataclass(frozen=True)
class CategoricalGeneralizedCrossEntropy(DeclaredLoss):
    """`unpaired.categorical_generalized_cross_entropy`. Raises: ValueError unless 0 < q < 1."""

    q: float = 0.5

    function = unpaired.categorical_generalized_cross_entropy

    def __post_init__(self) -> None:
        super().__post_init__()
        number("CategoricalGeneralizedCrossEntropy", "q", self.q)
        require(0 < self.q < 1, f"CategoricalGeneralizedCrossEntropy(q={self.q!r}): write a number between 0 and 1.")


# ---- across rows, or of other shapes ----


@dataclass(frozen=True)
class Dice(DeclaredLoss):
    """`unpaired.dice`. One number for the whole batch, unless `axis` leaves the first."""

    axis: int | Sequence[int] | None = field(default=None, kw_only=True)

    function = unpaired.dice


@dataclass(frozen=True)
class Tversky(DeclaredLoss):
    """`unpaired.tversky`. One number for the whole batch, unless `axis` leaves the first."""

    alpha: float = 0.5
    beta: float = 0.5
    axis: int | Sequence[int] | None = field(default=None, kw_only=True)

    function = unpaired.tversky


@dataclass(frozen=True)
class Circle(DeclaredLoss):
    """`unpaired.circle`. Rows without a partner or an opponent in their batch do not count."""

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True

    function = unpaired.circle

    def counted(self, y: Array, y_hat: Array) -> Array | None:
        return self.call(y, y_hat) != 0                         # NaN counts: it is to be seen


@dataclass(frozen=True)
class CTC(DeclaredLoss):
    """`unpaired.ctc`."""

    function = unpaired.ctc


def _check_smoothing(loss: DeclaredLoss, share: float) -> None:
    number(type(loss).__name__, "label_smoothing", share, 0, 1)


CLASSES: dict[str, type[DeclaredLoss]] = {each.__name__: each for each in (
    MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber, LogCosh,
    CosineSimilarity, Hinge, SquaredHinge, CategoricalHinge, KLDivergence, Poisson, BinaryCrossentropy,
    CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryFocalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy, Dice, Tversky, Circle, CTC,
)}
