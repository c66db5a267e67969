"""Meshes, layouts and distributions: Keras's words, and what they refuse."""

import inspect

import jax
import keras
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from numpy.testing import assert_array_equal

from jaxseq import Sequential, distribution as D
from jaxseq.callbacks import BackupAndRestore, LambdaCallback
from jaxseq.layers import Dense

X = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)


def mesh():
    return D.DeviceMesh((2, 4), ("batch", "model"))


def small(spread=None):
    model = Sequential([Dense(16, activation="tanh", input_shape=(8,)), Dense(2)], seed=0)
    model.compile("adam", "mse", distribution=spread)
    return model


@pytest.mark.parametrize("name", [name for name in dir(keras.distribution) if not name.startswith("_")])
def test_names_and_arguments_are_keras_own(name):
    theirs, ours = (inspect.signature(getattr(each, name)).parameters for each in (keras.distribution, D))
    assert [each for each in theirs if each != "kwargs"] == [*ours]


def test_devices_have_names():
    assert D.list_devices() == [f"cpu:{number}" for number in range(8)] == D.list_devices("CPU")
    assert D.get_device_count() == 8 and D.list_devices("tpu") == [] and D.get_device_count("gpu") == 0
    assert mesh().devices[1].tolist() == ["cpu:4", "cpu:5", "cpu:6", "cpu:7"] and mesh().shape == (2, 4)
    assert repr(mesh()) == "<DeviceMesh batch: 2, model: 4; cpu:0 to cpu:7>" and mesh().axis_names == ["batch", "model"]
    assert D.DeviceMesh((2,), ("x",), jax.devices()[3:5]).devices.tolist() == ["cpu:3", "cpu:4"]


def test_a_tensor_is_cut():
    array = D.distribute_tensor(X, D.TensorLayout(("batch", "model"), mesh()))
    assert array.sharding.shard_shape(array.shape) == (20, 2)
    assert_array_equal(array, X)


def test_layouts_are_found_by_patterns():
    layouts = D.LayoutMap(mesh())
    layouts["dense.*kernel"] = None, "model"
    layouts["head/bias"] = D.TensorLayout(("model",))
    assert layouts["dense_3/kernel"].axes == (None, "model") and layouts["dense_3/bias"] is None
    assert layouts["base/head/bias"].device_mesh is layouts.device_mesh and len(layouts) == 2
    assert [*layouts] == ["dense.*kernel", "head/bias"] and repr(layouts["head/bias"]) == "TensorLayout(('model',))"
    del layouts["head/bias"]
    assert layouts["head/bias"] is None


def test_the_longest_axis_that_the_devices_divide_is_cut():
    sharded = D.FullySharded()
    wanted = {(24, 16): ("batch", None), (7, 16): (None, "batch"), (7, 5): (), (3, 3, 8, 64): (None, None, None, "batch"),
              (0,): ()}
    assert {shape: tuple(sharded.spec("a", shape)) for shape in wanted} == wanted
    assert sharded.spec("a", (16, 16)) == PartitionSpec("batch", None)
    by_host = D.FullySharded(D.DeviceMesh((2, 4), ("host", "device")))
    assert by_host.spec("a", (4, 12)) == PartitionSpec(None, "device") and by_host.layout().parts == 8


def test_which_distribution_a_model_has():
    assert D.distribution() is None
    two, four = D.DataParallel(devices=["cpu:0", "cpu:1"]), D.DataParallel(devices=jax.devices()[:4])
    devices = lambda model: len(model.train_state.step.devices())
    try:
        D.set_distribution(two)
        assert D.distribution() is two and devices(small()) == 1       # weights move with the first step
        with four.scope():
            model = small()
            assert D.distribution() is four
        model.fit(X, X[:, :2], verbose=0)
        assert devices(model) == 4 and D.distribution() is two
        model = small(four)
        model.fit(X, X[:, :2], verbose=0)
        assert devices(model) == 4
    finally:
        D.set_distribution(None)
    assert repr(two) == "<DataParallel over <DeviceMesh batch: 2; cpu:0 to cpu:1>>"


def layouts(**patterns):
    found = D.LayoutMap(mesh())
    found.update({name.replace("__", "/"): axes for name, axes in patterns.items()})
    return found


WRONG = {
    "too few devices": (lambda: D.DeviceMesh((3,), ("batch",)), "has room for 3 devices, and there are 8"),
    "one name twice": (lambda: D.DeviceMesh((2, 4), ("a", "a")), "write a name of its own for each axis"),
    "no such device": (lambda: D.DataParallel(devices=["cpu:9"]), "There is no device 'cpu:9'."),
    "a device twice": (lambda: D.DataParallel(devices=["cpu:0", "cpu:0"]), "name each device once"),
    "no devices": (lambda: D.DataParallel(devices=[]), "one at least"),
    "mesh and devices": (lambda: D.DataParallel(mesh(), ["cpu:0"]), "leave out one of the two"),
    "no mesh": (lambda: D.DataParallel("cpu:0"), "pass a jaxseq.distribution.DeviceMesh"),
    "no map": (lambda: D.ModelParallel(layout_map={}), "pass a jaxseq.distribution.LayoutMap"),
    "a map of no mesh": (lambda: D.LayoutMap((2, 4)), "pass a DeviceMesh"),
    "no such axis": (lambda: layouts(kernel=(None, "modell")), "The mesh has no axis 'modell'. Did you mean 'model'?"),
    "no such axis of a batch": (lambda: D.ModelParallel(layout_map=layouts(), batch_dim_name="data"), "no axis 'data'"),
    "an axis of a tensor": (lambda: D.TensorLayout(("x",), mesh()), "The mesh has no axis 'x'"),
    "a tensor without a mesh": (lambda: D.distribute_tensor(X, D.TensorLayout(("x",))), "TensorLayout(axes, device_mesh)"),
    "a pattern twice": (lambda: layouts(a=("model",)).__setitem__("a", ("batch",)), "'a' has a layout already"),
    "two patterns": (lambda: layouts(dense=("model",), bias=("model",))["dense/bias"], "by several patterns: 'dense', 'bias'"),
    "another value": (lambda: D.set_distribution("all"), "pass a DataParallel, a FullySharded, a ModelParallel, or None"),
    "another value in compile": (lambda: small("all"), "pass a jaxseq.distribution.DataParallel"),
    "an axis too many": (lambda: small(D.ModelParallel(layout_map=layouts(dense__kernel=("model",)))).fit(X, X[:, :2]),
                         "dense/kernel has the shape (8, 16), and its layout ('model',): write one entry for each axis"),
    "what cannot be divided": (lambda: small(D.ModelParallel(layout_map=layouts(dense_1__bias=("model",)))).fit(X, X[:, :2]),
                               "4 devices along 'model' do not divide 2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case):
    do, said = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        do()
    assert said in str(caught.value)


def test_a_distribution_that_does_not_fit_leaves_the_model_as_it_was():
    model = small()
    model.fit(X, X[:, :2], verbose=0)
    before = model.fingerprint()
    with pytest.raises(ValueError, match="do not divide"):
        model.compile("sgd", "mse", distribution=D.ModelParallel(layout_map=layouts(dense_1__bias=("model",))))
    assert model.fingerprint() == before
    model.fit(X, X[:, :2], verbose=0)


class Broken(Exception):
    pass


def broken(where, spread):
    """A run of four epochs that is broken off after 12 steps, of which 9 are kept."""
    def stop(done, logs):
        if int(model.train_state.step) >= 12:
            raise Broken

    model = small(spread)
    with pytest.raises(Broken):
        model.fit(X, X[:, :2], 7, epochs=4, verbose=0,
                  callbacks=[LambdaCallback(on_steps_end=stop), BackupAndRestore(where, save_freq=3)])


def finished(spread, where=None):
    model = small(spread)
    model.fit(X, X[:, :2], 7, epochs=4, verbose=0,
              callbacks=[LambdaCallback()] + ([BackupAndRestore(where, save_freq=3)] if where else []))
    return model


@pytest.mark.parametrize("kind", [D.DataParallel, D.FullySharded])
def test_a_run_goes_on_to_the_same_bits(kind, tmp_path):
    broken(tmp_path, kind())
    assert finished(kind(), tmp_path).fingerprint() == finished(kind()).fingerprint()


@pytest.mark.parametrize("devices", [2, 3])
def test_a_run_goes_on_with_another_number_of_devices(devices, tmp_path):
    broken(tmp_path, D.FullySharded())
    model = finished(D.DataParallel(devices=jax.devices()[:devices]), tmp_path)
    for here, there in zip(model.get_weights(), finished(None).get_weights(), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)
