"""BackupAndRestore in one process: what it refuses, what it does with damage, with full disks, with two runs in one folder."""

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from jaxseq.api.resuming import folder, plain
from jaxseq.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, History, LambdaCallback
from jaxseq.layers import Dense, Dropout
from jaxseq.models import FileRejected, Sequential

DRAW = np.random.default_rng(0)
X, Y = DRAW.random((100, 5), np.float32), DRAW.random((100, 1), np.float32)


class Broken(Exception):
    pass


def model(units=8, optimizer="adam", seed=0):
    made = Sequential([Dense(units, "tanh", input_shape=(5,)), Dropout(0.3), Dense(1)], seed=seed)
    made.compile(optimizer, "mse")
    return made


def fit(made, where, *more, break_at=None, x=X, epochs=4, batch_size=16, **how):
    """Trains with checkpoints in `where`, up to the break after so many steps."""
    def stop(done, logs):
        if break_at is not None and int(made.train_state.step) >= break_at:
            raise Broken

    backup = BackupAndRestore(where, **{"save_freq": 3, **how})
    callbacks = [LambdaCallback(on_steps_end=stop, on_batch_end=lambda *_: None), *more, backup]
    return made.fit(x, Y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=callbacks)


def broken(where, **how):
    with pytest.raises(Broken):
        fit(model(), where, **{"break_at": 12, **how})


def places(where):
    return sorted(each.name for each in where.iterdir() if not each.name.startswith("."))


def test_checkpoints_are_kept_and_go_at_the_end(tmp_path):
    broken(tmp_path)
    assert places(tmp_path) == ["0000000000-000000-00000006", "0000000000-000001-00000002"]
    fit(model(), tmp_path)
    assert places(tmp_path) == []


@pytest.mark.parametrize("break_at", [1, 4, 7, 13, 27])
def test_a_run_in_a_new_process_and_one_in_the_same_end_alike(tmp_path, break_at):
    whole = model()
    wanted = fit(whole, tmp_path / "whole").history
    broken(tmp_path / "run", break_at=break_at)
    again = model(seed=5 if break_at > 3 else 0)            # takes the seed of the run, once there is a checkpoint
    assert fit(again, tmp_path / "run").history == wanted
    assert again.fingerprint() == whole.fingerprint() and again.seed == 0


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    whole = model()
    fit(whole, tmp_path / "whole")
    broken(tmp_path / "run")
    payload = tmp_path / "run" / places(tmp_path / "run")[-1] / folder.ARRAYS
    content = bytearray(payload.read_bytes())
    content[len(content) // 2] ^= 1
    payload.write_bytes(content)
    again = model()
    with pytest.warns(UserWarning, match="A checkpoint is damaged, and an older one takes its place"):
        fit(again, tmp_path / "run")
    assert again.fingerprint() == whole.fingerprint()


def test_no_bit_of_a_checkpoint_can_be_flipped_unnoticed(tmp_path):
    broken(tmp_path, keep=1)
    place = tmp_path / places(tmp_path)[-1]
    told, arrays = folder.read(place)
    for name in folder.MANIFEST, folder.ARRAYS:
        whole = (place / name).read_bytes()
        for bit in np.random.default_rng(1).choice(8 * len(whole), 300, replace=False):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            (place / name).write_bytes(flipped)
            with pytest.raises(FileRejected, match=name.replace(".", r"\.")):
                folder.read(place)
        (place / name).write_bytes(whole[:-1])
        with pytest.raises(FileRejected):
            folder.read(place)
        (place / name).write_bytes(whole)
    assert folder.read(place)[0] == told and arrays


def test_when_all_are_damaged_nothing_begins_anew_by_itself(tmp_path):
    broken(tmp_path)
    for name in places(tmp_path):
        (tmp_path / name / folder.MANIFEST).write_text("{}")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(FileRejected, match="every checkpoint in it is damaged"):
        fit(model(), tmp_path)


@pytest.mark.every(3)
@pytest.mark.parametrize(("change", "message"), [
    ({"made": model(units=9)}, r"is \(8,\) float32, this model's \(9,\)"),
    ({"made": model(optimizer="sgd")}, "is not in this model"),
    ({"batch_size": 20}, "batch_size=16 and not 20"),
    ({"x": X + 1}, "was made with content="),
    ({"more": [EarlyStopping("loss")]}, "was made with the callbacks LambdaCallback, BackupAndRestore, History; here are")])
def test_another_run_is_refused_and_the_model_left_alone(tmp_path, change, message):
    broken(tmp_path)
    made, more = change.pop("made", None) or model(), change.pop("more", [])
    made.build()
    before = made.fingerprint()
    with pytest.raises(FileRejected, match=message):
        fit(made, tmp_path, *more, **change)
    assert made.fingerprint() == before
    made.fit(X, Y, verbose=0)


def test_two_runs_in_one_folder(tmp_path):
    class Another(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            with pytest.raises(RuntimeError, match="is in use: another run writes its checkpoints there"):
                fit(model(), tmp_path)

    fit(model(), tmp_path, Another(), epochs=1)
    fit(model(), tmp_path, epochs=1)                        # the folder was let go


def test_a_full_disk_ends_the_run_at_a_whole_step_and_leaves_what_was_there(tmp_path, monkeypatch):
    broken(tmp_path, break_at=6)
    kept, made = places(tmp_path), model()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_write", full)
        with pytest.raises(OSError, match="No space left") as caught:
            fit(made, tmp_path)
    assert any("could not be written; those before it are whole" in note for note in caught.value.__notes__)
    assert places(tmp_path) == kept and not list(tmp_path.glob(".*.part"))
    whole = model()
    fit(whole, tmp_path / "whole")
    fit(again := model(), tmp_path)
    assert again.fingerprint() == whole.fingerprint()
    made.predict(X[:2])


def test_two_fits_of_one_script_share_a_folder(tmp_path):
    def script(break_at=None):
        made = model()
        fit(made, tmp_path, epochs=2)
        fit(made, tmp_path, epochs=2, break_at=break_at)
        return made.fingerprint()

    wanted = script()
    with pytest.raises(Broken):
        script(break_at=22)
    assert len(places(tmp_path)) == 2
    assert script() == wanted and places(tmp_path) == []


def test_a_run_that_was_over_is_not_trained_again(tmp_path):
    made = model()
    first = fit(made, tmp_path, delete_checkpoint=False, save_freq="epoch")
    again = model()
    second = fit(again, tmp_path, delete_checkpoint=False, save_freq="epoch")
    assert again.fingerprint() == made.fingerprint() and second.history == first.history
    assert second.run["after"] == first.run["after"]


def test_an_early_stop_is_remembered(tmp_path):
    stop = lambda: EarlyStopping("loss", patience=0, min_delta=10)
    made = model()
    first = fit(made, tmp_path, stop(), delete_checkpoint=False, save_freq="epoch")
    assert len(first.epoch) == 2
    again = model()
    assert fit(again, tmp_path, stop(), delete_checkpoint=False, save_freq="epoch").history == first.history


def test_settings_are_the_scripts_and_memory_is_the_runs(tmp_path):
    with pytest.raises(Broken):
        fit(model(), tmp_path, EarlyStopping("loss", patience=3), break_at=20)
    watch = EarlyStopping("loss", patience=7)
    fit(model(), tmp_path, watch)
    assert watch.patience == 7 and watch.best < np.inf


def test_a_csv_file_goes_on_behind_what_others_wrote(tmp_path):
    csv = tmp_path / "log.csv"
    csv.write_text("epoch,loss\n0,1.5\n")
    fit(model(), tmp_path / "whole", CSVLogger(csv, append=True))
    wanted = csv.read_text()
    csv.write_text("epoch,loss\n0,1.5\n")
    with pytest.raises(Broken):
        fit(model(), tmp_path / "run", CSVLogger(csv, append=True), break_at=24)
    fit(model(), tmp_path / "run", CSVLogger(csv, append=True))
    assert csv.read_text() == wanted


def test_another_environment_is_told(tmp_path):
    broken(tmp_path, keep=1)
    place = tmp_path / places(tmp_path)[0]
    told, arrays = folder.read(place)
    told["environment"]["jaxlib"] = "0.0.1"
    del told["environment"]["compiler_options"]                     # as a version wrote it that did not tell them
    shutil.rmtree(place)
    folder.write(place, told, arrays)
    with pytest.warns(UserWarning, match=r"not to the bit: jaxlib was '0\.0\.1', now '[\d.]+'\.$"):
        fit(model(), tmp_path)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_a_validation_saves_where_the_training_stood(tmp_path):
    class Press(Callback):
        def on_test_batch_begin(self, batch, logs=None):
            if int(self.model.train_state.step) > 7:
                signal.raise_signal(signal.SIGINT)

    def run(made, where, *more):
        backup = BackupAndRestore(where, save_freq=10**6)
        return made.fit(X, Y, batch_size=16, epochs=3, validation_split=0.2, verbose=0, callbacks=[Callback(), *more, backup])

    whole = model()
    wanted = run(whole, tmp_path / "whole").history
    with pytest.raises(KeyboardInterrupt):
        made = model()
        made.fit(X, Y, batch_size=16, epochs=3, validation_split=0.2, verbose=0,
                 callbacks=[Press(), BackupAndRestore(tmp_path / "run", save_freq=10**6)])
    place, = places(tmp_path / "run")
    told = json.loads((tmp_path / "run" / place / folder.MANIFEST).read_text())["place"]
    assert (told["epoch"], told["done"]) == (1, 5)
    again = model()
    quiet = Press()
    quiet.on_test_batch_begin = lambda batch, logs=None: None
    history = again.fit(X, Y, batch_size=16, epochs=3, validation_split=0.2, verbose=0,
                        callbacks=[quiet, BackupAndRestore(tmp_path / "run", save_freq=10**6)])
    assert history.history == wanted and again.fingerprint() == whole.fingerprint()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("value", [
    None, True, 3, 2**70, 1.5, -0.0, float("inf"), "text", [], [1, 2.0, "3"], [0.1] * 100, (1, (2,)), {"a": [1], 2: (3,)},
    {1, 2}, frozenset("ab"), np.float32(0.1), np.int64(7), np.arange(6.0).reshape(2, 3),
    [np.zeros(2, bool)], {"x": {"y": np.ones(1)}}])
def test_plain_values_come_back_as_they_were(value):
    arrays = []
    held = json.loads(json.dumps(plain.packed(value, arrays)))
    back = plain.unpacked(held, arrays)
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    assert plain.equal(held, arrays, plain.packed(value, more := []), more)


def test_what_is_not_plain_is_said_so():
    with pytest.raises(plain.NotPlain, match="a function is kept in no file"):
        plain.packed([lambda: 0], [])


def test_a_history_is_saved_and_loaded(tmp_path):
    history = model().fit(X, Y, epochs=2, validation_split=0.2, verbose=0)
    history.save(tmp_path / "run.json")
    again = History.load(tmp_path / "run.json")
    assert again.history == history.history and again.epoch == [0, 1] and again.run == json.loads(json.dumps(history.run))
    assert again.run["after"] == model().fit(X, Y, epochs=2, validation_split=0.2, verbose=0).run["after"]
    assert again.run["before"] != again.run["after"] and again.run["data"]["rows"] == 80
    (tmp_path / "run.json").write_text("[1]")
    with pytest.raises(FileRejected):
        History.load(tmp_path / "run.json")


def test_the_words_of_keras_are_understood(tmp_path):
    BackupAndRestore(backup_dir=str(tmp_path), save_freq=2, double_checkpoint=True, delete_checkpoint=False)
    for wrong in {"save_freq": 0}, {"save_freq": "batch"}, {"keep": 0}:
        with pytest.raises((ValueError, TypeError)):
            BackupAndRestore(tmp_path, **wrong)
    assert Path(BackupAndRestore(tmp_path).backup_dir) == tmp_path
