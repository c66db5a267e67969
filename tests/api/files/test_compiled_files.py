"""Every loss, metric, optimizer and schedule through `.keras`: Keras 3 trains on alike, and so does this library after it."""

import jax
import numpy as np
import pytest
from both_ways import back, there, trained, with_weights
from core.test_schedules import CASES as SCHEDULES
from test_optimizer_state import CASES as OPTIMIZERS

from jaxseq import layers as L
from jaxseq.core import losses, metrics, optimizers, schedules
from jaxseq.models import Sequential, load_model

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # every program runs once or twice

DRAW = np.random.default_rng(5)
X = DRAW.normal(size=(6, 4)).astype("float32")
SEQUENCES = DRAW.normal(size=(6, 8, 4)).astype("float32")
NUMBERS = DRAW.normal(size=(6, 4)).astype("float32")
COUNTS = DRAW.poisson(3, (6, 4)).astype("float32")
HITS = (DRAW.random((6, 4)) < 0.5).astype("float32")
SHARES = DRAW.dirichlet(np.ones(4), 6).astype("float32")
CLASSES_OF_ROWS = np.array([0, 1, 0, 1, 2, 2])
ONE_HOT = np.eye(4, dtype="float32")[CLASSES_OF_ROWS]
WORDS = np.array([[1, 2, 0], [3, 3, 1], [2, 0, 0], [1, 0, 0], [2, 1, 2], [3, 1, 0]])


@pytest.fixture(autouse=True, scope="module")
def promoted():
    """Keras's programs promote dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def family(cases, quick):
    """The cases, of which those called `quick` always run."""
    return [pytest.param(*case, marks=[] if place in quick else [pytest.mark.full], id=f"{place} {case[0]}")
            for place, case in enumerate(cases)]


def go_both_ways(folder, y, optimizer="sgd", loss="mse", measured=(), activation=None, x=X, last=()):
    model = with_weights(Sequential([L.Dense(4, activation, input_shape=x.shape[1:]), *last]))
    model.compile(optimizer, loss, metrics=list(measured))
    trained(model, x, y, 2)
    assert back(there(model, x, y, folder), x, y, folder).metrics_names == model.metrics_names


# ---- losses

LOSSES = [                                          # class, settings, the last activation, y
    ("MeanSquaredError", {"reduction": "sum"}, None, NUMBERS), ("MeanAbsoluteError", {}, None, NUMBERS),
    ("MeanAbsolutePercentageError", {}, None, NUMBERS), ("MeanSquaredLogarithmicError", {}, "softplus", COUNTS),
    ("Huber", {}, None, NUMBERS), ("LogCosh", {"name": "far"}, None, NUMBERS),
    ("CosineSimilarity", {}, None, NUMBERS), ("Hinge", {}, None, 2 * HITS - 1), ("SquaredHinge", {}, None, 2 * HITS - 1),
    ("CategoricalHinge", {}, None, ONE_HOT), ("KLDivergence", {}, "softmax", SHARES), ("Poisson", {}, "softplus", COUNTS),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "sigmoid", HITS),
    ("BinaryCrossentropy", {"from_logits": True}, None, HITS),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "softmax", ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True, "reduction": "mean_with_sample_weight"}, None, SHARES),
    ("SparseCategoricalCrossentropy", {}, "softmax", CLASSES_OF_ROWS),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "softmax", CLASSES_OF_ROWS),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, "sigmoid", HITS),
    ("CategoricalFocalCrossentropy", {"alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1}, "softmax", ONE_HOT),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, "softmax", CLASSES_OF_ROWS), ("Dice", {}, "sigmoid", HITS),
    ("Tversky", {"alpha": 0.3, "beta": 0.7}, "sigmoid", HITS),
    ("Circle", {"gamma": 20.0, "margin": 0.2}, None, CLASSES_OF_ROWS), ("CTC", {}, None, WORDS),
]


def test_every_loss_has_its_trip():
    assert {name for name, *_ in LOSSES} == set(losses.CLASSES)


@pytest.mark.parametrize(("name", "settings", "activation", "y"), family(LOSSES, {12}))
def test_a_loss_goes_both_ways(name, settings, activation, y, tmp_path):
    last = [L.UnitNormalization()] if name == "Circle" else []           # it compares directions
    go_both_ways(tmp_path, y, loss=getattr(losses, name)(**settings), activation=activation,
                 x=SEQUENCES if name == "CTC" else X, last=last)


@pytest.mark.full
def test_keras_leaves_the_delta_of_a_huber_loss_out_of_its_files(tmp_path):
    model = with_weights(Sequential([L.Dense(4, input_shape=(4,))]))
    model.compile("sgd", losses.Huber(0.3))
    there(model, X, NUMBERS, tmp_path).save(tmp_path / "there.keras")
    assert load_model(tmp_path / "there.keras").loss.delta == 1.0


# ---- metrics

METRICS = [                                         # loss, the last activation, y, {class: settings}
    ("mse", None, NUMBERS, {
        "MeanSquaredError": {}, "MeanAbsoluteError": {"name": "far"}, "MeanAbsolutePercentageError": {}, "LogCoshError": {},
        "RootMeanSquaredError": {}, "CosineSimilarity": {"axis": -1}, "PearsonCorrelation": {}, "ConcordanceCorrelation": {},
        "R2Score": {"class_aggregation": "variance_weighted_average"}, "Accuracy": {}}),
    ("poisson", "softplus", COUNTS, {"MeanSquaredLogarithmicError": {}, "Poisson": {}}),
    ("binary_crossentropy", "sigmoid", HITS, {
        "BinaryAccuracy": {"threshold": 0.3}, "BinaryCrossentropy": {"label_smoothing": 0.1}, "Hinge": {}, "SquaredHinge": {},
        "TruePositives": {"thresholds": [0.3, 0.6]}, "FalsePositives": {}, "TrueNegatives": {}, "FalseNegatives": {},
        "Precision": {"top_k": 2}, "Recall": {"class_id": 1}, "AUC": {"num_thresholds": 20, "curve": "PR"},
        "SensitivityAtSpecificity": {"specificity": 0.5}, "SpecificityAtSensitivity": {"sensitivity": 0.5},
        "PrecisionAtRecall": {"recall": 0.5}, "RecallAtPrecision": {"precision": 0.5}, "F1Score": {"threshold": 0.5},
        "FBetaScore": {"average": "macro", "beta": 2.0}, "BinaryIoU": {"target_class_ids": [1], "threshold": 0.3}}),
    ("categorical_crossentropy", "softmax", ONE_HOT, {
        "CategoricalAccuracy": {}, "TopKCategoricalAccuracy": {"k": 2}, "CategoricalCrossentropy": {"label_smoothing": 0.1},
        "CategoricalHinge": {}, "KLDivergence": {}, "OneHotIoU": {"num_classes": 4, "target_class_ids": [1]},
        "OneHotMeanIoU": {"num_classes": 4}}),
    ("sparse_categorical_crossentropy", "softmax", CLASSES_OF_ROWS, {
        "SparseCategoricalAccuracy": {}, "SparseTopKCategoricalAccuracy": {"k": 2}, "SparseCategoricalCrossentropy": {},
        "MeanIoU": {"num_classes": 4, "sparse_y_pred": False},
        "IoU": {"num_classes": 4, "target_class_ids": [0, 2], "sparse_y_pred": False}}),
]


def test_every_metric_has_its_trip():
    assert {name for *_, told in METRICS for name in told} == set(metrics.CLASSES)


@pytest.mark.parametrize(("loss", "activation", "y", "told"), family(METRICS, {4}))
def test_metrics_go_both_ways(loss, activation, y, told, tmp_path):
    made = [getattr(metrics, name)(**settings) for name, settings in told.items()]
    go_both_ways(tmp_path, y, loss=loss, measured=made, activation=activation)


# ---- optimizers and schedules


def test_every_optimizer_and_schedule_has_its_trip():
    assert {name for name, _ in OPTIMIZERS} == set(optimizers.CLASSES)
    assert {name for name, _ in SCHEDULES} == set(schedules.CLASSES)


@pytest.mark.parametrize(("name", "settings"), family(OPTIMIZERS, {11}))
def test_an_optimizer_goes_both_ways(name, settings, tmp_path):
    go_both_ways(tmp_path, NUMBERS, getattr(optimizers, name)(0.01, **settings), activation="tanh", last=[L.Dense(4)])


@pytest.mark.parametrize(("name", "arguments"), family(SCHEDULES, {4}))
def test_a_schedule_goes_both_ways(name, arguments, tmp_path):
    """Eight steps, within which every one of them changes its course."""
    go_both_ways(tmp_path, NUMBERS, optimizers.SGD(getattr(schedules, name)(*arguments)))


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_the_state_of_an_optimizer_in_float64_keeps_its_bits(tmp_path, name):
    with jax.enable_x64(True):
        model = Sequential([L.Dense(2, input_shape=(4,))], dtype="float64")
        model.compile("adam", "mse")
        model.fit(X.astype("float64"), NUMBERS[:, :2].astype("float64"), verbose=0)
        model.save(tmp_path / name)
        again = load_model(tmp_path / name)
        before, after = (jax.tree.leaves(each.train_state.opt_state) for each in (model, again))
        assert any(leaf.dtype == "float64" for leaf in before) and len(before) == len(after)
        for leaf, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(leaf, other)
            assert leaf.dtype == other.dtype
