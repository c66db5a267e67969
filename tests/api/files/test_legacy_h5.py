"""`.h5` and `.hdf5`: the weights of Keras 2, which the installed Keras 3 reads, and writes within whole models."""

import re

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from small import IDS, X, gives, in_keras, perceptron, reader

from jaxseq.api.files import legacy_h5
from jaxseq.layers import BatchNormalization, Dense
from jaxseq.models import FileRejected, Sequential


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5"])
def test_weights_come_back(tmp_path, name):
    perceptron().save_weights(tmp_path / name)
    model = perceptron(seed=1)
    model.load_weights(tmp_path / name)
    for one, other in zip(model.get_weights(), perceptron().get_weights(), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize(("make", "x"), [(perceptron, X), (reader, IDS)])
def test_keras_reads_them_and_we_read_keras_s(tmp_path, make, x):
    model = make()
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.h5")
    theirs = in_keras(tmp_path / "m.keras")
    theirs.set_weights([np.zeros_like(each) for each in theirs.get_weights()])
    theirs.load_weights(tmp_path / "m.h5")
    for one, other in zip(theirs.get_weights(), model.get_weights(), strict=True):
        assert_array_equal(one, other)
    theirs.save(tmp_path / "k.h5")                  # a whole model in Keras 2's form
    again = make(seed=1)
    again.load_weights(tmp_path / "k.h5")
    assert_array_equal(gives(again, x), gives(model, x))


def test_the_form_is_that_of_keras_2(tmp_path):
    perceptron().save_weights(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as root:
        assert list(root.attrs["layer_names"]) == [b"dense", b"batch_normalization", b"dense_1"]
        assert list(root["dense"].attrs["weight_names"]) == [b"dense/kernel:0", b"dense/bias:0"]
        assert root["dense/dense/kernel:0"].shape == (4, 6)
        assert root.attrs["keras_version"] == "2.2.4" and root.attrs["backend"] == "jax"


def test_many_names_are_kept_in_pieces(tmp_path):
    make = lambda seed: Sequential([Dense(1, use_bias=False, input_shape=(1,)), Dense(2), Dense(1)], seed=seed)
    assert set(legacy_h5.names("layer_names", ["n" * 40_000, "m", "o"])) == {"layer_names0", "layer_names1", "layer_names2"}
    model = make(0)
    model.build()
    model.save_weights(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as root:
        names = root.attrs["layer_names"]
        del root.attrs["layer_names"]
        root.attrs["layer_names0"], root.attrs["layer_names1"] = names[:2], names[2:]
    again = make(1)
    again.load_weights(tmp_path / "m.h5")
    assert_array_equal(again([[1.0]]), model([[1.0]]))


def test_by_name(tmp_path, refuses):
    perceptron().save_weights(tmp_path / "m.h5")
    model = Sequential([Dense(5, name="new", input_shape=(4,)), Dense(4, name="more"), Dense(6, name="dense")], seed=4)
    model.build()
    before = model.fingerprint()
    with refuses(f"{tmp_path / 'm.h5'}: the layer 'new' has weights [(4, 5), (5,)], the file [(4, 6), (6,)]. Build the model "
                 "they were saved from, or pass skip_mismatch=True.", FileRejected):
        model.load_weights(tmp_path / "m.h5")
    assert model.fingerprint() == before
    model.load_weights(tmp_path / "m.h5", by_name=True)
    assert_array_equal(model.get_layer("dense").get_weights()[0], perceptron().get_weights()[0])
    with refuses(f"load_weights({str(tmp_path / 'm.weights.h5')!r}, by_name=True): Keras 2's files (.h5, "
                 ".hdf5) are read by names or by order; in others every weight has its place. Leave by_name out."):
        model.save_weights(tmp_path / "m.weights.h5")
        model.load_weights(tmp_path / "m.weights.h5", by_name=True)


def test_what_does_not_fit_is_refused_or_skipped(tmp_path):
    perceptron(units=5).save_weights(tmp_path / "m.h5")
    model = perceptron()
    before = model.fingerprint()
    with pytest.raises(FileRejected, match="the layer 'dense' has weights"):
        model.load_weights(tmp_path / "m.h5")
    assert model.fingerprint() == before
    with pytest.warns(UserWarning, match="it is left as it is"):
        model.load_weights(tmp_path / "m.h5", skip_mismatch=True)
    with pytest.raises(FileRejected, match="weights of 3 layers, for a model with 1 layers that have any"):
        one = Sequential([Dense(5, input_shape=(4,))])
        one.load_weights(tmp_path / "m.h5")


@pytest.mark.parametrize(("change", "told"), [
    (lambda root: root.attrs.__setitem__("layer_names", np.array([b"dense", b"dense", b"dense_1"])), "dense: is listed twice."),
    (lambda root: root.attrs.__setitem__("layer_names", np.array([b"/dense"])), "is no name of a layer or weight."),
    (lambda root: root.attrs.__setitem__("layer_names", np.array([b"../x"])), "is no name of a layer or weight."),
    (lambda root: root.attrs.__setitem__("layer_names", np.array([b"other"])), "is in the list of layers and not in the file."),
    (lambda root: root["dense"].attrs.__setitem__("weight_names", np.array([b"dense/other:0"])),
     "is in the list of weights and not in the file."),
    (lambda root: root.attrs.__setitem__("layer_names", 3), "is no text"),
    (lambda root: root.attrs.__delitem__("layer_names"), "no weights in the form of Keras 2"),
    (lambda root: root.attrs.__setitem__("backend", b"theano"), "weights of Keras on Theano"),
])
def test_names_that_lie_are_refused(tmp_path, change, told):
    model = perceptron()
    model.save_weights(tmp_path / "m.h5")
    before = model.fingerprint()
    with h5py.File(tmp_path / "m.h5", "r+") as root:
        change(root)
    with pytest.raises(FileRejected, match=re.escape(told)):
        model.load_weights(tmp_path / "m.h5")
    assert model.fingerprint() == before


@pytest.mark.parametrize("frozen", [False, True])
def test_a_model_within_lists_what_is_trained_first(tmp_path, frozen):
    def make(seed):
        deep = Sequential([BatchNormalization(input_shape=(4,)), Dense(3)], name="deep")
        inner = Sequential([Dense(4, input_shape=(4,), trainable=not frozen), deep, Dense(2)], name="inner")
        return Sequential([inner, Dense(1, name="last")], seed=seed)

    model, again, read = make(0), make(1), make(2)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as root:
        names = [name.decode() for name in root["inner"].attrs["weight_names"]]
    moved = ["deep/batch_normalization/moving_mean:0", "deep/batch_normalization/moving_variance:0"]
    first = ["dense/kernel:0", "dense/bias:0"]
    assert [name.removeprefix("inner/") for name in names][-4:] == ([*first, *moved] if frozen else names_of_last(moved))
    theirs = in_keras(tmp_path / "m.keras")
    theirs.set_weights([np.zeros_like(each) for each in theirs.get_weights()])
    theirs.load_weights(tmp_path / "m.h5")
    theirs.save(tmp_path / "k.h5")
    again.load_weights(tmp_path / "m.h5")
    read.load_weights(tmp_path / "k.h5")
    for one, *others in zip(model.get_weights(), theirs.get_weights(), again.get_weights(), read.get_weights(), strict=True):
        assert all(np.array_equal(one, other) for other in others)


def names_of_last(moved):
    """The end of the list where all layers are trained."""
    return ["dense_1/kernel:0", "dense_1/bias:0", *moved]
