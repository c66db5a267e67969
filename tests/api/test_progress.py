"""What a run shows: a bar that leaves one whole line per epoch, or the lines alone."""

import functools
import os
import struct
import sys

import keras
import numpy as np
import pytest

from jaxseq.api import progress
from jaxseq.layers import Dense
from jaxseq.models import Sequential
from jaxseq.utils import Progbar

X, Y = np.ones((40, 3)), np.ones((40, 1))


@pytest.fixture
def model():
    model = Sequential([Dense(1, input_shape=(3,))], seed=0)
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def shown(capsys):
    """The lines that are left on the screen: what a carriage return has overwritten is gone."""
    return [line.rsplit("\r", 1)[-1].strip() for line in capsys.readouterr().out.split("\n") if line.strip()]


@pytest.mark.parametrize("watched", [False, True])
def test_every_epoch_leaves_one_line_with_all_measures(watched, model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    model.fit(X, Y, epochs=2, validation_split=0.2)
    lines = shown(capsys)
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert all(name in line for line in lines for name in (" loss: ", " mae: ", " val_loss: ", " val_mae: "))


@pytest.mark.parametrize("watched", [False, True])
def test_evaluate_and_predict_leave_one_line_each(watched, model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    model.evaluate(X, Y)
    model.predict(X, verbose=1)
    evaluated, predicted = shown(capsys)
    assert evaluated.startswith("2 steps - ") and " loss: " in evaluated and predicted.startswith("2 steps - ")


def test_a_run_that_breaks_off_takes_its_bar_along(model, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: True)
    bars = []
    opened = progress.ProgbarLogger._open
    monkeypatch.setattr(progress.ProgbarLogger, "_open", lambda self, title: (opened(self, title), bars.append(self._bar.tqdm)))

    class Stop(progress.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, Y, callbacks=[Stop()])
    assert len(bars) == 1 and bars[0].disable                   # tqdm's mark of a closed bar


def test_verbose_0_shows_nothing_and_others_are_refused(model, capsys):
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="verbose=3: write one of 'auto', 0, 1, 2."):
        model.fit(X, Y, verbose=3)


def test_a_bar_of_the_users_own_takes_the_place_of_the_usual_one(model, capsys):
    class Tell(progress.Callback):
        def on_epoch_end(self, epoch, logs=None):
            print("told")

    model.fit(X, Y, callbacks=[Tell(), progress.ProgbarLogger()])
    assert [line.split(" - ")[0] for line in shown(capsys)] == ["told", "Epoch 1/1"]
    model.fit(X, Y, callbacks=[Tell()])
    assert [line.split(" - ")[0] for line in shown(capsys)] == ["Epoch 1/1", "told"]
    model.fit(X, Y, callbacks=[progress.ProgbarLogger()], verbose=0)
    assert shown(capsys) == []


@pytest.mark.parametrize(("mode", "ends"), [("steps", ["0/2", "1/2"]), ("samples", ["0/40", "32/40"])])
def test_the_bar_counts_steps_or_samples(mode, ends, model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: True)
    monkeypatch.setattr(progress, "_Bar", functools.partial(progress._Bar, interval=0.0))       # so that every step is drawn
    model.fit(X, Y, callbacks=[progress.ProgbarLogger(mode), progress.Callback()])
    assert [word for word in capsys.readouterr().out.split() if "/" in word and word != "1/1"][:2] == ends[:1] + ends[1:]
    with pytest.raises(ValueError, match="count_mode='rows': write one of 'steps', 'samples'."):
        progress.ProgbarLogger("rows")


@pytest.mark.parametrize("watched", [False, True])
def test_data_of_unknown_length_are_counted(watched, model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    stream = lambda: ((X[:8], Y[:8]) for _ in range(3))
    model.fit(stream())
    model.evaluate(stream())
    model.predict(stream(), verbose=1)
    out = capsys.readouterr().out
    lines = [line.rsplit("\r", 1)[-1].strip().split(" - ")[0] for line in out.split("\n") if line.strip()]
    assert lines == ["Epoch 1/1", "3 steps", "3 steps"]
    assert ("Epoch 1/1 0 steps" in out) == watched and "None" not in out


@pytest.mark.parametrize(("verbose", "watched", "bars"), [
    (1, True, True), (True, True, True), ("auto", True, True), (2, True, False), (1, False, False), (0, True, None),
    (False, True, None)])
def test_verbose_chooses_between_bar_line_and_nothing(verbose, watched, bars, model, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    model.fit(X, Y, verbose=verbose)
    out = capsys.readouterr().out
    assert ("\r" in out) == bool(bars) and (out == "") == (bars is None)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo-terminals here")
def test_in_a_narrow_terminal_the_bar_is_cut_and_the_line_is_whole(model, monkeypatch):
    import fcntl
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        model.fit(X, Y, validation_split=0.2, callbacks=[progress.Callback()])
        terminal.flush()
        told = b""
        while not told.endswith(b"\n"):             # a terminal hands on what was written piece by piece
            told += os.read(ours, 65536)
    *bars, line = told.decode().strip().split("\r")
    os.close(ours)
    assert len(bars) >= 2 and all(len(bar) <= 40 for bar in bars) and "Epoch 1/1" in bars[0] + bars[1]
    assert line.startswith("Epoch 1/1 - ") and " val_mae: " in line


# ---- Progbar

@pytest.mark.parametrize("watched", [False, True])
def test_a_bar_of_ones_own_shows_means_as_in_keras(watched, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    bar = Progbar(6, stateful_metrics=["rate"], unit_name="row")
    bar.update(2, [("loss", 1.0), ("rate", 0.1)])
    bar.add(1, [("loss", 4.0), ("rate", 0.2)])
    bar.add(3, [("loss", 6.0), ("rate", 0.3)])
    lines = shown(capsys)
    assert len(lines) == 1 and lines[0].startswith("6/6 - ") and lines[0].endswith("/row - loss: 4.0000 - rate: 0.3000")

    other = keras.utils.Progbar(6, stateful_metrics=["rate"])
    for current, loss, rate in (2, 1.0, 0.1), (3, 4.0, 0.2):
        other.update(current, [("loss", loss), ("rate", rate)])
    other.update(5, [("loss", 6.0)], finalize=False)
    bar = Progbar(6)
    bar.update(2, [("loss", 1.0)])
    bar.update(3, [("loss", 4.0)])
    bar.update(5, [("loss", 6.0)])
    assert other._values["loss"] == list(bar._sums["loss"]) == [18.0, 5]


def test_a_bar_without_a_target_ends_when_it_is_told(capsys):
    bar = Progbar(None)
    for _ in range(3):
        bar.add(1, [("loss", 1.0)])
    assert capsys.readouterr().out == ""
    bar.update(3, finalize=True)
    assert capsys.readouterr().out.startswith("3 - ")


def test_a_bar_may_be_silent_and_choose_what_it_averages(capsys):
    Progbar(1, verbose=0).add(1, [("loss", 1.0)])
    assert capsys.readouterr().out == ""
    bar = Progbar(2, verbose=2, stateless_metrics=["loss"])
    bar.add(1, [("loss", 1.0), ("rate", 1.0)])
    bar.add(1, [("loss", 3.0), ("rate", 3.0)])
    assert capsys.readouterr().out.strip().endswith("loss: 2.0000 - rate: 3.0000")
    with pytest.raises(ValueError, match="stateless_metrics alone are averaged: write one of them"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])


def test_numbers_are_readable_at_any_size():
    assert progress.formatted({"loss": 0.25, "tiny": 1e-5, "huge": 1e7}) == "loss: 0.2500 - tiny: 1.0000e-05 - huge: 1.0000e+07"
