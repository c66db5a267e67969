"""Where the estimators for scikit-learn depart from those of Keras 3: docs/differences.md, row by row, both ways."""

import keras
import numpy as np
import pytest
from keras import wrappers as theirs
from numpy.testing import assert_array_equal
from sklearn.base import clone

import jaxseq
from jaxseq import wrappers as ours

pytestmark = pytest.mark.usefixtures("quickly_compiled")

X = np.random.default_rng(0).normal(size=(12, 2)).astype("float32")
Y = np.arange(12) % 2
BOTH = pytest.mark.parametrize(("library", "wrappers"), [(keras, theirs), (jaxseq, ours)], ids=["keras", "jaxseq"])
SILENT = {"verbose": 0}


def network(library, activation="softmax"):
    def build(X, y, activation=activation):
        model = library.Sequential([library.Input((2,)), library.layers.Dense(y.shape[1], activation=activation)])
        model.compile("sgd", "mse")
        return model

    return build


@BOTH
def test_what_decides_between_two_classes_is_one_number(library, wrappers):
    estimator = wrappers.SKLearnClassifier(network(library), fit_kwargs=dict(SILENT)).fit(X, Y)
    assert estimator.decision_function(X).shape == ((12, 2) if library is keras else (12,))
    assert hasattr(estimator, "predict_proba") == (library is jaxseq)


@BOTH
def test_a_model_gives_the_same_bits_in_every_fit(library, wrappers):
    estimator = wrappers.SKLearnRegressor(network(library)(X, Y[:, None], "linear"), fit_kwargs=dict(SILENT))
    first = estimator.fit(X, Y).predict(X)
    assert np.array_equal(estimator.fit(X, Y).predict(X), first) == (library is jaxseq)


@BOTH
def test_warm_start_goes_on(library, wrappers):
    estimator = wrappers.SKLearnRegressor(network(library, "linear"), warm_start=True, fit_kwargs=dict(SILENT))
    first = estimator.fit(X, Y).model_
    assert (estimator.fit(X, Y).model_ is first) == (library is jaxseq)


@BOTH
def test_the_words_of_a_call_are_no_settings(library, wrappers):
    estimator = wrappers.SKLearnRegressor(network(library, "linear"), fit_kwargs=dict(SILENT)).fit(X, Y, epochs=2)
    assert estimator.fit_kwargs == ({**SILENT, "epochs": 2} if library is keras else SILENT)


@BOTH
def test_a_clone_keeps_the_words_of_fit(library, wrappers):
    estimator = clone(wrappers.SKLearnRegressor(network(library), fit_kwargs=dict(SILENT)))
    assert estimator.fit_kwargs == (None if library is keras else SILENT)


@BOTH
def test_sequences_and_images_are_taken(library, wrappers):
    def build(X, y):
        model = library.Sequential([library.Input((2, 1)), library.layers.Flatten(), library.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    estimator = wrappers.SKLearnRegressor(build, fit_kwargs=dict(SILENT))
    if library is keras:
        with pytest.raises(ValueError, match="Found array with dim 3"):
            estimator.fit(X[:, :, None], Y)
    else:
        assert estimator.fit(X[:, :, None], Y).predict(X[:, :, None]).shape == (12,)


def test_a_seed_can_be_given():
    estimator = ours.SKLearnRegressor(network(jaxseq, "linear"), fit_kwargs=SILENT, random_state=3)
    assert_array_equal(estimator.fit(X, Y).predict(X), estimator.fit(X, Y).predict(X))
    with pytest.raises(TypeError, match="random_state"):
        theirs.SKLearnRegressor(network(keras), random_state=3)
