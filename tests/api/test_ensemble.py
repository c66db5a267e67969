"""Every member of an ensemble is the model that its seed gives alone."""

from __future__ import annotations

import itertools
import os
import pickle
import signal

import numpy as np
import pytest
from shares import always

import jaxseq
from jaxseq import Sequential
from jaxseq.api import data
from jaxseq.api.ensemble import loop, passes
from jaxseq.api.ensemble.crew import Crew
from jaxseq.api.loop import Pacer
from jaxseq.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, LambdaCallback, ReduceLROnPlateau
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout

ROWS = np.random.default_rng(0)
X, Y = ROWS.standard_normal((50, 6), np.float32), ROWS.integers(0, 3, 50)
SEQUENCES = ROWS.standard_normal((48, 4, 5), np.float32)


def perceptron(seed=0, optimizer="sgd"):
    model = Sequential([Dense(8, "relu", input_shape=(6,)), Dropout(0.5), Dense(3, "softmax")], seed=seed)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def normalized(seed=0):
    model = Sequential([Dense(8, "relu", input_shape=(6,)), BatchNormalization(), Dense(3, "softmax")], seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def reader(seed=0, **words):
    model = Sequential([LSTM(4, input_shape=(4, 5), **words), Dense(3, "softmax")], seed=seed)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return model


def stateful(seed=0):
    model = Sequential([LSTM(4, batch_input_shape=(12, 4, 5), stateful=True), Dense(3, "softmax")], seed=seed)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return model


def assert_same(member, alone):
    for one, other in zip(member.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert member.fingerprint() == alone.fingerprint()


CASES = {"perceptron": (perceptron, X, Y, {"batch_size": 16}), "normalized": (normalized, X, Y, {"batch_size": 16}),
         "reader": (reader, SEQUENCES, Y[:48], {"batch_size": 16}),
         "stateful": (stateful, SEQUENCES, Y[:48], {"shuffle": False, "batch_size": 12})}


@pytest.mark.parametrize("case", always({"perceptron"}, CASES))
def test_every_member_is_the_model_of_its_seed(case):
    make, x, y, words = CASES[case]
    ensemble = jaxseq.Ensemble(make(), seeds=[3, 4, 5])
    histories = ensemble.fit(x, y, epochs=2, validation_split=0.25, verbose=0, **words)
    measured = ensemble.evaluate(x, y, batch_size=words["batch_size"])
    predicted = ensemble.predict(x[:24], batch_size=12)
    for member, seed in enumerate([3, 4, 5]):
        alone = make(seed)
        history = alone.fit(x, y, epochs=2, validation_split=0.25, verbose=0, **words)
        told = alone.evaluate(x, y, batch_size=words["batch_size"], return_dict=True, verbose=0)
        assert histories[member].history == history.history
        assert {name: values[member] for name, values in measured.items()} == told
        np.testing.assert_array_equal(predicted[member], alone.predict(x[:24], batch_size=12))
        assert_same(ensemble[member], alone)
        del histories[member].run["validation"], history.run["validation"]
        assert histories[member].run == history.run


def test_members_go_on_by_themselves_and_together():
    ensemble, alone = jaxseq.Ensemble(perceptron(optimizer="adam"), seeds=[1, 2]), perceptron(2, "adam")
    ensemble.fit(X, Y, epochs=2, verbose=0)
    ensemble[1].fit(X, Y, epochs=1, verbose=0)
    ensemble.fit(X, Y, epochs=2, verbose=0)
    for epochs in 2, 1, 2:
        alone.fit(X, Y, epochs=epochs, verbose=0)
    assert_same(ensemble[1], alone)


@pytest.mark.full
def test_weights_of_rows_and_classes():
    weight, classes = ROWS.uniform(0.5, 2, 50).astype(np.float32), {0: 1.0, 1: 2.0, 2: 0.5}
    for words in {"sample_weight": weight}, {"class_weight": classes}:
        ensemble, alone = jaxseq.Ensemble(perceptron(), seeds=[7, 8]), perceptron(8)
        ensemble.fit(X, Y, epochs=2, verbose=0, **words)
        alone.fit(X, Y, epochs=2, verbose=0, **words)
        assert_same(ensemble[1], alone)


@pytest.mark.full
def test_steps_per_epoch_go_over_the_ends_of_passes():
    ensemble, alone = jaxseq.Ensemble(perceptron(), seeds=[1, 2]), perceptron(2)
    ensemble.fit(X, Y, 16, epochs=3, steps_per_epoch=3, verbose=0)
    alone.fit(X, Y, 16, epochs=3, steps_per_epoch=3, verbose=0)
    assert_same(ensemble[1], alone)


@pytest.mark.full
@pytest.mark.parametrize("restore", [False, True])
def test_every_member_stops_by_itself(restore):
    stopping = lambda: EarlyStopping("val_loss", patience=1, restore_best_weights=restore)
    ensemble = jaxseq.Ensemble(perceptron(optimizer="adam"), seeds=range(4))
    histories = ensemble.fit(X, Y, 16, epochs=30, validation_split=0.3, callbacks=[stopping()], verbose=0)
    lengths = []
    for seed, history in enumerate(histories):
        alone = perceptron(seed, "adam")
        told = alone.fit(X, Y, 16, epochs=30, validation_split=0.3, callbacks=[stopping()], verbose=0)
        assert history.history == told.history
        assert_same(ensemble[seed], alone)
        lengths.append(len(told.epoch))
        assert ensemble.results.last["val_loss"][seed] == (min(told.history["val_loss"]) if restore
                                                           else told.history["val_loss"][-1])
    assert len(set(lengths)) > 1
    assert histories.values["loss"].shape == (4, max(lengths))
    assert np.isnan(histories.values["loss"]).sum(axis=1).tolist() == [max(lengths) - each for each in lengths]


@pytest.mark.full
def test_rates_that_callbacks_change_are_each_members_own():
    plateau = lambda: ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=0.02)
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2, 3])
    ensemble.fit(X, Y, 16, epochs=5, callbacks=plateau(), verbose=0)
    for seed, member in zip([1, 2, 3], ensemble, strict=True):
        alone = perceptron(seed)
        alone.fit(X, Y, 16, epochs=5, callbacks=plateau(), verbose=0)
        assert_same(member, alone)


def test_callbacks_of_a_function_are_each_members_own(tmp_path):
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2])
    ensemble.fit(X, Y, epochs=2, callbacks=lambda member: [CSVLogger(tmp_path / f"{member}.csv")], verbose=0)
    assert [len((tmp_path / f"{member}.csv").read_text().splitlines()) for member in (0, 1)] == [3, 3]


def test_mean_and_spread_are_over_the_members():
    ensemble = jaxseq.Ensemble(perceptron(), seeds=range(3))
    histories = ensemble.fit(X, Y, epochs=2, verbose=0)
    losses = np.array([history.history["loss"] for history in histories])
    np.testing.assert_allclose(histories.mean["loss"], losses.mean(axis=0))
    np.testing.assert_allclose(histories.spread["loss"], losses.std(axis=0))
    predicted = ensemble.predict(X)
    assert predicted.shape == (3, 50, 3)
    np.testing.assert_allclose(ensemble.predict(X, reduce="mean"), predicted.mean(axis=0), rtol=1e-6)
    assert ensemble.predict(X[:0]).shape == (3, 0, 3)
    assert "3 members, 2 epochs: loss=" in repr(histories)
    assert "<table" in histories._repr_html_()


def test_members_are_models_that_can_be_saved(tmp_path):
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2])
    assert len(ensemble) == len(list(ensemble)) == len(ensemble[:]) == 2
    ensemble.fit(X, Y, verbose=0)
    ensemble[1].save(tmp_path / "member.keras")
    loaded = jaxseq.models.load_model(tmp_path / "member.keras")
    np.testing.assert_array_equal(loaded.predict(X), ensemble.predict(X)[1])


def test_the_model_stays_as_it_is():
    model = perceptron(5)
    model.fit(X, Y, verbose=0)
    before = model.fingerprint()
    ensemble = jaxseq.Ensemble(model, seeds=[5, 6])
    ensemble.fit(X, Y, verbose=0)
    assert model.fingerprint() == before
    assert_same(ensemble[0], model)


@pytest.mark.full
def test_data_declare_the_input_of_members_that_have_none():
    def undeclared(seed=0):
        model = Sequential([Dense(4, "relu"), Dense(3, "softmax")], seed=seed)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    ensemble, alone = jaxseq.Ensemble(undeclared(), seeds=[1, 2]), undeclared(2)
    ensemble.fit(X, Y, verbose=0)
    alone.fit(X, Y, verbose=0)
    assert_same(ensemble[1], alone)


@pytest.mark.full
def test_members_with_models_within():
    def nested(seed=0):
        inner = Sequential([Dense(4, "relu", input_shape=(6,)), Dropout(0.2)])
        model = Sequential([inner, Dense(3, "softmax")], seed=seed)
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    ensemble, alone = jaxseq.Ensemble(nested(), seeds=[1, 2]), nested(2)
    ensemble.fit(X, Y, verbose=0)
    alone.fit(X, Y, verbose=0)
    assert_same(ensemble[1], alone)


@pytest.mark.full
def test_data_that_come_slab_by_slab(monkeypatch):
    monkeypatch.setattr(data, "resident_bytes", lambda: 100)
    monkeypatch.setattr(data, "STREAMED_SLAB_BYTES", 800)
    ensemble, alone = jaxseq.Ensemble(perceptron(), seeds=[1, 2]), perceptron(2)
    for model in ensemble, alone:
        model.fit(X, Y, 8, epochs=2, validation_data=(X[:20], Y[:20]), verbose=0)
    assert_same(ensemble[1], alone)


@pytest.mark.parametrize("at_once", [1, 2, 5, 7])
def test_epochs_that_share_a_call_are_those_of_single_ones(at_once, monkeypatch):
    monkeypatch.setattr(passes, "PLACES", at_once * 64)
    monkeypatch.setattr(loop, "STRETCH", 1e9)
    ensemble, alone = jaxseq.Ensemble(perceptron(), seeds=[1, 2]), perceptron(2)
    for epochs in 5, 3:
        told, single = (each.fit(X, Y, 16, epochs=epochs, verbose=0) for each in (ensemble, alone))
        assert told[1].history == single.history and told[1].epoch == single.epoch
    assert_same(ensemble[1], alone)


@pytest.mark.parametrize(("asked", "steps", "epochs"), [(1, 0, 0), (2, 4, 1), (3, 4, 1), (4, 10, 2), (5, 16, 4), (9, 20, 5)])
def test_epochs_that_are_broken_off_give_the_whole_ones(asked, steps, epochs, monkeypatch):
    monkeypatch.setattr(Pacer, "steps", lambda pacer, size: 6)
    monkeypatch.setattr(loop, "STRETCH", 1e9)          # the first epoch by itself, then all that are left
    monkeypatch.setattr(Crew, "broken_off", lambda self: next(looked) >= asked)
    ensemble, looked = jaxseq.Ensemble(perceptron(), seeds=[1]), itertools.count(1)
    histories = ensemble.fit(X, Y, 16, epochs=5, verbose=0)
    assert int(ensemble[0].train_state.step) == steps and len(histories[0].epoch) == epochs


def test_an_error_as_training_begins_is_told():
    def begin(logs):
        raise OSError("no place left")

    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2])
    with pytest.raises(OSError, match="no place left"):
        ensemble.fit(X, Y, callbacks=[LambdaCallback(on_train_begin=begin), EarlyStopping("loss")], verbose=0)
    assert [each.epoch for each in ensemble.history] == [[], []]


@pytest.mark.usefixtures("ctrl_c")
def test_what_an_interruption_leaves_is_in_the_history(monkeypatch):
    def order(feed, words, step):
        if next(passes_made) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        return usual(feed, words, step)

    usual, passes_made = data.Resident.order, itertools.count()
    monkeypatch.setattr(data.Resident, "order", order)
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2, 3])
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(X, Y, 16, epochs=10_000, verbose=0)
    steps = [int(member.train_state.step) for member in ensemble]
    assert [len(each.epoch) for each in ensemble.history] == [step // 4 for step in steps] and 0 < max(steps) < 10_000


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_leaves_every_member_at_a_whole_step():
    def interrupt(epoch, logs):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2, 3])
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(X, Y, 16, epochs=500, callbacks=LambdaCallback(on_epoch_end=interrupt), verbose=0)
    steps = [int(member.train_state.step) for member in ensemble]
    assert 8 <= max(steps) < 60
    farthest = int(np.argmax(steps))
    alone = perceptron(farthest + 1)
    alone.fit(X, Y, 16, steps_per_epoch=steps[farthest], verbose=0)
    assert_same(ensemble[farthest], alone)
    ensemble.fit(X, Y, 16, epochs=1, verbose=0)


def test_a_mean_of_half_precision_does_not_overflow():
    model = Sequential([Dense(1, bias_initializer=jaxseq.initializers.Constant(60000.0), dtype="float16", input_shape=(6,))])
    model.compile("sgd", "mse")
    found = jaxseq.Ensemble(model, seeds=range(4)).predict(np.zeros((2, 6), np.float16), reduce="mean")
    assert found.dtype == np.float16 and (found == 60000).all()


def test_a_copy_goes_on_by_itself():
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2])
    ensemble.fit(X, Y, verbose=0)
    other = pickle.loads(pickle.dumps(ensemble))
    for each in ensemble, other:
        each.fit(X, Y, verbose=0)
    assert_same(other[1], ensemble[1])
    assert other.history.mean["loss"] == ensemble.history.mean["loss"]


def test_many_members():
    small = Sequential([Dense(1, input_shape=(6,))])
    small.compile("sgd", "mse")
    ensemble = jaxseq.Ensemble(small, seeds=range(150))
    ensemble.fit(X, Y, 50, verbose=0)
    assert ensemble.predict(X).shape == (150, 50, 1)


@pytest.mark.full
def test_a_member_that_is_frozen_later_is_trained_so():
    ensemble, alone = jaxseq.Ensemble(perceptron(), seeds=[1, 2]), perceptron(2)
    for words in {}, {"frozen": True}:
        for model in ensemble[1], alone:
            model.layers[0].trainable = not words
        ensemble.fit(X, Y, verbose=0)
        alone.fit(X, Y, verbose=0)
    assert_same(ensemble[1], alone)


def test_one_program_serves_all_members():
    ensemble = jaxseq.Ensemble(perceptron(), seeds=range(3))
    ensemble.fit(X, Y, verbose=0)
    assert len({id(member.programs.train) for member in ensemble}) == 1


def test_lines(capsys):
    jaxseq.Ensemble(perceptron(), seeds=[1, 2]).fit(X, Y, epochs=2, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("2 of 2 members - loss: " in line and " ± " in line for line in lines)


def eager():
    model = perceptron()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model


class Counting(Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise AssertionError


@pytest.mark.parametrize(("error", "message", "call"), [
    (TypeError, "pass a compiled Sequential", lambda: jaxseq.Ensemble([perceptron()], seeds=[0])),
    (RuntimeError, "needs a compiled model", lambda: jaxseq.Ensemble(Sequential([Dense(1)]), seeds=[0])),
    (TypeError, r"seeds=range\(16\)", lambda: jaxseq.Ensemble(perceptron(), seeds=16)),
    (ValueError, "seeds is empty", lambda: jaxseq.Ensemble(perceptron(), seeds=[])),
    (ValueError, "whole number from 0", lambda: jaxseq.Ensemble(perceptron(), seeds=[-1])),
    (ValueError, "reduce='median'", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).predict(X, reduce="median")),
    (ValueError, "Compile it without", lambda: jaxseq.Ensemble(eager(), seeds=[0])),
    (ValueError, "50 rows", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).fit(X, Y[:-1])),
    (TypeError, "pass arrays", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).fit(iter([(X, Y)]))),
    (ValueError, "Counting has on_train_batch_end", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).fit(
        X, Y, callbacks=[Counting()])),
    (ValueError, "BackupAndRestore has", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).fit(
        X, Y, callbacks=BackupAndRestore("never"))),
    (TypeError, "Did you mean 'epochs'", lambda: jaxseq.Ensemble(perceptron(), seeds=[0]).fit(X, Y, epoch=2)),
])
def test_bad_input_is_told_before_the_first_step(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_an_error_in_a_callback_leaves_its_member_at_the_epoch_and_the_others_at_a_whole_step():
    def explode(epoch, logs):
        raise KeyError("mine")

    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1, 2])
    with pytest.raises(KeyError, match="mine"):
        ensemble.fit(X, Y, batch_size=16, epochs=3, verbose=0,
                     callbacks=lambda number: [LambdaCallback(on_epoch_end=explode)] if number else [])
    other, failed = (int(member.train_state.step) for member in ensemble)
    assert failed == 4
    assert_same(ensemble[1], after(4, 2))
    assert_same(ensemble[0], after(other, 1))


def after(steps, seed):
    """The perceptron that a seed gives alone, after so many steps of training."""
    alone = perceptron(seed)
    if steps:
        alone.fit(X, Y, batch_size=16, epochs=1, steps_per_epoch=steps, verbose=0)
    return alone
