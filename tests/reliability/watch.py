"""What a process does while it reads a file: what Python is asked to run, import and open, how long it takes, what it holds."""

import gc
import os
import re
import sys
import sysconfig
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

FORBIDDEN = (
    "exec", "compile", "import", "marshal.", "pickle.", "code.__new__", "cpython.run", "ctypes.", "sys.addaudithook",
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill", "os.putenv", "os.chdir", "subprocess.",
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.",
    "tempfile.", "socket.", "urllib.", "http.", "ftplib.", "webbrowser.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Where programs lie that may be read, to show the lines of an error. An editable package may stand in none of the paths.
PROGRAMS = tuple({os.path.realpath(place) for place in (
    sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *filter(None, sys.path),
    Path(find_spec("jaxseq").origin).parent)})


class Watch:
    """An audit hook that is set once and for ever, and minds what happens between `on` and `off`."""

    def __init__(self):
        self._active, self._mine, self._seen = False, (), []
        self._programs = os.path.realpath(os.environ["JAXSEQ_CACHE"]) + os.sep
        sys.addaudithook(self._hook)

    @contextmanager
    def over(self, *mine):
        """Minds what happens inside; gives a list of what must not have happened. mine: the files that may be opened."""
        self._mine, self._seen, self._active = tuple(map(os.path.realpath, mine)), [], True
        try:
            yield self._seen
        finally:
            self._active = False

    def _hook(self, event, told):
        if not self._active:
            return
        self._active = False                # what is done here is ours
        try:
            fault = self._fault(event, told)
        finally:
            self._active = True
        if fault:
            self._seen.append(fault)
            raise PermissionError(f"while a file was read: {fault}")

    def _fault(self, event, told):
        if told and isinstance(told[0], str) and os.path.realpath(told[0]).startswith(self._programs):
            return None                     # where compiled programs are kept, of a model that is loaded
        if event == "open" and not isinstance(told[0], int):
            path, flags = os.path.realpath(os.fsdecode(told[0] or "")), told[2] or 0
            own = any(path == each or path.startswith(each + os.sep) for each in self._mine)
            if flags & WRITING and not (own and path.endswith(".lock")):
                return f"open {path} to write"
            known = own or path.startswith(("/proc/", *(place + os.sep for place in PROGRAMS)))
            return None if known else f"open {path}"
        if event == "os.mkdir" and os.path.realpath(told[0]) in self._mine:
            return None                     # a folder that is there: nothing comes of it
        return f"{event} {str(told)[:200]}" if event.startswith(FORBIDDEN) else None


def held(word):
    """A number of /proc/self/status, in MiB."""
    return int(re.search(rf"{word}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


class Cost:
    """seconds: of the processor. megabytes: by which the peak of memory rose. Both while inside."""

    def __enter__(self):
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")               # the peak begins anew
        self._before, self._began = held("VmRSS"), time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = time.process_time() - self._began
        self.megabytes = held("VmHWM") - self._before
