"""SKLearnClassifier, SKLearnRegressor, SKLearnTransformer in pipelines, searches and pickles; what they say of misuse."""

import inspect
import io
import pickle

import joblib
import keras.wrappers
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from wrapped_models import classifier, line, softmax

import jaxseq
from jaxseq.layers import Conv2D, Dense, Dropout, Flatten
from jaxseq.models import Sequential
from jaxseq.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

SOME = {"epochs": 8, "batch_size": 10, "verbose": 0}


def hidden(X, y, units=4, rate=0.0):
    model = Sequential([Dense(units, activation="relu"), Dropout(rate), Dense(y.shape[1], activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("name", ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"])
def test_the_words_are_those_of_keras_and_a_seed(name):
    own, theirs = (inspect.signature(getattr(module, name)).parameters for module in (jaxseq.wrappers, keras.wrappers))
    assert {each: own[each].default for each in theirs} == {each: theirs[each].default for each in theirs}
    assert own.keys() - theirs.keys() == {"random_state"}
    assert list(own)[:len(theirs)] == list(theirs) and own["random_state"].kind is inspect.Parameter.KEYWORD_ONLY


def test_a_classifier_learns_names(points):
    x, y = points
    estimator = SKLearnClassifier(hidden, model_kwargs={"units": 8}, fit_kwargs={**SOME, "epochs": 40}, random_state=1)
    assert estimator.fit(x, y) is estimator
    assert estimator.classes_.tolist() == ["east", "north", "west"] and estimator.n_features_in_ == 2
    assert estimator.score(x, y) == (estimator.predict(x) == y).mean() > 0.9
    assert len(estimator.history_.history["accuracy"]) == 40
    p = estimator.predict_proba(x)
    assert_array_equal(estimator.classes_[p.argmax(1)], estimator.predict(x))
    assert_array_equal(p, estimator.model_.predict(x))
    assert_array_equal(p, estimator.decision_function(x))


def test_it_trains_the_model_that_one_would_train_by_hand(points):
    x, y = points
    estimator = SKLearnClassifier(softmax, model_kwargs={"seed": 4}, fit_kwargs=SOME).fit(x, y, epochs=3)
    model = classifier(3, seed=4)
    model.fit(x, np.eye(3)[np.unique(y, return_inverse=True)[1]], **{**SOME, "epochs": 3})
    assert estimator.model_.fingerprint() == model.fingerprint()
    assert estimator.fit_kwargs == SOME                             # Keras writes the words of a fit into them


def test_a_model_is_copied_and_not_touched(points):
    x, y = points
    model = classifier(3, seed=4)
    model.build((None, 2))
    before = model.fingerprint()
    estimator = SKLearnClassifier(model, fit_kwargs=SOME).fit(x, y)
    assert estimator.model is model and model.fingerprint() == before and model.history is None
    by_function = SKLearnClassifier(softmax, model_kwargs={"seed": 4}, fit_kwargs=SOME).fit(x, y)
    assert estimator.model_.fingerprint() == by_function.model_.fingerprint()


@pytest.mark.every(3)
@pytest.mark.parametrize("model", [classifier(3, seed=2), classifier(3), hidden], ids=["seeded", "unseeded", "function"])
def test_a_seed_gives_the_same_bits_in_every_fit_and_every_clone(model, points):
    x, y = points
    first = SKLearnClassifier(model, fit_kwargs=SOME, random_state=11)
    prints = [each.fit(x, y).model_.fingerprint() for each in (first, clone(first), first, clone(first).set_params())]
    assert len(set(prints)) == 1
    assert first.set_params(random_state=12).fit(x, y).model_.fingerprint() != prints[0]
    drawn = [first.set_params(random_state=np.random.RandomState(3)).fit(x, y).model_.fingerprint() for _ in range(2)]
    assert drawn[0] == drawn[1] != prints[0]
    generator = np.random.RandomState(3)
    first.set_params(random_state=generator)
    assert first.fit(x, y).model_.fingerprint() == drawn[0] != first.fit(x, y).model_.fingerprint()


def test_without_a_random_state_the_draws_follow_from_the_models_own_seed(points):
    x, y = points
    estimator = SKLearnClassifier(classifier(3), fit_kwargs=SOME)
    assert estimator.fit(x, y).model_.fingerprint() == clone(estimator).fit(x, y).model_.fingerprint()
    estimator = SKLearnClassifier(hidden, fit_kwargs=SOME)
    assert estimator.fit(x, y).model_.seed != estimator.fit(x, y).model_.seed


def test_warm_start_goes_on_with_the_weights(slope):
    x, y = slope
    whole = SKLearnRegressor(line, fit_kwargs={**SOME, "epochs": 4}, random_state=0).fit(x, y)
    estimator = SKLearnRegressor(line, warm_start=True, fit_kwargs={**SOME, "epochs": 2}, random_state=0)
    first = estimator.fit(x, y).model_
    assert estimator.fit(x, y).model_ is first
    assert first.fingerprint() == whole.model_.fingerprint()

    begun = pickle.loads(pickle.dumps(first))
    more = SKLearnRegressor(begun, warm_start=True, fit_kwargs={**SOME, "epochs": 1}).fit(x, y)
    assert more.model_ is not begun and begun.fingerprint() == first.fingerprint()
    first.fit(x, y, batch_size=10, verbose=0)
    assert more.model_.fingerprint() == first.fingerprint()


def test_warm_start_wants_the_same_classes(points, refuses):
    x, y = points
    estimator = SKLearnClassifier(softmax, warm_start=True, fit_kwargs=SOME).fit(x, y)
    with refuses("y has the classes ['east', 'west'], and the model that warm_start goes on with has ['east', 'north', "
                 "'west']."):
        estimator.fit(x[y != "north"], y[y != "north"])


def test_two_classes_have_one_number_that_decides(points):
    x, y = points[0], points[1] == "north"
    estimator = SKLearnClassifier(softmax, fit_kwargs=SOME, random_state=0).fit(x, y)
    assert estimator.predict(x).dtype == bool and estimator.decision_function(x).shape == (60,)
    assert_array_equal(estimator.decision_function(x) > 0, estimator.predict(x))
    assert cross_val_score(estimator, x, y, scoring="roc_auc", cv=2).mean() > 0.8
    assert np.isfinite(cross_val_score(estimator, x, y, scoring="neg_log_loss", cv=2)).all()


def test_a_regressor_of_one_target_and_of_several(slope):
    x, y = slope
    estimator = SKLearnRegressor(line, fit_kwargs={**SOME, "epochs": 20}, random_state=0)
    assert estimator.fit(x, y).predict(x).shape == (60,) and estimator.score(x, y) > 0.95
    assert estimator.fit(x, y[:, None]).predict(x).shape == (60, 1)
    assert estimator.fit(x, np.c_[y, -y]).predict(x).shape == (60, 2)


def test_a_transformer_gives_the_outputs_as_features(points):
    x, y = points
    targets = np.eye(3)[np.unique(y, return_inverse=True)[1]]
    estimator = SKLearnTransformer(line, fit_kwargs=SOME, random_state=0)
    assert_array_equal(estimator.fit_transform(x, targets), estimator.model_.predict(x))
    assert estimator.get_feature_names_out().tolist() == [f"sklearntransformer{i}" for i in range(3)]
    assert estimator.set_output(transform="pandas").transform(x).shape == (60, 3)


@pytest.mark.full
def test_pipelines_and_cross_validation(points):
    x, y = points
    estimator = SKLearnClassifier(hidden, fit_kwargs=SOME, random_state=0)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(x, y)
    scaled = StandardScaler().fit_transform(x)
    assert pipeline[-1].model_.fingerprint() == clone(estimator).fit(scaled, y).model_.fingerprint()
    one, two = (cross_val_score(pipeline, x, y, cv=3, n_jobs=jobs) for jobs in (1, 2))
    assert_array_equal(one, two)
    assert cross_val_predict(estimator, x, y, cv=2, method="predict_proba").shape == (60, 3)
    before = make_pipeline(SKLearnTransformer(line, fit_kwargs=SOME, random_state=0), LogisticRegression())
    assert before.fit(x, np.unique(y, return_inverse=True)[1]).score(x, np.unique(y, return_inverse=True)[1]) > 0.4


def test_a_search_over_the_words_of_model_and_fit(points):
    x, y = points
    grid = {"model_kwargs": [{"units": 1}, {"units": 6}], "fit_kwargs": [{**SOME, "epochs": 1}, {**SOME, "epochs": 15}]}
    search = GridSearchCV(SKLearnClassifier(hidden, random_state=0), grid, cv=[(np.arange(40), np.arange(40, 60))]).fit(x, y)
    assert search.best_params_["fit_kwargs"]["epochs"] == 15 and search.best_estimator_.model_.layers[0].units in (1, 6)
    assert_allclose(search.score(x, y), search.best_estimator_.score(x, y))


def test_pickle_and_joblib_bring_a_fitted_estimator_back(points):
    x, y = points
    estimator = SKLearnClassifier(classifier(3, seed=0), fit_kwargs=SOME).fit(x, y)
    file = io.BytesIO()
    joblib.dump(estimator, file)
    for again in pickle.loads(pickle.dumps(estimator)), joblib.load(io.BytesIO(file.getvalue())):
        assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))
        assert again.model_.fingerprint() == estimator.model_.fingerprint()
        assert again.fit(x, y).model_.fingerprint() == estimator.model_.fingerprint()


def test_weights_of_rows_reach_the_model(slope):
    x, y = slope
    weight = np.linspace(0, 1, 60)
    estimator = SKLearnRegressor(line, fit_kwargs=SOME, random_state=0).fit(x, y, sample_weight=weight)
    model = line(x, y[:, None], seed=0)
    model.fit(x, y, sample_weight=weight, **SOME)
    assert estimator.model_.fingerprint() == model.fingerprint()


def test_images_are_taken_as_they_are():
    x = np.random.default_rng(0).random((8, 6, 6, 1))

    def convnet(X, y):
        model = Sequential([Conv2D(2, 3), Flatten(), Dense(y.shape[1], activation="softmax")])
        model.compile("sgd", "categorical_crossentropy")
        return model

    estimator = SKLearnClassifier(convnet, fit_kwargs=SOME).fit(x, np.arange(8) % 2)
    assert estimator.predict(x).shape == (8,)


def test_what_is_no_use_is_refused_before_the_first_step(points, slope, refuses):
    x, y = points
    with refuses("model=3: write a compiled Sequential, or a function that returns one.", TypeError):
        SKLearnClassifier(3).fit(x, y)
    with refuses("<lambda> gave NoneType: it must return a compiled Sequential.", TypeError):
        SKLearnClassifier(lambda X, y: None).fit(x, y)
    with refuses("The model is not compiled: write model.compile(optimizer, loss) before it is wrapped.", RuntimeError):
        SKLearnClassifier(Sequential([Dense(3)])).fit(x, y)
    with refuses("The model is not compiled: write model.compile(optimizer, loss) before it is wrapped.", RuntimeError):
        SKLearnClassifier(lambda X, y: Sequential([Dense(3)])).fit(x, y)
    with refuses("model_kwargs={'units': 2} are for a function that makes the model, and model is a Sequential. Leave them "
                 "out."):
        SKLearnClassifier(classifier(), model_kwargs={"units": 2}).fit(x, y)
    with refuses("Unknown label type: continuous. A classifier takes one class for each row: pass y of shape (n,), or a "
                 "regressor for targets that are measured."):
        SKLearnClassifier(softmax).fit(*slope)
    with refuses("A classifier cannot train on one class alone; all of y is 'b'."):
        SKLearnClassifier(softmax).fit(x, ["b"] * 60)
    with refuses("sample_weight has shape (60, 2): write one number for each row."):
        SKLearnClassifier(softmax).fit(x, y, sample_weight=x)
    with refuses("All of sample_weight is zero: at least one weight must not be zero."):
        SKLearnClassifier(softmax).fit(x, y, sample_weight=np.zeros(60))
    with pytest.raises(NotFittedError):
        SKLearnClassifier(softmax).decision_function(x)


def test_outputs_that_are_no_probabilities_are_not_called_so(points, refuses):
    x, y = points

    def logits(X, y):
        model = Sequential([Dense(3)])
        model.compile("sgd", jaxseq.losses.CategoricalCrossentropy(from_logits=True))
        return model

    estimator = SKLearnClassifier(logits, fit_kwargs=SOME).fit(x, y)
    assert_array_equal(estimator.decision_function(x), estimator.model_.predict(x))
    with refuses("The model's outputs are no probabilities: end it with activation='softmax', or ask for decision_function."):
        estimator.predict_proba(x)


def test_a_random_state_does_not_throw_weights_away(points, refuses):
    x, y = points

    def pretrained(X, y):
        model = classifier(3)
        model.build((None, 2))
        model.set_weights([np.ones((2, 3)), np.zeros(3)])
        return model

    kept = SKLearnClassifier(pretrained, fit_kwargs={**SOME, "epochs": 1}).fit(x, y)
    assert np.abs(kept.model_.get_weights()[0] - 1).max() < 0.5
    with refuses("The model that pretrained gave has its weights already, and they do not follow from random_state=1: let the "
                 "function take seed and write Sequential(seed=seed)."):
        SKLearnClassifier(pretrained, random_state=1).fit(x, y)
