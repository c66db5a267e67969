"""Small helpers on NumPy arrays, before the model sees them."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from jaxseq.core.require import positive_int, require

__all__ = ["normalize", "set_random_seed", "to_categorical"]


def to_categorical(y: Any, num_classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """One-hot rows for integer classes: a 1 in the column of the class, 0 elsewhere.

    Shapes: y (*a) or (*a, 1), whole numbers from 0 to num_classes - 1 -> (*a, num_classes). Classes are counted from
    the largest label when num_classes is None.
    Raises: ValueError, with the first bad label and its place, for a label that is negative, not whole, or too large.
    Differs from Keras, which counts negative labels from the end and cuts fractions off.
    """
    labels = np.asarray(y)
    require(labels.dtype.kind in "biuf", f"to_categorical wants numbers, got {labels.dtype}. Give each class a number: "
            "np.unique(y, return_inverse=True)[1].")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    whole = np.isfinite(labels) & (labels == np.floor(labels))
    _refuse_first(labels, ~whole, "is not a whole number. Pass class numbers; a target that is measured, not counted, "
                  "needs no one-hot rows")
    _refuse_first(labels, labels < 0, "is negative. Classes are counted from 0: write y - y.min()")
    classes = _class_count(labels, num_classes)
    _refuse_first(labels, labels >= classes, f"is too large: num_classes={classes} leaves 0 to {classes - 1}. Write "
                  f"num_classes={int(labels.max(initial=0)) + 1}, or y - 1 if your classes are counted from 1")
    return _one_hot(labels.astype(np.int64), classes, dtype)


def _class_count(labels: np.ndarray, num_classes: int | None) -> int:
    if num_classes is not None:
        return positive_int("num_classes", num_classes)
    require(labels.size > 0, f"to_categorical(y) of shape {labels.shape} holds no label to count classes by. Write "
            "to_categorical(y, num_classes=...).")
    return int(labels.max()) + 1


def _one_hot(labels: np.ndarray, classes: int, dtype: Any) -> np.ndarray:
    rows = np.zeros((labels.size, classes), dtype)
    rows[np.arange(labels.size), labels.ravel()] = 1
    return rows.reshape(*labels.shape, classes)


def _refuse_first(labels: np.ndarray, bad: np.ndarray, fault: str) -> None:
    """ValueError for the first of the bad labels, if there is one."""
    if not np.any(bad):
        return
    place = tuple(int(each[0]) for each in np.nonzero(np.atleast_1d(bad)))
    value = np.atleast_1d(labels)[place].item()
    index = ", ".join(map(str, place))
    raise ValueError(f"to_categorical: y[{index}] = {value} {fault}.")


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """x divided by the length of its vectors along an axis: sum(|x|**order)**(1/order). Zero vectors stay zero.

    Shapes: that of x. Integers give float64; floats keep their dtype.
    Differs from Keras 3, which divides along the wrong axis for axis=0.
    """
    x = np.asarray(x)
    single = hasattr(axis, "__index__") and not isinstance(axis, bool)
    require(single, f"axis={axis!r}: write one axis, such as axis=-1.")
    length = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(length == 0, np.ones_like(length), length)


def set_random_seed(seed: int) -> NoReturn:
    """Raises RuntimeError: there is no global generator; a model takes its own seed."""
    raise RuntimeError(f"set_random_seed({seed!r}): jaxseq has no global generator to seed. Write "
                       f"Sequential(seed={seed!r}): the model's weights, shuffling and dropout all follow from it.")
