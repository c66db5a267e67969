"""Batches of images, changed and standardized on their way: from arrays, and from files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from jaxseq.api.preprocessing.draws import known_seed, order_of
from jaxseq.api.preprocessing.images import save_img
from jaxseq.api.sources import Sequence
from jaxseq.core.require import positive_int, require


class Changing(Protocol):
    """What an iterator needs of an ImageDataGenerator."""

    dtype: Any
    data_format: str

    def changed(self, x: np.ndarray, seed: int, pass_number: int, image: int) -> np.ndarray: ...


class Iterator(Sequence):
    """Batches of n rows, in an order and with draws that follow from (seed, pass_number, row) alone.

    `iterator[i]` is batch i of the present pass, `next(iterator)` the next one, without an end, and `fit(iterator)` reads one
    pass for each epoch. The numbers are the same however many threads read, and in a run that is taken up again.
    """

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **reading: Any):
        super().__init__(**reading)
        self.n, self.batch_size, self.shuffle = n, positive_int("batch_size", batch_size), shuffle
        self.seed = known_seed(seed)
        self.batch_index = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        require(0 <= index < len(self), f"Batch {index} of {len(self)}: they are counted from 0.", IndexError)
        order = order_of(self.seed, self.pass_number, self.n) if self.shuffle else np.arange(self.n)
        return self.batch_of(order[index * self.batch_size:(index + 1) * self.batch_size])

    def batch_of(self, rows: np.ndarray) -> Any:
        """The batch of these rows."""
        raise NotImplementedError(f"{type(self).__name__} needs batch_of(rows): x, (x, y) or (x, y, sample_weight).")

    def on_epoch_end(self) -> None:
        self.pass_number += 1

    def reset(self) -> None:
        """`next` begins again with the first batch of the pass."""
        self.batch_index = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        with self._lock:
            batch = self[self.batch_index]
            self.batch_index += 1
            if self.batch_index == len(self):
                self.batch_index = 0
                self.on_epoch_end()
        return batch

    def next(self) -> Any:
        """Keras 2's word for next(iterator)."""
        return next(self)


class ImageIterator(Iterator):
    """Batches of images that an ImageDataGenerator changes: what arrays and files have in common.

    y, sample_weight: a row for each image, or None; y="input": the images themselves. save_to_dir: where every image that is
    given is written, too, as <save_prefix>_<row>_<pass_number>.<save_format>.
    """

    def __init__(self, generator: Changing, read: Callable[[int], np.ndarray], n: int, y: Any, sample_weight: Any,
                 saving: tuple[Any, str, str], **how: Any):
        super().__init__(n, **how)
        self.image_data_generator, self._read, self._y = generator, read, y
        self.sample_weight = sample_weight
        self.save_to_dir, self.save_prefix, self.save_format = save_to, *_ = saving
        require(save_to is None or Path(save_to).is_dir(), f"save_to_dir={save_to!r}: no such folder.", FileNotFoundError)

    def batch_of(self, rows: np.ndarray) -> Any:
        x = np.stack([self._image(int(row)) for row in rows])
        if self._y is None:
            return x
        y = x.copy() if isinstance(self._y, str) else self._y[rows]
        return (x, y) if self.sample_weight is None else (x, y, self.sample_weight[rows])

    def _image(self, row: int) -> np.ndarray:
        changing = self.image_data_generator
        x = changing.changed(self._read(row).astype(changing.dtype), self.seed, self.pass_number, row)
        if self.save_to_dir is not None:
            name = f"{self.save_prefix}_{row}_{self.pass_number}.{self.save_format}"
            save_img(Path(self.save_to_dir) / name, x, changing.data_format)
        return x


def images_alike(x: Any) -> np.ndarray:
    """x as one array of images. ValueError that names the first image of another shape."""
    if isinstance(x, list | tuple):
        shapes = [np.shape(each) for each in x]
        other = next((number for number, shape in enumerate(shapes) if shape != shapes[0]), None)
        require(other is None, f"x[{other}] is {shapes[other or 0]}, and x[0] is {shapes[0]}: the images of a batch have "
                "one size. Resize them, or keep them in a folder and use flow_from_directory(target_size=...).")
    x = np.asarray(x)
    require(x.ndim == 4, f"Images are (rows, height, width, channels), got {x.shape}."
            + (" Pass x[..., None]." if x.ndim == 3 else ""))
    return x


def of_arrays(generator: Changing, x: Any, y: Any, sample_weight: Any, subset: str | None, split: float, by_class: bool,
              saving: tuple[Any, str, str], **how: Any) -> ImageIterator:
    """The images of an array, whole or a subset of it: validation first, then training."""
    x = images_alike(x)
    columns = [None if each is None else np.asarray(each) for each in (y, sample_weight)]
    for name, column in zip(("y", "sample_weight"), columns, strict=True):
        require(column is None or len(column) == len(x), f"{name} has {0 if column is None else len(column)} rows, and x has "
                f"{len(x)}.")
    require(columns[0] is not None or columns[1] is None, "sample_weight needs y.")
    part, rest = part_of(subset, split, len(x))
    y = columns[0]
    if subset is not None and y is not None and by_class:
        require(np.array_equal(np.unique(y[part]), np.unique(y[rest])), "The classes of training and validation are not the "
                "same: the first part of the rows is for validation. Shuffle the rows, or write ignore_class_split=True.")
    x, y, weight = x[part], *(None if each is None else each[part] for each in columns)
    require(len(x), f"No image is left for subset={subset!r} of validation_split={split}.")
    return ImageIterator(generator, x.__getitem__, len(x), y, weight, saving, **how)


def part_of(subset: str | None, split: float, rows: int) -> tuple[slice, slice]:
    """(the rows of a subset, the other ones)."""
    require(subset in (None, "training", "validation"), f"subset={subset!r}: write 'training', 'validation' or None.")
    require(subset is None or split, f"subset={subset!r} needs ImageDataGenerator(validation_split=...).")
    held, rest = slice(0, int(split * rows)), slice(int(split * rows), rows)
    return (slice(0, rows), slice(0, 0)) if subset is None else (held, rest) if subset == "validation" else (rest, held)
