"""Noise layers: the distribution that they draw from, and when they draw."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import rng
from jaxseq.core.layers.dropout import SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from jaxseq.core.layers.noise import SELU_FLOOR, AlphaDropout, GaussianDropout, GaussianNoise
from jaxseq.core.types import Ctx

KEY = jax.random.key(0)
MANY = jnp.full((300, 300), 2.0)
DEVIATION = 1 / 300         # of a mean of that many draws with variance 1


def train(layer, x=MANY, key=KEY):
    return layer.apply({}, {}, x, Ctx(True, key))[0]


@pytest.mark.parametrize(("layer", "mean", "spread"), [
    (GaussianNoise(0.5), 2.0, 0.5), (GaussianNoise(3), 2.0, 3.0),
    (GaussianDropout(0.2), 2.0, 2 * 0.5), (GaussianDropout(0.8), 2.0, 2 * 2.0),
], ids=str)
def test_mean_and_spread(layer, mean, spread):
    y = np.asarray(train(layer), np.float64)
    assert abs(y.mean() - mean) < 5 * spread * DEVIATION
    assert abs(y.std() / spread - 1) < 5 * DEVIATION
    assert abs(((y - mean) ** 3).mean()) < 5 * 4 * spread**3 * DEVIATION          # symmetric, as a normal distribution is


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance_of_selu(rate):
    x = jax.random.normal(jax.random.key(1), (300, 300))
    y = np.asarray(train(AlphaDropout(rate), x), np.float64)
    assert abs(y.mean()) < 8 * DEVIATION and abs(y.std() - 1) < 8 * DEVIATION


def test_alpha_dropout_is_that_of_its_equation():
    y, x = train(AlphaDropout(0.3)), MANY
    kept = rng.keep(KEY, 0.3, x.shape)
    a = (0.7 * (1 + 0.3 * SELU_FLOOR**2)) ** -0.5
    assert_allclose(y, a * jnp.where(kept, x, SELU_FLOOR) - a * 0.3 * SELU_FLOOR, rtol=1e-6)


def test_where_selu_ends_as_keras_has_it():
    assert_allclose(SELU_FLOOR, keras.activations.selu(np.float64(-100.0)), rtol=1e-6)


@pytest.mark.parametrize(("layer", "shape", "same"), [
    (SpatialDropout1D(0.5), (40, 7, 30), 1), (SpatialDropout2D(0.5), (40, 3, 4, 30), (1, 2)),
    (SpatialDropout2D(0.5, "channels_first"), (40, 30, 3, 4), (2, 3)), (SpatialDropout3D(0.5), (40, 2, 3, 2, 30), (1, 2, 3)),
], ids=str)
def test_channels_are_dropped_as_a_whole(layer, shape, same):
    y = np.asarray(train(layer, jnp.ones(shape)))
    assert_array_equal(y.max(same), y.min(same))
    assert set(np.unique(y)) == {0.0, 2.0}
    assert 0.4 < (y == 0).mean() < 0.6


@pytest.mark.parametrize("layer", [GaussianNoise(1.0), GaussianDropout(0.5), AlphaDropout(0.5)], ids=str)
def test_nothing_changes_in_evaluation(layer):
    assert layer.apply({}, {}, MANY, Ctx())[0] is MANY


@pytest.mark.parametrize("make", [lambda seed: GaussianNoise(1.0, seed), lambda seed: GaussianDropout(0.5, seed),
                                  lambda seed: AlphaDropout(0.5, seed=seed), lambda seed: SpatialDropout1D(0.5, seed=seed)])
def test_a_seed_sets_the_draws_apart(make):
    x = jnp.ones((8, 9, 10))
    assert_array_equal(train(make(1), x), train(make(1), x))
    assert (train(make(1), x) != train(make(2), x)).any()


def test_a_draw_may_serve_a_whole_axis():
    y = train(AlphaDropout(0.5, noise_shape=[None, 1]), jnp.ones((50, 4)))
    assert_array_equal(y, jnp.broadcast_to(y[:, :1], y.shape))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: GaussianNoise(-1), "GaussianNoise(stddev=-1): write a finite number of at least 0."),
    (lambda: GaussianDropout(1.0), "GaussianDropout(rate=1.0): write a number from 0 up to, and without, 1."),
    (lambda: AlphaDropout(-0.1), "AlphaDropout(rate=-0.1): write a number from 0 up to, and without, 1."),
    (lambda: SpatialDropout2D(2), "SpatialDropout2D(rate=2): write a number from 0 up to, and without, 1."),
    (lambda: SpatialDropout2D(0.1, "first"), "SpatialDropout2D: data_format='first': write one of None, 'channels_last', "
     "'channels_first'."),
    (lambda: train(SpatialDropout2D(0.1), jnp.ones((2, 3))), "SpatialDropout2D needs x (batch, height, width, channels), got "
     "(2, 3)."),
], ids=["stddev", "all", "negative", "two", "layout", "axes"])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_numbers_of_numpy_are_numbers():
    for layer in GaussianNoise(np.float32(0.5)), GaussianDropout(np.float64(0.5)), AlphaDropout(np.float16(0.5)):
        assert layer == type(layer)(0.5) and 0.5 in layer.get_config().values() and "np." not in str(layer.get_config())
