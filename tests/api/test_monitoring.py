"""ReduceLROnPlateau, TerminateOnNaN and LearningRateScheduler: against Keras 3, and in a run of their own."""

import itertools
import re

import keras
import numpy as np
import pytest
from compiled import COMPILED
from numpy.testing import assert_allclose

from jaxseq.callbacks import EarlyStopping, LambdaCallback, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN

SCORES = [1.0, 0.9, 0.90001, 0.9, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7]


class Rate:
    """A model as far as a callback on the learning rate sees it."""

    def __init__(self, rate=1.0):
        self.learning_rate = rate


def rates(callback, scores, monitor):
    """The rate after each epoch."""
    callback.set_model(model := Rate())
    callback.on_train_begin()
    after = []
    for epoch, score in enumerate(scores):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {monitor: score})
        after.append(model.learning_rate)
    return after


def keras_rates(callback, scores, monitor):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    callback.set_model(model)
    callback.on_train_begin()
    after = []
    for epoch, score in enumerate(scores):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {monitor: score})
        after.append(float(model.optimizer.learning_rate))
    return after


@pytest.mark.parametrize(("mode", "monitor"), [("auto", "val_loss"), ("min", "score"), ("max", "val_accuracy")])
@pytest.mark.parametrize(("patience", "cooldown", "min_delta", "min_lr"), [
    (1, 0, 1e-4, 0.0), (2, 0, 0.0, 0.0), (2, 2, 0.2, 0.0), (3, 1, 1e-4, 0.3), (0, 0, 1e-4, 0.2)])
def test_the_rate_goes_down_as_in_keras(mode, monitor, patience, cooldown, min_delta, min_lr):
    options = {"monitor": monitor, "factor": 0.5, "patience": patience, "mode": mode, "min_delta": min_delta,
               "cooldown": cooldown, "min_lr": min_lr}
    scores = [-score for score in SCORES] if mode == "max" else SCORES
    ours = rates(ReduceLROnPlateau(**options), scores, monitor)
    theirs = keras_rates(keras.callbacks.ReduceLROnPlateau(**options), scores, monitor)
    assert_allclose(ours, theirs, rtol=1e-6)
    assert min(ours) < 1.0


@pytest.mark.parametrize("schedule", [lambda epoch: 0.5 ** epoch, lambda epoch, rate: rate * 0.9])
def test_a_schedule_sets_the_rate_as_in_keras(schedule):
    ours = rates(LearningRateScheduler(schedule), SCORES, "loss")
    assert_allclose(ours, keras_rates(keras.callbacks.LearningRateScheduler(schedule), SCORES, "loss"), rtol=1e-6)


def test_rates_stand_in_the_history_and_nothing_is_compiled_anew(model, data):
    x, y = data
    model.fit(x, y, epochs=1, verbose=0)
    before = len(COMPILED)
    history = model.fit(x, y, epochs=4, verbose=0, callbacks=[
        LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), ReduceLROnPlateau("loss", patience=1)])
    assert COMPILED[before:] == []
    assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.1 / 3, 0.025], rtol=1e-6)


def test_a_loss_that_is_nan_ends_training(model, data, capsys):
    x, y = data
    model.learning_rate = 1e30
    history = model.fit(x, y, epochs=50, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) < 50 and not np.isfinite(history.history["loss"][-1])
    assert re.search(r"^NaN or infinity in .* at step \d+: batch \d+ of epoch \d+, .* stands before that step\. .*$",
                     capsys.readouterr().out.strip())
    assert all(np.isfinite(each).all() for each in model.get_weights())


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ReduceLROnPlateau(factor=2), "ReduceLROnPlateau(factor=2): write a number between 0 and 1, such as 0.1."),
    (lambda: ReduceLROnPlateau(patience=-1), "ReduceLROnPlateau(patience=-1): write a finite number of at least 0."),
    (lambda: rates(ReduceLROnPlateau(), [1.0], "loss"),
     "ReduceLROnPlateau monitors 'val_loss', which this run does not measure."),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        make()


@pytest.mark.parametrize(("make", "message"), [
    (lambda: LearningRateScheduler(0.1), "LearningRateScheduler(0.1): write a function of the epoch."),
    (lambda: rates(LearningRateScheduler(lambda epoch: None), [1.0], "loss"), "The schedule of LearningRateScheduler gave None "
     "for epoch 0: let it return a number."),
])
def test_wrong_types_are_refused(make, message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        make()


def test_verbose_says_the_rate(capsys):
    rates(LearningRateScheduler(lambda epoch: 0.25, verbose=1), [1.0], "loss")
    rates(ReduceLROnPlateau("loss", patience=1, verbose=1), itertools.repeat(1.0, 3), "loss")
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: the learning rate is 0.25", "Epoch 2: the learning rate is now 0.1",
        "Epoch 3: the learning rate is now 0.01"]


@pytest.mark.parametrize(("frequency", "measured"), [(1, 6), (2, 3), (4, 1), ([1, 4], 2), ([9], 0)])
def test_a_validation_follows_the_epochs_that_it_follows_in_keras(frequency, measured, model, data):
    x, y = data
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    theirs.compile("adam", "sparse_categorical_crossentropy")
    options = {"epochs": 6, "verbose": 0, "validation_data": (x, y), "validation_freq": frequency}
    ours, expected = (len(each.fit(x, y, **options).history.get("val_loss", ())) for each in (model, theirs))
    assert ours == expected == measured


def test_what_monitors_a_validation_waits_for_it(model, data):
    x, y = data
    stop = EarlyStopping("val_loss", patience=1, min_delta=1e9)
    history = model.fit(x, y, epochs=10, verbose=0, validation_split=0.5, validation_freq=2,
                        callbacks=[stop, ReduceLROnPlateau(patience=1, min_delta=1e9)])
    assert history.epoch == [0, 1, 2, 3]                        # measured after the second and the fourth
    with pytest.raises(ValueError, match="EarlyStopping monitors 'val_los', which this run does not measure"):
        model.fit(x, y, verbose=0, validation_split=0.5, callbacks=[EarlyStopping("val_los", mode="min")])


def test_validation_may_have_batches_of_its_own(model, data):
    x, y = data
    sizes = []
    loss = model.fit(x, y, batch_size=8, verbose=0, validation_data=(x, y), validation_batch_size=20,
                     callbacks=[LambdaCallback(on_test_batch_end=lambda batch, logs: sizes.append(batch))]).history["val_loss"]
    assert sizes == [0, 1]
    assert loss[0] == pytest.approx(model.evaluate(x, y, verbose=0)[0], rel=1e-6)


def test_the_rate_stops_at_its_least(capsys):
    callback = ReduceLROnPlateau("loss", 0.5, patience=1, min_lr=0.1, verbose=1, mode="min")
    model = Rate()
    model.learning_rate = np.float32(0.1).item()
    callback.set_model(model)
    callback.wait, callback.cooling, callback.best = 0, 0, -1.0
    for epoch in range(4):
        callback.on_epoch_end(epoch, {"loss": 1.0})
    assert capsys.readouterr().out == ""
