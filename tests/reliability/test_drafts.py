"""Drafts beside a file: those of processes that are gone go with the next save, and all others stay."""

import errno
import fcntl
import os

import pytest

from jaxseq.api.files import atomic
from jaxseq.api.files.atomic import replacing, settle, sweep
from jaxseq.api.resuming import folder

NAME = ".jaxseq-0123456789abcdef.part"


def save(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)
    assert path.read_bytes() == content


def refusing(code):
    def call(*_, **__):
        raise OSError(code, os.strerror(code))

    return call


def test_what_a_killed_process_has_left_goes_before_the_next_file_is_written(tmp_path):
    (tmp_path / NAME).write_bytes(b"half")
    with replacing(tmp_path / "f") as file:
        assert not (tmp_path / NAME).exists()
        file.write(b"new")
    assert os.listdir(tmp_path) == ["f"]


def test_a_draft_stays_until_it_is_renamed(tmp_path, monkeypatch):
    real, swept = os.replace, []

    def replace(draft, place):
        swept.append((sweep(tmp_path), draft.exists()))
        real(draft, place)

    monkeypatch.setattr(os, "replace", replace)
    with replacing(tmp_path / "f") as file:
        file.write(b"one")
        save(tmp_path / "f", b"two")
        save(tmp_path / "g", b"three")
    assert swept == [(None, True)] * 3 and (tmp_path / "f").read_bytes() == b"one"
    assert sorted(os.listdir(tmp_path)) == ["f", "g"]


def test_a_draft_that_a_sweep_takes_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    real, taken = fcntl.flock, []

    def flock(handle, how):
        if not taken:
            taken.append(how)
            sweep(tmp_path)
            assert os.listdir(tmp_path) == []
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    save(tmp_path / "f")
    assert taken == [fcntl.LOCK_EX] and os.listdir(tmp_path) == ["f"]


def test_what_is_no_draft_stays(tmp_path):
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / NAME).symlink_to(tmp_path / "kept")
    (tmp_path / NAME.replace("0", "1")).mkdir()
    os.mkfifo(tmp_path / NAME.replace("0", "2"))
    for name in "x.part", ".part", NAME + "s", NAME.replace("0", "z"), NAME.replace("jaxseq", "other"):
        (tmp_path / name).write_bytes(b"other")
    before = sorted(os.listdir(tmp_path))
    save(tmp_path / "f")
    assert sorted([*before, "f"]) == sorted(os.listdir(tmp_path))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_systems_without_locks(tmp_path, monkeypatch, code):
    (tmp_path / NAME).write_bytes(b"half")
    monkeypatch.setattr(fcntl, "flock", refusing(code))
    save(tmp_path / "f")
    assert sorted(os.listdir(tmp_path)) == [NAME, "f"]
    with folder.owned(tmp_path):                            # nobody is said to use it
        assert (tmp_path / ".lock").exists()


def test_systems_without_locks(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(b"half")
    monkeypatch.setattr(atomic, "fcntl", None)
    save(tmp_path / "f")
    assert sorted(os.listdir(tmp_path)) == [NAME, "f"]


def test_folders_that_cannot_be_forced_to_the_disk(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refusing(errno.EACCES))     # may be written to and not read
        save(tmp_path / "f")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refusing(errno.EINVAL))    # a file system that has no such thing
        settle(tmp_path)
        patched.setattr(os, "fsync", refusing(errno.EIO))
        with pytest.raises(OSError, match="Input/output error"):
            settle(tmp_path)
    save(tmp_path / "f", b"newer")


def test_an_error_over_another_file_keeps_its_name(tmp_path):
    """What is written may be read from a file itself, and that may fail."""
    with pytest.raises(FileNotFoundError, match="other") as caught, replacing(tmp_path / "f") as file:
        file.write((tmp_path / "other").read_bytes())
    assert not hasattr(caught.value, "__notes__") and os.listdir(tmp_path) == []


def test_the_end_of_a_run_leaves_the_newest_checkpoint_or_none(tmp_path, monkeypatch):
    """A run that is killed while its checkpoints go is not thrown back to an older one."""
    for epoch in 0, 1, 2:
        folder.write(tmp_path / folder.name_of(0, epoch, 0), {}, {})
    seen, real = [], os.rename

    def rename(path, new):
        seen.append([place.name for place in folder.found(tmp_path, 0)])
        real(path, new)

    monkeypatch.setattr(os, "rename", rename)
    folder.prune(tmp_path, 0, keep=0)
    assert [names[0] for names in seen] == [folder.name_of(0, 2, 0)] * 3 and os.listdir(tmp_path) == []


def test_a_folder_and_those_above_it_are_forced_to_the_disk(tmp_path, monkeypatch):
    """A checkpoint is not there when the folder that it lies in is not."""
    asked = []
    monkeypatch.setattr(atomic, "settle", asked.append)
    atomic.make_folder(tmp_path / "a" / "b")
    atomic.make_folder(tmp_path / "a" / "b")
    assert asked == [tmp_path, tmp_path / "a"] and (tmp_path / "a" / "b").is_dir()
