"""What a layer tells of its weights, beside Keras."""

import copy
import pickle

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


def test_built_is_as_in_keras():
    for k in keras, jaxseq:
        layer = k.layers.Dense(2)
        model = k.Sequential([layer])
        assert not layer.built and not model.built
        model.build((None, 3))
        assert layer.built and model.built
        declared = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
        assert declared.built and declared.layers[0].built


def test_built_of_a_layer_in_keras_way():
    for k in keras, jaxseq:
        class Doubled(k.layers.Layer):
            def build(self, input_shape):
                self.factor = self.add_weight(shape=(), initializer="ones")

            def call(self, x):
                return self.factor * (2 * x if self.built else x)

        model = k.Sequential([k.Input((3,)), Doubled()])
        assert_array_equal(model.predict(np.ones((1, 3)), verbose=0), 2 * np.ones((1, 3)))
        assert model.layers[0].built and not Doubled().built
        within = k.Sequential([k.Input((2, 3)), k.layers.TimeDistributed(Doubled())])
        assert_array_equal(within.predict(np.ones((1, 2, 3)), verbose=0), 2 * np.ones((1, 2, 3)))


def test_a_layer_may_ask_in_build_whether_it_is_built():
    class Once(jaxseq.layers.Layer):
        def build(self, input_shape):
            if not self.built:
                self.factor = self.add_weight(shape=(), initializer="ones")
                self.built = True

        def call(self, x):
            return self.factor * x

    model = jaxseq.Sequential([jaxseq.layers.Input((3,)), Once(), Once()])
    assert_array_equal(model.predict(np.ones((1, 3))), np.ones((1, 3)))
    assert len(model.get_weights()) == 2


WEIGHT = "the model holds it. Write model.{}, or layer.get_weights() for all of the layer."
NO_GRAPH = ("there is no graph, so only shapes are known. Write Sequential(model.layers[:k]).predict(x) for what the k-th "
            "layer gives.")


@pytest.mark.parametrize(("place", "name", "instead"), [
    (0, "kernel", WEIGHT.format('params["first"]["kernel"]')), (0, "bias", WEIGHT.format('params["first"]["bias"]')),
    (1, "gamma", WEIGHT.format('params["batch_normalization"]["gamma"]')),
    (1, "moving_mean", WEIGHT.format('state["batch_normalization"]["moving_mean"]')),
    (0, "input", NO_GRAPH), (1, "output", NO_GRAPH),
    (None, "input", NO_GRAPH), (None, "inputs", NO_GRAPH), (None, "output", NO_GRAPH), (None, "outputs", NO_GRAPH),
])
def test_attributes_of_keras_that_are_not_here_say_what_to_write(place, name, instead):
    model = jaxseq.Sequential([jaxseq.Input((3,)), jaxseq.layers.Dense(2, name="first"), jaxseq.layers.BatchNormalization()])
    owner = model if place is None else model.layers[place]
    for each in owner, copy.deepcopy(owner), pickle.loads(pickle.dumps(owner)):
        assert not hasattr(each, name)
    with pytest.raises(AttributeError) as error:
        getattr(owner, name)
    assert str(error.value) == f"{type(owner).__name__} has no attribute {name!r}: {instead}"
    if "model holds" in instead:
        assert eval(instead.split("Write ")[1].split(",")[0], {"model": model}).shape in ((3, 2), (2,))


@pytest.mark.parametrize(("owner", "name"), [
    (jaxseq.layers.Dense(2), "nonsense"), (jaxseq.layers.Flatten(), "kernel"), (jaxseq.Sequential(), "nonsense")])
def test_any_other_is_absent_as_usual(owner, name):
    with pytest.raises(AttributeError, match=f"^'{type(owner).__name__}' object has no attribute '{name}'$"):
        getattr(owner, name)
