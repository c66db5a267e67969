"""Layers have their names in programs and in traces, forward and backward."""

import re
from contextlib import nullcontext

import jax
import numpy as np
import pytest

from jaxseq.callbacks import Callback
from jaxseq.core.types import Batch
from jaxseq.layers import LSTM, Conv1D, Dense
from jaxseq.models import Sequential

NAMES = "my_conv", "my_lstm", "my_dense", "my_head"
X = np.random.default_rng(0).normal(size=(16, 12, 4)).astype("float32")
Y = X[:, 0, :3]


def compiled():
    head = Sequential([Dense(4, "relu", name="my_dense"), Dense(3, name="my_head")], name="my_top")
    model = Sequential([Conv1D(8, 3, input_shape=(12, 4), name="my_conv"), LSTM(16, name="my_lstm"), head], seed=1)
    model.compile("adam", "mse")
    return model


class Breaking(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        raise FileNotFoundError


def scopes(program, *arguments):
    return set(re.findall(r'op_name="([^"]*)"', program.lower(*arguments).compile().as_text()))


def test_every_operation_of_a_layer_carries_its_name():
    model = compiled()
    programs, ts = model.programs, model.settled_state()
    batch, rows = Batch(X, Y), np.zeros((1, 8), np.int32)
    train = scopes(programs.train, ts, programs.zero, batch, rows, 0, 1)
    evaluate = scopes(programs.evaluate, ts.params, ts.state, programs.zero, batch, rows, 0, 1)
    predict = scopes(model.predict_program, ts.params, ts.state, X)
    for name in NAMES:
        mine = [each for each in train if each.startswith("jit(train)/") and name in re.split(r"[/()]", each)]
        forward = [each for each in mine if "transpose(jvp(" not in each]
        assert forward and len(mine) > len(forward), name
        assert all(any(f"/{name}/" in each for each in found) for found in (evaluate, predict)), name
    assert any("my_top/my_dense" in each for each in predict)


def test_names_are_no_operations(monkeypatch):
    texts = []
    for scope in (jax.named_scope, lambda name: nullcontext()):
        monkeypatch.setattr(jax, "named_scope", scope)
        model = compiled()
        programs, ts = model.programs, model.settled_state()
        lowered = programs.train.lower(ts, programs.zero, Batch(X, Y), np.zeros((1, 8), np.int32), 0, 1)
        texts.append(lowered.as_text())                 # without what is not computed
    assert texts[0] == texts[1]


def test_a_trace_of_fit_holds_the_layers_names(tmp_path):
    model, other = compiled(), compiled()
    history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, profile=tmp_path / "new" / "trace")
    (folder,) = (tmp_path / "new" / "trace" / "plugins" / "profile").iterdir()
    (planes,) = folder.glob("*.xplane.pb")
    content = planes.read_bytes()
    for name in NAMES[:2]:
        assert f"/jvp({name})/".encode() in content and f"/transpose(jvp({name}))/".encode() in content
    assert b"jit_train" in content
    (events,) = folder.glob("*.trace.json.gz")
    assert events.stat().st_size
    other.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert model.fingerprint() == other.fingerprint() and len(history.history["loss"]) == 2


def test_a_trace_ends_where_the_run_is_broken_off(tmp_path):
    model = compiled()
    with pytest.raises(FileNotFoundError):
        model.fit(X, Y, verbose=0, profile=tmp_path / "one", callbacks=[Breaking()])
    model.fit(X, Y, verbose=0, profile=tmp_path / "two")           # nothing is traced already
    assert all(list(tmp_path.glob(f"{name}/plugins/profile/*/*.xplane.pb")) for name in ("one", "two"))


@pytest.mark.parametrize("given, error, told", [
    (3, TypeError, "profile=3: write the name of a folder, profile='trace'."),
    ("taken", NotADirectoryError, "profile='taken': taken is no folder. Write another name."),
    ("taken/trace", NotADirectoryError, "profile='taken/trace': taken is no folder. Write another name."),
])
def test_what_is_no_folder_is_refused_before_the_first_step(given, error, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("")
    model = compiled()
    with pytest.raises(error, match=re.escape(told)):
        model.fit(X, Y, verbose=0, profile=given)
    assert int(model.train_state.step) == 0


def test_two_traces_at_once_are_refused(tmp_path):
    with jax.profiler.trace(tmp_path / "outer"), pytest.raises(RuntimeError, match="(?i)profile"):
        compiled().fit(X, Y, verbose=0, profile=tmp_path / "inner")
