"""docs/differences.md, layers, and what moves their weights: what each row says of both libraries is so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from differing import X, Y, compiled, quiet, stacked

import jaxseq
from jaxseq import backend as K, layers, optimizers

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


# ---- layers


def test_how_often_an_lstm_draws_for_x():
    assert keras.layers.LSTM(2, dropout=0.5).cell.implementation == 2
    assert keras.layers.LSTM(2, dropout=0.5, recurrent_dropout=0.5).cell.dropout_mask_count == 4
    apply = lambda **rates: layers.LSTM(2, **rates)
    key, x = jax.random.key(1), jnp.ones((1, 1, 64))                # one step, from h = 0: only x's draw can be seen
    weights, _ = apply().init(key, jax.ShapeDtypeStruct(x.shape, x.dtype))
    ctx = layers.Ctx(train=True, key=key)
    alone, with_recurrent = (apply(**rates).apply(weights, {}, x, ctx)[0] for rates in
                             ({"dropout": 0.5}, {"dropout": 0.5, "recurrent_dropout": 0.5}))
    np.testing.assert_allclose(alone, with_recurrent, rtol=1e-6)


def test_settings_of_layers():
    assert keras.layers.LSTM(3).get_config()["recurrent_activation"] == "sigmoid"
    assert layers.LSTM(3).recurrent_activation == "sigmoid"
    keras.layers.LSTM(3, return_state=True)
    with pytest.raises(ValueError, match="layer.states"):
        layers.LSTM(3, return_state=True)
    keras.layers.Dropout(1.0)
    with pytest.raises(ValueError, match="without, 1"):
        layers.Dropout(1.0)


@pytest.mark.parametrize("name", ["Softmax", "UnitNormalization"])
def test_an_axis_of_rows(name):
    theirs = stacked(keras, getattr(keras.layers, name)(axis=0))
    assert np.any(theirs.predict(X, verbose=0)[:10] != theirs.predict(X[:10], verbose=0))
    with pytest.raises(ValueError, match="and not 0, the batch axis"):
        getattr(layers, name)(axis=0)


def test_batch_normalization():
    for k in keras, jaxseq:
        model = compiled(k, k.layers.BatchNormalization(momentum=0.0))
        model.train_on_batch(X, X)
        np.testing.assert_allclose(model.get_weights()[3], X.var(axis=0), rtol=1e-5)
        frozen = k.layers.BatchNormalization(momentum=0.0)
        model = stacked(k, frozen, k.layers.Dense(1))
        frozen.trainable = False
        model.compile("sgd", "mse")
        model.train_on_batch(X, Y)
        assert not frozen.get_weights()[2].any()


def test_an_activity_penalty_is_divided_by_the_rows():
    for k in keras, jaxseq:
        layer = k.layers.Dense(6, kernel_initializer="identity", activity_regularizer=k.regularizers.L2(1.0))
        assert compiled(k, layer).evaluate(X, X, batch_size=40, verbose=0) == pytest.approx((X**2).sum() / 40, rel=1e-5)


def test_layers_are_declarations():
    theirs = keras.layers.Dense(2)
    theirs.units = 3
    with pytest.raises(AttributeError, match="frozen declaration"):
        layers.Dense(2).units = 3
    assert stacked(jaxseq, layers.Dense(2)).get_config()["layers"][1]["config"] == {"name": "dense", "units": 2}
    assert "module" in stacked(keras, keras.layers.Dense(2)).get_config()["layers"][1]


# ---- optimizers, regularizers, activations


def test_words_and_values_of_optimizers():
    with pytest.raises(ValueError, match="lr"):
        keras.optimizers.SGD(lr=0.1)
    _, warned = quiet(keras.optimizers.SGD, learning_rate=0.1, decay=1e-6)
    assert any("`decay` is no longer supported" in each for each in warned)
    ours = optimizers.SGD(lr=0.1, decay=1e-6)
    assert (ours.learning_rate, ours.decay) == (0.1, 1e-6)
    with pytest.raises(ValueError, match="should be float"):
        keras.optimizers.SGD(learning_rate=1)
    assert optimizers.SGD(learning_rate=1).learning_rate == 1
    keras.optimizers.SGD(float("nan"))
    with pytest.raises(ValueError, match="learning_rate=nan"):
        optimizers.SGD(float("nan"))


@pytest.mark.parametrize("name, mean_square", [("RMSprop", 0.1 * 1e-8), ("Adagrad", 0.1 + 1e-8)])
def test_where_epsilon_stands(name, mean_square):
    """One step with the gradient 1e-4, where epsilon shows."""
    for k in keras, jaxseq:
        assert float(getattr(k.optimizers, name)().learning_rate) == pytest.approx(0.001)
        model = compiled(k, k.layers.Dense(1, use_bias=False, kernel_initializer="zeros"), shape=(1,),
                         loss=lambda y, y_hat: 1e-4 * y_hat[:, 0], optimizer=name)
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
        assert model.get_weights()[0][0, 0] == pytest.approx(-0.001 * 1e-4 / np.sqrt(mean_square + 1e-7), rel=1e-4)


def test_weights_without_decay():
    keras.optimizers.AdamW().exclude_from_weight_decay(var_names=["bias"])
    assert not hasattr(optimizers.AdamW(), "exclude_from_weight_decay")


def test_centered_rmsprop():
    slopes = np.random.default_rng(0).normal(size=(1, 500)) * 100
    for k, lost in (keras, True), (jaxseq, False):
        model = compiled(k, k.layers.Dense(500, use_bias=False), shape=(1,), loss=lambda y, y_hat: jnp.sum(y * y_hat, axis=-1),
                         optimizer=k.optimizers.RMSprop(rho=0.8, centered=True))
        model.fit(np.ones((300, 1)), np.repeat(slopes, 300, 0), batch_size=1, verbose=0)
        assert np.isnan(model.get_weights()[0]).any() == lost


def test_regularizers():
    with pytest.raises(ValueError, match="l1_l2"):
        keras.regularizers.get("l1_l2")
    assert jaxseq.regularizers.get("l1_l2") == jaxseq.regularizers.L1L2(0.01, 0.01)
    ones = jnp.ones(300, jnp.bfloat16)
    assert jnp.asarray(keras.regularizers.L2()(ones)).dtype == jnp.bfloat16
    assert jaxseq.regularizers.L2()(ones).dtype == jnp.float32
    theirs, ours = (k.regularizers.OrthogonalRegularizer() for k in (keras, jaxseq))
    assert np.isnan(theirs(jnp.ones((1, 3)))) and ours(jnp.ones((1, 3))) == 0
    assert np.isnan(jax.grad(theirs)(jnp.zeros((2, 3)))).all() and not jax.grad(ours)(jnp.zeros((2, 3))).any()


def test_activations():
    one, row = jnp.float32(1), jnp.array([[0.1, 0.2, 0.3, 0.15]])
    assert keras.activations.hard_sigmoid(one) == jaxseq.activations.hard_sigmoid(one) == pytest.approx(2 / 3)
    assert K.hard_sigmoid(one) == pytest.approx(0.7)
    with jax.numpy_dtype_promotion("standard"):
        assert keras.activations.sparsemax(row).sum() < 0.9
    assert jaxseq.activations.sparsemax(row).sum() == pytest.approx(1)
    np.testing.assert_allclose(keras.activations.softmax(row[0]), jaxseq.activations.softmax(row[0]), rtol=1e-6)
