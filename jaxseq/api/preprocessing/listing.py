"""The files in a folder, in Keras's order: folders by name, and in each of them files by folder and name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseq.core.require import require, require_known


class Listing(NamedTuple):
    """names: paths within the folder, as "cats/1.png"; labels: (names,) int32, the number of each one's class."""

    names: list[str]
    labels: np.ndarray
    classes: list[str]


def by_class(directory: Any, classes: Any, endings: tuple[str, ...], follow_links: bool) -> Listing:
    """The files of each class's folder. ValueError for a class without a folder, or without a file."""
    folders = sorted(each.name for each in _folder(directory).iterdir() if each.is_dir() and not each.name.startswith("."))
    require(folders, f"{directory} has no folders in it: there must be one for each class. For files without classes write "
            "labels=None, or class_mode=None and classes=['.'].")
    classes = folders if classes is None else list(classes)
    for each in classes:
        require_known(each, [*folders, "."], f"{directory} has no folder {each!r}.")
    found = [files(directory, each, endings, follow_links) for each in classes]
    for each, names in zip(classes, found, strict=True):
        require(names, f"The folder {each!r} of {directory} has no file that counts (of {', '.join(endings)}). Remove it, or "
                "name the classes that count.")
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(names) for names in found])
    return Listing([name for names in found for name in names], labels, classes)


def files(directory: Any, within: str, endings: tuple[str, ...], follow_links: bool) -> list[str]:
    """The files with these endings in a folder within `directory` and below it, as paths that are counted from `directory`."""
    start = _folder(directory) / within
    walked = sorted(os.walk(start, followlinks=follow_links), key=lambda step: step[0])
    return [os.path.relpath(os.path.join(root, name), directory)
            for root, _, names in walked for name in sorted(names) if name.lower().endswith(endings)]


def _folder(directory: Any) -> Path:
    require(Path(directory).is_dir(), f"{directory}: no such folder.", FileNotFoundError)
    return Path(directory)
