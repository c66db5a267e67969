"""What docs/differences.md says of images, within a model and on the host, shown against the installed Keras."""

import jax
import keras
import numpy as np
import pytest
from differing import quiet, stacked
from PIL import Image

import jaxseq
from jaxseq import layers

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.usefixtures("quickly_compiled")]

# ---- layers

PICTURES = np.random.default_rng(5).uniform(0, 255, (400, 6, 5, 1)).astype("float32")


def augmented(layer, x=PICTURES):
    """The layer's output in training, in either library."""
    if isinstance(layer, keras.layers.Layer):
        return np.asarray(layer(x, training=True))
    return np.asarray(layer.apply({}, {}, x, layers.Ctx(True, jax.random.key(0)))[0])


def test_two_mirrors_have_two_draws():
    for k, kinds in (keras, {(1, 1), (-1, -1)}), (jaxseq, {(1, 1), (1, -1), (-1, 1), (-1, -1)}):
        y = augmented(k.layers.RandomFlip())
        found = {way for way in ((1, 1), (1, -1), (-1, 1), (-1, -1))
                 if any((image == x[::way[0], ::way[1]]).all() for image, x in zip(y, PICTURES, strict=True))}
        assert found == kinds


def test_contrast_goes_both_ways():
    for k, lowest in (keras, 1.0), (jaxseq, 0.8):
        factors = augmented(k.layers.RandomContrast(0.2, (-999, 999))).std((1, 2, 3)) / PICTURES.std((1, 2, 3))
        assert abs(factors.min() - lowest) < 0.01 and abs(factors.max() - 1.2) < 0.01


def test_saturation_stays_among_the_colors():
    colors = np.tile(np.array([[[[250.0, 120.0, 10.0]]]], "float32"), (3, 2, 2, 1))
    for k, stays in (keras, False), (jaxseq, True):
        y = augmented(k.layers.RandomSaturation((0.9, 0.9)), colors)
        assert (y.min() >= 0) == stays and y.max() <= 255


def test_saturation_and_degeneration_from_zero():
    assert keras.layers.RandomSaturation(0.9).factor == keras.layers.RandomColorDegeneration(0.9).factor == (-0.9, 0.9)
    for layer in layers.RandomSaturation(0.9), layers.RandomColorDegeneration(0.9):
        assert layer.from_zero("factor") == (0, 0.9)
        assert layer.replaced(factor=(-0.9, 0.9)).from_zero("factor") == (-0.9, 0.9)       # what a file of Keras's says


def test_a_pair_of_thresholds():
    for k, kinds in (keras, 2), (jaxseq, 1):
        y = augmented(k.layers.Solarization(threshold_factor=(0.5, 0.5)), np.full((400, 1, 1, 1), 100, "float32"))
        assert len(np.unique(y)) == kinds


def test_crops_have_one_size_and_places_of_their_own():
    x = np.broadcast_to(PICTURES[:1], PICTURES.shape)
    for k, shape, places in (keras, (6, 5), 1), (jaxseq, (4, 3), 9):
        model = stacked(k, k.layers.RandomCrop(4, 3), shape=(6, 5, 1))
        assert model.predict(x, verbose=0).shape[1:3] == shape
        assert len(np.unique(augmented(k.layers.RandomCrop(4, 3), x), axis=0)) == places


def test_a_zoom_by_all_of_an_image():
    assert keras.layers.RandomZoom(1.0).height_lower == -1.0
    with pytest.raises(ValueError, match=r"write a number up to 0\.99"):
        layers.RandomZoom(1.0)


# ---- images on the host


def test_a_grey_image_of_16_bits(tmp_path):
    Image.fromarray(np.array([[0, 25700, 65535]], "uint16")).save(tmp_path / "deep.png")
    for k, grey, color in (keras, [0, 25700, 65535], [0, 255, 255]), (jaxseq, [0, 100, 255], [0, 100, 255]):
        for mode, values in ("grayscale", grey), ("rgb", color):
            x = k.utils.img_to_array(k.utils.load_img(tmp_path / "deep.png", color_mode=mode))
            assert x[0, :, 0].tolist() == values


def generators():
    from keras.src.legacy.preprocessing.image import ImageDataGenerator as theirs

    from jaxseq.preprocessing.image import ImageDataGenerator as ours
    return theirs, ours


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_shifts_along_the_height_and_the_middle_of_an_image():
    wide = np.zeros((5, 9, 1), "float32")
    wide[2, 4] = 1
    for make, axis, stays in zip(generators(), (1, 0), (False, True), strict=True):
        down = make(fill_mode="constant").apply_transform(wide, {"tx": 1})
        assert np.argwhere(down[..., 0])[0].tolist() == [2 - (axis == 0), 4 - (axis == 1)]
        turned = make(fill_mode="constant").apply_transform(wide, {"theta": 180})
        assert (turned[2, 4, 0] > 0.99) == stays


def test_brightness_and_the_range_of_an_image():
    dark = np.full((2, 2, 3), 100.0, "float32")
    dark[0] = 50
    for make in generators():
        assert make().apply_transform(dark, {"brightness": 1.0}).max() == 100


def test_brightness_of_images_from_0_to_1_is_black():
    for make in generators():
        assert make().apply_transform(PICTURES[0] / 256, {"brightness": 1.0}).max() == 0
    _, ours = generators()
    assert ours(brightness_range=(1, 1), rescale=1 / 255).flow(PICTURES[:1])[0].max() > 0.9


def test_a_channel_shift_of_bytes():
    from keras.src.legacy.preprocessing.image import apply_channel_shift as theirs

    from jaxseq.preprocessing.image import apply_channel_shift as ours
    x = np.array([[[10, 200, 60]]], "uint8")
    for shift, lightest in (theirs, 44), (ours, 200):
        assert shift(x, 100, 2)[0, 0, 1] == lightest


def test_rescale_and_zoom_by_nothing():
    theirs, ours = generators()
    assert (theirs(rescale=0).standardize(PICTURES[0].copy()) == PICTURES[0]).all()
    theirs(zoom_range=1.5)
    for words in {"rescale": 0}, {"zoom_range": 1.5}:
        with pytest.raises(ValueError, match="write a"):
            ours(**words)


def test_a_function_that_gives_whole_numbers_and_a_scale():
    theirs, ours = generators()
    words = {"preprocessing_function": lambda image: image.astype("uint8"), "rescale": 1 / 255}
    with pytest.raises(TypeError, match="Cannot cast"):
        theirs(**words).standardize(PICTURES[0])
    np.testing.assert_allclose(ours(**words).standardize(PICTURES[0]), np.floor(PICTURES[0]) / 255, rtol=1e-6)


def test_draws_of_an_image_data_generator():
    x = PICTURES[:8]
    for make, moved in zip(generators(), (True, False), strict=True):
        before = np.random.get_state()[2]
        flow = make(horizontal_flip=True, rotation_range=9).flow(x, batch_size=4, shuffle=False, seed=1)
        first, again = flow[0], flow[0]
        assert (np.random.get_state()[2] != before) == moved == (first != again).any()


def test_features_that_are_not_known():
    theirs, ours = generators()
    x = PICTURES[0].copy()
    kept, told = quiet(theirs(featurewise_center=True).standardize, x)
    assert (kept == PICTURES[0]).all() and "hasn't been fit" in told[0]
    with pytest.raises(ValueError, match=r"call fit\(x\)"):
        ours(featurewise_center=True).standardize(x)


def test_standardizing_and_the_data():
    for make, changes in zip(generators(), (True, False), strict=True):
        x = PICTURES[0].copy()
        make(rescale=0.5).standardize(x)
        assert (x != PICTURES[0]).any() == changes


def test_classes_of_a_frame(tmp_path):
    pandas = pytest.importorskip("pandas")
    for name in "a.png", "b.png":
        jaxseq.utils.save_img(tmp_path / name, PICTURES[0])
    theirs, ours = generators()
    whole, several = (pandas.DataFrame({"filename": ["a.png", "b.png"], "class": each}) for each in ([7, 3], ["x", ["x", "y"]]))
    with pytest.raises(TypeError, match="must be type string"):
        theirs().flow_from_dataframe(whole, str(tmp_path))
    assert ours().flow_from_dataframe(whole, tmp_path).class_indices == {3: 0, 7: 1}
    y = theirs().flow_from_dataframe(several, str(tmp_path), shuffle=False)[0][1]
    assert y.tolist() == [[1, 0], [1, 1]]
    with pytest.raises(ValueError, match="class_mode='raw'"):
        ours().flow_from_dataframe(several, tmp_path)
    columns = pandas.DataFrame({"filename": ["a.png", "b.png"], "x": [1, 1], "y": [0, 1]})
    flow = ours().flow_from_dataframe(columns, tmp_path, y_col=["x", "y"], class_mode="raw", shuffle=False)
    assert (flow[0][1] == y).all()


def test_folders_and_frames_that_lack_something(tmp_path):
    pandas = pytest.importorskip("pandas")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    jaxseq.utils.save_img(tmp_path / "full" / "a.png", PICTURES[0])
    frame = pandas.DataFrame({"filename": ["full/a.png", "full/b.png"], "class": ["x", "y"]})
    theirs, ours = generators()
    assert theirs().flow_from_directory(tmp_path).samples == 1
    with pytest.raises(ValueError, match="The folder 'empty'"):
        ours().flow_from_directory(tmp_path)
    flow, told = quiet(theirs().flow_from_dataframe, frame, str(tmp_path))
    assert flow.samples == 1 and "invalid image filename" in told[0]
    with pytest.raises(FileNotFoundError, match="full/b"):
        ours().flow_from_dataframe(frame, tmp_path)
