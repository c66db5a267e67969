"""Counts above thresholds, over unequal weighted batches, against keras.metrics; areas against a loop over all pairs."""

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

# class, arguments
CASES = [
    *[(name, {}) for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall",
                              "AUC")],
    *[(name, {"thresholds": [0.7, 0.2, 0.5]}) for name in ("TruePositives", "FalseNegatives", "Precision", "Recall", "AUC")],
    ("Precision", {"thresholds": 0.0}), ("Precision", {"top_k": 2}), ("Recall", {"top_k": 2, "class_id": 1}),
    ("Recall", {"top_k": 3, "thresholds": 0.6}), ("Precision", {"class_id": 2}),
    ("Precision", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}),
    ("SensitivityAtSpecificity", {"specificity": 0.4}), ("SpecificityAtSensitivity", {"sensitivity": 0.6}),
    ("PrecisionAtRecall", {"recall": 0.3}), ("RecallAtPrecision", {"precision": 0.7, "num_thresholds": 30}),
    ("RecallAtPrecision", {"precision": 1.0}), ("SensitivityAtSpecificity", {"specificity": 0.5, "class_id": 1}),
    ("PrecisionAtRecall", {"recall": 0.3, "num_thresholds": 1}),
    *[("AUC", {"curve": curve, "summation_method": method, "num_thresholds": 25})
      for curve in ("ROC", "PR", "PRGAIN") for method in ("interpolation", "minoring", "majoring")],
    ("AUC", {"multi_label": True}), ("AUC", {"multi_label": True, "num_labels": 4, "curve": "PR"}),
    ("AUC", {"multi_label": True, "label_weights": [0.1, 2.0, 1.0, 0.0], "num_thresholds": 2}),
    ("AUC", {"label_weights": [0.1, 2.0, 1.0, 0.0]}), ("AUC", {"from_logits": True}),
]


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(21))


def batch(draw, rows, logits=False):
    """Labels that the predictions tell, more or less; whole weights, so that Keras's sums are exact, too."""
    y = (draw.random((rows, 4)) < 0.4).astype(np.float32)
    scores = (draw.normal(size=y.shape) + y).astype(np.float32)
    return y, scores if logits else 1 / (1 + np.exp(-scores)), draw.integers(0, 4, rows).astype(np.float32)


def measured(metric, batches):
    """The number that comes of (y, y_hat, weight) batches."""
    of = {len(each[1]): jax.jit(metric.sums).lower(*each).compile({"xla_backend_optimization_level": 0}) for each in batches}
    add = lambda sums, each: jax.tree.map(np.add, sums, of[len(each[1])](*each))
    zero = metrics.zeros(metric, *(jax.ShapeDtypeStruct(each.shape, each.dtype) for each in batches[0][:2]))
    return metric.finish(*functools.reduce(add, batches, zero))


@pytest.mark.every(4)
@pytest.mark.parametrize("weighted", [True, pytest.param(False, marks=pytest.mark.full)])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_over_unequal_batches_it_is_that_of_keras(name, options, weighted, draw):
    batches = [batch(draw, rows, "from_logits" in options) for rows in ROWS]
    batches = [(y, y_hat, weight if weighted else None) for y, y_hat, weight in batches]
    theirs = getattr(keras.metrics, name)(**options)
    for y, y_hat, weight in batches:
        theirs.update_state(y, y_hat, sample_weight=weight)
    got = measured(metrics.get(getattr(metrics, name)(**options)), batches)
    assert np.shape(got) == np.shape(theirs.result())
    assert_allclose(got, theirs.result(), rtol=1e-5, atol=1e-6)


def test_the_mask_of_time_steps_counts(draw):
    y, y_hat, _ = batch(draw, 6)
    mask = np.array([[1, 0], [1, 1], [0, 1]], np.float32)
    over_time = measured(metrics.get("precision"), [(y.reshape(3, 2, 4), y_hat.reshape(3, 2, 4), mask)])
    real = mask.reshape(-1) > 0
    assert_allclose(over_time, measured(metrics.get("precision"), [(y[real], y_hat[real], None)]), rtol=1e-6)


def test_the_area_is_the_share_of_pairs_in_order(draw):
    """The area under the ROC is the chance that a positive stands above a negative (Hanley & McNeil 1982)."""
    y, y_hat = (draw.random(200) < 0.4).astype(np.float32), np.round(draw.random(200), 2).astype(np.float32) + 1e-3
    differences = y_hat[y > 0][:, None] - y_hat[y == 0][None, :]
    pairs = np.mean((differences > 1e-6) + 0.5 * (np.abs(differences) <= 1e-6))
    cuts = (np.arange(1, 101) / 100 - 0.004).tolist()
    assert_allclose(measured(metrics.get(metrics.AUC(thresholds=cuts)), [(y[:, None], y_hat[:, None], None)]), pairs, rtol=1e-5)


def test_nothing_claimed_and_nothing_positive_is_0_and_nan_is_claimed_by_none():
    y, y_hat = jnp.zeros((3, 1)), jnp.full((3, 1), jnp.nan)
    for name in "precision", "recall", "false_positives", "auc":
        assert measured(metrics.get(name), [(y, y_hat, None)]) == 0


@pytest.mark.parametrize(("name", "options"), [("Recall", {}), ("Precision", {}), ("PrecisionAtRecall", {"recall": 0.3}),
                                                ("SensitivityAtSpecificity", {"specificity": 0.5})])
def test_what_lies_outside_in_another_class_does_not_matter(name, options, draw):
    y, y_hat, _ = batch(draw, 20)
    metric = metrics.get(getattr(metrics, name)(class_id=0, **options))
    other = np.concatenate([y_hat[:, :1], 10 * y_hat[:, 1:]], axis=1)
    assert_allclose(measured(metric, [(y, other, None)]), measured(metric, [(y, y_hat, None)]))
    assert np.isnan(measured(metric, [(y, 10 * y_hat, None)]))


def test_a_prediction_at_a_threshold_is_not_above_it():
    y, y_hat = jnp.ones((4, 1)), jnp.array([[0.0], [0.25], [0.5], [1.0]])
    counts = measured(metrics.get(metrics.TruePositives(thresholds=[0.0, 0.25, 0.5, 0.75, 1.0])), [(y, y_hat, None)])
    assert counts.tolist() == [3, 2, 1, 1, 0]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: metrics.Precision(1.5), "Precision(thresholds=1.5): write numbers from 0 to 1."),
    (lambda: metrics.TruePositives([0.5, -1.0]), "TruePositives(thresholds=(0.5, -1.0)): write numbers from 0 to 1."),
    (lambda: metrics.PrecisionAtRecall(2.0), "PrecisionAtRecall(recall=2.0): write a number from 0 to 1."),
    (lambda: metrics.AUC(curve="RC"), "AUC curve='RC': write one of 'ROC', 'PR', 'PRGAIN'."),
    (lambda: metrics.AUC(summation_method="sum"), "AUC summation_method='sum': write one of 'interpolation', 'minoring', "
     "'majoring'."),
    (lambda: metrics.AUC(1), "AUC(num_thresholds=1): write at least 2."),
    (lambda: metrics.AUC(num_labels=3), "AUC(num_labels=3): write multi_label=True, too, for an area per label."),
    (lambda: metrics.Recall(class_id=4).metric().sums(jnp.ones((2, 3)), jnp.ones((2, 3)), None), "class_id=4: the predictions "
     "have 3 classes."),
    (lambda: metrics.Recall().metric().sums(jnp.ones(2), jnp.ones((2, 1)), None), "metric 'recall' wants y of the predictions' "
     "shape (2, 1), got (2,)."),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError) as raised:
        make()
    assert str(raised.value) == message


@pytest.mark.parametrize(("name", "options"), [
    ("AUC", {}), ("AUC", {"multi_label": True}), ("Precision", {}), ("Recall", {"thresholds": [0.3, 0.6]}),
    ("TruePositives", {}), ("Precision", {"top_k": 2, "thresholds": 0.5}), ("RecallAtPrecision", {"precision": 0.5}),
    ("SensitivityAtSpecificity", {"specificity": 0.5}),
], ids=str)
def test_predictions_that_are_no_probabilities_give_nan(name, options, draw):
    metric = metrics.get(getattr(metrics, name)(**options))
    good, bad = batch(draw, 9), batch(draw, 9, logits=True)
    counted, not_counted = [(*each[:2], np.float32(weight) + np.zeros(9, np.float32)) for each, weight in ((bad, 2), (bad, 0))]
    assert metric.of_shares and np.isfinite(measured(metric, [good, good])).all()
    assert np.isnan(measured(metric, [good, counted])).all()
    assert np.shape(measured(metric, [good, counted])) == np.shape(measured(metric, [good, good]))
    assert np.isfinite(measured(metric, [good, not_counted])).all()
    by_rounding = good[0], np.clip(good[1] * 4, 0, 1).astype(np.float32) + np.float32(2e-7), good[2]
    assert np.isfinite(measured(metric, [by_rounding])).all()


@pytest.mark.parametrize(("name", "options"), [("AUC", {"from_logits": True}), ("Precision", {"top_k": 2})], ids=str)
def test_those_that_only_rank_or_are_told_take_logits(name, options, draw):
    metric = metrics.get(getattr(metrics, name)(**options))
    assert not metric.of_shares and np.isfinite(measured(metric, [batch(draw, 9, logits=True)]))
