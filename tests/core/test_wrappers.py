"""Bidirectional and TimeDistributed: against Keras, against their layers alone, and what they pass on."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from twins import QUICK, assert_twins, numbers, run, weights

from jaxseq import models
from jaxseq.core import activations, chain, layers, rng
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.masking import Masking
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from jaxseq.core.layers.wrappers import Bidirectional, TimeDistributed
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
X = numbers(3, 6, 4)
FRAMES = numbers(2, 3, 5, 4)
KEY = jax.random.key(3)


def halves(params):
    """(the forward layer's params, the backward one's)."""
    return [{name.removeprefix(way): value for name, value in params.items() if name.startswith(way)}
            for way in ("forward_", "backward_")]


# ---- Bidirectional


@pytest.mark.every(3)
@pytest.mark.parametrize(("made", "masked"), [
    (lambda k, w: w.Bidirectional(k.LSTM(5)), False),
    (lambda k, w: w.Bidirectional(k.GRU(5, return_sequences=True), merge_mode="sum"), True),
    (lambda k, w: w.Bidirectional(k.SimpleRNN(5, return_sequences=True)), True),
    (lambda k, w: w.Bidirectional(k.SimpleRNN(5), merge_mode="mul"), True),
    (lambda k, w: w.Bidirectional(k.SimpleRNN(5), merge_mode="ave", backward_layer=k.GRU(5, go_backwards=True)), False),
    (lambda k, w: w.Bidirectional(k.LSTM(5, go_backwards=True, return_sequences=True),
                                  backward_layer=k.LSTM(5, return_sequences=True)), False),
], ids=["concat", "sum", "concat masked", "mul", "ave", "the other way"])
def test_values_gradients_and_the_order_of_weights_are_those_of_keras(made, masked):
    ours, theirs = made(layers.recurrent, layers.wrappers), made(keras.layers, keras.layers)
    assert_twins(ours, theirs, X, MASK if masked else None)


def test_each_direction_has_a_draw_of_its_own_and_what_is_masked_is_zero():
    inner = GRU(5, return_sequences=True, dropout=0.5, recurrent_dropout=0.5)
    layer = Bidirectional(inner, merge_mode="sum")
    params, mask = weights(layer, X), jnp.asarray(MASK)
    y, _ = run(layer, params, {}, jnp.asarray(X), Ctx(True, KEY, mask))
    forward, backward = halves(params)
    there, _ = run(inner, forward, {}, jnp.asarray(X), Ctx(True, rng.fold_in(KEY, "forward_"), mask))
    back, _ = run(inner, backward, {}, jnp.asarray(X[:, ::-1]), Ctx(True, rng.fold_in(KEY, "backward_"), mask[:, ::-1]))
    assert_allclose(y, np.where(MASK[..., None], there + back[:, ::-1], 0), rtol=1e-5, atol=1e-6)
    assert_array_equal(layer.out_mask(X, mask), mask)


def test_both_directions_carry_a_state_until_it_is_reset():
    layer, alone = Bidirectional(LSTM(5, stateful=True)), LSTM(5, stateful=True)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    assert list(state) == ["forward_h", "forward_c", "backward_h", "backward_c"]
    assert not np.array_equal(params["forward_kernel"], params["backward_kernel"])
    forward, _ = halves(params)
    carried = {"h": state["forward_h"], "c": state["forward_c"]}
    for _ in range(2):
        y, state = run(layer, params, state, jnp.asarray(X), Ctx())
        expected, carried = run(alone, forward, carried, jnp.asarray(X), Ctx())
        assert_allclose(y[:, :5], expected, rtol=1e-5, atol=1e-6)
    assert all(value.any() for value in state.values())
    assert not any(value.any() for value in layer.reset(state).values())


def test_regularizers_and_constraints_of_the_layer_count_in_both_directions():
    layer = Bidirectional(SimpleRNN(5, kernel_regularizer="l2", recurrent_regularizer="l1", bias_constraint="non_neg"))
    params = weights(layer, X)
    assert_allclose(layer.penalty(params), sum(layer.layer.penalty(half) for half in halves(params)), rtol=1e-6)
    constrained = layer.constrain(params)
    assert list(constrained) == list(params)
    assert constrained["forward_bias"].min() == constrained["backward_bias"].min() == 0


@pytest.mark.parametrize("merge_mode", ["concat", "mul"])
def test_activity_penalties_are_those_of_the_outputs_of_each_direction(merge_mode):
    layer = Bidirectional(SimpleRNN(5, activity_regularizer="l2", stateful=True), merge_mode=merge_mode)
    params, named = weights(layer, X), [("it", layer)]
    forward, backward = halves(params)
    there, back = run(SimpleRNN(5), forward, {}, X, Ctx())[0], run(SimpleRNN(5), backward, {}, X[:, ::-1], Ctx())[0]
    state = chain.init(named, jax.random.key(0), Spec(X.shape, jnp.float32))[1]

    def penalty(params):
        return chain.take_penalties(chain.apply(named, {"it": params}, state, jnp.asarray(X)).state)[0]

    value, slope = jax.jit(jax.value_and_grad(penalty), compiler_options=QUICK)(params)
    assert_allclose(value, 0.01 * (np.sum(there**2) + np.sum(back**2)) / 3, rtol=1e-5)
    assert slope["forward_kernel"].any() and slope["backward_kernel"].any()
    assert not layer.by_row(False) and Bidirectional(SimpleRNN(5)).by_row(True)


def test_the_wrapper_takes_the_input_and_the_freezing_that_its_layer_declares():
    layer = Bidirectional(LSTM(5, input_shape=(7, 3), trainable=False))
    assert layer.batch_input_shape == (None, 7, 3) and layer.stands_still
    assert Bidirectional(LSTM(5), input_shape=(7, 3)).batch_input_shape == (None, 7, 3)
    assert Bidirectional(LSTM(5), input_dim=3).batch_input_shape == (None, None, 3)


def test_it_reads_cells_and_stands_in_a_chain():
    reader = Bidirectional(RNN(layers.cells.GRUCell(3), return_sequences=True))
    named = [("mask", Masking()), ("both", reader), ("out", Dense(2))]
    params, state = chain.init(named, jax.random.key(0), Spec(X.shape, jnp.float32))
    out = chain.apply(named, params, state, jnp.asarray(np.where(MASK[..., None], X, 0)), train=True, key=KEY)
    assert out.y.shape == (3, 6, 2)
    assert_array_equal(out.mask, MASK)


# ---- TimeDistributed


@pytest.mark.every(3)
@pytest.mark.parametrize(("made", "x", "mask"), [
    (lambda k, w: w.TimeDistributed(k.Dense(3, activation="tanh")), X, MASK),
    (lambda k, w: w.TimeDistributed(k.LSTM(3)), FRAMES, None),
    (lambda k, w: w.TimeDistributed(w.Bidirectional(k.GRU(3, return_sequences=True))), FRAMES, None),
    (lambda k, w: w.TimeDistributed(k.Conv1D(3, 2)), FRAMES, None),
    (lambda k, w: w.TimeDistributed(w.TimeDistributed(k.Dense(3))), FRAMES, None),
], ids=["Dense", "LSTM", "Bidirectional", "Conv1D", "twice"])
def test_at_each_step_it_is_the_layer_as_in_keras(made, x, mask):
    class Ours:
        Dense, LSTM, GRU, Conv1D = Dense, LSTM, GRU, layers.Conv1D

    assert_twins(made(Ours, layers.wrappers), made(keras.layers, keras.layers), x, mask)


def test_moments_are_those_of_each_step_and_move_step_by_step_as_in_keras():
    layer, theirs = TimeDistributed(BatchNormalization(momentum=0.7)), keras.layers.TimeDistributed(
        keras.layers.BatchNormalization(momentum=0.7))
    theirs.build(X.shape)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    assert layer.statistics == ("moving_mean", "moving_variance") and not layer.by_row(True) and layer.by_row(False)
    for train in True, False:
        moving = [state["moving_mean"], state["moving_variance"]]
        expected, moved = theirs.stateless_call([params["gamma"], params["beta"]], moving, X, training=train)
        y, state = run(layer, params, state, jnp.asarray(X), Ctx(train))
        assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
        assert_allclose(state["moving_mean"], moved[0], rtol=1e-5, atol=1e-6)
        assert_allclose(state["moving_variance"], moved[1], rtol=1e-5, atol=1e-6)


def test_frozen_it_takes_the_moving_moments():
    layer = TimeDistributed(BatchNormalization(), trainable=False)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    y, after = run(layer, params, state, jnp.asarray(X), Ctx(True))
    assert_allclose(y, X / np.sqrt(1 + 1e-3), rtol=1e-5)
    assert_array_equal(after["moving_mean"], state["moving_mean"])
    assert TimeDistributed(BatchNormalization(trainable=False)).stands_still


def test_a_part_that_is_frozen_later_stands_still_and_a_part_of_two_is_refused():
    both = Bidirectional(GRU(3))
    model = models.Sequential([TimeDistributed(Dense(3), input_shape=X.shape[1:]), both])
    model.compile("sgd", "mse")
    model.fit(X, np.ones((3, 6)), verbose=0)
    model.layers[0].layer.trainable = both.layer.trainable = False
    before = model.get_weights()
    model.fit(X, np.ones((3, 6)), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)
    assert model.trainable_weights == []
    two = Bidirectional(GRU(3), backward_layer=GRU(3, go_backwards=True))
    two.layer.trainable = False
    with pytest.raises(ValueError, match="its parts are trained together or not at all"):
        two.stands_still        # noqa: B018


def test_what_is_carried_goes_from_step_to_step():
    """A stateful layer reads the outer sequence on, as one sequence."""
    layer = TimeDistributed(LSTM(3, stateful=True))
    params, state = layer.init(jax.random.key(0), Spec(FRAMES.shape, jnp.float32))
    assert state["h"].shape == (2, 3)
    y, state = run(layer, params, state, jnp.asarray(FRAMES), Ctx())
    whole, _ = run(LSTM(3, return_sequences=True), params, {}, jnp.asarray(FRAMES.reshape(2, 15, 4)), Ctx())
    assert_allclose(y, whole[:, 4::5], rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], whole[:, -1], rtol=1e-5, atol=1e-6)
    assert not layer.reset(state)["h"].any()


class Halved(layers.Identity):
    """A layer of a user's own that draws: each step has a draw of its own."""

    def apply(self, params, state, x, ctx):
        return x * rng.uniform(ctx.key, x.shape, 0, 1), state


@pytest.mark.parametrize("layer", [Dropout(0.5), Halved()], ids=["all steps at once", "one by one"])
def test_each_step_draws_anew(layer):
    y, _ = TimeDistributed(layer).apply({}, {}, jnp.ones((4, 5, 8)), Ctx(True, KEY))
    assert len({np.asarray(y[:, t]).tobytes() for t in range(5)}) == 5
    again, _ = TimeDistributed(layer).apply({}, {}, jnp.ones((4, 5, 8)), Ctx(True, KEY))
    assert_array_equal(y, again)


def test_a_mask_of_time_goes_on_and_one_of_more_axes_is_the_layers():
    words = np.array([[[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], [[0, 1, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 0]]],
                     bool)
    layer, inner = TimeDistributed(LSTM(3)), LSTM(3)
    params = weights(layer, FRAMES)
    y, _ = run(layer, params, {}, jnp.asarray(FRAMES), Ctx(mask=jnp.asarray(words)))
    for t in range(3):
        expected, _ = run(inner, params, {}, jnp.asarray(FRAMES[:, t]), Ctx(mask=jnp.asarray(words[:, t])))
        assert_allclose(y[:, t], expected, rtol=1e-5, atol=1e-6)
    after = lambda layer, mask: layer.forward(params, {}, jnp.asarray(FRAMES), Ctx(mask=mask))[2]
    assert_array_equal(after(layer, jnp.asarray(words)), words.any(axis=2))
    assert_array_equal(after(TimeDistributed(LSTM(3, return_sequences=True)), jnp.asarray(words)), words)
    assert_array_equal(after(layer, jnp.asarray(MASK[:2, :3])), MASK[:2, :3])
    assert after(layer, None) is None


def test_an_embedding_within_masks_its_words_and_takes_numbers():
    ids = jnp.array([[[1, 2, 0], [0, 0, 0]]])
    words = TimeDistributed(Embedding(4, 3, mask_zero=True))
    named = [("words", words), ("sentence", TimeDistributed(GRU(2))), ("text", GRU(2))]
    params, state = chain.init(named, jax.random.key(0), Spec(ids.shape, ids.dtype))
    out = chain.apply(named, params, state, ids)
    shorter = chain.apply(named, params, state, ids[:, :1, :2])
    assert_allclose(out.y, shorter.y, rtol=1e-5, atol=1e-6)
    assert words.input_dtype == Embedding(4, 3).input_dtype == "int32"


def test_regularizers_constraints_and_activity_penalties_of_the_layer_count():
    layer = TimeDistributed(Dense(3, kernel_regularizer="l2", bias_constraint="non_neg", activity_regularizer="l1"))
    params = weights(layer, X)
    assert_allclose(layer.penalty(params), 0.01 * np.sum(params["kernel"] ** 2), rtol=1e-5)
    assert layer.constrain(params)["bias"].min() == 0
    assert_allclose(layer.activity_penalty(jnp.ones((3, 6, 3))), 0.01 * 18, rtol=1e-6)
    assert not layer.by_row(True) and TimeDistributed(Dense(3)).by_row(True)


@pytest.mark.parametrize("stateful", [False, True], ids=["all steps at once", "one by one"])
def test_activity_penalties_deep_within_are_counted_per_row(stateful):
    inner = Bidirectional(SimpleRNN(3, activity_regularizer="l1", stateful=stateful), merge_mode="sum")
    named = [("it", TimeDistributed(inner))]
    params, state = chain.init(named, jax.random.key(0), Spec(FRAMES.shape, jnp.float32))
    for _ in range(2):
        out = chain.apply(named, params, state, jnp.asarray(FRAMES))
        carried, expected = {name: value for name, value in state["it"].items() if name != chain.PENALTY}, 0
        for t in range(3):
            _, carried = run(inner, params["it"], carried, jnp.asarray(FRAMES[:, t]), Ctx())
            expected += carried.pop(chain.PENALTY)
        assert_allclose(out.state["it"][chain.PENALTY], expected, rtol=1e-5)
        state = out.state


# ---- errors


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Bidirectional(LSTM(2), merge_mode=None), ValueError, "Bidirectional(merge_mode=None): a layer of a Sequential has "
     "one output. Write merge_mode='concat', 'sum', 'mul' or 'ave'."),
    (lambda: Bidirectional(LSTM(2), merge_mode="max"), ValueError, "Bidirectional(merge_mode)='max': write one of 'concat', "
     "'sum', 'mul', 'ave'."),
    (lambda: Bidirectional(Dense(2)), TypeError, "Bidirectional(Dense(units=2)): write a recurrent layer, "
     "Bidirectional(LSTM(32))."),
    (lambda: Bidirectional(GRU(2), backward_layer=GRU(3)), ValueError, "GRU(units=2) and GRU(units=3) read the same way. Write "
     "go_backwards=True in one of them."),
    (lambda: Bidirectional(GRU(2), backward_layer=GRU(2, go_backwards=True, stateful=True)), ValueError,
     "GRU(units=2) and GRU(units=2, go_backwards=True, stateful=True) need the same stateful."),
    (lambda: TimeDistributed(3), TypeError, "TimeDistributed(3): write a layer, TimeDistributed(Dense(8)), or a model."),
    (lambda: TimeDistributed(Dense(2)).init(KEY, Spec((4,), jnp.float32)), ValueError,
     "TimeDistributed needs x (batch, time, ...), got (4,). Give it a time axis: x[:, None]."),
    (lambda: TimeDistributed(Dense(2)).apply({}, {}, jnp.asarray(X), Ctx(mask=jnp.ones((3, 5), bool))), ValueError,
     "TimeDistributed needs a mask (batch, time) (3, 6), or with more of the axes of x (3, 6, 4), got (3, 5)."),
], ids=range(8))
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_the_activation_of_each_step_can_be_taken_off():
    layer = TimeDistributed(TimeDistributed(Dense(3, activation="softmax")))
    assert layer.without_activation() == (TimeDistributed(TimeDistributed(Dense(3))), activations.softmax)
    assert TimeDistributed(Dense(3, activation="softmax", activity_regularizer="l2")).without_activation() is None
