"""Signals at a step boundary: a first Ctrl-C waits for the step that is running, a second one does not."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether a signal that ends the run has come since it began."""

    def __init__(self):
        self.asked: int = 0             # the signal's number
        self._answer: Callable[[], None] | None = None
        self._standing: dict[int, object] = {}

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler: remembers the first signal, and lets a second one through at once."""
        if self.asked:
            self.asked = 0
            raise _ended(signum)
        self.asked = signum

    def check(self) -> None:
        """Raises KeyboardInterrupt, or SystemExit for another signal, when one has come. Called between two steps."""
        self.end(self.asked)

    def end(self, signum: int) -> None:
        """Raises what ends the run on that signal, which another process may have got; nothing for 0."""
        if signum:
            self.asked = 0
            if self._answer is not None:
                self._answer()
            raise _ended(signum)

    @property
    def has_answer(self) -> bool:
        """Whether anyone wants to know before a signal ends the run."""
        return self._answer is not None

    def answered_by(self, answer: Callable[[], None], signals: tuple[int, ...] = ()) -> None:
        """Calls `answer` before a signal ends the run. `signals` end it besides SIGINT, unless the program handles them."""
        self._answer = answer
        for signum in signals if threading.current_thread() is threading.main_thread() else ():
            if signal.getsignal(signum) is signal.SIG_DFL:
                self._standing[signum] = signal.signal(signum, self.handle)

    def let_go(self) -> None:
        """Puts back the handlers that `answered_by` has replaced."""
        for signum, handler in self._standing.items():
            signal.signal(signum, handler)  # type: ignore[arg-type]
        self._standing, self._answer = {}, None


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
        interrupt.let_go()
        interrupt.check()


@contextmanager
def keeping(signum: int) -> Iterator[None]:
    """Whoever takes that signal inside has it no longer afterwards. Only in the main thread."""
    standing = signal.getsignal(signum)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and standing is not None:
            signal.signal(signum, standing)


def _ended(signum: int) -> BaseException:
    """What ends a program on that signal: as the shell has it, status 128 + number."""
    return KeyboardInterrupt() if signum == signal.SIGINT else SystemExit(128 + signum)
