"""Single images changed by given numbers, against the installed Keras, SciPy, and the draws of the random ones."""

import re
import warnings

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import image as theirs
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

from jaxseq.preprocessing.image import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)

DRAW = np.random.default_rng(0)
SQUARE, WIDE = (DRAW.uniform(0, 255, shape).astype("float32") for shape in ((9, 9, 3), (6, 11, 3)))
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
NUMBERS = [{"theta": 30}, {"theta": -100, "tx": 2}, {"tx": 1.5, "ty": -3}, {"shear": 20}, {"zx": 0.5, "zy": 1.7},
           {"theta": 10, "tx": 1, "ty": 2, "shear": -15, "zx": 1.1, "zy": 0.8}, {}]


@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_of_a_square_it_is_keras_with_rows_first(numbers, order, fill_mode):
    """Keras 3 exchanges the axes where col_axis > row_axis: told that they stand the other way round, it does as Keras 2."""
    words = {**numbers, "order": order, "fill_mode": fill_mode, "cval": 7.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)          # SciPy's old path
        wanted = theirs.apply_affine_transform(SQUARE, **words, row_axis=1, col_axis=0, channel_axis=2)
    assert_allclose(apply_affine_transform(SQUARE, **words, **LAST), wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_of_any_image_it_is_the_equation(numbers):
    told = {"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1} | numbers
    turn, lean = np.deg2rad([told["theta"], told["shear"]])
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = linear @ [told["tx"], told["ty"]]
    linear = linear @ [[1, -np.sin(lean)], [0, np.cos(lean)]] @ np.diag([told["zx"], told["zy"]])
    pixels = np.indices((6, 11)).reshape(2, -1) - np.array([[2.5], [5.0]])
    places = linear @ pixels + shift[:, None] + np.array([[2.5], [5.0]])
    wanted = [ndimage.map_coordinates(np.float64(plane), places, order=1, mode="nearest").reshape(6, 11)
              for plane in np.moveaxis(WIDE, -1, 0)]
    got = apply_affine_transform(WIDE, **numbers, **LAST)
    assert_allclose(got, np.moveaxis(wanted, 0, -1), rtol=1e-5, atol=1e-3)
    first = apply_affine_transform(np.moveaxis(WIDE, -1, 0), **numbers)
    assert_array_equal(np.moveaxis(first, 0, -1), got)


def test_rows_are_rows():
    x = np.arange(6.0).reshape(3, 2, 1)
    assert_array_equal(apply_affine_transform(x, tx=1, **LAST)[..., 0], [[2, 3], [4, 5], [4, 5]])
    assert_array_equal(apply_affine_transform(x, ty=1, **LAST)[..., 0], [[1, 1], [3, 3], [5, 5]])
    assert_array_equal(flip_axis(x, 0), x[::-1])


@pytest.mark.parametrize("brightness", [0.2, 1.0, 1.7])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("x", [SQUARE, SQUARE / 255, SQUARE - 100, SQUARE[..., :1]], ids=["bytes", "unit", "beyond", "grey"])
def test_brightness_is_keras(x, scale, brightness):
    wanted = theirs.apply_brightness_shift(x, brightness, scale)
    assert_allclose(apply_brightness_shift(x, brightness, scale), wanted, rtol=1e-6, atol=1e-4)


def test_channel_shift_is_keras():
    assert_allclose(apply_channel_shift(SQUARE, 40.0, 2), theirs.apply_channel_shift(SQUARE, 40.0, 2), rtol=1e-6)


@pytest.mark.parametrize("intensity", [100, 300, -100, -300, 100.0, np.int64(100)], ids=repr)
def test_a_channel_shift_of_bytes_stays_within_them(intensity):
    x = np.array([[[10, 200, 60]]], "uint8")
    got = apply_channel_shift(x, intensity, 2)
    assert got.dtype == np.uint8
    assert_array_equal(got, np.clip(np.int64(x) + int(intensity), 10, 200))


# ---- at random


def test_random_ones_draw_evenly_from_their_ranges():
    """Each with the one number read back from what became of a ramp."""
    ramp = np.tile(np.arange(101.0)[:, None, None], (1, 101, 1)).astype("float64")
    down = [random_shift(ramp, 0, 0.2, **LAST, seed=seed)[50, 50, 0] - 50 for seed in range(600)]
    assert stats.kstest(np.array(down) / 101, "uniform", (-0.2, 0.4)).pvalue > 1e-3
    angles = [random_rotation(ramp, 40, **LAST, seed=seed)[50, 60, 0] - 50 for seed in range(300)]
    assert stats.kstest(np.rad2deg(np.arcsin(np.array(angles) / 10)), "uniform", (-40, 80)).pvalue > 1e-3
    leans = [random_shear(ramp, 30, **LAST, seed=seed)[50, 60, 0] - 50 for seed in range(300)]
    assert stats.kstest(np.rad2deg(np.arcsin(-np.array(leans) / 10)), "uniform", (-30, 60)).pvalue > 1e-3
    zooms = [(random_zoom(ramp, (0.5, 1.5), **LAST, seed=seed)[60, 50, 0] - 50) / 10 for seed in range(300)]
    assert stats.kstest(zooms, "uniform", (0.5, 1.0)).pvalue > 1e-3
    shifts = [random_channel_shift(ramp, 30, 2, seed=seed)[50, 50, 0] - 50 for seed in range(300)]
    assert stats.kstest(shifts, "uniform", (-30, 60)).pvalue > 1e-3


def test_random_ones_follow_from_their_seed_and_leave_the_global_generator_alone():
    before = np.random.get_state()[1].copy()
    for make in (lambda seed: random_rotation(SQUARE, 40, seed=seed, **LAST),
                 lambda seed: random_zoom(SQUARE, (0.5, 1), seed=seed, **LAST),
                 lambda seed: random_brightness(SQUARE, (0.2, 0.9), seed=seed)):
        assert_array_equal(make(1), make(1))
        assert (make(1) != make(2)).any() and (make(None) != make(None)).any()
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: apply_affine_transform(np.ones((3, 3)), 1), "apply_affine_transform wants one image of three axes, got (3, 3)."),
    (lambda: apply_affine_transform(SQUARE, 1, row_axis=0), "row_axis=0, col_axis=2, channel_axis=0: write 0, 1 and 2 in some "
     "order, such as row_axis=0, col_axis=1, channel_axis=2."),
    (lambda: apply_affine_transform(SQUARE, 1, fill_mode="mirror"), "fill_mode='mirror': write one of 'reflect', 'wrap', "
     "'constant', 'nearest'."),
    (lambda: random_zoom(SQUARE, 0.2), "zoom_range=0.2: write two numbers, (low, high)."),
    (lambda: random_brightness(SQUARE, (1,)), "brightness_range=(1,): write two numbers, (low, high)."),
    (lambda: random_rotation(SQUARE, 1, seed=-1), "seed=-1: write a whole number from 0 to 2**63 - 1, or None."),
], ids=range(6))
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_the_oracle_is_the_one_that_was_looked_at():
    assert keras.__version__ == "3.15.1"
