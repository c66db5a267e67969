"""to_categorical and normalize against Keras 3 and NumPy; the text of every error."""

import re

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.api import utils
from jaxseq.api.utils import normalize, set_random_seed, to_categorical


def refuses(message: str, error: type[Exception] = ValueError):
    return pytest.raises(error, match=re.escape(message))


@pytest.mark.parametrize("y", [[0, 2, 1], [[0], [2], [1]], [[0, 1], [3, 2]], [[[1], [0]]], np.array([4, 0], np.uint8),
                               [1.0, 3.0], 2, [[5]], [True, False]])
@pytest.mark.parametrize("num_classes", [None, 7])
def test_to_categorical_equals_keras(y, num_classes):
    rows = to_categorical(y, num_classes)
    assert isinstance(rows, np.ndarray) and rows.dtype == np.float32
    assert_array_equal(rows, keras.utils.to_categorical(np.asarray(y), num_classes))


def test_to_categorical_takes_jax_arrays_dtypes_and_nothing():
    assert_array_equal(to_categorical(jnp.array([1, 0]), dtype="int8"), np.array([[0, 1], [1, 0]], np.int8))
    assert to_categorical(np.zeros((0, 1), int), 3).shape == (0, 3)


def test_to_categorical_leaves_its_argument_alone():
    y = np.array([[0], [1]])
    to_categorical(y)[:] = 9
    assert_array_equal(y, [[0], [1]])


@pytest.mark.parametrize("y, num_classes, message", [
    ([0, -1, -2], None, "to_categorical: y[1] = -1 is negative. Classes are counted from 0: write y - y.min()."),
    ([[0, 1], [4, 5]], 4, "to_categorical: y[1, 0] = 4 is too large: num_classes=4 leaves 0 to 3. Write "
     "num_classes=6, or y - 1 if your classes are counted from 1."),
    ([0.0, 1.5], None, "to_categorical: y[1] = 1.5 is not a whole number. Pass class numbers; a target that is "
     "measured, not counted, needs no one-hot rows."),
    ([[2.0], [np.nan]], None, "to_categorical: y[1] = nan is not a whole number."),
    ([np.inf], None, "to_categorical: y[0] = inf is not a whole number."),
    (-3, None, "to_categorical: y[0] = -3 is negative."),
    (["cat", "dog"], None, "to_categorical wants numbers, got <U3. Give each class a number: "
     "np.unique(y, return_inverse=True)[1]."),
    ([], None, "to_categorical(y) of shape (0,) holds no label to count classes by. Write "
     "to_categorical(y, num_classes=...)."),
    ([0], 0, "num_classes=0: write a whole number of at least 1."),
    ([0], 2.0, "num_classes=2.0: write a whole number of at least 1."),
])
def test_to_categorical_names_the_first_bad_label(y, num_classes, message):
    with refuses(message):
        to_categorical(y, num_classes)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
def test_normalize_equals_keras(axis, order):
    x = np.random.Generator(np.random.Philox(3)).normal(size=(3, 3, 4)).astype(np.float32)
    x[0, :, 0] = x[1, 2] = 0
    assert normalize(x, axis, order).dtype == np.float32
    assert_allclose(normalize(x, axis, order), keras.utils.normalize(x, axis, order), rtol=1e-6)


def test_normalize_takes_the_first_axis_at_its_word():
    x = np.array([[3.0, 1.0], [4.0, 1.0]])
    assert_allclose(normalize(x, axis=0), [[0.6, 0.5**0.5], [0.8, 0.5**0.5]])
    assert not np.allclose(keras.utils.normalize(x, axis=0), normalize(x, axis=0))      # Keras takes the last axis


def test_normalize_takes_integers_and_lists():
    assert_array_equal(normalize([[3, 4], [0, 0]]), [[0.6, 0.8], [0, 0]])
    assert normalize(np.array([[255, 0]], np.uint8)).tolist() == [[1, 0]]
    with refuses("axis=None: write one axis, such as axis=-1."):
        normalize([1.0], axis=None)                       # pyright: ignore[reportArgumentType]


def test_set_random_seed_says_where_the_seed_goes():
    with refuses("set_random_seed(3): jaxseq has no global generator to seed. Write Sequential(seed=3): the model's "
                 "weights, shuffling and dropout all follow from it.", RuntimeError):
        set_random_seed(3)


def test_public_names():
    assert sorted(utils.__all__) == ["normalize", "set_random_seed", "to_categorical"]
