"""Places that are watched from outside: a folder where nothing may be opened, a tree where nothing may change."""

import ctypes
import os
import socket
import struct
from pathlib import Path

import h5py
import numpy as np

from .attack import Trap

OPEN, ACCESS, MODIFY, ATTRIB, MOVE, CREATE, DELETE = 0x20, 0x1, 0x2, 0x4, 0xC0, 0x100, 0x600
NAMES = {ACCESS: "read", MODIFY: "written", ATTRIB: "changed", OPEN: "opened", 0x40: "moved", 0x80: "moved", CREATE: "made",
         0x200: "removed", 0x400: "removed"}


class Alarm:
    """Linux's inotify on a folder: it sees what libraries in C open, too."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        wanted = OPEN | ACCESS | MODIFY | ATTRIB | MOVE | CREATE | DELETE
        if self._handle < 0 or libc.inotify_add_watch(self._handle, os.fsencode(folder), wanted) < 0:
            raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")

    def heard(self):
        """What happened since the last call: ["opened secret.h5", ...]."""
        try:
            told, found = os.read(self._handle, 2**16), []
        except BlockingIOError:
            return []
        while told:
            _, mask, _, size = struct.unpack_from("iIII", told)
            name = told[16:16 + size].rstrip(b"\0").decode()
            found += [f"{word} {name}" for bit, word in NAMES.items() if mask & bit]
            told = told[16 + size:]
        return found

    def close(self):
        os.close(self._handle)


class World:
    """Folders for a round of attacks: a trap, the file that is opened, and a working folder, HOME and TMPDIR to leave alone."""

    def __init__(self, root):
        self.root = Path(root)
        for name in "trap", "files", "good", "home", "tmp", "here/there/work":
            (self.root / name).mkdir(parents=True)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._door.setblocking(False)
        self.address = self._door.getsockname()
        self.trap = Trap(self.root / "trap", f"http://127.0.0.1:{self.address[1]}/x")
        with h5py.File(self.trap.secret, "w") as file:
            file["data"] = np.full((4, 6), 7, "f4")
        self.alarm = Alarm(self.trap.folder)
        self._before = self._tree()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.alarm.close()
        self._door.close()

    @property
    def environment(self):
        """What a process that is tried here has for its folders."""
        return {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "tmp"), "JAXSEQ_CACHE": str(self.root / "cache")}

    @property
    def work(self):
        return self.root / "here" / "there" / "work"

    def disturbed(self):
        """What happened here since the last call, that must not happen."""
        now, found = self._tree(), self.alarm.heard()
        found += [f"{name} is {'another' if name in now and name in self._before else 'new' if name in now else 'gone'}"
                  for name, _ in sorted(set(now.items()) ^ set(self._before.items()))]
        self._before = now
        try:
            self._door.accept()[0].close()
            found.append("a connection")
        except BlockingIOError:
            return found
        return found

    def _tree(self):
        """{path: (kind, size, time of the last change)} of all but the trap and the file that is opened."""
        found = {}
        for name in "good", "home", "tmp", "here":
            for place, folders, files in os.walk(self.root / name):
                for each in *folders, *files:
                    told = os.lstat(os.path.join(place, each))
                    found[os.path.relpath(os.path.join(place, each), self.root)] = (
                        told.st_mode, told.st_size if each in files else 0, told.st_mtime_ns if each in files else 0)
        return found

    def settle(self):
        """Takes what is here now as what is to be left alone."""
        self._before = self._tree()
        self.alarm.heard()
