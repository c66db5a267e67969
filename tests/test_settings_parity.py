"""Losses, metrics and optimizers with settings, in fit: History and weights are those of Keras 3 from the same start."""

import re

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from shares import always

import jaxseq

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(50, 6)).astype("float32")
CLASSES = GENERATOR.integers(3, size=50)
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]
WEIGHT = GENERATOR.random(50).astype("float32")


def compiled(k, activation, loss, optimizer, measured):
    model = k.Sequential([k.Input((6,)), k.layers.Dense(8, activation="tanh"), k.layers.Dense(3, activation=activation)])
    model.compile(optimizer(k), loss(k), metrics=measured(k))
    return model


def sgd(k):
    return k.optimizers.SGD(0.1)


def nothing(k):
    return []


CASES = {
    "smoothed logits": (None, lambda k: k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2), sgd,
                        lambda k: [k.metrics.CategoricalAccuracy(), k.metrics.TopKCategoricalAccuracy(2)], ONE_HOT),
    "sum": ("softmax", lambda k: k.losses.CategoricalCrossentropy(reduction="sum"), lambda k: k.optimizers.SGD(0.01), nothing,
            ONE_HOT),
    "weighted mean": ("softmax", lambda k: k.losses.CategoricalCrossentropy(reduction="mean_with_sample_weight"), sgd, nothing,
                      ONE_HOT),
    "focal": ("sigmoid", lambda k: k.losses.BinaryFocalCrossentropy(gamma=1.5, apply_class_balancing=True), sgd,
              lambda k: [k.metrics.BinaryAccuracy(threshold=0.4)], ONE_HOT),
    "huber": (None, lambda k: k.losses.Huber(0.3), sgd, lambda k: ["mae", k.metrics.RootMeanSquaredError()], ONE_HOT),
    "confusion": ("softmax", lambda k: "categorical_crossentropy", sgd, lambda k: [
        k.metrics.AUC(name="auc"), k.metrics.Precision(name="precision"), k.metrics.Recall(top_k=2, name="recall"),
        k.metrics.OneHotMeanIoU(num_classes=3)], ONE_HOT),
    "poisson": ("softplus", lambda k: "poisson", sgd, lambda k: ["kl_divergence"], ONE_HOT),
    "adam, clipped": ("softmax", lambda k: "categorical_crossentropy", lambda k: k.optimizers.Adam(0.01, clipnorm=0.1), nothing,
                      ONE_HOT),
    "nadam on a schedule": ("softmax", lambda k: "categorical_crossentropy", lambda k: k.optimizers.Nadam(
        k.optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)), nothing, ONE_HOT),
    "average of the weights": ("softmax", lambda k: "categorical_crossentropy",
                               lambda k: k.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8), nothing, ONE_HOT),
    "accumulated": ("softmax", lambda k: "categorical_crossentropy",
                    lambda k: k.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2), nothing, ONE_HOT),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", always({"focal", "accumulated"}, CASES))
def test_three_epochs_are_those_of_keras(name):
    keras.utils.clear_session()         # Keras counts names over the whole process
    activation, loss, optimizer, measured, y = CASES[name]
    ours, theirs = (compiled(k, activation, loss, optimizer, measured) for k in (jaxseq, keras))
    ours.set_weights(theirs.get_weights())
    weight = WEIGHT if name == "weighted mean" else None
    options = {"batch_size": 16, "epochs": 3, "shuffle": False, "sample_weight": weight, "verbose": 0}
    histories = [each.fit(X, y, **options).history for each in (ours, theirs)]
    assert set(histories[0]) == set(histories[1])
    for key, values in histories[1].items():
        assert_allclose(histories[0][key], values, rtol=2e-4, err_msg=key)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(mine, other, rtol=1e-3, atol=1e-5)


@pytest.mark.every(3)
@pytest.mark.parametrize("metric", [lambda k: k.metrics.F1Score(), lambda k: k.metrics.R2Score(class_aggregation=None)])
def test_a_metric_may_be_several_numbers(metric):
    ours, theirs = (compiled(k, "softmax", lambda k: "categorical_crossentropy", sgd, lambda k: [metric(k)])
                    for k in (jaxseq, keras))
    ours.set_weights(theirs.get_weights())
    assert_allclose(ours.evaluate(X, ONE_HOT, verbose=0)[1], theirs.evaluate(X, ONE_HOT, verbose=0)[1], rtol=1e-5)
    history = ours.fit(X, ONE_HOT, verbose=0).history
    assert next(np.shape(values) for name, values in history.items() if name != "loss") == (1, 3)


def test_a_class_may_be_left_out_of_the_loss():
    labels = np.where(CLASSES == 2, -1, CLASSES)
    model = compiled(jaxseq, "softmax", lambda k: k.losses.SparseCategoricalCrossentropy(ignore_class=-1), sgd, nothing)
    kept = labels >= 0
    assert model.evaluate(X, labels, batch_size=50, verbose=0) == pytest.approx(
        model.evaluate(X[kept], labels[kept], batch_size=50, verbose=0), rel=1e-5)


@pytest.mark.parametrize("reduction", [None, "none"])
def test_a_loss_that_is_not_reduced_cannot_be_trained_on(reduction):
    with pytest.raises(ValueError, match="so there is no one number to train on: write reduction='sum_over_batch_size'"):
        compiled(jaxseq, None, lambda k: k.losses.MeanSquaredError(reduction=reduction), sgd, nothing)


@pytest.mark.full
def test_wrappers_go_through_json_and_training():
    layers = jaxseq.layers
    model = jaxseq.Sequential([layers.Embedding(9, 4, mask_zero=True),
                               layers.Bidirectional(layers.GRU(3, return_sequences=True)),
                               layers.TimeDistributed(layers.Dense(2, kernel_regularizer="l2")),
                               layers.RNN([layers.LSTMCell(3), layers.SimpleRNNCell(2)]), layers.Dense(1)], seed=0)
    again = jaxseq.models.model_from_json(model.to_json())
    assert again.layers == model.layers
    again.compile("adam", "mse")
    before = again.get_weights()
    again.fit(GENERATOR.integers(9, size=(12, 5)), GENERATOR.normal(size=(12, 1)), verbose=0)
    assert all((old != new).any() for old, new in zip(before, again.get_weights(), strict=True))


def test_several_numbers_are_shown(capsys):
    model = compiled(jaxseq, "softmax", lambda k: "categorical_crossentropy", sgd, lambda k: [k.metrics.F1Score()])
    history = model.fit(X, ONE_HOT, verbose=2)
    scores = history.history["f1_score"][-1]
    told, = re.findall(r"f1_score: \[(.*?)\]", capsys.readouterr().out)
    assert told == ", ".join(f"{score:.4f}" for score in scores)
    told, = re.findall(r"f1_score=\[(.*?)\]", repr(history))
    assert_allclose([float(score) for score in told.split(", ")], scores, rtol=1e-3)


@pytest.mark.parametrize("stack", [
    lambda k: [k.layers.Embedding(20, 4), k.layers.Conv1D(4, 5), k.layers.GlobalMaxPooling1D(), k.layers.Dense(1)],
    lambda k: [k.layers.Embedding(20, 4), k.layers.MaxPooling1D(3), k.layers.Bidirectional(k.layers.LSTM(3))],
])
def test_a_window_over_a_length_that_is_not_known(stack):
    ids = GENERATOR.integers(20, size=(6, 9))
    ours, theirs = jaxseq.Sequential(stack(jaxseq)), keras.Sequential([keras.Input((None,)), *stack(keras)])
    ours.set_weights(theirs.get_weights())
    assert_allclose(ours.predict(ids), theirs.predict(ids, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("function", "error", "message"), [
    (lambda x: None, ValueError, "gave None: end the function with return"), (np.sort, TypeError, "cannot follow Dense")])
def test_a_lambda_that_cannot_be_traced_is_named(function, error, message):
    with pytest.raises(error, match=message):
        jaxseq.Sequential([jaxseq.layers.Dense(2, input_shape=(3,)), jaxseq.layers.Lambda(function)])
