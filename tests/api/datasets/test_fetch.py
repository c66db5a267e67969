"""The downloader: where it looks, what it trusts, and that nothing half-written stays."""

import errno
import hashlib
import os
import re
import socket
import sys

import pytest

from jaxseq.api.datasets import fetch
from jaxseq.api.datasets.fetch import Published
from jaxseq.api.files.refusal import FileRejected

CONTENT = b"what was published" * 1000


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def published(*urls, **others):
    return Published("data.bin", (sha256(CONTENT),), urls, **others)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_file_is_downloaded_once(server, folders):
    server.pages["/data.bin"] = CONTENT
    file = published(server.url("/data.bin"))
    for _ in range(2):
        path = fetch.fetch(file)
        assert path == folders.kept / "data.bin" and path.read_bytes() == CONTENT
    assert server.asked == ["/data.bin"] and os.listdir(folders.kept) == ["data.bin"]
    assert folders.kept.stat().st_mode & 0o022 == 0


def test_a_bar_is_shown(server, capsys):
    server.pages["/data.bin"] = CONTENT
    fetch.fetch(published(server.url("/data.bin")))
    assert "18.0k/18.0k" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["own", "kept", "keras", "system"])
def test_a_file_that_is_there_is_not_downloaded(name, folders, monkeypatch):
    monkeypatch.setenv("JAXSEQ_DATA", str(folders.own))
    place = getattr(folders, name) / "data.bin"
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_bytes(CONTENT)
    assert fetch.fetch(published()) == place


def test_the_users_own_folder_comes_first(folders, monkeypatch):
    monkeypatch.setenv("JAXSEQ_DATA", str(folders.own))
    for folder in folders.own, folders.keras:
        (folder / "data.bin").write_bytes(CONTENT)
    assert fetch.fetch(published()) == folders.own / "data.bin"


def test_keras_s_name_counts(folders):
    (folders.keras / "data_archive").write_bytes(CONTENT)
    assert fetch.fetch(published(aliases=("data_archive",))) == folders.keras / "data_archive"


@pytest.mark.parametrize("name", ["kept", "keras", "system"])
def test_another_checksum_in_the_caches_is_passed_over(name, folders, server):
    server.pages["/data.bin"] = CONTENT
    place = getattr(folders, name) / "data.bin"
    place.parent.mkdir(exist_ok=True, parents=True)
    place.write_bytes(CONTENT[:-1])
    assert fetch.fetch(published(server.url("/data.bin"))).read_bytes() == CONTENT
    assert (place.read_bytes() == CONTENT) == (name == "kept")


def test_another_checksum_in_the_users_own_folder_is_an_error(folders, monkeypatch, server):
    server.pages["/data.bin"] = CONTENT
    monkeypatch.setenv("JAXSEQ_DATA", str(folders.own))
    place = folders.own / "data.bin"
    place.write_bytes(b"mine")
    with pytest.raises(FileRejected) as caught:
        fetch.fetch(published(server.url("/data.bin")))
    assert str(caught.value) == (f"{place}: it has the checksum {sha256(b'mine')}; {sha256(CONTENT)} is wanted.")
    assert place.read_bytes() == b"mine" and server.asked == []


def test_a_whole_path_is_the_file(folders, tmp_path, server):
    place = tmp_path / "elsewhere.bin"
    file = published(server.url("/data.bin")).called(place)
    server.pages["/data.bin"] = CONTENT
    assert fetch.fetch(file) == place and place.read_bytes() == CONTENT and not folders.kept.exists()
    assert fetch.fetch(file) == place and len(server.asked) == 1
    place.write_bytes(b"mine")
    with pytest.raises(FileRejected, match="is wanted"):
        fetch.fetch(file)
    assert place.read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["sub/data.bin", "../data.bin", "", ".."])
def test_a_path_that_is_neither_name_nor_whole(path):
    with pytest.raises(ValueError, match=re.escape(f"path={path!r}: write a name without folders, such as 'data.bin', or a "
                                                   "whole path.")):
        published().called(path)


def test_a_whole_path_into_a_folder_that_is_not_there(tmp_path, server, refuses):
    place = tmp_path / "no" / "such" / "data.bin"
    server.pages["/data.bin"] = CONTENT
    with refuses(f"path={place!r}: there is no folder {str(place.parent)!r}. Make it first, or write a name without folders, "
                 "such as 'data.bin'.", FileNotFoundError):
        fetch.fetch(published(server.url("/data.bin")).called(place))
    assert not (tmp_path / "no").exists() and server.asked == []


def test_the_users_own_folder_that_is_not_there_is_told(folders, monkeypatch, server):
    gone = folders.own / "gone"
    monkeypatch.setenv("JAXSEQ_DATA", str(gone))
    with pytest.raises(FileNotFoundError) as caught:
        fetch.fetch(published(server.url("/none")))
    assert str(caught.value).endswith(f" JAXSEQ_DATA={str(gone)!r}: there is no such folder.")
    server.pages["/data.bin"] = CONTENT
    assert fetch.fetch(published(server.url("/data.bin"))) == folders.kept / "data.bin"


# ---- mirrors that fail


def half(handler):
    handler.answer(CONTENT[:9000], len(CONTENT))


def broken(handler):
    handler.send_error(500)


FAILING = {"cut off": half, "another file": CONTENT[::-1], "empty": b"", "not there": None, "out of order": broken}


@pytest.mark.parametrize("fault", FAILING)
def test_the_next_mirror_is_asked(fault, server, folders):
    server.pages |= {"/1": FAILING[fault], "/2": CONTENT}
    dead = f"http://127.0.0.1:{free_port()}/"
    path = fetch.fetch(published(dead, server.url("/1"), server.url("/2")))
    assert path.read_bytes() == CONTENT and server.asked == ["/1", "/2"] and os.listdir(folders.kept) == ["data.bin"]


def test_a_mirror_that_falls_silent(server, folders):
    def silent(handler):
        handler.answer(CONTENT[:9000], len(CONTENT))
        server.over.wait(5)

    server.pages |= {"/1": silent, "/2": CONTENT}
    assert fetch.fetch(published(server.url("/1"), server.url("/2"))).read_bytes() == CONTENT
    assert os.listdir(folders.kept) == ["data.bin"]


def test_it_is_tried_once_more(server):
    def second_time(handler):
        handler.answer(CONTENT, len(CONTENT)) if len(server.asked) == 2 else handler.send_error(503)

    server.pages["/1"] = second_time
    assert fetch.fetch(published(server.url("/1"))).read_bytes() == CONTENT and server.asked == ["/1", "/1"]


@pytest.mark.parametrize("fault", FAILING)
def test_nothing_is_left_where_all_fail(fault, server, folders):
    server.pages["/1"] = FAILING[fault]
    with pytest.raises(FileNotFoundError) as caught:
        fetch.fetch(published(server.url("/1")))
    first, why, by_hand = str(caught.value).split("\n")
    assert first == "data.bin is not on this machine and could not be downloaded:"
    assert why.startswith(f"  {server.url('/1')}: ") and len(why) > 60
    assert by_hand == (f"Where there is no network, get it from {server.url('/1')} elsewhere, and put it at "
                       f"{folders.kept / 'data.bin'}, or as data.bin into a folder that the environment variable JAXSEQ_DATA "
                       f"names. Its checksum is {sha256(CONTENT)}.")
    assert os.listdir(folders.kept) == []


def test_a_file_in_the_cache_outlasts_a_download_that_fails(server, folders):
    folders.kept.mkdir(parents=True)
    (folders.kept / "data.bin").write_bytes(b"old")
    server.pages["/1"] = half
    with pytest.raises(FileNotFoundError):
        fetch.fetch(published(server.url("/1")))
    assert (folders.kept / "data.bin").read_bytes() == b"old" and os.listdir(folders.kept) == ["data.bin"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing(error, server, folders, monkeypatch):
    def get(url, draft, _):
        draft.write(CONTENT[:9000])
        raise error

    monkeypatch.setattr(fetch, "_downloader", lambda file: (get, (FileRejected,)))
    with pytest.raises(type(error)) as caught:
        fetch.fetch(published("http://nowhere"))
    if isinstance(error, OSError):
        assert "Make room in" in caught.value.__notes__[0] and caught.value.filename == str(folders.kept / "data.bin")
    assert os.listdir(folders.kept) == []


def test_what_is_packed_stays_packed(server):
    """A server that would unpack .gz on the way is told not to."""
    def asked(handler):
        accepted.append(handler.headers["Accept-Encoding"])
        handler.answer(CONTENT, len(CONTENT))

    accepted = []
    server.pages["/1"] = asked
    fetch.fetch(published(server.url("/1")))
    assert accepted == ["identity"]


def test_without_pooch_it_says_what_to_install(monkeypatch, folders):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError) as caught:
        fetch.fetch(published("http://nowhere/data.bin"))
    assert str(caught.value).startswith("data.bin is not on this machine, and is downloaded with pooch: pip install "
                                        "'jaxseq[data]'. Where there is no network, get it from http://nowhere/data.bin")
    folders.kept.mkdir(parents=True)
    (folders.kept / "data.bin").write_bytes(CONTENT)
    assert fetch.fetch(published()) == folders.kept / "data.bin"


def test_the_folders_that_are_meant_by_default(monkeypatch, tmp_path):
    for name in "JAXSEQ_HOME", "KERAS_HOME":
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pooch = pytest.importorskip("pooch")
    assert fetch.home() == pooch.os_cache("jaxseq") and fetch.keras_home() == tmp_path / ".keras"
