"""A disk that keeps a record of what a program asks of it, and fails at one of the requests if it is told to."""

from __future__ import annotations

import builtins
import fcntl
import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from .volume import Request, Volume

Fault = Callable[[int, Request], int]       # (number, request) -> bytes of it that are written, or minus an errno

REAL = SimpleNamespace(file=builtins.open, open=os.open, close=os.close, dup=os.dup, flock=fcntl.flock)


def works(number: int, request: Request) -> int:
    """No fault: all is done that is asked."""
    return len(request.data)


class Disk:
    """While inside, every request that could change what lies below `root` is recorded.

    Python's files are cut through below their buffer, so that a write here is one that the system sees: h5py, zipfile and
    all others write through such a file. A request that fails is not in the record. Nothing is really forced to a disk.
    """

    def __init__(self, root: Path, fault: Fault = works):
        self.root, self.fault = root, fault
        self.before, self.now = Volume.of(root), Volume.of(root)
        self.requests: list[Request] = []
        self.failed: list[Request] = []
        self.asked = 0
        self.handles: dict[int, int] = {}           # {file descriptor: node}
        self._patched = ExitStack()

    def __enter__(self) -> Disk:
        ours = {(builtins, "open"): self._file, (io, "open"): self._file, (os, "open"): self._open, (os, "close"): self._close,
                (os, "dup"): self._dup, (os, "fsync"): self._sync, (fcntl, "flock"): self._lock}
        ours |= {(os, name): self._naming(name, getattr(os, name)) for name in ("mkdir", "unlink", "remove", "rmdir")}
        ours |= {(os, name): self._renaming(getattr(os, name)) for name in ("rename", "replace")}
        for (module, name), function in ours.items():
            self._patched.enter_context(mock.patch.object(module, name, function))
        return self

    def __exit__(self, *error: object) -> None:
        self._patched.close()

    def ask(self, request: Request, *paths: Any) -> int:
        """Lets the fault happen, if this is its request. Returns how many bytes may be written."""
        self.asked += 1
        answer = self.fault(self.asked - 1, request)
        if answer < 0:
            self.failed.append(request)
            raise OSError(-answer, os.strerror(-answer), *paths)
        return answer

    def did(self, request: Request) -> None:
        """Notes what has been done."""
        self.requests.append(request)
        self.now.do(request)

    def _through(self, request: Request, real: Callable[[], Any], *paths: Any) -> Any:
        self.ask(request, *paths)
        result = real()
        self.did(request)
        return result

    def _place(self, path: Any, handle: int | None = None) -> tuple[int, str] | None:
        """(folder, name) of what lies below the root."""
        if handle is not None:
            return (self.handles[handle], os.fspath(path)) if handle in self.handles else None
        if isinstance(path, int):
            return None
        whole = Path(os.path.abspath(os.fsdecode(path)))
        try:
            return self.now.node(whole.parent.relative_to(self.root)), whole.name
        except (KeyError, ValueError):
            return None

    def _file(self, path: Any, mode: str = "r", *values: Any, **words: Any) -> Any:
        place = self._place(path)
        if place is None or mode.strip("bt") == "r":
            return REAL.file(path, mode, *values, **words)
        assert "b" in mode and not values and not words, "files of bytes are recorded, and no others"
        known = self.now.names[place[0]].get(place[1])
        node = self.now.free if known is None else known
        request = Request("create" if known is None else "open", node, *place)
        raw = self._through(request, lambda: _File(path, mode.replace("b", ""), self, node), path)
        if "w" in mode:
            self.did(Request("truncate", node))
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def _open(self, path: Any, flags: int, *values: Any, dir_fd: int | None = None) -> int:
        real = lambda: REAL.open(path, flags, *values, dir_fd=dir_fd)
        place = (0, ".") if path == self.root else self._place(path, dir_fd)
        if place is None:
            return real()
        known = 0 if place[1] == "." else self.now.names[place[0]].get(place[1])
        new = known is None and flags & os.O_CREAT
        node = self.now.free if known is None else known
        handle = self._through(Request("create" if new else "open", node, *place), real, path)
        self.handles[handle] = node
        return handle

    def _close(self, handle: int) -> None:
        try:
            node = self.handles.pop(handle, None)
            if node in self.now.content:            # that of a folder has nothing to fail with
                self.ask(Request("close", node))
        finally:
            REAL.close(handle)

    def _dup(self, handle: int) -> int:
        other = REAL.dup(handle)
        if handle in self.handles:
            self.handles[other] = self.handles[handle]
        return other

    def _sync(self, handle: int) -> None:
        if handle in self.handles:
            self._through(Request("sync", self.handles[handle]), lambda: None)

    def _lock(self, handle: Any, how: int) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        if number in self.handles:
            self.ask(Request("lock", self.handles[number]))
        REAL.flock(handle, how)

    def _naming(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        """mkdir, unlink or rmdir, recorded."""
        def function(path: Any, *values: Any, dir_fd: int | None = None) -> None:
            place, act = self._place(path, dir_fd), lambda: real(path, *values, dir_fd=dir_fd)
            if place is None:
                return act()
            node = self.now.free if name == "mkdir" else self.now.names[place[0]].get(place[1], -1)
            return self._through(Request({"remove": "unlink"}.get(name, name), node, *place), act, path)

        return function

    def _renaming(self, real: Callable[..., None]) -> Callable[..., None]:
        def function(path: Any, new: Any) -> None:
            place, other = self._place(path), self._place(new)
            if place is None or other is None:
                assert place == other, "what is renamed stays below the root"
                return real(path, new)
            assert place[0] == other[0], "what is renamed stays in its folder"
            node = self.now.names[place[0]].get(place[1], -1)
            request = Request("rename", node, *place, other[1])
            return self._through(request, lambda: real(path, new), path, None, new)

        return function


class _File(io.FileIO):
    """A file below Python's buffer."""

    def __init__(self, path: Any, mode: str, disk: Disk, node: int):
        super().__init__(path, mode)
        self._disk, self._node = disk, node
        disk.handles[self.fileno()] = node

    def write(self, data: Any) -> int:
        taken = bytes(data)
        request = Request("write", self._node, offset=self.tell(), data=taken)
        taken = taken[:self._disk.ask(request)]
        written = super().write(taken)
        self._disk.did(request._replace(data=taken[:written]))
        return written

    def truncate(self, size: int | None = None) -> int:
        size = self.tell() if size is None else size
        return self._disk._through(Request("truncate", self._node, offset=size), lambda: io.FileIO.truncate(self, size))

    def close(self) -> None:
        if not self.closed:
            self._disk.handles.pop(self.fileno(), None)
            try:
                self._disk.ask(Request("close", self._node))
            finally:
                super().close()
