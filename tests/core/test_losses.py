"""Values and gradients against keras.losses; where Keras is silent or wrong, against the formula in float64."""

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
]


def value_and_gradient(loss, y, y_hat):
    """loss(y, y_hat), and the gradient with respect to y_hat of a weighted sum of it."""
    @jax.jit
    def both(y_hat):
        value, back = jax.vjp(lambda y_hat: loss(y, y_hat), y_hat)
        return value, back(jnp.linspace(-1, 2, value.size).reshape(value.shape))[0]

    return both(jnp.asarray(y_hat))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_values_and_gradients_are_those_of_keras(shape, draw):
    data = [(of_y(draw, shape), of_y_hat(draw, shape)) for _, _, of_y, of_y_hat in CASES]
    every = jax.jit(lambda data: [[value_and_gradient(loss, *pair) for loss in case[:2]]
                                  for case, pair in zip(CASES, data, strict=True)])            # one program for all
    for case, ((value, gradient), expected) in zip(CASES, every(data), strict=True):
        about = [each.__name__ for each in case]
        assert value.shape == shape[:-1] and value.dtype == gradient.dtype == jnp.float32, about
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


ALL = [losses.TABLE[name] for name in ("mse", "mae", "categorical_crossentropy", "sparse_categorical_crossentropy", "bce")]
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


@pytest.mark.parametrize(("name", "y", "y_hat", "message"), [
    *[(name, (3,), (3, 1), f"{name} wants y of the predictions' shape (3, 1), got (3,).") for name in (
        "mean_squared_error", "mean_absolute_error", "binary_crossentropy", "categorical_crossentropy")],
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
     "'mean_absolute_error'?"),
    ("zzz", ValueError, "Unknown loss 'zzz'. Known: MAE, MSE, bce, binary_crossentropy, categorical_crossentropy, mae, "
     "mean_absolute_error, mean_squared_error, mse, sparse_categorical_crossentropy."),
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
