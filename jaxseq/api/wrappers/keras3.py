"""SKLearnClassifier, SKLearnRegressor and SKLearnTransformer: Keras 3's estimators around a model."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from jaxseq.api.sequential import Sequential
from jaxseq.api.utils import to_categorical
from jaxseq.api.wrappers import fitting
from jaxseq.core.require import require

from sklearn.base import (  # isort: skip  (`fitting` says what to install where it is not there)
    BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted  # isort: skip


class Wrapper(BaseEstimator):
    """What the three share.

    model: a compiled Sequential, which is copied and never touched; or a function of X=, y= and what model_kwargs holds,
        which returns one for every fit. It is given y as the model will be: (rows, classes) in a classifier.
    warm_start: each fit goes on with the weights of the last one, and the first with those that the model has.
    model_kwargs: {keyword: value} for the function. fit_kwargs: for the model's fit; those of `fit(X, y, ...)` win.
    random_state: the seed of all draws, an int or a RandomState. Without it they follow from the model's own seed.

    After fit: model_, the trained model; history_, the History of its training; n_features_in_.
    Source: as the classes of keras.wrappers. There, warm_start has no effect, and no seed can be given.
    """

    model_: Sequential
    history_: Any

    def __init__(self, model: Any, warm_start: bool = False, model_kwargs: dict[str, Any] | None = None,
                 fit_kwargs: dict[str, Any] | None = None, *, random_state: Any = None):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_kwargs: Any) -> Self:
        """Trains a model on X (rows, ...) and y, one target or several for each row. `fit_kwargs`: of Sequential.fit."""
        X, target, learned = self._prepared(X, y)
        words = fitting.weighed(sample_weight, {**(self.fit_kwargs or {}), **fit_kwargs})
        model = self._next_model(X, target)
        history = model.fit(X, target, **words)
        vars(self).update(learned, history_=history, model_=model)      # where training fails, those of the last fit stay
        return self

    def _prepared(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """X, y as the model takes it, a column for each target, and the attributes that a fit leaves."""
        X, y = fitting.checked(self, X, y, multi_output=True, y_numeric=True)
        return X, fitting.columns(y), {"_flat": y.ndim == 1}

    def _next_model(self, X: np.ndarray, target: np.ndarray) -> Sequential:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        seed = fitting.seed_of(self.random_state)
        if not isinstance(self.model, Sequential):
            require(callable(self.model), f"model={self.model!r}: write a compiled Sequential, or a function that returns one.",
                    TypeError)
            return fitting.built(self.model, {"X": X, "y": target, **(self.model_kwargs or {})}, seed)
        require(not self.model_kwargs, f"model_kwargs={self.model_kwargs!r} are for a function that makes the model, and model "
                "is a Sequential. Leave them out.")
        if self.warm_start:
            return copy.deepcopy(fitting.ready(self.model))
        return fitting.fresh(self.model, self.model.seed if seed is None else seed)

    def _outputs(self, X: Any) -> np.ndarray:
        """What the trained model gives for X."""
        check_is_fitted(self, "model_")
        return self.model_.predict(fitting.seen_before(self, X))


class SKLearnClassifier(fitting.Learner, ClassifierMixin, Wrapper):
    """A model as a classifier of scikit-learn. It is trained on one-hot rows, two columns for two classes.

    The model ends with an output for each class, such as Dense(y.shape[1], activation="softmax"), and is compiled with a
    loss for one-hot rows, such as "categorical_crossentropy". After fit there is classes_, the labels in order.
    Raises: ValueError for targets that are no classes, and for a single class.
    Its arguments: see `Wrapper`.
    Differs from Keras 3 in decision_function for two classes, and has predict_proba.
    """

    classes_: np.ndarray

    def _prepared(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        X, y = fitting.checked(self, X, y, multi_output=True)
        classes, numbers = np.unique(fitting.labels(y), return_inverse=True)
        require(len(classes) > 1, f"A classifier cannot train on one class alone; all of y is {classes.tolist()[0]!r}.")
        kept = self.classes_ if self.warm_start and hasattr(self, "model_") else classes
        require(np.array_equal(classes, kept), f"y has the classes {classes.tolist()}, and the model that warm_start goes on "
                f"with has {kept.tolist()}.")
        return X, to_categorical(numbers, len(classes)), {"classes_": classes}

    def predict(self, X: Any) -> np.ndarray:
        """The label of the largest output, for every row."""
        largest = self._by_class(X).argmax(axis=1)
        return self.classes_[largest]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The outputs (rows, classes), which must be probabilities. ValueError where a row does not add up to 1."""
        outputs = self._by_class(X)
        require(np.all(outputs >= 0) and np.allclose(outputs.sum(axis=1), 1, atol=1e-4), "The model's outputs are no "
                "probabilities: end it with activation='softmax', or ask for decision_function.")
        return outputs

    def decision_function(self, X: Any) -> np.ndarray:
        """The outputs (rows, classes) as they are; for two classes (rows,): how much larger the second is than the first."""
        outputs = self._by_class(X)
        return outputs if outputs.shape[1] > 2 else outputs[:, 1] - outputs[:, 0]

    def _by_class(self, X: Any) -> np.ndarray:
        outputs = self._outputs(X)
        count = len(self.classes_)
        require(outputs.shape[1:] == (count,), f"The model gives {outputs.shape} for {count} classes: end it with "
                f"Dense({count}, activation='softmax').")
        return outputs


class SKLearnRegressor(fitting.Learner, RegressorMixin, Wrapper):
    """A model as a regressor of scikit-learn, for one target (rows,) or several (rows, targets). See `Wrapper`."""

    _flat: bool

    def predict(self, X: Any) -> np.ndarray:
        """The outputs: (rows,) where fit was given y (rows,)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs


class SKLearnTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Wrapper):
    """A model as a transformer of scikit-learn: trained on (X, y), it gives its outputs as features. See `Wrapper`."""

    def transform(self, X: Any) -> np.ndarray:
        """The outputs for X."""
        return self._outputs(X)

    @property
    def _n_features_out(self) -> int:
        """What ClassNamePrefixFeaturesOutMixin names: sklearntransformer0, sklearntransformer1, ..."""
        return self.model_.output_shape[-1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []      # what comes out is float32
        return tags
