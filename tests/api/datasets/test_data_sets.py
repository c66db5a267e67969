"""Every data set, from small files of its true form: arguments, shapes, dtypes and rows as Keras gives them."""

import gzip
import importlib
import inspect
import io
import json
import pickle
import re
import struct
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tarballs import tarred

from jaxseq import datasets
from jaxseq.api.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    fetch,
    imdb,
    mnist,
    reuters,
)
from jaxseq.api.files.refusal import FileRejected

PYTHON2 = Path(__file__).parent / "python2"
NAMES = ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]
DRAW = np.random.Generator(np.random.Philox(5))


def npz(**arrays):
    held = io.BytesIO()
    np.savez(held, **arrays)
    return held.getvalue()


def texts(count, longest=30):
    rows = np.empty(count, object)
    for place in range(count):
        rows[place] = DRAW.integers(1, 200, DRAW.integers(1, longest)).tolist()
    return rows


WORDS = npz(x_train=texts(40), y_train=DRAW.integers(0, 2, 40), x_test=texts(25), y_test=DRAW.integers(0, 2, 25))
NEWS = npz(x=texts(60), y=DRAW.integers(0, 46, 60))
HOUSES = npz(x=DRAW.normal(size=(700, 8)), y=DRAW.normal(size=700))


@pytest.fixture
def keras_reads(given, monkeypatch):
    """keras_reads(module, content): Keras's module of the same name reads the file that ours reads, without a checksum."""
    def read(module, content):
        place = given(module, "FILE", content)
        theirs = importlib.import_module(module.__name__.replace("jaxseq.api", "keras.src"))
        monkeypatch.setattr(theirs, "get_file", lambda *_, **__: str(place))
        return theirs

    return read


def same(ours, theirs):
    for (x, y), (their_x, their_y) in zip(ours, theirs, strict=True):
        assert x.shape == their_x.shape and x.dtype == their_x.dtype and y.shape == their_y.shape and y.dtype == their_y.dtype
        assert x.tolist() == their_x.tolist() and y.tolist() == their_y.tolist()
        assert x.flags.writeable and y.flags.writeable


# ---- the doors


def arguments(function):
    """(name, default) of every argument, but those for old programs: **kwargs, and what is written for it here."""
    taken = inspect.signature(function).parameters.values()
    return [(each.name, each.default) for each in taken if each.kind is not each.VAR_KEYWORD and each.name != "nb_words"]


@pytest.mark.parametrize("name", NAMES)
def test_what_keras_has_is_here_with_its_arguments(name):
    theirs, ours = getattr(keras.datasets, name), importlib.import_module(f"jaxseq.datasets.{name}")
    assert ours is getattr(datasets, name)
    functions = [each for each in dir(theirs) if inspect.isfunction(getattr(theirs, each))]
    assert "load_data" in functions
    for each in functions:
        assert arguments(getattr(ours, each)) == arguments(getattr(theirs, each)), each


def files_of(module):
    files = vars(module)
    return [*(files[each] for each in ("FILE", "INDEX") if each in files), *files.get("FILES", {}).values()]


@pytest.mark.parametrize("module", [boston_housing, california_housing, cifar10, cifar100, imdb, mnist, reuters])
def test_checksums_and_addresses_are_keras_s(module):
    source = inspect.getsource(importlib.import_module(module.__name__.replace("jaxseq.api", "keras.src")))
    for file in files_of(module):
        checksum, = file.checksums
        kind, _, digest = checksum.partition(":")
        assert digest in source and len(digest) == {"sha256": 64, "md5": 32}[kind]
        assert file.urls[0].rsplit("/", 1)[1] in source and file.urls[0].rsplit("/", 1)[0] in source
        assert all(url.startswith("https://") for url in file.urls)


def test_a_file_that_is_nowhere_is_named(monkeypatch):
    monkeypatch.setattr(imdb, "FILE", imdb.FILE._replace(urls=("http://127.0.0.1:9/imdb.npz",)))
    with pytest.raises(FileNotFoundError, match="^imdb.npz is not on this machine") as caught:
        datasets.imdb.load_data()
    assert imdb.FILE.checksums[0] in str(caught.value) and "JAXSEQ_DATA" in str(caught.value)


# ---- texts


ARGUMENTS = [
    {}, {"num_words": 50}, {"skip_top": 20}, {"num_words": 100, "skip_top": 10, "oov_char": None}, {"maxlen": 12}, {"seed": 7},
    {"start_char": None}, {"start_char": None, "index_from": 0}, {"start_char": None, "index_from": None}, {"index_from": 5},
    {"start_char": 9, "oov_char": 8, "num_words": 60, "maxlen": 20, "seed": 0}, {"start_char": None, "oov_char": None},
]


@pytest.mark.parametrize("words", ARGUMENTS, ids=str)
def test_imdb_is_keras_s(words, keras_reads):
    theirs = keras_reads(imdb, WORDS)
    same(imdb.load_data(**words), theirs.load_data(**words))


@pytest.mark.parametrize("words", [*ARGUMENTS, {"test_split": 0.5}, {"test_split": 0}], ids=str)
def test_reuters_is_keras_s(words, keras_reads):
    theirs = keras_reads(reuters, NEWS)
    same(reuters.load_data(**words), theirs.load_data(**words))


def test_nb_words_is_the_old_num_words(keras_reads):
    keras_reads(imdb, WORDS)
    keras_reads(reuters, NEWS)
    for module in imdb, reuters:
        same(module.load_data(nb_words=50), module.load_data(num_words=50))
        with pytest.raises(TypeError, match="^load_data takes no argument 'num_word'. Did you mean 'num_words' or "):
            module.load_data(num_word=50)


def test_rows_of_one_length_stay_lists(keras_reads):
    """Keras makes a table of them, where jaxseq keeps to the one form."""
    rows = np.empty(10, object)
    for place in range(10):
        rows[place] = [place + 1, 20]
    theirs = keras_reads(reuters, npz(x=rows, y=np.arange(10)))
    (x, _), _ = reuters.load_data()
    assert x.shape == (8,) and type(x[0]) is list and len(x[0]) == 3
    assert theirs.load_data()[0][0].shape == (8, 3)


def test_what_keras_takes_and_jaxseq_does_not(keras_reads):
    """Rows of docs/differences.md."""
    theirs = keras_reads(reuters, NEWS)
    for words, rows in ({"test_split": 1.5}, 30), ({"seed": None}, 48):
        assert len(theirs.load_data(**words)[0][0]) == rows
        with pytest.raises(ValueError):
            reuters.load_data(**words)


@pytest.mark.parametrize("module, content", [(imdb, WORDS), (reuters, NEWS)])
def test_a_maxlen_that_leaves_nothing(module, content, keras_reads):
    keras_reads(module, content)
    with pytest.raises(ValueError, match=r"^maxlen=1 leaves no row: the shortest has \d numbers.$"):
        module.load_data(maxlen=1)


@pytest.mark.parametrize("module", [imdb, reuters])
def test_the_index_of_words(module, given):
    index = {"the": 1, "déjà": 2}
    given(module, "INDEX", json.dumps(index, ensure_ascii=False).encode())
    assert module.get_word_index() == index
    for content in b"[1]", b'{"a": "b"}', b'{"a":', b"\xff", b"[" * 100000:
        place = given(module, "INDEX", content)
        with pytest.raises(FileRejected, match=f"^{re.escape(str(place))}: "):
            module.get_word_index()


def test_the_topics_are_keras_s():
    assert reuters.get_label_names() == keras.datasets.reuters.get_label_names() and len(reuters.get_label_names()) == 46


def test_the_file_of_python_2(given):
    given(reuters, "FILE", (PYTHON2 / "words.npz").read_bytes())
    (x, y), (x_test, y_test) = reuters.load_data(start_char=None, index_from=0, num_words=10**6)
    assert sorted([*map(len, x), *map(len, x_test)]) == [0, 1, 3, 400] and sorted([*y, *y_test]) == [0, 3, 4, 45]


# ---- houses


@pytest.mark.parametrize("words", [{}, {"test_split": 0.5}, {"test_split": 0}, {"seed": 7}], ids=str)
@pytest.mark.parametrize("module", [boston_housing, california_housing])
def test_houses_are_keras_s(module, words, keras_reads):
    theirs = keras_reads(module, HOUSES)
    same(module.load_data(**words), theirs.load_data(**words))


def test_the_small_version(keras_reads):
    theirs = keras_reads(california_housing, HOUSES)
    same(california_housing.load_data("small"), theirs.load_data("small"))
    with pytest.raises(ValueError, match="^version='medium': write one of 'large', 'small'.$"):
        california_housing.load_data("medium")


@pytest.mark.parametrize("module", [boston_housing, california_housing, reuters, imdb])
def test_seeds_and_shares_that_are_none(module):
    for seed in -1, 2**32, 0.5, None, True:
        with pytest.raises(ValueError, match=re.escape(f"seed={seed!r}: write a whole number from 0 to 2**32 - 1.")):
            module.load_data(seed=seed)
    for share in (1, -0.1, float("nan")) if module is not imdb else ():
        with pytest.raises(ValueError, match=re.escape(f"test_split={share!r}: write the share of the rows to hold out")):
            module.load_data(test_split=share)


def test_the_global_generator_is_left_alone(keras_reads):
    for module, content in (imdb, WORDS), (reuters, NEWS), (boston_housing, HOUSES):
        keras_reads(module, content)
        before = np.random.get_state()
        module.load_data()
        assert_array_equal(before[1], np.random.get_state()[1])


# ---- images


def test_mnist_is_keras_s(keras_reads, folders):
    images = lambda n: DRAW.integers(0, 256, (n, 28, 28)).astype(np.uint8)
    labels = lambda n: DRAW.integers(0, 10, n).astype(np.uint8)
    theirs = keras_reads(mnist, npz(x_train=images(6), y_train=labels(6), x_test=images(2), y_test=labels(2)))
    same(mnist.load_data(), theirs.load_data())
    (folders.kept / "mnist.npz").rename(folders.kept / "other.npz")
    assert len(mnist.load_data(path="other.npz")[0][0]) == 6
    assert len(mnist.load_data(folders.kept / "other.npz")[0][0]) == 6


def idx(array, kind=8):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


def test_fashion_mnist_is_keras_s(folders, monkeypatch):
    theirs, files = keras.src.datasets.fashion_mnist, {}
    for name, rows in ("x_train", 5), ("y_train", 5), ("x_test", 2), ("y_test", 2):
        content = idx(DRAW.integers(0, 256, (rows, 28, 28) if name[0] == "x" else rows).astype(np.uint8))
        files[name] = fashion_mnist.FILES[name]._replace(checksums=())
        place = folders.keras / files[name].name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(theirs, "get_file", lambda name, **_: str(folders.keras / "fashion-mnist" / name))
    same(fashion_mnist.load_data(), theirs.load_data())


@pytest.mark.parametrize("content, fault", [
    (idx(np.zeros((2, 28, 28), np.int16), 11), "begins with 0x00000b03; bytes along 3 axes begin with 0x00000803."),
    (idx(np.zeros(5, np.uint8)), "this is no whole IDX file: "),
    (idx(np.zeros(50, np.uint8)), "begins with 0x00000801; bytes along 3 axes begin with 0x00000803."),
    (gzip.compress(struct.pack(">4I", 0x803, 2, 2, 2) + bytes(7)), "has less than the 8 bytes of (2, 2, 2)."),
    (gzip.compress(struct.pack(">4I", 0x803, 2, 2, 2) + bytes(9)), "has more than the 8 bytes of (2, 2, 2)."),
    (gzip.compress(struct.pack(">4I", 0x803, *[2**32 - 1] * 3)), "and at most 268,435,456 are read."),
    (idx(np.zeros((2, 28, 28), np.uint8))[:-9], "this is no whole IDX file: "), (b"", "this is no whole IDX file: "),
    (b"no gzip", "this is no whole IDX file: "),
], ids=range(9))            # gzip writes the time into its file, and a name with it would be another in every process
def test_an_idx_file_that_is_not_whole(content, fault, tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(FileRejected, match=f"^{re.escape(str(path))}: .*{re.escape(fault)}"):
        fashion_mnist.read(path, 3)


DEBIAN = Path("/usr/share/datasets/fashion-mnist")
PACKED = {"train-images-idx3-ubyte": 1504176606, "train-labels-idx1-ubyte": 1504176606, "t10k-images-idx3-ubyte": 1504176627,
          "t10k-labels-idx1-ubyte": 1504176627}     # seconds: when the authors' files were packed, as their headers have it
debian = pytest.mark.skipif(not DEBIAN.is_dir(), reason="the package dataset-fashion-mnist is not installed")


@debian
@pytest.mark.parametrize("by_name", [False, True])
def test_the_real_fashion_mnist(by_name, monkeypatch):
    if by_name:
        monkeypatch.setenv("JAXSEQ_DATA", str(DEBIAN.parent))
    else:
        monkeypatch.setattr(fetch, "SYSTEM", DEBIAN.parent)
    (x, y), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert x.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28) and x.dtype == y.dtype == np.uint8
    assert np.bincount(y).tolist() == [6000] * 10 and np.bincount(y_test).tolist() == [1000] * 10
    assert round(x.mean(), 3) == 72.940 and x.max() == 255 and y[:4].tolist() == [9, 0, 0, 3]


@debian
def test_debians_files_hold_the_bytes_that_the_authors_published():
    """With the authors' header before it, what Debian packed has the authors' checksum."""
    for file in fashion_mnist.FILES.values():
        name = file.name.removeprefix("fashion-mnist/").removesuffix(".gz")
        header = b"\x1f\x8b\x08\x08" + struct.pack("<I", PACKED[name]) + b"\0\3" + name.encode() + b"\0"
        content = io.BytesIO(header + (DEBIAN / f"{name}.gz").read_bytes()[10:])
        assert fetch._fault(content, file.checksums[:1]) is None


# ---- CIFAR


BATCH, PART = (PYTHON2 / "cifar10_batch.pickle").read_bytes(), (PYTHON2 / "cifar100_part.pickle").read_bytes()
TEN = [(name, BATCH) for name in cifar10.MEMBERS]
HUNDRED = [(name, PART) for name in cifar100.MEMBERS]


def keras_batch(name, key):
    """(images, labels) as Keras reads a batch, with its last steps done here."""
    images, labels = keras.src.datasets.cifar.load_batch(PYTHON2 / name, label_key=key)
    return images.transpose(0, 2, 3, 1), np.reshape(labels, (-1, 1))


def test_cifar10_is_keras_s(given):
    given(cifar10, "FILE", tarred([("cifar-10-batches-py/batches.meta", b"other"), *reversed(TEN)]))
    (x, y), (x_test, y_test) = cifar10.load_data()
    images, labels = keras_batch("cifar10_batch.pickle", "labels")
    assert x.shape == (15, 32, 32, 3) and y.shape == (15, 1) and x.dtype == y.dtype == x_test.dtype == y_test.dtype == np.uint8
    assert_array_equal(x, np.concatenate([images] * 5))
    assert_array_equal(y, np.concatenate([labels] * 5))
    assert_array_equal(x_test, images)
    assert_array_equal(y_test, labels)
    assert x_test.flags.writeable and x_test.flags.c_contiguous


def test_the_batches_keep_their_order(given):
    held = {"data": np.zeros((2, 3072), np.uint8)}
    members = [(name, pickle.dumps(held | {"labels": [number] * 2}, 2)) for number, name in enumerate(cifar10.MEMBERS)]
    given(cifar10, "FILE", tarred(members[::-1]))
    (_, y), (_, y_test) = cifar10.load_data()
    assert y.ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and y_test.ravel().tolist() == [5, 5]


@pytest.mark.parametrize("mode", ["fine", "coarse"])
def test_cifar100_is_keras_s(mode, keras_reads, given, monkeypatch, tmp_path):
    theirs = keras_reads(cifar100, tarred(HUNDRED))
    for name in cifar100.MEMBERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PART)
    monkeypatch.setattr(theirs, "get_file", lambda *_, **__: str(tmp_path))
    same(cifar100.load_data(mode), theirs.load_data(mode))
    with pytest.raises(ValueError, match="^label_mode='rough': write one of 'fine', 'coarse'.$"):
        cifar100.load_data("rough")


def test_keras_s_archive_is_found(folders, monkeypatch):
    for module, name, content in (cifar10, "cifar-10-batches-py-target_archive", tarred(TEN)), \
                                 (cifar100, "cifar-100-python-target_archive", tarred(HUNDRED)):
        monkeypatch.setattr(module, "FILE", module.FILE._replace(checksums=()))
        (folders.keras / name).write_bytes(content)
        assert module.load_data()[0][0].shape[1:] == (32, 32, 3)


def batch(**changes):
    held = {"data": np.zeros((2, 3072), np.uint8), "labels": [1, 2]} | changes
    return [*TEN[:-1], (cifar10.MEMBERS[-1], pickle.dumps({key: each for key, each in held.items() if each is not None}, 2))]


TEST = cifar10.MEMBERS[-1]


@pytest.mark.parametrize("members, fault", [
    (TEN[1:], "does not hold cifar-10-batches-py/data_batch_1."),
    ([*TEN, TEN[0]], f"{TEN[0][0]}: is no plain file, or there twice."),
    ([*TEN[:-1], (TEST, (tarfile.SYMTYPE, "/etc/passwd"))], f"{TEST}: is no plain file, or there twice."),
    ([*TEN[:-1], (TEST, (tarfile.LNKTYPE, TEN[0][0]))], f"{TEST}: is no plain file, or there twice."),
    ([*TEN[:-1], (TEST, (tarfile.DIRTYPE, ""))], f"{TEST}: is no plain file, or there twice."),
    ([*TEN[:-1], (f"../{TEST}", BATCH)], f"does not hold {TEST}."),
    ([*TEN[:-1], (TEST, b"cos\nsystem\n(S'true'\ntR.")], "this pickle holds what no data set does, or is damaged: "),
    ([*TEN[:-1], (TEST, pickle.dumps([1], 2))], "a batch without data and labels."),
    (batch(labels=None), "a batch without data and labels."),
    (batch(labels=[1]), "labels are not one class for each of the images."),
    (batch(labels=[1, 100]), "labels are not one class for each of the images."),
    (batch(labels=[1, "2"]), "labels are not one class for each of the images."),
    (batch(data=np.zeros((2, 30), np.uint8)), "the images of a batch are not bytes of shape (n, 3072)."),
    (batch(data=[1, 2]), "the images of a batch are not bytes of shape (n, 3072)."),
])
def test_an_archive_that_is_not_cifar(members, fault, given):
    place = given(cifar10, "FILE", tarred(members))
    with pytest.raises(FileRejected, match=f"^{re.escape(f'{place}: {fault}')}"):
        cifar10.load_data()


def test_an_archive_that_is_damaged(given, monkeypatch):
    whole = tarred(TEN)
    for content in b"", b"no archive", whole[:3000], whole[:-1000], tarred(TEN, "w")[:9000], gzip.compress(b"x" * 5000):
        given(cifar10, "FILE", content)
        with pytest.raises(FileRejected, match="this is no whole tar file|does not hold"):
            cifar10.load_data()
    given(cifar10, "FILE", whole)
    monkeypatch.setattr("jaxseq.api.datasets.cifar.LARGEST", 100)
    with pytest.raises(FileRejected, match=f"^.*{TEN[0][0]}: 9,539 bytes, and at most 100 are read.$"):
        cifar10.load_data()
