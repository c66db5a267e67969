"""Single images turned, shifted, sheared, zoomed, mirrored, and made lighter, by numbers that are given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.extras import ndimage, pillow
from jaxseq.api.preprocessing.images import array_to_img, img_to_array
from jaxseq.core.kernels.affine import FILL_MODES
from jaxseq.core.require import one_of, require


def apply_affine_transform(x: Any, theta: float = 0, tx: float = 0, ty: float = 0, shear: float = 0, zx: float = 1,
                           zy: float = 1, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
                           fill_mode: str = "nearest", cval: float = 0.0, order: int = 1) -> np.ndarray:
    """y[p] = x[c + M (p - c)] for pixels p = (row, column), c the middle, and M = rotation · shift · shear · zoom.

    theta, shear: degrees. tx, ty: pixels along the rows' and the columns' axis. zx, zy: the same for zoom; above 1 is smaller.
    fill_mode: what is beyond the border: "nearest", "constant" (cval), "reflect", "wrap", as in scipy.ndimage. order: of the
    spline between pixels, 0 to 5.
    Differs from Keras 3, where x is along the columns, and the middle that of a square: see docs/differences.md.
    """
    x = np.asarray(x)
    require(x.ndim == 3, f"apply_affine_transform wants one image of three axes, got {x.shape}.")
    require({row_axis, col_axis, channel_axis} == {0, 1, 2}, f"row_axis={row_axis}, col_axis={col_axis}, channel_axis="
            f"{channel_axis}: write 0, 1 and 2 in some order, such as row_axis=0, col_axis=1, channel_axis=2.")
    one_of("fill_mode", fill_mode, FILL_MODES)
    if (theta, tx, ty, shear, zx, zy) == (0, 0, 0, 0, 1, 1):
        return x
    axes = channel_axis, row_axis, col_axis
    planes = np.moveaxis(x, axes, (0, 1, 2))
    middle = np.array(planes.shape[1:]) / 2 - 0.5
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    linear, offset = matrix[:2, :2], matrix[:2, 2] + middle - matrix[:2, :2] @ middle
    moved = [ndimage().affine_transform(plane, linear, offset, order=order, mode=fill_mode, cval=cval) for plane in planes]
    return np.moveaxis(np.stack(moved), (0, 1, 2), axes)


def _matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> np.ndarray:
    """M, as a matrix of (row, column, 1)."""
    cos, sin, lean = math.cos(math.radians(theta)), math.sin(math.radians(theta)), math.radians(shear)
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    leaning = np.array([[1, -math.sin(lean), 0], [0, math.cos(lean), 0], [0, 0, 1]])
    return rotation @ shift @ leaning @ np.diag([zx, zy, 1])


def flip_axis(x: Any, axis: int) -> np.ndarray:
    """x mirrored along an axis."""
    return np.flip(np.asarray(x), axis)


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """x + intensity, no less than the smallest value of x and no more than the largest, in the dtype of x.

    channel_axis means nothing. Differs from Keras, where uint8 plus an int wraps around.
    """
    x = np.asarray(x)
    return np.clip(x + float(intensity), x.min(), x.max()).astype(x.dtype)


def apply_brightness_shift(x: Any, brightness: float, scale: bool = True, channel_axis: int = -1) -> np.ndarray:
    """x, in whole numbers from 0 to 255, times brightness, as Pillow does it. Values outside are scaled there, and back.

    What lies between whole numbers is cut off: x / 255 would be black, so change the brightness first.
    scale: the smallest value becomes 0 and the largest 255 in any case, and stays so.
    """
    x = np.asarray(x, np.float32)
    low, high = x.min(), x.max()
    outside = low < 0 or high > 255
    layout = "channels_first" if channel_axis == 0 else "channels_last"
    image = array_to_img(x, layout, scale or outside)
    y = img_to_array(pillow("ImageEnhance").Brightness(image).enhance(brightness), layout)
    return y / 255 * (high - low) + low if outside and not scale else y
