"""Cells: children of a process that has imported the library and computed nothing, in which files are opened.

`Nursery()` starts that process, `nursery.cell()` forks a child of it. A cell runs one function after another at the wish of
whoever holds it; when it dies, or answers too late, that is an answer as well.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

LATE = 60           # seconds for an answer where nothing else is said


class Died(Exception):
    """A cell that is no more. status: as the shell has it, below 0 for a signal. late: whether it was ended for its time."""

    def __init__(self, status, late):
        super().__init__(f"{'took too long' if late else 'died'} with status {status}")
        self.status, self.late = status, late


class Nursery:
    """A process that forks cells. modules: what it imports before the first."""

    def __init__(self, *modules, environment=()):
        package = __package__.split(".")
        root = Path(__file__).parents[len(package)]
        path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        told = {**os.environ, **dict(environment), "PYTHONPATH": path}
        self._process = subprocess.Popen([sys.executable, "-m", f"{__package__}.cells", *modules], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, env=told, bufsize=0)
        self._said = b""
        self._read(LATE)                    # ready

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    @contextmanager
    def cell(self):
        """A cell; at the end of the block it is no more."""
        self._write({})
        cell = Cell(self, self._read(LATE)["cell"])
        try:
            yield cell
        finally:
            if cell.lives:
                cell.end()

    def _write(self, told):
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    def _read(self, seconds):
        """The next line; None where it does not come in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._said:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, until - time.monotonic()))
            if not ready:
                return None
            more = os.read(self._process.stdout.fileno(), 2**16)
            assert more, "the process that forks cells has died"
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)


class Cell:
    """One child: `ask(function, ...)` runs "module.function" of this package in it."""

    def __init__(self, nursery, pid):
        self._nursery, self.pid, self.lives = nursery, pid, True

    def ask(self, function, *, seconds=LATE, watched=None, **told):
        """What the function returns. Died when the cell did, or when neither an answer nor progress came in so many seconds.

        watched: a function that tells of progress, by a value that changes.
        """
        self._nursery._write({"function": function, "told": told})
        answer, seen = None, object()
        while answer is None:
            answer = self._nursery._read(seconds)
            if answer is None:
                now = watched() if watched else seen
                if now == seen or watched is None:
                    os.kill(self.pid, signal.SIGKILL)
                    raise self._ended(self._nursery._read(LATE), late=True)
                seen = now
        if "ended" in answer:
            raise self._ended(answer, late=False)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def end(self):
        self._nursery._write({"function": None})
        self._ended(self._nursery._read(LATE), late=False)

    def _ended(self, answer, late):
        self.lives = False
        return Died(answer["ended"], late)


def _lines():
    """Lines of standard input, with nothing read ahead that is meant for others."""
    line = b""
    while byte := os.read(0, 2**16):
        line += byte
        if line.endswith(b"\n"):
            yield json.loads(line)
            line = b""


def _serve(say):
    """The life of a cell."""
    import traceback

    for wish in _lines():
        if wish["function"] is None:
            return
        module, _, name = wish["function"].rpartition(".")
        try:
            function = getattr(importlib.import_module(f"{__package__}.{module}"), name)
            say({"value": function(**wish["told"])})
        except Exception as error:
            say({"error": "".join(traceback.format_exception(error))})


def main(modules):
    for name in modules:
        importlib.import_module(name)
    channel = os.dup(1)
    os.dup2(2, 1)                           # what the library prints is no answer
    say = lambda told: os.write(channel, json.dumps(told).encode() + b"\n")
    say({"ready": True})
    for _ in _lines():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                say({"cell": os.getpid()})
                _serve(say)
                status = 0
            finally:
                os._exit(status)
        say({"ended": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})


if __name__ == "__main__":
    main(sys.argv[1:])
