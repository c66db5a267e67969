"""Models as parts of layers: in TimeDistributed and in layers of one's own. Their weights are the model's."""

import copy
import gc
import pickle

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import layers
from jaxseq.models import Sequential, clone_model, load_model, model_from_json

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(11)
FILMS = DRAW.normal(size=(12, 4, 6, 6, 1)).astype("float32")
TEXTS = DRAW.normal(size=(12, 5, 4)).astype("float32")
FIT = dict(batch_size=4, epochs=2, shuffle=False, verbose=0)


def pictures(k):
    """A small network of one picture, with moving statistics and a penalty on what it gives."""
    return k.Sequential([k.layers.Conv2D(3, 3, activation="relu"), k.layers.BatchNormalization(momentum=0.5),
                         k.layers.Flatten(), k.layers.Dense(4, kernel_regularizer="l2")], name="pictures")


def film(k, inner=None):
    model = k.Sequential([k.Input((4, 6, 6, 1)), k.layers.TimeDistributed(inner or pictures(k)), k.layers.Flatten(),
                          k.layers.Dense(1)])
    model.compile(k.optimizers.SGD(0.05), "mse")
    return model


def block(k):
    """The way of Keras's transformer example: a row of layers as an attribute."""
    class Block(k.layers.Layer):
        def __init__(self, width=4, hidden=6, **kwargs):
            super().__init__(**kwargs)
            self.ffn = k.Sequential([k.layers.Dense(hidden, activation="relu"), k.layers.Dense(width)])
            self.norm = k.layers.LayerNormalization()

        def call(self, x, training=None):
            return self.norm(x + self.ffn(x))

    return Block


def texts(k):
    model = k.Sequential([k.Input((5, 4)), block(k)(), k.layers.GlobalAveragePooling1D(), k.layers.Dense(1)])
    model.compile(k.optimizers.SGD(0.05), "mse")
    return model


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert_array_equal(a, b)


def in_keras_order(model):
    """Keras's weights of a layer of layers, trained ones first."""
    return [np.asarray(each) for layer in model.layers for each in (*layer.trainable_variables, *layer.non_trainable_variables)]


@pytest.mark.every(3)
@pytest.mark.parametrize(("make", "x"), [(film, FILMS), (texts, TEXTS)], ids=["TimeDistributed", "a layer of one's own"])
def test_it_trains_as_in_keras(make, x):
    theirs, ours = make(keras), make(jaxseq)
    theirs.predict(x, verbose=0)
    ours.set_weights(in_keras_order(theirs))
    close([ours.predict(x)], [theirs.predict(x, verbose=0)])
    y = x.reshape(len(x), -1).sum(1)[:, None] / 10
    wanted, got = theirs.fit(x, y, **FIT).history["loss"], ours.fit(x, y, **FIT).history["loss"]
    assert_allclose(got, wanted, rtol=1e-3)
    close(ours.get_weights(), in_keras_order(theirs))


def test_the_weights_are_the_models_own():
    inner = pictures(jaxseq)
    model = film(jaxseq, inner)
    assert inner.input_shape == (None, 6, 6, 1)
    before = inner.get_weights()
    same(model.get_weights()[:len(before) - 2], [before[0], before[1], before[2], before[3], *before[6:]])
    model.fit(FILMS, np.ones(12), **FIT)
    assert all((old != new).any() for old, new in zip(before, inner.get_weights(), strict=True))
    close([inner.predict(FILMS[:, 0])], [inner(FILMS[:, 0])])
    inner.set_weights(before)
    same(inner.get_weights(), before)
    other = film(jaxseq, inner)
    close([other.layers[0].get_weights()[0]], [before[0]])
    assert model.count_params() == sum(each.size for each in model.get_weights())


def test_an_own_layer_gives_its_model_the_weights():
    model = texts(jaxseq)
    ffn = model.layers[0].ffn
    model.fit(TEXTS, np.ones(12), **FIT)
    assert ffn.input_shape == (None, 5, 4)
    x = TEXTS + np.asarray(ffn(TEXTS))
    whole = Sequential(model.layers[:1])
    *_, gamma, beta = whole.get_weights()
    y = gamma * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) + beta
    assert_allclose(whole.predict(TEXTS), y, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("make", "x"), [(film, FILMS), (texts, TEXTS)], ids=["TimeDistributed", "a layer of one's own"])
def test_copies_clones_pickles_and_json(make, x, tmp_path):
    model, custom = make(jaxseq), {"Block": block(jaxseq)}
    y = model.predict(x)
    if make is film:
        same([pickle.loads(pickle.dumps(model)).predict(x)], [y])
        model.save(tmp_path / "film.keras")
        same([load_model(tmp_path / "film.keras").predict(x)], [y])
    same([copy.deepcopy(model).predict(x)], [y])
    model.save_weights(tmp_path / "m.weights.h5")
    for other in clone_model(model, seed=1), model_from_json(model.to_json(), custom):
        assert [w.shape for w in other.get_weights()] == [w.shape for w in model.get_weights()]
        assert (other.get_weights()[0] != model.get_weights()[0]).any()
        other.load_weights(tmp_path / "m.weights.h5")
        same([other.predict(x)], [y])
    other.compile("sgd", "mse")
    other.fit(x, np.ones(12), **FIT)
    same([model.predict(x)], [y])


def test_a_file_of_keras(tmp_path):
    theirs = film(keras)
    wanted = theirs.predict(FILMS, verbose=0)
    theirs.save(tmp_path / "film.keras")
    ours = load_model(tmp_path / "film.keras", compile=False)
    close([ours.predict(FILMS)], [wanted])
    ours.save(tmp_path / "back.keras")
    close([keras.saving.load_model(tmp_path / "back.keras").predict(FILMS, verbose=0)], [wanted])


def test_what_is_frozen_within_stands_still():
    inner = pictures(jaxseq)
    inner.layers[0].trainable = False
    model = film(jaxseq, inner)
    before = inner.get_weights()
    model.fit(FILMS, np.ones(12), **FIT)
    moved = [(old != new).any() for old, new in zip(before, inner.get_weights(), strict=True)]
    assert moved == [False, False, True, True, True, True, True, True]
    assert len(model.trainable_weights) == 6
    inner.trainable = False
    before = inner.get_weights()
    model.fit(FILMS, np.ones(12), **FIT)
    same(inner.get_weights(), before)
    assert len(model.trainable_weights) == 2


def test_penalties_within_count_for_each_step():
    inner = Sequential([layers.Dense(3, activity_regularizer="l1"), layers.Dense(2)], seed=0)
    model = Sequential([layers.TimeDistributed(inner, input_shape=(5, 4)), layers.Flatten()])
    model.compile("sgd", "mse")
    hidden = np.abs(Sequential(inner.layers[:1])(TEXTS.reshape(-1, 4))).sum() * 0.01 / 12
    loss = model.evaluate(TEXTS, np.zeros((12, 10)), batch_size=12, verbose=0)
    assert_allclose(loss, np.mean(model.predict(TEXTS) ** 2) + hidden, rtol=1e-4)


def test_a_model_that_stands_in_a_layer_cannot_change_and_is_let_go():
    inner = pictures(jaxseq)
    model = film(jaxseq, inner)
    with pytest.raises(ValueError, match="which stands in another one"):
        inner.add(layers.Dense(2))
    with pytest.raises(ValueError, match="stands in this model already"):
        model.add(inner)
    del model
    gc.collect()
    inner.add(layers.Dense(2))
    assert inner.output_shape == (None, 2)


def test_a_seed_and_a_number_format_reach_it():
    make = lambda: Sequential([layers.TimeDistributed(pictures(jaxseq), input_shape=(4, 6, 6, 1))], seed=5,
                              dtype="mixed_bfloat16")
    one, other = make(), make()
    same(one.get_weights(), other.get_weights())
    assert one.layers[0].layer.dtype == "mixed_bfloat16" and one.predict(FILMS).dtype == one(FILMS).dtype == jnp.bfloat16
