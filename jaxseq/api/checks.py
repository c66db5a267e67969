"""Do these columns fit this model? Asked once, on the host, before the first step; the model stays as it was."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxseq.api.columns import Column, Rows, finite, in_code, whole, within
from jaxseq.api.sparse import SparseRows
from jaxseq.core import losses
from jaxseq.core.layers import Embedding
from jaxseq.core.require import require
from jaxseq.core.types import Shape

CATEGORICAL = losses.categorical_crossentropy
SPARSE = losses.sparse_categorical_crossentropy
BINARY = losses.binary_crossentropy


def fitted_x(name: str, x: Rows, shape: Shape) -> Rows:
    """x, with an axis added where a single feature was given flat; ValueError unless it fits the model's input."""
    if x.ndim == 1 and len(shape) == 2 and shape[1] in (1, None):
        x = x[:, None]
    fits = x.ndim == len(shape) and _agree(x.shape[1:], shape[1:])
    require(fits, f"{name} has shape {x.shape}, but the model wants {shape}" + _missing_axis(in_code(name), x, shape))
    require(0 not in x.shape[1:], f"{name} has shape {x.shape}: its rows are empty.")
    return x


def _missing_axis(name: str, x: Rows, shape: Shape) -> str:
    """The line to write where an axis of 1 makes x fit: that of a single example, or the last one."""
    if _agree(x.shape, shape[1:]):
        return f": pass {name}[None] for a single example."
    flat = shape[-1] == 1 and _agree(x.shape[1:], shape[1:-1]) and not isinstance(x, SparseRows)
    return f": pass {name}[..., None] to give it the axis of 1." if flat else "."


def check_not_text(name: str, x: Any, first: Any) -> None:
    """TypeError for text, by its first entry, where an Embedding stands in front."""
    if isinstance(first, Embedding):
        entry = _first_entry(x)
        entry = entry.item() if isinstance(entry, np.generic) else entry
        require(not isinstance(entry, str | bytes), f"{name} is text, {reprlib.repr(entry)}, and {first!r} takes token ids: "
                "number the words, with jaxseq.layers.TextVectorization, or jaxseq.preprocessing.text.Tokenizer and "
                "pad_sequences.", TypeError)


def _first_entry(data: Any) -> Any:
    """The first entry of lists within lists, or of an array."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    data = data.to_numpy() if hasattr(data, "to_numpy") else data           # pandas, polars
    return data.flat[0] if isinstance(data, np.ndarray) and data.size else data


def check_x_values(name: str, x: Any, first: Any) -> None:
    """ValueError for NaN and infinities, and for token ids that the Embedding in front does not have."""
    finite(name, x)
    if isinstance(first, Embedding):
        whole(name, x, "an Embedding takes token ids.")
        within(name, x, 0, first.input_dim - 1, f", but {first!r} has the ids 0 to {first.input_dim - 1}: "
               "write input_dim=largest id + 1, and count ids from 0.")


def fitted_y(name: str, y: Column, output: Shape, loss: Any) -> Column:
    """y, with an axis added where a single target was given flat; ValueError unless it fits loss and output."""
    axis, loss = getattr(loss, "axis", -1), losses.plain(loss)
    if loss is SPARSE:
        return _fitted_labels(name, y, output, axis)
    if y.ndim == 1 and len(output) == 2 and output[1] == 1:
        y = y[:, None]                                      # a user's own loss never meets (n,) against (n, 1)
    if any(loss is each for each in losses.TABLE.values()):
        require(y.ndim == len(output) and _agree(y.shape[1:], output[1:]), _misfit(name, y, output, loss))
    return y


def check_y_values(name: str, y: Column, output: Shape, loss: Any) -> None:
    """ValueError for NaN and infinities, and for labels that the loss cannot mean."""
    finite(name, y)
    ignored, axis, loss = getattr(loss, "ignore_class", None), getattr(loss, "axis", -1), losses.plain(loss)
    if loss is SPARSE:
        y = y if ignored is None else np.where(np.asarray(y) == ignored, 0, y)
        whole(name, y, "sparse_categorical_crossentropy takes integer labels.")
        last = (output[axis] or 1) - 1
        within(name, y, 0, last, f", but the model's output {output} has the classes 0 to {last}: give the last layer one unit "
               f"per class, or number the classes from 0, np.unique({in_code(name)}, return_inverse=True)[1].")
    elif loss is BINARY:
        within(name, y, 0, 1, f", but binary_crossentropy takes labels from 0 to 1: write, for example, "
               f"({in_code(name)} > 0).")
    elif loss is CATEGORICAL:
        within(name, y, 0, 1, ", but categorical_crossentropy takes one-hot rows or probabilities.")
        _check_distributions(name, y)


def fitted_weight(name: str, weight: Column, output: Shape) -> Column:
    """Weights (rows,) or (rows, time); ValueError for NaN, infinities, negatives and other shapes.

    A column (rows, 1) counts as flat where the model gives one row of numbers per example.
    """
    if weight.shape[1:] == (1,) and len(output) <= 2:
        weight = weight[:, 0]
    several = output[:-1] if len(output) > 2 else (None,)
    fits = weight.ndim <= len(several) and _agree(weight.shape[1:], several[1:weight.ndim])
    require(fits, f"{name} has shape {weight.shape} for a model with the output {output}: pass one weight per row, "
            f"{weight.shape[:1]}" + (", or one per row and time step." if len(several) > 1 else "."))
    finite(name, weight)
    within(name, weight, 0, np.inf, ": a weight is 0 or larger.")
    return weight


def class_weights(class_weight: Mapping[int, float], y: Column, loss: Any) -> np.ndarray:
    """One weight per row of y: that of its class. ValueError when a class of y has none, and where rows have no class."""
    require(isinstance(class_weight, Mapping), f"class_weight={class_weight!r}: write a dict such as {{0: 1.0, 1: 5.0}}.",
            TypeError)
    for each, value in class_weight.items():
        usable = isinstance(value, int | float | np.integer | np.floating) and 0 <= value < np.inf
        require(usable, f"class_weight[{each!r}] is {value!r}: a weight is a number from 0 on.")
    labels = _classes(np.asarray(y), loss)
    require(labels is not None, f"class_weight needs one class per row, got y {y.shape}: pass sample_weight instead.")
    classes, where = np.unique(labels, return_inverse=True)
    missing = [int(each) for each in classes if int(each) not in class_weight]
    require(not missing, f"class_weight has no entry for class {', '.join(map(str, missing[:5]))}"
            f"{', ...' if len(missing) > 5 else ''} of y: add it, {{..., {missing[0] if missing else 0}: 1.0}}.")
    return np.array([class_weight[int(each)] for each in classes], np.float64)[where]


def _classes(y: np.ndarray, loss: Any) -> np.ndarray | None:
    """The class of every row: of labels (rows,) or (rows, 1), or of one-hot rows; None where there is none."""
    loss = losses.plain(loss)
    if y.ndim == 2 and y.shape[1] > 1 and loss is not SPARSE:
        one_hot = loss is CATEGORICAL or (np.count_nonzero(y, axis=1) == 1).all()
        return y.argmax(axis=1) if one_hot else None
    if y.size != len(y):
        return None
    whole("y", y, "class_weight needs classes. Pass sample_weight instead.")
    return y.reshape(-1).astype(np.int64)


def _agree(have: Shape, wanted: Shape) -> bool:
    """Whether a shape is the wanted one, in which None is any length."""
    return len(have) == len(wanted) and all(b is None or a == b for a, b in zip(have, wanted, strict=True))


def _fitted_labels(name: str, y: Column, output: Shape, axis: int) -> Column:
    """y without a last axis of length 1. axis: that of the classes in the output."""
    given, without = y.shape, [length for place, length in enumerate(output) if place != axis % len(output)]
    if y.ndim == len(output) and y.shape[-1] == 1:
        y = y[..., 0]
    one_hot = len(given) == len(output) and given[axis] == output[axis]
    require(_agree(y.shape[1:], tuple(without[1:])), f"sparse_categorical_crossentropy wants {name} of shape {tuple(without)}, "
            f"integer labels for the model's output {output}; got {given}."
            + (" For one-hot rows write loss='categorical_crossentropy'." if one_hot else ""))
    return y


def _misfit(name: str, y: Column, output: Shape, loss: Any) -> str:
    text = f"{loss.__name__} wants {name} of the shape of the model's output, {output}; got {y.shape}."
    if loss is CATEGORICAL and (y.ndim == len(output) - 1 or y.ndim == len(output) and y.shape[-1] == 1):
        return (text + f" For integer labels write loss='sparse_categorical_crossentropy', or pass "
                f"jaxseq.utils.to_categorical({in_code(name)}, {output[-1]}).")
    if y.ndim == len(output) and _agree(y.shape[1:-1], output[1:-1]):
        return text + f" Give the last layer {_counted(y.shape[-1], 'unit')}, or pass {_counted(output[-1], 'column')}."
    return text


def _counted(number: int | None, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _check_distributions(name: str, y: Column) -> None:
    """An all-zero row is nobody's label: the loss would be 0 whatever is predicted. Time steps may be so: padding is."""
    if y.ndim != 2:
        return
    empty = ~np.asarray(y).any(axis=-1)
    require(not empty.any(), f"{name}[{int(empty.argmax())}] is all zeros, but categorical_crossentropy wants a class in every "
            "row.")
