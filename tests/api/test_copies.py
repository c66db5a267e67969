"""Models out of JSON, clones, and what a model says of its weights and classes."""

import json
import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding, Input, Lambda
from jaxseq.models import Sequential, clone_model, model_from_json

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
    assert_array_equal(model.predict_proba(X, batch_size=2), p)
    expected = p.argmax(1) if units > 1 else (p > 0.5).astype("int32")
    assert_array_equal(model.predict_classes(X), expected)
    assert model.predict_classes(X).shape == expected.shape and model.predict_classes(X).dtype.kind == "i"
