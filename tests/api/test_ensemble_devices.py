"""On devices other than one processor the members of a kind run side by side in one program, spread over all devices."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import jaxseq
from jaxseq import Sequential
from jaxseq.api import data
from jaxseq.api.ensemble import crew, ensemble, passes
from jaxseq.callbacks import EarlyStopping
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout
from jaxseq.optimizers import Adam

ROWS = np.random.default_rng(0)
X, Y = ROWS.standard_normal((50, 6), np.float32), ROWS.integers(0, 3, 50)


def perceptron(seed=0, rate=0.5):
    layers = [Dense(8, "relu", input_shape=(6,)), Dropout(rate), BatchNormalization(), Dense(3, "softmax")]
    model = Sequential(layers, seed=seed)
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def stateful(seed=0):
    model = Sequential([LSTM(4, batch_input_shape=(10, 3, 2), stateful=True), Dense(3, "softmax")], seed=seed)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def side_by_side(monkeypatch):
    """As on a device that is no processor."""
    monkeypatch.setattr(ensemble, "units_of", side_by_side_on(jax.devices()[:1]))


def side_by_side_on(devices):
    return lambda kinds: [unit for kind in kinds for unit in crew.side_by_side(kind, len(kind.members), devices)]


def assert_close(member, alone):
    for one, other in zip(member.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


@pytest.mark.usefixtures("side_by_side")
def test_members_side_by_side_are_those_of_their_seeds():
    stopping = lambda: EarlyStopping("val_loss", patience=0)
    together = jaxseq.Ensemble(perceptron(), seeds=range(3))
    words = {"epochs": 8, "validation_split": 0.3, "verbose": 0}
    histories = together.fit(X, Y, 16, callbacks=stopping(), **words)
    lengths, predicted = set(), together.predict(X[:7])
    for seed, member in enumerate(together):
        alone = perceptron(seed)
        history = alone.fit(X, Y, 16, callbacks=stopping(), **words)
        for name in history.history:
            np.testing.assert_allclose(histories[seed].history[name], history.history[name], atol=1e-5)
        np.testing.assert_allclose(predicted[seed], alone.predict(X[:7]), atol=1e-6)
        assert_close(member, alone)
        lengths.add(len(history.epoch))
    assert len(lengths) > 1


@pytest.mark.every(2)
@pytest.mark.parametrize("devices", [1, 2])
def test_epochs_that_share_a_call(devices, monkeypatch):
    def small(seed):
        model = Sequential([Dense(8, "relu", input_shape=(6,)), Dropout(0.5), Dense(3, "softmax")], seed=seed)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    monkeypatch.setattr(ensemble, "units_of", side_by_side_on(jax.devices()[:devices]))
    monkeypatch.setattr(passes, "PLACES", 2 * 64)                   # two epochs in a call
    together = jaxseq.Ensemble(small(0), seeds=range(3))
    histories = together.fit(X, Y, 16, epochs=6, verbose=0)
    for seed, member in enumerate(together):
        alone = small(seed)
        history = alone.fit(X, Y, 16, epochs=6, verbose=0)
        for name in history.history:
            np.testing.assert_allclose(histories[seed].history[name], history.history[name], atol=1e-5)
        assert_close(member, alone)


@pytest.mark.full
@pytest.mark.usefixtures("side_by_side")
def test_settings_side_by_side():
    sweep = jaxseq.Ensemble(perceptron(), sweep={"Dropout.rate": [0.1, 0.3], "beta_2": [0.99]})
    sweep.fit(X, Y, 16, epochs=3, verbose=0)
    assert len(sweep._units["fit"][1]) == 1
    for member in sweep:
        alone = perceptron(0, member.layers[1].rate)
        alone.compile(Adam(0.01, beta_2=member.optimizer.beta_2), "sparse_categorical_crossentropy", metrics=["accuracy"])
        alone.fit(X, Y, 16, epochs=3, verbose=0)
        assert_close(member, alone)


@pytest.mark.full
@pytest.mark.usefixtures("side_by_side")
def test_states_that_are_carried_side_by_side():
    together, alone, x = jaxseq.Ensemble(stateful(), seeds=[1, 2]), stateful(2), X.reshape(50, 3, 2)
    for model in together, alone:
        model.fit(x, Y, 10, epochs=2, shuffle=False, verbose=0)
    measured = together.evaluate(x, Y, 10)["loss"][1], alone.evaluate(x, Y, 10, verbose=0)
    np.testing.assert_allclose(*measured, atol=1e-6)
    assert_close(together[1], alone)
    np.testing.assert_allclose(together[1].layers[0].states["h"], alone.layers[0].states["h"], atol=1e-6)


@pytest.mark.full
@pytest.mark.usefixtures("side_by_side")
def test_large_data_lie_on_the_device_as_a_whole(monkeypatch):
    monkeypatch.setattr(data, "resident_bytes", lambda: 100)
    together, alone = jaxseq.Ensemble(perceptron(), seeds=[1, 2]), perceptron(2)
    for model in together, alone:
        model.fit(X, Y, 16, epochs=2, verbose=0)
    assert_close(together[1], alone)


@pytest.mark.full
def test_members_are_spread_over_eight_devices(monkeypatch):
    monkeypatch.setattr(ensemble, "units_of", side_by_side_on(jax.devices()))
    together = jaxseq.Ensemble(perceptron(), seeds=range(11))
    together.fit(X, Y, 16, epochs=2, validation_split=0.2, verbose=0)
    state, = {unit._held[1].step.sharding for unit in together._units["fit"][1]}
    assert len(state.device_set) == 8 and not state.is_fully_replicated, state
    assert {member.train_state.step.sharding.num_devices for member in together} == {1}
    for seed in 0, 10:
        alone = perceptron(seed)
        alone.fit(X, Y, 16, epochs=2, validation_split=0.2, verbose=0)
        assert_close(together[seed], alone)
        np.testing.assert_allclose(together.predict(X)[seed], alone.predict(X), atol=1e-6)
        np.testing.assert_allclose(together.evaluate(X, Y)["loss"][seed], alone.evaluate(X, Y, verbose=0)[0], atol=1e-6)
        together[seed].fit(X, Y, 16, verbose=0)
