"""Models out of JSON, clones, and what a model says of its weights and classes."""

import json
import re

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.layers import ELU, LSTM, Activation, BatchNormalization, Dense, Dropout, Embedding, Input, Lambda, LeakyReLU, ReLU
from jaxseq.models import FileRejected, Sequential, clone_model, model_from_json
from jaxseq.regularizers import L2

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def reader():
    layers = [Embedding(7, 3, mask_zero=True), LSTM(4, return_sequences=True), Dropout(0.5), LSTM(2), Dense(1)]
    return Sequential(layers, "reader")


def normalized():
    model = Sequential([Dense(3, input_shape=(4,)), BatchNormalization(), Dense(2, activation="softmax")], seed=0)
    model.layers[0].trainable = False
    return model


def test_a_type_of_numpy_is_written_by_its_name():
    model = Sequential([Input((3,), dtype=np.int32), Embedding(4, 2)])
    assert model.get_config()["layers"][0]["config"]["dtype"] == "int32"
    assert model_from_json(model.to_json()).input_dtype == "int32"


def test_json_and_back():
    text = reader().to_json(indent=1)
    again = model_from_json(text)
    assert again.layers == reader().layers and again.name == "reader" and again.input_shape == (None, None)
    assert again.to_json() == reader().to_json()
    assert json.loads(text)["class_name"] == "Sequential" and "\n" in text


@pytest.mark.parametrize("text", ["", "{}", '{"class_name": "Model", "config": {}}', '["Sequential"]', "import os"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=re.escape("ass what model.to_json() returned.")):
        model_from_json(text)


def keras_s(*rows, known=True):
    return keras.Sequential([keras.Input((4,)), *rows] if known else list(rows), name="theirs")


@pytest.mark.parametrize("known", [True, False])
def test_what_keras_describes_is_made(known):
    k = keras.layers
    rows = [k.Dense(3, "relu", kernel_regularizer="l2"), k.LeakyReLU(0.1), k.Dense(2, activation=k.ELU()), k.Dropout(0.5)]
    theirs = keras_s(*rows, known=known)
    wanted = [Dense(3, "relu", kernel_regularizer=L2(0.01)), LeakyReLU(0.1), Dense(2, ELU()), Dropout(0.5)]
    for again in model_from_json(theirs.to_json()), Sequential.from_config(theirs.get_config()):
        assert again.layers == wanted and again.name == "theirs" and again.optimizer is None
        assert again.input_shape == ((None, 4) if known else None)


def test_a_model_within_keras_s_and_a_functional_row_are_made():
    theirs = keras_s(keras.Sequential([keras.layers.Dense(3)]), keras.layers.Dense(2))
    one, other = (Sequential.from_config(theirs.get_config(), seed=5) for _ in range(2))
    assert one.fingerprint() == other.fingerprint() and one.seed == 5
    start = keras.Input((4,))
    middle = keras.layers.Dense(3)(start)
    assert model_from_json(keras.Model(start, keras.layers.Dense(2)(middle)).to_json()).output_shape == (None, 2)
    fork = keras.Model(start, keras.layers.Add()([middle, keras.layers.Dense(3)(start)]))
    with pytest.raises(FileRejected, match="a Sequential is a plain row of layers"):
        model_from_json(fork.to_json())


def test_what_keras_2_describes_is_read_in_its_words():
    told = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": "input_1"}
    rows = [{"class_name": "InputLayer", "config": told},
            {"class_name": "Dense", "config": {"units": 3, "activation": "hard_sigmoid", "dtype": "float32"}}]
    text = {"class_name": "Sequential", "config": {"name": "old", "layers": rows}, "backend": "tensorflow"}
    again = model_from_json(json.dumps(text | {"keras_version": "2.11.0"}))
    assert again.layers == [Dense(3, "hard_sigmoid_keras2")] and again.input_shape == (None, 4)
    oldest = {"class_name": "Sequential", "config": rows, "keras_version": "2.1.6"}         # a bare list
    assert model_from_json(json.dumps(oldest)).layers == again.layers
    deep = json.dumps(oldest | {"config": []}).replace("[]", "[" * 5000 + "]" * 5000)
    with pytest.raises(ValueError, match="This is no JSON|levels deep"):
        model_from_json(deep)


@pytest.mark.parametrize(("change", "message"), [
    (('"Dropout"', '"Dropot"'), "the layer 'Dropot' is not one of this library. Did you mean 'Dropout'? If it is your own, "
     "pass custom_objects={'Dropot': Dropot}."),
    (('"keras.layers", "class_name": "Dropout"', '"os", "class_name": "system"'), "the layer 'system' is not one of this"),
    (('"quantization_config": null', '"quantization_config": 8'), "Dense(quantization_config=8) is not in this library."),
    (('"rate": 0.5', '"rate": {"class_name": "__lambda__", "config": {}}'), "holds the code of a lambda, which is never run."),
    (('"activation": "linear"', '"activation": {"class_name": "PReLU", "config": {}}'), "PReLU() is no activation of another"),
])
def test_what_a_file_may_not_hold_is_refused_in_json_too(change, message):
    text = keras_s(keras.layers.Dense(2), keras.layers.Dropout(0.5)).to_json()
    assert change[0] in text
    with pytest.raises(FileRejected, match=re.escape(message)):
        model_from_json(text.replace(*change))


def test_a_layer_that_is_an_activation_comes_back():
    model = Sequential([Dense(2, activation=LeakyReLU(0.1), input_shape=(4,)), Activation(ReLU(6))])
    for again in model_from_json(model.to_json()), Sequential.from_config(model.get_config()), clone_model(model):
        assert again.layers == model.layers and again.layers[0].activation.negative_slope == 0.1


@pytest.mark.parametrize("make", [reader, normalized])
def test_a_clone_has_the_layers_and_other_weights(make):
    model = make()
    clone = clone_model(model)
    assert clone.layers == model.layers and [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert clone.input_shape == model.input_shape and clone.input_dtype == model.input_dtype
    assert [layer.trainable for layer in clone.layers] == [layer.trainable for layer in model.layers]
    for ours, theirs in zip(clone.get_weights(), model.get_weights(), strict=True):
        assert ours.shape == theirs.shape
    assert not any(mine is other for mine in clone.layers for other in model.layers)
    assert any((a != b).any() for a, b in zip(clone.get_weights(), model.get_weights(), strict=True))


def test_a_clone_function_may_put_other_layers_in():
    clone = clone_model(normalized(), lambda layer: Dense(5) if layer.name == "dense" else type(layer)(**layer.get_config()))
    assert clone.layers[0].units == 5 and clone.output_shape == (None, 2)


def test_a_function_of_ones_own_is_cloned_too():
    model = Sequential([Dense(3, input_shape=(4,)), Lambda(lambda x: 2 * x)], seed=0)
    clone = clone_model(model)
    clone.set_weights(model.get_weights())
    assert_array_equal(clone.predict(X), model.predict(X))


def test_weights_are_listed_by_whether_they_are_trained():
    model = normalized()
    shapes = lambda weights: [weight.shape for weight in weights]
    assert shapes(model.weights) == shapes(model.get_weights())
    assert shapes(model.trainable_weights) == [(3,), (3,), (3, 2), (2,)]
    assert shapes(model.non_trainable_weights) == [(4, 3), (3,), (3,), (3,)]


@pytest.mark.parametrize(("units", "activation"), [(3, "softmax"), (1, "sigmoid")])
def test_classes_are_those_of_the_largest_output(units, activation):
    model = Sequential([Dense(units, activation=activation, input_shape=(4,))], seed=1)
    p = model.predict(X)
    assert_array_equal(model.predict_proba(X), p)
    assert_array_equal(model.predict_proba(X, batch_size=2), model.predict(X, batch_size=2))
    assert_allclose(model.predict_proba(X, batch_size=2), p, rtol=1e-6)      # products of other sizes may round otherwise
    expected = p.argmax(1) if units > 1 else (p > 0.5).astype("int32")
    assert_array_equal(model.predict_classes(X), expected)
    assert model.predict_classes(X).shape == expected.shape and model.predict_classes(X).dtype.kind == "i"
