"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from jaxseq.core.require import require


@contextmanager
def replacing(path: Any, overwrite: bool = True) -> Iterator[BinaryIO]:
    """An open file that takes the place of `path` when the block ends well; else `path` stays what it was.

    It is written beside its place, forced to the disk, and renamed: a crash at any moment leaves the old file or the new
    one, whole. Raises: FileExistsError with overwrite=False, before anything is written; what the system raises.
    """
    place = Path(os.path.realpath(path))        # a link stays a link; what it leads to is replaced
    _check(place, path, overwrite)
    draft = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(draft, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check(place, path, overwrite)
        os.replace(draft, place)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise
    settle(place.parent)


def _check(place: Path, path: Any, overwrite: bool) -> None:
    require(not place.is_dir(), f"{path} is a folder: write the name of a file.", IsADirectoryError)
    require(place.parent.is_dir(), f"{path}: there is no folder {str(place.parent)!r}. Make it first: "
            f"os.makedirs({str(place.parent)!r}).", FileNotFoundError)
    require(overwrite or not place.exists(), f"{path} is there already: write overwrite=True to replace it, or another name.",
            FileExistsError)


def settle(folder: Path) -> None:
    """Forces the new name to the disk, where the system can open a folder."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
