"""SimpleRNN against Keras with the same weights, and against a textbook loop."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from twins import assert_twins, numbers, run, weights

from jaxseq.core import rng
from jaxseq.core.layers.recurrent import SimpleRNN
from jaxseq.core.types import Ctx, Spec

MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
X = numbers(3, 6, 4)


@pytest.mark.every(3)
@pytest.mark.parametrize(("options", "masked"), [
    ({}, False),
    ({"activation": "relu", "use_bias": False, "return_sequences": True, "go_backwards": True, "unroll": True}, False),
    ({"return_sequences": True}, True),
    ({"go_backwards": True, "zero_output_for_mask": True}, True),
], ids=str)
def test_values_and_gradients_are_those_of_keras(options, masked):
    assert_twins(SimpleRNN(5, **options), keras.layers.SimpleRNN(5, **options), X, MASK if masked else None)


def test_it_is_the_textbook_loop_with_the_same_dropped_at_every_step():
    layer = SimpleRNN(5, dropout=0.5, recurrent_dropout=0.25, return_sequences=True, stateful=True)
    params, key, h = weights(layer, X), jax.random.key(3), numbers(3, 5, seed=4)
    kept_x = np.asarray(rng.keep(rng.fold_in(key, "dropout"), 0.5, (3, 1, 4)))
    kept_h = np.asarray(rng.keep(rng.fold_in(key, "recurrent_dropout"), 0.25, (3, 1, 5)))[:, 0]
    assert not kept_x.all() and not kept_h.all()
    y, state = run(layer, params, {"h": jnp.asarray(h)}, jnp.asarray(X), Ctx(True, key, jnp.asarray(MASK)))
    expected = np.zeros((3, 6, 5))
    for t in range(6):
        new = np.tanh((X * kept_x * 2)[:, t] @ params["kernel"] + params["bias"] + (h * kept_h / 0.75)
                      @ params["recurrent_kernel"])
        h = expected[:, t] = np.where(MASK[:, t, None], new, h)
    assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], h, rtol=1e-5, atol=1e-6)


def test_first_weights():
    params, state = SimpleRNN(8, stateful=True).init(jax.random.key(0), Spec((2, 3, 6), jnp.float32))
    assert {name: value.shape for name, value in params.items()} == {
        "kernel": (6, 8), "recurrent_kernel": (8, 8), "bias": (8,)}
    assert_allclose(params["recurrent_kernel"] @ params["recurrent_kernel"].T, np.eye(8), atol=1e-6)
    assert not params["bias"].any() and not state["h"].any() and state["h"].shape == (2, 8)


def test_the_kernels_have_penalties_and_constraints_of_their_own():
    layer = SimpleRNN(5, kernel_regularizer="l2", recurrent_regularizer="l1", bias_constraint="non_neg",
                      activity_regularizer="l1")
    params = weights(layer, X)
    assert_allclose(layer.penalty(params), 0.01 * (np.sum(params["kernel"] ** 2) + np.sum(np.abs(params["recurrent_kernel"]))),
                    rtol=1e-5)
    assert layer.constrain(params)["bias"].min() == 0 and (params["bias"] < 0).any()
    assert_allclose(layer.activity_penalty(jnp.ones((3, 5))), 0.01 * 5, rtol=1e-6)
