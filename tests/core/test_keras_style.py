"""Layers in Keras's way: the same class, made over Keras's Layer and over ours, trains to the same numbers."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras_style_classes import Old, Ours, block, centered, costly, linear, measured
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import layers, models
from jaxseq.core.keras_style import KerasStyle
from jaxseq.core.layer import Layer
from jaxseq.core.layers import BatchNormalization, Dense, Flatten
from jaxseq.core.variable import Variable

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(40, 5)).astype("float32")
Y = GENERATOR.normal(size=(40, 2)).astype("float32")


def both(make, *rows, shape=(5,)):
    """(Keras's model, ours), with the same weights in the same order of names."""
    built = []
    for k, ops in (keras, keras.ops), (jaxseq, Ours):
        model = k.Sequential([k.Input(shape), *(row(k) for row in rows), make(k, ops)()])
        model.compile(k.optimizers.SGD(0.1), "mse")
        built.append(model)
    return built


def ordered(model, mine):
    """Keras's weights in our order: of each layer those trained first, then the others."""
    if mine:
        return model.get_weights()
    return [np.asarray(each) for layer in model.layers for each in (*layer.trainable_variables, *layer.non_trainable_variables)]


CLASSES = {"linear": linear, "centered": centered, "costly": costly, "block": block}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", CLASSES)
def test_two_epochs_give_the_losses_weights_and_state_of_keras(name):
    rows = () if name in ("linear", "block") else (lambda k: k.layers.Dense(5),)
    y = Y if name in ("linear", "block") else X
    theirs, ours = both(CLASSES[name], *rows)
    ours.set_weights(ordered(theirs, mine=False))
    assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), rtol=1e-5, atol=1e-5)
    how = dict(epochs=2, batch_size=16, shuffle=False, verbose=0, validation_data=(X, y))
    wanted, got = theirs.fit(X, y, **how).history, ours.fit(X, y, **how).history
    assert got.keys() == wanted.keys()
    for each, values in wanted.items():
        assert_allclose(got[each], values, rtol=1e-4, atol=1e-5, err_msg=each)
    for mine, other in zip(ordered(ours, mine=True), ordered(theirs, mine=False), strict=True):
        assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_a_mask_reaches_call():
    x = GENERATOR.normal(size=(6, 4, 3)).astype("float32") * (np.arange(4) < 3)[:, None]
    theirs, ours = both(measured, lambda k: k.layers.Masking(), shape=(4, 3))
    assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-6)
    assert_allclose(ours.predict(x), x[:, :3].mean(1), rtol=1e-5)


def test_a_layer_of_keras_2_with_its_k():
    model = models.Sequential([Old(2, input_shape=(5,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    kernel, calls = model.get_weights()
    assert calls == 6 and kernel.shape == (5, 2)
    assert_allclose(model.predict(X), X @ kernel, rtol=1e-5, atol=1e-6)


def test_first_weights_that_the_user_brings():
    table = GENERATOR.normal(size=(10, 3)).astype("float32")
    embedding = layers.Embedding(10, 3, weights=[table], trainable=False, input_length=4)
    model = models.Sequential([embedding, Flatten(), Dense(1, weights=[np.ones((12, 1)), [2.0]])])
    table_then = table.copy()
    table[:] = 0
    ids = GENERATOR.integers(10, size=(5, 4))
    assert_allclose(model.predict(ids), table_then[ids].sum((1, 2))[:, None] + 2, rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(ids, np.zeros(5), verbose=0)
    assert_array_equal(embedding.get_weights()[0], table_then)
    assert "weights" not in model.to_json()
    assert Dense(2, weights=[np.ones(2)]) == Dense(2) and hash(Dense(2, weights=[np.ones(2)])) == hash(Dense(2))
    moving = models.Sequential([BatchNormalization(weights=[np.full(5, float(n + 1)) for n in range(4)], input_shape=(5,))])
    assert [w[0] for w in moving.get_weights()] == [1, 2, 3, 4]
    alone = models.Sequential([linear(jaxseq, Ours)(2, weights=[np.ones((5, 2)), np.zeros(2)], input_shape=(5,))])
    assert_allclose(alone.predict(X), X.sum(1, keepdims=True).repeat(2, 1), rtol=1e-5)
    inner = models.Sequential([layers.TimeDistributed(Dense(1, weights=[np.ones((3, 1)), [0.5]]), input_shape=(4, 3))])
    assert_array_equal(inner.get_weights()[0], np.ones((3, 1)))


def test_the_two_ways_are_told_apart_where_the_class_is_made():
    class Declared(Layer):
        factor: float = 2.0

        def apply(self, params, state, x, ctx):
            return x * self.factor, state

    class Mixin:
        def call(self, x):
            return x

    class Mixed(Mixin, Layer):
        pass

    class Abstract(Layer):
        def build(self, input_shape):
            super().build(input_shape)

    assert not issubclass(Declared, KerasStyle) and issubclass(Mixed, KerasStyle) and issubclass(Abstract, KerasStyle)
    assert Mixed.__mro__[1:3] == (Mixin, KerasStyle)
    with pytest.raises(TypeError, match="abstract method '?call'?"):
        Abstract()


def test_arguments_may_be_called_as_the_words_for_the_input_are():
    class Table(Layer):
        def __init__(self, input_dim, output_dim, weights=None, **kwargs):
            super().__init__(**kwargs)
            self.sizes, self.scale = (input_dim, output_dim), weights

        def build(self, input_shape):
            self.rows = self.add_weight(shape=self.sizes, initializer="uniform", name="rows")

        def call(self, x):
            return self.scale * self.rows[x.astype(jnp.int32)]

    table = Table(7, 2, weights=3.0, input_shape=(4,))
    assert repr(table) == "Table(input_dim=7, output_dim=2, weights=3.0, batch_input_shape=(None, 4))"
    assert Table.from_config(table.get_config()) == table
    model = models.Sequential([table])
    ids = GENERATOR.integers(7, size=(3, 4))
    assert_allclose(model.predict(ids), 3 * model.get_weights()[0][ids], rtol=1e-6)


def test_a_copy_of_a_variable_is_one():
    variable = Variable("total", np.ones(2, np.float32))
    copy = np.array(variable)
    copy += 1
    assert_array_equal(variable.numpy(), [1, 1])
    assert np.array(Variable("total", jnp.ones(2))).flags.writeable
