"""Children that train, by the score: forked from one process that has imported everything and computed nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import survivors

Child = Callable[..., int]


@contextmanager
def zygote(programs: Path) -> Iterator[Child]:
    """A function (run, folder, **kill) -> the exit status of a child that trains there. They share compiled programs."""
    command, surroundings = [sys.executable, survivors.__file__], os.environ | {"JAXSEQ_CACHE": str(programs)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=surroundings) as process:
        assert process.stdin is not None and process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def child(run: str, folder: Path, **kill) -> int:
            folder.mkdir(exist_ok=True)
            asks.write(json.dumps({"run": run, "folder": str(folder), "kill": kill}) + "\n")
            asks.flush()
            return json.loads(answers.readline())

        yield child
    assert process.returncode == 0


def ended(child: Child, run: str, folder: Path, **how) -> str:
    """How a run ends that is not killed, or not again: weights, History, CSV."""
    (folder / "end.json").unlink(missing_ok=True)
    status = child(run, folder, **how)
    assert status == 0, (folder / "error.txt").read_text() if (folder / "error.txt").exists() else f"{run}: status {status}"
    return (folder / "end.json").read_text()
