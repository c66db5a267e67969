"""Values and gradients against keras.losses; where Keras is silent or wrong, against the formula in float64."""

import dataclasses
import inspect
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import activations, losses

SHAPES = {"flat": (6, 4), "over time": (3, 5, 4)}


def numbers(draw, shape):
    return draw.normal(size=shape).astype(np.float32)


def shares(draw, shape):
    """Predictions in (0, 1), with a few at and beyond the places where they are clipped."""
    p = 1 / (1 + np.exp(-2 * numbers(draw, shape)))
    p.reshape(-1, 4)[:2] = [[0, 1, 1e-9, 0.5], [1, 0, 1 - 1e-9, 2e-7]]
    return p


def distributions(draw, shape):
    """Predictions that sum to 1, but for one row that does not, with a few that are clipped."""
    p = soft(draw, shape)
    p.reshape(-1, 4)[:3] = [[0, 1, 0, 0], [1e-9, 0.5, 0.5, 0], [0.2, 0.4, 0.6, 0.8]]
    return p


def hits(draw, shape):
    return (numbers(draw, shape) > 0).astype(np.float32)


def soft(draw, shape):
    odds = np.exp(2 * numbers(draw, shape))
    return odds / odds.sum(axis=-1, keepdims=True)


def one_hot(draw, shape):
    return np.eye(4, dtype=np.float32)[labels(draw, shape)]


def labels(draw, shape):
    return draw.integers(0, 4, shape[:-1])


def signs(draw, shape):
    return 2 * hits(draw, shape) - 1


def counts(draw, shape):
    return draw.poisson(3, shape).astype(np.float32)


def cls(module, name, options):
    """The loss object of that class, called for its rows."""
    loss = getattr(module, name)(**options, reduction=None)
    return with_name(loss, f"{name}({options})")


def with_name(loss, name):
    function = lambda y, y_hat: loss(y, y_hat)
    function.__name__ = name
    return function


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(11))


def with_logits(keras_loss):
    return lambda y, y_hat: keras_loss(y, y_hat, from_logits=True)


# ours, Keras's, what y is, what y_hat is
CASES = [
    (losses.mean_squared_error, keras.losses.mean_squared_error, numbers, numbers),
    (losses.mean_absolute_error, keras.losses.mean_absolute_error, numbers, numbers),
    (losses.categorical_crossentropy, keras.losses.categorical_crossentropy, one_hot, distributions),
    (losses.categorical_crossentropy, keras.losses.categorical_crossentropy, soft, shares),
    (losses.categorical_crossentropy_from_logits, with_logits(keras.losses.categorical_crossentropy), soft, numbers),
    (losses.sparse_categorical_crossentropy, keras.losses.sparse_categorical_crossentropy, labels, distributions),
    (losses.sparse_categorical_crossentropy_from_logits, with_logits(keras.losses.sparse_categorical_crossentropy), labels,
     numbers),
    (losses.binary_crossentropy, keras.losses.binary_crossentropy, hits, shares),
    (losses.binary_crossentropy, keras.losses.binary_crossentropy, soft, shares),
    (losses.binary_crossentropy_from_logits, with_logits(keras.losses.binary_crossentropy), hits, numbers),
    *[(getattr(losses, name), getattr(keras.losses, name), numbers, numbers) for name in (
        "huber", "log_cosh", "cosine_similarity", "mean_absolute_percentage_error", "mean_squared_logarithmic_error")],
    *[(getattr(losses, name), getattr(keras.losses, name), of_y, numbers) for name in ("hinge", "squared_hinge")
      for of_y in (hits, signs)],
    (losses.categorical_hinge, keras.losses.categorical_hinge, one_hot, numbers),
    (losses.kl_divergence, keras.losses.kl_divergence, soft, shares),
    (losses.kl_divergence, keras.losses.kl_divergence, hits, shares),
    (losses.poisson, keras.losses.poisson, counts, shares),
    (losses.categorical_focal_crossentropy, keras.losses.categorical_focal_crossentropy, soft, shares),
    (losses.binary_focal_crossentropy, keras.losses.binary_focal_crossentropy, hits, soft),
    *[(cls(losses, name, options), cls(keras.losses, name, options), of_y, of_y_hat) for name, options, of_y, of_y_hat in (
        ("Huber", {"delta": 0.3}, numbers, numbers),
        ("CosineSimilarity", {"axis": 1}, numbers, numbers),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, hits, shares),
        ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, hits, numbers),
        ("CategoricalCrossentropy", {"label_smoothing": 0.2}, one_hot, shares),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, one_hot, numbers),
        ("SparseCategoricalCrossentropy", {"ignore_class": 2}, labels, soft),
        ("SparseCategoricalCrossentropy", {"ignore_class": 2, "from_logits": True}, labels, numbers),
        ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, hits, soft),
        ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, hits, numbers),
        ("CategoricalFocalCrossentropy", {"alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1}, one_hot, soft),
        ("CategoricalFocalCrossentropy", {"from_logits": True}, one_hot, numbers),
        ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, labels, soft))],
]


def value_and_gradient(loss, y, y_hat):
    """loss(y, y_hat), and the gradient with respect to y_hat of a weighted sum of it."""
    @jax.jit
    def both(y_hat):
        value, back = jax.vjp(lambda y_hat: loss(y, y_hat), y_hat)
        return value, back(jnp.linspace(-1, 2, value.size).reshape(value.shape))[0]

    return both(jnp.asarray(y_hat))


@pytest.mark.every(3)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_values_and_gradients_are_those_of_keras(shape, draw):
    data = [(of_y(draw, shape), of_y_hat(draw, shape)) for _, _, of_y, of_y_hat in CASES]
    def every(data):
        return [[value_and_gradient(loss, *pair) for loss in case[:2]] for case, pair in zip(CASES, data, strict=True)]

    once = jax.jit(every).lower(data).compile({"xla_backend_optimization_level": 0})            # one program for all
    for case, ((value, gradient), expected) in zip(CASES, once(data), strict=True):
        about = [each.__name__ for each in case]
        assert value.shape == expected[0].shape and value.dtype == gradient.dtype == jnp.float32, about
        assert value.shape == shape[:-1] or "axis" in about[0], about
        assert_allclose(value, expected[0], rtol=2e-6, atol=1e-6, err_msg=str(about))
        assert_allclose(gradient, expected[1], rtol=2e-5, atol=1e-6, err_msg=str(about))


@pytest.mark.parametrize(("loss", "y", "y_hat"), [
    (losses.categorical_crossentropy, [[1.0, 0.0]], [[0.0, 1.0]]),
    (losses.sparse_categorical_crossentropy, [0], [[0.0, 1.0]]),
    (losses.binary_crossentropy, [[1.0]], [[0.0]]),
])
def test_a_probability_of_zero_costs_16_118_and_has_no_gradient(loss, y, y_hat):
    value, gradient = value_and_gradient(loss, jnp.array(y), jnp.array(y_hat))
    assert_allclose(value, [-np.log(1e-7)], rtol=1e-6)
    assert_allclose(gradient, np.zeros_like(gradient))


@pytest.mark.parametrize(("loss", "y", "logits", "value", "gradient"), [
    (losses.categorical_crossentropy_from_logits, [[1.0, 0.0]], [[-50.0, 50.0]], 100.0, [[-1.0, 1.0]]),
    (losses.sparse_categorical_crossentropy_from_logits, [0], [[-50.0, 50.0]], 100.0, [[-1.0, 1.0]]),
    (losses.binary_crossentropy_from_logits, [[1.0]], [[-50.0]], 50.0, [[-1.0]]),
    (losses.binary_crossentropy_from_logits, [[0.0]], [[50.0]], 50.0, [[1.0]]),
])
def test_from_logits_a_wrong_certainty_costs_what_it_should_and_keeps_its_gradient(loss, y, logits, value, gradient):
    got, slope = jax.jit(jax.value_and_grad(lambda logits: loss(jnp.array(y), logits)[0]))(jnp.array(logits))
    assert_allclose(got, value, rtol=1e-6)
    assert_allclose(slope, gradient, rtol=1e-6)


@pytest.mark.parametrize(("loss", "y"), [
    (losses.categorical_crossentropy_from_logits, [[0.0, 1.0, 0.0]]),
    (losses.sparse_categorical_crossentropy_from_logits, [1]),
])
def test_a_class_ruled_out_by_a_logit_of_minus_infinity_stays_out(loss, y):
    logits = jnp.array([[0.0, 0.0, -jnp.inf]])
    value, gradient = jax.jit(jax.value_and_grad(lambda logits: loss(jnp.array(y), logits)[0]))(logits)
    assert_allclose(value, np.log(2), rtol=1e-6)
    assert_allclose(gradient, [[0.5, -0.5, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("loss", [losses.sparse_categorical_crossentropy, losses.sparse_categorical_crossentropy_from_logits])
def test_a_label_out_of_range_gives_nan(loss):
    y = jnp.array([0, 3, 4, -1, -4, 2**31 - 1])                 # for Keras the last four cost nothing
    value = loss(y, jnp.full((6, 4), 0.25))
    assert_allclose(value, [np.log(4), np.log(4), np.nan, np.nan, np.nan, np.nan], rtol=1e-6)


@pytest.mark.parametrize("loss", [losses.sparse_categorical_crossentropy, losses.sparse_categorical_crossentropy_from_logits])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_labels_may_have_a_trailing_axis_and_be_floats(loss, shape, draw):
    y, y_hat = labels(draw, shape), distributions(draw, shape)
    expected = loss(y, y_hat)
    for same in y[..., None], y.astype(np.float32), y.astype(np.uint8), jnp.asarray(y[..., None]):
        assert_allclose(loss(same, y_hat), expected)


ALL = list(dict.fromkeys(losses.TABLE.values()))
FROM_LOGITS = [losses.categorical_crossentropy_from_logits, losses.sparse_categorical_crossentropy_from_logits,
               losses.binary_crossentropy_from_logits]


def targets_of(loss):
    return np.array([1, 0]) if "sparse" in loss.__name__ else np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize("loss", ALL + FROM_LOGITS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float32, np.float64, bool])
def test_targets_may_have_any_dtype(loss, dtype):
    y_hat = jnp.array([[0.3, 0.7], [0.6, 0.4]])
    value = loss(jnp.asarray(targets_of(loss).astype(dtype)), y_hat)
    assert value.dtype == jnp.float32
    assert_allclose(value, loss(jnp.asarray(targets_of(loss), jnp.float32), y_hat))


@pytest.mark.parametrize("loss", ALL + FROM_LOGITS, ids=lambda each: each.__name__)
def test_bfloat16_predictions_are_measured_in_float32(loss):
    y, y_hat = targets_of(loss), jnp.array([[0.25, 0.75], [1.0, 0.0]], jnp.bfloat16)
    value, gradient = value_and_gradient(loss, y, y_hat)
    assert value.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    assert_allclose(value, loss(y, y_hat.astype(jnp.float32)))


# ---- what Keras has otherwise ----


def test_a_label_of_0_is_minus_1_for_a_hinge_whatever_else_the_batch_holds():
    y, y_hat = jnp.array([[0.0], [-1.0], [1.0]]), jnp.array([[0.5], [0.5], [0.5]])
    assert_allclose(losses.hinge(y, y_hat), [1.5, 1.5, 0.5])
    assert_allclose(keras.losses.hinge(y, y_hat), [1.0, 1.5, 0.5])          # it depends on the other rows
    assert_allclose(losses.hinge(y[:1], y_hat[:1]), keras.losses.hinge(y[:1], y_hat[:1]))


def test_the_cosine_of_a_vector_of_zeros_has_a_finite_gradient():
    zero, one = jnp.zeros((1, 3)), jnp.ones((1, 3))
    value, gradient = value_and_gradient(losses.cosine_similarity, one, zero)
    assert_allclose(value, [0]) and np.isfinite(gradient).all()


@pytest.mark.parametrize(("loss", "y"), [
    (losses.CategoricalFocalCrossentropy(from_logits=True), [[1.0, 0.0]]),
    (losses.BinaryFocalCrossentropy(from_logits=True), [[1.0, 0.0]]),
])
def test_a_focal_loss_from_logits_keeps_its_gradient(loss, y):
    _, gradient = value_and_gradient(loss, jnp.array(y), jnp.array([[-60.0, 60.0]]))
    assert np.isfinite(gradient).all() and (gradient != 0).all()


# ---- across rows, and targets of other shapes ----


def pairs(draw):
    """Loss here, in Keras, y, y_hat."""
    vectors = numbers(draw, (6, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    maps, shares_of = hits(draw, (3, 4, 5, 1)), np.abs(soft(draw, (3, 4, 5, 1)) - 0.3)
    words, logits = np.array([[1, 2, 0], [3, 3, 1], [2, 0, 0]]), numbers(draw, (3, 8, 4))
    classes = np.array([0, 1, 0, 1, 2, 2])
    return {
        "dice": (losses.dice, keras.losses.dice, maps, shares_of),
        "Dice of rows": (losses.Dice(axis=(1, 2, 3)), cls(keras.losses, "Dice", {"axis": (1, 2, 3)}), maps, shares_of),
        "Tversky": (losses.Tversky(0.3, 0.7), cls(keras.losses, "Tversky", {"alpha": 0.3, "beta": 0.7}), maps, shares_of),
        "circle": (losses.circle, keras.losses.circle, classes, vectors),
        "Circle": (losses.Circle(20.0, 0.2, False),
                   cls(keras.losses, "Circle", {"gamma": 20.0, "margin": 0.2, "remove_diagonal": False}), classes, vectors),
        "ctc": (losses.ctc, keras.losses.ctc, words, logits),
    }


@pytest.mark.every(3)
@pytest.mark.parametrize("name", ["dice", "Dice of rows", "Tversky", "circle", "Circle", "ctc"])
def test_losses_of_other_shapes_are_those_of_keras(name, draw):
    ours, theirs, y, y_hat = pairs(draw)[name]
    for got, expected in zip(value_and_gradient(ours, y, y_hat), value_and_gradient(theirs, y, y_hat), strict=True):
        assert_allclose(got, expected, rtol=2e-5, atol=1e-5)


def test_a_row_without_partner_or_opponent_costs_nothing_in_a_circle_and_does_not_count():
    vectors = jnp.eye(3)
    value, gradient = value_and_gradient(losses.circle, jnp.array([0, 0, 1]), vectors)
    assert value[2] == 0 and (value[:2] > 0).all() and np.isfinite(gradient).all()
    assert losses.Circle().counted(jnp.array([0, 0, 1]), vectors).tolist() == [True, True, False]
    assert_allclose(losses.circle(jnp.array([0, 0, 0]), vectors), np.zeros(3))
    assert losses.Circle().counted(jnp.array([0, 0, 1]), jnp.full((3, 3), jnp.nan)).tolist() == [True, True, False]


@pytest.mark.parametrize(("loss", "y", "y_hat", "message"), [
    (losses.circle, (3,), (4, 2), "circle wants one label per row, y (4,), for unit vectors (batch, features); got y (3,) for "
     "predictions (4, 2)."),
    (losses.ctc, (3,), (3, 5, 4), "ctc wants labels y (batch, length) for logits (batch, time, classes); got y (3,) for "
     "predictions (3, 5, 4)."),
    (losses.dice, (3, 1), (3, 2), "dice wants y of the predictions' shape (3, 2), got (3, 1)."),
])
def test_other_shapes_that_do_not_fit_say_so(loss, y, y_hat, message):
    with pytest.raises(ValueError) as error:
        loss(jnp.zeros(y), jnp.zeros(y_hat))
    assert str(error.value) == message


# ---- shapes ----


@pytest.mark.parametrize(("name", "y", "y_hat", "message"), [
    *[(loss.__name__, (3,), (3, 1), f"{loss.__name__} wants y of the predictions' shape (3, 1), got (3,).") for loss in ALL
      if "sparse" not in loss.__name__],
    ("categorical_crossentropy", (3, 4), (3, 5), "categorical_crossentropy wants y of the predictions' shape (3, 5), got "
     "(3, 4)."),
    ("sparse_categorical_crossentropy", (3, 5), (3, 5), "sparse_categorical_crossentropy wants one integer per prediction, "
     "y (3,); got y (3, 5) for predictions (3, 5). For one-hot y write loss='categorical_crossentropy'."),
    ("sparse_categorical_crossentropy", (3,), (3, 7, 5), "sparse_categorical_crossentropy wants one integer per prediction, "
     "y (3, 7); got y (3,) for predictions (3, 7, 5). For one-hot y write loss='categorical_crossentropy'."),
])
def test_shapes_that_do_not_fit_say_so(name, y, y_hat, message):
    of_logits = getattr(losses, f"{name}_from_logits", losses.TABLE[name])
    for loss in losses.TABLE[name], of_logits:
        with pytest.raises(ValueError) as error:
            loss(jnp.zeros(y), jnp.zeros(y_hat))
        assert str(error.value) == message


# ---- names ----


def test_get():
    mine = lambda y, y_hat: jnp.abs(y - y_hat)
    assert losses.get("mse") is losses.get("MSE") is losses.get("mean_squared_error") is losses.mean_squared_error
    assert losses.get("mae") is losses.get("MAE") is losses.get("mean_absolute_error") is losses.mean_absolute_error
    assert losses.get("bce") is losses.get("binary_crossentropy") is losses.binary_crossentropy
    assert losses.get(mine) is mine and losses.get(losses.mean_squared_error) is losses.mean_squared_error


@pytest.mark.parametrize(("identifier", "error", "message"), [
    ("mean_square_error", ValueError, "Unknown loss 'mean_square_error'. Did you mean 'mean_squared_error' or "
     "'MeanSquaredError' or 'mean_squared_logarithmic_error'?"),
    ("zzz", ValueError, "Unknown loss 'zzz'. Known: "
     + ", ".join(sorted([*losses.TABLE, *losses.UNPAIRED, *losses.CLASSES])) + "."),
    (3, TypeError, "loss=3: write a name such as 'mse', or a function (y_true, y_pred)."),
    (["mse"], TypeError, "loss=['mse']: write a name such as 'mse', or a function (y_true, y_pred)."),
])
def test_what_is_no_loss_is_refused(identifier, error, message):
    with pytest.raises(error) as raised:
        losses.get(identifier)
    assert str(raised.value) == message


def test_crossentropies_know_their_form_from_logits():
    assert losses.of_logits(losses.categorical_crossentropy, activations.softmax) is FROM_LOGITS[0]
    assert losses.of_logits(losses.sparse_categorical_crossentropy, activations.softmax) is FROM_LOGITS[1]
    assert losses.of_logits(losses.binary_crossentropy, activations.sigmoid) is FROM_LOGITS[2]
    smooth = losses.CategoricalCrossentropy(label_smoothing=0.1)
    assert losses.of_logits(smooth, activations.softmax) == losses.CategoricalCrossentropy(True, 0.1)
    assert losses.of_logits(smooth, activations.sigmoid) is None
    assert losses.of_logits(losses.CategoricalCrossentropy(True), activations.softmax) is None
    assert losses.of_logits(losses.CategoricalCrossentropy(axis=1), activations.softmax) is None
    assert losses.of_logits(losses.Huber(2.0), activations.softmax) is None
    focal = losses.of_logits(losses.binary_focal_crossentropy, activations.sigmoid)
    assert focal == losses.BinaryFocalCrossentropy(from_logits=True) and losses.plain(focal) is losses.binary_focal_crossentropy
    for loss, activation in [(losses.categorical_crossentropy, activations.sigmoid), (lambda y, y_hat: y, activations.softmax),
                             (losses.binary_crossentropy, activations.softmax), (losses.mean_squared_error, activations.linear),
                             (losses.categorical_crossentropy, lambda x: activations.softmax(x, axis=1))]:
        assert losses.of_logits(loss, activation) is None


def test_a_loss_that_cannot_be_hashed_is_a_loss_like_any_other():
    class Mine(dict):
        def __call__(self, y, y_hat):
            return jnp.abs(y - y_hat)

    mine = Mine()
    assert losses.get(mine) is mine and losses.of_logits(mine, activations.softmax) is None


# ---- declarations ----


def test_every_class_of_keras_is_here_with_its_arguments():
    for name, ours in losses.CLASSES.items():
        theirs = inspect.signature(getattr(keras.losses, name)).parameters
        mine = {each.name: each.default for each in dataclasses.fields(ours) if each.name not in ("name", "dtype")}
        assert mine == {name: theirs[name].default for name in mine}, name
        assert theirs.keys() - mine.keys() == {"name", "dtype"}, name
        again = ours.from_config(ours(name="mine").get_config())
        assert again == ours(name="mine") and hash(again) == hash(ours(name="mine"))
    from keras.src.losses import ALL_OBJECTS_DICT
    assert {*losses.TABLE, *losses.UNPAIRED, *losses.CLASSES} >= ALL_OBJECTS_DICT.keys() - {"Loss", "LossFunctionWrapper"}


def test_a_declaration_with_the_usual_settings_is_the_plain_function():
    for name, each in losses.CLASSES.items():
        got = losses.get(name), losses.get(each), losses.get(each())
        if each is losses.Circle:                               # which says, besides, what rows count
            assert got == (each(),) * 3 and losses.get("circle") == losses.get(losses.circle) == each()
        else:
            assert all(loss is losses.plain(each()) for loss in got)
    huber = losses.Huber(2.0)
    assert losses.get(huber) is huber and losses.plain(huber) is losses.huber and losses.by_row(huber)
    assert losses.get(losses.Huber(reduction="sum")).reduction == "sum"
    for name in "Huber", "huber":
        assert losses.get({"class_name": name, "config": {"delta": 2.0}}) == huber
    assert losses.get({"class_name": "function", "config": "huber"}) is losses.huber
    assert not losses.by_row(losses.dice) and not losses.by_row(losses.CosineSimilarity(axis=0))
    assert losses.takes_logits(losses.BinaryCrossentropy(True)) and losses.takes_logits(FROM_LOGITS[0])
    assert not losses.takes_logits(huber) and not losses.takes_logits(losses.binary_crossentropy)


PAIRED = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], [[0.2, 0.7, 0.1], [0.3, 0.5, 0.2]]
LABELLED = [1, 2], PAIRED[1]
OTHERS = {losses.ctc: ([[1, 2]], [[[0.1, 0.2, 0.7]] * 5]), losses.circle: ([1, 1, 0, 0], [[0.6, 0.8], [1.0, 0.0]] * 2)}


@pytest.mark.parametrize("loss", list(dict.fromkeys([*ALL, *FROM_LOGITS, *losses.UNPAIRED.values()])), ids=lambda f: f.__name__)
def test_lists_and_numpy_arrays_are_taken(loss):
    sparse = "sparse" in loss.__name__ or "generalized" in loss.__name__
    y, y_hat = OTHERS.get(loss, LABELLED if sparse else PAIRED)
    values = loss(jnp.asarray(y), jnp.asarray(y_hat))
    for one, other in (y, y_hat), (np.asarray(y), np.asarray(y_hat, np.float32)), (tuple(y), np.asarray(y_hat)):
        assert_allclose(loss(one, other), values, rtol=1e-6)
        assert loss(one, other).dtype == values.dtype == jnp.float32


def test_an_object_takes_lists_and_gives_its_call_arrays():
    class Own(losses.Loss):
        def call(self, y, y_hat):
            return jnp.mean(jnp.abs(y - y_hat), axis=-1)

    assert_allclose(Own()([[0.0, 1.0]], [[1.0, 1.0]]), [0.5])
    y, y_hat = [[0.0], [1.0]], [[0.3], [0.2]]
    assert_allclose(jnp.mean(losses.BinaryCrossentropy()(y, y_hat)), keras.losses.BinaryCrossentropy()(y, y_hat), rtol=1e-6)


def test_a_loss_of_ones_own():
    class Weighed(losses.Loss):
        def __init__(self, factor):
            super().__init__(name="weighed", reduction="sum")
            self.factor = factor

        def call(self, y, y_hat):
            return self.factor * losses.mae(y, y_hat)

    mine = Weighed(2.0)
    assert losses.get(mine) is mine and mine.reduction == "sum" and mine.counted(None, None) is None
    assert_allclose(mine(jnp.zeros((2, 1)), jnp.ones((2, 1))), [2, 2])
    with pytest.raises(NotImplementedError, match=re.escape("Loss must define call(y, y_hat).")):
        losses.Loss()(jnp.zeros(1), jnp.zeros(1))


def test_labels_of_no_class_do_not_count():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=255)
    y, y_hat = jnp.array([[1, 255]]), jnp.full((1, 2, 4), 0.25)
    assert_allclose(loss(y, y_hat), [[np.log(4), 0]], rtol=1e-6)
    assert loss.counted(y, y_hat).tolist() == [[True, False]]
    assert losses.SparseCategoricalCrossentropy().counted(y, y_hat) is None
    upright = losses.SparseCategoricalCrossentropy(ignore_class=255, axis=1)
    assert upright.counted(y, jnp.swapaxes(y_hat, 1, 2)).tolist() == [[True, False]]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("from_logits, sure", [(True, [-200.0, -20.0, 20.0, 200.0]), (False, [0.0, 1e-9, 1 - 1e-9, 1.0])])
def test_where_a_model_is_sure_a_focal_loss_has_a_gradient(gamma, from_logits, sure):
    loss = losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=from_logits)
    y_hat = jnp.repeat(jnp.array(sure), 2)[:, None]
    y = jnp.tile(jnp.array([0.0, 1.0]), 4)[:, None]
    value, gradient = value_and_gradient(loss, y, y_hat)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    wrong = (np.asarray(y) > 0) != (np.asarray(y_hat) > (0 if from_logits else 0.5))
    if gamma:                                                   # without, it is the crossentropy, which is clipped
        assert (gradient[wrong] != 0).all()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: losses.Huber(-1.0), "Huber(delta=-1.0): write a finite number of at least 0."),
    (lambda: losses.CategoricalCrossentropy(label_smoothing=1.5), "CategoricalCrossentropy(label_smoothing=1.5): write a "
     "number from 0 to 1."),
    (lambda: losses.BinaryFocalCrossentropy(gamma=-2.0), "BinaryFocalCrossentropy(gamma=-2.0): write a finite number of at "
     "least 0."),
    (lambda: losses.CategoricalGeneralizedCrossEntropy(1.0), "CategoricalGeneralizedCrossEntropy(q=1.0): write a number "
     "between 0 and 1."),
    (lambda: losses.MeanSquaredError(reduction="average"), "MeanSquaredError reduction='average': write one of "
     "'sum_over_batch_size', 'sum', 'mean_with_sample_weight', 'mean', 'none', None."),
])
def test_settings_that_cannot_be_say_so(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message
