"""The reader of pickles: what NumPy and Python 2 wrote comes out as `pickle` gives it, and nothing else does."""

import io
import os
import pickle
import pickletools
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq.api.datasets import npz
from jaxseq.api.datasets.unpickled import CONTAINERS, OPCODES, unpickled
from jaxseq.api.files.refusal import FileRejected, Source

PYTHON2 = Path(__file__).parent / "python2"
SOURCE = Source("words.npz")


def lists(*rows):
    array = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        array[place] = row
    return array


ROWS = lists([1, 255, 256, 65535, 65536, 2**31 - 1, -1, -(2**31)], [], [7], list(range(3000)), [3])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("rows", [ROWS, lists(), lists([1, 2], [3, 4]), lists(*[[n] for n in range(2500)])], ids=len)
def test_arrays_of_lists_that_numpy_wrote(rows, protocol):
    found = unpickled(SOURCE, pickle.dumps(rows, protocol))
    assert found.dtype == object and found.shape == rows.shape and found.tolist() == rows.tolist()


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_batch_that_python_3_wrote(protocol):
    batch = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [4, 5], "filenames": ["a", "b"], "none": None}
    found = unpickled(SOURCE, pickle.dumps(batch, protocol))
    assert_array_equal(found.pop("data"), batch.pop("data"))
    assert found == batch


@pytest.mark.parametrize("name", ["cifar10_batch.pickle", "cifar100_part.pickle"])
def test_a_batch_that_python_2_wrote(name):
    content = (PYTHON2 / name).read_bytes()
    found, theirs = unpickled(SOURCE, content), pickle.loads(content, encoding="latin1")
    assert found.keys() == theirs.keys() and found["data"].dtype == np.uint8
    assert_array_equal(found.pop("data"), theirs.pop("data"))
    assert found == theirs


def test_lists_that_python_2_wrote():
    with np.load(PYTHON2 / "words.npz", allow_pickle=True, encoding="latin1") as theirs:
        rows, = npz.lists(PYTHON2 / "words.npz", "x")
        assert rows.tolist() == theirs["x"].tolist() and [len(row) for row in rows] == [3, 0, 400, 1]
        assert_array_equal(npz.numbers(PYTHON2 / "words.npz", "y")[0], theirs["y"])


# ---- what is refused


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "a shell": pickle.dumps(Calls(os.system, "touch harm")), "eval": pickle.dumps(Calls(eval, "open('harm', 'w')")),
    "a file": pickle.dumps(Calls(open, "harm", "w"), 2), "by name": b"cos\nsystem\n(S'touch harm'\ntR.",
    "an instance": b"(ios\nsystem\nS'touch harm'\n.", "an extension": b"\x80\x02\x82\x01.", "persistent": b"Pharm\n.",
    "a class of one's own": b"\x80\x02cos\nsystem\n)\x81.", "keywords": b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.",
    "an attribute of numpy": b"\x80\x02cnumpy\nload\nU\x04harm\x85R.",
    "another dtype": b"\x80\x02cnumpy\ndtype\nU\x02V9K\x00K\x01\x87R.",
    "a codec": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00base64\x86R.",
    "a large beginning": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R.",
    "attributes": b"\x80\x02}}U\x01aK\x01sb.", "a float": pickle.dumps([0.5]), "a set": pickle.dumps({1}),
    "a large number": pickle.dumps([2**80]), "old text": pickle.dumps([1], 0),
    "an array of floats": pickle.dumps(np.ones(3), 4),
    "out of memory": b"\x80\x02\x8b\xff\xff\xff\x7f.", "no bytes": b"", "no end": pickle.dumps([1, 2])[:-1],
    "two results": b"\x80\x02K\x01K\x02.", "no result": b"\x80\x02.", "an empty stack": b"\x80\x02\x85.",
    "no mark": b"\x80\x02]e.",
    "too few": b"\x80\x02K\x01\x87.", "what was not memorized": b"\x80\x02h\x00.", "a list as a key": b"\x80\x02}]K\x01s.",
    "a key alone": b"\x80\x02}(U\x01au.", "to a number": b"\x80\x02K\x01K\x02a.", "a name to call": b"\x80\x02K\x01)R.",
    "a length that lies": b"\x80\x02T\xff\xff\xff\x7fab.", "a negative length": b"\x80\x02T\xff\xff\xff\xffab.",
    "many lists": b"\x80\x02(" + b"]" * (CONTAINERS + 1) + b"t.",
}


@pytest.fixture(scope="module")
def done():
    """What Python was asked to do: names of audit events. A hook is for ever, so it minds what happens while `done` is open."""
    seen, minds = [], [True]
    sys.addaudithook(lambda event, _: seen.append(event) if minds[0] else None)
    yield seen
    minds[0] = False


@pytest.mark.parametrize("name", HOSTILE)
def test_a_pickle_that_means_harm_is_refused(name, tmp_path, monkeypatch, done):
    monkeypatch.chdir(tmp_path)
    done.clear()
    try:
        unpickled(SOURCE, HOSTILE[name])
    except FileRejected as error:
        events, refusal = [*done], str(error)
    assert refusal.startswith("words.npz: this pickle holds what no data set does, or is damaged: ")
    assert events == [] and not os.path.exists("harm")


def test_the_watch_sees_what_pickle_would_do(done):
    done.clear()
    pickle.loads(b"cos\ngetcwd\n.")
    assert "pickle.find_class" in done


def test_no_opcode_finds_a_class_or_makes_an_object_but_those_that_are_looked_at():
    names = {opcode.name for opcode in pickletools.opcodes if opcode.code.encode("latin1") in OPCODES}
    assert not names & {"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "STRING", "LONG4",
                        "INT", "FLOAT", "NEXT_BUFFER", "BYTEARRAY8", "BINUNICODE8", "BINBYTES8"}
    assert len(names) == len(OPCODES) == 35


def test_every_cut_and_every_flipped_byte_is_refused_or_gives_numbers():
    content = pickle.dumps(lists([1, 70000], [300]), 4)
    for end in range(len(content)):
        with pytest.raises(FileRejected):
            unpickled(SOURCE, content[:end])
    plain = (int, str, bytes, bool, type(None), list, tuple, dict, np.ndarray, np.dtype)
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            try:
                found = unpickled(SOURCE, bytes(changed))
            except FileRejected:
                continue
            assert isinstance(found, plain) or "_Blank" in repr(found) or "_Name" in type(found).__name__


# ---- the file around it


def written(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_what_the_lists_of_a_file_must_be(tmp_path):
    path = tmp_path / "f.npz"
    shared = [1] * 400
    for array, fault in (
            (np.arange(3), "x: int64 of shape (3,), and no row of lists."),
            (lists([1], [[2]]), "x: holds something that is no whole number."),
            (lists([1], [True]), "x: holds something that is no whole number."),
            (lists([1], ["a"]), "x: holds something that is no whole number."),
            (lists([1], 5), "x: does not hold 2 lists."),
            (lists(*[shared] * 300), "x: 120,000 numbers of "),
            (np.empty((1, 1), object), "x: object of shape (1, 1), and no row of lists.")):
        with pytest.raises(FileRejected, match=re.escape(f"{path}: {fault}")):
            npz.lists(written(path, x=array), "x")
    with pytest.raises(FileRejected, match=re.escape(f"{path}: this is no whole .npz file: ")):
        npz.lists(path, "y")
    with pytest.raises(FileRejected, match=re.escape(f"{path}: this is no whole .npz file: ")):
        npz.numbers(path, "x")                              # objects are no numbers


def test_a_member_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "LARGEST", 100)
    path = written(tmp_path / "f.npz", x=ROWS)
    with pytest.raises(FileRejected, match=re.escape("bytes, and at most 100 are read.")):
        npz.lists(path, "x")


@pytest.mark.parametrize("read", [npz.lists, npz.numbers])
def test_a_damaged_file(read, tmp_path):
    path = written(tmp_path / "f.npz", x=ROWS, y=np.arange(1000))
    content, name = path.read_bytes(), "x" if read is npz.lists else "y"
    for end in 0, 10, len(content) // 2, len(content) - 1:
        path.write_bytes(content[:end])
        with pytest.raises(FileRejected, match=re.escape(f"{path}: this is no whole .npz file")):
            read(path, name)
    middle = content.index(b"NUMPY", content.index(f"{name}.npy".encode())) + 300
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:])
    with pytest.raises(FileRejected):
        read(path, name)


def test_version_2_of_the_header(tmp_path):
    path, held = tmp_path / "f.npz", io.BytesIO()
    np.lib.format.write_array(held, lists([1], [2, 3]), version=(2, 0))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", held.getvalue())
    assert npz.lists(path, "x")[0].tolist() == [[1], [2, 3]]
