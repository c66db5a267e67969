"""The bytes of a file that somebody else may have put there."""

from __future__ import annotations

import os
import stat
from typing import Any

from jaxseq.api.files.refusal import Source


def content(source: Source, path: Any, most: int, *, links: bool = False) -> bytes:
    """All bytes of a file, or one more than `most` where it has more.

    links: whether a link to a file will do. FileRejected for another link, a folder, a device, or a pipe, which would never end
    or never begin. OSError.
    """
    name = os.path.basename(path)
    ways = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    source.require(links or not os.path.islink(path), "is no file of its own, but a link.", name)
    handle = os.open(path, ways if links else ways | getattr(os, "O_NOFOLLOW", 0))
    try:
        source.require(stat.S_ISREG(os.fstat(handle).st_mode), "is no file.", name)
        with open(handle, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(handle)
