"""No two members write the same file."""

from __future__ import annotations

import numpy as np
import pytest

import jaxseq
from jaxseq import Sequential
from jaxseq.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, ModelCheckpoint, TensorBoard
from jaxseq.layers import Dense

X, Y = np.eye(8, dtype=np.float32), np.arange(8, dtype=np.float32)


def ensemble(members=2):
    model = Sequential([Dense(1, input_shape=(8,))])
    model.compile("sgd", "mse")
    return jaxseq.Ensemble(model, seeds=range(members))


class Diary(Callback):
    """A user's own, which writes."""

    def __init__(self, path):
        super().__init__()
        self.writes_to = path

    def on_epoch_end(self, epoch, logs=None):
        with open(self.writes_to, "a") as file:
            file.write(f"{epoch}\n")


WRITERS = {"CSVLogger": (CSVLogger, "log.csv"), "ModelCheckpoint": (ModelCheckpoint, "model-{epoch}.keras"),
           "Diary": (Diary, "diary.txt")}


@pytest.mark.parametrize("name", WRITERS)
def test_one_that_writes_is_refused_where_all_members_have_it(name, tmp_path):
    kind, path = WRITERS[name]
    together = ensemble()
    before = [member.fingerprint() for member in together]
    with pytest.raises(ValueError, match=rf"The {name} of the members 0 and 1 .*callbacks=lambda member: \[{name}\("):
        together.fit(X, Y, callbacks=[EarlyStopping("loss"), kind(str(tmp_path / path))], verbose=0)
    assert not list(tmp_path.iterdir()) and [member.fingerprint() for member in together] == before


def test_so_are_two_of_a_function_with_one_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = ["a.csv", str(tmp_path / "b.csv"), "b.csv"]
    with pytest.raises(ValueError, match="CSVLogger of the members 1 and 2 would write the same 'b.csv'"):
        ensemble(3).fit(X, Y, callbacks=lambda member: CSVLogger(paths[member]), verbose=0)


def test_each_with_its_own_writes_it(tmp_path):
    own = lambda member: [Diary(tmp_path / f"{member}.txt"), ModelCheckpoint(tmp_path / f"{member}-{{epoch}}.keras")]
    ensemble().fit(X, Y, epochs=2, callbacks=own, verbose=0)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0-1.keras", "0-2.keras", "0.txt", "1-1.keras", "1-2.keras",
                                                               "1.txt"]


def test_a_single_member_has_nobody_to_share_with(tmp_path):
    ensemble(1).fit(X, Y, callbacks=[CSVLogger(tmp_path / "log.csv")], verbose=0)
    assert (tmp_path / "log.csv").exists()


def test_what_a_callback_writes_to(tmp_path):
    assert BackupAndRestore(tmp_path / "run").writes_to == tmp_path / "run"
    assert TensorBoard(tmp_path / "logs").writes_to == tmp_path / "logs"
    assert EarlyStopping().writes_to is None
