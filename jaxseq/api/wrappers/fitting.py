"""What the estimators share: data checked as scikit-learn checks them, targets as a model takes them, and seeds."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from jaxseq.api.copies import clone_model
from jaxseq.api.sequential import Sequential
from jaxseq.core.require import require

try:
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import column_or_1d, validate_data
except ImportError as error:
    raise ImportError("jaxseq.wrappers needs scikit-learn 1.6 or newer: pip install 'jaxseq[sklearn]'.") from error


class Learner:
    """A classifier or regressor that learns little of data and epochs as few as scikit-learn's checks have."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # pyright: ignore[reportAttributeAccessIssue]  # of the estimator beside it
        for kind in tags.classifier_tags, tags.regressor_tags:
            if kind is not None:
                kind.poor_score = True
        tags.target_tags.multi_output = tags.regressor_tags is not None
        return tags


@contextmanager
def as_before_if_it_fails(estimator: Any) -> Iterator[None]:
    """What is set on the estimator within stays if all goes well; else it has the attributes of before."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def checked(estimator: Any, X: Any, y: Any = None, **rules: Any) -> Any:
    """The data of fit, (X, y), as scikit-learn wants them. X may have more axes than two: images, sequences."""
    return validate_data(estimator, X, y, allow_nd=True, **rules)


def seen_before(estimator: Any, X: Any) -> np.ndarray:
    """X of predict and the like: with as many features as fit has seen."""
    return validate_data(estimator, X, reset=False, allow_nd=True)


def labels(y: Any) -> np.ndarray:
    """One class for each row. ValueError for targets that are measured, or are several for each row."""
    kind = type_of_target(y, input_name="y", raise_unknown=True)
    require(kind in ("binary", "multiclass"), f"Unknown label type: {kind}. A classifier takes one class for each row: pass "
            "y of shape (n,), or a regressor for targets that are measured.")
    return column_or_1d(y, warn=True)


def columns(y: np.ndarray) -> np.ndarray:
    """A column for each target."""
    return y[:, None] if y.ndim == 1 else y


def weighed(sample_weight: Any, words: dict[str, Any]) -> dict[str, Any]:
    """The words for the model's fit or evaluate, with the rows' weights among them where there are some."""
    if sample_weight is None:
        return words
    weight = np.asarray(sample_weight)
    require(weight.ndim == 1, f"sample_weight has shape {weight.shape}: write one number for each row.")
    require(np.any(weight), "All of sample_weight is zero: at least one weight must not be zero.")
    return {**words, "sample_weight": weight}


def seed_of(random_state: Any) -> int | None:
    """scikit-learn's random_state as a model's seed: an int stands for itself, a RandomState is drawn from."""
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state
    return int(check_random_state(random_state).randint(2**31 - 1))


def built(function: Callable[..., Any], words: dict[str, Any], seed: int | None) -> Sequential:
    """The compiled model that a function of the user's gives, its draws from `seed` where there is one."""
    model = function(**words)
    name = getattr(function, "__name__", repr(function))
    require(isinstance(model, Sequential), f"{name} gave {type(model).__name__}: it must return a compiled Sequential.",
            TypeError)
    if seed is None:
        return ready(model)
    require(not model.drawn, f"The model that {name} gave has its weights already, and they do not follow from "
            f"random_state={seed}: let the function take seed and write Sequential(seed=seed).")
    return fresh(model, seed)


def fresh(model: Sequential, seed: Any) -> Sequential:
    """A compiled model of the same layers whose weights and draws follow from `seed`."""
    clone = clone_model(model, seed=seed)
    clone.compile(**ready(model).compile_arguments)
    return clone


def ready(model: Sequential) -> Sequential:
    """The model, if it is compiled. RuntimeError otherwise."""
    require(model.optimizer is not None, "The model is not compiled: write model.compile(optimizer, loss) before it is "
            "wrapped.", RuntimeError)
    return model
