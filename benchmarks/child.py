"""A process that answers lines of JSON with lines of JSON, and what to say of it when it does not."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile


class Fallen(Exception):
    """A child died, or gave no answer in time. The message says what it wrote last."""


def last_line(errors: str) -> str:
    """The last line that is not empty, for a table: without the folders of a path."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    words = (lines or ["no message"])[-1].split()
    return " ".join(word.rsplit("/", 1)[-1] if word.strip("'\"(").startswith("/") else word for word in words)


class Child:
    """Started at once. It runs in a process group of its own, so that `close` ends its helpers, too."""

    def __init__(self, command: list[str], variables: dict[str, str]):
        self.errors = tempfile.TemporaryFile("w+")    # noqa: SIM115 - `close` closes it
        try:
            self.process = subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.errors, text=True, start_new_session=True)
        except OSError:
            self.errors.close()
            raise

    def ask(self, request: dict, patience: float) -> dict:
        """The answer to a request."""
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except OSError:
            raise Fallen(self.last_words()) from None
        return self.answer(patience)

    def answer(self, patience: float) -> dict:
        """The next line, waited for at most `patience` seconds."""
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        if not ready:
            raise Fallen(f"no answer within {patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise Fallen(self.last_words())
        return json.loads(line)

    def last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.errors.seek(0)
        return last_line(self.errors.read())

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
