"""Single images changed at random: Keras 2's functions, with a seed in the place of NumPy's global generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxseq.api.preprocessing.affine import apply_affine_transform, apply_brightness_shift, apply_channel_shift
from jaxseq.api.preprocessing.draws import between, known_seed, units
from jaxseq.core.declared import is_number
from jaxseq.core.require import require


def random_rotation(x: Any, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest",
                    cval: float = 0.0, interpolation_order: int = 1, *, seed: int | None = None) -> np.ndarray:
    """x turned by an angle drawn evenly from [-rg, rg) degrees. seed: what it is drawn with; None: another each time."""
    theta, = _drawn(seed, (-rg, rg))
    where = _where(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, theta, **where)


def random_shift(x: Any, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
                 fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1, *,
                 seed: int | None = None) -> np.ndarray:
    """x shifted by shares of its width and height, drawn evenly from [-wrg, wrg) and [-hrg, hrg)."""
    down, across = _drawn(seed, (-hrg, hrg), (-wrg, wrg))
    tx, ty = down * x.shape[row_axis], across * x.shape[col_axis]
    where = _where(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, tx, ty, **where)


def random_shear(x: Any, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
                 fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1, *,
                 seed: int | None = None) -> np.ndarray:
    """x sheared by an angle drawn evenly from [-intensity, intensity) degrees."""
    shear, = _drawn(seed, (-intensity, intensity))
    where = _where(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, 0, 0, shear, **where)


def random_zoom(x: Any, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
                fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1, *,
                seed: int | None = None) -> np.ndarray:
    """x zoomed along its rows and along its columns, each by a factor drawn evenly from zoom_range = (low, high)."""
    ends = two_numbers("zoom_range", zoom_range)
    zx, zy = _drawn(seed, ends, ends)
    where = _where(row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order)
    return apply_affine_transform(x, 0, 0, 0, 0, zx, zy, **where)


def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0, *, seed: int | None = None) -> np.ndarray:
    """x + a, a drawn evenly from [-intensity_range, intensity_range), within the values of x."""
    intensity, = _drawn(seed, (-intensity_range, intensity_range))
    return apply_channel_shift(x, intensity, channel_axis)


def random_brightness(x: Any, brightness_range: Any, scale: bool = True, *, seed: int | None = None) -> np.ndarray:
    """x (height, width, channels) times a factor drawn evenly from (low, high): see apply_brightness_shift."""
    brightness, = _drawn(seed, two_numbers("brightness_range", brightness_range))
    return apply_brightness_shift(x, brightness, scale)


def two_numbers(argument: str, value: Any) -> tuple[float, float]:
    """(low, high), else a ValueError."""
    pair = isinstance(value, tuple | list | np.ndarray) and len(value) == 2 and all(map(is_number, value))
    require(pair, f"{argument}={value!r}: write two numbers, (low, high).")
    low, high = value
    return low, high


def _where(*values: Any) -> dict[str, Any]:
    """The settings of apply_affine_transform that say which axes, and what lies beyond the border."""
    return dict(zip(("row_axis", "col_axis", "channel_axis", "fill_mode", "cval", "order"), values, strict=True))


def _drawn(seed: int | None, *ends: tuple[float, float]) -> list[float]:
    """A number from each (low, high)."""
    return [between(unit, *pair) for unit, pair in zip(units(known_seed(seed), 0, 0, len(ends)), ends, strict=True)]
