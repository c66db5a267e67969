"""ModelCheckpoint: against Keras 3 on the same histories, and in runs of its own."""

import copy
import os
import pickle
import re

import keras
import numpy as np
import pytest

from jaxseq.callbacks import Callback, ModelCheckpoint
from jaxseq.layers import Lambda
from jaxseq.models import Sequential, load_model

SCORES = [1.0, 0.9, 0.95, 0.8, 0.8, 0.81, 0.7, 0.75]


class Saved:
    """A model as far as ModelCheckpoint sees it: it notes the names it is saved under."""

    optimizer = None

    def __init__(self):
        self.names = []

    def save(self, path, **how):
        self.names.append(path)

    save_weights = save


def saved(callback, scores=SCORES, batches=5, monitor="val_loss"):
    """The names under which a run of these scores saves, epoch by epoch."""
    callback.set_model(model := Saved())
    callback.set_params({"do_validation": True})
    seen = []
    for epoch, score in enumerate(scores):
        callback.on_epoch_begin(epoch, {})
        for batch in range(batches):
            callback.on_train_batch_end(batch, {"loss": 10.0 * epoch + batch})
        callback.on_epoch_end(epoch, {"loss": 2.0, monitor: score})
        seen.append(list(model.names))
    return seen


CASES = [
    {}, {"save_best_only": True}, {"save_best_only": True, "mode": "max"},
    {"save_best_only": True, "initial_value_threshold": 0.85},
    {"save_best_only": True, "monitor": "score", "mode": "max"}, {"save_freq": 3}, {"save_freq": 5}, {"save_freq": 7},
    {"save_freq": 4, "save_best_only": True, "monitor": "loss", "mode": "min"},
    {"save_best_only": True, "monitor": "val_accuracy", "mode": "max"}]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("weights", [True, False])
def test_the_same_files_at_the_same_epochs_as_in_keras(options, weights, tmp_path):
    monitor = options.get("monitor", "val_loss")
    monitor = "val_loss" if monitor == "loss" else monitor
    batch = "-{batch:03d}" if "save_freq" in options else "-{" + monitor + ":.2f}"
    name = str(tmp_path / ("m.{epoch:02d}" + batch + (".weights.h5" if weights else ".keras")))
    ours = saved(ModelCheckpoint(name, save_weights_only=weights, **options), monitor=monitor)
    theirs = saved(keras.callbacks.ModelCheckpoint(name, save_weights_only=weights, **options), monitor=monitor)
    assert ours == theirs and ours[-1]


def test_period_is_keras_2_s(tmp_path):
    seen = saved(ModelCheckpoint(tmp_path / "{epoch}.keras", period=3))
    assert [name.rsplit("/", 1)[1] for name in seen[-1]] == ["3.keras", "6.keras"]
    best = saved(ModelCheckpoint(tmp_path / "{epoch}.keras", period=2, save_best_only=True))
    assert [name.rsplit("/", 1)[1] for name in best[-1]] == ["2.keras", "4.keras", "8.keras"]     # 0.7 is not looked at


def test_names_of_keras_2(tmp_path, refuses):
    name = "weights.{epoch:02d}-{val_loss:.2f}.hdf5"
    seen = saved(ModelCheckpoint(str(tmp_path / name), save_weights_only=True))
    assert seen[0] == [str(tmp_path / "weights.01-1.00.hdf5")]
    whole = saved(ModelCheckpoint(str(tmp_path / "whole.{epoch}.hdf5")))
    assert str(tmp_path / "whole.1.hdf5") in whole[0]
    with refuses("save('best'): whole models are written as .keras (Keras 3), .h5 or .hdf5 (Keras 2). Write 'best.keras'."):
        ModelCheckpoint("best")
    with refuses("save_weights('best'): weights are written as .weights.h5 (Keras 3), .h5 or .hdf5 (Keras 2), or .safetensors. "
                 "Write 'best.weights.h5'."):
        ModelCheckpoint("best", save_weights_only=True)


def test_nan_is_never_the_best(tmp_path):
    seen = saved(ModelCheckpoint(tmp_path / "{epoch}.keras", save_best_only=True), [float("nan"), 2.0, float("nan"), 1.0])
    assert [len(names) for names in seen] == [0, 1, 1, 2]


@pytest.mark.parametrize(("options", "told"), [
    ({"save_freq": 0}, "ModelCheckpoint(save_freq)=0: write a whole number of at least 1."),
    ({"save_freq": "batch"}, "ModelCheckpoint(save_freq)='batch': write a whole number of at least 1."),
    ({"save_freq": 2, "period": 2}, "ModelCheckpoint: save_freq counts batches and period epochs: write one of them."),
    ({"save_freq": 2, "save_best_only": True}, "ModelCheckpoint(save_freq=2, monitor='val_loss'): a validation follows epochs, "
     "not batches. Write save_freq='epoch', or monitor='loss'."),
    ({"save_best_only": True, "mode": "best"}, "mode='best': write one of 'auto', 'min', 'max'."),
    ({"save_best_only": True, "monitor": "score"}, "monitor='score': is less or more of it better? Write mode='min' or "
     "mode='max'."),
])
def test_what_cannot_be_meant_is_refused_at_once(options, told, refuses):
    with refuses(told):
        ModelCheckpoint("m.keras", **options)


def test_files_of_a_run_open_again(model, data, tmp_path):
    best = ModelCheckpoint(tmp_path / "new" / "best.{epoch}.keras", save_best_only=True, verbose=1)
    every = ModelCheckpoint(tmp_path / "w.{epoch:02d}-{val_accuracy:.2f}.weights.h5", save_weights_only=True)
    history = model.fit(data.x, data.y, batch_size=8, epochs=3, verbose=0, validation_split=0.2, callbacks=[best, every])
    scores = history.history["val_loss"]
    best_ones = [n + 1 for n, score in enumerate(scores) if score == min(scores[:n + 1])]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"best.{n}.keras" for n in best_ones]
    wanted = [f"w.{n:02d}-{accuracy:.2f}.weights.h5" for n, accuracy in enumerate(history.history["val_accuracy"], 1)]
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == wanted
    again = load_model(tmp_path / "new" / f"best.{best_ones[-1]}.keras")
    x, y = data.x[32:], data.y[32:]
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0)[0], min(scores), rtol=1e-6)


class Weights(Callback):
    """The model's weights and steps after every batch."""

    def __init__(self):
        super().__init__()
        self.after = []

    def on_train_batch_end(self, batch, logs=None):
        self.after.append((int(self.model.train_state.step), self.model.get_weights()))


def test_a_file_stands_for_the_step_it_was_saved_after(rewind, data, tmp_path):
    seen = Weights()
    save = ModelCheckpoint(tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3)
    rewind().fit(data.x, data.y, batch_size=8, epochs=2, verbose=0, callbacks=[save, seen])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-3.weights.h5", "2-1.weights.h5", "2-4.weights.h5"]
    other = rewind()
    for name, step in ("1-3", 3), ("2-1", 6), ("2-4", 9):
        other.load_weights(tmp_path / f"{name}.weights.h5")
        counted, weights = seen.after[step - 1]
        assert int(other.train_state.step) == counted == step
        for one, wanted in zip(other.get_weights(), weights, strict=True):
            assert one.tobytes() == wanted.tobytes()


def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(rewind, data, tmp_path):
    """The optimizer, the order of rows and the dropout of the epochs after: to the bit, given the seed."""
    rewind().fit(data.x, data.y, batch_size=8, epochs=2, verbose=0,
                 callbacks=ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True))
    model = rewind()
    wanted = (model.fit(data.x, data.y, batch_size=8, epochs=2, verbose=0), model.get_weights())[1]
    model = rewind()
    model.load_weights(tmp_path / "1.weights.h5")
    model.fit(data.x, data.y, batch_size=8, epochs=2, initial_epoch=1, verbose=0)
    for one, other in zip(model.get_weights(), wanted, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(("options", "told"), [
    ({"monitor": "val_los", "save_best_only": True, "mode": "min"}, "ModelCheckpoint monitors 'val_los', which this run does "
     "not measure. Did you mean 'val_loss'? Pass validation_data or validation_split to fit."),
    ({"filepath": "{val_acc:.2f}.keras"}, "ModelCheckpoint('{val_acc:.2f}.keras') asks for 'val_acc', which this run does not "
     "measure. Did you mean"),
])
def test_a_misspelt_name_is_told(model, data, options, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(told)):
        model.fit(data.x, data.y, batch_size=40, verbose=0, validation_split=0.2,
                  callbacks=ModelCheckpoint(**{"filepath": "m.keras", **options}))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_told_before_the_first_step(data, tmp_path, refuses):
    model = Sequential([Lambda(lambda x: x, input_shape=(4,))])
    model.compile("sgd", "mse")
    with refuses("Lambda(function) is a lambda, which has no name to be found by when the file is loaded: write it as a def."):
        model.fit(data.x, data.x, verbose=0, callbacks=ModelCheckpoint(tmp_path / "m.keras"))
    assert int(model.train_state.step) == 0


def test_an_interrupted_save_leaves_the_file_before(model, data, tmp_path, monkeypatch):
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    before = path.read_bytes()

    def fails(*values):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="no space left"):
        model.fit(data.x, data.y, batch_size=8, verbose=0, callbacks=ModelCheckpoint(path, save_weights_only=True))
    assert path.read_bytes() == before and int(model.train_state.step) == 5
    assert np.isfinite(model.predict(data.x)).all()


def test_a_copy_counts_batches_for_itself(tmp_path):
    first = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3)
    for other in copy.deepcopy(first), pickle.loads(pickle.dumps(first)):
        assert saved(other)[-1] and first._batches == 0 and first.model is None


def test_a_name_is_asked_for_only_where_it_is_saved(tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.2f}.keras", save_best_only=True)
    callback.set_model(model := Saved())
    callback.set_params({"do_validation": True})
    for epoch, logs in enumerate([{"loss": 2.0}, {"loss": 2.0, "val_loss": 1.0}, {"loss": 2.0}]):
        callback.on_epoch_end(epoch, logs)
    assert [name.rsplit("/", 1)[1] for name in model.names] == ["2-1.00.keras"]


def test_what_was_not_saved_is_not_the_best(tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}.keras", "loss", save_best_only=True)
    callback.set_model(model := Saved())
    model.save = lambda path: os.stat(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        callback.on_epoch_end(0, {"loss": 1.0})
    assert callback.best is None
