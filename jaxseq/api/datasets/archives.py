"""Archives, unpacked as a whole or not at all, into a folder that nothing in them can leave."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from jaxseq.api.files.disk_errors import telling
from jaxseq.api.files.refusal import Source
from jaxseq.core.require import one_of, require

DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)


class Member(NamedTuple):
    """What is asked of a member before anything is written."""

    name: str
    size: int
    plain: bool             # a file or a folder


def formats(wish: str | Iterable[str] | None) -> tuple[str, ...]:
    """The kinds of archive to try: "auto" for both, one, or a list of some. ValueError for none or an unknown one."""
    kinds = tuple(KINDS) if wish == "auto" else (wish,) if isinstance(wish, str) else tuple(wish or ())
    require(kinds, f"archive_format={wish!r} leaves nothing to unpack with: write 'auto', or extract=False.")
    return tuple(one_of("archive_format", kind, tuple(KINDS)) for kind in kinds)


def unpacked(archive: Path, folder: Path, kinds: tuple[str, ...]) -> Path:
    """`folder`, with what the archive holds. One that is newer than the archive is left as it is; an older one is replaced.

    Raises: FileRejected for a file that is damaged, no archive of these kinds, or holds links, devices, or names that lead out
    of the folder; OSError where the disk has no room. Nothing is left of it then, and an older folder stays.
    """
    if folder.is_dir() and folder.stat().st_mtime_ns >= archive.stat().st_mtime_ns:
        return folder
    source = Source(archive)
    kind = next((kind for kind in kinds if KINDS[kind].recognizes(archive)), None)
    source.require(kind is not None, f"is no archive of the kind {' or '.join(kinds)}.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".jaxseq-") as aside:
        draft = Path(aside, "new")
        with telling(folder, draft, f"{archive} is whole, and not unpacked."), \
                source.readable("this archive is damaged", *DAMAGE):
            KINDS[str(kind)].unpack(source, archive, draft)
        os.utime(draft)
        if folder.exists():
            folder.rename(Path(aside, "old"))
        draft.rename(folder)
    return folder


def _unpack_tar(source: Source, archive: Path, draft: Path) -> None:
    with tarfile.open(archive) as tar:
        _check(source, (Member(each.name, each.size, each.isreg() or each.isdir()) for each in tar), draft)
        tar.extractall(draft, filter="data")


def _unpack_zip(source: Source, archive: Path, draft: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        _check(source, (Member(each.filename, each.file_size, True) for each in packed.infolist()), draft)
        packed.extractall(draft)


def _check(source: Source, members: Iterable[Member], draft: Path) -> None:
    """Refuses what leads out of the folder, or is more than the disk has room for; makes the folder."""
    free, total = shutil.disk_usage(draft.parent).free, 0
    for name, size, plain in members:
        within = not any(kind(name).anchor or ".." in kind(name).parts for kind in (PurePosixPath, PureWindowsPath))
        source.require(within, "leads out of the folder that it is unpacked to.", repr(name))
        source.require(plain, "is a link or a device; files and folders are unpacked, and nothing else.", repr(name))
        total += size
        require(total <= free, f"{source.path} holds {total:,} bytes or more, and {free:,} are free in "
                f"{draft.parent.parent}. Make room, or pass another cache_dir.", OSError)
    draft.mkdir()


class Kind(NamedTuple):
    """recognizes: whether a file is one. unpack: checks it and fills a new folder."""

    recognizes: Callable[[Path], bool]
    unpack: Callable[[Source, Path, Path], None]


KINDS = {"tar": Kind(tarfile.is_tarfile, _unpack_tar), "zip": Kind(zipfile.is_zipfile, _unpack_zip)}
