"""Metrics by their names. What a metric is, totals.py says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxseq.core import confusion, crossentropy, keras_metric, losses, mean_metrics, measures, regression, scores
from jaxseq.core.confusion import *  # noqa: F403
from jaxseq.core.crossentropy import *  # noqa: F403
from jaxseq.core.declared import from_config, to_config as serialize
from jaxseq.core.keras_metric import *  # noqa: F403
from jaxseq.core.keras_metric import Mean, Metric, Sum
from jaxseq.core.mean_metrics import *  # noqa: F403
from jaxseq.core.measures import *  # noqa: F403
from jaxseq.core.measures import binary_accuracy, categorical_accuracy, sparse_categorical_accuracy
from jaxseq.core.regression import *  # noqa: F403
from jaxseq.core.require import is_function, require, require_known
from jaxseq.core.scores import *  # noqa: F403
from jaxseq.core.totals import (
    DeclaredMetric as DeclaredMetric,
    Monoid as Monoid,
    Sums as Sums,
    added as added,
    fits as fits,
    mean as mean,
    measured as measured,
    measured_by,
    spread_weight as spread_weight,
    zeros as zeros,
)
from jaxseq.core.types import Array
from jaxseq.core.words import under_both_names

__all__ = ["Monoid", "mean", "get", "deserialize", "serialize"]
__all__ += keras_metric.__all__
__all__ += regression.__all__
__all__ += crossentropy.__all__
__all__ += measures.__all__
__all__ += mean_metrics.__all__
__all__ += confusion.__all__
__all__ += scores.__all__

cosine_similarity = measures.cosine_similarity          # 1 is best, as in Keras 3; the loss has the other sign

# 'accuracy' stands for what fits the loss.
TABLE: dict[str, Callable[[Array, Array], Array]] = losses.TABLE | {
    name: getattr(measures, name) for name in measures.__all__ if name != "accuracy"}

CLASSES: dict[str, type[DeclaredMetric]] = mean_metrics.CLASSES | confusion.CLASSES | scores.CLASSES

_OF_CLASSES = under_both_names(CLASSES)

BY_LOSS = {
    losses.binary_crossentropy: (binary_accuracy, losses.binary_crossentropy),
    losses.sparse_categorical_crossentropy: (sparse_categorical_accuracy, losses.sparse_categorical_crossentropy),
    losses.categorical_crossentropy: (categorical_accuracy, losses.categorical_crossentropy),
}
_BY_LOSS_NAMES = {"accuracy": 0, "acc": 0, "Accuracy": 0, "crossentropy": 1, "ce": 1}


def get(identifier: Any, loss: Any = None, custom_objects: Mapping[str, Any] | None = None) -> Monoid:
    """The metric for a name, a class, an instance, a config, a function (y_true, y_pred) or a Monoid.

    'accuracy' and 'crossentropy' ('acc', 'ce') mean what fits the loss (as `losses.get` gives it); where it does not say,
    the shapes do.
    """
    if isinstance(identifier, Monoid):
        return identifier
    if isinstance(identifier, str):
        return _by_name(identifier, loss, custom_objects or {})
    if isinstance(identifier, Mapping) and not callable(identifier):
        identifier = from_config("metric", identifier, _OF_CLASSES | {"Mean": Mean, "Sum": Sum}, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        identifier = identifier()
    if isinstance(identifier, DeclaredMetric):
        return measured_by(identifier)
    if isinstance(identifier, Metric):
        return identifier.metric()
    require(is_function(identifier), f"metric {identifier!r}: write a name such as 'accuracy', or a function (y_true, y_pred).",
            TypeError)
    of_shares = any(identifier is each for each in _OF_LOGITS)
    return mean(getattr(identifier, "__name__", type(identifier).__name__), identifier)._replace(of_shares=of_shares)


deserialize = get


def _by_name(name: str, loss: Any, custom: Mapping[str, Any]) -> Monoid:
    if name in custom:
        return get(custom[name])._replace(name=name)
    if name in _BY_LOSS_NAMES:
        return mean(name, _by_loss(_BY_LOSS_NAMES[name], loss))._replace(by_row=True)
    if name in TABLE:
        return mean(name, TABLE[name])._replace(by_row=True, of_shares=TABLE[name] in _OF_LOGITS)
    require_known(name, {**TABLE, **_BY_LOSS_NAMES, **_OF_CLASSES}, f"Unknown metric {name!r}.")
    return _OF_CLASSES[name]().metric()._replace(name=name)  # type: ignore[call-arg]


def _by_loss(which: int, loss: Any) -> Callable[[Array, Array], Array]:
    told = next((pair for known, pair in BY_LOSS.items() if known is losses.plain(loss)), None)
    logits = losses.takes_logits(loss)

    def function(y: Array, y_hat: Array) -> Array:
        function = (told or BY_LOSS[_by_shapes(y, y_hat)])[which]
        return function(y, y_hat, **_OF_LOGITS.get(function, {}) if logits else {})

    return function


# What changes where the predictions are logits: 0 is the logit of 1/2.
_OF_LOGITS: dict[Callable, dict[str, Any]] = {binary_accuracy: {"threshold": 0.0}} | {
    each: {"from_logits": True} for each in BY_LOSS}


def _by_shapes(y: Array, y_hat: Array) -> Any:
    if y_hat.shape[-1] == 1:
        return losses.binary_crossentropy
    whole = y.ndim == y_hat.ndim and y.shape[-1] == y_hat.shape[-1]
    return losses.categorical_crossentropy if whole else losses.sparse_categorical_crossentropy
