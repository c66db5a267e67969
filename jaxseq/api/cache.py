"""What has been compiled is kept on disk, so that the next process loads it.

JAX finds a program again (its key covers the program, the options, the devices and jaxlib); this file says where programs
lie and which of them may be trusted:

    <the user's cache folder>/jaxseq/programs-<machine>/<key>.xla      32 bytes of SHA-256, then what JAX gave

An entry that was damaged may crash the process inside XLA, so none is loaded that does not fit its digest. Whatever goes
wrong here costs a compilation and at most one warning of each kind; it never changes a result and never stops a run.

JAX has no public door for a cache of one's own. `_install` replaces two functions of jax._src.compilation_cache, and where
they are not to be found there is no cache.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import platform
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import jax
import jaxlib

from jaxseq.api.environment import cores

BOUND = 2**30               # bytes, in the folders of all machines together
DIGEST = 32                 # bytes of SHA-256 in front of every entry

_switched = threading.Lock()        # taken by the first switch_on and never given back


def switch_on() -> None:
    """Keeps what is compiled from now on, and loads what was kept. To be called before the first compilation.

    The environment variable JAXSEQ_CACHE names another folder, or is 0 for none. A cache that the user has set up in JAX,
    or has switched off there, is left as it is. Later calls do nothing.
    """
    if not _switched.acquire(blocking=False):
        return
    wish = os.environ.get("JAXSEQ_CACHE", "")
    if wish == "0" or _user_has_decided():
        return
    try:
        root = Path(wish).expanduser() if wish else user_cache_folder() / "jaxseq"
        folder = root.absolute().parent.resolve() / root.name / f"programs-{_machine()}"
        for part in (*reversed(folder.parents), folder):
            part.mkdir(mode=0o700, exist_ok=True)
        fault = _fault(folder)
    except (OSError, RuntimeError) as error:                            # RuntimeError: there is no home
        fault = f"{error}. Name a folder that can be written to in JAXSEQ_CACHE"
    if fault:
        warnings.warn(f"jaxseq keeps no compiled programs: {fault}, or set JAXSEQ_CACHE=0 to do without. Training goes on "
                      "and compiles what it needs.", stacklevel=2)
    elif _install(Store(folder)):
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")     # XLA would write them without a digest
        jax.config.update("jax_compilation_cache_dir", str(folder))


class Store:
    """The programs of one machine, with the two methods that JAX asks of a cache."""

    def __init__(self, folder: Path):
        self.folder = self._path = folder       # JAX logs `_path`
        self.stride = BOUND // 16               # bytes that are written between two sweeps
        self.room = 0
        self.silent: set[str] = set()           # the kinds of warning that were given

    def path(self, key: str) -> Path:
        return self.folder / f"{key[-200:]}.xla"        # a key ends with its hash; file names have 255 bytes at most

    def get(self, key: str) -> bytes | None:
        """The program, or None where there is none that fits its digest."""
        path = self.path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        program = entry[DIGEST:]
        if entry[:DIGEST] != _digest(key, program):
            self.discard(key, "does not fit its checksum")
            return None
        with suppress(OSError):
            os.utime(path)                      # the sweep takes what was not used for longest
        return program

    def put(self, key: str, program: bytes) -> None:
        """Keeps the program. It appears whole or not at all, also to other processes."""
        size = DIGEST + len(program)
        if "write" in self.silent or size > self.stride:
            return
        self.room -= size
        if self.room < 0:
            self.sweep()
            self.room = self.stride - size
        draft = None
        try:
            handle, draft = tempfile.mkstemp(dir=self.folder, suffix=".part")
            with open(handle, "wb") as file:
                file.write(_digest(key, program) + program)
            os.replace(draft, self.path(key))
        except OSError as error:
            if draft:
                with suppress(OSError):
                    os.unlink(draft)
            self.warn("write", f"jaxseq keeps no more compiled programs in this run: {error}. Nothing else is amiss; "
                               "JAXSEQ_CACHE names another folder, JAXSEQ_CACHE=0 does without.")

    def discard(self, key: str, fault: str) -> None:
        """Removes an entry that cannot be used, so that it is compiled and kept anew."""
        with suppress(OSError):
            self.path(key).unlink()
        self.warn("read", f"A compiled program that was kept {fault}; it is removed and compiled anew: {self.path(key)}")

    def sweep(self) -> None:
        """Makes room for one stride, in the folders of all machines: what was not used for longest goes first."""
        files = []
        for path in self.folder.parent.glob("programs-*/*"):
            with suppress(OSError):
                seen = path.lstat()
                files.append((seen.st_mtime, seen.st_size, path))
        held = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if held <= BOUND - self.stride:
                break
            with suppress(OSError):
                path.unlink()
                held -= size

    def warn(self, kind: str, message: str) -> None:
        """Warns, once of each kind."""
        if kind not in self.silent:
            self.silent.add(kind)
            warnings.warn(message, stacklevel=2)


def _install(store: Store) -> bool:
    """JAX asks this store in place of its own files. False where this JAX has other functions than we know."""
    try:
        from jax._src import compilation_cache as theirs
        make, load = theirs.get_file_cache, theirs.get_executable_and_time
    except (ImportError, AttributeError):
        return False
    folder = str(store.folder)

    @functools.wraps(make)
    def get_file_cache(path):
        return (store, path) if path == folder else make(path)

    @functools.wraps(load)
    def get_executable_and_time(cache_key, *args, **kwargs):
        if jax.config.jax_compilation_cache_dir != folder:
            return load(cache_key, *args, **kwargs)
        try:
            with _hushed():
                return load(cache_key, *args, **kwargs)
        except Exception as error:
            store.discard(cache_key, f"could not be loaded ({type(error).__name__}: {error})"[:300])
            return None, None

    theirs.get_file_cache, theirs.get_executable_and_time = get_file_cache, get_executable_and_time
    return True


class _Hush:
    """How many threads are loading a program at this moment."""

    lock = threading.Lock()
    loads = 0


@contextmanager
def _hushed() -> Iterator[None]:
    """While inside, jaxlib logs nothing but what is fatal.

    On CPUs with AVX-512 XLA notes +prefer-no-gather and +prefer-no-scatter as features of the machine it compiled for. They
    are preferences that no CPU lists, so every load would log some KB about them, and is good (xla#44565).
    """
    _count_load(+1)
    try:
        yield
    finally:
        _count_load(-1)


def _count_load(change: int) -> None:
    try:
        from jaxlib.utils import absl_set_min_log_level
    except ImportError:
        return
    with _Hush.lock:
        _Hush.loads += change
        absl_set_min_log_level(3 if _Hush.loads else _log_level())


def _log_level() -> int:
    """What jaxlib logs at other times: 0 information, 1 warnings, 2 errors, 3 what is fatal."""
    levels = {"DEBUG": 0, "INFO": 0, "WARN": 1, "WARNING": 1, "ERROR": 2, "FATAL": 3, "CRITICAL": 3}
    text = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1")
    return levels.get(jax.config.jax_logging_level, int(text) if text.isdecimal() else 0)


def _digest(key: str, program: bytes) -> bytes:
    """Over the key as well, so that no entry can stand for another."""
    return hashlib.sha256(key.encode() + program).digest()


def _user_has_decided() -> bool:
    """Whether JAX has been given a cache already, or told to have none."""
    config = jax.config
    return bool(config.jax_compilation_cache_dir or os.environ.get("JAX_COMPILATION_CACHE_DIR")
                or not config.jax_enable_compilation_cache)


def user_cache_folder() -> Path:
    """The folder for caches that the system names, else the customary one."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = Path(os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".cache"


def _fault(folder: Path) -> str:
    """Why someone else could put programs into this folder, and the cure; "" where nobody could.

    The folder and the one above it belong to the user, who alone may write there. Above them a folder may also belong to
    root, and all may write to it where nobody can remove what is another's, as in /tmp.
    """
    if not hasattr(os, "getuid"):
        return ""
    user = os.getuid()
    for path in (folder, *folder.parents):
        seen = path.lstat()
        ours = path in (folder, folder.parent)
        open_to = 0o022 if ours else 0 if seen.st_mode & stat.S_ISVTX else 0o002
        if stat.S_ISLNK(seen.st_mode):
            return f"{path} is a symbolic link. Name the folder itself in JAXSEQ_CACHE"
        if seen.st_uid not in ({user} if ours else {user, 0}):
            return f"{path} belongs to another user. Name a folder of your own in JAXSEQ_CACHE"
        if seen.st_mode & open_to:
            return f"others may write to {path}. Take that right away (chmod go-w)"
    return ""


def _machine() -> str:
    """A name for all that a compiled program may depend on and JAX's key may leave out."""
    build = getattr(jaxlib.version, "_git_hash", "")
    switches = [os.environ.get(name) for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NPROC", "PJRT_NPROC")]
    facts = [jaxlib.__version__, build, sys.platform, platform.machine(), *_processor(), cores(), *switches]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _processor() -> list[str]:
    """The CPU's model and features."""
    words = ("model name", "flags", "CPU implementer", "CPU part", "Features")
    try:
        with open("/proc/cpuinfo") as lines:
            first = itertools.takewhile(str.strip, lines)           # one paragraph for each processor
            return [line for line in first if line.startswith(words)]
    except OSError:
        return [platform.processor()]
