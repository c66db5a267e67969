"""get_file: names and folders as in Keras, and archives that come out whole, inside their folder, or not at all."""

import errno
import hashlib
import inspect
import io
import os
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from tarballs import tarred

from jaxseq.api.datasets import archives
from jaxseq.api.files.refusal import FileRejected
from jaxseq.utils import get_file
from jaxseq.utils.data_utils import get_file as get_file_of_keras_2

CONTENT = b"Der Mensch ist ein Seil" * 100


def zipped(members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name) if isinstance(name, str) else name, content)
    return held.getvalue()


FILES = [("roses/1.txt", b"red"), ("roses/2.txt", b"white"), ("readme", b"flowers")]
ARCHIVES = {"zip": zipped(FILES), "tar": tarred(FILES, "w"), "tar.gz": tarred(FILES), "tar.bz2": tarred(FILES, "w:bz2")}


def tree(folder):
    folder = Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def serve(server):
    """serve(name, content) -> its address."""
    def put(name, content):
        server.pages[f"/{name}"] = content
        return server.url(f"/{name}")

    return put


def test_its_arguments_are_keras_s():
    assert get_file_of_keras_2 is get_file
    told = lambda function: [(each.name, each.default) for each in inspect.signature(function).parameters.values()]
    assert told(get_file) == told(keras.utils.get_file)


def test_a_file_is_fetched_once(serve, server, folders):
    url = serve("n.txt", CONTENT)
    for _ in range(2):
        path = get_file("nietzsche.txt", url)
        assert type(path) is str and Path(path) == folders.kept / "nietzsche.txt" and Path(path).read_bytes() == CONTENT
    assert server.asked == ["/n.txt"]
    get_file("nietzsche.txt", url, force_download=True)
    assert server.asked == ["/n.txt"] * 2


def test_where_it_lies(serve, folders, tmp_path):
    url = serve("n.txt", CONTENT) + "?token=1/2"
    assert Path(get_file(origin=url)) == folders.kept / "n.txt"
    assert Path(get_file("a", url, cache_subdir="models")) == folders.kept.parent / "models" / "a"
    assert Path(get_file("a", url, cache_dir=tmp_path / "c")) == tmp_path / "c" / "datasets" / "a"
    assert Path(get_file(Path("b"), url, cache_dir=str(tmp_path), cache_subdir="")) == tmp_path / "b"
    assert Path(get_file("a", url, cache_subdir=str(tmp_path / "d"))) == tmp_path / "d" / "a"


def test_the_users_own_folder_is_looked_in(folders, monkeypatch):
    monkeypatch.setenv("JAXSEQ_DATA", str(folders.own))
    (folders.own / "a.txt").write_bytes(CONTENT)
    (folders.own / "f.zip").write_bytes(ARCHIVES["zip"])
    assert Path(get_file("a.txt", "http://127.0.0.1:9/a.txt")) == folders.own / "a.txt"
    folder = get_file("flowers", "http://127.0.0.1:9/f.zip", extract=True)
    assert Path(folder) == folders.kept / "flowers" and tree(folder) == dict(FILES)


@pytest.mark.parametrize("words", [
    {"file_hash": hashlib.sha256(CONTENT).hexdigest()}, {"file_hash": hashlib.md5(CONTENT).hexdigest().upper()},
    {"md5_hash": hashlib.md5(CONTENT).hexdigest()},
    {"file_hash": hashlib.sha256(CONTENT).hexdigest(), "hash_algorithm": "sha256", "md5_hash": "unused"},
])
def test_a_hash_is_checked(words, serve, server, folders):
    get_file("a", serve("a", CONTENT), **words)
    (folders.kept / "a").write_bytes(b"changed")
    assert Path(get_file("a", serve("a", CONTENT), **words)).read_bytes() == CONTENT and len(server.asked) == 2
    with pytest.raises(FileNotFoundError, match="it has the checksum (md5|sha256):[0-9a-f]+; (md5|sha256):[0-9a-f]+ is wanted"):
        get_file("b", serve("b", CONTENT[1:]), **words)
    assert os.listdir(folders.kept) == ["a"]


def test_without_a_hash_half_a_file_is_none(server, folders):
    server.pages["/a"] = lambda handler: handler.answer(CONTENT[:900], len(CONTENT))
    with pytest.raises(FileNotFoundError, match="^a is not on this machine and could not be downloaded"):
        get_file("a", server.url("/a"))
    assert os.listdir(folders.kept) == []


@pytest.mark.parametrize("words, fault", [
    ({"fname": "a"}, "get_file needs the address of the file: write origin='https://...'."),
    ({"origin": "http://h/"}, "fname=None, origin='http://h/': write a name without folders as fname, and the folder as"),
    ({"fname": "a/b", "origin": "http://h/a"}, "fname='a/b', origin='http://h/a': write a name without folders as fname"),
    ({"fname": "..", "origin": "http://h/a"}, "fname='..', origin='http://h/a': write a name without folders"),
    ({"origin": "http://h/a", "extract": True, "archive_format": "rar"}, "archive_format='rar': write one of 'tar', 'zip'."),
    ({"origin": "http://h/a", "extract": True, "archive_format": None}, "archive_format=None leaves nothing to unpack with:"),
    ({"origin": "http://h/a", "file_hash": "0", "hash_algorithm": "crc"}, "hash_algorithm='crc': write one of 'auto', "),
])
def test_arguments_that_do_not_fit(words, fault):
    with pytest.raises(ValueError, match=f"^{re.escape(fault)}"):
        get_file(**words)


# ---- archives


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("fname", [None, "flowers", "flowers.tgz"])
def test_an_archive_lies_where_keras_puts_it(kind, fname, serve, folders, tmp_path):
    url = serve(f"f.{kind}", ARCHIVES[kind])
    path = get_file(fname, url, extract=True)
    theirs = keras.utils.get_file(fname, url, extract=True, cache_dir=tmp_path)
    assert Path(path).name == Path(theirs).name and tree(path) == tree(theirs) == dict(FILES)
    assert sorted(os.listdir(folders.kept)) == sorted(os.listdir(tmp_path / "datasets"))


def test_untar(serve):
    assert tree(get_file("f", serve("f.tar.gz", ARCHIVES["tar.gz"]), untar=True)) == dict(FILES)
    with pytest.raises(FileRejected, match="f.zip_archive: is no archive of the kind tar.$|f.zip_archive: is no archive"):
        get_file(origin=serve("f.zip", ARCHIVES["zip"]), untar=True)
    assert tree(get_file("g", serve("f.zip", ARCHIVES["zip"]), extract=True, archive_format=["zip"])) == dict(FILES)


def test_what_is_unpacked_stays_until_the_archive_is_another(serve, folders):
    path = Path(get_file("f", serve("f.zip", ARCHIVES["zip"]), extract=True))
    (path / "mine").write_bytes(b"notes")
    assert get_file("f", serve("f.zip", ARCHIVES["zip"]), extract=True) == str(path) and (path / "mine").exists()
    get_file("f", serve("f.zip", zipped([("new", b"1")])), extract=True, force_download=True)
    assert tree(path) == {"new": b"1"} and sorted(os.listdir(folders.kept)) == ["f", "f_archive"]


OUT = "leads out of the folder that it is unpacked to."
LINK = "is a link or a device; files and folders are unpacked, and nothing else."
HOSTILE = {
    "up": (tarred([*FILES, ("../harm", b"x")]), f"'../harm': {OUT}"), "up by zip": (zipped([*FILES, ("../harm", b"x")]), OUT),
    "deep": (tarred([("a/b/../../../harm", b"x")]), OUT), "root": (tarred([("/tmp/harm", b"x")]), f"'/tmp/harm': {OUT}"),
    "root by zip": (zipped([("/tmp/harm", b"x")]), OUT), "windows": (zipped([("..\\harm", b"x")]), OUT),
    "drive": (tarred([("C:\\harm", b"x")]), OUT), "link": (tarred([("l", (tarfile.SYMTYPE, "/etc"))]), f"'l': {LINK}"),
    "link inside": (tarred([*FILES, ("l", (tarfile.SYMTYPE, "readme"))]), LINK),
    "hard link": (tarred([("l", (tarfile.LNKTYPE, "/etc/passwd"))]), LINK),
    "pipe": (tarred([("p", (tarfile.FIFOTYPE, ""))]), LINK),
    "device": (tarred([("d", (tarfile.BLKTYPE, ""))]), LINK),
    "no archive": (b"no archive", "is no archive of the kind tar or zip."),
    "damaged": (ARCHIVES["zip"].replace(b"white", b"black"), "this archive is damaged: "),
    "cut off": (tarred([("a", os.urandom(9000))])[:5000], "this archive is damaged: "), "empty": (b"", "is no archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_means_harm_is_refused_as_a_whole(name, serve, folders):
    content, fault = HOSTILE[name]
    old = Path(get_file("f", serve("f", ARCHIVES["zip"]), extract=True))
    before = sorted(os.listdir(folders.kept.parent))
    with pytest.raises(FileRejected, match=f"^{re.escape(str(folders.kept / 'f_archive'))}: .*{re.escape(fault)}"):
        get_file("f", serve("f", content), extract=True, force_download=True)
    assert tree(old) == dict(FILES) and sorted(os.listdir(folders.kept)) == ["f", "f_archive"]
    assert sorted(os.listdir(folders.kept.parent)) == before


def test_a_link_of_a_zip_is_a_file(serve):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    path = Path(get_file("f", serve("f", zipped([(info, b"/etc/passwd")])), extract=True), "link")
    assert not path.is_symlink() and path.read_bytes() == b"/etc/passwd"


def test_what_the_disk_has_no_room_for_is_not_begun(serve, folders, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(OSError, match=re.escape(f"f_archive holds 15 bytes or more, and 10 are free in {folders.kept}. "
                                                "Make room, or pass another cache_dir.")):
        get_file("f", serve("f", ARCHIVES["tar"]), extract=True)
    assert os.listdir(folders.kept) == ["f_archive"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing(error, serve, folders, monkeypatch):
    def extractall(archive, folder, **_):
        (folder / "half").write_bytes(b"x")
        raise error

    monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)
    with pytest.raises(type(error)) as caught:
        get_file("f", serve("f", ARCHIVES["tar"]), extract=True)
    if isinstance(error, OSError):
        assert caught.value.filename == str(folders.kept / "f") and "Make room" in caught.value.__notes__[0]
    assert os.listdir(folders.kept) == ["f_archive"]


def test_keras_leaves_out_what_is_refused_here(serve, tmp_path):
    """Rows of docs/differences.md, with the two tests that follow."""
    url = serve("f", HOSTILE["up by zip"][0])
    with pytest.warns(UserWarning, match="Skipping invalid path"):
        theirs = keras.utils.get_file("f", url, extract=True, cache_dir=tmp_path)
    assert tree(theirs) == dict(FILES)
    with pytest.raises(FileRejected):
        get_file("f", url, extract=True)


def test_keras_only_warns_of_what_is_no_archive(serve, tmp_path):
    url = serve("f", b"no archive")
    with pytest.warns(UserWarning, match="Could not extract archive"):
        assert not Path(keras.utils.get_file("f", url, extract=True, cache_dir=tmp_path)).exists()
    with pytest.raises(FileRejected, match="is no archive of the kind tar or zip"):
        get_file("f", url, extract=True)


def test_keras_unpacks_every_time(serve, tmp_path):
    url = serve("f", ARCHIVES["zip"])
    for function, kept in (lambda *a, **k: keras.utils.get_file(*a, **k, cache_dir=tmp_path), False), (get_file, True):
        mine = Path(function("f", url, extract=True), "readme")
        mine.write_bytes(b"mine")
        function("f", url, extract=True)
        assert (mine.read_bytes() == b"mine") == kept


def test_formats():
    assert archives.formats("auto") == ("tar", "zip") and archives.formats(["zip"]) == ("zip",)
    assert sys.version_info < (3, 11, 4) or hasattr(tarfile, "data_filter")
