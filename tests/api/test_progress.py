"""What a run shows: a bar that leaves one whole line per epoch, or the lines alone."""

import numpy as np
import pytest

from jaxseq.api import progress
from jaxseq.layers import Dense
from jaxseq.models import Sequential

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
    opened = progress.Bar._open
    monkeypatch.setattr(progress.Bar, "_open", lambda self, title: (opened(self, title), bars.append(self._bar)))

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


def test_numbers_are_readable_at_any_size():
    assert progress.formatted({"loss": 0.25, "tiny": 1e-5, "huge": 1e7}) == "loss: 0.2500 - tiny: 1.0000e-05 - huge: 1.0000e+07"
