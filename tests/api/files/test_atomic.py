"""A file is replaced as a whole: whatever fails, and whenever the process dies, the old one or the new one is there."""

import os
import stat
import subprocess
import sys

import pytest
from small import perceptron

from jaxseq.api.files.atomic import replacing


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "f"
    for content in b"old", b"new":
        with replacing(path) as file:
            file.write(content)
        assert path.read_bytes() == content and os.listdir(tmp_path) == ["f"]


def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    for error in OSError("full"), KeyboardInterrupt():
        with pytest.raises(type(error)), replacing(path) as file:
            file.write(b"half")
            raise error
        assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fails(*values):
        raise OSError("input/output error")

    monkeypatch.setattr(os, call, fails)
    with pytest.raises(OSError, match="input/output error"), replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["f"]


def test_data_are_on_the_disk_before_their_name_is(tmp_path, monkeypatch):
    """The order of what is asked of the system: the file's bytes, the name, the folder."""
    asked = []
    for call in "fsync", "replace":
        real = getattr(os, call)
        monkeypatch.setattr(os, call, lambda *values, call=call, real=real: (asked.append(call), real(*values))[1])
    with replacing(tmp_path / "f") as file:
        file.write(b"new")
    assert asked == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("moment", ["os.fsync", "os.replace"])
def test_a_process_that_dies_leaves_the_old_file_whole(tmp_path, moment):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    script = f"import os; {moment} = lambda *values: os._exit(9)\nfrom jaxseq.api.files.atomic import replacing\n" \
             f"with replacing({str(path)!r}) as file: file.write(b'new')"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert path.read_bytes() == b"old"


def test_a_link_stays_a_link_and_rights_are_the_usual_ones(tmp_path):
    (tmp_path / "inner").mkdir()
    path, link = tmp_path / "inner" / "f", tmp_path / "link"
    link.symlink_to(path)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink() and path.read_bytes() == b"new"
    (tmp_path / "usual").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_what_is_there_is_only_overwritten_when_asked(tmp_path, refuses):
    model = perceptron()
    for name, save in ("m.keras", model.save), ("m.weights.h5", model.save_weights), ("m.h5", model.save_weights):
        path = tmp_path / name
        save(path, overwrite=False)
        before = path.read_bytes()
        with refuses(f"{path} is there already: write overwrite=True to replace it, or another name.", FileExistsError):
            save(path, overwrite=False)
        assert path.read_bytes() == before
    with refuses(f"{tmp_path / 'd.keras'} is a folder: write the name of a file.", IsADirectoryError):
        (tmp_path / "d.keras").mkdir()
        model.save(tmp_path / "d.keras")
