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

ALL = [(name, layer) for name, layer, *_ in [*basic.CASES, *convolution.CASES, *recurrent.CASES]]
WRITTEN = [(name, layer) for name, layer in ALL if not isinstance(layer, layers.Lambda | layers.InputLayer)
           and type(layer) is CATALOGUE.get(type(layer).__name__)]


def through_json(data):
    return json.loads(json.dumps(data, allow_nan=False))


@pytest.mark.parametrize(("name", "layer"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_a_layer_is_keras_s_and_comes_back(name, layer):
    data = through_json(words.of_layer(layer))
    again = Rebuilder(Source("file"), None).layer(data)
    assert again == layer or repr(again) == repr(layer)
    assert again.trainable == layer.trainable
    if type(layer).__name__ in words.ONLY_HERE:
        assert data["module"] == "jaxseq.layers" and not hasattr(keras.layers, type(layer).__name__)
        return
    unknown = {"implementation", "remat"} | ({"data_format"} if type(layer).__name__.endswith("1D") else set())
    if unknown & set(data["config"]) & {each.name for each in dataclasses.fields(layer)
                                        if getattr(layer, each.name) != each.default}:
        return                                                  # settings of ours that Keras refuses by name
    twin = keras.layers.deserialize(data)
    theirs = keras.layers.serialize(twin)
    assert type(twin).__name__ == type(layer).__name__ or type(twin) is getattr(keras.layers, type(layer).__name__)
    back = Rebuilder(Source("file"), None).layer(through_json(theirs))
    for each in dataclasses.fields(layer):
        if each.compare and not each.name.endswith(("layer", "cell", "cells")):
            assert plain(getattr(back, each.name)) == plain(getattr(layer, each.name)), each.name


def plain(value):
    """A setting with what is the same to Keras made equal."""
    if isinstance(value, tuple | list):
        inner = [plain(each) for each in value]
        return inner[0] if inner and all(each == inner[0] for each in inner) else inner
    described = {"linear": None, "channels_last": None, "TruncatedNormal": "TruncatedNormal"}
    return described.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(("table", "deserialize"), [
    (optimizers.CLASSES, keras.optimizers.deserialize), (metrics.CLASSES, keras.metrics.deserialize),
    (loss_classes.CLASSES, keras.losses.deserialize)])
def test_optimizers_losses_and_metrics_are_keras_s(table, deserialize):
    required = dict.fromkeys(("specificity", "sensitivity", "recall", "precision"), 0.5)
    required |= {"num_classes": 3, "target_class_ids": [0]}
    for name, cls in table.items():
        needed = {each.name for each in dataclasses.fields(cls) if each.default is dataclasses.MISSING}
        made = cls(**{key: required[key] for key in needed})
        data = words.of_optimizer(made, 0.5) if isinstance(made, optimizers.Optimizer) else words.of_value(made, "it")
        assert type(deserialize(through_json(data))).__name__ == name


@pytest.mark.parametrize("made", [
    initializers.VarianceScaling(2.0, "fan_out", "uniform", 3), initializers.Constant(2.5), initializers.Orthogonal(0.5, 1),
    regularizers.L1L2(0.1, 0.2), regularizers.OrthogonalRegularizer(0.1, "columns"), constraints.MinMaxNorm(0.5, 2.0, 0.5, 1),
    schedules.CosineDecay(0.1, 10, 0.5, warmup_target=0.3, warmup_steps=3),
    schedules.PiecewiseConstantDecay([1, 2], [3.0, 2, 1])])
def test_what_layers_are_told_is_keras_s(made):
    data = through_json(words.of_value(made, "it"))
    module = data["module"].removeprefix("keras.").split(".")
    twin = getattr(keras, module[0]) if len(module) == 1 else keras.optimizers.schedules
    theirs = twin.deserialize(data).get_config()
    assert theirs == {key: list(value) if isinstance(value, tuple) else value for key, value in made.get_config().items()} or {
        key: np.asarray(value).tolist() for key, value in theirs.items()} == {
        key: np.asarray(value).tolist() for key, value in made.get_config().items()}


def test_parts_of_a_list_are_counted_by_their_classes():
    made = [layers.Dense(1), layers.LSTM(1), layers.Dense(1), layers.Conv2DTranspose(1, 1), layers.PReLU(), layers.Dense(1)]
    assert numbered(made) == ["dense", "lstm", "dense_1", "conv2d_transpose", "p_re_lu", "dense_2"]


def test_class_names_are_cut_as_keras_cuts_them():
    for name, cls in CATALOGUE.items():
        if hasattr(keras.layers, name):
            assert numbered([cls.__new__(cls)]) == [keras.src.utils.naming.to_snake_case(cls.__name__)], name
