"""Every class of ours in the words of Keras 3: Keras makes its own of them, with the same settings, and ours come back."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from core.cases import basic, convolution, recurrent

from jaxseq import layers
from jaxseq.api.config import CATALOGUE
from jaxseq.api.files import words
from jaxseq.api.files.places import numbered
from jaxseq.api.files.rebuilt import Rebuilder
from jaxseq.api.files.refusal import Source
from jaxseq.core import constraints, initializers, loss_classes, metrics, optimizers, regularizers, schedules
from jaxseq.models import Sequential

ALL = [(name, layer) for name, layer, *_ in [*basic.CASES, *convolution.CASES, *recurrent.CASES]]
WRITTEN = [(name, layer) for name, layer in ALL if not isinstance(layer, layers.Lambda | layers.InputLayer)
           and type(layer) is CATALOGUE.get(type(layer).__name__)]


def through_json(data):
    return json.loads(json.dumps(data, allow_nan=False))


@pytest.mark.parametrize(("name", "layer"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_a_layer_is_keras_s_and_comes_back(name, layer):
    data = through_json(words.of_layer(layer))
    again = Rebuilder(Source("file"), None, Sequential).layer(data)
    assert again == layer or repr(again) == repr(layer)
    assert again.trainable == layer.trainable
    if type(layer).__name__ in words.ONLY_HERE:
        assert data["module"] == "jaxseq.layers" and not hasattr(keras.layers, type(layer).__name__)
        return
    if beyond_keras(layer):
        return
    twin = keras.layers.deserialize(data)
    assert type(twin) is getattr(keras.layers, type(layer).__name__)
    back = Rebuilder(Source("file"), None, Sequential).layer(through_json(keras.layers.serialize(twin)))
    for each in dataclasses.fields(layer):
        if each.compare and not each.name.endswith(("layer", "cell", "cells")):
            assert plain(back, each.name) == plain(layer, each.name), each.name


def beyond_keras(layer):
    """Whether it has a setting of ours that Keras refuses by name."""
    causal = getattr(layer, "padding", "") == "causal" and not isinstance(layer, layers.Conv1D)
    ours = {"remat"} | ({"data_format"} if isinstance(layer, layers.Cropping1D | layers.UpSampling1D) else set())
    return causal or any(each.name in ours and getattr(layer, each.name) != each.default for each in dataclasses.fields(layer))


def plain(layer, name):
    """A setting with what is the same to Keras made equal."""
    value = getattr(layer, name)
    for end, module in ("initializer", initializers), ("regularizer", regularizers), ("constraint", constraints):
        if name.endswith(end):
            made = None if value is None else module.get(value)
            return made if made is None else (type(made), [round(each, 6) if isinstance(each, float) else each
                                                           for each in made.get_config().values()])
    if name == "strides" and value is None and hasattr(layer, "pool_size"):
        value = layer.pool_size
    return simple(value)


def simple(value):
    """(2, 2) as 2, the same for every axis; Keras's words for what we leave out."""
    if isinstance(value, tuple | list):
        inner = [simple(each) for each in value]
        return inner[0] if inner and all(each == inner[0] for each in inner) else inner
    return None if isinstance(value, str) and value in ("linear", "channels_last") else value


@pytest.mark.parametrize("table", [optimizers.CLASSES, metrics.CLASSES, loss_classes.CLASSES], ids=["o", "m", "l"])
def test_optimizers_losses_and_metrics_are_keras_s(table):
    required = dict.fromkeys(("specificity", "sensitivity", "recall", "precision"), 0.5)
    required |= {"num_classes": 3, "target_class_ids": [0]}
    for name, cls in table.items():
        needed = {each.name for each in dataclasses.fields(cls) if each.default is dataclasses.MISSING}
        made = cls(**{key: required[key] for key in needed})
        data = words.of_optimizer(made, 0.5) if isinstance(made, optimizers.Optimizer) else words.of_value(made, "it")
        assert type(keras.saving.deserialize_keras_object(through_json(data))).__name__ == name


@pytest.mark.parametrize("made", [
    initializers.VarianceScaling(2.0, "fan_out", "uniform", 3), initializers.Constant(2.5), initializers.Orthogonal(0.5, 1),
    regularizers.L1L2(0.1, 0.2), regularizers.OrthogonalRegularizer(0.1, "columns"), constraints.MinMaxNorm(0.5, 2.0, 0.5, 1),
    schedules.CosineDecay(0.1, 10, 0.5, warmup_target=0.3, warmup_steps=3),
    schedules.PiecewiseConstantDecay([1, 2], [3.0, 2, 1])])
def test_what_layers_are_told_is_keras_s(made):
    twin = keras.saving.deserialize_keras_object(through_json(words.of_value(made, "it")))
    for key, value in twin.get_config().items():
        wanted = made.get_config()[key]
        assert value == wanted or np.allclose(value, wanted, rtol=1e-6), key       # Keras keeps some as float32


def test_parts_of_a_list_are_counted_by_their_classes():
    made = [layers.Dense(1), layers.LSTM(1), layers.Dense(1), layers.Conv2DTranspose(1, 1), layers.PReLU(), layers.Dense(1)]
    assert numbered(made) == ["dense", "lstm", "dense_1", "conv2d_transpose", "p_re_lu", "dense_2"]


def test_class_names_are_cut_as_keras_cuts_them():
    for name, cls in CATALOGUE.items():
        if hasattr(keras.layers, name):
            assert numbered([cls.__new__(cls)]) == [keras.src.utils.naming.to_snake_case(cls.__name__)], name
