"""What a step minimises, against Keras's losses and a Keras model that learns beside it."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from keras.src import backend as keras_backend
from numpy.testing import assert_allclose, assert_array_equal
from tasks import assert_bitwise, begun, evaluated, leaves, regression, rows_of, task_of, trained

from jaxseq.core import chain, constraints, optimizers, regularizers, run
from jaxseq.core.layer import Layer
from jaxseq.core.layers import Activation, Dense, Dropout, EinsumDense, Masking
from jaxseq.core.types import Batch, Spec


class Last(Layer):
    """The last time step, with an out_mask that nobody thought of."""

    def apply(self, params, state, x, ctx):
        return x[:, -1], state


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(13))


# ---- the loss: weights and masks ----


def keras_loss(loss, y, y_hat, weight, mask):
    """What Keras makes of it; weights of rows are spread over time first, where Keras would lay them along the wrong axis."""
    y_hat = jnp.asarray(y_hat)
    if mask is not None:
        keras_backend.set_keras_mask(y_hat, jnp.asarray(mask))
    if weight is not None and y_hat.ndim == 3 and weight.ndim == 1:
        weight = np.broadcast_to(weight[:, None], y_hat.shape[:2])
    return float(loss(y, y_hat, sample_weight=weight))


@pytest.mark.parametrize(("name", "masked", "weights"), [
    *[("mse", masked, weights) for masked in (False, True) for weights in ("none", "rows", "time steps")],
    ("sparse_categorical_crossentropy", True, "rows"), ("binary_crossentropy", True, "time steps")])
def test_weights_and_masks_reduce_a_loss_as_in_keras(name, masked, weights, draw):
    x = draw.normal(size=(5, 4, 3)).astype(np.float32)
    x[0, 2:], x[3, :] = 0, 0                                                                    # masked steps
    activation, theirs = {"mse": ("linear", keras.losses.MeanSquaredError()),
                          "sparse_categorical_crossentropy": ("softmax", keras.losses.SparseCategoricalCrossentropy()),
                          "binary_crossentropy": ("sigmoid", keras.losses.BinaryCrossentropy())}[name]
    y = draw.integers(0, 3, (5, 4)) if name.startswith("sparse") else draw.integers(0, 2, (5, 4, 3))
    weight = {"none": None, "rows": np.array([0.5, 0, 2, 1, 3], np.float32),
              "time steps": draw.uniform(0, 2, (5, 4)).astype(np.float32)}[weights]
    layers = [Masking()][:masked] + [Dense(3, activation=activation)]
    task = task_of(*layers, loss=name, measured=["mae"] if name == "mse" else [])
    batch = Batch(jnp.asarray(x), jnp.asarray(y), None if weight is None else jnp.asarray(weight))
    ts = begun(task, batch)
    out = chain.apply(task.layers, ts.params, ts.state, batch.x)
    given = evaluated(task, batch, ts)
    assert_allclose(given["loss"], keras_loss(theirs, y, out.y, weight, out.mask), rtol=1e-5)
    if name == "mse":                                   # metrics count the real steps and ask for no sample_weight
        each = np.abs(y - np.asarray(out.y)).mean(axis=-1)
        assert_allclose(given["mae"], np.average(each, weights=None if out.mask is None else np.asarray(out.mask)), rtol=1e-5)


def test_a_batch_of_padding_alone_costs_nothing_and_moves_nothing():
    task = task_of(Masking(), Dense(4, activation="softmax"), loss="sparse_categorical_crossentropy")
    batch = Batch(jnp.zeros((2, 3, 2)), jnp.full((2, 3), -1))                       # -1 is no class, so the loss there is NaN
    ts, given = trained(task, batch, 1)
    assert given == {"loss": 0.0}
    assert_bitwise(ts.params, begun(task, batch).params)


def test_rows_of_weight_zero_move_nothing_but_count(draw):
    task = task_of(Dense(3))
    weighed = regression(draw, 8, weight=[1, 0, 0, 0, 0, 0, 0, 1])
    ts, given = trained(task, weighed, 1)
    two = Batch(weighed.x[::7], weighed.y[::7])
    assert_allclose(given["loss"], evaluated(task, two)["loss"] * 2 / 8, rtol=1e-6)
    still, nothing = trained(task, weighed._replace(weight=jnp.zeros(8)), 1)
    assert nothing == {"loss": 0.0}
    assert_bitwise(still.params, begun(task, weighed).params)


def test_a_loss_may_give_one_number_for_the_whole_batch(draw):
    task = task_of(Dense(3), loss=lambda y, y_hat: jnp.max(jnp.abs(y - y_hat)))
    batch = regression(draw, 6)
    ts = begun(task, batch)
    y_hat = chain.apply(task.layers, ts.params, ts.state, batch.x).y
    assert_allclose(evaluated(task, batch, ts)["loss"], np.abs(batch.y - y_hat).max(), rtol=1e-6)
    moved, _ = trained(task, batch, 1)
    assert not np.array_equal(moved.params["dense"]["kernel"], ts.params["dense"]["kernel"])


def test_the_loss_of_an_epoch_is_weighted_by_the_rows_of_its_batches(draw):
    task, batch = task_of(Dense(3), optimizer=optax.set_to_zero()), regression(draw, 7)
    ts, sums = task.train(begun(task, batch), run.zero_sums(task), batch, rows_of(1, 5), 0, 1)
    _, sums = task.train(ts, sums, batch, rows_of(1, 2) + 5, 0, 1)
    assert_allclose(run.finish(task, sums)["loss"], evaluated(task, batch)["loss"], rtol=1e-6)


def rowwise(y, y_hat):
    return jnp.mean(jnp.square(y - y_hat), axis=tuple(range(1, y.ndim)))


@pytest.mark.parametrize(("layers", "loss", "batch", "message"), [
    ([Dense(3)], lambda y, y_hat: jnp.mean(y_hat), Batch(jnp.ones((4, 2)), jnp.ones((4, 3)), jnp.ones(4)),
     "The loss gives one number for the whole batch, so sample_weight and class_weight cannot weigh its rows. Let it return "
     "one number per row: mean(..., axis=-1)."),
    ([Dense(3)], lambda y, y_hat: jnp.mean(y_hat, axis=0), Batch(jnp.ones((4, 2)), jnp.ones((4, 3))),
     "The loss gave shape (3,) for predictions (4, 3): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ([Masking(), Dense(3)], rowwise, Batch(jnp.ones((4, 5, 2)), jnp.ones((4, 5, 3))),
     "The loss gave shape (4,), which the mask (4, 5) of the time steps does not fit: let it return one number per time step, "
     "for example mean(..., axis=-1). Where a layer of yours does away with the time axis, let its out_mask return None."),
    ([Masking(), Last()], "mse", Batch(jnp.ones((4, 5, 2)), jnp.ones((4, 2))),
     "The loss gave shape (4,), which the mask (4, 5) of the time steps does not fit: let it return one number per time step, "
     "for example mean(..., axis=-1). Where a layer of yours does away with the time axis, let its out_mask return None."),
    ([Dense(3)], "mse", Batch(jnp.ones((4, 2)), jnp.ones((4, 3)), jnp.ones((4, 3))),
     "weights (4, 3) do not fit the (4,) values they weigh: give one weight per row, or one per row and time step."),
    ([Dense(3)], "mse", Batch(jnp.ones((4, 2)), jnp.ones((4, 1))),
     "mean_squared_error wants y of the predictions' shape (4, 3), got (4, 1)."),
], ids=["weights of a scalar", "not one per row", "rows of a mask", "a stale mask", "weights", "targets"])
def test_what_does_not_fit_is_said_once_before_anything_is_computed(layers, loss, batch, message):
    task = task_of(*layers, loss=loss)
    ts = begun(task, batch)
    for train in True, False:
        with pytest.raises(ValueError) as error:
            run.check(task, ts, batch, train=train)
        assert str(error.value) == message
    with pytest.raises(ValueError) as error:
        trained(task, batch, 1)
    assert str(error.value) == message


def test_a_check_of_what_fits_is_silent_and_computes_nothing(draw):
    task, batch = task_of(Dropout(0.5), Dense(3), measured=["accuracy"]), regression(draw, 4)
    ts = begun(task, batch)
    specs = jax.tree.map(lambda leaf: Spec(leaf.shape, leaf.dtype), batch)
    run.check(task, ts, specs, train=True)
    run.check(task, ts, specs, train=False)


# ---- softmax and sigmoid in front of their crossentropy ----

CROSSENTROPIES = {
    "categorical_crossentropy": ("softmax", np.eye(3)[[0, 1, 2, 0]], keras.losses.CategoricalCrossentropy()),
    "sparse_categorical_crossentropy": ("softmax", np.array([0, 1, 2, 0]), keras.losses.SparseCategoricalCrossentropy()),
    "binary_crossentropy": ("sigmoid", np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 1]]),
                            keras.losses.BinaryCrossentropy()),
}
ENDINGS = {
    "in the last Dense": lambda activation: [Dense(3, activation=activation)],
    "as a layer": lambda activation: [Dense(3), Activation(activation)],
    "in an EinsumDense": lambda activation: [EinsumDense("ab,bc->ac", 3, activation, "c")],
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_crossentropy_is_computed_from_the_logits(loss, ending, draw):
    activation, y, theirs = CROSSENTROPIES[loss]
    task = task_of(*ENDINGS[ending](activation), loss=loss, measured=[loss])
    batch = Batch(jnp.asarray(draw.normal(size=(4, 2)), jnp.float32), jnp.asarray(y))
    ts = begun(task, batch)
    p = chain.apply(task.layers, ts.params, ts.state, batch.x).y
    calm = evaluated(task, batch, ts)
    assert_allclose(calm["loss"], theirs(y, p), rtol=1e-5)
    assert_allclose(calm[loss], theirs(y, p), rtol=1e-5)                            # a metric is given probabilities

    sure = ts._replace(params=jax.tree.map(lambda w: 1e3 * w, ts.params))           # certain, and wrong somewhere
    p = chain.apply(task.layers, sure.params, sure.state, batch.x).y
    given = evaluated(task, batch, sure)
    assert given["loss"] > 16.118 and np.isfinite(given["loss"])
    assert_allclose(given[loss], theirs(y, p), rtol=1e-5)                           # Keras stops at 16.118 a row


@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_what_is_certain_and_wrong_can_still_learn(loss):
    activation, y, _ = CROSSENTROPIES[loss]
    task = task_of(Dense(3, activation=activation), loss=loss)
    batch = Batch(jnp.ones((4, 1)), jnp.asarray(y))
    sure = begun(task, batch)._replace(params={"dense": {"kernel": jnp.array([[-1e3, 1e3, -1e3]]), "bias": jnp.zeros(3)}})
    moved, _ = trained(task, batch, 1, sure)
    step = moved.params["dense"]["bias"]
    assert step[0] > 0.01 and step[1] < -0.01                                       # Keras 3 stays where it is


def test_an_activity_regularizer_behind_the_activation_keeps_the_form_of_keras(draw):
    activation, y, theirs = CROSSENTROPIES["sparse_categorical_crossentropy"]
    layer = Dense(3, activation=activation, activity_regularizer=regularizers.L2(0.5))
    task = task_of(layer, loss="sparse_categorical_crossentropy")
    batch = Batch(jnp.asarray(draw.normal(size=(4, 2)), jnp.float32), jnp.asarray(y))
    ts = begun(task, batch)
    for scale in 1, 1e3:
        ts = ts._replace(params=jax.tree.map(lambda w, scale=scale: scale * w, ts.params))
        p = chain.apply(task.layers, ts.params, ts.state, batch.x).y
        assert_allclose(evaluated(task, batch, ts)["loss"], theirs(y, p) + 0.5 * np.sum(np.square(p)) / 4, rtol=1e-5)


# ---- penalties, constraints, frozen layers ----


def test_weight_regularizers_stand_in_the_loss_and_in_its_gradient(draw):
    task = task_of(Dense(3, kernel_regularizer=regularizers.L2(0.1), bias_regularizer="l1"), measured=["mse"])
    batch = regression(draw, 6)
    ts, given = trained(task, batch, 1)
    first, kernel = begun(task, batch), begun(task, batch).params["dense"]["kernel"]
    assert_allclose(given["loss"] - given["mse"], 0.1 * np.sum(np.square(kernel)), rtol=1e-5)
    plain, _ = trained(task_of(Dense(3)), batch, 1, first)
    assert_allclose(ts.params["dense"]["kernel"], plain.params["dense"]["kernel"] - 0.1 * 2 * 0.1 * kernel, rtol=1e-5)


def test_activity_penalties_are_divided_by_the_rows_and_leave_no_trace_in_the_state(draw):
    task = task_of(Dense(5, activity_regularizer=regularizers.L1(0.2)), Dense(3, activity_regularizer="l2"), measured=["mse"])
    batch = regression(draw, 6)
    first, (ts, given) = begun(task, batch), trained(task, batch, 1)
    h = chain.apply(task.layers[:1], first.params, first.state, batch.x).y
    y_hat = chain.apply(task.layers, first.params, first.state, batch.x).y
    assert_allclose(given["loss"] - given["mse"], (0.2 * np.abs(h).sum() + 0.01 * np.square(y_hat).sum()) / 6, rtol=1e-5)
    _, state = run.make_predict(task.layers, "float32")(ts.params, ts.state, batch.x)
    for each in first.state, ts.state, state:
        assert_bitwise(each, {name: {chain.PENALTY: np.float32(0)} for name in ("dense", "dense_1")})


def test_a_model_with_everything_learns_as_in_keras(draw):
    """Regularizers, activity penalties, constraints, sample weights, momentum: four steps beside keras.Sequential."""
    batch = regression(draw, 20, weight=draw.uniform(0, 2, 20))
    task = task_of(
        Dense(6, activation="tanh", kernel_regularizer=regularizers.L1L2(0.01, 0.02),
              kernel_constraint=constraints.MaxNorm(1.0), activity_regularizer=regularizers.L2(0.05)),
        Dense(3, bias_regularizer=regularizers.L2(0.3), kernel_constraint="unit_norm"),
        measured=["mae"], optimizer=optimizers.SGD(0.1, momentum=0.9, nesterov=True).transform())
    theirs = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(6, activation="tanh", kernel_regularizer=keras.regularizers.L1L2(0.01, 0.02),
                           kernel_constraint=keras.constraints.MaxNorm(1.0), activity_regularizer=keras.regularizers.L2(0.05)),
        keras.layers.Dense(3, bias_regularizer=keras.regularizers.L2(0.3), kernel_constraint="unit_norm")])
    theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mse", metrics=["mae"])
    weights_of = lambda params: [params[layer][weight] for layer in ("dense", "dense_1") for weight in ("kernel", "bias")]
    theirs.set_weights(weights_of(begun(task, batch).params))
    x, y, weight = map(np.asarray, batch)
    history = theirs.fit(x, y, sample_weight=weight, batch_size=5, shuffle=False, verbose=0).history
    ts, given = trained(task, batch, 4)
    assert given == pytest.approx({name: values[0] for name, values in history.items()}, rel=1e-5)
    for ours, expected in zip(weights_of(ts.params), theirs.get_weights(), strict=True):
        assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    assert evaluated(task, batch._replace(weight=None), ts) == pytest.approx(
        theirs.evaluate(x, y, batch_size=20, verbose=0, return_dict=True), rel=1e-4)


def test_constraints_hold_after_every_update_and_not_before(draw):
    rule = constraints.MaxNorm(0.3)
    task, batch = task_of(Dense(3, kernel_constraint=rule)), regression(draw, 6)
    first = begun(task, batch)
    assert np.linalg.norm(first.params["dense"]["kernel"], axis=0).max() > 0.3
    free, _ = trained(task_of(Dense(3)), batch, 1)
    ts, _ = trained(task, batch, 1)
    assert_allclose(ts.params["dense"]["kernel"], rule(free.params["dense"]["kernel"]), rtol=1e-6)
    assert_array_equal(ts.params["dense"]["bias"], free.params["dense"]["bias"])


def test_frozen_layers_keep_their_bytes_and_have_no_part_in_optimizer_and_penalty(draw):
    layers = Dense(4, kernel_regularizer="l2", kernel_constraint="non_neg"), Dense(3, kernel_regularizer="l2")
    task = task_of(*layers, measured=["mse"], optimizer=optimizers.Adam(0.1).transform(), frozen=["dense"])
    batch = regression(draw, 12)
    first, (ts, _) = begun(task, batch), trained(task, batch, 3)
    assert_bitwise(ts.params["dense"], first.params["dense"])
    assert not np.array_equal(ts.params["dense_1"]["kernel"], first.params["dense_1"]["kernel"])
    moments = {path for path, leaf in leaves(ts.opt_state).items() if leaf.ndim}
    assert moments and all("'dense_1'" in path for path in moments)
    given = evaluated(task, batch, first)
    assert_allclose(given["loss"] - given["mse"], 0.01 * np.sum(np.square(first.params["dense_1"]["kernel"])), rtol=1e-4)


def test_a_model_frozen_throughout_may_be_trained_and_stays_as_it_is(draw):
    task, batch = task_of(Dense(3), frozen=["dense"], optimizer=optimizers.Adam().transform()), regression(draw, 4)
    ts, _ = trained(task, batch, 2)
    assert_bitwise(ts.params, begun(task, batch).params)
    assert ts.step == 2
