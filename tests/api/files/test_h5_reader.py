"""Our own reader of HDF5 and the library of HDF5 find the same in every file, whatever form it was written in."""

import io
import random
from pathlib import Path

import h5py
import numpy as np
import pytest
from small import perceptron

from jaxseq.api.files import hdf5
from jaxseq.api.files.h5 import arrays, pieces, reader
from jaxseq.api.files.refusal import Source
from jaxseq.models import FileRejected, Sequential

DRAW = np.random.default_rng(0)
FORMS = "earliest", ("v108", "v108"), ("v110", "v110"), ("v112", "v112"), "latest"


def compare(mine, theirs, at=""):
    """Everything in a group, and below it: names, attributes, shapes, types, numbers, and the bytes they take."""
    assert mine.links.keys() == set(theirs), at
    compare_attributes(mine, theirs)
    for name, node in theirs.items():
        found = mine.open(name)
        if isinstance(node, h5py.Group):
            compare(found, node, f"{at}/{name}")
            continue
        compare_attributes(found, node)
        assert (found.shape, found.stored) == (node.shape, node.id.get_storage_size()), (at, name)
        if found.dtype is not None:
            assert found.dtype == node.dtype and found.read().tobytes() == np.asarray(node[()]).tobytes(), (at, name)
        else:
            assert node.dtype.kind in "bcSO"


def compare_attributes(mine, theirs):
    assert mine.attributes.keys() == set(theirs.attrs)
    for name, value in theirs.attrs.items():
        if np.asarray(value).dtype.kind in "SUO":
            told = [each.decode() if isinstance(each, bytes) else each for each in np.asarray(value, object).flat]
            assert mine.attributes[name].texts() == told


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_file_of_any_form_is_read_as_the_library_of_hdf5_reads_it(form, order):
    held = io.BytesIO()
    with h5py.File(held, "w", libver=form, track_order=order) as root:
        fill(root, order)
    with h5py.File(held, "r") as root:
        compare(reader.root(held), root)


def fill(root, order):
    """All that a file of weights may hold, and some things more."""
    for number in range(120):                                   # so many that newer files keep them in a heap
        group = root.create_group(f"layers/layer_{number}", track_order=order)
        group.attrs["name"] = "é" * number
    for number in range(20):
        root["layers"].attrs[f"list_{number}"] = [b"x" * number, b"yy"]
    for kind in "f2", "<f4", ">f4", "f8", "i1", "u2", "<i8", ">i4":
        root[f"kinds/{kind}"] = DRAW.integers(0, 50, (3, 4)).astype(kind)
    numbers = lambda *shape: DRAW.normal(size=shape).astype(np.float32)
    for number, how in enumerate(({"compression": "gzip"}, {"shuffle": True, "compression": "gzip"}, {"fletcher32": True}, {},
                                  {"fletcher32": True, "shuffle": True, "compression": 9})):
        root.create_dataset(f"packed/{number}", data=numbers(13, 9), chunks=(4, 5), **how)
        root.create_dataset(f"whole/{number}", data=numbers(13, 9), chunks=(13, 9), **how)
        root.create_dataset(f"many/{number}", data=numbers(3000), chunks=(2,), **how)
    root["one"], root["empty"], root["large"] = np.float32(3), np.zeros((0, 4), "f4"), numbers(200, 100)
    root["two bytes"] = np.zeros(3, "V2")
    root["two bytes"].attrs["dtype"] = "bfloat16"
    root["text"], root["yes"], root["complex"] = np.array([b"a"]), [True], [1j]
    root.attrs["config"], root.attrs["nothing"], root.attrs["numbers"] = b"x" * 3000, [], [1.5]


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "keras2").glob("*.h5")), ids=lambda path: path.stem)
def test_files_of_keras_2_are_read_as_the_library_of_hdf5_reads_them(path):
    with h5py.File(path) as theirs, open(path, "rb") as file:
        compare(reader.root(file), theirs)


def test_very_many_groups_are_found():
    held = io.BytesIO()
    with h5py.File(held, "w", libver=("v110", "v110")) as root:
        for number in range(3000):
            root.create_group(f"a group with a name that takes some room {number}")
    assert len(reader.root(held).links) == 3000


def test_checksums_are_those_of_others():
    assert pieces.checksum(b"") == 0xDEADBEEF
    assert pieces.checksum(b"Four score and seven years ago") == 0x17770551         # from Jenkins's own page
    for size in 0, 1, 2, 7, 719, 720, 721, 200_001:
        content = DRAW.integers(0, 256, size, dtype=np.uint8).tobytes()
        assert arrays.fletcher32(content) == slowly(content)
    assert arrays.fletcher32(bytes(100)) == 0


def slowly(content):
    one = two = 0
    for place in range(0, len(content), 2):
        one = one + int.from_bytes(content[place:place + 2].ljust(2, b"\0"), "big")
        two = two + one
    return ((two - 1) % 65535 + 1) << 16 | (one - 1) % 65535 + 1 if content else 0


@pytest.mark.full
def test_every_flipped_bit_of_what_we_write_is_noticed_or_says_nothing(tmp_path):
    """Of a model with so many layers that their names lie in a heap."""
    from jaxseq.layers import Dense

    model = Sequential([Dense(2, input_shape=(2,)), *(Dense(2) for _ in range(11))], seed=0)
    model.save_weights(tmp_path / "w.weights.h5")
    whole = (tmp_path / "w.weights.h5").read_bytes()
    wanted, draw = everything(whole), random.Random(3)
    assert b"FRHP" in whole and b"BTLF" in whole
    refused = 0
    for bit in draw.choices(range(8 * len(whole)), k=1500):
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        try:
            assert everything(bytes(turned)) == wanted
        except ValueError:
            refused += 1
    assert refused > 500


def everything(content):
    found = hdf5.survey(Source("x"), reader.root(io.BytesIO(content)))
    return {path: node.read().tobytes() for path, node in found.items()}


def test_what_is_said_without_end_is_not_read():
    image = pieces.Image(io.BytesIO(bytes(100)))
    with pytest.raises(pieces.Damaged, match="more of itself than"):
        for _ in range(pieces.STEPS + 1):
            image.at(0, 1)
    image = pieces.Image(io.BytesIO(bytes(2**20)))
    with pytest.raises(pieces.Damaged, match="more of itself than"):
        for _ in range(100):
            image.at(0, 2**20)


def test_weights_are_read_without_the_library_of_hdf5(tmp_path, monkeypatch):
    perceptron().save(tmp_path / "m.keras")
    model = perceptron(seed=1)
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("h5py opens a file"))
    model.load_weights(tmp_path / "m.keras")
    (tmp_path / "w.weights.h5").write_bytes(b"x")
    with pytest.raises(FileRejected, match="it does not begin as one"):
        model.load_weights(tmp_path / "w.weights.h5")
