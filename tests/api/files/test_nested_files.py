"""A model within a model goes through a file, to Keras and back, with all that compile was told."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.layers import BatchNormalization, Dense, TimeDistributed
from jaxseq.models import load_model

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(3)
X, Y = GENERATOR.normal(size=(12, 4)).astype("float32"), GENERATOR.normal(size=(12, 2)).astype("float32")
ONCE = {"batch_size": 12, "shuffle": False, "verbose": 0}


def trained():
    inner = jaxseq.Sequential([Dense(5, activation="tanh", input_shape=(4,)), BatchNormalization()], name="base", seed=1)
    model = jaxseq.Sequential([inner, Dense(3, activation="tanh"), Dense(2)], seed=0)
    model.compile("adam", "mse", metrics=["mae"], loss_weights=0.5, weighted_metrics=["mse"])
    model.fit(X, Y, **ONCE)
    return model


@pytest.mark.full
def test_keras_goes_on_where_the_file_stops(tmp_path):
    model, path = trained(), tmp_path / "m.keras"
    model.save(path)
    theirs, ours = keras.models.load_model(path), load_model(path)
    assert [each.name for each in ours.layers] == [each.name for each in model.layers]
    assert_array_equal(ours.predict(X), model.predict(X))
    assert_allclose(theirs.predict(X, verbose=0), model.predict(X), rtol=1e-5, atol=1e-6)
    weight = np.linspace(0.1, 2, 12, dtype="float32")
    logs = [each.fit(X, Y, sample_weight=weight, **ONCE).history for each in (model, ours, theirs)]
    assert logs[0] == logs[1]
    assert sorted(logs[0]) == sorted(logs[2])
    for name, values in logs[2].items():
        assert_allclose(logs[0][name], values, rtol=1e-5)
    for mine, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        assert_allclose(mine, other, rtol=1e-4, atol=1e-6)


def test_weights_of_keras_come_into_the_inner_model(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.BatchNormalization()])
    theirs = keras.Sequential([inner, keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(2)])
    theirs.save_weights(tmp_path / "m.weights.h5")
    model = trained()
    model.load_weights(tmp_path / "m.weights.h5")
    assert_allclose(model.predict(X), theirs.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_number_formats_go_through_a_file(tmp_path, dtype):
    model = jaxseq.Sequential([Dense(5, activation="tanh", input_shape=(4,)), Dense(2, dtype="float32")], dtype=dtype, seed=0)
    model.compile(jaxseq.optimizers.SGD(0.1), "mse")
    model.save(tmp_path / "m.keras")
    ours, theirs = load_model(tmp_path / "m.keras"), keras.models.load_model(tmp_path / "m.keras")
    assert [each.compute_dtype for each in ours.layers] == [each.compute_dtype for each in theirs.layers]
    assert ours.layers[0].variable_dtype == "float32"
    assert_array_equal(ours.predict(X), model.predict(X))
    assert_allclose(theirs.predict(X, verbose=0), model.predict(X), rtol=2e-2, atol=2e-2)


@pytest.mark.every(6)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.h5"])
def test_weights_of_every_number_format_come_back(tmp_path, dtype, name):
    make = lambda seed: jaxseq.Sequential([Dense(3, activation="tanh", input_shape=(4,)), Dense(2)], dtype=dtype, seed=seed)
    model, other = make(0), make(1)
    if name == "m.keras":
        model.save(tmp_path / name)
        other = load_model(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
        other.load_weights(tmp_path / name)
    for one, again in zip(model.get_weights(), other.get_weights(), strict=True):
        assert one.dtype == again.dtype == other.variable_dtype
        assert_array_equal(one, again)
    if name == "m.keras":
        theirs = keras.models.load_model(tmp_path / name)
        for one, again in zip(model.get_weights(), theirs.get_weights(), strict=True):
            assert_array_equal(one.astype("float32"), np.asarray(again).astype("float32"))
        theirs.save(tmp_path / "k.keras")
        ours = load_model(tmp_path / "k.keras")
        assert ([each.dtype_policy.name for each in ours.layers], ours.dtype) == ([dtype, dtype], None)
        assert_array_equal(ours.predict(X), model.predict(X))


def test_a_model_without_a_number_format_is_written_with_the_one_that_it_computes_in(tmp_path):
    inner = jaxseq.Sequential([Dense(5, activation="tanh", input_shape=(4,))])
    inner.build()                                           # it has weights, so it takes no dtype for its own any more
    model = jaxseq.Sequential([inner, Dense(3), Dense(2, dtype="float32")], dtype="mixed_bfloat16", seed=0)
    assert inner.dtype is None
    model.save(tmp_path / "m.keras")
    ours, theirs = load_model(tmp_path / "m.keras"), keras.models.load_model(tmp_path / "m.keras")
    assert [each.compute_dtype for each in ours.layers] == ["bfloat16", "bfloat16", "float32"]
    assert theirs.layers[0].layers[0].compute_dtype == "bfloat16"
    assert (ours.dtype, ours.layers[1].dtype, ours.layers[2].dtype) == ("mixed_bfloat16", None, "float32")
    assert_array_equal(ours.predict(X), model.predict(X))


def test_what_stands_in_a_layer_is_written_with_its_number_format(tmp_path):
    model = jaxseq.Sequential([TimeDistributed(Dense(3), input_shape=(2, 4))], dtype="mixed_bfloat16", seed=0)
    model.save(tmp_path / "m.keras")
    ours, theirs = load_model(tmp_path / "m.keras"), keras.models.load_model(tmp_path / "m.keras")
    assert theirs.layers[0].layer.compute_dtype == "bfloat16"
    assert ours.layers == model.layers and ours.dtype == model.dtype
