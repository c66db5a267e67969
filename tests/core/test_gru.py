"""GRU against Keras with the same weights, and against a textbook loop."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from twins import QUICK, assert_twins, numbers, run, weights

from jaxseq.core import rng
from jaxseq.core.layers.recurrent import GRU, CuDNNGRU
from jaxseq.core.types import Ctx, Spec

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
X = numbers(BATCH, TIME, FEATURES)


def textbook(params, x, reset_after, mask=None, h=None, kept=None):
    """The loop of Cho et al. in float64, one row, one step and one gate at a time: (h after each step, last h)."""
    W, U = (np.asarray(params[name], np.float64) for name in ("kernel", "recurrent_kernel"))
    units = U.shape[0]
    bias = np.asarray(params.get("bias", np.zeros((2, 3 * units))), np.float64)
    in_bias, out_bias = bias if bias.ndim == 2 else (bias, np.zeros(3 * units))
    (W_u, W_r, W_g), (U_u, U_r, U_g) = np.split(W, 3, axis=1), np.split(U, 3, axis=1)
    (b_u, b_r, b_g), (d_u, d_r, d_g) = np.split(in_bias, 3), np.split(out_bias, 3)
    h = np.zeros((len(x), units)) if h is None else np.array(h, np.float64)
    kept = np.ones((len(x), 3, units)) if kept is None else kept
    outputs = np.zeros((*x.shape[:2], units))
    for n in range(len(x)):
        for t in range(x.shape[1]):
            if mask is None or mask[n, t]:
                h_u, h_r, h_g = h[n] * kept[n]
                u = oracles.sigmoid(x[n, t] @ W_u + b_u + h_u @ U_u + d_u)
                r = oracles.sigmoid(x[n, t] @ W_r + b_r + h_r @ U_r + d_r)
                read = r * (h_g @ U_g + d_g) if reset_after else (r * h_g) @ U_g
                h[n] = u * h[n] + (1 - u) * np.tanh(x[n, t] @ W_g + b_g + read)
            outputs[n, t] = h[n]
    return outputs, h


@pytest.mark.every(3)
@pytest.mark.parametrize(("options", "masked"), [
    ({}, False),
    ({"reset_after": False}, False),
    ({"return_sequences": True, "go_backwards": True, "use_bias": False}, False),
    ({"activation": "softsign", "recurrent_activation": "hard_sigmoid", "unroll": True}, True),
    ({"return_sequences": True, "zero_output_for_mask": True}, True),
    ({"reset_after": False, "go_backwards": True, "return_sequences": True}, True),
], ids=str)
def test_values_and_gradients_are_those_of_keras(options, masked):
    assert_twins(GRU(UNITS, **options), keras.layers.GRU(UNITS, **options), X, MASK if masked else None)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all steps", "masked"])
def test_it_is_the_textbook_loop(mask, reset_after):
    layer = GRU(UNITS, return_sequences=True, stateful=True, reset_after=reset_after)
    params, h = weights(layer, X), numbers(BATCH, UNITS, seed=4)
    y, state = run(layer, params, {"h": jnp.asarray(h)}, jnp.asarray(X), Ctx(mask=None if mask is None else jnp.asarray(mask)))
    outputs, last = textbook(params, X, reset_after, mask, h)
    assert_allclose(y, outputs, rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], last, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reset_after", [True, False])
def test_dropout_drops_the_same_at_every_step_with_one_draw_of_x_and_one_of_h_for_each_gate(reset_after):
    layer = GRU(UNITS, return_sequences=True, dropout=0.5, recurrent_dropout=0.25, reset_after=reset_after, seed=8)
    params, key = weights(layer, X), jax.random.key(3)
    own = rng.fold_in(key, 8)
    kept_x = np.asarray(rng.keep(rng.fold_in(own, "dropout"), 0.5, (BATCH, 1, FEATURES)))
    kept_h = np.asarray(rng.keep(rng.fold_in(own, "recurrent_dropout"), 0.25, (BATCH, 3, UNITS)))
    assert not kept_x.all() and len(np.unique(kept_h, axis=1)) > 1
    expected, _ = textbook(params, X * kept_x * 2, reset_after, kept=kept_h / 0.75)
    assert_allclose(run(layer, params, {}, jnp.asarray(X), Ctx(True, key))[0], expected, rtol=1e-5, atol=1e-6)
    evaluated = run(layer, params, {}, jnp.asarray(X), Ctx())[0]
    assert_allclose(evaluated, textbook(params, X, reset_after)[0], rtol=1e-5, atol=1e-6)


def test_pieces_with_a_carry_equal_one_unbroken_pass():
    whole, piecewise = GRU(UNITS, return_sequences=True), GRU(UNITS, return_sequences=True, stateful=True)
    params = weights(whole, X)
    _, state = piecewise.init(jax.random.key(0), Spec((BATCH, 2, FEATURES), jnp.float32))
    pieces = []
    for piece in np.split(X, 3, axis=1):
        y, state = run(piecewise, params, state, jnp.asarray(piece), Ctx())
        pieces.append(y)
    assert_allclose(np.concatenate(pieces, axis=1), run(whole, params, {}, jnp.asarray(X), Ctx())[0], rtol=1e-5, atol=1e-6)
    assert not piecewise.reset(state)["h"].any()


@pytest.mark.parametrize("long", [pytest.param(False, marks=pytest.mark.full), True])
def test_remat_changes_no_number(long):
    x = jnp.asarray(numbers(BATCH, 7, FEATURES))
    mask = jnp.asarray(numbers(BATCH, 7, seed=7) > -0.5) if long else None
    options = {"dropout": 0.3, "recurrent_dropout": 0.3, "return_sequences": True}
    params = weights(GRU(UNITS), x)
    total = lambda layer, params: jnp.sum(jnp.sin(layer.apply(params, {}, x, Ctx(True, jax.random.key(3), mask))[0]))
    slopes = [jax.jit(jax.grad(partial(total, layer)), compiler_options=QUICK)(params)
              for layer in (GRU(UNITS, **options), GRU(UNITS, remat=True, **options))]
    jax.tree.map(lambda one, other: assert_allclose(one, other, rtol=2e-5, atol=2e-6), *slopes)


def test_first_weights():
    spec = Spec((2, 3, 6), jnp.float32)
    params, state = GRU(8).init(jax.random.key(0), spec)
    assert {name: value.shape for name, value in params.items()} == {
        "kernel": (6, 24), "recurrent_kernel": (8, 24), "bias": (2, 24)}
    assert state == {} and not params["bias"].any()
    assert_allclose(params["recurrent_kernel"] @ params["recurrent_kernel"].T, np.eye(8), atol=1e-6)
    assert np.abs(params["kernel"]).max() <= np.sqrt(6 / (6 + 24))
    assert GRU(8, reset_after=False).init(jax.random.key(0), spec)[0]["bias"].shape == (24,)
    assert "bias" not in GRU(8, use_bias=False).init(jax.random.key(0), spec)[0]


def test_the_mask_goes_on_with_the_sequence_in_its_order():
    mask = jnp.asarray(MASK)
    assert GRU(2).out_mask(X, mask) is None
    assert_array_equal(GRU(2, return_sequences=True, go_backwards=True).out_mask(X, mask), mask[:, ::-1])


@pytest.mark.parametrize(("make", "message"), [
    (lambda: GRU(0), "GRU(units)=0: write a whole number of at least 1."),
    (lambda: GRU(2, recurrent_dropout=1.0), "GRU(recurrent_dropout=1.0): write a number from 0 up to, and without, 1."),
    (lambda: GRU(2, return_state=True), "GRU(return_state=True): a layer of a Sequential has one output. Write "
     "stateful=True and read layer.states after the batch."),
    (lambda: GRU(2).init(jax.random.key(0), Spec((32, 784), jnp.float32)), "GRU needs x (batch, time, features), got "
     "(32, 784). Write return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None]."),
], ids=lambda given: given if isinstance(given, str) else "")
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_keras_2_words_are_taken():
    assert GRU(2, "tanh", "hard_sigmoid") == GRU(2, activation="tanh", recurrent_activation="hard_sigmoid")
    assert CuDNNGRU(2, stateful=True) == GRU(2, stateful=True)
    assert GRU(2, implementation=1, input_dim=4, input_length=6).batch_input_shape == (None, 6, 4)
