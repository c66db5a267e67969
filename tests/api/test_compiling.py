"""What compile() takes: loss_weights, weighted_metrics, lists and dicts for the one output. Oracle: Keras 3."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq
from jaxseq.api.compiling import interpreted
from jaxseq.layers import LSTM, Dense, Masking
from jaxseq.losses import BinaryCrossentropy
from jaxseq.metrics import AUC, BinaryAccuracy, F1Score, Precision
from jaxseq.models import Sequential

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(30, 3)).astype("float32")
Y = (X[:, :1] + RANDOM.normal(size=(30, 1)) > 0).astype("float32")
WEIGHT = np.linspace(0.1, 2, 30, dtype="float32")
SEQUENCES = RANDOM.normal(size=(10, 5, 3)).astype("float32") * (np.arange(5) < RANDOM.integers(2, 6, (10, 1)))[..., None]
TARGETS = RANDOM.normal(size=(10, 5, 1)).astype("float32")


def pair(**how):
    """The same classifier in Keras and here, with equal weights; its loss has a penalty."""
    models = []
    for k in keras, jaxseq:
        model = k.Sequential([k.Input((3,)), k.layers.Dense(1, activation="sigmoid", kernel_regularizer="l2", name="last")])
        model.compile(optimizer="sgd", loss="binary_crossentropy", **how)
        models.append(model)
    models[1].set_weights(models[0].get_weights())
    return models


def assert_alike(ours, theirs):
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        assert_allclose(value, theirs[name], rtol=2e-5, err_msg=name)


@pytest.mark.every(3)
@pytest.mark.parametrize("weights", [3.0, [0.5], {"last": -1}, 0])
def test_the_loss_is_multiplied_and_its_penalties_are_not(weights):
    theirs, ours = pair(loss_weights=weights, metrics=["mse"])
    words = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, "validation_data": (X, Y)}
    assert_alike(ours.fit(X, Y, **words).history, theirs.fit(X, Y, **words).history)
    for ours_, theirs_ in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(ours_, theirs_, rtol=1e-5, atol=1e-7)


@pytest.mark.every(3)
@pytest.mark.parametrize("how", [
    {"metrics": ["mse"], "weighted_metrics": ["mse"]},
    {"weighted_metrics": ["accuracy", "mse", "mse"]},
    {"metrics": ["mae"], "weighted_metrics": [["mse"]]},
    {"metrics": {"last": ["mse", "mae"]}, "weighted_metrics": {"last": "mse"}},
    {"metrics": [["mse"], ["mae"]]},
    {"metrics": ["mse"], "weighted_metrics": ["mse", "mse"]},
], ids=str)
def test_weighted_metrics_see_the_weights_and_the_others_do_not(how):
    theirs, ours = pair(**how)
    words = {"batch_size": 8, "sample_weight": WEIGHT, "verbose": 0, "return_dict": True}     # 30 rows: the last batch is short
    assert_alike(ours.evaluate(X, Y, **words), theirs.evaluate(X, Y, **words))


def test_names_are_those_of_keras():
    _, ours = pair(metrics=["mse", "mse"], weighted_metrics=["mse", "mse", "mae"])
    assert ours.metrics_names == ["loss", "mse", "mse_1", "weighted_mse", "weighted_mse_1", "mae"]


def test_class_weight_counts_in_training_and_validation_weights_in_validation():
    theirs, ours = pair(metrics=["mse"], weighted_metrics=["mse", "AUC"])
    words = {"batch_size": 8, "shuffle": False, "verbose": 0, "validation_data": (X, Y, WEIGHT), "class_weight": {0: 1, 1: 5}}
    assert_alike(ours.fit(X, Y, **words).history, theirs.fit(X, Y, **words).history)


@pytest.mark.parametrize("weight", [np.linspace(0.2, 2, 10, dtype="float32"), RANDOM.random((10, 5)).astype("float32")],
                         ids=["by row", "by step"])
def test_weights_and_the_mask_of_the_steps_are_multiplied(weight):
    model = Sequential([Masking(input_shape=(5, 3)), LSTM(2, return_sequences=True), Dense(1)], seed=0)
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae"])
    measured = model.evaluate(SEQUENCES, TARGETS, batch_size=4, sample_weight=weight, verbose=0, return_dict=True)
    errors = np.abs(model.predict(SEQUENCES) - TARGETS)[..., 0].astype(float)
    real = SEQUENCES.any(-1).astype(float)
    spread = real * (weight if weight.ndim == 2 else weight[:, None])
    assert measured["mae"] == pytest.approx((errors * real).sum() / real.sum(), rel=1e-5)
    assert measured["weighted_mae"] == pytest.approx((errors * spread).sum() / spread.sum(), rel=1e-5)


def test_the_order_of_arguments_is_that_of_keras_2():
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", ["mae"], 0.5, None, ["mse"])
    assert model.metrics_names == ["loss", "mae", "mse"]
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(model.evaluate(X, Y, verbose=0)[2] / 2, rel=1e-6)


LOGITS = ("The loss reads the predictions as logits, the metric {!r} as shares from 0 to 1. Give the last layer "
          "activation='sigmoid' and leave from_logits out of the loss: it is computed from the logits all the same. Or tell "
          "the metric: AUC(from_logits=True), BinaryAccuracy(threshold=0.0).")


@pytest.mark.parametrize("metric", ["AUC", "Precision", "binary_accuracy", BinaryAccuracy(), "binary_crossentropy",
                                    F1Score(threshold=0.5), "TruePositives", "BinaryIoU"], ids=str)
def test_a_metric_of_shares_beside_a_loss_of_logits_is_refused(metric):
    with pytest.raises(ValueError) as error:
        interpreted("sgd", BinaryCrossentropy(from_logits=True), [metric])
    name = getattr(metric, "name", metric)
    assert str(error.value) == LOGITS.format(name)


def test_metrics_that_take_logits_measure_them():
    one = Sequential([Dense(1, activation="sigmoid", input_shape=(3,))], seed=2)
    one.compile("sgd", "binary_crossentropy", [AUC(), BinaryAccuracy(), "accuracy"])
    other = Sequential([Dense(1, input_shape=(3,))], seed=2)
    of_logits = [AUC(from_logits=True), BinaryAccuracy(threshold=0.0), "accuracy", Precision(top_k=1)]
    other.compile("sgd", BinaryCrossentropy(from_logits=True), of_logits)
    other.set_weights(one.get_weights())
    assert_allclose(other.evaluate(X, Y, verbose=0)[:4], one.evaluate(X, Y, verbose=0), rtol=1e-5)


def refused(message, error=TypeError, **how):
    return pytest.param(how, error, message, id=message[:60])


@pytest.mark.parametrize(("how", "kind", "message"), [
    refused("metrics=[1.0] are numbers: the third argument of compile is metrics, as in Keras 2. Write loss_weights=[1.0].",
            metrics=[1.0]),
    refused("weighted_metrics='mse': write a list, weighted_metrics=['mse'].", weighted_metrics="mse"),
    refused("loss_weights=[1, 2]: a Sequential has one loss, write one.", ValueError, loss_weights=[1, 2]),
    refused("loss_weights='x': write a finite number, by which the loss is multiplied.", ValueError, loss_weights="x"),
    refused("loss_weights=nan: write a finite number, by which the loss is multiplied.", ValueError, loss_weights=np.nan),
    refused("loss_weights={'lats': 2.0}: the model's output is its last layer, 'last'. Write loss_weights=2.0.", ValueError,
            loss_weights={"lats": 2.0}),
    refused("metrics={'last': 'mse', 'x': 'mae'}: a Sequential has one output, write one entry.", ValueError,
            metrics={"last": "mse", "x": "mae"}),
    refused("target_tensors: there is no graph to feed. Pass the targets to fit, fit(x, y).", ValueError, target_tensors=[1]),
    refused("compile takes no argument 'los_weights'. Did you mean 'loss_weights'?", los_weights=2),
])
def test_what_compile_cannot_mean_is_refused(how, kind, message):
    model = Sequential([Dense(1, input_shape=(3,), name="last")])
    model.compile("sgd", "mse", metrics=["mae"])
    with pytest.raises(kind) as error:
        model.compile("sgd", "mse", **how)
    assert type(error.value) is kind and str(error.value) == message
    assert model.metrics_names == ["loss", "mae"]


@pytest.mark.parametrize("loss", [["mae"], ("mae",), {"last": "mae"}], ids=str)
def test_the_loss_of_the_one_output_may_stand_in_a_list_or_a_dict(loss):
    model = Sequential([Dense(1, input_shape=(3,), name="last")], seed=0)
    model.compile("sgd", loss)
    found = model.evaluate(X, Y, verbose=0)
    model.compile("sgd", "mae")
    assert found == model.evaluate(X, Y, verbose=0)


def test_a_model_tells_its_loss_and_its_variables():
    model = Sequential([Dense(1, input_shape=(3,))], seed=0)
    assert model.loss is None
    model.compile("sgd", ["mae"])
    assert model.loss == ["mae"]
    for one, other in ("variables", "weights"), ("trainable_variables", "trainable_weights"), (
            "non_trainable_variables", "non_trainable_weights"):
        assert [each.shape for each in getattr(model, one)] == [each.shape for each in getattr(model, other)]


@pytest.mark.parametrize("method", ["call", "train_step", "compute_loss"])
def test_what_would_never_be_asked_is_refused_where_the_class_is_made(method):
    with pytest.raises(TypeError, match=f"Mine defines {method}, which a Sequential here never asks"):
        type("Mine", (Sequential,), {method: lambda self, *values: None})
