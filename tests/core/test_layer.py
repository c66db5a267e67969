"""Layer and Handle themselves: declarations, Keras's words for the input shape, weights by name, and the bound half."""

import dataclasses
import gc
import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import initializers, rng
from jaxseq.core.layer import Layer, checked_shape
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.layers.input import Input, InputLayer
from jaxseq.core.layers.noise import GaussianNoise
from jaxseq.core.layers.recurrent import LSTM
from jaxseq.core.layers.reshaping import Reshape
from jaxseq.core.regularizers import L2
from jaxseq.core.types import Ctx, Spec
from jaxseq.models import Sequential, model_from_json


class Scale(Layer):
    """A layer as a user writes one: no decorator, fields with and without defaults."""

    factor: float
    kernel_initializer: str = "ones"
    kernel_regularizer: object = None
    recurrent_initializer: str = "zeros"
    recurrent_constraint: object = None

    def init(self, key, x):
        return self.draw(key, {"kernel": x.shape[1:], "recurrent_kernel": (2,)}), {}

    def apply(self, params, state, x, ctx):
        return x * self.factor * params["kernel"], state


# ---- the input in Keras's words


@pytest.mark.parametrize(("words", "shape"), [
    ({}, None),
    ({"input_shape": (784,)}, (None, 784)),
    ({"input_shape": [28, None]}, (None, 28, None)),
    ({"input_shape": (784,), "batch_size": 32}, (32, 784)),
    ({"input_dim": 784}, (None, 784)),
    ({"input_dim": 784, "batch_size": 32}, (32, 784)),
    ({"input_length": 784}, (None, 784)),
    ({"batch_input_shape": (32, 784)}, (32, 784)),
    ({"batch_shape": (32, 784)}, (32, 784)),
    ({"batch_input_shape": (32, 6), "input_shape": (7,), "batch_size": 8}, (32, 6)),
    ({"input_shape": (7,), "input_dim": 6}, (None, 7)),
    ({"input_shape": (np.int64(7),)}, (None, 7)),
], ids=str)
def test_a_row_in_words(words, shape):
    assert Dense(3, **words).batch_input_shape == shape


@pytest.mark.parametrize(("words", "shape"), [
    ({"input_shape": (6, 8)}, (None, 6, 8)),
    ({"input_dim": 8}, (None, None, 8)),
    ({"input_dim": 8, "input_length": 6}, (None, 6, 8)),
    ({"input_dim": 8, "input_length": 6, "batch_size": 32}, (32, 6, 8)),
    ({"batch_input_shape": (32, None, 8)}, (32, None, 8)),
], ids=str)
def test_a_sequence_in_words(words, shape):
    assert LSTM(3, **words).batch_input_shape == shape


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Dense(3, input_shape=784), "input_shape=784: write a tuple of whole numbers, None where any length fits. Write "
     "input_shape=(784,)."),
    (lambda: Dense(3, input_shape=(28.0, 28)), "input_shape=(28.0, 28): write a tuple of whole numbers, None where any length "
     "fits."),
    (lambda: Dense(3, input_shape=(0,)), "input_shape=(0,): write a tuple of whole numbers, None where any length fits."),
    (lambda: Dense(3, input_shape=(True,)), "input_shape=(True,): write a tuple of whole numbers, None where any length "
     "fits."),
    (lambda: Dense(3, batch_shape=7), "batch_input_shape=7: write a tuple of whole numbers, None where any length fits. Write "
     "batch_input_shape=(7,)."),
    (lambda: Dense(3, input_dim="many"), "batch_input_shape=(None, 'many'): write a tuple of whole numbers, None where any "
     "length fits."),
    (lambda: Dense(3, batch_size=32), "Dense(batch_size=32) says the batch size alone. Add the rest: batch_size=32, "
     "input_shape=(...)."),
    (lambda: checked_shape("shape", "abc"), "shape='abc': write a tuple of whole numbers, None where any length fits."),
], ids=["a number", "a float", "zero", "true", "batch_shape", "a word", "batch size alone", "a string"])
def test_shapes_that_are_none_are_refused(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(("words", "message"), [
    ({"inputshape": (3,)}, "Dense takes no argument 'inputshape'. Did you mean 'input_shape'"),
    ({"activaton": "relu"}, "Dense takes no argument 'activaton'. Did you mean 'activation'"),
    ({"wibble": 1}, "Dense takes no argument 'wibble'. Known: activation, activity_regularizer, "),
], ids=str)
def test_misspelt_words_are_refused_with_a_hint(words, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        Dense(3, **words)


# ---- the declaration


def test_a_subclass_is_a_frozen_dataclass():
    layer = Scale(2.0, name="twice")
    assert dataclasses.is_dataclass(layer) and layer == Scale(factor=2.0) and hash(layer) == hash(Scale(2.0))
    assert layer != Scale(3.0)
    assert repr(Scale(2.0, kernel_regularizer=L2(0.1), trainable=False)) == (
        "Scale(factor=2.0, kernel_regularizer=L2(l2=0.1), trainable=False)")


def test_numbers_of_numpy_become_pythons():
    layer = Dense(np.int64(3))
    assert type(layer.units) is int and layer == Dense(3)
    model = Sequential([Input((np.int64(4),)), Dropout(np.float32(0.25)), GaussianNoise(np.float32(0.5)), layer,
                        Reshape((np.int64(3), np.int32(1)))])
    again = model_from_json(model.to_json())
    assert again.layers == model.layers and all(type(size) is int for size in again.layers[-1].target_shape)


@pytest.mark.parametrize(("values", "words", "shape"), [
    (((8,),), {}, (None, 8)), ((), {"shape": (8,)}, (None, 8)), (((8,), 4), {}, (4, 8)), (((8,),), {"batch_size": 4}, (4, 8)),
    ((), {"input_shape": (8,)}, (None, 8)), ((), {"input_shape": (8,), "batch_size": 4}, (4, 8)),
    ((), {"input_dim": 8}, (None, 8)), ((), {"batch_input_shape": (2, 8)}, (2, 8)),
    ((), {"batch_shape": (2, 8)}, (2, 8)), (([],), {}, (None,)),
])
def test_an_input_layer_takes_every_word_for_its_shape(values, words, shape):
    layer = InputLayer(*values, dtype="int32", **words)
    assert layer == Input(batch_shape=shape, dtype="int32") and layer.batch_input_shape == shape
    assert repr(layer) == f"InputLayer(dtype='int32', batch_input_shape={shape})"
    assert repr(InputLayer.from_config(layer.get_config())) == repr(layer)
    assert Sequential([layer]).input_shape == shape


class Looked(Layer):
    table: Any = None

    def apply(self, params, state, x, ctx):
        return x @ jnp.asarray(self.table), state


def test_a_field_may_be_an_array():
    layer = Looked(np.eye(3), name="it")
    assert layer == Looked(np.eye(3)) != Looked(np.ones((3, 3))) and hash(layer) == hash(Looked(np.eye(3)))
    assert layer != Looked() and Looked((1, np.eye(2))) == Looked((1, np.eye(2))) != Looked((2, np.eye(2)))
    assert repr(layer).startswith("Looked(table=array([[1., 0., 0.]")
    model = Sequential([Input((3,)), layer])
    assert model_from_json(model.to_json(), {"Looked": Looked}).layers == [layer]
    with pytest.raises(TypeError, match=r"Looked\(table=array"):
        Sequential([Input((4,)), Looked(np.eye(3))])


def test_what_a_layer_must_have():
    with pytest.raises(TypeError, match="abstract"):
        type("Empty", (Layer,), {})()


def test_fields_are_refused_with_the_line_to_write():
    layer = Dense(3)
    message = ("Dense.units cannot be changed: a layer is a frozen declaration. Write a new one: "
               "layer.replaced(units=4).")
    with pytest.raises(AttributeError, match=f"^{re.escape(message)}$"):
        layer.units = 4
    assert layer.replaced(units=4) == Dense(4)


def test_trainable_may_change_to_true_or_false():
    layer = Dense(3)
    layer.trainable = False
    assert layer.trainable is False and layer == Dense(3)
    with pytest.raises(TypeError, match=r"^trainable=1: write True or False\.$"):
        layer.trainable = 1


@pytest.mark.parametrize(("words", "message"), [
    ({"activation": "rleu"}, "Unknown activation 'rleu'."), ({"kernel_initializer": "glorot"}, "Unknown initializer 'glorot'."),
    ({"bias_regularizer": "l3"}, "Unknown regularizer 'l3'."), ({"kernel_constraint": "max"}, "Unknown constraint 'max'."),
], ids=str)
def test_unknown_names_are_refused_at_once(words, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Dense(3, **words)


# ---- weights by their names


def test_weights_are_drawn_by_their_own_initializers_and_keys():
    params, _ = Scale(2.0).init(jax.random.key(0), Spec((4, 3), jnp.float32))
    assert_array_equal(params["kernel"], np.ones(3))
    assert_array_equal(params["recurrent_kernel"], np.zeros(2))
    key, shape = jax.random.key(5), (4, 3)
    drawn = Dense(3).draw(key, {"kernel": shape})["kernel"]
    assert_array_equal(drawn, initializers.get("glorot_uniform")(rng.fold_in(key, "kernel"), shape, jnp.float32))
    assert (Dense(3).draw(jax.random.key(6), {"kernel": shape})["kernel"] != drawn).all()


def test_penalties_add_up_by_name():
    layer = LSTM(2, kernel_regularizer=L2(0.1), recurrent_regularizer=lambda w: jnp.sum(jnp.abs(w)), bias_regularizer="l1")
    params = {"kernel": jnp.full((2, 2), 2.0), "recurrent_kernel": jnp.array([-3.0]), "bias": jnp.array([1.0, -1.0])}
    assert_allclose(layer.penalty(params), 0.1 * 16 + 3 + 0.01 * 2, rtol=1e-6)
    assert LSTM(2).penalty(params) == 0


def test_activity_penalties_are_per_row():
    assert Dense(3).activity_penalty(jnp.ones((4, 3))) is None
    assert_allclose(Dense(3, activity_regularizer=L2(0.5)).activity_penalty(jnp.full((4, 3), 2.0)), 0.5 * 4 * 3)


def test_constraints_are_applied_by_name():
    layer = LSTM(2, recurrent_constraint="non_neg")
    params = {"kernel": jnp.array([-1.0]), "recurrent_kernel": jnp.array([-1.0, 2.0]), "bias": jnp.array([-1.0])}
    after = layer.constrain(params)
    assert after["kernel"] is params["kernel"] and after["bias"] is params["bias"]
    assert_array_equal(after["recurrent_kernel"], [0.0, 2.0])


def test_what_a_layer_does_unless_it_says_otherwise():
    layer, mask = Dropout(0.5), jnp.ones((2, 3), bool)
    assert layer.init(jax.random.key(0), Spec((2, 3), jnp.float32)) == ({}, {})
    assert layer.out_mask(jnp.ones((2, 3)), mask) is mask
    assert layer.reset({"count": 1}) == {"count": 1}
    assert layer.without_activation() is None
    y, state = Scale(2.0).apply({"kernel": jnp.array([3.0])}, {}, jnp.ones((1, 1)), Ctx())
    assert y == 6 and state == {}


# ---- the bound half


class Model:
    """As much of a model as a layer asks for: it answers with the question."""

    def __init__(self):
        self.asked = []

    def layer_shapes(self, name):
        return (None, 4), (None, 3)

    def layer_count(self, name):
        return 15

    def get_layer_weights(self, name):
        return [name]

    def set_layer_weights(self, name, weights):
        self.asked.append((name, weights))

    def get_layer_state(self, name):
        return {"h": name}

    def reset_layer_states(self, name, states):
        self.asked.append((name, states))


def test_a_bound_layer_asks_its_model():
    model, layer = Model(), Dense(3)
    layer.bind(model, "dense_1")
    assert layer.owner is model and layer.name == "dense_1"
    assert layer.input_shape == (None, 4) and layer.output_shape == (None, 3)
    assert layer.count_params() == 15 and layer.get_weights() == ["dense_1"] and layer.states == {"h": "dense_1"}
    layer.set_weights([1])
    layer.reset_states()
    layer.reset_state([2])
    assert model.asked == [("dense_1", [1]), ("dense_1", None), ("dense_1", [2])]
    assert layer == Dense(3)


def test_a_name_that_the_model_chose_goes_when_the_layer_leaves():
    model, chosen, own = Model(), Dense(3), Dense(3, name="mine")
    chosen.bind(model, "dense")
    chosen.bind(model, "dense_7")
    own.bind(model, "mine")
    chosen.unbind(model)
    own.unbind(model)
    assert chosen.name is None and own.name == "mine" and chosen.owner is own.owner is None


def test_of_several_models_the_first_that_lives_answers():
    first, second, layer = Model(), Model(), Dense(3)
    layer.bind(first, "dense")
    layer.bind(second, "dense_4")
    assert layer.owner is first and layer.name == "dense" and dataclasses.replace(layer).owner is None
    layer.unbind(first)
    assert layer.owner is second and layer.name == "dense_4"
    layer.bind(first, "dense")
    assert layer.owner is second
    del second
    gc.collect()
    assert layer.owner is first


def test_a_layer_is_bereft_when_the_model_that_had_weights_for_it_is_gone():
    first, second, layer = Model(), Model(), Dense(3)
    layer.bind(first, "dense")
    assert not layer.bereft
    layer.mark_drawn(first)
    layer.bind(second, "dense")
    del first
    gc.collect()
    assert not layer.bereft and layer.owner is second
    layer.mark_drawn(second)
    del second
    gc.collect()
    assert layer.bereft and layer.owner is None


def test_a_layer_does_not_keep_its_model_alive():
    model, layer = Model(), Dense(3)
    layer.bind(model, "dense")
    del model
    gc.collect()
    assert layer.owner is None
    layer.bind(Model(), "dense")


@pytest.mark.parametrize(("ask", "what"), [
    (lambda layer: layer.input_shape, "input_shape"), (lambda layer: layer.output_shape, "output_shape"),
    (lambda layer: layer.count_params(), "weights"), (lambda layer: layer.get_weights(), "weights"),
    (lambda layer: layer.set_weights([]), "weights"), (lambda layer: layer.states, "states"),
    (lambda layer: layer.reset_states(), "states"),
], ids=["input_shape", "output_shape", "count_params", "get_weights", "set_weights", "states", "reset_states"])
def test_a_layer_without_a_model_says_so(ask, what):
    message = f"Dense(units=3) stands in no model yet, so it has no {what}. Add it first: model.add(layer)."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ask(Dense(3))


def test_signatures_are_those_of_the_constructors():
    from jaxseq import layers

    class Own(layers.Layer):
        def __init__(self, units, rate=0.5, **kwargs):
            super().__init__(**kwargs)

        def call(self, x):
            return x

    assert [*inspect.signature(layers.Dense).parameters][:3] == ["units", "activation", "use_bias"]
    assert [*inspect.signature(Own).parameters] == ["units", "rate", "kwargs"]
