"""ImageDataGenerator: Keras 2's way to change images on the host, on NumPy, SciPy and Pillow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxseq.api.preprocessing import affine
from jaxseq.api.preprocessing.draws import between, known_seed, one_from, units
from jaxseq.api.preprocessing.files import of_folder, of_frame
from jaxseq.api.preprocessing.generator_settings import (
    brightness_of,
    dtype_of,
    function_of,
    order_of,
    rescale_of,
    shifts_of,
    zoom_of,
)
from jaxseq.api.preprocessing.image_iterators import ImageIterator, images_alike, of_arrays
from jaxseq.core.declared import is_number, number
from jaxseq.core.kernels.affine import FILL_MODES
from jaxseq.core.require import Spelled, one_of, positive_int, require

# theta, tx, ty, shear, zx, zy, flip_horizontal, flip_vertical, channel_shift_intensity, brightness
Transform = dict[str, Any]


class ImageDataGenerator(Spelled):
    """Changes images at random and standardizes them, one by one, while a model is trained.

    featurewise_center, featurewise_std_normalization, zca_whitening (zca_epsilon): by what `fit(x)` finds in the data.
    samplewise_center, samplewise_std_normalization: by the image's own mean and deviation.
    rotation_range, shear_range: degrees r, drawn evenly from [-r, r). zoom_range: z for [1 - z, 1 + z), or (low, high), for
        each axis by itself. width_shift_range, height_shift_range: a share below 1 of the length, or pixels, drawn evenly
        from [-r, r); an int n: whole pixels below n; a list: one of its numbers, to either side.
    brightness_range: (low, high), factors for values from 0 to 255; those of x / 255 become black: pass x, and write
        rescale=1 / 255, which comes later. channel_shift_range: r, what is added is drawn from [-r, r).
    fill_mode ("nearest", "constant", "reflect", "wrap"), cval, interpolation_order: as in apply_affine_transform.
    horizontal_flip, vertical_flip: half of the images are mirrored. rescale: a factor, after preprocessing_function(image).
    validation_split: the share of `flow(subset="validation")`. data_format, dtype: of the images that come out; whole numbers
        only without rescale, centring, normalization and whitening.

    Every draw is a function of (seed, pass, image): no thread and no other draw changes it. Layers such as RandomFlip do the
    like within the compiled step, which is faster.
    Raises: ValueError, TypeError for settings that cannot be meant, before the first image.
    Source: as keras.preprocessing.image of Keras 2.2.4.
    """

    def __init__(self, featurewise_center: bool = False, samplewise_center: bool = False,
                 featurewise_std_normalization: bool = False, samplewise_std_normalization: bool = False,
                 zca_whitening: bool = False, zca_epsilon: float = 1e-6, rotation_range: float = 0,
                 width_shift_range: Any = 0.0, height_shift_range: Any = 0.0, brightness_range: Any = None,
                 shear_range: float = 0.0, zoom_range: Any = 0.0, channel_shift_range: float = 0.0,
                 fill_mode: str = "nearest", cval: float = 0.0, horizontal_flip: bool = False, vertical_flip: bool = False,
                 rescale: float | None = None,
                 preprocessing_function: Callable[[np.ndarray], np.ndarray] | None = None, data_format: str | None = None,
                 validation_split: float = 0.0, interpolation_order: int = 1, dtype: Any = "float32"):
        own = type(self).__name__
        for argument, value in (("zca_epsilon", zca_epsilon), ("rotation_range", rotation_range), ("shear_range", shear_range),
                                ("channel_shift_range", channel_shift_range), ("cval", cval)):
            number(own, argument, value)
        require(is_number(validation_split) and 0 <= validation_split < 1, f"{own}(validation_split={validation_split!r}): "
                "write a share from 0 up to, and without, 1.")
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range, self.channel_shift_range = rotation_range, shear_range, channel_shift_range
        self.width_shift_range = shifts_of("width_shift_range", width_shift_range)
        self.height_shift_range = shifts_of("height_shift_range", height_shift_range)
        self.zoom_range, self.brightness_range = zoom_of(zoom_range), brightness_of(brightness_range)
        self.fill_mode, self.cval = one_of("fill_mode", fill_mode, FILL_MODES), cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale_of(rescale), function_of(preprocessing_function)
        self.data_format = one_of("data_format", data_format or "channels_last", ("channels_last", "channels_first"))
        self.validation_split, self.interpolation_order = validation_split, order_of(interpolation_order)
        scaling = {"rescale": rescale, "featurewise_center": featurewise_center, "samplewise_center": samplewise_center,
                   "featurewise_std_normalization": featurewise_std_normalization,
                   "samplewise_std_normalization": samplewise_std_normalization, "zca_whitening": zca_whitening}
        self.dtype = dtype_of(dtype, [argument for argument, value in scaling.items() if value])
        self.mean = self.std = self.zca_whitening_matrix = None
        if featurewise_std_normalization and zca_whitening:
            warnings.warn("zca_whitening takes the place of featurewise_std_normalization.", stacklevel=2)

    # ---- data

    def flow(self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True, sample_weight: Any = None,
             seed: int | None = None, save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
             ignore_class_split: bool = False, subset: str | None = None, **reading: Any) -> ImageIterator:
        """Batches of the images x (rows, height, width, channels), with rows of y and sample_weight beside them.

        subset: "validation", the first validation_split of the rows, or "training", the rest.
        reading: workers, max_queue_size, as in jaxseq.utils.Sequence.
        """
        return of_arrays(self, x, y, sample_weight, subset, self.validation_split, not ignore_class_split,
                         (save_to_dir, save_prefix, save_format), batch_size=batch_size, shuffle=shuffle, seed=seed, **reading)

    def flow_from_directory(self, directory: Any, target_size: Any = (256, 256), color_mode: str = "rgb", classes: Any = None,
                            class_mode: str | None = "categorical", batch_size: int = 32, shuffle: bool = True,
                            seed: int | None = None, save_to_dir: Any = None, save_prefix: str = "", save_format: str = "png",
                            follow_links: bool = False, subset: str | None = None, interpolation: str = "nearest",
                            keep_aspect_ratio: bool = False, **reading: Any) -> Any:
        """Batches of the images in a folder that has a folder for each class.

        classes: the folders' names, in the order of their numbers; None: all, by name. class_mode: "categorical", "binary",
        "sparse", "input" (y is x) or None. subset: a share of every class. The rest as in `flow` and in `load_img`.
        """
        return of_folder(self, directory, classes, class_mode, follow_links, subset, self.validation_split,
                         (color_mode, target_size, interpolation, keep_aspect_ratio), (save_to_dir, save_prefix, save_format),
                         batch_size=batch_size, shuffle=shuffle, seed=seed, **reading)

    def flow_from_dataframe(self, dataframe: Any, directory: Any = None, x_col: str = "filename", y_col: Any = "class",
                            weight_col: str | None = None, target_size: Any = (256, 256), color_mode: str = "rgb",
                            classes: Any = None, class_mode: str | None = "categorical", batch_size: int = 32,
                            shuffle: bool = True, seed: int | None = None, save_to_dir: Any = None, save_prefix: str = "",
                            save_format: str = "png", subset: str | None = None, interpolation: str = "nearest",
                            keep_aspect_ratio: bool = False, **reading: Any) -> Any:
        """Batches of the images that a data frame names in x_col, with the classes of y_col; class_mode="raw": its numbers.

        directory: what the paths are counted from. classes: those to keep, in the order of their numbers; None: all, sorted.
        A class is a string, a whole number or what else can be sorted, one in each row.
        """
        return of_frame(self, dataframe, directory, (x_col, y_col, weight_col), classes, class_mode, subset,
                        self.validation_split, (color_mode, target_size, interpolation, keep_aspect_ratio),
                        (save_to_dir, save_prefix, save_format), batch_size=batch_size, shuffle=shuffle, seed=seed, **reading)

    # ---- one image

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Transform:
        """The numbers of a change, drawn for an image of this shape. seed: what they follow from; None: others each time."""
        return self._drawn(img_shape, known_seed(seed), 0, 0)

    def apply_transform(self, x: Any, transform_parameters: Transform) -> np.ndarray:
        """The image x changed by these numbers; what they leave out stays."""
        told = transform_parameters
        row, column, channel = (1, 2, 0) if self.data_format == "channels_first" else (0, 1, 2)
        moving = {word: told[word] for word in ("theta", "tx", "ty", "shear", "zx", "zy") if word in told}
        x = affine.apply_affine_transform(x, **moving, row_axis=row, col_axis=column, channel_axis=channel,
                                          fill_mode=self.fill_mode, cval=self.cval, order=self.interpolation_order)
        if told.get("channel_shift_intensity") is not None:
            x = affine.apply_channel_shift(x, told["channel_shift_intensity"])
        x = affine.flip_axis(x, column) if told.get("flip_horizontal") else x
        x = affine.flip_axis(x, row) if told.get("flip_vertical") else x
        if told.get("brightness") is not None:
            x = affine.apply_brightness_shift(x, told["brightness"], False, channel)
        return x

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """The image x, changed at random."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    def standardize(self, x: Any) -> np.ndarray:
        """x, one image or several, after preprocessing_function, rescale, and what it is to be brought to. A new array."""
        x = np.array(x, self.dtype)
        if self.preprocessing_function is not None:
            x = np.asarray(self.preprocessing_function(x), self.dtype)
        if self.rescale is not None:
            x = x * x.dtype.type(self.rescale)
        if self.samplewise_center:
            x = x - x.mean((-3, -2, -1), keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std((-3, -2, -1), keepdims=True) + x.dtype.type(1e-6))
        if self.featurewise_center:
            x = x - self._found("mean")
        if self.featurewise_std_normalization:
            x = x / (self._found("std") + x.dtype.type(1e-6))
        if self.zca_whitening:
            x = (x.reshape(-1, math.prod(x.shape[-3:])) @ self._found("zca_whitening_matrix")).reshape(x.shape)
        return x

    def changed(self, x: np.ndarray, seed: int, pass_number: int, image: int) -> np.ndarray:
        """The image x as an iterator gives it: changed by what is drawn for it in this pass, and standardized."""
        return self.standardize(self.apply_transform(x, self._drawn(x.shape, seed, pass_number, image)))

    # ---- the data as a whole

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Finds mean, deviation and whitening of the images x, over all pixels of each channel, in float64.

        augment: of `rounds` changed images for each instead. Call it before `flow`.
        """
        x, seed = images_alike(x), known_seed(seed)
        if augment:
            x = np.stack([self.apply_transform(image.astype(self.dtype), self._drawn(image.shape, seed, turn, number))
                          for turn in range(positive_int("rounds", rounds)) for number, image in enumerate(x)])
        wide = x.astype(np.float64) * (1 if self.rescale is None else self.rescale)
        axes = (0, 2, 3) if self.data_format == "channels_first" else (0, 1, 2)
        kept = lambda found: found[0].astype(self.dtype)
        if self.featurewise_center:
            mean = wide.mean(axes, keepdims=True)
            self.mean, wide = kept(mean), wide - mean
        if self.featurewise_std_normalization:
            std = wide.std(axes, keepdims=True)
            self.std, wide = kept(std), wide / (std + 1e-6)
        if self.zca_whitening:
            directions, lengths, _ = np.linalg.svd(wide.reshape(len(wide), -1).T, full_matrices=False)
            scaled = directions * (math.sqrt(len(wide)) / (lengths + self.zca_epsilon))
            self.zca_whitening_matrix = (scaled @ directions.T).astype(self.dtype)

    def _found(self, what: str) -> np.ndarray:
        found = getattr(self, what)
        require(found is not None, f"The {what} of the data is not known yet: call fit(x) with the training images first.")
        return found

    def _drawn(self, shape: Any, seed: int, pass_number: int, image: int) -> Transform:
        """Each number has a word of its own, so that one setting changes no other's draws."""
        height, width = (shape[1], shape[2]) if self.data_format == "channels_first" else (shape[0], shape[1])
        theta, down, down_sign, across, across_sign, shear, zx, zy, mirrored, turned, shift, light = units(
            seed, pass_number, image, 12)
        evenly = lambda unit, most: between(unit, -most, most) if most else 0
        return {"theta": evenly(theta, self.rotation_range),
                "tx": _shift(down, down_sign, self.height_shift_range, height),
                "ty": _shift(across, across_sign, self.width_shift_range, width),
                "shear": evenly(shear, self.shear_range),
                "zx": between(zx, *self.zoom_range), "zy": between(zy, *self.zoom_range),
                "flip_horizontal": bool(self.horizontal_flip and mirrored < 0.5),
                "flip_vertical": bool(self.vertical_flip and turned < 0.5),
                "channel_shift_intensity": evenly(shift, self.channel_shift_range) if self.channel_shift_range else None,
                "brightness": None if self.brightness_range is None else between(light, *self.brightness_range)}


def _shift(unit: float, sign: float, shifts: Any, length: int) -> float:
    """How many pixels: see the class."""
    if not shifts:
        return 0
    if isinstance(shifts, float):
        pixels, most = between(unit, -shifts, shifts), shifts
    else:
        choices = shifts if isinstance(shifts, tuple) else range(abs(shifts))
        pixels, most = one_from(unit, choices) * (1 if sign < 0.5 else -1), max(choices)
    return pixels * length if most < 1 else pixels
