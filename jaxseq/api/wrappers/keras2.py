"""KerasClassifier and KerasRegressor: Keras 2's estimators around a function that builds a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from jaxseq.api.sequential import Sequential
from jaxseq.api.utils import to_categorical
from jaxseq.api.wrappers import fitting
from jaxseq.core import losses
from jaxseq.core.require import require, require_known

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # isort: skip  (see `fitting`)
from sklearn.metrics import accuracy_score  # isort: skip
from sklearn.utils.validation import check_is_fitted  # isort: skip


def words_of(function: Callable[..., Any]) -> set[str]:
    """The names of what a function can be given."""
    parameters = inspect.signature(function).parameters
    return {name for name, each in parameters.items() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}


DATA = {"self", "x", "y", "sample_weight"}
FIT = words_of(Sequential.fit) - DATA
PREDICT = words_of(Sequential.predict) - DATA - {"callbacks"}                   # those are for fit
EVALUATE = words_of(Sequential.evaluate) - DATA - {"callbacks", "return_dict"}


class Wrapper(BaseEstimator):
    """What the two share.

    build_fn: a function, or an object with __call__, that returns a compiled Sequential. Without it a subclass builds the
        model in its own __call__, where self.n_features_in_ and self.n_classes_ or self.n_outputs_ are known.
    sk_params: what build_fn takes, and what the model's fit, predict and evaluate take: epochs, batch_size, ... Each is given
        to those whose signature has it. All of them can be searched over by GridSearchCV, also those that were not written.
        random_state, an int or a RandomState, is the seed of all draws; a build_fn that takes it makes of it what it wants.

    After fit: model_ (and model), the trained model; history_, the History of its training; n_features_in_.
    Raises: ValueError for a parameter that nobody takes.
    Source: as keras.wrappers.scikit_learn of Keras 2, whose fit returns the History. Here it returns the estimator, as
    scikit-learn wants it, and `fit(...).history` is the same dict.
    """

    model_: Sequential
    history_: Any

    def __init__(self, build_fn: Any = None, **sk_params: Any):
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def check_params(self, params: dict[str, Any]) -> None:
        """ValueError for a parameter that neither build_fn nor the model takes."""
        builder = self._builder()
        if builder is None:
            return
        known = FIT | PREDICT | EVALUATE | words_of(builder) | {"random_state"}
        for name in params:
            require_known(name, known, f"{name!r} is no parameter of build_fn, nor of fit, predict or evaluate.")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What the estimator was given, build_fn included."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Changes parameters; the next fit heeds them. ValueError, and no change, for one that nobody takes."""
        changed = type(self)(**{**self.get_params(), **params})
        self.build_fn, self.sk_params = changed.build_fn, changed.sk_params
        return self

    def filter_sk_params(self, fn: Callable[..., Any], override: dict[str, Any] | None = None) -> dict[str, Any]:
        """Those of sk_params that a function takes, and what overrides them."""
        return self._those(words_of(fn)) | (override or {})

    @property
    def model(self) -> Sequential:
        """The trained model."""
        check_is_fitted(self, "model_")
        return self.model_

    @property
    def history(self) -> dict[str, list[float]]:
        """What the last fit measured, epoch by epoch."""
        check_is_fitted(self, "model_")
        return self.history_.history

    def _those(self, names: set[str]) -> dict[str, Any]:
        return {name: value for name, value in self.sk_params.items() if name in names}

    def _builder(self) -> Callable[..., Any] | None:
        """What makes the model; None where nothing does."""
        if self.build_fn is None:
            return self if callable(self) else None
        return self.build_fn if callable(self.build_fn) else None

    def _built(self) -> Sequential:
        """The model for the next fit."""
        builder = self._builder()
        require(builder is not None, f"build_fn={self.build_fn!r}: write a function that returns a compiled Sequential, or a "
                "subclass with a __call__ that does.", TypeError)
        assert builder is not None
        words = self.filter_sk_params(builder)
        seed = None if "random_state" in words else fitting.seed_of(self.sk_params.get("random_state"))
        return fitting.built(builder, words, seed)

    def _train(self, model: Sequential, X: np.ndarray, target: np.ndarray, sample_weight: Any,
               words: dict[str, Any]) -> Self:
        """Trains the model, which then is the estimator's."""
        self.history_ = model.fit(X, target, **fitting.weighed(sample_weight, self._those(FIT) | words))
        self.model_ = model
        return self

    def _outputs(self, X: Any, words: dict[str, Any]) -> np.ndarray:
        """What the trained model gives for X."""
        check_is_fitted(self, "model_")
        return self.model_.predict(fitting.seen_before(self, X), **self._those(PREDICT) | words)


class KerasClassifier(fitting.Learner, ClassifierMixin, Wrapper):
    """A model as a classifier of scikit-learn.

    y: labels (rows,), which the model is given as numbers from 0 on, or as one-hot rows where its loss is
    categorical_crossentropy; or one-hot rows (rows, classes). After fit there are classes_, the labels in order, and
    n_classes_. The model ends with an output for each class, or for two classes with one, the second's probability.
    score is the accuracy of predict; other than in Keras 2 no metric has to be compiled for it.
    Its arguments: see `Wrapper`.
    """

    classes_: np.ndarray
    n_classes_: int

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **words: Any) -> Self:
        """Builds a model and trains it. words: of Sequential.fit; they win over sk_params."""
        with fitting.as_before_if_it_fails(self):
            return self._fitted(X, y, sample_weight, words)

    def _fitted(self, X: Any, y: Any, sample_weight: Any, words: dict[str, Any]) -> Self:
        """A builder may ask for classes_ and n_classes_, so they are known before it is called."""
        X, y = fitting.checked(self, X, y, multi_output=True)
        one_hot = y.ndim == 2 and y.shape[1] > 1
        classes, numbers = np.unique(y.argmax(1) if one_hot else fitting.labels(y), return_inverse=True)
        self.classes_ = np.arange(y.shape[1]) if one_hot else classes
        self.n_classes_ = count = len(self.classes_)
        require(count > 1, f"A classifier cannot train on one class alone; all of y is {self.classes_.tolist()[0]!r}.")
        model = self._built()
        wanted = losses.plain(losses.get(model._need_compile("fit").loss)) is losses.categorical_crossentropy
        target = y if one_hot else to_categorical(numbers, count) if wanted else numbers
        return self._train(model, X, target, sample_weight, words)

    def predict(self, X: Any, **words: Any) -> np.ndarray:
        """The label of every row. words: of Sequential.predict."""
        likely = self.predict_proba(X, **words)
        return self.classes_[likely[:, :self.n_classes_].argmax(axis=1)]

    def predict_proba(self, X: Any, **words: Any) -> np.ndarray:
        """The outputs (rows, classes); of one output p, the rows (1 - p, p)."""
        outputs = self._outputs(X, words)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None, **words: Any) -> float:
        """The share of rows whose label is predicted. y: labels, or one-hot rows. words: of Sequential.predict."""
        y = np.asarray(y)
        told = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y
        return float(accuracy_score(told, self.predict(X, **words), sample_weight=sample_weight))


class KerasRegressor(fitting.Learner, RegressorMixin, Wrapper):
    """A model as a regressor of scikit-learn, for one target (rows,) or several (rows, targets).

    score is minus the loss, as in Keras 2, and not R^2: larger is better. Its arguments: see `Wrapper`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **words: Any) -> Self:
        """Builds a model and trains it. words: of Sequential.fit; they win over sk_params."""
        with fitting.as_before_if_it_fails(self):
            X, y = fitting.checked(self, X, y, multi_output=True, y_numeric=True)
            target = fitting.columns(y)
            self.n_outputs_ = target.shape[1]
            return self._train(self._built(), X, target, sample_weight, words)

    def predict(self, X: Any, **words: Any) -> np.ndarray:
        """The outputs, (rows,) where there is one for each row. words: of Sequential.predict."""
        outputs = self._outputs(X, words)
        return outputs[:, 0] if outputs.shape[1:] == (1,) else outputs

    def score(self, X: Any, y: Any, sample_weight: Any = None, **words: Any) -> float:
        """Minus the loss. words: of Sequential.evaluate."""
        check_is_fitted(self, "model_")
        X, target = fitting.seen_before(self, X), fitting.columns(np.asarray(y))
        words = fitting.weighed(sample_weight, {"verbose": 0} | self._those(EVALUATE) | words)
        return -self.model_.evaluate(X, target, return_dict=True, **words)["loss"]
