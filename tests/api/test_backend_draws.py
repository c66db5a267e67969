"""Draws of jaxseq.backend: functions of their seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from backend_data import X, refuses
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.api import backend as K

DRAWS = {"random_normal": lambda seed: K.random_normal((1000, 20), 3.0, 2.0, seed=seed),
         "random_uniform": lambda seed: K.random_uniform((1000, 20), -1.0, 3.0, seed=seed),
         "random_binomial": lambda seed: K.random_binomial((1000, 20), 0.25, seed=seed),
         "truncated_normal": lambda seed: K.truncated_normal((1000, 20), 3.0, 2.0, seed=seed),
         "dropout": lambda seed: K.dropout(np.ones((1000, 20)), 0.25, seed=seed)}
MOMENTS = {"random_normal": (3, 2), "random_uniform": (1, 4 / 12**0.5), "random_binomial": (0.25, 0.1875**0.5),
           "truncated_normal": (3, 2 * 0.87962566), "dropout": (1, 3**-0.5)}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_functions_of_the_seed(name):
    draw = DRAWS[name]
    once = draw(5)
    assert once.dtype == jnp.float32
    assert_array_equal(once, draw(5))
    assert not np.array_equal(once, draw(6)) and not np.array_equal(draw(0), draw(2**33))
    assert draw(jax.random.key(5)).shape == (1000, 20)
    assert_allclose((once.mean(), once.std()), MOMENTS[name], atol=0.04)
    with refuses(f"K.{name} needs seed=: there is no global generator to draw from. Write seed=0 for the same numbers "
                 "at every call; for new ones in every step, seed=ctx.key in a layer's apply, or seed=self.draw_key() in its "
                 "call."):
        draw(None)


def test_draws_know_their_bounds():
    assert np.abs(np.asarray(DRAWS["truncated_normal"](0)) - 3).max() <= 4
    whole = K.random_uniform((1000,), 2, 5, "int32", seed=0)
    assert whole.dtype == jnp.int32 and set(whole.tolist()) == {2, 3, 4}
    rows = np.asarray(K.dropout(np.ones((200, 5)), 0.5, noise_shape=(200, 1), seed=0))
    assert set(rows.sum(1).tolist()) == {0, 10}
    with refuses("K.dropout(level=1): write a number from 0 on and below 1."):
        K.dropout(X, 1, seed=0)


def test_draws_leave_numpy_alone():
    before = np.random.get_state(legacy=False)["state"]
    DRAWS["random_normal"](0)
    after = np.random.get_state(legacy=False)["state"]
    assert before["pos"] == after["pos"] and np.array_equal(before["key"], after["key"])


def test_a_layer_in_keras_way_draws_with_its_key():
    class Noise(jaxseq.layers.Layer):
        def call(self, x, training=None):
            return x + K.random_normal(x.shape, seed=self.draw_key()) if training else x

    model = jaxseq.Sequential([jaxseq.Input((5,)), Noise()], seed=0)
    assert_array_equal(model.predict(X[0]), X[0])
    assert not np.array_equal(model(X[0], training=True), X[0])
