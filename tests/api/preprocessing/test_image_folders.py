"""image_dataset_from_directory: files, labels and splits against the installed Keras's listing, pixels against its resize."""

import re

import jax
import keras
import numpy as np
import pytest
from keras.src.utils import dataset_utils
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from shares import always

from jaxseq import Sequential, layers as L
from jaxseq.api.preprocessing.image_folders import ENDINGS
from jaxseq.utils import Sequence, image_dataset_from_directory as read, img_to_array, load_img

pytestmark = pytest.mark.usefixtures("quickly_compiled")

QUIET = {"verbose": False}


def listed(folder, labels="inferred", **words):
    """(paths, labels, names) as Keras lists them, before its own shuffling of what it has read."""
    return dataset_utils.index_directory(str(folder), labels, formats=ENDINGS, verbose=False, **words)


@pytest.mark.parametrize("words", [{"shuffle": False}, {"shuffle": True, "seed": 3}, {"shuffle": True, "seed": 11},
                                   {"shuffle": False, "class_names": ["dogs", "cats"]}], ids=str)
def test_files_and_labels_in_the_order_of_keras(words, folder):
    paths, labels, names = listed(folder, **words)
    data = read(folder, image_size=(4, 5), batch_size=8, **words, **QUIET)
    assert isinstance(data, Sequence)
    assert data.file_paths == paths and data.class_names == names
    x, y = data[0]
    assert x.shape == (8, 4, 5, 3) and x.dtype == np.float32 and y.dtype == np.int32
    assert sorted(y) == sorted(labels)
    if not words["shuffle"]:
        assert_array_equal(y, labels)


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_split_is_that_of_keras(shuffle, folder):
    paths, labels, _ = listed(folder, shuffle=shuffle, seed=5)
    words = {"shuffle": shuffle, "seed": 5, "validation_split": 0.3, "image_size": 4, **QUIET}
    for subset in "training", "validation":
        wanted = dataset_utils.get_training_or_validation_split(paths, labels, 0.3, subset)
        data = read(folder, subset=subset, **words)
        assert data.file_paths == wanted[0]
    both = read(folder, subset="both", **words)
    assert both[0].file_paths + both[1].file_paths == paths
    assert_array_equal(both[1][0][1], wanted[1])


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("how", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}], ids=str)
@pytest.mark.parametrize("size", always({(20, 9)}, [(5, 7), (20, 9), (16, 16)]))
def test_pixels_are_those_of_keras(interpolation, how, size, folder):
    data = read(folder, shuffle=False, image_size=size, interpolation=interpolation, batch_size=3, **how, **QUIET)
    for path, image in zip(data.file_paths, data[0][0], strict=False):
        with jax.numpy_dtype_promotion("standard"):
            wanted = keras.ops.image.resize(img_to_array(load_img(path)), size, interpolation, **how)
        assert_allclose(image, wanted, rtol=1e-4, atol=1e-2)


def test_labels_of_every_kind(folder):
    words = {"shuffle": False, "image_size": 4, **QUIET}
    assert_array_equal(read(folder, label_mode="categorical", **words)[0][1], np.eye(2)[[0] * 5 + [1] * 3])
    assert_array_equal(read(folder, label_mode="binary", **words)[0][1], [[0.0]] * 5 + [[1.0]] * 3)
    assert read(folder, labels=None, **words)[0].shape == read(folder, label_mode=None, **words)[0].shape == (8, 4, 4, 3)
    given = read(folder, labels=list(range(8)), **words)
    assert given.class_names == [str(each) for each in range(8)] and given.file_paths == listed(folder, None, shuffle=False)[0]
    assert_array_equal(given[0][1], range(8))


def test_colors_and_layout(folder):
    words = {"shuffle": False, "image_size": (4, 5), **QUIET}
    assert read(folder, color_mode="grayscale", **words)[0][0].shape == (8, 4, 5, 1)
    assert read(folder, color_mode="rgba", data_format="channels_first", **words)[0][0].shape == (8, 4, 4, 5)


def test_a_grey_picture_of_16_bits_has_values_to_255(tmp_path):
    Image.fromarray(np.full((4, 4), 65535, "uint16")).save(tmp_path / "white.png")
    Image.fromarray(np.full((4, 4), 25700, "uint16")).save(tmp_path / "grey.png")
    for color_mode in "grayscale", "rgb":
        batch = read(tmp_path, labels=None, shuffle=False, color_mode=color_mode, image_size=2, **QUIET)[0]
        assert (batch[0] == 100).all() and (batch[1] == 255).all()


def test_the_format_that_keras_would_give_is_taken(folder):
    words = {"shuffle": False, "image_size": 4, **QUIET}
    assert_array_equal(read(folder, format="grain", **words)[0][0], read(folder, **words)[0][0])


def test_a_batch_is_the_same_whenever_it_is_read(folder):
    one, other = (read(folder, image_size=4, seed=2, batch_size=3, **QUIET) for _ in range(2))
    for number in 2, 0, 1:
        assert_array_equal(one[number][0], other[number][0])
    assert_array_equal(one.map(lambda x, y: -x)[1], -other[1][0])


def test_a_folder_trains_and_says_what_it_found(folder, capsys):
    data, held = read(folder, image_size=8, batch_size=2, seed=1, validation_split=0.25, subset="both")
    assert capsys.readouterr().out == ("Found 8 files belonging to 2 classes.\nUsing 6 files for training.\n"
                                       "Using 2 files for validation.\n")
    data.workers = 3
    model = Sequential([L.RandomFlip(), L.Rescaling(1 / 255), L.Flatten(), L.Dense(2, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(data, validation_data=held, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


@pytest.mark.parametrize(("words", "message"), [
    ({"labels": "given"}, "labels='given': write 'inferred', None, or a number for each file."),
    ({"labels": [1, 2]}, "Here are 2 labels for 8 files: give each file one, in the order of their paths."),
    ({"labels": None, "class_names": ["cats"]}, "class_names goes with labels='inferred': they are the names of the "
     "folders."),
    ({"label_mode": "raw"}, "label_mode='raw': write one of 'int', 'binary', 'categorical', None."),
    ({"label_mode": "binary", "class_names": ["cats"]}, "label_mode='binary' is for 2 classes, here are 1: ['cats']. Write "
     "label_mode='int'."),
    ({"class_names": ["birds"]}, "{f} has no folder 'birds'. Known: ., cats, dogs."),
    ({"color_mode": "bgr"}, "color_mode='bgr': write one of 'grayscale', 'rgb', 'rgba'."),
    ({"image_size": (3, 4, 5)}, "image_size=(3, 4, 5): write (height, width)."),
    ({"interpolation": "area"}, "Unknown interpolation 'area'. Known: bicubic, bilinear, lanczos3, lanczos5, nearest."),
    ({"validation_split": 2, "subset": "training"}, "validation_split=2: write the share to hold out, such as 0.2."),
    ({"validation_split": 0.2}, "validation_split=0.2, subset=None: give both, or neither."),
    ({"validation_split": 0.2, "subset": "test"}, "subset='test': write one of 'training', 'validation', 'both'."),
    ({"validation_split": 0.2, "subset": "both"}, "validation_split=0.2 with shuffle=True needs a seed=, the same for "
     "both subsets, or they have files in common."),
    ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "validation_split=0.01 of 8 files holds "
     "none out."),
    ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "crop_to_aspect_ratio, pad_to_aspect_ratio: write one of "
     "them."),
    ({"labels": [0, 2] * 4, "label_mode": "categorical"}, "labels= with label_mode='categorical' are 0 to 1 for 2 classes, "
     "here are 0, 2. Write labels=np.unique(labels, return_inverse=True)[1]."),
    ({"labels": [1, 2] * 4, "label_mode": "binary"}, "labels= with label_mode='binary' are 0 to 1 for 2 classes, here are "
     "1, 2. Write labels=np.unique(labels, return_inverse=True)[1]."),
    ({"labels": [-1, 1] * 4, "label_mode": "binary"}, "labels= with label_mode='binary' are 0 to 1 for 2 classes, here are "
     "-1, 1. Write labels=np.unique(labels, return_inverse=True)[1]."),
    *(({"labels": labels}, f"labels= has the shape {shape}: write a number for each file, in the order of their paths, such as "
       "labels.argmax(1) of one-hot rows.") for labels, shape in ((np.eye(8), (8, 8)), ([[0]] * 8, (8, 1)), (3, ()))),
], ids=range(21))
def test_errors_say_what_to_write(words, message, folder):
    with pytest.raises(ValueError, match=f"^{re.escape(message.replace('{f}', str(folder)))}$"):
        read(folder, **words, **QUIET)


def test_a_folder_without_images_and_a_broken_one(folder):
    (folder / "cats" / "nothing").mkdir()
    with pytest.raises(ValueError, match=re.escape("nothing has no file that counts (of .bmp, .gif, .jpeg, .jpg, .png).")):
        read(folder / "cats" / "nothing", labels=None, **QUIET)
    (folder / "cats" / "b.png").write_bytes(b"\x89PNG")
    with pytest.raises(OSError, match=r"b\.png: no image that can be read"):
        read(folder, batch_size=8, image_size=4, **QUIET)[0]
