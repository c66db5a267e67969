"""What is told of an ensemble's numbers says of which members, and of which of their epochs."""

from __future__ import annotations

import math

import numpy as np
import pytest

import jaxseq
from jaxseq import Sequential
from jaxseq.api.ensemble.histories import Histories
from jaxseq.api.ensemble.results import Results
from jaxseq.api.history import History
from jaxseq.callbacks import EarlyStopping
from jaxseq.layers import Dense, Dropout

ROWS = np.random.default_rng(0)
X, Y = ROWS.standard_normal((50, 6), np.float32), ROWS.integers(0, 3, 50)


def perceptron(seed=0):
    model = Sequential([Dense(8, "relu", input_shape=(6,)), Dropout(0.5), Dense(3, "softmax")], seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def history(**measured):
    """A History of these numbers."""
    made = History()
    for epoch, values in enumerate(zip(*measured.values(), strict=True)):
        made.on_epoch_end(epoch, dict(zip(measured, values, strict=True)))
    return made


@pytest.mark.parametrize("restore", [False, True])
def test_the_text_has_the_numbers_of_every_members_own_last_or_best_epoch(restore):
    ensemble = jaxseq.Ensemble(perceptron(), seeds=range(4))
    stopping = EarlyStopping("val_loss", patience=1, restore_best_weights=restore)
    histories = ensemble.fit(X, Y, 16, epochs=30, validation_split=0.3, callbacks=[stopping], verbose=0)
    lengths = [len(each.epoch) for each in histories]
    ended = [int(np.argmin(each.history["val_loss"])) if restore else -1 for each in histories]
    for name in histories.names:
        values = np.array([each.history[name][epoch] for each, epoch in zip(histories, ended, strict=True)])
        np.testing.assert_array_equal(histories.last[name], values)
        np.testing.assert_array_equal(ensemble.results.last[name], values)
        assert f" {name}={values.mean():.4g} ± {values.std():.2g}" in repr(histories)
        assert f"<td>{values.mean():.4g} ± {values.std():.2g}</td>" in _plain(histories._repr_html_())
    assert repr(histories).startswith(f"<Histories of 4 members, {min(lengths)} to {max(lengths)} epochs: loss=")


def test_the_best_mean_is_one_of_all_members():
    survivors = Histories([history(val_loss=[0.9, 0.8]), history(val_loss=[0.9, 0.6, 0.5, 0.1])])
    assert "<td>0.7</td><td>2</td>" in _plain(survivors._repr_html_())


def test_where_one_member_is_left_there_is_no_spread():
    histories = Histories([history(loss=[1.0, 0.5]), history(loss=[3.0, 1.5, 0.25])])
    np.testing.assert_array_equal(histories.mean["loss"], [2.0, 1.0, 0.25])
    np.testing.assert_array_equal(histories.spread["loss"], [1.0, 0.5, math.nan])
    assert repr(histories) == "<Histories of 2 members, 2 to 3 epochs: loss=0.375 ± 0.12>"


def test_an_ensemble_of_one_has_no_spread(capsys):
    ensemble = jaxseq.Ensemble(perceptron(), seeds=[1])
    histories = ensemble.fit(X, Y, epochs=1, verbose=1)
    line = capsys.readouterr().out
    loss, accuracy = histories[0].history["loss"][0], histories[0].history["accuracy"][0]
    assert repr(histories) == f"<Histories of 1 member, 1 epoch: loss={loss:.4g}, accuracy={accuracy:.4g}>"
    assert "1 of 1 member - loss: " in line
    assert repr(ensemble).startswith("<Ensemble of 1 member of ")
    for told in line, str(ensemble.results), histories._repr_html_(), ensemble.results._repr_html_():
        assert "±" not in told and "nan" not in told
    assert math.isnan(ensemble.results.rows[0].spread["loss"])


def test_a_member_that_was_lost_is_not_left_out():
    """NaN that was measured is no NaN of an epoch that was not made."""
    histories = Histories([history(loss=[1.0, math.nan]), history(loss=[2.0, 1.0])])
    np.testing.assert_array_equal(histories.mean["loss"], [1.5, math.nan])
    np.testing.assert_array_equal(histories.last["loss"], [math.nan, 1.0])
    results = Results([{}, {}], [0, 1], histories.last)
    assert results.best("loss") == 1 and math.isnan(results.rows[0].mean["loss"])


def test_what_was_never_measured_is_nan():
    histories = Histories([history(loss=[1.0], val_loss=[2.0]), history(loss=[2.0])])
    np.testing.assert_array_equal(histories.last["val_loss"], [2.0, math.nan])
    assert repr(Histories([])) == "<Histories of 0 members, 0 epochs>"


def _plain(markup):
    """Without styles."""
    import re

    return re.sub(r"<(\w+) [^>]*>", r"<\1>", str(markup))
