"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from jaxseq.api.files.disk_errors import telling
from jaxseq.core.require import require

try:
    import fcntl
except ImportError:                     # no such locks on this system: what crashes leave stays
    fcntl = None

DRAFT = re.compile(r"\.jaxseq-[0-9a-f]{16}\.part")


@contextmanager
def replacing(path: Any, overwrite: bool = True) -> Iterator[BinaryIO]:
    """An open file that takes the place of `path` when the block ends well; else `path` stays what it was.

    It is written beside its place, forced to the disk, and renamed: a crash at any moment leaves the old file or the new
    one, whole. What a crash leaves beside it goes when the next file is written to the folder.
    Raises: FileExistsError with overwrite=False, before anything is written; what the system raises, with the file's name.
    """
    place = Path(os.path.realpath(path))        # a link stays a link; what it leads to is replaced
    _check(place, path, overwrite)
    sweep(place.parent)
    draft = place.with_name(f".jaxseq-{secrets.token_hex(8)}.part")
    with telling(path, draft, f"{path} is as it was."), ExitStack() as until_renamed:
        try:
            with _begun(draft, until_renamed) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _check(place, path, overwrite)
            os.replace(draft, place)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    with telling(path, place.parent, f"{path} is the new file, whole. Whether it outlasts a power cut is not known."):
        settle(place.parent)


def _check(place: Path, path: Any, overwrite: bool) -> None:
    require(not place.is_dir(), f"{path} is a folder: write the name of a file.", IsADirectoryError)
    require(place.parent.is_dir(), f"{path}: there is no folder {str(place.parent)!r}. Make it first: "
            f"os.makedirs({str(place.parent)!r}).", FileNotFoundError)
    require(overwrite or not place.exists(), f"{path} is there already: write overwrite=True to replace it, or another name.",
            FileExistsError)


# ---- drafts: each is locked as long as somebody works on it, and the lock goes with the process


@contextmanager
def _begun(draft: Path, held: ExitStack) -> Iterator[BinaryIO]:
    """A new file, locked until `held` ends."""
    with open(draft, "x+b") as file:
        if fcntl is not None:
            handle = os.dup(file.fileno())      # of the same lock, which outlasts the closing of the file
            held.callback(close_quietly, handle)
            with suppress(OSError):             # a file system without locks: no sweep gets one either
                fcntl.flock(handle, fcntl.LOCK_EX)
        there = draft.exists()
        if there:
            yield file
    if not there:                               # a sweep came before the lock
        with _begun(draft, held) as file:
            yield file


def sweep(folder: Path) -> None:
    """Removes the drafts of processes that are gone. What cannot be listed, locked or removed stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if fcntl is not None and DRAFT.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_abandoned(entry.path)


def _remove_abandoned(draft: str) -> None:
    handle = os.open(draft, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(draft)
    finally:
        os.close(handle)


def close_quietly(handle: int) -> None:
    """Closes what has nothing more to write: no error matters now."""
    with suppress(OSError):
        os.close(handle)


# ---- folders


def settle(folder: Path) -> None:
    """Forces the names in a folder to the disk, where the system can."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:                     # a folder that may be written to and not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:         # a file system that does this by itself, or never
            raise
    finally:
        close_quietly(handle)


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, and forces their names to the disk."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        settle(folder.parent)
