"""Meshes, layouts and distributions: Keras's words, and what they refuse."""

import copy
import inspect
import pickle
import re

import jax
import keras
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from numpy.testing import assert_array_equal

from jaxseq import Ensemble, Sequential, distribution as D
from jaxseq.api.distribution import meshes
from jaxseq.callbacks import BackupAndRestore, LambdaCallback
from jaxseq.layers import Dense
from jaxseq.models import clone_model, load_model

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
    assert D.DeviceMesh(iter((1,)), ["x"], ["CPU"]).devices.tolist() == ["cpu:0"]     # as Keras reads a bare kind


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
    assert repr(layouts) == ("<LayoutMap {'dense.*kernel': (None, 'model'), 'head/bias': ('model',)} of "
                             "<DeviceMesh batch: 2, model: 4; cpu:0 to cpu:7>>")
    del layouts["head/bias"]
    assert layouts["head/bias"] is None
    layouts["head/bias"] = D.TensorLayout(["model"], mesh())        # another object, and the same mesh
    assert layouts["head/bias"].axes == ("model",)


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
    "no such axis": (lambda: layouts(kernel=(None, "modell")),
                     "LayoutMap['kernel']: the mesh has no axis 'modell'. Did you mean 'model'?"),
    "no such axis of a batch": (lambda: D.ModelParallel(layout_map=layouts(), batch_dim_name="data"), "no axis 'data'"),
    "an axis of a tensor": (lambda: D.TensorLayout(("x",), mesh()), "TensorLayout: the mesh has no axis 'x'"),
    "no device": (lambda: D.DataParallel(devices=[0, 1]), "devices: 0 is no device. Write names, as list_devices() gives them, "
                  "devices=['cpu:0'], or JAX's own devices."),
    "a number of devices": (lambda: D.DataParallel(devices=2), "devices=2: write a list, as devices=[\"cpu:0\"] or "
                            "devices=list_devices()[:2]."),
    "devices in one text": (lambda: D.DeviceMesh((1,), ("batch",), "cpu:0"), "devices='cpu:0': write a list"),
    "devices for a mesh": (lambda: D.DataParallel(D.list_devices()[:2]), "DataParallel(devices=...)"),
    "one length": (lambda: D.DeviceMesh(8, ("batch",)), "DeviceMesh(shape=8): write the length of every axis, as (8,)"),
    "no length": (lambda: D.DeviceMesh((8.5,), ("batch",)), "DeviceMesh(shape): an axis=8.5: write a whole number"),
    "one name": (lambda: D.DeviceMesh((8,), "batch"), "DeviceMesh(axis_names='batch'): write the name of every axis, as "
                 "(\"batch\",)"),
    "no name": (lambda: D.DeviceMesh((2, 4), ("batch", None)), "DeviceMesh(axis_names=('batch', None))"),
    "an axis for a layout": (lambda: layouts(dense__kernel="model"), "LayoutMap['dense/kernel']: the layout 'model' is no "
                             "tuple"),
    "no layout": (lambda: layouts(dense__kernel=None), "LayoutMap['dense/kernel'] = None: leave the pattern out"),
    "axes within an axis": (lambda: layouts(kernel=(("batch", "model"), None)), "is no tuple of names of axes"),
    "a letter for each axis": (lambda: D.TensorLayout("model", mesh()), "TensorLayout: the layout 'model' is no tuple"),
    "one axis twice": (lambda: layouts(dense__kernel=("model", "model")), "LayoutMap['dense/kernel']: the layout ('model', "
                       "'model') names 'model' twice"),
    "no pattern": (lambda: layouts(**{"dense(": ("model",)}), "LayoutMap['dense(']: missing ), unterminated subpattern at "
                   "position 5. A pattern is a regular expression: write 'dense\\\\(' for the text itself."),
    "a pattern of another kind": (lambda: D.LayoutMap(mesh()).__setitem__(0, ("model",)), "LayoutMap[0]: a pattern is text"),
    "a layout of another mesh": (lambda: layouts(kernel=D.TensorLayout(("x", None), D.DeviceMesh((8,), ("x",)))),
                                 "the layout is of <DeviceMesh x: 8; cpu:0 to cpu:7>, and the map of <DeviceMesh batch: 2, "
                                 "model: 4; cpu:0 to cpu:7>. Write the layout without a mesh."),
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


def by_names(**patterns):
    return D.ModelParallel(layout_map=layouts(**patterns))


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def cloned(model):
    clone = clone_model(model, seed=model.seed)
    clone.compile(**model.compile_arguments)
    return clone


WAYS = {"pickle": through_pickle, "deepcopy": copy.deepcopy, "clone": cloned}
KINDS = {"data parallel": lambda: D.DataParallel(devices=["cpu:3", "cpu:1"]), "fully sharded": D.FullySharded,
         "model parallel": lambda: by_names(dense__kernel=(None, "model"))}


@pytest.mark.every(5)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_spread_as_the_model_is(kind, way):
    model = small(KINDS[kind]())
    again = WAYS[way](model)
    assert repr(again.distribution) == repr(model.distribution)
    for each in model, again:
        each.fit(X, X[:, :2], verbose=0)
    assert again.fingerprint() == model.fingerprint()
    for here, there in zip(again.weights, model.weights, strict=True):
        assert here.sharding == there.sharding and len(here.devices()) > 1


def test_a_trained_model_is_copied_with_its_pieces():
    model = small(D.FullySharded())
    model.fit(X, X[:, :2], verbose=0)
    again = through_pickle(model)
    assert again.fingerprint() == model.fingerprint() and len(again.settled_state().step.devices()) == 8
    copied = copy.deepcopy(model)
    assert copied.distribution is model.distribution


def test_what_set_distribution_says_is_copied_and_taken_up():
    whole, two = small(), D.DataParallel(devices=["cpu:0", "cpu:1"])
    bare = Sequential([Dense(2, input_shape=(8,))])
    with two.scope():
        model = small()
        assert through_pickle(whole).distribution is two and through_pickle(bare).distribution is None
        assert copy.deepcopy(whole).distribution is None                # a copy of the same moment is alike
    assert model.compile_arguments["distribution"] is two and cloned(model).distribution is two
    assert through_pickle(whole).distribution is None


def test_files_say_nothing_of_devices(tmp_path):
    model = small(D.FullySharded())
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").distribution is None


@pytest.mark.full
def test_a_pickle_is_loaded_where_the_devices_are_not(monkeypatch):
    model = small(D.DataParallel(devices=["cpu:6", "cpu:7"]))
    data = pickle.dumps((model, model.distribution))
    monkeypatch.setattr(meshes, "list_devices", lambda: ["cpu:0", "cpu:1"])
    with pytest.warns(UserWarning, match=r"DataParallel over MissingMesh.*'cpu:6'.*not all of these devices.*one device"):
        again, spread = pickle.loads(data)
    assert again.distribution is None and again.layout is None
    again.fit(X, X[:, :2], verbose=0)
    assert len(again.train_state.step.devices()) == 1
    one = D.DataParallel(devices=["cpu:1"])
    with one.scope(), pytest.warns(UserWarning, match="as set_distribution says, <DataParallel over <DeviceMesh batch: 1"):
        assert pickle.loads(data)[0].distribution is one
    with pytest.raises(ValueError, match="comes out of a pickle, and not all of its devices are here: there are cpu:0"):
        again.compile("sgd", "mse", distribution=spread)


def test_members_of_an_ensemble_are_on_one_device():
    ensemble = Ensemble(small(), seeds=range(2))
    with D.FullySharded().scope():
        for each in ensemble, through_pickle(ensemble), copy.deepcopy(ensemble):
            assert [(member.distribution, member.layout) for member in each] == [(None, None)] * 2


def test_a_pattern_that_is_found_nowhere_is_told_of_once():
    spread = by_names(dnse__kernel=(None, "model"))
    model = small(spread)
    said = ("LayoutMap['dnse/kernel'] is found in no weight's path of 'sequential', so it cuts nothing there. Did you mean "
            "'dense/kernel'")
    with pytest.warns(UserWarning, match=re.escape(said)) as told:
        model.fit(X, X[:, :2], epochs=2, verbose=0)
        model.evaluate(X, X[:, :2], verbose=0)
    assert len(told) == 1


@pytest.mark.full
def test_a_model_of_which_nothing_can_be_cut_is_told_of_once():
    model = small(D.FullySharded(devices=D.list_devices()[:7]))
    said = ("FullySharded cuts no weight of 'sequential', so every device keeps all: 7 devices along 'batch' divide no axis "
            "of any; the largest is 'dense/kernel' (8, 16). 4 devices along it do, or write DataParallel(...).")
    with pytest.warns(UserWarning, match=re.escape(said)) as told:
        model.fit(X, X[:, :2], epochs=2, verbose=0)
    assert len(told) == 1


def test_axes_that_do_not_divide_are_told_of_before_the_first_step():
    model = small(by_names(bias=("model",)))
    with pytest.raises(ValueError, match="do not divide 2"):
        model.fit(X, X[:, :2], verbose=0)


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


@pytest.mark.every(2)
@pytest.mark.parametrize("kind", [D.FullySharded, D.DataParallel])
def test_a_run_goes_on_to_the_same_bits(kind, tmp_path):
    broken(tmp_path, kind())
    assert finished(kind(), tmp_path).fingerprint() == finished(kind()).fingerprint()


@pytest.mark.every(2)
@pytest.mark.parametrize("devices", [2, 3])
def test_a_run_goes_on_with_another_number_of_devices(devices, tmp_path):
    broken(tmp_path, D.FullySharded())
    model = finished(D.DataParallel(devices=jax.devices()[:devices]), tmp_path)
    for here, there in zip(model.get_weights(), finished(None).get_weights(), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)
