"""KerasClassifier and KerasRegressor: the words of build_fn and fit, searches, scores; what they say of misuse."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from wrapped_models import softmax

import jaxseq
from jaxseq.layers import Dense
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam
from jaxseq.wrappers import SKLearnClassifier
from jaxseq.wrappers.scikit_learn import KerasClassifier, KerasRegressor

SOME = {"epochs": 8, "batch_size": 10, "verbose": 0}


def network(neurons=4, loss="sparse_categorical_crossentropy", outputs=3, activation="softmax"):
    model = Sequential([Dense(neurons, activation="relu", input_dim=2), Dense(outputs, activation=activation)])
    model.compile(Adam(0.02), loss)
    return model


def line(seed=None):
    model = Sequential([Dense(1)], seed=seed)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def numbered(y):
    return np.unique(y, return_inverse=True)[1]


def test_words_go_to_those_that_take_them(points):
    x, y = points
    estimator = KerasClassifier(build_fn=network, neurons=7, **SOME)
    assert estimator.fit(x, y) is estimator
    assert estimator.model is estimator.model_ and estimator.model.layers[0].units == 7
    assert len(estimator.history["loss"]) == len(estimator.history_.history["loss"]) == 8
    assert len(estimator.fit(x, y, epochs=2).history["loss"]) == 2 and estimator.get_params()["epochs"] == 8
    assert estimator.filter_sk_params(network) == {"neurons": 7}
    assert estimator.filter_sk_params(Sequential.predict, {"steps": 1}) == {"batch_size": 10, "verbose": 0, "steps": 1}


@pytest.mark.every(3)
@pytest.mark.parametrize(("loss", "outputs", "activation", "names"), [
    ("sparse_categorical_crossentropy", 3, "softmax", 3), ("categorical_crossentropy", 3, "softmax", 3),
    (jaxseq.losses.CategoricalCrossentropy(), 2, "softmax", 2), ("binary_crossentropy", 1, "sigmoid", 2),
    ("sparse_categorical_crossentropy", 5, "softmax", 3)], ids=["sparse", "one-hot", "object", "binary", "more outputs"])
def test_labels_come_out_as_they_went_in(points, loss, outputs, activation, names):
    x, y = points
    x, y = (x, y) if names == 3 else (x[y != "west"], y[y != "west"])
    estimator = KerasClassifier(network, loss=loss, outputs=outputs, activation=activation, neurons=8, random_state=0,
                                epochs=25, batch_size=10, verbose=0).fit(x, y)
    assert estimator.classes_.tolist() == ["east", "north", "west"][:names] and estimator.n_classes_ == names
    assert estimator.score(x, y) == accuracy_score(y, estimator.predict(x)) > 0.85
    p = estimator.predict_proba(x)
    assert p.shape == (len(x), max(outputs, 2))
    assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert_array_equal(p[:, -1:] if outputs == 1 else p, estimator.model.predict(x, batch_size=10))


def test_one_hot_rows_are_taken_as_they_are(points):
    x, y = points[0], np.eye(3)[numbered(points[1])]
    estimator = KerasClassifier(network, loss="categorical_crossentropy", random_state=0, **SOME).fit(x, y)
    by_number = KerasClassifier(network, random_state=0, **SOME).fit(x, y.argmax(1))
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert_allclose(estimator.predict_proba(x), by_number.predict_proba(x), rtol=1e-5)
    assert estimator.score(x, y) == estimator.score(x, y.argmax(1))


def test_a_regressor_scores_by_its_loss(slope):
    x, y = slope
    estimator = KerasRegressor(line, random_state=0, **SOME).fit(x, y)
    wanted = ((estimator.predict(x) - y) ** 2).mean()
    assert estimator.predict(x).shape == (60,)
    assert_allclose(estimator.score(x, y), -wanted, rtol=1e-5)
    weight = np.linspace(0, 1, 60)
    assert_allclose(estimator.score(x, y, sample_weight=weight), -(weight * (estimator.predict(x) - y) ** 2).mean(), rtol=1e-5)
    assert (cross_val_score(KerasRegressor(line, **SOME), x, y, cv=KFold(2)) < 0).all()


def test_weights_of_rows_reach_the_model(slope):
    x, y = slope
    weight = np.linspace(0, 1, 60)
    estimator = KerasRegressor(line, seed=3, **SOME).fit(x, y, sample_weight=weight)
    model = line(3)
    model.fit(x, y, sample_weight=weight, **SOME)
    assert estimator.model.fingerprint() == model.fingerprint()


@pytest.mark.full
def test_a_search_over_epochs_batch_size_and_neurons(points):
    x, y = points
    grid = {"epochs": [1, 12], "batch_size": [10, 20], "neurons": [1, 6]}
    split = [(np.arange(40), np.arange(40, 60))]
    search = GridSearchCV(KerasClassifier(build_fn=network, verbose=0, random_state=0), grid, cv=split).fit(x, y)
    best = search.best_estimator_.model
    assert len(search.cv_results_["params"]) == 8 and search.best_params_["epochs"] == 12
    assert best.layers[0].units == search.best_params_["neurons"] and best.seed == 0


@pytest.mark.full       # test_keras3.py has cross_val_score in two processes
def test_a_search_in_several_processes_gives_the_same(points):
    x, y = points
    estimator = KerasClassifier(network, neurons=6, random_state=0, **SOME)
    one, two = (GridSearchCV(estimator, {"epochs": [1, 12]}, cv=2, n_jobs=jobs).fit(x, y) for jobs in (1, 2))
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_ == {"epochs": 12}
    assert one.best_estimator_.model.fingerprint() == two.best_estimator_.model.fingerprint()


def test_in_a_pipeline_with_words_for_its_step(points):
    x, y = points
    pipeline = Pipeline([("scale", StandardScaler()), ("net", KerasClassifier(network, random_state=0, **SOME))])
    pipeline.set_params(net__neurons=2).fit(x, y, net__epochs=3)
    assert pipeline["net"].model.layers[0].units == 2 and len(pipeline["net"].history["loss"]) == 3


def test_a_seed_gives_the_same_bits(points):
    x, y = points
    estimator = KerasClassifier(network, random_state=5, **SOME)
    prints = {each.fit(x, y).model.fingerprint() for each in (estimator, clone(estimator), estimator)}
    assert len(prints) == 1
    again = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(again.predict(x), estimator.predict(x))
    assert {again.model.fingerprint(), again.fit(x, y).model.fingerprint()} == prints


def test_a_build_fn_may_do_with_the_random_state_what_it_wants(slope):
    x, y = slope

    def build(random_state):
        return line(random_state + 1)

    assert KerasRegressor(build, random_state=2, **SOME).fit(x, y).model.seed == 3
    assert KerasRegressor(line, random_state=2, **SOME).fit(x, y).model.seed == 2


def test_a_subclass_and_an_object_build_as_well(points):
    x, y = points

    class Own(KerasClassifier):
        def __call__(self, neurons=3):
            return network(neurons, outputs=self.n_classes_)

    class Builder:
        def __call__(self, neurons=3):
            return network(neurons)

    for estimator in Own(neurons=5, **SOME), KerasClassifier(Builder(), neurons=5, **SOME):
        assert estimator.fit(x, y).model.layers[0].units == 5


def test_parameters_may_be_read_and_set(refuses):
    estimator = KerasClassifier(network, **SOME)
    assert estimator.get_params() == {**SOME, "build_fn": network} and estimator.sk_params == SOME
    assert estimator.set_params(neurons=2, epochs=1) is estimator
    assert estimator.get_params() == {**SOME, "epochs": 1, "neurons": 2, "build_fn": network}
    with refuses("'neuron' is no parameter of build_fn, nor of fit, predict or evaluate. Did you mean 'neurons'?"):
        estimator.set_params(neuron=3, epochs=9)
    assert estimator.get_params()["epochs"] == 1
    with refuses("'neuron' is no parameter of build_fn, nor of fit, predict or evaluate. Did you mean 'neurons'?"):
        KerasClassifier(network, neuron=3)


def unfinished():
    Sequential([Dense(1)])


def test_what_is_no_use_is_refused_before_the_first_step(points, refuses):
    x, y = points
    with refuses("build_fn=None: write a function that returns a compiled Sequential, or a subclass with a __call__ that does.",
                 TypeError):
        KerasClassifier().fit(x, y)
    with refuses("unfinished gave NoneType: it must return a compiled Sequential.", TypeError):
        KerasClassifier(unfinished).fit(x, y)
    with refuses("A classifier cannot train on one class alone; all of y is 1."):
        KerasClassifier(network).fit(x, np.ones(60, int))
    for ask in "model", "history":
        with pytest.raises(NotFittedError):
            getattr(KerasClassifier(network), ask)
    with pytest.raises(NotFittedError):
        KerasRegressor(line).score(*points)


def test_the_door_says_what_to_install(monkeypatch, refuses):
    import sys
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn" or name.startswith("jaxseq.api.wrappers")]:
        monkeypatch.delitem(sys.modules, name)
    for name in "jaxseq.wrappers", "jaxseq.wrappers.scikit_learn":
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with refuses("jaxseq.wrappers needs scikit-learn 1.6 or newer: pip install 'jaxseq[sklearn]'.", ImportError):
        import jaxseq.wrappers.scikit_learn  # noqa: F401


@pytest.mark.parametrize("wrapped", [
    lambda: KerasClassifier(network, epochs=1, verbose=0), lambda: SKLearnClassifier(softmax, fit_kwargs={"verbose": 0})],
    ids=["Keras 2", "Keras 3"])
def test_a_fit_that_fails_leaves_the_last_one_as_it_was(wrapped, points):
    X, y = points
    estimator = wrapped().fit(X, y)
    labels, first = estimator.classes_, estimator.predict(X)
    with pytest.raises((ValueError, TypeError)):
        estimator.fit(X, np.array(["p", "q", "r"])[numbered(y)], validation_split=2)
    assert estimator.classes_ is labels and np.array_equal(estimator.predict(X), first)
    fresh = wrapped()
    with pytest.raises((ValueError, TypeError)):
        fresh.fit(X, y, validation_split=2)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
