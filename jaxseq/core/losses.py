"""Losses by their names: one number per example, or per time step. Weighting and averaging happen in run.py alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jaxseq.core import activations, crossentropy, loss_classes, regression, unpaired
from jaxseq.core.crossentropy import *  # noqa: F403
from jaxseq.core.crossentropy import (
    binary_crossentropy,
    binary_crossentropy_from_logits,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_crossentropy_from_logits,
    categorical_focal_crossentropy,
    sparse_categorical_crossentropy,
    sparse_categorical_crossentropy_from_logits,
)
from jaxseq.core.declared import from_config, to_config as serialize
from jaxseq.core.loss_classes import *  # noqa: F403
from jaxseq.core.loss_classes import CLASSES, BinaryFocalCrossentropy, CategoricalFocalCrossentropy, Circle, DeclaredLoss, Loss
from jaxseq.core.overriding import speaks_for
from jaxseq.core.pairs import EPSILON as EPSILON, class_ids as class_ids
from jaxseq.core.regression import *  # noqa: F403
from jaxseq.core.require import is_function, pick, require
from jaxseq.core.types import Array
from jaxseq.core.unpaired import *  # noqa: F403
from jaxseq.core.words import under_both_names

__all__ = ["get", "deserialize", "serialize"]
__all__ += regression.__all__
__all__ += crossentropy.__all__
__all__ += unpaired.__all__
__all__ += loss_classes.__all__

LossFn = Callable[[Array, Array], Array]

# Row by row, y of the predictions' shape or, sparse, without its last axis; under every name of Keras 2 and 3.
TABLE: dict[str, LossFn] = {name: getattr(module, name) for module in (regression, crossentropy) for name in module.__all__}

# Across rows, or with y of another shape.
UNPAIRED: dict[str, LossFn] = {name: getattr(unpaired, name) for name in unpaired.__all__}

_OF_LOGITS: tuple[tuple[LossFn, Callable[[Array], Array], LossFn], ...] = (
    (categorical_crossentropy, activations.softmax, categorical_crossentropy_from_logits),
    (sparse_categorical_crossentropy, activations.softmax, sparse_categorical_crossentropy_from_logits),
    (binary_crossentropy, activations.sigmoid, binary_crossentropy_from_logits),
    (categorical_focal_crossentropy, activations.softmax, CategoricalFocalCrossentropy(from_logits=True)),
    (binary_focal_crossentropy, activations.sigmoid, BinaryFocalCrossentropy(from_logits=True)),
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> LossFn:
    """The loss for a name, a class, an instance, a config, or a function (y, y_hat) -> one number per example.

    A declaration whose settings are all as they come, as MeanSquaredError(), is the plain function.
    """
    if isinstance(identifier, Mapping) and identifier.get("class_name") == "function":
        identifier = identifier["config"]                       # so Keras 3 writes down a function
    if isinstance(identifier, str):
        identifier = pick("loss", identifier, {**TABLE, **UNPAIRED, **CLASSES, **(custom_objects or {})})
    if isinstance(identifier, Mapping) and not callable(identifier):
        identifier = from_config("loss", identifier, under_both_names(CLASSES), custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        identifier = identifier()
    require(is_function(identifier), f"loss={identifier!r}: write a name such as 'mse', or a function (y_true, y_pred).",
            TypeError)
    if identifier is unpaired.circle:
        return Circle()                                         # which knows what rows count
    return plain(identifier) if isinstance(identifier, DeclaredLoss) and _is_plain(identifier) else identifier


deserialize = get


def plain(loss: LossFn) -> LossFn:
    """The function under a loss: categorical_crossentropy of its form from logits and of a declaration of it."""
    if isinstance(loss, DeclaredLoss):
        return type(loss).function
    return next((known for known, _, form in _OF_LOGITS if form is loss), loss)


def _is_plain(loss: DeclaredLoss) -> bool:
    """Whether a loss is one of ours, with all settings as they come, and no more than its function."""
    own = type(loss) in CLASSES.values() and not isinstance(loss, Circle)
    return own and loss == type(loss)(name=loss.name)


def _computes_no_more(loss: LossFn) -> bool:
    """Whether a loss computes what the function under it does: a class of the user's may have a call of its own."""
    return not isinstance(loss, DeclaredLoss) or speaks_for(loss, "function", "call")


def takes_logits(loss: LossFn) -> bool:
    """Whether the loss reads its predictions as logits."""
    form = any(each is loss for _, _, each in _OF_LOGITS)
    return form or isinstance(loss, DeclaredLoss) and bool(loss.options().get("from_logits"))


def by_row(loss: LossFn) -> bool:
    """Whether each row is known to count for itself: nothing is taken across the first axis."""
    return _computes_no_more(loss) and any(plain(loss) is each for each in TABLE.values()) and getattr(loss, "axis", -1) == -1


def of_logits(loss: LossFn, activation: Callable) -> LossFn | None:
    """The same loss computed from what goes into `activation`, or None where no such form is known."""
    if not _computes_no_more(loss):
        return None
    if isinstance(loss, DeclaredLoss):
        options = loss.options()
        known = of_logits(plain(loss), activation) is not None and not options["from_logits"] and options["axis"] == -1
        return replace(loss, from_logits=True) if known else None  # type: ignore[call-arg]
    return next((form for known, before, form in _OF_LOGITS if known is loss and before is activation), None)
