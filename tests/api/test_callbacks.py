"""Which hooks are called, when and with what; History, LambdaCallback and EarlyStopping against Keras 3."""

import pickle

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.api import loop, weights
from jaxseq.callbacks import Callback, EarlyStopping, History, LambdaCallback

pytestmark = pytest.mark.usefixtures("quickly_compiled")

HOOKS = [f"on_{what}_{edge}" for edge in ("begin", "end")
         for what in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")]


def recorder(base: type):
    """A callback of that class, and the list in which it notes (hook, batch or epoch, the names in logs)."""
    seen = []

    def noting(hook):
        def method(self, *about, logs=None):                # Keras names logs at some of its calls
            number = [each for each in about if isinstance(each, int)]
            logs = logs or next((each for each in about if isinstance(each, dict)), {})
            seen.append((hook, *number, tuple(sorted(logs))))

        return method

    return type("Recorder", (base,), {hook: noting(hook) for hook in HOOKS})(), seen


@pytest.fixture(scope="module")
def keras_model():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# ---- order and arguments

def test_fit_calls_the_hooks_of_keras_in_its_order(model, keras_model, data):
    ours, seen = recorder(Callback)
    theirs, expected = recorder(keras.callbacks.Callback)
    words = {"batch_size": 16, "epochs": 3, "initial_epoch": 1, "validation_data": tuple(data), "verbose": 0}
    model.fit(*data, callbacks=[ours], **words)
    keras_model.fit(*data, callbacks=[theirs], **words)
    assert seen == expected
    assert len(seen) == 2 + 2 * (2 + 3 * 2 + 2 + 3 * 2)


def test_evaluate_calls_the_hooks_of_keras_in_its_order(model, keras_model, data):
    ours, seen = recorder(Callback)
    theirs, expected = recorder(keras.callbacks.Callback)
    model.evaluate(*data, batch_size=16, callbacks=[ours], verbose=0)
    keras_model.evaluate(*data, batch_size=16, callbacks=[theirs], verbose=0)
    assert seen == expected


def test_predict_calls_the_hooks_of_keras_in_its_order(model, keras_model, data):
    ours, seen = recorder(Callback)
    theirs, expected = recorder(keras.callbacks.Callback)
    model.predict(data.x, batch_size=16, callbacks=[ours], verbose=0)
    keras_model.predict(data.x, batch_size=16, callbacks=[theirs], verbose=0)
    assert seen == expected


def test_each_callback_is_called_in_the_order_of_the_list(model, data):
    seen = []
    first = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("first"), on_train_end=lambda logs: seen.append("1"))
    second = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append("second"), on_train_end=lambda logs: seen.append("2"))
    model.fit(*data, epochs=2, callbacks=[first, second], verbose=0)
    assert seen == ["first", "second", "first", "second", "1", "2"]


def test_a_callback_knows_its_model_and_the_run(model, data):
    class Curious(Callback):
        def __init__(self):                                 # a subclass need not call the base's constructor
            pass

        def on_train_begin(self, logs=None):
            self.found = self.model, dict(self.params)

    curious = Curious()
    model.fit(*data, batch_size=16, epochs=2, callbacks=curious, verbose=0)         # one callback needs no list
    assert curious.found == (model, {"epochs": 2, "steps": 3, "batch_size": 16, "samples": 40, "do_validation": False,
                                     "verbose": 0, "metrics": ["loss", "accuracy"]})


def test_the_names_of_keras_2_are_called_for_training_batches(model, data):
    seen = []

    class Old(Callback):
        def on_batch_begin(self, batch, logs):
            seen.append(("begin", batch, logs))

        def on_batch_end(self, batch, logs):
            seen.append(("end", batch, sorted(logs)))

    model.fit(*data, batch_size=16, validation_data=tuple(data), callbacks=[Old()], verbose=0)
    sizes = 16, 16, 8
    assert seen == [entry for batch, size in enumerate(sizes) for entry in (
        ("begin", batch, {"batch": batch, "size": size}), ("end", batch, ["accuracy", "batch", "loss", "size"]))]


def test_batch_logs_are_the_means_of_the_epoch_so_far(model, data):
    batches, epochs = [], []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(dict(logs)),
                           on_epoch_end=lambda epoch, logs: epochs.append(dict(logs)))
    model.fit(*data, batch_size=16, epochs=2, callbacks=[watch], verbose=0)
    assert batches[2::3] == epochs
    assert all(0 <= logs["accuracy"] <= 1 and logs["loss"] > 0 for logs in batches)


def test_predict_hands_each_batch_to_its_hook(model, data):
    parts = []
    whole = model.predict(data.x, batch_size=16,
                          callbacks=[LambdaCallback(on_predict_batch_end=lambda batch, logs: parts.append(logs["outputs"]))])
    assert [len(part) for part in parts] == [16, 16, 8]
    assert_array_equal(np.concatenate(parts), whole)


def test_on_steps_end_follows_each_dispatch_and_slows_nothing_down(model, data, monkeypatch):
    monkeypatch.setattr(loop, "DISPATCH_SECONDS", 1e9)
    seen = []
    watch = LambdaCallback(on_steps_end=lambda done, logs: seen.append((done, sorted(logs))))
    model.fit(*data, batch_size=1, verbose=0, callbacks=[watch])
    assert seen == [(done, ["accuracy", "loss"]) for done in (1, 9, 40)]            # 1, 8 and the rest: eightfold at most
    seen.clear()
    model.fit(*data, batch_size=1, verbose=0, callbacks=[watch, LambdaCallback(on_batch_end=lambda batch, logs: None)])
    assert [done for done, _ in seen] == list(range(1, 41))


# ---- History

def test_history_keeps_every_epoch_under_the_names_the_user_wrote(model, data):
    history = model.fit(*data, epochs=5, initial_epoch=2, validation_data=tuple(data), verbose=0)
    assert isinstance(history, History) and history is model.history
    assert history.epoch == [2, 3, 4]
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 3 and {type(value) for value in values} == {float} for values in history.history.values())
    assert history.params["epochs"] == 5
    again = model.fit(*data, verbose=0)
    assert again is model.history and again is not history and again.epoch == [0]


def test_no_epochs_leave_an_empty_history(model, data):
    before = model.fingerprint()
    assert model.fit(*data, epochs=0, verbose=0).history == {}
    assert model.fit(*data, epochs=3, initial_epoch=3, verbose=0).epoch == []
    assert model.fingerprint() == before


def test_the_last_validation_is_what_evaluate_measures(model, data):
    history = model.fit(*data, epochs=2, validation_data=tuple(data), verbose=0)
    measured = model.evaluate(*data, verbose=0, return_dict=True)
    assert measured == {name: history.history[f"val_{name}"][-1] for name in ("loss", "accuracy")}


def test_what_a_callback_writes_into_the_logs_stands_in_the_history(model, data):
    history = model.fit(*data, epochs=2, verbose=0,
                        callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(twice=2.0 * epoch))])
    assert history.history["twice"] == [0.0, 2.0]


def test_a_history_tells_of_the_weights_that_others_put_in_place_at_the_end(model, data):
    first = model.get_weights()
    back = LambdaCallback(on_train_end=lambda logs: model.set_weights(first))
    history = model.fit(*data, verbose=0, callbacks=[History(), back])
    assert history.run["after"] == model.fingerprint() != history.run["before"]


def test_what_was_hashed_at_a_fits_end_is_not_hashed_again(model, data, monkeypatch):
    hashed, hash_ = [], weights.fingerprint
    monkeypatch.setattr(weights, "fingerprint", lambda ts: hashed.append(int(ts.step)) or hash_(ts))
    after = [model.fit(*data, batch_size=7, verbose=0).run["after"] for _ in range(2)]
    assert hashed == [0, 6, 12] and after == [model.history.run["before"], model.fingerprint()]
    model.set_weights(model.get_weights())
    assert model.fingerprint() == after[1] and hashed == [0, 6, 12, 12]     # equal, but other arrays
    model.set_weights([2 * weight for weight in model.get_weights()])
    assert model.fingerprint() not in after
    assert pickle.loads(pickle.dumps(model)).fingerprint() == model.fingerprint()


# ---- what a callback may do

def test_a_callback_may_set_weights_and_learning_rate_between_steps_without_a_new_program(model, data):
    kept = []

    class Steer(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.learning_rate = 0.0
                self.model.set_weights([0.5 * weight for weight in self.model.get_weights()])
                kept.extend(self.model.get_weights())

    model.fit(*data, batch_size=8, epochs=1, verbose=0)
    programs = model.programs
    compiled = programs.train._cache_size()
    assert_allclose(model.learning_rate, 0.001, rtol=1e-6)
    model.fit(*data, batch_size=8, epochs=1, callbacks=[Steer()], verbose=0)
    assert model.programs is programs and programs.train._cache_size() == compiled
    assert model.learning_rate == 0.0
    for weight, expected in zip(model.get_weights(), kept, strict=True):
        assert_array_equal(weight, expected)                # three more steps at rate 0 have left them alone


def test_a_higher_rate_moves_the_weights_further(rewind, data):
    moved = []
    for rate in 0.001, 0.1:
        model = rewind()
        before = model.get_weights()
        model.learning_rate = rate
        model.fit(*data, batch_size=40, verbose=0)
        moved.append(np.abs(model.get_weights()[0] - before[0]).max())
    assert_allclose(moved[1] / moved[0], 100, rtol=1e-3)     # Adam's first step is as long as its rate


def test_stop_training_in_a_batch_ends_the_epoch_there(model, data):
    stop = LambdaCallback(on_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1))
    history = model.fit(*data, batch_size=8, epochs=3, validation_data=tuple(data), callbacks=[stop], verbose=0)
    assert int(model.train_state.step) == 2
    assert history.epoch == [0] and len(history.history["val_loss"]) == 1
    assert np.isfinite(model.train_on_batch(data.x[:8], data.y[:8])).all()          # a single batch is not stopped
    assert int(model.train_state.step) == 3
    model.fit(*data, batch_size=8, verbose=0)                                       # nor is the next run
    assert int(model.train_state.step) == 8


def test_stop_training_at_the_end_of_an_epoch_ends_the_run(model, data):
    stop = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    assert model.fit(*data, epochs=9, callbacks=[stop], verbose=0).epoch == [0, 1]


# ---- EarlyStopping

class Puppet:
    """Stands in for a model: its weights are the number of the epoch."""

    def __init__(self):
        self.weights, self.stop_training = 0, False

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def played(callback, monitor: str, scores: list[float]) -> dict:
    """What the callback makes of these scores, one an epoch."""
    model = Puppet()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, score in enumerate(scores):
        model.weights = epoch
        callback.on_epoch_end(epoch, {monitor: score})
        if model.stop_training:
            break
    callback.on_train_end()
    ran = epoch + 1
    known = callback.best if callback.best is not None and np.isfinite(callback.best) else None
    return {"ran": ran, "stopped_epoch": callback.stopped_epoch, "best": known, "best_epoch": callback.best_epoch,
            "wait": callback.wait, "weights": model.weights}


@pytest.mark.parametrize("seed", range(40))
def test_early_stopping_stops_where_keras_stops(seed):
    dice = np.random.Generator(np.random.Philox(seed))
    for _ in range(5):
        words = {
            "mode": str(dice.choice(["min", "max"])),
            "patience": int(dice.integers(0, 5)),
            "min_delta": float(dice.choice([0, 0.125, 0.25])),
            "baseline": dice.choice([None, 0.5, 1.0]),
            "restore_best_weights": bool(dice.integers(2)),
            "start_from_epoch": int(dice.choice([0, 0, 3])),
        }
        scores = (dice.integers(0, 16, 12) / 8).tolist()                # numbers that float32 holds exactly
        ours = played(EarlyStopping("score", **words), "score", scores)
        assert ours == played(keras.callbacks.EarlyStopping("score", **words), "score", scores), (words, scores)


@pytest.mark.parametrize("monitor, better", [
    ("val_loss", "min"), ("loss", "min"), ("mae", "min"), ("val_mean_squared_error", "min"), ("crossentropy", "min"),
    ("accuracy", "max"), ("val_accuracy", "max"), ("val_acc", "max"), ("sparse_categorical_accuracy", "max")])
def test_early_stopping_knows_which_way_is_better(monitor, better):
    scores = [1.0, 2.0, 1.5, 1.5, 0.5, 0.5]
    auto = played(EarlyStopping(monitor, patience=1), monitor, scores)
    assert auto == played(EarlyStopping(monitor, patience=1, mode=better), monitor, scores)
    assert auto["best"] == (1.0 if better == "min" else 2.0)


def test_early_stopping_keeps_nan_from_being_the_best():
    ours = played(EarlyStopping(patience=2), "val_loss", [np.nan, 2.0, np.nan, np.nan, 3.0])
    assert ours == {"ran": 4, "stopped_epoch": 3, "best": 2.0, "best_epoch": 1, "wait": 2, "weights": 3}


def test_early_stopping_ends_a_run_and_puts_the_best_weights_back(model, data, capsys):
    kept = []
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    stop = EarlyStopping("loss", patience=1, mode="max", restore_best_weights=True, verbose=1)     # falling loss is no better
    history = model.fit(*data, batch_size=8, epochs=50, callbacks=[keep, stop], verbose=0)
    last = history.epoch[-1]
    assert last < 49 and stop.stopped_epoch == last and stop.best_epoch == int(np.argmax(history.history["loss"]))
    for weight, best in zip(model.get_weights(), kept[stop.best_epoch], strict=True):
        assert_array_equal(weight, best)
    assert capsys.readouterr().out == (f"Epoch {last + 1}: early stopping\n"
                                       f"Restoring the weights of the best epoch, {stop.best_epoch + 1}.\n")


def test_early_stopping_begins_anew_with_each_run(model, data):
    stop = EarlyStopping("loss", patience=0, mode="max")
    first = model.fit(*data, batch_size=8, epochs=50, callbacks=[stop], verbose=0)
    second = model.fit(*data, batch_size=8, epochs=50, callbacks=[stop], verbose=0)
    assert len(first.epoch) < 50 and len(second.epoch) >= 2


def test_early_stopping_says_which_names_there_are(model, data, refuses):
    with refuses("EarlyStopping monitors 'val_loss', which this run does not measure. Did you mean 'loss'? Pass "
                 "validation_data or validation_split to fit."):
        model.fit(*data, callbacks=[EarlyStopping()], verbose=0)
    with refuses("EarlyStopping monitors 'val_mae', which this run does not measure. Known: accuracy, loss, val_accuracy, "
                 "val_loss. Pass validation_data or validation_split to fit."):
        model.fit(*data, validation_split=0.2, callbacks=[EarlyStopping("val_mae")], verbose=0)
