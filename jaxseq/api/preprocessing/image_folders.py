"""Images of a folder as batches, read when a batch is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseq.api.preprocessing.directories import Split, batches_of, listed
from jaxseq.api.preprocessing.images import CHANNELS, LAYOUTS, img_to_array, load_img, size_of
from jaxseq.api.preprocessing.resampling import KERNELS, resized
from jaxseq.core.require import one_of, pick, require, spelled

ENDINGS = ".bmp", ".gif", ".jpeg", ".jpg", ".png"


@spelled
def image_dataset_from_directory(directory: str | os.PathLike[str], labels: Any = "inferred", label_mode: str | None = "int",
                                 class_names: Sequence[str] | None = None, color_mode: str = "rgb",
                                 batch_size: int | None = 32, image_size: Any = (256, 256), shuffle: bool = True,
                                 seed: int | None = None, validation_split: float | None = None, subset: str | None = None,
                                 interpolation: str = "bilinear", follow_links: bool = False,
                                 crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
                                 data_format: str | None = None, format: str = "tf",
                                 verbose: bool = True) -> Any:
    """Batches (images, labels) of the pictures in a folder, with a folder for each class in it.

        train, test = image_dataset_from_directory("pictures", image_size=64, validation_split=0.2, subset="both", seed=0)
        model.fit(train, validation_data=test, epochs=10)

    Shapes: images (batch, height, width, channels) float32, from 0 to 255 (grey ones of 16 bits, too), or with the
    channels second; labels (batch,) int32
    for label_mode "int", (batch, 1) float32 for "binary", (batch, classes) float32 for "categorical". Without labels
    (labels=None or label_mode=None) images alone. batch_size=None: one by one.
    labels: "inferred", by the folders that the images lie in; a whole number for each file, in the order of their paths, for
    "binary" and "categorical" counted from 0 without a gap; or None.
    class_names: the folders, in the order of their labels; None for all, in the order of the alphabet.
    interpolation: "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5". format: accepted; a jaxseq.utils.Sequence comes all
    the same, with `class_names` and `file_paths`.
    shuffle: files in an order that is drawn once from `seed`, as Keras draws it, so the subsets are Keras's; `fit` puts the
    batches in another order in every epoch. subset: "training", "validation" or "both", which gives two.
    Raises: ValueError for empty folders and classes, and for labels that do not fit; OSError for a file that is no image,
        when it is read.
    Source: as keras.utils.image_dataset_from_directory, which gives a tf.data.Dataset.
    """
    one_of("label_mode", label_mode, ("int", "binary", "categorical", None))
    one_of("color_mode", color_mode, tuple(CHANNELS))
    one_of("data_format", data_format, LAYOUTS)
    pick("interpolation", interpolation.lower(), KERNELS)
    require(not (crop_to_aspect_ratio and pad_to_aspect_ratio), "crop_to_aspect_ratio, pad_to_aspect_ratio: write one of them.")
    size = size_of("image_size", image_size)
    files = listed(directory, labels if label_mode else None, class_names, ENDINGS, follow_links)

    def image(path: str) -> np.ndarray:
        x = img_to_array(load_img(path, color_mode))
        x = resized(x, size, interpolation.lower(), crop_to_aspect_ratio, pad_to_aspect_ratio)
        return np.moveaxis(x, -1, 0) if data_format == "channels_first" else x

    return batches_of(files, label_mode, Split(validation_split, subset, shuffle, seed), batch_size, verbose,
                      lambda paths: np.stack([image(path) for path in paths]))
