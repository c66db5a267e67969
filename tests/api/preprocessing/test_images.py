"""Images between files, Pillow and arrays, against the installed Keras and Pillow."""

import io
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from jaxseq.preprocessing.image import array_to_img, img_to_array, load_img, save_img

DRAW = np.random.default_rng(0)
PICTURE = DRAW.integers(0, 256, (7, 9, 4)).astype("uint8")


@pytest.fixture(params=["RGB", "RGBA", "L", "P", "1", "LA", "CMYK", "I"])
def path(request, tmp_path):
    """A file with an image of that kind."""
    if request.param == "I":
        image = Image.fromarray(DRAW.integers(0, 60000, (7, 9)).astype("int32"))
    else:
        image = Image.fromarray(PICTURE).convert("RGB").convert(request.param)
    path = tmp_path / ("image.tif" if request.param in ("CMYK", "I") else "image.png")
    image.save(path)
    return path


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
def test_load_img_is_keras(path, color_mode):
    ours, theirs = load_img(path, color_mode), keras.utils.load_img(path, color_mode)
    assert ours.mode == theirs.mode
    assert_array_equal(img_to_array(ours), keras.utils.img_to_array(theirs))


@pytest.mark.parametrize(("ending", "dtype"), [("png", "uint16"), ("tif", "<u2"), ("tif", ">u2")])
@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
def test_16_bits_of_grey_are_brought_to_8(color_mode, ending, dtype, tmp_path):
    greys = np.array([[0, 128, 129, 257, 25700, 65535 - 257, 65535]])
    Image.fromarray(greys.astype(dtype)).save(tmp_path / f"deep.{ending}")
    image = load_img(tmp_path / f"deep.{ending}", color_mode)
    assert image.mode == {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}[color_mode]
    x = img_to_array(image)
    for channel in range(min(x.shape[-1], 3)):
        assert_array_equal(x[..., channel], [[0, 0, 1, 1, 100, 254, 255]])
    assert color_mode != "rgba" or (x[..., 3] == 255).all()


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("size", [(3, 4), (20, 5), (7, 9)])
def test_resizing_is_keras(path, interpolation, keep, size):
    words = {"target_size": size, "interpolation": interpolation, "keep_aspect_ratio": keep}
    assert_array_equal(np.asarray(load_img(path, **words)), np.asarray(keras.utils.load_img(path, **words)))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_there_and_back(data_format, channels):
    x = PICTURE[..., :channels].astype("float32")
    x = np.moveaxis(x, -1, 0) if data_format == "channels_first" else x
    image = array_to_img(x, data_format, scale=False)
    assert_array_equal(np.asarray(image), np.asarray(keras.utils.array_to_img(x, data_format, scale=False)))
    assert_array_equal(img_to_array(image, data_format), x)
    assert_array_equal(img_to_array(image, data_format), keras.utils.img_to_array(image, data_format))
    scaled = x / 3 - 7
    assert_array_equal(np.asarray(array_to_img(scaled, data_format)), np.asarray(keras.utils.array_to_img(scaled, data_format)))


def test_values_beyond_bytes():
    assert_array_equal(np.asarray(array_to_img(np.array([[[-5.0] * 3, [300.0] * 3]]), scale=False)), [[[0] * 3, [255] * 3]])
    assert array_to_img(np.full((2, 2, 1), 700.0), scale=False).getpixel((0, 0)) == 700
    assert_array_equal(np.asarray(array_to_img(np.zeros((2, 2, 3)))), 0)


def test_save_img(tmp_path):
    x = PICTURE.astype("float32")
    save_img(tmp_path / "a.png", x, scale=False)
    assert_array_equal(img_to_array(load_img(tmp_path / "a.png", "rgba")), x)
    save_img(str(tmp_path / "a.jpg"), x, scale=False, quality=99)
    assert load_img(tmp_path / "a.jpg").size == (9, 7)
    written = io.BytesIO()
    save_img(written, x[..., :3], file_format="png", scale=False)
    assert_array_equal(img_to_array(load_img(written)), x[..., :3])


def test_grayscale_in_the_words_of_keras_2(path):
    assert load_img(path, grayscale=True).mode == load_img(path, color_mode="grayscale").mode


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    whole = io.BytesIO()
    Image.fromarray(DRAW.integers(0, 256, (90, 90, 3)).astype("uint8")).save(whole, "png")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:2000])
    for name in "text.png", "empty.jpg", "cut.png":
        with pytest.raises(OSError, match=re.escape(f"{name}: no image that can be read (")):
            load_img(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load_img(tmp_path / "absent.png")


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: load_img("a.png", "bgr"), ValueError, "color_mode='bgr': write one of 'grayscale', 'rgb', 'rgba'."),
    (lambda: load_img("a.png", interpolation="area"), ValueError, "interpolation='area': write one of 'nearest', 'bilinear', "
     "'bicubic', 'hamming', 'box', 'lanczos'."),
    (lambda: load_img(3), TypeError, "path=3: write a path, or an io.BytesIO."),
    (lambda: array_to_img(np.ones((3, 3))), ValueError, "array_to_img wants one image (height, width, channels), got (3, 3). "
     "Pass x[..., None]."),
    (lambda: array_to_img(np.ones((3, 3, 2))), ValueError, "array_to_img wants 1, 3 or 4 channels, got x (3, 3, 2). For "
     "(channels, height, width) write data_format='channels_first'."),
    (lambda: array_to_img(np.full((3, 3, 3), np.nan)), ValueError, "array_to_img: x has NaN or infinity in it."),
    (lambda: img_to_array(np.ones(3)), ValueError, "An image has two or three axes, got (3,)."),
    (lambda: img_to_array(np.ones((3, 3)), "last"), ValueError, "data_format='last': write one of None, 'channels_last', "
     "'channels_first'."),
], ids=range(8))
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_nothing_is_imported_before_it_is_used_and_what_is_missing_is_told():
    program = """
import sys
sys.modules["PIL"] = None
import numpy as np
from jaxseq.preprocessing.image import ImageDataGenerator, load_img
assert "scipy.ndimage" not in sys.modules
try:
    load_img("a.png")
except ImportError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == "Images are read and changed with Pillow: pip install 'jaxseq[images]'.\n"
