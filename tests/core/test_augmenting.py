"""Layers that change images: against SciPy with the drawn numbers, against Keras with numbers that are fixed, and the draws."""

import colorsys
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, stats

from jaxseq import Sequential, layers as doors
from jaxseq.core import rng
from jaxseq.core.kernels.colors import hsv, rgb
from jaxseq.core.layers import (
    CenterCrop,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomRotation,
    RandomSaturation,
    RandomSharpness,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Solarization,
)
from jaxseq.core.types import Ctx

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

KEY = jax.random.key(3)
IMAGES = jnp.asarray(np.random.default_rng(0).uniform(0, 255, (6, 9, 7, 3)), "float32")
LAYERS = [RandomFlip(), RandomTranslation(0.3, 0.2), RandomRotation(0.2), RandomZoom(0.4), RandomContrast(0.5),
          RandomBrightness(0.3), RandomCrop(4, 5), RandomShear(0.5, 0.2), RandomSaturation(0.9), RandomHue(0.5),
          RandomColorDegeneration(1.0), RandomColorJitter((0, 255), 0.2, 0.3, (0.4, 0.6), 0.2), RandomGrayscale(),
          RandomInvert(), Solarization(0.3, 0.6), RandomSharpness(1.0)]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


def train(layer, x=IMAGES, key=KEY):
    return layer.apply({}, {}, x, Ctx(True, key))[0]


def drawn(layer, rows=6, key=KEY):
    """What the layer draws with that key."""
    return jax.tree.map(np.asarray, layer.draws(lambda what, ends: rng.uniform(rng.fold_in(key, what), (rows,), *ends)))


# ---- geometry, by SciPy in float64


IN_SCIPY = {"constant": "grid-constant", "wrap": "grid-wrap", "reflect": "reflect", "nearest": "nearest"}


def by_scipy(layer, mapping):
    """mapping(row, column, number of the image) -> where to look."""
    rows, columns = np.meshgrid(np.arange(9.0), np.arange(7.0), indexing="ij")
    order = {"nearest": 0, "bilinear": 1}[layer.interpolation]
    look = lambda plane, number: ndimage.map_coordinates(plane, mapping(rows, columns, number), order=order,
                                                         mode=IN_SCIPY[layer.fill_mode], cval=layer.fill_value)
    x = np.asarray(IMAGES, np.float64)
    return np.stack([np.stack([look(x[n, ..., c], n) for c in range(3)], -1) for n in range(len(x))])


def shifted(layer):
    height, width = (np.float64(each) for each in drawn(layer))
    return lambda row, column, n: (row - 9 * height[n], column - 7 * width[n])


def turned(layer):
    angle = np.float64(drawn(layer))

    def mapping(row, column, n):
        up, right = 4 - row, column - 3                       # a picture that is turned against the clock by angle was
        was_up = up * np.cos(angle[n]) - right * np.sin(angle[n])      # at the place turned back
        was_right = right * np.cos(angle[n]) + up * np.sin(angle[n])
        return 4 - was_up, 3 + was_right
    return mapping


def zoomed(layer):
    height, width = (np.float64(each) for each in drawn(layer))
    return lambda row, column, n: (4 + height[n] * (row - 4), 3 + width[n] * (column - 3))


@pytest.mark.parametrize("fill_mode", IN_SCIPY)
@pytest.mark.parametrize(("make", "mapping"), [
    (lambda **words: RandomTranslation(0.8, (0.1, 0.9), **words), shifted),
    (lambda **words: RandomRotation(0.5, **words), turned),
    (lambda **words: RandomZoom(0.9, (-0.5, 0.9), **words), zoomed), (lambda **words: RandomZoom(0.9, **words), zoomed),
], ids=["translation", "rotation", "zoom", "zoom_by_one"])
def test_geometry_is_that_of_scipy_with_the_drawn_numbers(make, mapping, fill_mode):
    layer = make(fill_mode=fill_mode, fill_value=-20.0)
    assert_allclose(train(layer), by_scipy(layer, mapping(layer)), rtol=0, atol=2e-2)      # 255 grey levels, float32 places


def test_the_nearest_pixel_is_that_of_scipy():
    layer = RandomRotation(0.5, "constant", "nearest")
    assert_allclose(train(layer), by_scipy(layer, turned(layer)), rtol=1e-6)


def test_a_flip_is_a_flip():
    draws, x = drawn(RandomFlip()), np.asarray(IMAGES)
    steps = (np.where(draws[axis], -1, 1) for axis in (1, 2))
    wanted = [image[::down, ::across] for image, down, across in zip(x, *steps, strict=True)]
    assert_array_equal(train(RandomFlip()), np.stack(wanted))


# ---- against Keras, where nothing is left to chance


@pytest.mark.every(4)
@pytest.mark.parametrize(("name", "words"), [
    *(("RandomTranslation", {"height_factor": (0.1, 0.1), "width_factor": (-.4, -.4), "fill_mode": mode}) for mode in IN_SCIPY),
    *(("RandomRotation", {"factor": (0.07, 0.07), "fill_mode": mode, "fill_value": 3.0}) for mode in IN_SCIPY),
    *(("RandomZoom", {"height_factor": (each, each), "width_factor": (0.3, 0.3)}) for each in (-0.5, 0.5)),
    ("RandomZoom", {"height_factor": (0.5, 0.5), "fill_mode": "constant"}),
    ("RandomRotation", {"factor": (-0.3, -0.3), "interpolation": "nearest", "data_format": "channels_first"}),
    ("RandomTranslation", {"height_factor": (0.3, 0.3), "width_factor": 0.0, "data_format": "channels_first"}),
    ("RandomShear", {"x_factor": (0.0, 0.0), "y_factor": (0.0, 0.0)}),
    *(("RandomSharpness", {"factor": (each, each)}) for each in (0.0, 0.3, 1.0)),
    *(("RandomColorDegeneration", {"factor": (each, each)}) for each in (0.0, 0.3, 1.0)),
    *(("RandomHue", {"factor": (each, each)}) for each in (0.0, 1.0)),
    *(("RandomInvert", {"factor": (each, each), "value_range": (0, 300)}) for each in (0.0, 1.0)),
    ("RandomGrayscale", {"factor": 1.0}), ("Solarization", {"threshold_factor": (0.0, 0.0)}),
    ("Solarization", {"value_range": (-20, 300)}), ("RandomSharpness", {"factor": (0.9, 0.9), "data_format": "channels_first"}),
    ("RandomColorDegeneration", {"factor": (0.9, 0.9), "data_format": "channels_first"}),
    *(("RandomBrightness", {"factor": (each, each)}) for each in (-0.6, 0.2, 1.0)),
    ("RandomBrightness", {"factor": (0.1, 0.1), "value_range": (100, 150)}),
    ("RandomContrast", {"factor": (0.0, 0.0), "value_range": (50, 200)}),
    *(("CenterCrop", {"height": each, "width": other}) for each, other in ((4, 5), (9, 7), (3, 2), (12, 5), (5, 12), (20, 20))),
    ("CenterCrop", {"height": 3, "width": 2, "data_format": "channels_first"}),
    ("CenterCrop", {"height": 10, "width": 2, "data_format": "channels_first"}),
], ids=str)
def test_with_fixed_numbers_it_is_keras(name, words):
    x = jnp.moveaxis(IMAGES, -1, 1) if words.get("data_format") == "channels_first" else IMAGES
    with jax.numpy_dtype_promotion("standard"):
        wanted = getattr(keras.layers, name)(**words)(np.asarray(x), training=True)
    assert_allclose(train(getattr(doors, name)(**words), x), wanted, rtol=1e-5, atol=2e-2 if "fill_mode" in words else 1e-3)


@pytest.mark.parametrize("factor", [0.3, (0.1, 0.8)])
def test_contrast_is_keras_with_the_drawn_numbers(factor):
    twin, layer = keras.layers.RandomContrast(factor), RandomContrast(factor)
    wanted = twin.transform_images(IMAGES, {"contrast_factor": jnp.asarray(drawn(layer))[:, None, None, None]})
    assert_allclose(train(layer), wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("layer", "told"), [
    (RandomShear(0.9, (0.1, 0.5)), lambda draws: {"shear_factor": jnp.stack(draws, -1)}),
    (RandomHue(0.8), lambda draws: {"factor": draws}), (RandomSharpness(1.0), lambda draws: {"factor": draws}),
    (RandomColorDegeneration(1.0), lambda draws: {"factor": draws[:, None, None, None]}),
    (RandomInvert(), lambda draws: {"apply_inversion": draws}), (RandomGrayscale(), lambda draws: draws[:, None, None, None]),
    (Solarization(0.3, (0.2, 0.9)), lambda draws: {"additions": 255 * draws[0][:, None, None, None],
                                                   "thresholds": 255 * draws[1][:, None, None, None]}),
], ids=lambda each: type(each).__name__)
def test_with_the_drawn_numbers_it_is_keras(layer, told):
    twin = getattr(keras.layers, type(layer).__name__)(**layer.get_config())
    draws = jax.tree.map(jnp.asarray, drawn(layer))
    with jax.numpy_dtype_promotion("standard"):
        wanted = twin.transform_images(IMAGES, told(draws), training=True)
    assert_allclose(train(layer), wanted, rtol=1e-4, atol=2e-2)


def test_saturation_is_keras_on_a_scale_of_one():
    layer, x = RandomSaturation(0.9, (0, 1)), IMAGES / 255
    twin = keras.layers.RandomSaturation(0.9, (0, 1))
    assert_allclose(train(layer, x), twin.transform_images(x, {"factor": jnp.asarray(drawn(layer))}), rtol=1e-4, atol=1e-5)


def test_colors_are_those_of_the_standard_library():
    for color in np.asarray(IMAGES[0, 0] / 255):
        hue, saturation, value = hsv(jnp.asarray(color))
        assert_allclose((hue, saturation, value), colorsys.rgb_to_hsv(*map(float, color)), rtol=1e-5)
        turned = float(hue) + 0.3, float(saturation), float(value)
        assert_allclose(rgb(hue + 0.3, saturation, value), colorsys.hsv_to_rgb(*turned), rtol=1e-5)
    assert_array_equal(hsv(jnp.full((2, 3), 0.5)), [[0, 0], [0, 0], [0.5, 0.5]])
    assert np.isfinite(jax.grad(lambda x: sum(map(jnp.sum, hsv(x))))(jnp.zeros((2, 3)))).all()


def test_jitter_is_its_parts_in_a_row():
    layer = RandomColorJitter((0, 255), contrast_factor=0.3, hue_factor=0.2)
    y = RandomContrast(0.3).change(IMAGES, drawn(RandomContrast(0.3)))
    assert_allclose(train(layer), RandomHue(0.2).change(y, drawn(RandomHue(0.2))), rtol=1e-5, atol=1e-3)
    assert_array_equal(train(RandomColorJitter()), IMAGES)


@pytest.mark.parametrize("size", [(4, 5), (12, 5), (9, 7)])
def test_crops_in_evaluation_are_the_largest_window_resized(size):
    wanted = keras.preprocessing.image.smart_resize(np.asarray(IMAGES), size)
    assert_allclose(RandomCrop(*size).apply({}, {}, IMAGES, Ctx())[0], wanted, rtol=1e-5, atol=1e-3)


# ---- draws


def uniform(draws, low, high):
    """The p-value of Kolmogorov and Smirnov that numbers are drawn evenly from [low, high)."""
    assert low <= draws.min() <= draws.max() <= high
    return stats.kstest(np.float64(draws), "uniform", (low, high - low)).pvalue


@pytest.mark.parametrize(("layer", "ends"), [
    (RandomTranslation(0.3, (-0.1, 0.5)), [(-0.3, 0.3), (-0.1, 0.5)]), (RandomRotation(0.25), [(-np.pi / 2, np.pi / 2)]),
    (RandomRotation((0.1, 0.2)), [(0.2 * np.pi, 0.4 * np.pi)]), (RandomZoom((-0.5, 0.1), 0.2), [(0.5, 1.1), (0.8, 1.2)]),
    (RandomColorDegeneration(0.6), [(0, 0.6)]), (RandomSharpness((0.2, 0.7)), [(0.2, 0.7)]),
    (Solarization(0.3, (0.4, 0.9)), [(0, 0.3), (0.4, 0.9)]),
    (RandomContrast(0.4), [(0.6, 1.4)]), (RandomContrast((0.1, 0.9)), [(0.9, 1.9)]), (RandomBrightness(-0.2), [(-0.2, 0.2)]),
], ids=str)
def test_numbers_are_drawn_evenly_and_one_by_one(layer, ends):
    draws = np.atleast_2d(drawn(layer, 4000))
    assert all(uniform(each, *pair) > 1e-3 for each, pair in zip(draws, ends, strict=True))
    assert np.abs(np.corrcoef(np.concatenate([draws[:, 1:], draws[:, :-1]])) - np.eye(2 * len(draws))).max() < 0.08


def test_flips_are_half_and_half_and_independent():
    draws = drawn(RandomFlip(), 4000)
    table = np.array([[np.sum((draws[1] == down) & (draws[2] == across)) for across in (0, 1)] for down in (0, 1)])
    assert stats.chisquare(table.ravel()).pvalue > 1e-3


def test_chances_and_signs_are_as_declared():
    for layer, share in (RandomGrayscale(0.3), 0.3), (RandomInvert(), 0.5), (RandomInvert((0.2, 0.4)), 0.3):
        assert stats.binomtest(int(drawn(layer, 4000).sum()), 4000, share).pvalue > 1e-3
    for draws in drawn(RandomHue((0.4, 0.4)), 4000), drawn(RandomShear((0.2, 0.2)), 4000)[0]:
        assert set(np.unique(np.abs(draws))) == {np.float32(0.2)}
        assert stats.binomtest(int((draws > 0).sum()), 4000, 0.5).pvalue > 1e-3
    stronger = drawn(RandomSaturation(0.6), 4000)
    assert uniform(stronger / (1 + stronger), 0, 0.6) > 1e-3


def test_crops_stand_everywhere_alike():
    x = jnp.broadcast_to(jnp.arange(20.0).reshape(1, 5, 4, 1), (4000, 5, 4, 1))
    corner = np.asarray(train(RandomCrop(3, 2), x))[:, 0, 0, 0].astype(int)
    counts = np.bincount(corner, minlength=20).reshape(5, 4)
    assert not counts[3:].any() and not counts[:, 3:].any()
    assert stats.chisquare(counts[:3, :3].ravel()).pvalue > 1e-3


def test_a_crop_is_a_part_of_its_image():
    y = np.asarray(train(RandomCrop(4, 5)))
    parts = np.lib.stride_tricks.sliding_window_view(np.asarray(IMAGES), (4, 5), (1, 2))          # (6, 6, 3, 3, 4, 5)
    for part, image in zip(np.moveaxis(parts, 3, -1), y, strict=True):
        assert (part == image).all((2, 3, 4)).any()


@pytest.mark.every(5)
@each_layer
def test_an_image_is_changed_alike_whatever_follows_it_in_the_batch(layer):
    assert_array_equal(train(layer, IMAGES[:2]), train(layer)[:2])
    same = train(layer, jnp.broadcast_to(IMAGES[:1], (40, *IMAGES.shape[1:])))
    assert len(np.unique(same, axis=0)) > 1             # and each by draws of its own


@each_layer
def test_a_seed_sets_the_draws_apart(layer):
    one, other = (layer.replaced(seed=seed) for seed in (1, 2))
    assert_array_equal(train(one), train(one))
    assert (train(one) != train(other)).any() and (train(one) != train(layer)).any()


@each_layer
def test_channels_first_is_the_same_with_the_axes_moved(layer):
    moved = train(layer.replaced(data_format="channels_first"), jnp.moveaxis(IMAGES, -1, 1))
    assert_allclose(jnp.moveaxis(moved, 1, -1), train(layer), rtol=1e-5, atol=1e-3)


@each_layer
def test_bytes_become_floats(layer):
    x = IMAGES.astype("uint8")
    assert_array_equal(train(layer, x), train(layer, x.astype("float32")))
    assert layer.apply({}, {}, x, Ctx())[0].dtype == jnp.float32


@each_layer
def test_nothing_changes_in_evaluation(layer):
    if not isinstance(layer, RandomCrop):
        assert layer.apply({}, {}, IMAGES, Ctx())[0] is IMAGES


def test_the_values_stay_in_their_range():
    for layer in RandomContrast(1.0), RandomBrightness(1.0):
        y = train(layer, jnp.tile(IMAGES, (20, 1, 1, 1)))
        assert y.min() == 0 and y.max() == 255
        assert train(layer.replaced(value_range=(0, 1)), IMAGES / 255).max() <= 1


# ---- in a model


def test_a_model_learns_from_pictures_that_change_and_can_be_made_again():
    def model():
        made = Sequential([RandomFlip("horizontal"), RandomTranslation(0.1, 0.1), doors.Rescaling(1 / 255), doors.Flatten(),
                           doors.Dense(2)], seed=5)
        made.compile("adam", "mse")
        return made

    x, y = np.asarray(IMAGES, "uint8"), np.zeros((6, 2), "float32")
    one, other = model(), model()
    losses = [each.fit(x, y, batch_size=4, epochs=3, verbose=0).history["loss"] for each in (one, other)]
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]
    assert one.evaluate(x, y, verbose=0) == one.evaluate(x, y, verbose=0)


# ---- errors


@pytest.mark.parametrize(("make", "message"), [
    (lambda: RandomFlip("both"), "RandomFlip: mode='both': write one of 'horizontal', 'vertical', 'horizontal_and_vertical'."),
    (lambda: RandomTranslation(2, 0), "RandomTranslation(height_factor=2): write a number from -1 to 1, or a pair of them, "
     "(low, high)."),
    (lambda: RandomTranslation(0.1, [0.1, 0.2, 0.3]), "RandomTranslation(width_factor=(0.1, 0.2, 0.3)): write a number from -1 "
     "to 1, or a pair of them, (low, high)."),
    (lambda: RandomZoom(-1), "RandomZoom(height_factor=-1): write a number from -0.99 to 1, or a pair of them, (low, high)."),
    (lambda: RandomZoom(1.0), "RandomZoom(height_factor=1.0) goes from -1.0 to 1.0: write a number up to 0.99, or a pair of "
     "them from -0.99 to 1, (low, high)."),
    (lambda: RandomZoom((0, 1), 0.995), "RandomZoom(width_factor=0.995) goes from -0.995 to 0.995: write a number up to 0.99, "
     "or a pair of them from -0.99 to 1, (low, high)."),
    (lambda: RandomRotation(0.1, "mirror"), "RandomRotation: fill_mode='mirror': write one of 'reflect', 'wrap', 'constant', "
     "'nearest'."),
    (lambda: RandomRotation(0.1, interpolation="bicubic"), "RandomRotation: interpolation='bicubic': write one of 'nearest', "
     "'bilinear'."),
    (lambda: RandomRotation(0.1, fill_value=None), "RandomRotation(fill_value=None): write a finite number."),
    (lambda: RandomContrast(-0.1), "RandomContrast(factor=-0.1): write a number from 0 to 1, or a pair of them, (low, high)."),
    (lambda: RandomBrightness(2), "RandomBrightness(factor=2): write a number from -1 to 1, or a pair of them, (low, high)."),
    (lambda: RandomBrightness(0.1, (1, 0)), "RandomBrightness(value_range=(1, 0)): write (low, high), the values of black and "
     "white, such as (0, 255) or (0, 1)."),
    (lambda: RandomHue(-0.1), "RandomHue(factor=-0.1): write a number from 0 to 1, or a pair of them, (low, high)."),
    (lambda: RandomGrayscale((0, 1)), "RandomGrayscale(factor=(0, 1)): write a number from 0 to 1."),
    (lambda: RandomColorJitter(hue_factor=2), "RandomHue(factor=2): write a number from 0 to 1, or a pair of them, (low, "
     "high)."),
    (lambda: train(RandomHue(0.1), IMAGES[..., :1]), "Colors are red, green and blue: 3 channels, got x (6, 9, 7, 1) with its "
     "channels last."),
    (lambda: RandomCrop(0, 2), "RandomCrop: height=0: write a whole number of at least 1."),
    (lambda: CenterCrop(2, 2.5), "CenterCrop: width=2.5: write a whole number of at least 1."),
    (lambda: train(RandomFlip(), IMAGES[0]), "RandomFlip needs x (batch, height, width, channels), got (9, 7, 3). Add the axis "
     "of channels: x[..., None]."),
    (lambda: train(RandomCrop(2, 2), IMAGES[0, 0]), "RandomCrop needs x (batch, height, width, channels), got (7, 3)."),
], ids=range(20))
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
