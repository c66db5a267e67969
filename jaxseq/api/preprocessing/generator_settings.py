"""The settings of an ImageDataGenerator, checked before the first image comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxseq.api.preprocessing.random_images import two_numbers
from jaxseq.core.declared import in_python, is_number
from jaxseq.core.require import require


def shifts_of(argument: str, value: Any) -> Any:
    """A number, or a tuple of them; else a ValueError."""
    several = tuple(value) if isinstance(value, list | tuple | np.ndarray) else value
    numbers = several if isinstance(several, tuple) else (several,)
    require(numbers and all(map(is_number, numbers)), f"{argument}={value!r}: write a number, or a list of numbers.")
    return in_python(several)


def zoom_of(value: Any) -> tuple[float, float]:
    """(low, high) of factors above 0, of such a pair, or of a number z for (1 - z, 1 + z)."""
    ends = two_numbers("zoom_range", (1 - value, 1 + value) if is_number(value) else value)
    require(min(ends) > 0, f"zoom_range={value!r} zooms by {min(ends):g}: write a number from 0 up to, and without, 1, or two "
            "above 0, such as (0.5, 1.5).")
    return ends


def brightness_of(value: Any) -> tuple[float, float] | None:
    """(low, high) of factors of at least 0, or None."""
    if value is None:
        return None
    ends = two_numbers("brightness_range", value)
    require(min(ends) >= 0, f"brightness_range={value!r}: write factors of at least 0, such as (0.5, 1.5).")
    return ends


def rescale_of(value: Any) -> float | None:
    """A factor, or None."""
    require(value is None or (is_number(value) and value != 0), f"rescale={value!r}: write a finite number other than 0, such "
            "as 1 / 255, or None.")
    return value


def function_of(value: Any) -> Any:
    """A function of an image, or None."""
    require(value is None or callable(value), f"preprocessing_function={value!r}: write a function of one image, such as "
            "lambda image: image / 127.5 - 1.", TypeError)
    return value


def order_of(value: Any) -> int:
    """The order of a spline."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    require(whole and 0 <= value <= 5, f"interpolation_order={value!r}: write a whole number from 0 to 5.")
    return int(value)


def dtype_of(value: Any, scaling: list[str]) -> Any:
    """A dtype of numbers, as it was given; one of floats, where the settings `scaling` make fractions of whole numbers."""
    value = value or "float32"
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError):
        dtype = np.dtype(object)
    require(dtype.kind != "b" and np.can_cast(dtype, "float64"), f"dtype={value!r}: write the name of a dtype "
            "of numbers, such as 'float32' or 'uint8'.")
    require(dtype.kind not in "iu" or not scaling, f"dtype={value!r} with {', '.join(scaling)}: whole numbers cannot hold what "
            "comes out. Write dtype='float32'.")
    return value
