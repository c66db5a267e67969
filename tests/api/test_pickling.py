"""A model through pickle, joblib and copy.deepcopy: the same weights, the same next steps, and a life of its own."""

import copy
import io
import pickle
import subprocess
import sys
from pathlib import Path

import jax
import joblib
import numpy as np
import optax
import pytest
from numpy.testing import assert_array_equal

import jaxseq
from jaxseq import losses, optimizers
from jaxseq.layers import LSTM, BatchNormalization, Bidirectional, Dense, Dropout, Lambda, Layer, LayerNormalization
from jaxseq.models import Sequential

X = np.random.default_rng(0).normal(size=(12, 3, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 2, 12)


def doubled(x):
    return 2 * x


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(io.BytesIO(file.getvalue()))


WAYS = {"pickle": lambda model: pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy, "joblib": through_joblib}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


@pytest.fixture(scope="module")
def trained():
    """With all that a model can hold: statistics, a carry, draws, a frozen layer, a named one, a rate that was set."""
    layers = [Bidirectional(LSTM(2, return_sequences=True), name="both"), Lambda(doubled), LSTM(3, stateful=True), Dense(4),
              BatchNormalization(), Dropout(0.5), Dense(2, activation="softmax")]
    model = Sequential(layers, seed=jax.random.key(7))
    model.add(batch_size=6, input_shape=(3, 4))
    model.layers[3].trainable = False
    model.compile(optimizers.SGD(0.1, momentum=0.9), losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    model.fit(X, Y, batch_size=6, epochs=2, verbose=0)
    model.learning_rate = 0.05
    return model


@each_way
def test_a_copy_goes_on_as_the_model_would(trained, way):
    again, other = way(trained), way(trained)
    assert again.fingerprint() == trained.fingerprint()
    assert again.get_config() == trained.get_config() and again.layers == trained.layers
    assert again.history.history == trained.history.history and again.history.model is again
    assert again.learning_rate == trained.learning_rate and again.optimizer == trained.optimizer
    assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in trained.layers]
    assert jax.random.key_data(again.seed).tolist() == jax.random.key_data(trained.seed).tolist()
    for model in again, other:
        model.fit(X, Y, batch_size=6, epochs=1, verbose=0)
    assert again.fingerprint() == other.fingerprint() != trained.fingerprint()


def test_the_next_epoch_is_the_one_the_model_would_have_made():
    model = Sequential([Dense(4, activation="relu"), Dropout(0.5), Dense(1)], seed=3)
    model.compile("adam", "mse")
    model.fit(X[:, 0], Y, batch_size=5, verbose=0)
    again = pickle.loads(pickle.dumps(model))
    model.fit(X[:, 0], Y, batch_size=5, epochs=2, verbose=0)
    again.fit(X[:, 0], Y, batch_size=5, epochs=2, verbose=0)
    assert again.fingerprint() == model.fingerprint()


def test_layers_of_a_copy_stand_in_the_copy(trained):
    before = trained.fingerprint()
    again = copy.deepcopy(trained)
    assert all(layer.owner is again for layer in again.layers) and all(layer.owner is trained for layer in trained.layers)
    assert again.get_layer("both") == trained.get_layer("both")
    again.layers[3].set_weights([np.zeros_like(each) for each in again.layers[3].get_weights()])
    again.layers[3].trainable = True
    assert trained.fingerprint() == before and not trained.layers[3].trainable
    again.pop()
    assert [layer.name for layer in again.layers] == [layer.name for layer in trained.layers][:-1]
    again.add(Dense(5))
    assert again.layers[-1].name == "dense_1" and again.output_shape == (6, 5)


@each_way
def test_a_model_without_weights_or_compile_is_copied_too(way):
    fresh = way(Sequential([Dense(2)], "fresh", seed=2**40))
    assert not fresh.drawn and fresh.optimizer is None and fresh.seed == 2**40 and fresh.name == "fresh"
    assert_array_equal(fresh.predict(X), Sequential([Dense(2)], seed=2**40).predict(X))
    bare = way(Sequential())
    assert bare.layers == [] and bare.input_shape is None


def test_a_layer_by_itself_is_copied_out_of_its_model():
    layer = LayerNormalization(input_shape=(4,))
    Sequential([layer])
    for each in copy.copy(layer), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)):
        assert each == layer and each.owner is None and each.name is None
        Sequential([each])
    named = copy.copy(Dense(1, name="mine"))
    assert named.name == "mine"


def test_optax_goes_by_deepcopy_and_functions_without_a_name_do_not_go_by_pickle():
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile(optax.sgd(0.1, momentum=0.9), "mse")
    model.fit(X[:, 0], Y, verbose=0)
    again = copy.deepcopy(model)
    for each in model, again:
        each.fit(X[:, 0], Y, verbose=0)
    assert again.fingerprint() == model.fingerprint()
    with pytest.raises((AttributeError, pickle.PicklingError), match="local object|lambda"):
        pickle.dumps(Sequential([Lambda(lambda x: x)]))


def test_another_process_loads_it(tmp_path):
    model = Sequential([Dense(3, activation="tanh"), BatchNormalization(), Dense(1)], seed=5)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X[:, 0], Y, verbose=0)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    script = ("import pickle, sys; model = pickle.load(open(sys.argv[1], 'rb')); "
              "print(model.fingerprint(), model.metrics_names, model.layers[0].owner is model)")
    root = str(Path(jaxseq.__file__).parents[1])
    told = subprocess.run([sys.executable, "-c", script, str(tmp_path / "model.pickle")], capture_output=True, text=True,
                          check=True, cwd=root).stdout
    assert told.split(maxsplit=1) == [model.fingerprint(), "['loss', 'mae'] True\n"]


def test_a_copied_model_has_layers_of_its_own_at_every_depth():
    inner = Sequential([Dense(3, input_shape=(4,)), LayerNormalization(name="mine")])
    model = Sequential([inner, Sequential([Dense(2)]), Dense(1)], seed=0)
    again = copy.deepcopy(model)
    ours, theirs = ([layer for part in each.layers[:2] for layer in part.layers] + [each.layers[2]] for each in (model, again))
    assert ours == theirs and not {*map(id, ours)} & {*map(id, theirs)}
    assert [layer.own_name for layer in theirs] == [None, "mine", None, None]
    again.layers[0].layers[0].trainable = False
    again.set_weights([weight * 0 for weight in again.get_weights()])
    assert model.layers[0].layers[0].trainable and len(model.trainable_weights) == 8
    assert model.get_weights()[0].any()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer)),
                                    lambda layer: layer.replaced(), lambda layer: layer.replaced(dtype="float32"),
                                    lambda layer: layer.under("float32")],
                         ids=["copy", "deepcopy", "pickle", "replaced", "replaced dtype", "under"])
def test_copies_keep_the_first_weights_that_were_brought(copied):
    layer = Dense(2, weights=[np.full((4, 2), 3.0), np.ones(2)], input_shape=(4,))
    for each in layer, copied(layer):
        assert [weight.flat[0] for weight in Sequential([each], seed=0).get_weights()] == [3, 1]


class Doubling(Layer):
    def __init__(self, units, **words):
        super().__init__(**words)
        self.dense = Dense(units)

    def call(self, x):
        return 2 * self.dense(x)


def test_a_layer_in_the_manner_of_keras_is_copied_with_its_parts():
    layer = Doubling(2, input_shape=(4,))
    model = Sequential([layer], seed=3)
    y = model.predict(X[:, 0])
    for copied in copy.copy, copy.deepcopy:
        other = copied(layer)
        assert other == layer and other.owner is None and other.name is None
        assert_array_equal(Sequential([other], seed=3).predict(X[:, 0]), y)
    own = copy.deepcopy(model)
    assert_array_equal(own.predict(X[:, 0]), y)
    assert own.layers[0].dense is not layer.dense


def test_copy_makes_a_model_of_its_own(trained):
    other = copy.copy(trained)
    other.pop()
    assert len(trained.layers) == len(other.layers) + 1 and trained.layers[0].owner is trained
