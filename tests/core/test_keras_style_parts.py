"""A layer in Keras's way that holds other layers."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_style_classes import Ours, block, centered
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import layers, metrics, models
from jaxseq.core.layer import Layer
from jaxseq.core.layers import BatchNormalization, Dense, Dropout, Flatten, Masking
from jaxseq.core.types import Ctx

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(40, 5)).astype("float32")
Y = GENERATOR.normal(size=(40, 2)).astype("float32")


def test_a_layer_in_two_attributes_is_one_layer_and_keeps_its_state():
    class Twice(Layer):
        def __init__(self):
            super().__init__()
            self.one = BatchNormalization(momentum=0.5)
            self.same = self.one

        def call(self, x):
            return self.same(self.one(x))

    layer, x = Twice(), jnp.asarray(X)
    params, state = layer.init(jax.random.key(0), x)
    assert set(params) == {"one/gamma", "one/beta"} and set(state) == {"one/moving_mean", "one/moving_variance"}
    _, after = layer.apply(params, state, x, Ctx(True, jax.random.key(0)))
    first = 0.5 * X.mean(0)
    assert_allclose(after["one/moving_mean"], first * 0.5, rtol=1e-4, atol=1e-6)      # the second sees mean 0


def test_the_mask_goes_through_the_parts():
    class Inner(Layer):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = layers.LSTM(3), Dense(4)

        def call(self, x):
            return self.lstm(self.dense(x))

    x = GENERATOR.normal(size=(3, 6, 2)).astype("float32") * (np.arange(6) < 4)[:, None]
    model = models.Sequential([Masking(input_shape=(None, 2)), Inner()], seed=1)
    assert_allclose(model.predict(x), model.predict(x[:, :4]), rtol=1e-5)


def test_draws_are_functions_of_seed_step_and_layer():
    class Noisy(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = Dropout(0.5)

        def call(self, x, training=None):
            if training:
                x = x + jax.random.normal(self.draw_key(), x.shape) - jax.random.normal(self.draw_key(), x.shape)
            return self.drop(x, training=training)

    layer, x = Noisy(), jnp.ones((8, 3))
    run = lambda seed: layer.apply({}, {}, x, Ctx(True, jax.random.key(seed)))[0]
    assert_array_equal(run(0), run(0))
    assert np.any(run(0) != run(1)) and np.all(np.asarray(run(0)) != 1)
    assert_array_equal(layer.apply({}, {}, x, Ctx())[0], x)


def test_a_part_that_is_frozen_later_is_refused():
    model = models.Sequential([block(jaxseq, Ours)(input_shape=(5,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].first.trainable = False
    with pytest.raises(ValueError, match="has trainable=False: what stands in a layer is trained or frozen with it"):
        model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)


def test_a_part_that_draws_in_evaluation_is_refused():
    class Always(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = Dropout(0.5)

        def call(self, x):
            return self.drop(x, training=True)

    with pytest.raises(ValueError, match=re.escape("Dropout(rate=0.5) draws, and is called with training=True in evaluation, "
                                                   "where nothing is drawn. Hand on the `training` that call is given")):
        models.Sequential([Always(input_shape=(5,))])


def test_a_metric_within_call_keeps_nothing_of_a_program():
    tracker = metrics.Mean()

    class Tracked(Layer):
        def call(self, x):
            tracker.update_state(x)
            return x

    with pytest.raises(RuntimeError, match=re.escape("total.assign: a metric that is updated while a program is traced would "
                                                     "keep a part of that program.")):
        models.Sequential([Tracked(input_shape=(5,))])
    assert float(tracker.result()) == 0


def test_a_loss_that_is_added_under_a_mask_alone_is_refused():
    class Sometimes(Layer):
        def call(self, x, mask=None):
            if mask is not None:
                self.add_loss(jnp.mean(x))
            return x

    model = models.Sequential([Masking(input_shape=(4, 3)), Sometimes(), Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=re.escape("Call add_loss each time, self.add_loss(0.0) where there is nothing to")):
        model.fit(np.ones((8, 4, 3)), np.ones((8, 2)), verbose=0)


def test_time_distributed_counts_the_statistics_of_its_layer():
    model = models.Sequential([layers.TimeDistributed(centered(jaxseq, Ours)(3), input_shape=(4, 3))])
    assert [w.shape for w in model.get_weights()] == [(3,), (3,), ()]
