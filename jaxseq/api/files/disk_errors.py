"""Errors of the disk that name the user's file, say how it ended, and what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOM, RIGHTS = (errno.ENOSPC, errno.EDQUOT), (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def telling(path: Any, draft: Path, outcome: str) -> Iterator[None]:
    """Lets what the system raises over `draft` name the file that the caller knows, and say how it ended and what to do."""
    try:
        yield
    except OSError as error:
        where = error.filename or draft
        if error.errno is not None and str(where).startswith(str(draft)):
            cure = _cure(error.errno, Path(where).parent)
            if error.filename2 is None:
                error.filename = os.fspath(path)
            error.add_note(" ".join(filter(None, [outcome, cure])))
        raise


def _cure(code: int, folder: Path) -> str:
    if code in ROOM:
        return f"Make room in {folder} ({_free(folder)}), or write to another disk."
    if code in RIGHTS:
        return f"This user may not write to {folder}. Change its rights, or write to another folder."
    if code == errno.EFBIG:
        return "It is larger than the limit of this process (ulimit -f) or the file system allows."
    if code == errno.EIO:
        return "The disk does not work as it should: write to another disk."
    return ""


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free:,} bytes are free"
    except OSError:
        return "it cannot be looked at"
