"""`.h5`, whole models in Keras 2's form: both ways with Keras 3, and out of files of Keras 2."""

import json
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from small import IDS, X, Y, gives, in_keras, perceptron, reader

from jaxseq import optimizers
from jaxseq.layers import GRU, LSTM, BatchNormalization, Bidirectional, Conv1D, Dense, Dropout, Flatten, TimeDistributed
from jaxseq.models import FileRejected, Sequential, load_model

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIXTURES = Path(__file__).parent / "keras2"


def trained(model, x=X, y=Y):
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    return model


def next_steps(model, shuffle=False):
    return model.fit(X, Y, batch_size=4, epochs=3, shuffle=shuffle, verbose=0).history["loss"]


@pytest.mark.every(3)
@pytest.mark.parametrize("optimizer", ["sgd", optimizers.SGD(0.1, momentum=0.9), "rmsprop", "adam"])
def test_keras_opens_what_is_written_here_and_trains_on(tmp_path, optimizer):
    path, model = tmp_path / "m.h5", trained(perceptron(optimizer=optimizer))
    model.save(path)
    theirs = in_keras(path)
    assert_allclose(theirs.predict(X, verbose=0), gives(model, X), rtol=1e-6, atol=1e-6)
    assert type(theirs.optimizer).__name__ == type(model.optimizer).__name__
    for each in theirs, model:                      # Keras 3.15 cannot train on what it reads from an .h5, not even its own
        each.compile(optimizer if isinstance(optimizer, str) else "sgd", "sparse_categorical_crossentropy")
    assert_allclose(theirs.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"], next_steps(model),
                    rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", ["MAE"], "kld"])
def test_keras_opens_a_model_whose_loss_has_a_short_name(tmp_path, loss):
    """It cannot open one of its own."""
    model = Sequential([Dense(2, "sigmoid", input_shape=(4,))])
    model.fill_with_zeros()
    model.compile("sgd", loss)
    model.save(tmp_path / "m.h5")
    y = X[:, :2] > 0
    lost = model.evaluate(X, y, verbose=0)
    assert load_model(tmp_path / "m.h5").evaluate(X, y, verbose=0) == lost
    assert_allclose(in_keras(tmp_path / "m.h5").evaluate(X, y.astype("float32"), verbose=0), lost, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_what_keras_3_writes_is_opened_here_and_trained_on(tmp_path, optimizer):
    path = tmp_path / "m.h5"
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.BatchNormalization(),
                               keras.layers.Dense(3, "softmax")])
    theirs.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    trained(theirs).save(path)
    model = load_model(path)
    assert_allclose(gives(model, X), theirs.predict(X, verbose=0), rtol=1e-6, atol=1e-6)
    assert_allclose(next_steps(model), theirs.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"],
                    rtol=1e-5)


def test_a_model_comes_back_whole(tmp_path):
    path, model = tmp_path / "m.h5", trained(perceptron())
    model.save(path)
    again = load_model(path)
    assert again.layers == model.layers
    assert next_steps(again) == next_steps(model)


def test_every_kind_of_layer_goes_through(tmp_path):
    path = tmp_path / "m.hdf5"
    rows = [Conv1D(4, 2, input_shape=(6, 3)), Bidirectional(LSTM(3, return_sequences=True)), TimeDistributed(Dense(4)), GRU(3,
            return_sequences=True), Flatten(), BatchNormalization(), Dropout(0.5), Dense(2)]
    model = Sequential(rows, seed=0)
    model.build()
    model.save(path)
    x = np.random.default_rng(0).normal(size=(5, 6, 3)).astype("float32")
    assert_allclose(gives(load_model(path), x), gives(model, x), rtol=1e-6)
    assert_allclose(in_keras(path, compile=False).predict(x, verbose=0), gives(model, x), rtol=1e-5, atol=1e-6)


def test_without_the_optimizer_it_is_not_compiled(tmp_path):
    path = tmp_path / "m.h5"
    perceptron().save(path, include_optimizer=False)
    assert load_model(path).optimizer is None
    reader().save(path)
    assert_allclose(gives(load_model(path), IDS), gives(reader(), IDS))


@pytest.mark.every(3)
@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.h5")), ids=lambda path: path.stem)
def test_files_of_keras_2_mean_what_they_meant_there(path):
    """Each was written by tf_keras together with what its model gave, before and after three more epochs: see make.py."""
    told = np.load(path.with_suffix(".npz"))
    model = load_model(path)
    assert_allclose(model.predict(told["x"]), told["predicted"], rtol=1e-5, atol=1e-6)
    losses = model.fit(told["x"], told["y"], batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert_allclose(losses, told["losses"], rtol=2e-5)
    assert_allclose(model.predict(told["x"]), told["after"], rtol=1e-4, atol=1e-5)


def edited(path, attribute, change):
    with h5py.File(path, "r+") as root:
        config = json.loads(root.attrs[attribute])
        root.attrs[attribute] = json.dumps(change(config) or config)
        del root.attrs["blake2b"]


def old(path):
    """The file as if Keras 2.2.4 had written it: a bare list of layers, lr, the version."""
    with h5py.File(path, "r+") as root:
        root.attrs["keras_version"] = "2.2.4"
        del root.attrs["blake2b"]
        model, training = (json.loads(root.attrs[name]) for name in ("model_config", "training_config"))
        model["config"] = model["config"]["layers"]
        rate = training["optimizer_config"]["config"]
        rate["lr"] = rate.pop("learning_rate")
        root.attrs["model_config"], root.attrs["training_config"] = json.dumps(model), json.dumps(training)


def test_a_bare_list_and_lr_are_read(tmp_path):
    path, model = tmp_path / "m.h5", perceptron(optimizer=optimizers.SGD(0.25))
    model.save(path)
    old(path)
    again = load_model(path)
    assert again.learning_rate == 0.25
    assert_allclose(gives(again, X), gives(model, X))


def test_hard_sigmoid_has_the_slope_of_its_version(tmp_path):
    path = tmp_path / "m.h5"
    for version, slope in ("2.2.4", 0.2), ("3.0.0", 1 / 6):
        model = Sequential([Dense(1, "hard_sigmoid", kernel_initializer="ones", input_shape=(1,))])
        model.save(path)
        with h5py.File(path, "r+") as root:
            root.attrs["keras_version"] = version
            del root.attrs["blake2b"]
        assert_allclose(load_model(path).predict(np.ones((1, 1))), [[0.5 + slope]], rtol=1e-6)


@pytest.mark.parametrize(("change", "message"), [
    (lambda config: config["config"]["layers"][1].update(class_name="Exec"), "the layer 'Exec' is not one of this library"),
    (lambda config: config["config"]["layers"][1]["config"].update(units=10**9), "the layers need"),
    (lambda config: config.update(class_name="Model"), "a model of the class 'Model'"),
    (lambda config: config["config"].update(layers={}), "without a list of layers"),
    (lambda config: [1], "JSON that is no object")])
def test_configs_that_do_harm_or_make_no_sense_are_refused(tmp_path, change, message):
    path = tmp_path / "m.h5"
    perceptron().save(path)
    edited(path, "model_config", change)
    with pytest.raises(FileRejected, match=message):
        load_model(path)


def test_what_was_written_of_a_model_is_not_another(tmp_path):
    path = tmp_path / "m.h5"
    perceptron().save(path)
    for attribute, value in ("keras_version", "2.2.4"), ("model_config", "{}"), ("training_config", "{}"), ("blake2b", "0"):
        perceptron().save(path)
        with h5py.File(path, "r+") as root:
            root.attrs[attribute] = value
        with pytest.raises(FileRejected, match="the hash of its attributes is another"):
            load_model(path)


def test_a_file_of_weights_alone_is_no_model(tmp_path):
    path = tmp_path / "w.h5"
    perceptron().save_weights(path)
    with pytest.raises(FileRejected, match="weights without a model"):
        load_model(path)
