"""Batches of images from files: from a folder with a folder for each class, and from a data frame of paths."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.image_iterators import Changing, ImageIterator, part_of
from jaxseq.api.preprocessing.images import CHANNELS, img_to_array, load_img, size_of
from jaxseq.api.preprocessing.listing import Listing, by_class
from jaxseq.core.require import one_of, require, require_known

ENDINGS = ".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff"
Loading = tuple[str, Any, str, bool]        # color_mode, target_size, interpolation, keep_aspect_ratio


class FileIterator(ImageIterator):
    """Batches of images that are read from files when they are asked for.

    filenames, filepaths, samples; and of classes: class_indices {class: its number}, classes (samples,), num_classes.
    """

    def __init__(self, generator: Changing, directory: Any, listing: Listing, y: Any, weight: Any, loading: Loading,
                 saving: tuple[Any, str, str], **how: Any):
        color_mode, target_size, interpolation, keep = loading
        self.target_size = size_of("target_size", target_size)
        self.color_mode = one_of("color_mode", color_mode, tuple(CHANNELS))
        channels = CHANNELS[color_mode]
        first = generator.data_format == "channels_first"
        self.image_shape = (channels, *self.target_size) if first else (*self.target_size, channels)
        self.directory, self.filenames = directory, listing.names
        self.filepaths = [os.path.join(directory or "", name) for name in listing.names]
        self.samples, self.classes = len(listing.names), listing.labels
        self.num_classes, self.class_indices = len(listing.classes), {name: each for each, name in enumerate(listing.classes)}

        def read(row: int) -> np.ndarray:
            image = load_img(self.filepaths[row], color_mode, self.target_size, interpolation, keep)
            return img_to_array(image, generator.data_format)

        super().__init__(generator, read, self.samples, y, weight, saving, **how)

    @property
    def labels(self) -> Any:
        """The class, or the number, of every image."""
        return self.classes


def of_folder(generator: Changing, directory: Any, classes: Any, class_mode: str | None, follow_links: bool, subset: str | None,
              split: float, loading: Loading, saving: tuple[Any, str, str], **how: Any) -> FileIterator:
    """A subset is a share of every class."""
    one_of("class_mode", class_mode, ("categorical", "binary", "sparse", "input", None))
    listing = by_class(directory, classes, ENDINGS, follow_links)
    where = [np.flatnonzero(listing.labels == each) for each in range(len(listing.classes))]
    kept = np.concatenate([rows[part_of(subset, split, len(rows))[0]] for rows in where])
    listing = _only(listing, kept, subset, split)
    print(f"Found {len(listing.names)} images belonging to {len(listing.classes)} classes.")
    y = targets(listing, class_mode, generator.dtype)
    return FileIterator(generator, directory, listing, y, None, loading, saving, **how)


def of_frame(generator: Changing, frame: Any, directory: Any, columns: tuple[str, Any, str | None], classes: Any,
             class_mode: str | None, subset: str | None, split: float, loading: Loading, saving: tuple[Any, str, str],
             **how: Any) -> FileIterator:
    """A subset is a share of the rows, the first ones for validation."""
    x_col, y_col, weight_col = columns
    class_mode = one_of("class_mode", {"other": "raw"}.get(class_mode or "", class_mode),
                        ("categorical", "binary", "sparse", "raw", "input", None))
    named = class_mode in ("categorical", "binary", "sparse")
    needed = [x_col, *([weight_col] if weight_col else []), *(np.ravel(y_col) if class_mode and class_mode != "input" else [])]
    for column in needed:
        require_known(column, list(frame.columns), f"The data frame has no column {column!r}.")
    known = _classes_of(frame, y_col, classes, str(class_mode)) if named else []
    frame = frame[[each in known for each in frame[y_col]]] if named else frame
    frame = frame.iloc[part_of(subset, split, len(frame))[0]]
    names = [os.fspath(name) for name in frame[x_col]]
    absent = [name for name in names if not os.path.isfile(os.path.join(directory or "", name))]
    require(not absent, f"{len(absent)} of {len(names)} images are not there, the first of them {absent[:1]}. Write "
            "directory=, or remove the rows.", FileNotFoundError)
    number_of = {each: number for number, each in enumerate(known)}
    numbers = np.array([number_of[each] for each in frame[y_col]], "int32") if named else np.zeros(len(names), "int32")
    listing = _only(Listing(names, numbers, known if named else []), np.arange(len(names)), subset, split)
    print(f"Found {len(names)} images" + (f" belonging to {len(known)} classes." if named else "."))
    y = frame[y_col].to_numpy() if class_mode == "raw" else targets(listing, class_mode, generator.dtype)
    weight = frame[weight_col].to_numpy() if weight_col else None
    return FileIterator(generator, directory, listing, y, weight, loading, saving, **how)


def targets(listing: Listing, class_mode: str | None, dtype: Any = "float32") -> Any:
    """y: one-hot rows, numbers of classes, "input" for the images themselves, or None."""
    require(class_mode != "binary" or len(listing.classes) == 2, f"class_mode='binary' needs two classes, and there are "
            f"{len(listing.classes)}: {', '.join(map(str, listing.classes))}. Write class_mode='categorical' or 'sparse'.")
    if class_mode == "categorical":
        return np.eye(len(listing.classes), dtype=dtype)[listing.labels]
    return listing.labels.astype(dtype) if class_mode in ("binary", "sparse") else class_mode


def _classes_of(frame: Any, y_col: Any, classes: Any, class_mode: str) -> list[Any]:
    """The classes that count, in the order of their numbers. ValueError for a row that has none, or several."""
    require(np.ndim(y_col) == 0, f"y_col={y_col!r} with class_mode={class_mode!r}: write one column, such as y_col='class', "
            "or class_mode='raw' for the numbers of several.")
    labels = list(frame[y_col])
    several = [each for each in labels if isinstance(each, list | tuple | set | np.ndarray)]
    require(not several, f"The column {y_col!r} has several classes in a row, the first of them {several[:1]}. Write a column "
            "of 0 and 1 for each class, class_mode='raw', and y_col=[...], the names of these columns.")
    without = np.flatnonzero(frame[y_col].isna())
    require(not len(without), f"The column {y_col!r} has no class in {len(without)} of {len(labels)} rows, the first of them "
            f"row {without[:1]}. Write dataframe.dropna(subset=[{y_col!r}]) in the place of dataframe.")
    known = _in_order(set(labels), y_col) if classes is None else list(classes)
    require(classes is None or not set(known).isdisjoint(labels), f"classes={classes!r}: the column {y_col!r} has none of "
            f"them, but {', '.join(sorted(map(repr, set(labels))))}.")
    return known


def _in_order(classes: set[Any], y_col: Any) -> list[Any]:
    try:
        return sorted(classes)
    except TypeError as error:
        kinds = " and ".join(sorted({type(each).__name__ for each in classes}))
        raise ValueError(f"The column {y_col!r} has classes of {kinds}, which have no order. Write classes=[...], or "
                         f"dataframe.astype({{{y_col!r}: str}}) in the place of dataframe.") from error


def _only(listing: Listing, rows: np.ndarray, subset: str | None, split: float) -> Listing:
    require(len(rows), f"No image is left for subset={subset!r} of validation_split={split}.")
    return Listing([listing.names[row] for row in rows], listing.labels[rows], listing.classes)
