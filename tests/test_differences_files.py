"""What docs/differences.md says of files, shown against the installed Keras 3."""

import builtins
import json
import os
import warnings
import zipfile
from importlib.util import find_spec

import h5py
import jax
import jax.export
import keras
import numpy as np
import pytest

import jaxseq
from jaxseq.models import FileRejected, load_model

X = np.ones((4, 3), "float32")
pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.usefixtures("quickly_compiled")]


def stacked(k, *units):
    model = k.Sequential([k.Input((3,)), *[k.layers.Dense(each) for each in units]])
    model.build((None, 3))
    return model


@pytest.fixture(params=[keras, jaxseq], ids=["keras", "jaxseq"])
def k(request):
    return request.param


def test_a_save_that_is_broken_off(k, tmp_path, monkeypatch):
    """Broken off where the last bytes go out: by then Keras has emptied the old file."""
    path = tmp_path / "m.weights.h5"
    stacked(k, 2).save_weights(path)
    before = path.read_bytes()
    monkeypatch.setattr(h5py.Group, "create_dataset", lambda *values, **words: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        stacked(k, 2).save_weights(path)
    assert (path.read_bytes() == before) == (k is jaxseq)


def test_overwrite_false(k, tmp_path, monkeypatch):
    path = tmp_path / "m.weights.h5"
    stacked(k, 2).save_weights(path)
    asked = []
    monkeypatch.setattr(builtins, "input", lambda text: asked.append(text) or "n")
    if k is keras:
        stacked(k, 2).save_weights(path, overwrite=False)
    else:
        with pytest.raises(FileExistsError):
            stacked(k, 2).save_weights(path, overwrite=False)
    assert bool(asked) == (k is keras)


def test_a_file_with_more_layers(k, tmp_path):
    stacked(k, 2, 2).save_weights(tmp_path / "m.weights.h5")
    if k is keras:
        stacked(k, 2).load_weights(tmp_path / "m.weights.h5")
    else:
        with pytest.raises(FileRejected, match="is not in the model"):
            stacked(k, 2).load_weights(tmp_path / "m.weights.h5")


def test_a_load_that_fails_half_way(k, tmp_path):
    stacked(k, 2, 5).save_weights(tmp_path / "m.weights.h5")
    model = stacked(k, 2, 4)
    before = model.get_weights()
    with pytest.raises(ValueError):
        model.load_weights(tmp_path / "m.weights.h5")
    assert np.array_equal(model.get_weights()[0], before[0]) == (k is jaxseq)


def test_code_and_names_in_a_file(k, tmp_path):
    """Keras runs a lambda's code where it is told to, and imports what its own modules name."""
    theirs = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: 2 * x)])
    theirs.save(tmp_path / "m.keras")
    if k is keras:
        with pytest.raises(ValueError):
            keras.models.load_model(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras", safe_mode=False)
        assert np.asarray(again(X)).max() == 2
    else:
        with pytest.raises(FileRejected, match="the code of a lambda, which is never run"):
            load_model(tmp_path / "m.keras")


def test_names_that_are_not_known(k, tmp_path):
    """keras.ops.tanh as an activation: no activation by name, and Keras finds it in its module."""
    stacked(jaxseq, 2).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["activation"] = {
        "module": "keras.ops", "class_name": "function", "config": "sign", "registered_name": "sign"}
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        for name, content in (members | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, content)
    if k is keras:
        assert keras.models.load_model(tmp_path / "n.keras").predict(X, verbose=0).shape == (4, 2)
    else:
        with pytest.raises(FileRejected, match="the activation 'sign' is not one of this library"):
            load_model(tmp_path / "n.keras")


def test_a_shape_with_nothing_behind_it(k, tmp_path):
    path = tmp_path / "m.weights.h5"
    stacked(k, 2).save_weights(path)
    with h5py.File(path, "r+") as root:
        del root["layers/dense/vars/0"]
        root.create_dataset("layers/dense/vars/0", (3, 2), "f4", chunks=(3, 2))       # never written: zeros
    model = stacked(k, 2)
    if k is keras:
        model.load_weights(path)
        assert not model.get_weights()[0].any()
    else:
        with pytest.raises(FileRejected, match="declares 24 bytes for its shape"):
            model.load_weights(path)


def test_flipped_bits_in_weights(k, tmp_path):
    path = tmp_path / "m.weights.h5"
    stacked(k, 2).save_weights(path)
    content, wanted = bytearray(path.read_bytes()), stacked(k, 2)
    wanted.load_weights(path)
    start = content.index(wanted.get_weights()[0].tobytes())
    content[start + 3] ^= 1
    path.write_bytes(content)
    model = stacked(k, 2)
    if k is keras:
        model.load_weights(path)
        assert not np.array_equal(model.get_weights()[0], wanted.get_weights()[0])
    else:
        with pytest.raises(FileRejected):
            model.load_weights(path)


def test_endings(k, tmp_path):
    model = stacked(k, 2)
    path = tmp_path / "m.h5"
    if k is keras:
        model.save(path)
        with pytest.raises(ValueError):
            model.save_weights(path)
    else:
        model.save(path)
        assert jaxseq.models.load_model(path).layers == model.layers
        model.save_weights(path)
    assert path.exists()


def test_delta_of_huber(k, tmp_path):
    model = stacked(k, 2)
    model.compile("sgd", k.losses.Huber(0.25))
    x, y = np.ones((4, 3)), np.full((4, 2), 100.0)
    before = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    after = k.models.load_model(tmp_path / "m.keras").evaluate(x, y, verbose=0)
    assert after == pytest.approx(before) if k is jaxseq else after > 3 * before


def test_decay(tmp_path):
    with pytest.raises(ValueError):
        keras.optimizers.SGD(0.1, decay=0.1, lr=0.1)
    model = stacked(jaxseq, 2)
    model.compile(jaxseq.optimizers.SGD(lr=0.1, decay=0.5), "mse")
    model.save(tmp_path / "m.keras")
    rate = keras.models.load_model(tmp_path / "m.keras").optimizer._learning_rate
    wanted = [0.1 / (1 + 0.5 * step) for step in range(3)]
    np.testing.assert_allclose([float(rate(step)) for step in range(3)], wanted, rtol=1e-6)
    assert load_model(tmp_path / "m.keras").optimizer.decay == 0.5


class Saved:
    optimizer = None

    def __init__(self):
        self.names = []

    def save(self, path, **how):
        self.names.append(os.path.basename(path))


def scores(k, tmp_path, told, **options):
    """How many files a run with these logs leaves behind after each epoch."""
    callback = k.callbacks.ModelCheckpoint(str(tmp_path / "m.keras"), save_best_only=True, mode="min", **options)
    callback.set_model(model := Saved())
    callback.set_params({"do_validation": True})
    counts = []
    for epoch, logs in enumerate(told):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
        counts.append(len(model.names))
    return counts


def test_a_monitor_that_is_not_measured(k, tmp_path):
    if k is keras:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            assert scores(k, tmp_path, [{"loss": 1.0}], monitor="val_los") == [1]
    else:
        with pytest.raises(ValueError, match="ModelCheckpoint monitors 'val_los'"):
            scores(k, tmp_path, [{"loss": 1.0}], monitor="val_los")


def test_a_first_score_of_nan(k, tmp_path):
    nan = [{"val_loss": each} for each in (np.nan, 2.0, 1.0)]
    assert scores(k, tmp_path, nan) == ([1, 1, 1] if k is keras else [0, 1, 2])


def test_period(k):
    if k is keras:
        with pytest.raises(TypeError):
            k.callbacks.ModelCheckpoint("m.keras", period=2)
    else:
        assert k.callbacks.ModelCheckpoint("m.keras", period=2).period == 2


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="with TensorFlow Keras writes its SavedModel")
def test_export_without_tensorflow(k, tmp_path):
    if k is keras:
        with pytest.raises(ImportError):
            stacked(k, 2).export(tmp_path / "m")
    else:
        stacked(k, 2).export(tmp_path / "m")
        assert jax.export.deserialize(bytearray((tmp_path / "m").read_bytes())).call(X).shape == (4, 2)
