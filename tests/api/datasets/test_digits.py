"""The bundled digits: what they are, that they are checked, and how they are split."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from jaxseq.api import datasets
from jaxseq.api.datasets import digits

ROOT = Path(__file__).parents[3]


def refuses(message: str, error: type[Exception] = ValueError):
    return pytest.raises(error, match=re.escape(message))


def rows_of(*pairs):
    """Every image with its label, as bytes, sorted."""
    return sorted(image.tobytes() + bytes([label]) for x, y in pairs for image, label in zip(x, y, strict=True))


def source():
    pixels, classes = map(np.asarray, load_digits(return_X_y=True))
    return pixels.reshape(-1, 8, 8).astype(np.uint8), classes.astype(np.uint8)


def test_shapes_and_values():
    train, test = datasets.digits.load_data()
    for (x, y), rows in ((train, 1437), (test, 360)):
        assert x.shape == (rows, 8, 8) and y.shape == (rows,) and x.dtype == y.dtype == np.uint8
        assert x.min() == 0 and x.max() == 16
        assert x.flags.writeable and y.flags.writeable


def test_both_parts_together_are_scikit_learn_s_digits():
    assert rows_of(*digits.load_data()) == rows_of(source())


def test_the_parts_share_no_row():
    order = digits._row_order(113)
    assert_array_equal(np.sort(order), np.arange(1797))
    images = {image.tobytes() for image in source()[0]}
    assert len(images) == 1797                            # no image occurs twice, so equal bytes mean the same row
    (x_train, _), (x_test, _) = digits.load_data()
    assert not {image.tobytes() for image in x_train} & {image.tobytes() for image in x_test}


def test_every_class_is_in_both_parts_about_alike():
    (_, y_train), (_, y_test) = digits.load_data()
    assert np.bincount(y_train).tolist() == [148, 145, 147, 143, 135, 150, 148, 149, 136, 136]
    assert np.bincount(y_test).tolist() == [30, 37, 30, 40, 46, 32, 33, 30, 38, 44]


def test_the_split_is_the_same_everywhere():
    assert digits._row_order(113)[:8].tolist() == [1039, 1161, 841, 598, 1602, 1401, 461, 1070]
    (x, _), (_, y) = digits.load_data()
    (x_again, _), (_, y_again) = digits.load_data()
    assert_array_equal(x, x_again)
    assert_array_equal(y, y_again)


def test_another_seed_and_another_share():
    order = digits._row_order(113)
    assert not np.array_equal(order, digits._row_order(0))
    assert not np.array_equal(digits._row_order(0), digits._row_order(2**33))
    (x_train, _), (x_test, _) = digits.load_data(0.5)
    assert (len(x_train), len(x_test)) == (898, 899)
    assert len(digits.load_data(test_split=0)[1][0]) == 0
    assert_array_equal(x_train, digits.load_data(0.2)[0][0][:898])


@pytest.mark.parametrize("arguments, message", [
    ({"test_split": 1.0}, "test_split=1.0: write the share of the rows to hold out, such as 0.2."),
    ({"test_split": -0.1}, "test_split=-0.1: write the share"),
    ({"test_split": 360}, "test_split=360: write the share"),
    ({"test_split": float("nan")}, "test_split=nan: write the share"),
    ({"seed": -1}, "seed=-1: write a whole number from 0 to 2**64 - 1."),
    ({"seed": 0.5}, "seed=0.5: write a whole number"),
])
def test_bad_arguments(arguments, message):
    with refuses(message):
        digits.load_data(**arguments)


@pytest.mark.parametrize("place", [0, 60_000, -1])
def test_a_changed_file_is_refused(place, tmp_path, monkeypatch):
    content = bytearray(digits.FILE.read_bytes())
    content[place] ^= 1
    copy = tmp_path / "digits.npz"
    copy.write_bytes(content)
    monkeypatch.setattr(digits, "FILE", copy)
    with refuses(f"{copy} has changed: its SHA-256 should be {digits.SHA256}, and is ") as caught:
        digits.load_data()
    assert str(caught.value).endswith("Reinstall it: pip install --force-reinstall --no-deps jaxseq.")


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(digits, "FILE", tmp_path / "digits.npz")
    with refuses(f"{tmp_path / 'digits.npz'} is missing. The package is damaged.", FileNotFoundError):
        digits.load_data()


def test_the_tool_makes_the_same_bytes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_digits", ROOT / "tools/make_digits.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main(tmp_path / "digits.npz")
    assert (tmp_path / "digits.npz").read_bytes() == digits.FILE.read_bytes()


def test_the_file_says_where_it_comes_from():
    licence = digits.FILE.with_name("DIGITS_LICENSE.txt").read_text()
    for words in ("E. Alpaydin and C. Kaynak", "10.24432/C50P49", "CC BY 4.0", "Changes:"):
        assert words in licence
