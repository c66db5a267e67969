"""Folders of files, a folder for each class: which files there are, what their labels are, which of them are held out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseq.api.preprocessing.batches import Batches, order
from jaxseq.api.preprocessing.listing import by_class, files
from jaxseq.api.utils import to_categorical
from jaxseq.core.require import one_of, require


class Files(NamedTuple):
    """paths (files,), labels (files,) int32 and class_names; the last two are None where there are no labels."""

    paths: list[str]
    labels: np.ndarray | None
    class_names: list[str] | None


class Split(NamedTuple):
    """What is held out: Keras's arguments of these names."""

    validation_split: float | None
    subset: str | None
    shuffle: bool
    seed: int | None


class FileBatches(Batches):
    """Batches of files. file_paths: those in them, in order. class_names: what the labels stand for."""

    def __init__(self, read: Callable[[np.ndarray], Any], rows: np.ndarray, batch_size: int | None, files: Files):
        super().__init__(read, rows, batch_size)
        self.class_names, self.file_paths = files.class_names, [files.paths[row] for row in rows]


def listed(directory: str | os.PathLike[str], labels: Any, class_names: Sequence[str] | None, endings: tuple[str, ...],
           follow_links: bool) -> Files:
    """The files of a folder whose names end in one of `endings`, in Keras's order: by class, by folder, by name.

    labels: "inferred", from the folders, whose names are the classes in the order of the alphabet, or of `class_names`;
    a list, one for each file; None.
    Raises: ValueError for a folder without files, a class without files, labels that are too few or no whole numbers.
    """
    inferred = isinstance(labels, str)
    require(not inferred or labels == "inferred", f"labels={labels!r}: write 'inferred', None, or a number for each file.")
    require(inferred or class_names is None, "class_names goes with labels='inferred': they are the names of the folders.")
    if inferred:
        found = by_class(directory, class_names, endings, follow_links)
        return Files(_paths(directory, found.names), found.labels, found.classes)
    names = files(directory, "", endings, follow_links)
    require(names, f"{directory} has no file that counts (of {', '.join(endings)}).")
    paths = _paths(directory, names)
    return Files(paths, None, None) if labels is None else _with_labels(paths, labels)


def batches_of(found: Files, label_mode: str | None, split: Split, batch_size: int | None, verbose: bool,
               read: Callable[[list[str]], np.ndarray]) -> Any:
    """Batches of x, or (x, labels), of the files that `read(paths)` turns into x; two of them for subset="both"."""
    targets = None if found.labels is None else encoded(found, str(label_mode))
    parts = parted(len(found.paths), split)
    if verbose:
        announced(found, parts)

    def batch(rows: np.ndarray) -> Any:
        x = read([found.paths[row] for row in rows])
        return x if targets is None else (x, targets[rows])

    made = tuple(FileBatches(batch, rows, batch_size, found) for rows in parts.values())
    return made if split.subset == "both" else made[0]


def encoded(found: Files, label_mode: str) -> np.ndarray:
    """The labels as Keras gives them: "int" (files,) int32, "binary" (files, 1) or "categorical" (files, classes) float32.

    Raises: ValueError for labels of the latter two that are not counted from 0, or have a gap.
    """
    classes = len(found.class_names or ())
    require(label_mode != "binary" or classes == 2, f"label_mode='binary' is for 2 classes, here are {classes}: "
            f"{found.class_names}. Write label_mode='int'.")
    given = np.unique(np.asarray(found.labels))
    require(label_mode == "int" or np.array_equal(given, np.arange(classes)), f"labels= with label_mode={label_mode!r} are 0 "
            f"to {classes - 1} for {classes} classes, here are {', '.join(map(str, given))}. Write labels=np.unique(labels, "
            "return_inverse=True)[1].")
    ways = {"int": lambda: found.labels, "binary": lambda: np.asarray(found.labels, np.float32)[:, None],
            "categorical": lambda: to_categorical(found.labels, classes)}
    return ways[label_mode]()


def parted(count: int, how: Split) -> dict[str, np.ndarray]:
    """{"training": rows, "validation": rows}, or the one that is asked for, or {"all": rows}. The last rows are held out."""
    require((how.validation_split is None) == (how.subset is None), f"validation_split={how.validation_split!r}, "
            f"subset={how.subset!r}: give both, or neither.")
    if how.validation_split is None or how.subset is None:
        return {"all": _order(count, how)}
    one_of("subset", how.subset, ("training", "validation", "both"))
    share = f"validation_split={how.validation_split!r}"
    require(0 < how.validation_split < 1, f"{share}: write the share to hold out, such as 0.2.")
    require(not how.shuffle or how.seed is not None, f"{share} with shuffle=True needs a seed=, the same for both subsets, or "
            "they have files in common.")
    held_out = int(how.validation_split * count)
    require(held_out, f"{share} of {count} files holds none out.")
    training, validation = np.split(_order(count, how), [count - held_out])
    both = {"training": training, "validation": validation}
    return both if how.subset == "both" else {how.subset: both[how.subset]}


def announced(found: Files, parts: dict[str, np.ndarray]) -> None:
    """Prints how many files there are, and how many are used for what."""
    classes = f" belonging to {len(found.class_names)} classes" if found.class_names else ""
    print(f"Found {len(found.paths)} files{classes}.")
    for name, rows in parts.items():
        if name != "all":
            print(f"Using {len(rows)} files for {name}.")


def _order(count: int, how: Split) -> np.ndarray:
    return order(count, how.seed) if how.shuffle else np.arange(count)


def _paths(directory: str | os.PathLike[str], names: list[str]) -> list[str]:
    return [os.path.join(directory, name) for name in names]


def _with_labels(paths: list[str], labels: Any) -> Files:
    shape = np.shape(np.asarray(labels, object))
    require(len(shape) == 1, f"labels= has the shape {shape}: write a number for each file, in the order of their paths, such "
            "as labels.argmax(1) of one-hot rows.")
    require(len(labels) == len(paths), f"Here are {len(labels)} labels for {len(paths)} files: give each file one, in the "
            "order of their paths.")
    numbers = np.asarray(labels)
    require(numbers.dtype.kind in "iu", f"labels of {numbers.dtype}: write whole numbers, a class each.")
    return Files(paths, numbers.astype(np.int32), [str(each) for each in np.unique(numbers)])
