"""Dropout: what it drops, how much, and when."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import rng
from jaxseq.core.kernels.dropout import check_rate, dropped, own_key
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.types import Ctx

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32))


def train(layer, x=X, key=KEY):
    return layer.apply({}, {}, x, Ctx(True, key))[0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_dropped_and_the_mean(rate):
    y = train(Dropout(rate), jnp.ones((300, 300)))
    assert_allclose((y == 0).mean(), rate, atol=5 * np.sqrt(rate * (1 - rate)) / 300)
    assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_draws_of_neighbours_are_independent():
    kept = np.asarray(train(Dropout(0.5), jnp.ones((300, 300))) != 0, float) - 0.5
    assert abs((kept[1:] * kept[:-1]).mean()) < 5 * 0.25 / 300
    assert abs((kept[:, 1:] * kept[:, :-1]).mean()) < 5 * 0.25 / 300


def test_evaluation_and_rate_zero_hand_x_on():
    assert Dropout(0.5).apply({}, {}, X, Ctx())[0] is X
    assert train(Dropout(0.0), key=None) is X


def test_the_gradient_is_what_was_kept():
    y, back = jax.vjp(lambda x: train(Dropout(0.4), x), X)
    assert_allclose(back(jnp.ones_like(y))[0], np.where(y == 0, 0, 1 / 0.6), rtol=1e-6)


def test_noise_shape_drops_whole_axes():
    y = train(Dropout(0.5, noise_shape=(None, 1, 6)), jnp.ones((4, 5, 6)))
    assert_array_equal(y, jnp.broadcast_to(y[:, :1], y.shape))
    assert len(np.unique(y)) == 2


def test_a_seed_sets_the_draws_apart():
    alone, seeded, same = (train(Dropout(0.5, seed=seed)) for seed in (None, 1, 1))
    assert_array_equal(seeded, same)
    assert (alone != seeded).any()
    assert_array_equal(seeded, train(Dropout(0.5), key=rng.fold_in(KEY, 1)))


def test_the_plain_function():
    kept = rng.keep(KEY, 0.5, (4, 1, 6))
    assert_allclose(dropped(X, KEY, 0.5, (4, 1, 6)), jnp.where(kept, X * 2, 0), rtol=1e-6)
    assert own_key(KEY, None) is KEY


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Dropout(1.0), "Dropout(rate=1.0): write a number from 0 up to, and without, 1."),
    (lambda: Dropout(50), "Dropout(rate=50): write a number from 0 up to, and without, 1."),
    (lambda: Dropout(True), "Dropout(rate=True): write a number from 0 up to, and without, 1."),
    (lambda: check_rate("LSTM", -1, "dropout"), "LSTM(dropout=-1): write a number from 0 up to, and without, 1."),
    (lambda: train(Dropout(0.5, noise_shape=(4, 6))), "noise_shape (4, 6) must have one entry per axis of x (4, 5, 6)."),
    (lambda: own_key(None, 3), "A layer that drops draws at random in training, so it needs a key: apply(..., train=True, "
     "key=jax.random.key(0))."),
], ids=["all", "percent", "true", "argument", "noise_shape", "no key"])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
