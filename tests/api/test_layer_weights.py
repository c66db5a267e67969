"""What a layer tells of its weights, beside Keras."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import jaxseq

LISTS = "weights", "trainable_weights", "non_trainable_weights"


def build(library):
    layers = library.layers
    base = library.Sequential([layers.Input((6, 4)), layers.LSTM(3, return_sequences=True), layers.BatchNormalization()])
    return library.Sequential([layers.Input((6, 4)), base, layers.Flatten(), layers.Dense(2, trainable=False), layers.Dense(1)])


@pytest.fixture(scope="module")
def twins():
    ours, theirs = build(jaxseq), build(keras)
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@pytest.mark.parametrize("asked", LISTS)
def test_a_layer_lists_its_weights_as_keras_does(twins, asked):
    for mine, other in zip(twins[0].layers, twins[1].layers, strict=True):
        for one, another in zip(getattr(mine, asked), getattr(other, asked), strict=True):
            assert_array_equal(one, another)
        for one, another in zip(getattr(mine, asked), getattr(mine, asked.replace("weights", "variables")), strict=True):
            assert one is another       # Keras's also have the state of generators


def test_they_follow_training_and_freezing():
    model = build(jaxseq)
    model.compile("sgd", "mse")
    last = model.layers[-1]
    before = np.asarray(last.weights[0])
    model.fit(np.ones((8, 6, 4)), np.ones((8, 1)), verbose=0)
    assert (np.asarray(last.weights[0]) != before).any() and len(last.trainable_weights) == 2
    last.trainable = False
    assert last.trainable_weights == [] and len(last.non_trainable_weights) == 2


def test_one_that_stands_in_no_model_has_none():
    with pytest.raises(ValueError, match=r"^Dense\(units=2\) stands in no model yet, so it has no weights\."):
        jaxseq.layers.Dense(2).weights  # noqa: B018


def test_a_layer_may_have_a_setting_of_that_name():
    class Scaled(jaxseq.layers.Layer):
        variables: int = 3

        def apply(self, params, state, x, ctx):
            return x * self.variables, state

    model = jaxseq.Sequential([Scaled(2, input_shape=(3,))])
    assert model.layers[0].variables == 2 and model.layers[0].weights == []
    assert_array_equal(model.predict(np.ones((1, 3))), 2 * np.ones((1, 3)))
