"""Faults that the system itself makes, in a process of their own: `python -m reliability.real_faults`.

What came of them is printed as JSON: {fault: {file: [kind of error, its text, its notes, the state that is read afterwards,
what is left over]}}. ROOT stands for the folder of the file.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from .writers import WRITERS, Writer, scratch

NOBODY = 65534


@contextmanager
def limit(root: Path) -> Iterator[None]:
    """No file may grow beyond 1,000 bytes. Python ignores the signal, so that the call fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def rights(root: Path) -> Iterator[None]:
    """The folder belongs to another user, and may be read."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    yield
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)


@contextmanager
def signals(root: Path) -> Iterator[None]:
    """A signal every tenth of a millisecond, that Python has a handler for."""
    count = 0

    def handler(*_: object) -> None:
        nonlocal count
        count += 1

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert count > 0


def outcome(fault: Callable[[Path], AbstractContextManager[None]], writer: Writer) -> list[Any]:
    with scratch() as root:
        writer.save(root, 1)
        error = None
        with fault(root):
            try:
                writer.save(root, 2)
            except Exception as caught:
                error = caught
        words = [str(error), "\n".join(getattr(error, "__notes__", []))]
        return [type(error).__name__, *(each.replace(str(root), "ROOT") for each in words), writer.read(root),
                writer.leftovers(root)]


def main() -> None:
    faults = [limit, signals] + ([rights] if os.getuid() == 0 else [])
    print(json.dumps({fault.__name__: {name: outcome(fault, writer) for name, writer in WRITERS.items()} for fault in faults}))


if __name__ == "__main__":
    main()
