"""How often fit compiles: one training program for all numbers of steps, and one more only where a batch cannot be padded."""

import copy

import numpy as np
import pytest

from jaxseq.api import loop
from jaxseq.callbacks import Callback, EarlyStopping, LambdaCallback
from jaxseq.layers import BatchNormalization, Dense, Dropout
from jaxseq.models import Sequential


class Steps(Callback):
    """Remembers how many steps each dispatch made."""

    def on_epoch_begin(self, epoch, logs=None):
        self.done = 0

    def on_train_begin(self, logs=None):
        self.counts = []

    def on_steps_end(self, done, logs=None):
        self.counts.append(done - self.done)
        self.done = done


def mlp(*more):
    model = Sequential([Dense(16, activation="relu", input_shape=(8,)), *more, Dropout(0.5), Dense(1)], seed=0)
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.every(4)
@pytest.mark.parametrize(("rows", "more", "programs"), [
    (320, (), 1), (330, (), 1), (320, (BatchNormalization(),), 1), (330, (BatchNormalization(),), 2)])
def test_a_fit_compiles_its_training_program_once_and_once_more_for_a_ragged_batch_that_cannot_be_padded(
        rows, more, programs, monkeypatch):
    model, steps, generator = mlp(*map(copy.copy, more)), Steps(), np.random.default_rng(0)
    x, y = generator.random((rows, 8)), generator.random((rows, 1))
    paces = iter(range(1, 10**6))
    monkeypatch.setattr(loop.Pacer, "steps", lambda self, size: 1 if self.single else next(paces) % 4 + 1)
    fit = dict(batch_size=32, verbose=0, validation_data=(x[:64], y[:64]))
    model.fit(x, y, epochs=4, callbacks=[steps, EarlyStopping(patience=9)], **fit)
    assert len(set(steps.counts)) > 1
    assert model.programs.train._cache_size() == programs

    one_by_one = LambdaCallback(on_batch_end=lambda batch, logs: model.set_weights(model.get_weights()))
    model.fit(x, y, epochs=2, callbacks=[one_by_one], **fit)
    model.evaluate(x[:64], y[:64], verbose=0)
    assert model.programs.train._cache_size() == programs
    assert model.programs.evaluate._cache_size() == 1
