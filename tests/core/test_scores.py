"""F-scores, R2 and overlaps of classes, over unequal weighted batches, against keras.metrics and NumPy."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import metrics

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

ROWS = 9, 9, 4                                                  # the last batch is smaller


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(22))


def hits(draw, rows):
    return (draw.random((rows, 3)) < 0.4).astype(np.float32)


def shares(draw, rows):
    return draw.random((rows, 3)).astype(np.float32)


def numbers(draw, rows):
    return draw.normal(size=(rows, 3)).astype(np.float32)


def columns(draw, rows):
    return draw.normal(size=(rows, 1)).astype(np.float32)


def classes(draw, rows):
    return draw.integers(0, 3, (rows, 5)).astype(np.float32)


def one_hot(draw, rows):
    return np.eye(3, dtype=np.float32)[draw.integers(0, 3, (rows, 5))]


def maps(draw, rows):
    return draw.random((rows, 5, 3)).astype(np.float32)


# class, arguments, what y is, what y_hat is
CASES = [
    *[("F1Score", {"average": average}, hits, shares) for average in (None, "macro", "micro", "weighted")],
    ("F1Score", {"threshold": 0.5}, hits, shares),
    ("FBetaScore", {"average": "macro", "beta": 2.0, "threshold": 0.3}, hits, shares),
    *[("R2Score", {"class_aggregation": each}, numbers, numbers) for each in (
        "uniform_average", "variance_weighted_average", None)],
    ("R2Score", {"num_regressors": 3}, columns, columns),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, classes, classes),
    ("MeanIoU", {"num_classes": 3}, classes, classes),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1, "sparse_y_pred": False}, classes, maps),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [1]}, one_hot, maps),
    ("OneHotMeanIoU", {"num_classes": 3}, one_hot, maps),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, hits, shares),
]


def measured(metric, batches):
    """The number that comes of (y, y_hat, weight) batches."""
    of = {len(each[1]): jax.jit(metric.sums).lower(*each).compile({"xla_backend_optimization_level": 0}) for each in batches}
    add = lambda sums, each: jax.tree.map(np.add, sums, of[len(each[1])](*each))
    zero = metrics.zeros(metric, *(jax.ShapeDtypeStruct(each.shape, each.dtype) for each in batches[0][:2]))
    return metric.finish(*functools.reduce(add, batches, zero))


def as_keras_has_it(weight, y_hat, name):
    """An overlap of Keras takes whole weights, one for each label."""
    if weight is None or "IoU" not in name:
        return weight
    places = y_hat.shape[:-1] if y_hat.ndim == 3 else y_hat.shape
    return np.broadcast_to(weight[:, None], places).astype(np.int32)


@pytest.mark.every(4)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options", "of_y", "of_y_hat"), CASES)
def test_over_unequal_batches_it_is_that_of_keras(name, options, of_y, of_y_hat, weighted, draw):
    if weighted and "num_regressors" in options:
        weighted = False                                        # Keras counts rows of weight 0; see below
    batches = [(of_y(draw, rows), of_y_hat(draw, rows), draw.integers(0, 4, rows).astype(np.float32) if weighted else None)
               for rows in ROWS]
    theirs = getattr(keras.metrics, name)(**options)
    for y, y_hat, weight in batches:
        with jax.numpy_dtype_promotion("standard"):
            theirs.update_state(y, y_hat, sample_weight=as_keras_has_it(weight, y_hat, name))
    with jax.numpy_dtype_promotion("standard"):
        expected = theirs.result()
    got = measured(metrics.get(getattr(metrics, name)(**options)), batches)
    assert np.shape(got) == np.shape(expected)
    assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


def test_rows_of_weight_0_count_for_nothing(draw):
    y, y_hat, weight = columns(draw, 12), columns(draw, 12), np.r_[np.ones(8), np.zeros(4)].astype(np.float32)
    score = metrics.get(metrics.R2Score(num_regressors=2))
    assert_allclose(measured(score, [(y, y_hat, weight)]), measured(score, [(y[:8], y_hat[:8], None)]), rtol=1e-5)


def test_weights_of_an_overlap_need_not_be_whole():
    y, y_hat, weight = jnp.array([[0], [0], [1]]), jnp.array([[0], [1], [1]]), jnp.array([0.5, 0.25, 1.0])
    assert_allclose(measured(metrics.get(metrics.MeanIoU(2)), [(y, y_hat, weight)]), (0.5 / 0.75 + 1 / 1.25) / 2, rtol=1e-5)


def test_numbers_that_are_no_class_do_not_count():
    y, y_hat = jnp.array([[0], [7], [1], [-1]]), jnp.array([[0], [1], [5], [0]])
    assert_allclose(measured(metrics.get(metrics.MeanIoU(2)), [(y, y_hat, None)]), 1, rtol=1e-5)


def test_totals_of_which_the_predictions_tell_the_shape():
    spec = jax.ShapeDtypeStruct((4, 3), jnp.float32)
    score, area = metrics.get(metrics.F1Score()), metrics.get("auc")
    assert score.zero is None and [each.shape for each in metrics.zeros(score, spec, spec)] == [(3,)] * 3
    assert metrics.zeros(area, spec, spec) is area.zero
    assert all(each.shape == zero.shape and each.dtype == zero.dtype for each, zero in zip(
        jax.eval_shape(lambda x: area.sums(x, x, None), spec), area.zero, strict=True))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: metrics.F1Score("mean"), "F1Score average='mean': write one of None, 'micro', 'macro', 'weighted'."),
    (lambda: metrics.FBetaScore(beta=0.0), "FBetaScore(beta=0.0): write a number above 0."),
    (lambda: metrics.F1Score(threshold=0), "F1Score(threshold=0): write a number above 0, up to 1."),
    (lambda: metrics.R2Score("mean"), "R2Score class_aggregation='mean': write one of None, 'uniform_average', "
     "'variance_weighted_average'."),
    (lambda: metrics.IoU(2, [2]), "IoU(target_class_ids=[2]): write whole numbers from 0 to 1."),
    (lambda: metrics.F1Score().metric().sums(jnp.ones((2, 3, 4)), jnp.ones((2, 3, 4)), None), "metric 'f1_score' wants "
     "predictions (batch, classes), got (2, 3, 4)."),
    (lambda: metrics.MeanIoU(3).metric().sums(jnp.ones((2, 5)), jnp.ones((2, 5, 3)), None), "metric 'mean_io_u' compares "
     "classes of shape (2, 5) with (2, 5, 3): set sparse_y_true and sparse_y_pred to False where there is an axis of classes."),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError) as raised:
        make()
    assert str(raised.value) == message
