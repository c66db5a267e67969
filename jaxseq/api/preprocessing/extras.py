"""The libraries behind images, imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any


def pillow(module: str = "Image") -> Any:
    """PIL.Image, or another module of Pillow. ImportError that says what to install."""
    return _needed(f"PIL.{module}", "Pillow")


def ndimage() -> Any:
    """scipy.ndimage. ImportError that says what to install."""
    return _needed("scipy.ndimage", "SciPy")


def _needed(module: str, library: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"Images are read and changed with {library}: pip install 'jaxseq[images]'.") from error
