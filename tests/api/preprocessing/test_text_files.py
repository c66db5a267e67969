"""Folders of text as batches: files, labels and subsets are Keras's, which lists a folder without TensorFlow."""

from pathlib import Path

import numpy as np
import pytest
from keras.src.utils import dataset_utils
from numpy.testing import assert_array_equal

import jaxseq
from jaxseq.utils import text_dataset_from_directory

FILES = ["pos/b.txt", "pos/a.TXT", "pos/inner/c.txt", "pos/notes.md", "neg/z.txt", "neg/y.txt", "neg/x.txt", "neutral/m.txt",
         ".hidden/h.txt"]


@pytest.fixture
def folder(tmp_path):
    for place, name in enumerate(FILES):
        path = tmp_path / "reviews" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text {place} of {name}", encoding="utf-8", newline="")
    return tmp_path / "reviews"


def dataset(folder, **how):
    return text_dataset_from_directory(folder, **{"verbose": False} | how)


def by_keras(folder, labels="inferred", **how):
    how = {"formats": (".txt",), "shuffle": False, "verbose": False} | how
    return dataset_utils.index_directory(str(folder), labels, **how)


@pytest.mark.parametrize("how", [{}, {"class_names": ["pos", "neg"]}, {"labels": None}, {"labels": [3, 1, 1, 0, 2, 1, 0, 0]},
                                 {"shuffle": True, "seed": 4}, {"labels": None, "shuffle": True, "seed": 9},
                                 {"labels": (3, 1, 1, 0, 2, 1, 0, 0), "shuffle": True, "seed": 4}])
def test_files_and_labels_are_in_the_order_of_keras(folder, how):
    theirs = dict(how, labels=list(how["labels"])) if how.get("labels") else how    # Keras shuffles only lists
    paths, labels, class_names = by_keras(folder, **theirs)
    ours = dataset(folder, **{"shuffle": False} | how)
    assert ours.file_paths == paths and ours.class_names == class_names
    batches = list(ours)
    texts = np.concatenate([batch if labels is None else batch[0] for batch in batches])
    assert texts.tolist() == [Path(path).read_text(encoding="utf-8") for path in paths]
    if labels is not None:
        found = np.concatenate([batch[1] for batch in batches])
        assert found.dtype == np.int32
        assert_array_equal(found, labels)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("how", [{"shuffle": True, "seed": 1}, {"shuffle": False}])
def test_subsets_are_those_of_keras(folder, share, how):
    paths, labels, _ = by_keras(folder, **how)
    both = dataset(folder, validation_split=share, subset="both", **how)
    for subset, found in zip(("training", "validation"), both, strict=True):
        wanted, numbers = dataset_utils.get_training_or_validation_split(paths, labels, share, subset)
        alone = dataset(folder, validation_split=share, subset=subset, **how)
        assert found.file_paths == alone.file_paths == wanted
        assert_array_equal(np.concatenate([batch[1] for batch in found]), numbers)


def test_labels_are_encoded_as_they_are_asked_for(folder):
    two = {"class_names": ["neg", "pos"], "shuffle": False, "batch_size": 6}
    x, y = dataset(folder, **two)[0]
    assert x.shape == (6,) and x.dtype == object and y.tolist() == [0, 0, 0, 1, 1, 1]
    _, binary = dataset(folder, label_mode="binary", **two)[0]
    assert binary.dtype == np.float32 and binary.tolist() == [[0], [0], [0], [1], [1], [1]]
    _, rows = dataset(folder, label_mode="categorical", shuffle=False)[0]
    assert rows.dtype == np.float32
    assert_array_equal(rows, np.eye(3)[[0, 0, 0, 1, 2, 2, 2]])
    assert dataset(folder, label_mode=None)[0].shape == (8,)        # of all folders, the hidden one too: as Keras


def test_batches_are_read_when_asked_for(folder):
    ours = dataset(folder, batch_size=3, shuffle=False, max_length=6)
    assert len(ours) == 3 and [len(x) for x, _ in ours] == [3, 3, 1]
    (folder / "neg" / "x.txt").write_text("wörter", encoding="utf-8")
    assert ours[0][0].tolist() == ["wörter", "text 5", "text 4"]
    one = dataset(folder, batch_size=None, shuffle=False)
    assert len(one) == 7 and one[0] == ("wörter", 0)
    assert ours.map(lambda x, y: (len(x), y.sum()))[1] == (3, 5)


def test_links_are_followed_where_they_are_to_be(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.txt").write_text("far")
    (folder / "neg" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    for follow in False, True:
        assert dataset(folder, shuffle=False, follow_links=follow).file_paths == by_keras(folder, follow_links=follow)[0]
    assert len(dataset(folder, follow_links=True).file_paths) == 8


def test_what_is_found_is_printed(folder, capsys):
    text_dataset_from_directory(folder, validation_split=0.4, subset="both", seed=0)
    assert capsys.readouterr().out == ("Found 7 files belonging to 3 classes.\nUsing 5 files for training.\n"
                                       "Using 2 files for validation.\n")
    text_dataset_from_directory(folder, labels=None)
    assert capsys.readouterr().out == "Found 8 files.\n"


@pytest.mark.parametrize(("how", "message"), [
    ({"labels": "infer"}, "labels='infer': write 'inferred', None, or a number for each file."),
    ({"label_mode": "one_hot"}, "label_mode='one_hot': write one of 'int', 'binary', 'categorical', None."),
    ({"label_mode": "binary"}, "label_mode='binary' is for 2 classes, here are 3: ['neg', 'neutral', 'pos']. Write "
     "label_mode='int'."),
    ({"labels": [1, 2]}, "Here are 2 labels for 8 files: give each file one, in the order of their paths."),
    ({"labels": list("abcdefgh")}, "labels of <U1: write whole numbers, a class each."),
    ({"labels": None, "class_names": ["pos"]}, "class_names goes with labels='inferred': they are the names of the folders."),
    ({"validation_split": 0.2}, "validation_split=0.2, subset=None: give both, or neither."),
    ({"subset": "training"}, "validation_split=None, subset='training': give both, or neither."),
    ({"validation_split": 0.2, "subset": "test"}, "subset='test': write one of 'training', 'validation', 'both'."),
    ({"validation_split": 1.2, "subset": "both"}, "validation_split=1.2: write the share to hold out, such as 0.2."),
    ({"validation_split": 0.5, "subset": "both"}, "validation_split=0.5 with shuffle=True needs a seed=, the same for both "
     "subsets, or they have files in common."),
    ({"validation_split": 0.1, "subset": "both", "seed": 1}, "validation_split=0.1 of 7 files holds none out."),
    ({"batch_size": 0}, "batch_size=0: write a whole number of at least 1.")])
def test_arguments_that_do_not_fit_say_so(folder, how, message, refuses):
    with refuses(message):
        dataset(folder, **how)


def test_folders_that_hold_nothing_say_so(folder, tmp_path, refuses):
    with refuses(f"{tmp_path / 'none'}: no such folder.", FileNotFoundError):
        dataset(tmp_path / "none")
    (folder / "empty").mkdir()
    with refuses(f"The folder 'empty' of {folder} has no file that counts (of .txt). Remove it, or name the classes "
                 "that count."):
        dataset(folder)
    with refuses(f"{folder} has no folder 'good'. Known: ., empty, neg, neutral, pos."):
        dataset(folder, class_names=["good", "pos"])
    with refuses(f"{folder / 'empty'} has no folders in it: there must be one for each class. For files without classes write "
                 "labels=None, or class_mode=None and classes=['.']."):
        dataset(folder / "empty")
    with refuses(f"{folder / 'empty'} has no file that counts (of .txt)."):
        dataset(folder / "empty", labels=None)


def test_a_file_that_is_not_utf_8_is_named(folder, refuses):
    path = folder / "neg" / "x.txt"
    path.write_bytes(b"caf\xe9")
    ours = dataset(folder, shuffle=False)
    with refuses(f"{path} is not UTF-8: byte 3 is 0xe9. Convert it, with iconv -f LATIN1 -t UTF-8 if that is what it is."):
        ours[0]


def test_the_doors():
    assert jaxseq.preprocessing.text_dataset_from_directory is text_dataset_from_directory
