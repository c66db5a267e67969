"""Pictures of data and of what a model does with them, by matplotlib."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxseq.api.showing.needed import picture
from jaxseq.api.showing.tiles import Field, tiled
from jaxseq.core.require import positive_int, require, spelled

MOST = 64           # maps or filters of one picture
LARGEST = 400       # images of one picture
CLASSES = 1_000     # rows of one confusion matrix


@spelled
def confusion_matrix(y_true: Any, y_pred: Any, labels: Any = None) -> Any:
    """How often each class (a row) was taken for each (a column): counts, and their share of the row.

    y_true, y_pred: class numbers (n,) or (n, 1), or one-hot rows or probabilities (n, classes), of which the largest counts.
    labels: the classes' names, from class 0 on; their numbers when absent.
    Raises: ValueError for what are no class numbers, for NaN, for different lengths, for too few labels, and for more than
    1,000 classes, of which the largest number says how many there are.
    The colors are the shares. Counts are those of sklearn.metrics.confusion_matrix.
    """
    true, predicted = _class_numbers("y_true", y_true), _class_numbers("y_pred", y_pred)
    require(len(true) == len(predicted), f"y_true has {len(true)} rows and y_pred {len(predicted)}.")
    require(len(true), "confusion_matrix: there are no rows.")
    used = 1 + int(max(true.max(), predicted.max()))
    require(used <= CLASSES, f"The largest class number is {used - 1}, and confusion_matrix shows up to {CLASSES} classes, "
            "from 0 on. Number those that occur: classes = np.unique(np.concatenate([y_true, y_pred])), and pass "
            "np.searchsorted(classes, y_true), np.searchsorted(classes, y_pred), labels=classes.")
    names = [str(each) for each in (range(used) if labels is None else labels)]
    require(len(names) >= used, f"There are {used} classes and {len(names)} labels.")
    count = len(names)
    counts = np.bincount(true * count + predicted, minlength=count**2).reshape(count, count)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = picture(2.2 + 0.62 * count, 1.4 + 0.55 * count)
    ax = figure.subplots()
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            ax.text(column, row, f"{counts[row, column]:,}\n{share:.0%}", ha="center", va="center", fontsize=8,
                    color="white" if share > 0.55 else "black")
    long = max(map(len, names)) > 5
    ax.set_xticks(range(count), names, rotation=40 * long, rotation_mode="anchor", ha="right" if long else "center")
    ax.set_yticks(range(count), names)
    right = int(np.trace(counts))
    ax.set(xlabel="predicted", ylabel="true", title=f"{right:,} of {len(true):,} right ({right / len(true):.1%})")
    return figure


@spelled
def image_grid(images: Any, labels: Any = None, columns: int | None = None) -> Any:
    """Images side by side, row by row.

    images: (n, height, width), or (n, height, width, channels) with 1, 3 or 4 channels. Floats from 0 to 1 are shown as
        they are, all others from 0, or their smallest number below it, to the largest of them all.
    labels: a title for each, of which str is shown. columns: images in a row; about as many as there are rows when absent.
    """
    images = np.asarray(images)
    fits = images.ndim == 3 or images.ndim == 4 and images.shape[-1] in (1, 3, 4)
    require(fits, f"image_grid wants images (n, height, width) or (n, height, width, 1, 3 or 4), got {images.shape}. Write "
            "images[None] for a single one.")
    require(0 < len(images) <= LARGEST, f"image_grid shows 1 to {LARGEST} images, got {len(images)}: write images[:{LARGEST}].")
    require(labels is None or len(labels) == len(images), f"There are {len(images)} images and "
            f"{0 if labels is None else len(labels)} labels.")
    columns = min(len(images), 12, math.ceil(len(images) ** 0.5)) if columns is None else positive_int("columns", columns)
    shown = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    return tiled([Field("", _from_0_to_1(shown), labels, columns)], bar=False, cmap="gray", vmin=0, vmax=1)


@spelled
def weights(layer: Any, channel: int = 0) -> Any:
    """The layer's weights of two axes and more: red above 0, blue below, white at 0.

    A matrix is shown as it is, (inputs, outputs). The filters of a convolution are shown one by one, up to 64: in color, grey
    at 0, where it reads three colors, else for the one input `channel`.
    Raises: ValueError for a layer without such weights, and for one that stands in no model.
    """
    model, name = layer._placed("weights")
    arrays = layer.get_weights()
    told = zip(model.listed(name), arrays, strict=True)
    named = [("/".join(slot[2:]), np.asarray(array, float)) for (slot, *_), array in told if array.ndim > 1]
    require(named, f"{layer!r} has no weights of two axes or more to show.")
    largest = max(float(np.abs(array).max()) for _, array in named) or 1.0
    fields = [_filters(f"{weight} {array.shape}", array, channel, largest) for weight, array in named]
    return tiled(fields, bar=all(field.images.ndim == 3 for field in fields), cmap="RdBu_r", vmin=-largest, vmax=largest)


@spelled
def activations(model: Any, x: Any, layer: Any, row: int = 0) -> Any:
    """What a layer gives for one row of x, in evaluation mode: maps one by one, up to 64, or a sequence as (features, time),
    or a bar for each feature.

    layer: its name, its place, or itself. No state moves.
    """
    name = _name(model, layer)
    x = np.asarray(x)
    shape = model.input_shape
    require(shape is None or x.ndim == len(shape), f"x has shape {x.shape}, and the model's input is {shape}: write x[None] "
            "for a single row.")
    require(-len(x) <= row < len(x), f"row={row}: x has {len(x)} rows.")
    x, row = (x[row:][:1], 0) if shape is not None and shape[0] is None else (x, row)       # or the batch size is fixed
    y, _ = model.functional(until=name).apply(model.train_state.params, model.train_state.state, x)
    given = np.asarray(y, float)[row]
    if getattr(model.get_layer(name), "data_format", None) == "channels_first":
        given = np.moveaxis(given, 0, -1)
    title = f"{name} {tuple(y.shape[1:])}"
    if given.ndim <= 1:
        return _bars(title, given.reshape(-1))
    maps = given.T[None] if given.ndim == 2 else np.moveaxis(given, -1, 0).reshape(-1, *given.shape[-3:-1])
    return tiled([Field(_counted(title, maps), maps[:MOST])], bar=True, cmap="viridis", vmin=given.min(), vmax=given.max())


# ---- within


def _class_numbers(argument: str, y: Any) -> np.ndarray:
    y = np.asarray(y)
    bad = np.argwhere(np.isnan(y)).tolist() if y.dtype.kind == "f" else []
    require(not bad, f"{argument} holds NaN, which is no class and no probability: the first at {(bad or [0])[0]}. Look "
            "with model.fit(..., check_finite=True) for where it comes from.")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y.argmax(1) if y.ndim == 2 else y
    whole = y.ndim == 1 and y.dtype.kind in "biuf" and bool(np.all((y >= 0) & (y == np.floor(y))))
    require(whole, f"{argument} {y.shape} {y.dtype} holds no class numbers from 0 on, and no row of probabilities per class. "
            "Of one probability per row write (y > 0.5).")
    return y.astype(np.int64)


def _from_0_to_1(images: np.ndarray) -> np.ndarray:
    whole, images = images.dtype.kind in "iu", images.astype(float)
    low, high = min(float(np.nanmin(images)), 0.0), float(np.nanmax(images))
    return images if low == 0 and high <= 1 and not whole else (images - low) / ((high - low) or 1.0)


def _filters(title: str, weight: np.ndarray, channel: int, largest: float) -> Field:
    """A weight as one picture, or as one for each of its filters."""
    if weight.ndim <= 3:
        return Field(title, weight.reshape(1, -1, weight.shape[-1]))
    if weight.ndim == 4 and weight.shape[2] == 3:
        return Field(_counted(title, weight.T), (0.5 + 0.5 * np.moveaxis(weight, -1, 0) / largest)[:MOST])
    require(0 <= channel < weight.shape[-2], f"channel={channel}: {title} has {weight.shape[-2]} input channels.")
    maps = np.moveaxis(weight[..., channel, :], -1, 0).reshape(-1, *weight.shape[-4:-2])
    of = "" if weight.shape[-2] == 1 else f", channel {channel}"
    return Field(_counted(title + of, maps), maps[:MOST])


def _counted(title: str, maps: np.ndarray) -> str:
    return title if len(maps) <= MOST else f"{title}, the first {MOST}"


def _name(model: Any, layer: Any) -> str:
    if isinstance(layer, int):
        return model.named_layers[model.layers.index(model.get_layer(index=layer))][0]
    if isinstance(layer, str):
        model.get_layer(layer)
        return layer
    found = [name for name, each in model.named_layers if each is layer]
    require(found, f"{layer!r} is no layer of this model: write a name, a place, or one of model.layers.")
    return found[0]


def _bars(title: str, values: np.ndarray) -> Any:
    figure = picture(7, 3)
    ax = figure.subplots()
    ax.bar(range(len(values)), values)
    ax.set(title=title, xlabel="feature")
    return figure
