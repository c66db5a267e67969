"""image_dataset_from_directory: a folder of images as a Sequence."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.draws import known_seed
from jaxseq.api.preprocessing.image_iterators import Iterator
from jaxseq.api.preprocessing.images import CHANNELS, LAYOUTS, img_to_array, load_img, size_of
from jaxseq.api.preprocessing.listing import Listing, by_class, files
from jaxseq.api.preprocessing.resampling import KERNELS, resized
from jaxseq.core.declared import is_number
from jaxseq.core.require import one_of, pick, require

ENDINGS = ".bmp", ".gif", ".jpeg", ".jpg", ".png"


class ImageFolder(Iterator):
    """Batches (x, y), or x, of images that are read when they are asked for.

    x (batch, height, width, channels) float32, from 0 to 255, or with the channels second.
    class_names: in the order of their numbers; None without labels. file_paths: in the order that was listed or shuffled.
    """

    def __init__(self, file_paths: list[str], y: np.ndarray | None, class_names: list[str] | None, color_mode: str,
                 image_size: tuple[int, int], resizing: tuple[Any, ...], data_format: str | None, **how: Any):
        self.file_paths, self.class_names = file_paths, class_names
        self._y, self._color_mode, self._data_format = y, color_mode, data_format
        self._size, self._resizing = image_size, resizing
        super().__init__(len(file_paths), **how)

    def batch_of(self, rows: np.ndarray) -> Any:
        x = np.stack([self._image(self.file_paths[row]) for row in rows])
        return x if self._y is None else (x, self._y[rows])

    def _image(self, path: str) -> np.ndarray:
        x = resized(img_to_array(load_img(path, self._color_mode)), self._size, *self._resizing)
        return np.moveaxis(x, -1, 0) if self._data_format == "channels_first" else x


def image_dataset_from_directory(directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
                                 class_names: Any = None, color_mode: str = "rgb", batch_size: int = 32,
                                 image_size: Any = (256, 256), shuffle: bool = True, seed: int | None = None,
                                 validation_split: float | None = None, subset: str | None = None,
                                 interpolation: str = "bilinear", follow_links: bool = False,
                                 crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
                                 data_format: str | None = None, verbose: bool = True, **reading: Any) -> Any:
    """The images of a folder, batch by batch; with subset="both" two of them, for training and for validation.

    labels: "inferred", by the folders that the images lie in; a number for each file, in the order of their paths; or None.
    label_mode: "int", "categorical" (one-hot rows), "binary" ((rows, 1) of 0 and 1), or None.
    class_names: the folders' names in the order of their numbers; None: all, by name.
    shuffle: the files by the seed, before they are split, as Keras does with the same seed; and the rows anew in every pass.
    validation_split, subset: the last share of the files is "validation", the others are "training".
    interpolation: "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5". reading: as in jaxseq.utils.Sequence.
    Raises: ValueError for a folder without images, for one class without any, and where arguments contradict each other.
    """
    _check(labels, label_mode, class_names, color_mode, validation_split, subset, shuffle, seed)
    pick("interpolation", interpolation.lower(), KERNELS)
    one_of("data_format", data_format, LAYOUTS)
    require(not (crop_to_aspect_ratio and pad_to_aspect_ratio), "crop_to_aspect_ratio, pad_to_aspect_ratio: write one of them.")
    size, seed = size_of("image_size", image_size), known_seed(seed)
    listing = _listed(directory, labels if label_mode else None, class_names, follow_links)
    require(label_mode != "binary" or len(listing.classes) == 2, f"label_mode='binary' needs two classes, and there are "
            f"{len(listing.classes)}: {', '.join(listing.classes)}.")
    named = labels is not None and label_mode is not None
    if verbose:
        print(f"Found {len(listing.names)} files" + (f" belonging to {len(listing.classes)} classes." if named else "."))
    order = np.arange(len(listing.names))
    if shuffle:
        np.random.RandomState(seed % 2**32).shuffle(order)
    held = int((validation_split or 0) * len(order))

    def dataset(rows: np.ndarray, what: str, shuffle: bool) -> ImageFolder:
        require(len(rows), f"No image is left for {what} of validation_split={validation_split}.")
        y = _labels(listing, label_mode)[rows] if named else None
        paths = [os.path.join(directory, listing.names[row]) for row in rows]
        resizing = interpolation.lower(), crop_to_aspect_ratio, pad_to_aspect_ratio
        return ImageFolder(paths, y, listing.classes if named else None, color_mode, size, resizing, data_format,
                           batch_size=batch_size, shuffle=shuffle, seed=seed, **reading)

    parts = {"training": order[:len(order) - held], "validation": order[len(order) - held:]}
    if subset == "both":
        return [dataset(parts["training"], "training", shuffle), dataset(parts["validation"], "validation", False)]
    return dataset(order if subset is None else parts[subset], subset or "training", shuffle)


def _check(labels: Any, label_mode: Any, class_names: Any, color_mode: str, split: Any, subset: Any, shuffle: bool,
           seed: Any) -> None:
    given = isinstance(labels, list | tuple | np.ndarray)
    require(given or labels in ("inferred", None), f"labels={labels!r}: write 'inferred', None, or a number for each file.")
    require(class_names is None or not given and labels == "inferred", "class_names goes with labels='inferred'.")
    one_of("label_mode", label_mode, ("int", "categorical", "binary", None))
    one_of("color_mode", color_mode, tuple(CHANNELS))
    one_of("subset", subset, ("training", "validation", "both", None))
    require(split is None or is_number(split) and 0 < split < 1, f"validation_split={split!r}: write a share between 0 and 1.")
    require((split is None) == (subset is None), "validation_split and subset go together: write both, or neither.")
    require(split is None or not shuffle or seed is not None, "validation_split with shuffle=True needs seed=: it keeps "
            "training and validation apart.")


def _listed(directory: Any, labels: Any, class_names: Any, follow_links: bool) -> Listing:
    if isinstance(labels, str):
        return by_class(directory, class_names, ENDINGS, follow_links)
    names = files(directory, "", ENDINGS, follow_links)
    require(names, f"{directory} has no images in it (of {', '.join(ENDINGS)}).")
    if labels is None:
        return Listing(names, np.zeros(len(names), "int32"), [])
    require(len(labels) == len(names), f"There are {len(labels)} labels for {len(names)} files in {directory}.")
    return Listing(names, np.asarray(labels), [str(each) for each in sorted(set(labels))])


def _labels(listing: Listing, label_mode: str | None) -> np.ndarray:
    if label_mode == "categorical":
        known = np.isin(listing.labels, range(len(listing.classes))).all()
        require(known, f"labels: for label_mode='categorical' write whole numbers from 0 to {len(listing.classes) - 1}.")
        return np.eye(len(listing.classes), dtype="float32")[listing.labels]
    return listing.labels.astype("float32")[:, None] if label_mode == "binary" else listing.labels.astype("int32")
