"""What a checkpoint may hold, and that a model is as it was where one is refused."""

import json

import numpy as np
import pytest
from reliability.zoo_checkpoints import ARRAYS, MANIFEST, only, signed

from jaxseq.callbacks import BackupAndRestore, Callback, History
from jaxseq.layers import Dense
from jaxseq.models import FileRejected, Sequential

X, Y = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)


class Diary(Callback):
    """Keeps much text, and many numbers."""

    def __init__(self):
        super().__init__()
        self.text, self.numbers, self.seen = "", [], []

    def on_epoch_end(self, epoch, logs=None):
        self.text += "x" * 1_500_000
        self.numbers += range(200_000)
        self.seen.append(len(self.text))


class Own(Callback):
    """Says what it keeps in words of its own, which are no attributes."""

    def __init__(self):
        super().__init__()
        self.best = None

    def on_epoch_end(self, epoch, logs=None):
        self.best = np.arange(epoch + 1)

    def state_dict(self):
        return {"model": self.best, "on_epoch_end": 0 if self.best is None else 3}

    def load_state_dict(self, state):
        assert state["on_epoch_end"] == 3
        self.best = state["model"]


def model(seed=0):
    made = Sequential([Dense(4, input_shape=(3,), name="first"), Dense(1, name="last")], seed=seed)
    made.compile("sgd", "mse")
    return made


def fit(made, where, watcher, epochs=3):
    keep = BackupAndRestore(where, delete_checkpoint=False, keep=1)
    return made.fit(X, Y, epochs=epochs, verbose=0, callbacks=[watcher, keep])


@pytest.mark.every(3)
@pytest.mark.parametrize("kind", [Diary, Own])
def test_what_a_callback_keeps_comes_back(tmp_path, kind):
    first, again = kind(), kind()
    fit(model(), tmp_path, first)
    fit(model(), tmp_path, again)
    for name, value in vars(first).items():
        if name not in ("model", "params", "validation_data"):
            np.testing.assert_equal(vars(again)[name], value)


def test_a_refused_checkpoint_leaves_seed_and_frozen_layers(tmp_path):
    fit(model(), tmp_path, Diary())
    held = only(tmp_path)
    told = json.loads((held / MANIFEST).read_bytes())
    told["frozen"], told["seed"] = ["first"], 99
    told["callbacks"][0]["values"] = {"text": {"tuple": 3}}
    (held / MANIFEST).write_bytes(signed(told, (held / ARRAYS).read_bytes()))
    made = model(seed=5)
    made.build()
    before = made.fingerprint()
    with pytest.raises(FileRejected, match="'tuple' is no kind of value"):
        fit(made, tmp_path, Diary())
    assert (made.fingerprint(), made.seed, made.frozen_paths) == (before, 5, frozenset())


@pytest.mark.parametrize(("what", "logs", "history"), [("logs", [[0.5, 1]], []), ("History", [], [[0.5, [1]]])])
def test_what_was_logged_has_a_name_that_is_text(tmp_path, what, logs, history):
    fit(model(), tmp_path, History())
    held = only(tmp_path)
    told = json.loads((held / MANIFEST).read_bytes())
    told["logs"]["dict"] += logs
    told["callbacks"][0]["values"]["history"]["dict"] += history
    (held / MANIFEST).write_bytes(signed(told, (held / ARRAYS).read_bytes()))
    with pytest.raises(FileRejected, match=rf"it does not hold what a checkpoint holds: {what}"):
        fit(model(), tmp_path, History())


def test_a_history_may_be_a_link_and_holds_what_it_held(tmp_path):
    history = model().fit(X, Y, epochs=2, verbose=0)
    history.history["note"] = ["warm", "cold"]
    history.history["loss"][1] = float("nan")
    history.save(tmp_path / "run.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "run.json")
    again = History.load(tmp_path / "link.json")
    np.testing.assert_equal(again.history, history.history)
