"""Ctrl-C at a step boundary: a first SIGINT waits for the step that is running, a second one does not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether a SIGINT has come since the run began."""

    def __init__(self):
        self.asked = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler: remembers the first SIGINT, and lets a second one through at once."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt
        self.asked = True

    def check(self) -> None:
        """Raises KeyboardInterrupt when one was asked for. Called between two steps."""
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt


@contextmanager
def at_step_boundary() -> Iterator[Interrupt]:
    """While inside, SIGINT is answered where `check()` is called, so that no step is ever left half done.

    Only in the main thread, and only where Python's own handler stands: a program with its own keeps it. A run within a
    run (a callback that evaluates) answers for the outer one. The handler that was there comes back at the end, and an
    interruption that was still waiting is raised then.
    """
    standing = signal.getsignal(signal.SIGINT)
    outer = getattr(standing, "__self__", None)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or standing is not signal.default_int_handler:
        yield outer if in_main_thread and isinstance(outer, Interrupt) else Interrupt()
        return
    interrupt = Interrupt()
    signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, standing)
        interrupt.check()
