"""What docs/differences.md says of callbacks and learning rates in Keras 3 and in jaxseq, shown against the installed Keras."""

import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import jaxseq

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(4)
X, Y = DRAW.normal(size=(12, 3)).astype(np.float32), DRAW.normal(size=(12, 1)).astype(np.float32)
LIBRARIES = [keras, jaxseq]


def linear(k, optimizer=None, **how):
    model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
    model.compile(optimizer or k.optimizers.SGD(0.1, **how), "mse")
    return model


def fit(model, *run_callbacks, **how):
    return model.fit(X, Y, **{"verbose": 0, "batch_size": 4, "callbacks": list(run_callbacks)} | how)


def scheduled(k):
    return k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))


def test_batch_sizes_in_the_logs():
    names = {}
    for k in LIBRARIES:
        watch = k.callbacks.Callback()
        watch.on_batch_end = lambda batch, logs=None, k=k: names.setdefault(k, set(logs))
        fit(linear(k), watch)
    assert names == {keras: {"loss"}, jaxseq: {"loss", "batch", "size"}}


def test_a_history_of_two_fits():
    for k, kept in (keras, 5), (jaxseq, 2):
        history, model = k.callbacks.History(), linear(k)
        fit(model, history, epochs=3)
        fit(model, history, epochs=2)
        assert history.epoch == [0, 1] and len(history.history["loss"]) == kept


def test_the_place_of_the_bar():
    for k, place in (keras, -1), (jaxseq, 0):
        every = k.callbacks.CallbackList([k.callbacks.Callback()], add_progbar=True, epochs=1, steps=1, verbose=0)
        assert isinstance(every.callbacks[place], k.callbacks.ProgbarLogger)


@pytest.mark.parametrize(("k", "last"), [(keras, "3.0000"), (jaxseq, "2.0000")])
def test_what_a_bar_ends_with(k, last, capsys):
    bar = k.utils.Progbar(2, verbose=2)
    for loss in 1.0, 3.0:
        bar.add(1, [("loss", loss)])
    assert capsys.readouterr().out.strip().endswith(f"loss: {last}")


def test_predicting_with_swapped_weights():
    for k, stays in (keras, True), (jaxseq, False):
        model = linear(k, use_ema=True, ema_momentum=0.9)
        for _ in range(3):
            model.train_on_batch(X, Y)
        before = model.get_weights()[0]
        model.predict(X, verbose=0, callbacks=[k.callbacks.SwapEMAWeights()])
        assert (np.abs(model.get_weights()[0] - before).max() > 1e-4) == stays


def test_a_stopped_run_under_swapped_weights():
    for k, average in (keras, False), (jaxseq, True):
        ends = []
        for swapping in [], [k.callbacks.SwapEMAWeights(swap_on_epoch=True)]:
            model = linear(k, use_ema=True, ema_momentum=0.9)
            model.set_weights([np.ones((3, 1), np.float32), np.zeros(1, np.float32)])
            stop = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, m=model: setattr(m, "stop_training", True))
            fit(model, *swapping, stop, epochs=5, shuffle=False)
            ends.append(model.get_weights()[0])
        assert (np.abs(ends[0] - ends[1]).max() < 1e-6) == average


def test_the_columns_of_a_run_without_validation(tmp_path):
    for k, header in (keras, "epoch,loss,val_loss"), (jaxseq, "epoch,loss"):
        path = tmp_path / k.__name__
        fit(linear(k), k.callbacks.CSVLogger(str(path)))
        assert path.read_text().splitlines()[0] == header


@pytest.mark.parametrize("make", [lambda k: k.callbacks.LearningRateScheduler(lambda epoch: 0.1),
                                  lambda k: k.callbacks.ReduceLROnPlateau("loss", patience=2, min_delta=1e9)])
def test_a_schedule_and_a_callback_that_sets_the_rate(make):
    begun = {}
    for k in LIBRARIES:
        model, begun[k] = linear(k, scheduled(k)), []
        watch = k.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs, k=k: begun[k].append(epoch))
        with pytest.raises(TypeError, match="[sS]chedule"):
            fit(model, watch, make(k), epochs=5)
    assert begun[keras] and not begun[jaxseq]


def test_a_rate_that_waits_for_what_is_not_measured():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(linear(keras), keras.callbacks.ReduceLROnPlateau())
    assert any("metric `val_loss` which is not available" in str(each.message) for each in caught)
    with pytest.raises(ValueError, match="ReduceLROnPlateau monitors 'val_loss', which this run does not measure"):
        fit(linear(jaxseq), jaxseq.callbacks.ReduceLROnPlateau())


def test_the_rate_of_a_declaration():
    optimizers = {k: k.optimizers.SGD(0.1) for k in LIBRARIES}
    models = {k: linear(k, optimizer) for k, optimizer in optimizers.items()}
    optimizers[keras].learning_rate = 0.0
    with pytest.raises(AttributeError, match="write model.learning_rate = 0.0 for the rate of the next step"):
        optimizers[jaxseq].learning_rate = 0.0
    models[jaxseq].optimizer.learning_rate = 0.0
    for model in models.values():
        before = model.get_weights()[0]
        fit(model)
        assert_array_equal(model.get_weights()[0], before)
    jaxseq.backend.set_value(models[jaxseq].optimizer.lr, 0.5)
    assert models[jaxseq].learning_rate == 0.5 and not hasattr(keras.backend, "set_value")


def test_one_optimizer_in_two_models():
    for k, shared in (keras, True), (jaxseq, False):
        optimizer = k.optimizers.SGD(0.1)
        first, second = linear(k, optimizer), linear(k, optimizer)
        fit(first)
        fit(second)
        second.optimizer.learning_rate = 0.5
        assert (float(first.optimizer.learning_rate) == 0.5) == shared
        assert int(second.optimizer.iterations) == (6 if shared else 3)


def test_the_name_of_the_rate_in_the_history():
    for k in LIBRARIES:
        assert "learning_rate" in fit(linear(k), k.callbacks.LearningRateScheduler(lambda epoch: 0.1)).history


def interrupted(batch, logs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("k", LIBRARIES)
def test_an_interrupted_run_and_the_best_weights(k):
    model = linear(k)
    model.fit(X, Y, verbose=0)
    kept = []
    stop = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()) if epoch == 0
                                      else interrupted(epoch, logs))
    best = k.callbacks.EarlyStopping("val_loss", mode="max", patience=9, restore_best_weights=True)
    with pytest.raises(KeyboardInterrupt):
        fit(model, best, stop, epochs=3, validation_data=(X, Y))
    assert np.array_equal(kept[0][0], model.get_weights()[0]) == (k is jaxseq)


@pytest.mark.parametrize("k", LIBRARIES)
def test_the_seventh_argument_of_model_checkpoint(k, tmp_path):
    callback = k.callbacks.ModelCheckpoint(str(tmp_path / "m.keras"), "loss", 0, False, False, "min", 5)
    assert callback.save_freq == 5


@pytest.mark.parametrize("k", LIBRARIES)
def test_a_batch_size_beside_batches(k):
    model = linear(k)
    data = (batch for batch in [(X, Y)] * 3)
    if k is keras:
        model.fit(data, batch_size=4, steps_per_epoch=1, verbose=0)
    else:
        with pytest.raises(ValueError, match="batch_size=4, and the data come in batches of their own"):
            model.fit(data, batch_size=4, steps_per_epoch=1, verbose=0)
