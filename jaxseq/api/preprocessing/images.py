"""Images between files, Pillow and arrays."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.extras import pillow
from jaxseq.core.kernels.crops import largest_part
from jaxseq.core.require import one_of, positive_int, require, spelled

MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
INTERPOLATIONS = "nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"
LAYOUTS = None, "channels_last", "channels_first"
GREY = "L", "I"     # modes of Pillow that are grey as they are


@spelled
def load_img(path: Any, color_mode: str = "rgb", target_size: Any = None, interpolation: str = "nearest",
             keep_aspect_ratio: bool = False, grayscale: bool = False) -> Any:
    """The image of a file, as Pillow has it.

    path: a path, or io.BytesIO. color_mode: "rgb", "rgba", "grayscale"; of 16 bits of grey the first 8 are kept,
        rounded, and images of 32 stay what they are in "grayscale".
    target_size: (height, width) to resize to. keep_aspect_ratio: of the middle, the largest part of these proportions.
    grayscale=True: Keras 2's word for color_mode="grayscale".
    Raises: OSError, with the path, for what is no image that Pillow can read, and for one that is cut off.
    Differs from Keras, where 16 bits stay in "grayscale" and values above 255 become white otherwise.
    """
    color_mode = one_of("color_mode", "grayscale" if grayscale else color_mode, tuple(MODES))
    one_of("interpolation", interpolation, INTERPOLATIONS)
    known = isinstance(path, str | bytes | os.PathLike | io.BytesIO)
    require(known, f"path={path!r}: write a path, or an io.BytesIO.", TypeError)
    try:
        with pillow().open(path) as opened:
            image = _of_8_bits(opened) if _has_16_bits(opened) else opened.copy()
            grey = color_mode == "grayscale" and image.mode in GREY
            image = image if grey or image.mode == MODES[color_mode] else image.convert(MODES[color_mode])
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:       # SyntaxError: what Pillow calls a broken PNG
        raise OSError(f"{path}: no image that can be read ({error}). Remove the file, or mend it.") from error
    if target_size is None:
        return image
    return _resized(image, size_of("target_size", target_size), interpolation, keep_aspect_ratio)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = "float32") -> np.ndarray:
    """An image of Pillow's as an array (height, width, channels), or (channels, height, width) for "channels_first"."""
    x = np.asarray(img, dtype or "float32")
    require(x.ndim in (2, 3), f"An image has two or three axes, got {x.shape}.")
    x = x[..., None] if x.ndim == 2 and not _first(data_format) else x[None] if x.ndim == 2 else x
    return np.moveaxis(x, -1, 0) if _first(data_format) and np.ndim(img) != 2 else x


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = "float32") -> Any:
    """An array (height, width, channels) as an image of Pillow's: of 1 channel grey, of 3 RGB, of 4 RGBA.

    scale: the smallest value becomes 0, the largest 255. Without it values are cut to whole numbers from 0 to 255; grey ones
    above make an image of 32 bits.
    """
    x = np.array(x, dtype or "float32")
    require(x.ndim == 3, f"array_to_img wants one image (height, width, channels), got {x.shape}."
            + (" Pass x[..., None]." if x.ndim == 2 else ""))
    x = np.moveaxis(x, 0, -1) if _first(data_format) else x
    require(x.shape[-1] in (1, 3, 4), f"array_to_img wants 1, 3 or 4 channels, got x {x.shape}. For (channels, height, width) "
            "write data_format='channels_first'.")
    require(np.isfinite(x).all(), "array_to_img: x has NaN or infinity in it.")
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[-1] == 1:
        wide = x.max(initial=0) > 255
        return pillow().fromarray(x[..., 0].astype("int32") if wide else _bytes(x[..., 0]))
    return pillow().fromarray(_bytes(x))


def save_img(path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True,
             **options: Any) -> None:
    """Writes the array x (height, width, channels) as an image, in the format that the path's ending names.

    scale: as in array_to_img. options: handed to Pillow's `save`. JPEG knows no transparency: RGBA becomes RGB.
    """
    image = array_to_img(x, data_format, scale)
    file_format = file_format or (Path(path).suffix[1:] if isinstance(path, str | os.PathLike) else "png")
    file_format = {"jpg": "jpeg", "tif": "tiff"}.get(file_format.lower(), file_format.lower())
    image = image.convert("RGB") if image.mode == "RGBA" and file_format == "jpeg" else image
    image.save(path, file_format, **options)


def size_of(argument: str, size: Any) -> tuple[int, int]:
    """(height, width), of such a pair, or of one number for both; else a ValueError."""
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    require(len(pair) == 2, f"{argument}={size!r}: write (height, width).")
    return positive_int(argument, pair[0]), positive_int(argument, pair[1])


def _has_16_bits(image: Any) -> bool:
    return image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG")      # the latter in Pillow before 11


def _of_8_bits(image: Any) -> Any:
    """A grey image of 16 bits in the nearest of 256 greys: 65535, white, is 255."""
    return pillow().fromarray(_bytes(np.rint(np.asarray(image) / 257)))


def _resized(image: Any, size: tuple[int, int], interpolation: str, keep_aspect_ratio: bool) -> Any:
    if image.size == size[::-1]:
        return image
    how = pillow().Resampling[interpolation.upper()]
    if not keep_aspect_ratio:
        return image.resize(size[::-1], how)
    rows, columns = largest_part(image.size[::-1], size)
    return image.resize(size[::-1], how, (columns.start, rows.start, columns.stop, rows.stop))


def _first(data_format: str | None) -> bool:
    return one_of("data_format", data_format, LAYOUTS) == "channels_first"


def _bytes(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 255).astype("uint8")
