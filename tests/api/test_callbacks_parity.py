"""Runs of the same linear model in Keras 3 and here, under the same callbacks: the History, the weights, the files."""

import inspect

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq
from jaxseq import callbacks
from jaxseq.api.monitoring import direction

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(2)
X = DRAW.normal(size=(12, 3)).astype(np.float32)
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.25).astype(np.float32)
KERNEL, BIAS = DRAW.normal(size=(3, 1)).astype(np.float32), np.zeros(1, np.float32)
SCORES = [1.0, 0.5, 0.5, 0.75, 0.25, 0.5, 0.5, 0.5, 0.5, 0.125, 0.125, 0.125]


def linear(k, **of_optimizer):
    model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
    model.compile(k.optimizers.SGD(0.125, **of_optimizer), "mse", metrics=["mae"])
    return model


@pytest.fixture(scope="module")
def pair():
    """{library: a compiled model}, for all tests that want the usual optimizer."""
    return {k: linear(k) for k in (keras, jaxseq)}


def scripted(k):
    """A callback that writes SCORES into the logs, where those after it read them."""
    class Script(k.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = SCORES[epoch]

    return Script()


def run(k, model, callback, epochs=10, **how):
    """(History, weights, rate) of two fits in a row under one and the same callback."""
    results = []
    for _ in range(2):
        model.set_weights([KERNEL, BIAS])
        model.optimizer.learning_rate = 0.125
        history = model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[scripted(k), callback],
                            validation_data=(X[:5], Y[:5]), **how)
        results.append(({name: list(values) for name, values in history.history.items()}, history.epoch, model.get_weights(),
                        float(model.optimizer.learning_rate)))
    return results


def same(ours, theirs):
    for (history, epochs, weights, rate), (expected, their_epochs, their_weights, their_rate) in zip(ours, theirs, strict=True):
        assert epochs == their_epochs and sorted(history) == sorted(expected)
        for name in expected:
            assert_allclose(history[name], expected[name], rtol=2e-4, atol=1e-6, err_msg=name)
        for weight, their_weight in zip(weights, their_weights, strict=True):
            assert_allclose(weight, their_weight, rtol=1e-4, atol=1e-6)
        assert rate == pytest.approx(their_rate)


CALLBACKS = {
    "EarlyStopping": lambda k: k.callbacks.EarlyStopping("score", patience=2, mode="min", restore_best_weights=True),
    "EarlyStopping, baseline": lambda k: k.callbacks.EarlyStopping("score", patience=3, mode="min", baseline=0.3),
    "EarlyStopping, delta": lambda k: k.callbacks.EarlyStopping("score", 0.3, patience=2, mode="min", start_from_epoch=2),
    "EarlyStopping, max": lambda k: k.callbacks.EarlyStopping("score", mode="max", patience=4, restore_best_weights=True),
    "EarlyStopping, auto": lambda k: k.callbacks.EarlyStopping("val_mae", min_delta=0.05),
    "ReduceLROnPlateau": lambda k: k.callbacks.ReduceLROnPlateau("score", factor=0.5, patience=1, mode="min"),
    "ReduceLROnPlateau, cooldown": lambda k: k.callbacks.ReduceLROnPlateau("score", 0.5, 1, mode="min", cooldown=2),
    "ReduceLROnPlateau, min_lr": lambda k: k.callbacks.ReduceLROnPlateau("score", 0.25, 1, mode="min", min_lr=0.0625),
    "ReduceLROnPlateau, min_delta": lambda k: k.callbacks.ReduceLROnPlateau("score", 0.5, 2, mode="max", min_delta=0.3),
    "ReduceLROnPlateau, auto": lambda k: k.callbacks.ReduceLROnPlateau(patience=1, min_delta=0.5),
    "LearningRateScheduler": lambda k: k.callbacks.LearningRateScheduler(lambda epoch: 0.125 / (1 + epoch)),
    "LearningRateScheduler, rate": lambda k: k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_run_under_a_callback_is_that_of_keras_twice_over(name, pair):
    ours, theirs = (run(k, pair[k], CALLBACKS[name](k)) for k in (jaxseq, keras))
    same(ours, theirs)
    assert ours[0][0] == ours[1][0]                         # nothing is left over from the first run


@pytest.mark.every(3)
@pytest.mark.parametrize("name", CALLBACKS)
def test_a_callback_may_go_from_one_model_to_another(name, pair):
    callback, other = CALLBACKS[name](jaxseq), linear(jaxseq)
    first = run(jaxseq, pair[jaxseq], callback, epochs=5)
    assert run(jaxseq, other, callback, epochs=5)[0][:2] == first[0][:2]


def test_the_file_of_a_run_is_that_of_keras(pair, tmp_path):
    rows = []
    for k in jaxseq, keras:
        same_file = k.callbacks.CSVLogger(str(tmp_path / k.__name__), append=True)
        run(k, pair[k], same_file, epochs=3)
        rows.append([line.split(",") for line in (tmp_path / k.__name__).read_text().splitlines()])
    ours, theirs = rows
    assert ours[0] == theirs[0] and len(ours) == len(theirs) == 7
    assert_allclose(np.array(ours[1:], float), np.array(theirs[1:], float), rtol=2e-4, atol=1e-6)


# ---- SwapEMAWeights

@pytest.mark.parametrize("on_epoch", [False, True])
def test_a_run_under_swapped_weights_is_that_of_keras(on_epoch):
    results, saved = {}, {jaxseq: [], keras: []}
    for k in jaxseq, keras:
        model = linear(k, use_ema=True, ema_momentum=0.75)
        model.set_weights([KERNEL, BIAS])
        kept = k.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs, k=k, model=model: saved[k].append(model.get_weights()[0]))
        history = model.fit(X, Y, batch_size=4, epochs=4, shuffle=False, verbose=0, validation_data=(X[:5], Y[:5]),
                            callbacks=[k.callbacks.SwapEMAWeights(swap_on_epoch=on_epoch), kept])
        measured = model.evaluate(X, Y, verbose=0, callbacks=[k.callbacks.SwapEMAWeights()])
        results[k] = [(dict(history.history, measured=measured), history.epoch, model.get_weights(), 0.125)]
    same(results[jaxseq], results[keras])
    assert_allclose(saved[jaxseq], saved[keras], rtol=1e-4, atol=1e-6)


def test_a_prediction_is_made_with_the_average_and_leaves_the_weights():
    model = linear(jaxseq, use_ema=True, ema_momentum=0.75)
    model.set_weights([KERNEL, BIAS])
    swap = callbacks.SwapEMAWeights()
    untrained = model.predict(X, callbacks=[swap])
    assert_allclose(untrained, X @ KERNEL, rtol=1e-5)       # no step yet, no average yet
    for _ in range(3):
        model.train_on_batch(X, Y)
    before, average = model.fingerprint(), model.train_state.opt_state.average["dense"]
    predicted = model.predict(X, callbacks=[swap])
    assert_allclose(predicted, X @ np.asarray(average["kernel"]) + np.asarray(average["bias"]), rtol=1e-5)
    assert model.fingerprint() == before
    with pytest.raises(RuntimeError, match="enough"):
        model.predict(X, callbacks=[swap, callbacks.LambdaCallback(on_predict_batch_end=stop)])
    assert model.fingerprint() == before


def stop(*_):
    raise RuntimeError("enough")


def test_a_run_that_is_stopped_early_still_ends_with_the_average():
    ends = []
    for swap in [], [callbacks.SwapEMAWeights(swap_on_epoch=True)]:
        model = linear(jaxseq, use_ema=True, ema_momentum=0.75)
        model.set_weights([KERNEL, BIAS])
        halt = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, m=model: setattr(m, "stop_training", epoch == 1))
        model.fit(X, Y, batch_size=4, epochs=9, shuffle=False, verbose=0, callbacks=[*swap, halt])
        ends.append(model.get_weights()[0])
    assert_allclose(ends[0], ends[1], rtol=0, atol=0)


def test_swapping_needs_an_average(pair, refuses):
    pair[jaxseq].optimizer.learning_rate = 0.125
    for call in pair[jaxseq].fit, pair[jaxseq].evaluate:
        with refuses("SwapEMAWeights needs an average of the weights, which the optimizer SGD(learning_rate=0.125, "
                     "momentum=0.0, nesterov=False) does not keep: compile with use_ema=True, as in Adam(use_ema=True)."):
            call(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


# ---- LambdaCallback, CallbackList, BaseLogger, History

NAMES = [f"on_{what}_{edge}" for edge in ("begin", "end")
         for what in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")]


def noting(k):
    """(LambdaCallback with all hooks, the list in which they note what they are called with)."""
    seen = []

    def noting(hook):
        def note(*about, logs=None):                        # Keras names logs at some of its calls
            told = [each for each in about if not isinstance(each, dict)]
            logs = logs or next((each for each in about if isinstance(each, dict)), {})
            seen.append((hook, *told, tuple(sorted(logs))))

        return note

    return k.callbacks.LambdaCallback(**{hook: noting(hook) for hook in NAMES}), seen


def test_loose_functions_are_called_as_in_keras(pair):
    called = {}
    for k in jaxseq, keras:
        callback, called[k] = noting(k)
        pair[k].fit(X, Y, batch_size=8, epochs=2, verbose=0, validation_split=0.25, callbacks=[callback])
        pair[k].evaluate(X, Y, batch_size=8, verbose=0, callbacks=[callback])
        pair[k].predict(X, batch_size=8, verbose=0, callbacks=[callback])
    assert called[jaxseq] == called[keras] and {each[0] for each in called[keras]} == set(NAMES)


def test_a_list_of_callbacks_serves_a_loop_of_ones_own_as_in_keras(pair):
    called, histories = {}, {}
    for k in jaxseq, keras:
        callback, called[k] = noting(k)
        every = k.callbacks.CallbackList([callback], add_history=True, model=pair[k], epochs=2, steps=1, verbose=0)
        every.on_train_begin()
        for epoch in range(2):
            every.on_epoch_begin(epoch)
            every.on_train_batch_begin(0)
            every.on_train_batch_end(0, {"loss": 0.5})
            every.on_epoch_end(epoch, {"loss": 0.5 / (epoch + 1)})
        every.on_train_end({"loss": 0.25})
        histories[k] = pair[k].history.history
        assert callback.model is pair[k] and callback.params == {"epochs": 2, "steps": 1, "verbose": 0}
    assert called[jaxseq] == called[keras]
    assert histories[jaxseq] == histories[keras] == {"loss": [0.5, 0.25]}


def test_lists_may_be_nested_and_a_whole_list_is_taken(pair):
    seen = []
    note = lambda word: callbacks.LambdaCallback(on_train_begin=lambda logs: seen.append(word))
    pair[jaxseq].fit(X, Y, verbose=0, callbacks=[[note(1), [note(2)]], (note(3),)])
    pair[jaxseq].fit(X, Y, verbose=0, callbacks=callbacks.CallbackList([note(4)]))
    assert seen == [1, 2, 3, 4]
    every = callbacks.CallbackList()
    every.append(note(5))
    every.on_train_begin()
    assert seen[-1] == 5


def test_what_is_no_callback_or_no_hook_is_refused(pair, refuses):
    with refuses("callbacks has 'EarlyStopping': write an instance of a subclass of jaxseq.callbacks.Callback.", TypeError):
        pair[jaxseq].fit(X, Y, verbose=0, callbacks=["EarlyStopping"])
    with refuses("CallbackList has no 'on_epoch_ends'. Did you mean 'on_epoch_end' or 'on_epoch_begin' or 'on_steps_end'?",
                 AttributeError):
        callbacks.CallbackList().on_epoch_ends(1)
    with refuses("LambdaCallback takes no argument 'on_epoch_ende'. Did you mean 'on_epoch_end' or 'on_epoch_begin' or "
                 "'on_steps_end'?", TypeError):
        callbacks.LambdaCallback(on_epoch_ende=print)


def test_batch_logs_are_averaged_by_rows_in_a_loop_of_ones_own():
    mean = callbacks.BaseLogger(stateful_metrics=["rate"])
    every = callbacks.CallbackList([mean, history := callbacks.History()])
    every.on_train_begin()
    every.on_epoch_begin(0)
    for batch, (loss, size) in enumerate([(1.0, 3), (2.0, 1)]):
        every.on_batch_end(batch, {"batch": batch, "size": size, "loss": loss, "rate": loss})
    every.on_epoch_end(0, {"val_loss": 7.0})
    assert history.history == {"val_loss": [7.0], "loss": [1.25], "rate": [2.0]}


def test_a_base_logger_changes_no_run(pair):
    plain, logged = (run(jaxseq, pair[jaxseq], callback, epochs=2) for callback in
                     (callbacks.Callback(), callbacks.BaseLogger()))
    assert plain[0][:2] == logged[0][:2]


def test_a_history_of_ones_own_is_the_one_of_the_run(pair):
    mine = callbacks.History()
    for epochs in 3, 2:
        assert pair[jaxseq].fit(X, Y, epochs=epochs, verbose=0, callbacks=[mine]) is mine is pair[jaxseq].history
        assert mine.epoch == list(range(epochs)) and len(mine.history["loss"]) == epochs


# ---- what Keras 2 gives its callbacks

class Old(callbacks.Callback):
    """Notes what it is given, in the manner of 2018."""

    def on_train_begin(self, logs=None):
        self.rows, self.losses = 0, []

    def on_batch_end(self, batch, logs=None):
        assert logs["batch"] == batch
        self.rows += logs.get("size", 0)
        self.losses.append(logs.get("loss"))

    def on_epoch_end(self, epoch, logs=None):
        self.held = self.validation_data


def test_a_callback_of_keras_2_gets_sizes_and_validation_data(pair):
    old = Old()
    pair[jaxseq].fit(X, Y[:, 0], batch_size=8, epochs=2, validation_split=0.25, verbose=0, callbacks=[old])
    assert old.rows == 18 and len(old.losses) == 4 and np.isfinite(old.losses).all()
    x, y, weight = old.held
    assert_allclose(x, X[9:])
    assert_allclose(np.ravel(y), Y[9:, 0])
    assert_allclose(weight, np.ones(3))
    assert old.params == {"epochs": 2, "steps": 2, "batch_size": 8, "samples": 9, "do_validation": True, "verbose": 0,
                          "metrics": ["loss", "mae", "val_loss", "val_mae"]}
    pair[jaxseq].fit(X, Y, validation_data=(X, Y, np.full(12, 2.0)), verbose=0, callbacks=[old])
    assert_allclose(old.held[2], np.full(12, 2.0))
    pair[jaxseq].fit(X, Y, verbose=0, callbacks=[old])
    assert old.held is None
    pair[jaxseq].fit(((X[:n], Y[:n]) for n in (8, 3)), verbose=0, callbacks=[old])
    assert old.rows == 11


@pytest.mark.parametrize(("call", "params"), [
    (lambda model, callback: model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[callback]),
     {"epochs": 1, "steps": 2, "batch_size": 8, "samples": 12, "verbose": 0}),
    (lambda model, callback: model.predict(X, batch_size=8, callbacks=[callback]),
     {"epochs": 1, "steps": 2, "batch_size": 8, "samples": 12, "verbose": 0}),
    (lambda model, callback: model.predict(((X[:n],) for n in (8, 3)), callbacks=[callback]),
     {"epochs": 1, "steps": None, "batch_size": None, "samples": None, "verbose": 0})])
def test_params_of_evaluate_and_predict(call, params, pair):
    callback = callbacks.Callback()
    call(pair[jaxseq], callback)
    assert callback.params == params and callback.model is pair[jaxseq]


def test_what_a_callback_calls_validation_data_itself_is_left_alone(pair):
    class Modern(callbacks.Callback):
        def __init__(self, validation_data):
            super().__init__()
            self.validation_data = validation_data

    own = Modern((X, Y))
    pair[jaxseq].fit(X, Y, validation_split=0.5, verbose=0, callbacks=[own])
    assert own.validation_data[0] is X and len(own.validation_data) == 2


# ---- names and arguments

ELSEWHERE = {"ModelCheckpoint", "BackupAndRestore", "OrbaxCheckpoint", "TerminateOnNaN"}
OF_KERAS_2 = {
    "BaseLogger": ["stateful_metrics"], "CSVLogger": ["filename", "separator", "append"], "Callback": [], "History": [],
    "EarlyStopping": ["monitor", "min_delta", "patience", "verbose", "mode", "baseline", "restore_best_weights"],
    "LambdaCallback": ["on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_begin", "on_train_end"],
    "LearningRateScheduler": ["schedule", "verbose"], "ProgbarLogger": ["count_mode", "stateful_metrics"], "TerminateOnNaN": [],
    "ReduceLROnPlateau": ["monitor", "factor", "patience", "verbose", "mode", "min_delta", "cooldown", "min_lr", "epsilon"],
    "RemoteMonitor": ["root", "path", "field", "headers", "send_as_json"],
    "TensorBoard": ["log_dir", "histogram_freq", "batch_size", "write_graph", "write_grads", "write_images", "embeddings_freq",
                    "embeddings_layer_names", "embeddings_metadata", "embeddings_data", "update_freq"],
}


def arguments(cls):
    """(the names of a constructor's arguments, whether it takes any other)."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    named = [each.name for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    return named, any(each.kind == each.VAR_KEYWORD for each in parameters)


def test_every_callback_of_keras_is_there_with_its_arguments():
    of_keras_3 = {name: arguments(getattr(keras.callbacks, name))[0] for name in dir(keras.callbacks)
                  if name[0].isupper() and name not in ELSEWHERE}
    assert len(of_keras_3) == 12
    missing = []
    for known in of_keras_3, OF_KERAS_2:
        for name, words in known.items():
            ours, any_other = arguments(getattr(callbacks, name))
            missing += [(name, word) for word in words if word not in ours and not any_other]
    assert missing == []
    assert {each for each in dir(keras.callbacks.Callback) if each[0] != "_"} <= set(dir(callbacks.Callback)) | {"set_model"}


@pytest.mark.every(3)
@pytest.mark.parametrize("name", sorted(OF_KERAS_2))
def test_every_callback_goes_through_fit_evaluate_and_predict_twice_and_to_another_model(name, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks.RemoteMonitor, "on_epoch_end", lambda *_: None)      # no server: see test_records.py
    needed = {"CSVLogger": [tmp_path / "log.csv"], "EarlyStopping": ["loss"], "ReduceLROnPlateau": ["loss"],
              "LearningRateScheduler": [lambda epoch: 0.125], "TensorBoard": [tmp_path]}
    callback = getattr(callbacks, name)(*needed.get(name, []))
    for model in pair[jaxseq], pair[jaxseq], linear(jaxseq):
        history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
        assert history.epoch == [0, 1] and callback.model is model
        assert len(model.evaluate(X, Y, verbose=0, callbacks=[callback])) == 2
        assert model.predict(X, callbacks=[callback]).shape == (12, 1)


# ---- monitored names

def test_the_direction_of_a_metric_is_that_of_keras():
    arguments = [{}, {"num_classes": 2}, {"num_classes": 2, "target_class_ids": [0]}, {"recall": 0.5}, {"precision": 0.5},
                 {"sensitivity": 0.5}, {"specificity": 0.5}]
    known = {}
    for cls in {each for each in vars(keras.metrics).values() if isinstance(each, type)}:
        metric = next((each for words in arguments if (each := made(cls, words)) is not None), None)
        if getattr(metric, "_direction", None) is not None:
            known[metric.name] = {"up": "max", "down": "min"}[metric._direction]
    assert len(known) > 35
    assert {name: direction(f"val_{name}", "auto") for name in known} == known
    assert direction("accuracy_1", "auto") == "max" and direction("val_mae_2", "auto") == "min"


def made(cls, words):
    try:
        return cls(**words)
    except (TypeError, ValueError):
        return None


@pytest.mark.parametrize("make", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_a_name_that_says_nothing_needs_a_mode(make, pair, refuses):
    with refuses("monitor='val_mine': is less or more of it better? Write mode='min' or mode='max'."):
        make("val_mine")
    with refuses("mode='up': write one of 'auto', 'min', 'max'."):
        make("val_mine", mode="up")
    with refuses(f"{make.__name__} monitors 'val_maee', which this run does not measure. Did you mean 'val_mae'?"
                 " Pass validation_data or validation_split to fit."):
        pair[jaxseq].fit(X, Y, verbose=0, validation_split=0.5, callbacks=[make("val_maee", mode="min")])


# ---- averages at the end of fit, and of models within


def test_the_best_weights_are_put_back_after_the_average_is_taken():
    ends = {}
    for k in jaxseq, keras:
        model = linear(k, use_ema=True, ema_momentum=0.75)
        model.set_weights([KERNEL, BIAS])
        best = k.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
        model.fit(X, Y, batch_size=4, epochs=4, shuffle=False, verbose=0, callbacks=[best])
        assert_allclose(model.get_weights()[0], best.best_weights[0], rtol=1e-6)
        ends[k] = model.get_weights()
    for a, b in zip(ends[jaxseq], ends[keras], strict=True):
        assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.every(3)
@pytest.mark.parametrize("scaled", [False, True])
def test_the_average_of_a_partly_frozen_model_within(scaled):
    base = jaxseq.Sequential([jaxseq.layers.Dense(4, input_shape=(3,)), jaxseq.layers.Dense(2)], "base")
    model = jaxseq.Sequential([base, jaxseq.layers.Dense(1)], seed=0)
    base.layers[0].trainable = False
    optimizer = jaxseq.optimizers.SGD(0.01, use_ema=True, ema_momentum=0.5)
    model.compile(jaxseq.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer, "mse")
    first, swap, seen = model.get_weights(), callbacks.SwapEMAWeights(swap_on_epoch=True), []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()))
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[swap, look], validation_data=(X, Y))
    for one, other in zip(seen[-1], model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(seen[-1][0], first[0]) and not np.array_equal(seen[-1][2], first[2])
    before = model.fingerprint()
    model.predict(X, callbacks=[swap])
    assert model.fingerprint() == before
    base.layers[0].trainable = True                     # its average begins with its weights
    model.fit(X, Y, batch_size=len(X), epochs=1, verbose=0)
    assert np.abs(model.get_weights()[0] - first[0]).max() < 0.2


def test_no_epoch_leaves_the_weights_and_the_history_keeps_no_data():
    model = linear(jaxseq, use_ema=True)
    model.set_weights([KERNEL, BIAS])
    seen = []
    look = callbacks.LambdaCallback()
    look.on_epoch_end = lambda epoch, logs: seen.append(look.validation_data is not None)
    model.fit(X, Y, epochs=0, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert np.array_equal(model.get_weights()[0], KERNEL)
    model.fit(X, Y, epochs=1, verbose=0, validation_data=(X, Y), callbacks=[look])
    assert seen == [True] and model.history.validation_data is None and look.validation_data is None
