"""Arrays of images resized on the host, as jax.image.resize does it without antialiasing, and with nothing to compile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxseq.core.kernels.crops import largest_part
from jaxseq.core.require import pick


def resized(x: np.ndarray, size: tuple[int, int], interpolation: str, crop: bool = False, pad: bool = False) -> np.ndarray:
    """x (height, width, channels) as float32 (*size, channels).

    crop: of the middle, the largest part that has the proportions of `size`. pad: first with zeros to these proportions.
    """
    x = np.asarray(x, np.float32)
    x = x[largest_part(x.shape[:2], size)] if crop else _padded(x, size) if pad else x
    for axis, length in enumerate(size):
        places, weights = _taps(x.shape[axis], length, interpolation)
        spread = weights.reshape(len(weights), *(-1 if each == axis else 1 for each in range(3)))
        x = np.sum([np.take(x, place, axis) * weight for place, weight in zip(places, spread, strict=True)], axis=0)
    return x


def _padded(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    (height, width), (wanted_height, wanted_width) = x.shape[:2], size
    above = max(0, width * wanted_height // wanted_width - height) // 2
    beside = max(0, height * wanted_width // wanted_height - width) // 2
    return np.pad(x, [(above, above), (beside, beside), (0, 0)])


def _taps(length: int, wanted: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """For each of the `wanted` places: which pixels count, and how much: (taps, wanted) twice."""
    reach, kernel = pick("interpolation", interpolation, KERNELS)
    centre = (np.arange(wanted) + 0.5) * length / wanted - 0.5
    if reach == 0:
        return np.clip(np.floor(centre + 0.5).astype(int), 0, length - 1)[None], np.ones((1, wanted), np.float32)
    places = np.floor(centre).astype(int) + np.arange(1 - reach, 1 + reach)[:, None]
    weights = np.where((places >= 0) & (places < length), kernel(np.abs(places - centre)), 0)
    return np.clip(places, 0, length - 1), (weights / weights.sum(0)).astype(np.float32)


def _triangle(d: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - d)


def _keys(d: np.ndarray) -> np.ndarray:
    """Keys 1981, a = -1/2."""
    near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def _lanczos(reach: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda d: np.where(d < reach, np.sinc(d) * np.sinc(d / reach), 0)


KERNELS: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {      # (how far it reaches, weight by distance)
    "nearest": (0, _triangle), "bilinear": (1, _triangle), "bicubic": (2, _keys), "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5))}
