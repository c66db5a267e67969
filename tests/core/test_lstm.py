"""LSTM against Keras with the same weights, and against a textbook loop."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import oracles
import pytest
from lstm_cases import BATCH, CLOSE, FEATURES, QUICK, UNITS, X, assert_same, numbers, value_and_gradients, weights
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import chain, rng
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.masking import Masking
from jaxseq.core.layers.recurrent import LSTM
from jaxseq.core.types import Ctx, Spec

MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
UNSET = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}       # Keras's weights are ours anyway


def in_order(params):
    """The weights as Keras lists them."""
    return [params[name] for name in ("kernel", "recurrent_kernel", "bias") if name in params]


# ---- against Keras


@pytest.mark.every(3)
@pytest.mark.parametrize(("options", "masked"), [
    ({}, False),
    ({"return_sequences": True, "go_backwards": True}, False),
    ({"use_bias": False, "unroll": True}, False),
    ({"activation": None, "recurrent_activation": "tanh"}, False),
    ({"return_sequences": True}, True),
    ({"go_backwards": True}, True),
    ({"return_sequences": True, "go_backwards": True}, True),
    ({"activation": "softsign", "recurrent_activation": "hard_sigmoid", "return_sequences": True}, True),
], ids=str)
def test_values_and_gradients_are_those_of_keras(options, masked):
    layer, mask = LSTM(UNITS, **options), jnp.asarray(MASK) if masked else None
    params = weights(layer)
    theirs = keras.layers.LSTM(UNITS, **UNSET, **options)
    theirs.build(X.shape)

    run_ours = lambda given, x: layer.apply(dict(zip(("kernel", "recurrent_kernel", "bias"), given, strict=False)), {}, x,
                                            Ctx(True, mask=mask))[0]
    run_theirs = lambda given, x: theirs.stateless_call(given, theirs.non_trainable_variables, x, mask=mask, training=True)[0]
    ours, keras_gives = (value_and_gradients(run, in_order(params), X) for run in (run_ours, run_theirs))
    assert_same(ours, keras_gives, **CLOSE)


def stacks():
    """(ours, theirs, x): a padded sequence of ids, and one of features, through two LSTMs."""
    ids = np.array([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0], [0, 0, 5, 3, 0]])
    padded = numbers(3, 5, FEATURES)
    padded[0, 3:] = padded[2, 0] = -1.0
    sizes = {"return_sequences": True}, {"go_backwards": True}
    ours = [LSTM(4, **sizes[0]), LSTM(3, **sizes[1]), Dense(2)]
    theirs = [keras.layers.LSTM(4, **UNSET, **sizes[0]), keras.layers.LSTM(3, **UNSET, **sizes[1]),
              keras.layers.Dense(2, kernel_initializer="zeros")]
    return {
        "mask_zero": ([Embedding(7, 3, mask_zero=True), *ours],
                      [keras.layers.Embedding(7, 3, "zeros", mask_zero=True), *theirs], ids),
        "masking": ([Masking(-1.0), *ours], [keras.layers.Masking(-1.0), *theirs], padded),
    }


@pytest.mark.parametrize("kind", ["mask_zero", "masking"])
def test_a_mask_goes_through_a_stack_as_in_keras(kind):
    ours, theirs, x = stacks()[kind]
    named = [(f"{place}", layer) for place, layer in enumerate(ours)]
    model = keras.Sequential(theirs)
    model.build(x.shape)
    x = jnp.asarray(x)
    spec = Spec(x.shape, x.dtype)
    params, state = jax.jit(lambda key: chain.init(named, key, spec), compiler_options=QUICK)(jax.random.key(0))
    given = [leaf for name, _ in named if name in params for leaf in (
        [params[name][weight] for weight in ("embeddings", "kernel", "recurrent_kernel", "bias") if weight in params[name]])]
    assert [leaf.shape for leaf in given] == [tuple(each.shape) for each in model.trainable_variables]

    def run_ours(given):
        rest = iter(given)
        filled = {name: {weight: next(rest) for weight in ("embeddings", "kernel", "recurrent_kernel", "bias")
                         if weight in params[name]} for name, _ in named if name in params}
        return chain.apply(named, filled, state, x).y

    run_theirs = lambda given: model.stateless_call(given, model.non_trainable_variables, x)[0]
    assert_same(value_and_gradients(run_ours, given), value_and_gradients(run_theirs, given), **CLOSE)


# ---- against the textbook


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all steps", "masked"])
def test_it_is_the_textbook_loop(mask, go_backwards):
    layer = LSTM(UNITS, return_sequences=True, stateful=True, go_backwards=go_backwards)
    params, h, c = weights(layer), numbers(BATCH, UNITS, seed=4), numbers(BATCH, UNITS, seed=5)
    y, state = layer.apply(params, {"h": h, "c": c}, jnp.asarray(X), Ctx(mask=None if mask is None else jnp.asarray(mask)))
    order = slice(None, None, -1 if go_backwards else 1)
    outputs, last_h, last_c = oracles.lstm(params, X[:, order], None if mask is None else mask[:, order], h, c)
    assert_allclose(y, outputs, rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], last_h, rtol=1e-5, atol=1e-6)
    assert_allclose(state["c"], last_c, rtol=1e-5, atol=1e-6)


def test_before_the_first_real_step_the_output_is_zero_and_then_it_repeats():
    layer = LSTM(UNITS, return_sequences=True)
    y, _ = layer.apply(weights(layer), {}, jnp.asarray(X), Ctx(mask=jnp.asarray(MASK)))
    assert not y[2, :2].any() and y[2, 2].any()
    assert_array_equal(y[2, 3], y[2, 2])
    assert_array_equal(y[1, 3:], jnp.broadcast_to(y[1, 2], (3, UNITS)))


# ---- state


def test_pieces_with_a_carry_equal_one_unbroken_pass():
    whole, piecewise = LSTM(UNITS, return_sequences=True), LSTM(UNITS, return_sequences=True, stateful=True)
    params = weights(whole)
    expected, _ = whole.apply(params, {}, X, Ctx())
    _, state = piecewise.init(jax.random.key(0), Spec((BATCH, 2, FEATURES), jnp.float32))
    pieces = []
    for train, piece in zip((True, False, True), np.split(X, 3, axis=1), strict=True):
        y, state = piecewise.apply(params, state, piece, Ctx(train))
        pieces.append(y)
    assert_allclose(np.concatenate(pieces, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_the_state_begins_and_is_reset_to_zero():
    layer = LSTM(UNITS, stateful=True)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    assert {name: (value.shape, value.dtype) for name, value in state.items()} == {
        "h": ((BATCH, UNITS), jnp.float32), "c": ((BATCH, UNITS), jnp.float32)}
    assert not any(value.any() for value in state.values())
    _, moved = layer.apply(params, state, X, Ctx())
    assert moved["h"].all() and moved["c"].all()
    assert not any(value.any() for value in layer.reset(moved).values())
    assert LSTM(UNITS).init(jax.random.key(0), Spec(X.shape, jnp.float32))[1] == {}


def test_no_gradient_flows_into_the_batch_before():
    layer = LSTM(UNITS, stateful=True)
    params = weights(layer)

    def second_batch(first):
        _, state = layer.apply(params, {"h": jnp.zeros((BATCH, UNITS)), "c": jnp.zeros((BATCH, UNITS))}, first, Ctx(True))
        return jnp.sum(layer.apply(params, state, X, Ctx(True))[0])

    assert not jax.grad(second_batch)(jnp.asarray(X)).any()


# ---- first weights, masks and dropout


def test_first_weights():
    params, _ = LSTM(8).init(jax.random.key(0), Spec((2, 3, 6), jnp.float32))
    assert {name: value.shape for name, value in params.items()} == {
        "kernel": (6, 32), "recurrent_kernel": (8, 32), "bias": (32,)}
    assert np.abs(params["kernel"]).max() <= np.sqrt(6 / (6 + 32))
    assert_allclose(params["recurrent_kernel"] @ params["recurrent_kernel"].T, np.eye(8), atol=1e-6)
    assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 8))


def test_first_bias_follows_its_initializer_but_for_the_forget_gate():
    spec = Spec((2, 3, 6), jnp.float32)
    params, _ = LSTM(2, bias_initializer="ones", unit_forget_bias=False).init(jax.random.key(0), spec)
    assert_array_equal(params["bias"], np.ones(8))
    params, _ = LSTM(2, bias_initializer="random_normal").init(jax.random.key(0), spec)
    assert_array_equal(params["bias"][2:4], np.ones(2))
    assert np.all(params["bias"][:2] != 1) and np.all(params["bias"][4:] != 1)
    assert "bias" not in LSTM(2, use_bias=False).init(jax.random.key(0), spec)[0]


def test_the_mask_goes_on_with_the_sequence_in_its_order():
    mask = jnp.asarray(MASK)
    assert LSTM(2).out_mask(X, mask) is None
    assert_array_equal(LSTM(2, return_sequences=True).out_mask(X, mask), mask)
    assert_array_equal(LSTM(2, return_sequences=True, go_backwards=True).out_mask(X, mask), mask[:, ::-1])
    assert LSTM(2, return_sequences=True).out_mask(X, None) is None


def test_dropout_drops_the_same_features_at_every_step():
    layer, key = LSTM(UNITS, dropout=0.5, return_sequences=True), jax.random.key(3)
    params = weights(layer)
    kept = rng.keep(rng.fold_in(key, "dropout"), 0.5, (BATCH, 1, FEATURES))
    assert 0 < kept.sum() < kept.size
    expected, _, _ = oracles.lstm(params, X * np.asarray(kept) * 2)
    assert_allclose(layer.apply(params, {}, jnp.asarray(X), Ctx(True, key))[0], expected, rtol=1e-5, atol=1e-6)


def test_recurrent_dropout_drops_the_same_units_at_every_step_with_a_draw_for_each_gate():
    layer, key = LSTM(UNITS, recurrent_dropout=0.25, return_sequences=True, seed=8), jax.random.key(3)
    params = weights(layer)
    kept = rng.keep(rng.fold_in(rng.fold_in(key, 8), "recurrent_dropout"), 0.25, (BATCH, 4, UNITS))
    assert len(np.unique(np.asarray(kept), axis=1)) > 1 and not kept.all()
    expected, _, _ = oracles.lstm(params, X, kept=np.asarray(kept) / 0.75)
    assert_allclose(layer.apply(params, {}, jnp.asarray(X), Ctx(True, key))[0], expected, rtol=1e-5, atol=1e-6)


def test_dropout_keeps_the_mean():
    layer = LSTM(1, activation=None, recurrent_activation=lambda z: jnp.ones_like(z), dropout=0.3, use_bias=False)
    params = {"kernel": jnp.ones((200, 4)), "recurrent_kernel": jnp.zeros((1, 4))}
    y, _ = layer.apply(params, {}, jnp.ones((100, 1, 200)), Ctx(True, jax.random.key(0)))
    assert_allclose(y.mean() / 200, 1, atol=5 * np.sqrt(0.3 / 0.7 / (200 * 100)))
    assert_allclose(y.std() / np.sqrt(200), np.sqrt(0.3 / 0.7), rtol=0.3)


# ---- errors


@pytest.mark.parametrize(("make", "message"), [
    (lambda: LSTM(0), "LSTM(units)=0: write a whole number of at least 1."),
    (lambda: LSTM(2, dropout=1.0), "LSTM(dropout=1.0): write a number from 0 up to, and without, 1."),
    (lambda: LSTM(2, recurrent_dropout=-0.1), "LSTM(recurrent_dropout=-0.1): write a number from 0 up to, and without, 1."),
    (lambda: LSTM(2, implementation=3), "LSTM(implementation)=3: write one of 1, 2."),
    (lambda: LSTM(2, return_state=True), "LSTM(return_state=True): a layer of a Sequential has one output. Write "
     "stateful=True and read layer.states after the batch."),
    (lambda: LSTM(2).init(jax.random.key(0), Spec((32, 784), jnp.float32)), "LSTM needs x (batch, time, features), got "
     "(32, 784). Write return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None]."),
    (lambda: LSTM(UNITS).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X[:, :0]), Ctx()),
     "A recurrent layer needs at least one time step, got 3 sequences of length 0."),
    (lambda: LSTM(UNITS, remat=True).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X[:, :0]), Ctx()),
     "A recurrent layer needs at least one time step, got 3 sequences of length 0."),
    (lambda: LSTM(UNITS).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X), Ctx(mask=jnp.ones((3, 5), bool))),
     "A recurrent layer needs a mask (batch, time) (3, 6), got (3, 5)."),
    (lambda: LSTM(2, stateful=True).apply(weights(LSTM(2)), {"h": jnp.zeros((4, 2)), "c": jnp.zeros((4, 2))},
                                          jnp.asarray(X), Ctx()),
     "The layer is stateful and carries the state of a batch of 4, got a batch of 3. Pass batches of 4, so a multiple of 4 "
     "rows in all."),
    (lambda: LSTM(2, dropout=0.5).apply(weights(LSTM(2)), {}, jnp.asarray(X), Ctx(True)),
     "A layer that drops draws at random in training, so it needs a key: apply(..., train=True, key=jax.random.key(0))."),
], ids=lambda given: given if isinstance(given, str) else "")
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_keras_2_words_are_taken():
    assert LSTM(2, implementation=1) == LSTM(2, implementation=2)
    assert LSTM(2, input_dim=4, input_length=6).batch_input_shape == (None, 6, 4)
