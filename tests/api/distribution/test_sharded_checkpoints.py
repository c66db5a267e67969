"""Checkpoints whose arrays lie apart, in Orbax's form: with the processes of one machine, and with one that takes itself for
one of several."""

import json
import re
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from test_hosts import Ended, run, start

from jaxseq import Sequential, distribution as D
from jaxseq.api import hosts
from jaxseq.api.files.inspecting import inspected
from jaxseq.api.files.refusal import Source
from jaxseq.api.resuming import folder, sharded
from jaxseq.callbacks import BackupAndRestore, LambdaCallback
from jaxseq.layers import Dense
from jaxseq.models import FileRejected

X = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
CUT = 9             # of Adam: kernel and bias of the first layer, the kernel of the second; twice as much is remembered of them


class Broken(Exception):
    pass


@pytest.fixture
def apart(monkeypatch):
    """What lies in parts on the devices of this process is taken for what lies in parts on several processes."""
    monkeypatch.setattr(hosts, "is_whole", replicated)


def replicated(tree):
    return all(leaf.is_fully_replicated for leaf in jax.tree.leaves(tree))


def model(spread):
    made = Sequential([Dense(16, activation="tanh", input_shape=(8,)), Dense(2)], seed=0)
    made.compile("adam", "mse", distribution=spread)
    return made


def four():
    return D.FullySharded(devices=jax.devices()[:4])


def fit(made, where, break_at=None, **how):
    def stop(done, logs):
        if break_at is not None and int(made.train_state.step) >= break_at:
            raise Broken

    made.fit(X, X[:, :2], 7, epochs=4, verbose=0, callbacks=[LambdaCallback(on_steps_end=stop),
                                                             BackupAndRestore(where, save_freq=3, **how)])
    return made


def broken(where, spread):
    """A run that is broken off after 12 steps, with checkpoints of 6 and of 9."""
    with pytest.raises(Broken):
        fit(model(spread), where, break_at=12)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """(the folder of a run that was broken off, the fingerprint of one that was not), where arrays lie apart."""
    where = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hosts, "is_whole", replicated)
        broken(where / "broken", four())
        return where / "broken", fit(model(four()), where / "whole").fingerprint()


@pytest.fixture
def run_folder(once, tmp_path):
    """A copy of the folder of the run that was broken off."""
    return Path(shutil.copytree(once[0], tmp_path / "run"))


def newest(where):
    return folder.all_of(where)[0]


def manifest(place):
    return json.loads((place / folder.MANIFEST).read_text())


def test_cut_arrays_lie_apart_and_the_run_goes_on_to_the_same_bits(apart, once, run_folder):
    place = newest(run_folder)
    told, arrays = folder.read(place)
    lying = sharded.lying(place, told)
    assert len(lying) == CUT and not lying.keys() & arrays.keys() and "state['step']" in arrays
    assert sorted(each.name for each in place.iterdir()) == [folder.ARRAYS, folder.MANIFEST, sharded.STATE]
    draft = folder.begun(place)             # as a crash leaves it, once Orbax has written
    shutil.copytree(place / sharded.STATE, draft / sharded.STATE)
    assert fit(model(four()), run_folder).fingerprint() == once[1]
    assert not folder.all_of(run_folder) and not draft.exists()


def close(one, other):
    for here, there in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)


def otherwise():
    layouts = D.LayoutMap(D.DeviceMesh((2, 2), ("batch", "model"), jax.devices()[4:]))
    layouts["dense/kernel"] = None, "model"
    return D.ModelParallel(layout_map=layouts)


@pytest.fixture(scope="module")
def whole():
    """The run that nothing breaks off, on one device."""
    made = model(None)
    made.fit(X, X[:, :2], 7, epochs=4, verbose=0, callbacks=[LambdaCallback()])
    return made


SPREADS = {"one": lambda: None, "two": lambda: D.FullySharded(devices=jax.devices()[:2]), "otherwise": otherwise}


@pytest.mark.parametrize("there", ["one", "otherwise", pytest.param("two", marks=pytest.mark.full)])
def test_they_are_read_wherever_the_model_lies_now(there, apart, whole, run_folder):
    close(fit(model(SPREADS[there]()), run_folder), whole)


def test_a_checkpoint_of_whole_arrays_is_read_by_a_model_that_is_cut(whole, tmp_path, monkeypatch):
    broken(tmp_path, None)
    assert not sharded.lying(newest(tmp_path), manifest(newest(tmp_path)))
    monkeypatch.setattr(hosts, "is_whole", replicated)
    close(fit(model(four()), tmp_path), whole)


def test_no_file_can_be_changed_unnoticed(run_folder, tmp_path):
    place, draw = newest(run_folder), np.random.default_rng(0)
    told, folder_ = manifest(place), place / sharded.STATE
    files = [each for each in folder_.rglob("*") if each.is_file()]
    assert len(files) > 5 and any(each.parent.name == "d" for each in files)
    for each in files:
        content = each.read_bytes()
        flipped = bytearray(content)
        flipped[draw.integers(len(flipped))] ^= 1 << int(draw.integers(8))
        for other in flipped, content[:-1], content + b"\0":
            each.write_bytes(other)
            with pytest.raises(FileRejected, match=f"state/{each.relative_to(folder_)}: is damaged: its hash is another"):
                sharded.check(place, told)
        each.unlink()
        with pytest.raises(FileRejected, match="is damaged: .* should not be there, or is missing"):
            sharded.check(place, told)
        (tmp_path / "elsewhere").write_bytes(content)
        each.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileRejected, match="is no file of its own"):
            sharded.check(place, told)
        each.unlink()
        each.write_bytes(content)
    (folder_ / "d" / "more").write_bytes(b"")
    with pytest.raises(FileRejected, match="d/more should not be there"):
        sharded.check(place, told)
    (folder_ / "d" / "more").unlink()
    sharded.check(place, told)
    folder_.rename(tmp_path / "moved")
    folder_.symlink_to(tmp_path / "moved")
    with pytest.raises(FileRejected, match="state: is no folder of its own, but a link"):
        sharded.check(place, told)


def flip(place):
    """Turns a bit round in the largest of Orbax's files."""
    path = max((each for each in (place / sharded.STATE).rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_one_is_passed_over(apart, once, run_folder):
    flip(newest(run_folder))
    with pytest.raises(FileRejected, match="is damaged"):
        inspected(run_folder)
    with pytest.warns(UserWarning, match="A checkpoint is damaged, and an older one takes its place: .*state/"):
        assert fit(model(four()), run_folder).fingerprint() == once[1]


def test_inspecting_tells_of_them(once):
    told = {path: (shape, dtype) for path, shape, dtype in inspected(once[0]).arrays}
    assert told["state['params']['dense']['kernel']"] == ((8, 16), "float32") and "state['step']" in told


def test_a_full_disk_ends_the_run_and_leaves_what_was_there(apart, run_folder, monkeypatch):
    kept = folder.all_of(run_folder)

    def full(*_, **__):
        raise ValueError("RESOURCE_EXHAUSTED: Failed to write 21331 bytes: No space left on device")

    monkeypatch.setattr(sharded.orbax().Checkpointer, "save", full)
    with pytest.raises(OSError, match="state is not written: RESOURCE_EXHAUSTED") as caught:
        fit(model(four()), run_folder)
    assert any("could not be written; those before it are whole" in note for note in caught.value.__notes__)
    assert folder.all_of(run_folder) == kept and not list(run_folder.glob(".*.part"))


def test_a_missing_extra_is_told_of_before_the_first_step(apart, run_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    said = re.escape("Weights that are cut over several processes are kept with Orbax: pip install 'jaxseq[sharded]'.")
    for where, spread in (run_folder / "new", four()), (run_folder, None):      # to write, to read
        made = model(spread)
        with pytest.raises(ImportError, match=said):
            fit(made, where)
        assert made.train_state.step == 0 and not (run_folder / "new").exists()


def test_a_process_that_sees_another_folder_is_told(apart, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "is_first", lambda: False)
    with pytest.raises(FileNotFoundError, match="all processes need one backup_dir"):
        fit(model(four()), tmp_path)


# ---- checkpoints that mean harm: every hash in them is right


WRONG = {
    "another name": lambda said: said["arrays"][0].update(name="key"),
    "a name that is none": lambda said: said["arrays"][0].update(name=["state"]),
    "one name twice": lambda said: said["arrays"].append(said["arrays"][0]),
    "a shape that cannot be": lambda said: said["arrays"][0].update(shape=[8, -16]),
    "objects": lambda said: said["arrays"][0].update(dtype="object"),
    "no arrays": lambda said: said["arrays"].clear(),
    "no files": lambda said: said.pop("files"),
    "a file of text": lambda said: said["files"].update(d="a hash"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_manifest_says_is_refused(case, once):
    told = manifest(newest(once[0]))
    WRONG[case](told["sharded"])
    with pytest.raises(FileRejected):
        sharded.lying(newest(once[0]), told)


def test_what_the_manifest_says_has_to_be_so(apart, run_folder):
    shutil.rmtree(folder.all_of(run_folder)[1])
    told = manifest(newest(run_folder))
    told.pop("blake2b")
    told["sharded"]["arrays"].insert(0, told["sharded"]["arrays"].pop())
    rehashed = {**told, "blake2b": folder._hash(folder._canonical(told))}
    (newest(run_folder) / folder.MANIFEST).write_text(json.dumps(rehashed))
    made = model(four())
    made.build()
    before = made.fingerprint()
    with pytest.raises(FileRejected, match="is another array than the manifest says"):
        fit(made, run_folder)
    assert made.fingerprint() == before


def test_blocks_larger_than_the_array_are_not_unpacked(tmp_path):
    import tensorstore

    array = D.distribute_tensor(np.ones(8, np.float32), D.TensorLayout(("x",), D.DeviceMesh((8,), ("x",))))
    sharded.write(tmp_path, {"state": array})
    tensorstore.open({"driver": "zarr", "metadata": {"shape": [8], "chunks": [2**20], "dtype": "<f4"}, "create": True,
                      "delete_existing": True, "kvstore": {"driver": "ocdbt", "base": f"file://{tmp_path}/state/",
                                                           "path": "0/"}}).result().write(np.ones(8, np.float32)).result()
    lying = sharded.lying(tmp_path, sharded.told(tmp_path, {"state": array}))
    with pytest.raises(FileRejected, match="state: is another array than the manifest says"):
        sharded.read(Source(tmp_path), lying, {"state": array})


def test_no_name_in_orbax_files_leads_out_of_the_folder(tmp_path):
    """The tree of TensorStore's database names the files that the numbers lie in."""
    import tensorstore

    inside = tmp_path / "inside"
    inside.mkdir()
    base = {"driver": "ocdbt", "base": f"file://{inside}/"}
    store = tensorstore.KvStore.open({**base, "config": {"compression": None, "max_inline_value_bytes": 0},
                                      "value_data_prefix": "xx/", "btree_node_data_prefix": "tree/"}).result()
    store.write("0", b"secret" * 500).result()
    (path,), (tree,) = (inside / "xx").iterdir(), (inside / "tree").iterdir()
    path.rename(tmp_path / path.name)
    changed = tree.read_bytes()[:-4].replace(b"xx/", b"../")
    assert changed != tree.read_bytes()[:-4] and crc32c(tree.read_bytes()[:-4]) == tree.read_bytes()[-4:]
    tree.write_bytes(changed + crc32c(changed))
    with pytest.raises(ValueError, match="Invalid key"):
        tensorstore.KvStore.open(base).result().read("0").result()


def crc32c(content):
    """The checksum behind every node of the tree: Castagnoli's polynomial, bit by bit."""
    rest = 2**32 - 1
    for byte in content:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ 0x82F63B78 * (rest & 1)
    return (rest ^ 2**32 - 1).to_bytes(4, "little")


# ---- two processes


@pytest.mark.full
@pytest.mark.timeout(900)
def test_processes_that_are_killed_go_on_to_the_same_bits(tmp_path):
    whole = run(2, tmp_path / "whole", "sharded")
    ended = Ended(start(2, tmp_path / "broken", "sharded", "2"))
    assert ended.status[1] == -9 and ended.status[0] != 0
    place = newest(tmp_path / "broken" / "backup")
    assert len(sharded.lying(place, manifest(place))) > 9 and (place / sharded.STATE / "ocdbt.process_1").is_dir()
    for name, count in ("two", 2), ("one", 1), ("damaged", 2):
        shutil.copytree(tmp_path / "broken", tmp_path / name)
        if name == "damaged":
            flip(newest(tmp_path / name / "backup"))
        again = run(count, tmp_path / name, "sharded")
        assert (again.lines("fingerprint") == whole.lines("fingerprint")) == (count == 2)
        assert any("A checkpoint is damaged, and an older one takes its place" in told for _, told in again.told) \
            == (name == "damaged")
        losses = [[float(number) for number in each.lines("losses")[0].split()] for each in (again, whole)]
        np.testing.assert_allclose(*losses, rtol=1e-5)
