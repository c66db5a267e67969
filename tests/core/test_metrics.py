"""Metrics over unequal batches against keras.metrics; what Keras weighs otherwise, against the formula."""

import dataclasses
import functools
import inspect
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import losses, measures, metrics
from jaxseq.core.metrics import Monoid

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

ROWS = 5, 5, 2                                                  # the last batch is smaller


def numbers(draw, *shape):
    return draw.normal(size=shape).astype(np.float32)


def shares(draw, *shape):
    p = 1 / (1 + np.exp(-numbers(draw, *shape)))
    p.flat[0] = 0.5                                             # on the line between two labels
    return p


def hits(draw, *shape):
    return (numbers(draw, *shape) > 0).astype(np.float32)


def soft(draw, *shape):
    odds = np.exp(numbers(draw, *shape))
    return odds / odds.sum(axis=-1, keepdims=True)


def one_hot(draw, *shape):
    return np.eye(shape[-1], dtype=np.float32)[labels(draw, *shape).astype(int)]


def labels(draw, *shape):
    return draw.integers(0, shape[-1], shape[:-1]).astype(np.float32)


# name, Keras's, what y is, what y_hat is
CASES = {
    "binary_accuracy": (keras.metrics.BinaryAccuracy, hits, shares),
    "categorical_accuracy": (keras.metrics.CategoricalAccuracy, one_hot, soft),
    "sparse_categorical_accuracy": (keras.metrics.SparseCategoricalAccuracy, labels, soft),
    "mse": (keras.metrics.MeanSquaredError, numbers, numbers),
    "mean_absolute_error": (keras.metrics.MeanAbsoluteError, numbers, numbers),
    "binary_crossentropy": (keras.metrics.BinaryCrossentropy, hits, shares),
    "categorical_crossentropy": (keras.metrics.CategoricalCrossentropy, one_hot, soft),
    "sparse_categorical_crossentropy": (keras.metrics.SparseCategoricalCrossentropy, labels, soft),
    "top_k_categorical_accuracy": (lambda: keras.metrics.TopKCategoricalAccuracy(k=5), one_hot, soft),
    "cosine_similarity": (keras.metrics.CosineSimilarity, numbers, numbers),
    "cosine_proximity": (lambda: keras.metrics.MeanMetricWrapper(keras.losses.cosine_similarity), numbers, numbers),
    "pearson_correlation": (keras.metrics.PearsonCorrelation, numbers, numbers),
    "concordance_correlation": (keras.metrics.ConcordanceCorrelation, numbers, numbers),
    "mape": (keras.metrics.MeanAbsolutePercentageError, numbers, numbers),
    "msle": (keras.metrics.MeanSquaredLogarithmicError, shares, shares),
    "logcosh": (keras.metrics.LogCoshError, numbers, numbers),
    "hinge": (keras.metrics.Hinge, hits, numbers),
    "squared_hinge": (keras.metrics.SquaredHinge, hits, numbers),
    "categorical_hinge": (keras.metrics.CategoricalHinge, one_hot, numbers),
    "kld": (keras.metrics.KLDivergence, soft, soft),
    "poisson": (keras.metrics.Poisson, hits, shares),
    "RootMeanSquaredError": (keras.metrics.RootMeanSquaredError, numbers, numbers),
    "Accuracy of a class": (keras.metrics.Accuracy, hits, hits),
}
OPTIONS = [                                                     # class, arguments, what y is, what y_hat is
    ("BinaryAccuracy", {"threshold": 0.3}, hits, shares),
    ("TopKCategoricalAccuracy", {"k": 2}, one_hot, soft),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, labels, soft),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, labels, lambda draw, *shape: np.argsort(
        soft(draw, *shape)).astype(np.float32)),
    ("CosineSimilarity", {"axis": -1}, numbers, numbers),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, hits, numbers),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, one_hot, numbers),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, labels, numbers),
]


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(12))


def measured(metric, batches):
    """The number that comes of (y, y_hat, weight) batches."""
    of = {len(y_hat): jax.jit(metric.sums).lower(y, y_hat, weight).compile({"xla_backend_optimization_level": 0})
          for y, y_hat, weight in batches}
    add = lambda sums, batch: jax.tree.map(np.add, sums, of[len(batch[1])](*batch))
    return metric.finish(*functools.reduce(add, batches, metric.zero))


@pytest.mark.every(4)
@pytest.mark.parametrize("masked", [False, True], ids=["rows", "masked time steps"])
@pytest.mark.parametrize("name", CASES)
def test_over_unequal_batches_it_is_that_of_keras(name, masked, draw):
    of_keras, of_y, of_y_hat = CASES[name]
    ours = metrics.get(metrics.Accuracy() if name == "Accuracy of a class" else name)
    held_to(of_keras(), ours, of_y, of_y_hat, masked, draw)


@pytest.mark.every(3)
@pytest.mark.parametrize("masked", [False, True], ids=["rows", "masked time steps"])
@pytest.mark.parametrize(("name", "options", "of_y", "of_y_hat"), OPTIONS)
def test_options_are_those_of_keras(name, options, of_y, of_y_hat, masked, draw):
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    assert ours.name == theirs.name
    held_to(theirs, metrics.get(ours), of_y, of_y_hat, masked, draw)


def held_to(theirs, ours, of_y, of_y_hat, masked, draw):
    time = (6,) if masked else ()
    batches = [(of_y(draw, rows, *time, 4), of_y_hat(draw, rows, *time, 4), hits(draw, rows, *time) if masked else None)
               for rows in ROWS]
    for y, y_hat, mask in batches:
        theirs.update_state(y, y_hat, sample_weight=mask)
    assert_allclose(measured(ours, batches), theirs.result(), rtol=5e-6)


def test_the_weights_of_rows_count(draw):
    y, y_hat, weight = numbers(draw, 4, 3), numbers(draw, 4, 3), np.array([0.0, 0.5, 2.0, 1.0], np.float32)
    value = measured(metrics.get("mse"), [(y, y_hat, weight)])
    assert_allclose(value, np.average(np.square(y - y_hat).mean(axis=1), weights=weight), rtol=1e-6)


def test_weights_of_rows_reach_every_time_step_and_label(draw):
    y, y_hat, weight = numbers(draw, 4, 3, 2), numbers(draw, 4, 3, 2), np.array([0.0, 0.5, 2.0, 1.0], np.float32)
    errors = metrics.mean("errors", lambda y, y_hat: jnp.abs(y - y_hat))                        # (batch, time, 2)
    assert_allclose(measured(errors, [(y, y_hat, weight)]), np.average(np.abs(y - y_hat).mean((1, 2)), weights=weight),
                    rtol=1e-6)


def test_padding_counts_nothing_even_where_it_is_nan():
    y, mask = jnp.array([[1, -1], [0, 5]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])                 # -1 and 5 are no classes
    y_hat = jnp.full((2, 2, 4), 0.25)
    assert_allclose(measured(metrics.get("sparse_categorical_crossentropy"), [(y, y_hat, mask)]), np.log(4), rtol=1e-6)


def test_one_number_for_the_whole_batch_is_weighted_by_its_rows(draw):
    batches = [(None, numbers(draw, rows, 3), None) for rows in ROWS]

    def mean_pred(y, y_hat):
        return jnp.mean(y_hat)

    every_row = np.concatenate([y_hat for _, y_hat, _ in batches])
    assert_allclose(measured(metrics.get(mean_pred), batches), every_row.mean(), rtol=1e-6)
    theirs = keras.metrics.MeanMetricWrapper(mean_pred)
    for _, y_hat, _ in batches:
        theirs.update_state(None, y_hat)
    assert_allclose(theirs.result(), np.mean([y_hat.mean() for _, y_hat, _ in batches]), rtol=1e-6)     # Keras 3: each once


def test_bools_and_integers_are_averaged_as_numbers():
    right = metrics.get(lambda y, y_hat: y == y_hat)
    ones = jnp.array([1, 2, 3])
    assert measured(right, [(ones, jnp.array([1, 0, 3]), None)]) == jnp.float32(2 / 3)
    assert measured(metrics.get(lambda y, y_hat: jnp.sum(y)), [(ones, ones, None)]) == 6


@pytest.mark.parametrize("name", measures.__all__)
def test_lists_and_numpy_arrays_are_taken(name):
    y, y_hat = [1, 2] if "sparse" in name else [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[0.2, 0.7, 0.1], [0.3, 0.5, 0.2]]
    function = getattr(metrics, name)
    values = function(jnp.asarray(y), jnp.asarray(y_hat))
    for one, other in (y, y_hat), (np.asarray(y), np.asarray(y_hat)):
        assert_allclose(function(one, other), values, rtol=1e-6)


def test_binary_accuracy_is_the_share_of_labels(draw):
    assert_allclose(metrics.binary_accuracy(jnp.array([[1, 0, 1, 0]]), jnp.array([[0.9, 0.1, 0.2, 0.5]])), [0.75])


# ---- a monoid ----


@pytest.mark.parametrize("name", ["mse", "binary_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
                                  "scalar"])
def test_sums_of_parts_add_up_to_the_sums_of_the_whole_and_zero_adds_nothing(name, draw):
    metric = metrics.get((lambda y, y_hat: jnp.mean(jnp.square(y - y_hat))) if name == "scalar" else name)
    _, of_y, of_y_hat = CASES.get(name, CASES["mse"])
    y, y_hat, weight = of_y(draw, 12, 4), of_y_hat(draw, 12, 4), None if name == "scalar" else shares(draw, 12)
    of = jax.jit(metric.sums)
    whole = of(y, y_hat, weight)
    parts = [of(y[rows], y_hat[rows], None if weight is None else weight[rows])
             for rows in (slice(0, 4), slice(4, 8), slice(8, 12))]
    for total, zero, *shares_of_it in zip(whole, metric.zero, *parts, strict=True):
        assert total.shape == zero.shape == () and total.dtype == zero.dtype == jnp.float32
        assert_allclose(sum(shares_of_it), total, rtol=1e-6)
        assert_array_equal(total + zero, total)


def test_a_metric_of_nothing_is_nan():
    metric = metrics.get("mse")
    assert np.isnan(metric.finish(*metric.zero))


def test_a_users_own_metric_adds_what_it_likes(draw):
    def found(y, y_hat, weight):
        claimed = y_hat > 0.5
        return jnp.sum(claimed & (y > 0.5)).astype(jnp.float32), jnp.sum(claimed).astype(jnp.float32)

    precision = Monoid("precision", (jnp.float32(0), jnp.float32(0)), found, lambda hit, claimed: hit / claimed)
    assert metrics.get(precision) is precision
    theirs = keras.metrics.Precision()
    batches = [(hits(draw, rows, 1), shares(draw, rows, 1), None) for rows in ROWS]
    for y, y_hat, _ in batches:
        theirs.update_state(y, y_hat)
    assert_allclose(measured(precision, batches), theirs.result(), rtol=1e-6)


# ---- names ----


def of_shapes(y, y_hat):
    return jnp.zeros(y), jnp.linspace(0, 1, int(np.prod(y_hat))).reshape(y_hat)


@pytest.mark.every(3)
@pytest.mark.parametrize(("loss", "y", "y_hat", "meant"), [
    ("binary_crossentropy", (3, 1), (3, 1), metrics.binary_accuracy),
    ("binary_crossentropy", (3, 4), (3, 4), metrics.binary_accuracy),           # Keras 3: categorical_accuracy
    ("categorical_crossentropy", (3, 4), (3, 4), metrics.categorical_accuracy),
    ("sparse_categorical_crossentropy", (3,), (3, 4), metrics.sparse_categorical_accuracy),
    ("mse", (3, 1), (3, 1), metrics.binary_accuracy),
    ("mse", (3, 4), (3, 4), metrics.categorical_accuracy),
    ("mse", (3, 5, 4), (3, 5, 4), metrics.categorical_accuracy),
    (None, (3,), (3, 4), metrics.sparse_categorical_accuracy),
    (None, (3, 1), (3, 4), metrics.sparse_categorical_accuracy),
    (None, (3, 5), (3, 5, 4), metrics.sparse_categorical_accuracy),
    ({}, (3, 5, 1), (3, 5, 1), metrics.binary_accuracy),                        # a loss that cannot even be hashed
])
def test_accuracy_means_what_the_loss_says_and_else_what_the_shapes_say(loss, y, y_hat, meant):
    y, y_hat = of_shapes(y, y_hat)
    loss = losses.get(loss) if isinstance(loss, str) else loss
    costs = {pair[0]: pair[1] for pair in metrics.BY_LOSS.values()}
    for name, function in ("accuracy", meant), ("acc", meant), ("crossentropy", costs[meant]), ("ce", costs[meant]):
        metric = metrics.get(name, loss)
        assert metric.name == name
        assert_array_equal(metric.sums(y, y_hat, None)[0], metrics.mean(name, function).sums(y, y_hat, None)[0])


def test_a_metric_has_the_name_that_the_user_wrote():
    class Mine:
        def __call__(self, y, y_hat):
            return jnp.zeros(())

    def spread(y, y_hat):
        return jnp.zeros(())

    for name in metrics.TABLE:
        assert metrics.get(name).name == name
    assert metrics.get("AUC").name == "AUC" and metrics.get("auc").name == metrics.get(metrics.AUC).name == "auc"
    assert metrics.get(metrics.AUC(name="area")).name == "area"
    assert metrics.get(metrics.Precision(name=None)).name == "precision"
    for name in "Recall", "recall":
        assert metrics.get({"class_name": name, "config": {"top_k": 2, "name": "found"}}).name == "found"
    assert metrics.get("mine", custom_objects={"mine": spread}).name == "mine"
    assert metrics.MeanMetricWrapper(metrics.binary_accuracy, "sure", threshold=0.9).name == "sure"
    assert metrics.get(spread).name == "spread"
    assert metrics.get(losses.mean_squared_error).name == "mean_squared_error"
    assert metrics.get(Mine()).name == "Mine"


REQUIRED = {"SensitivityAtSpecificity": (0.5,), "SpecificityAtSensitivity": (0.5,), "PrecisionAtRecall": (0.5,),
            "RecallAtPrecision": (0.5,), "IoU": (3, (0, 1)), "MeanIoU": (3,), "OneHotIoU": (3, (0, 1)), "OneHotMeanIoU": (3,)}


@pytest.mark.parametrize("name", metrics.CLASSES)
def test_every_class_has_the_name_and_the_defaults_of_keras(name):
    ours, theirs = metrics.CLASSES[name](*REQUIRED.get(name, ())), getattr(keras.metrics, name)
    arguments = inspect.signature(theirs).parameters
    counted = theirs(*REQUIRED.get(name, ())).name              # Keras counts the names of a program: auc_3
    assert ours.name == re.sub(r"_\d+$", "", counted)
    assert [each.name for each in dataclasses.fields(ours)] == [*arguments]
    for each in (each for each in dataclasses.fields(ours) if each.name != "name"):
        default = None if each.default is dataclasses.MISSING else each.default
        wanted = arguments[each.name].default
        assert default == (None if wanted is inspect.Parameter.empty else wanted)
    again = type(ours).from_config(ours.get_config())
    assert again == ours and hash(again) == hash(ours)


def test_dtype_may_say_what_is_so_anyhow():
    usual = metrics.BinaryAccuracy("acc", None, 0.6)
    for dtype in "float32", np.float32, jnp.float32, np.dtype("float32"), keras.DTypePolicy("float32"):
        assert metrics.BinaryAccuracy("acc", dtype, 0.6) == usual and losses.Huber(dtype=dtype) == losses.Huber()
    assert repr(usual) == "BinaryAccuracy(name='acc', threshold=0.6)" and "dtype" not in usual.get_config()
    for make in metrics.MeanIoU, losses.CTC, losses.Loss:
        with pytest.raises(ValueError, match=re.escape(f"{make.__name__}(dtype='float64'): losses and metrics are measured in "
                                                       "float32, whatever layers compute in. Leave dtype out.")):
            make(*REQUIRED.get(make.__name__, ()), dtype="float64")


def test_every_name_of_keras_is_known():
    from keras.src.metrics import ALL_OBJECTS_DICT
    missing = {"Mean", "Sum", "Metric", "MeanMetricWrapper", "mean", "sum", "metric", "mean_metric_wrapper"}
    for name in ALL_OBJECTS_DICT.keys() - missing:
        if ALL_OBJECTS_DICT[name].__name__ not in REQUIRED:
            assert metrics.get(name).name == name


def test_accuracy_of_logits_is_told_at_0_and_crossentropy_from_logits():
    y, logits = jnp.array([[1.0], [0.0]]), jnp.array([[0.2], [-0.2]])           # the shares are 0.55 and 0.45
    loss = losses.BinaryCrossentropy(from_logits=True)
    assert_allclose(measured(metrics.get("accuracy", loss), [(y, logits, None)]), 1)
    assert_allclose(measured(metrics.get("accuracy", losses.binary_crossentropy), [(y, logits, None)]), 0.5)
    assert_allclose(measured(metrics.get("ce", loss), [(y, logits, None)]), np.log1p(np.exp(-0.2)), rtol=1e-6)


def test_a_class_to_ignore_does_not_count():
    y, y_hat = jnp.array([[1, 255], [255, 0]]), jnp.full((2, 2, 4), 0.25)
    metric = metrics.get(metrics.SparseCategoricalCrossentropy(ignore_class=255))
    for weight in None, jnp.ones(2):
        assert_allclose(measured(metric, [(y, y_hat, weight)]), np.log(4), rtol=1e-6)


# ---- errors ----


@pytest.mark.parametrize(("identifier", "error", "message"), [
    ("acuracy", ValueError, "Unknown metric 'acuracy'. Did you mean 'accuracy' or 'Accuracy' or 'BinaryAccuracy'?"),
    (3, TypeError, "metric 3: write a name such as 'accuracy', or a function (y_true, y_pred)."),
])
def test_what_is_no_metric_is_refused(identifier, error, message):
    with pytest.raises(error) as raised:
        metrics.get(identifier)
    assert str(raised.value) == message


@pytest.mark.parametrize(("metric", "y", "y_hat", "weight", "message"), [
    ("binary_accuracy", (3,), (3, 1), None, "binary_accuracy wants y of the predictions' shape (3, 1), got (3,)."),
    ("categorical_accuracy", (3,), (3, 4), None, "categorical_accuracy wants y of the predictions' shape (3, 4), got (3,)."),
    (metrics.mean("first", lambda y, y_hat: y_hat[:1]), (3, 1), (3, 1), None, "metric 'first' gave shape (1, 1) for "
     "predictions (3, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    (metrics.mean("whole", lambda y, y_hat: jnp.mean(y_hat)), (3, 2), (3, 2), (3,), "metric 'whole' gives one number for the "
     "whole batch, so sample_weight and class_weight cannot weigh its rows. Name it in metrics=[...], or let it return one "
     "number per row: mean(..., axis=-1)."),
    (metrics.mean("rows", lambda y, y_hat: jnp.mean(y_hat, axis=(1, 2))), (3, 4, 2), (3, 4, 2), (3, 4), "metric 'rows' gave "
     "shape (3,), which the mask (3, 4) of the time steps does not fit: return one number per time step, for example "
     "mean(..., axis=-1)."),
])
def test_shapes_that_do_not_fit_say_so(metric, y, y_hat, weight, message):
    with pytest.raises(ValueError) as error:
        metrics.get(metric).sums(*of_shapes(y, y_hat), None if weight is None else jnp.ones(weight))
    assert str(error.value) == message


def test_weights_that_do_not_fit_say_so():
    with pytest.raises(ValueError) as error:
        metrics.spread_weight(jnp.ones((3, 4)), jnp.ones(3))
    assert str(error.value) == ("weights (3, 4) do not fit the (3,) values they weigh: give one weight per row, or one per row "
                                "and time step.")


def test_weights_are_spread_over_the_axes_behind_them():
    values = jnp.zeros((2, 3, 4))
    assert_array_equal(metrics.spread_weight(None, values), np.ones((2, 3, 4)))
    assert_array_equal(metrics.spread_weight(jnp.array([1, 2]), values), np.array([1, 2])[:, None, None] * np.ones((2, 3, 4)))
    mask = jnp.array([[True, False, True], [True, True, False]])
    spread = metrics.spread_weight(mask, values)
    assert spread.dtype == jnp.float32
    assert_array_equal(spread, np.asarray(mask, np.float32)[:, :, None] * np.ones((2, 3, 4)))
