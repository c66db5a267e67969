"""The words of a class name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def snake_case(name: str) -> str:
    """MaxPooling2D -> max_pooling2d, LSTM -> lstm, MeanIoU -> mean_io_u: the words of a class name as Keras 3 writes them."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def under_both_names(classes: Mapping[str, T]) -> dict[str, T]:
    """Every class under its own name and under that of its objects: "AUC" and "auc", "MeanIoU" and "mean_io_u"."""
    return {**classes, **{snake_case(name): each for name, each in classes.items()}}
