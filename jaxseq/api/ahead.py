"""Programs that a run will need later, compiled beside its first steps."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, wait
from typing import Any

import jax

from jaxseq.core import run

Job = tuple[Any, tuple]                 # a program, and arguments like those of the later call


class Ahead:
    """The compilations of one model's programs. Each is made once, one after the other, in a thread of its own.

    An error in one is of no concern here: the call that needs the program will meet it again and raise it.
    """

    def __init__(self):
        self._futures: dict[Any, Future] = {}

    def start(self, jobs: Iterable[Job]) -> None:
        """Begins with those that have not been asked for before."""
        new = []
        for job in jobs:
            if (key := _key(*job)) not in self._futures:
                self._futures[key] = future = Future()
                new.append((future, job))
        if new:
            threading.Thread(target=_work, args=(new,), name="jaxseq-compile").start()

    def stop(self) -> None:
        """Gives up what has not begun. Whoever needs it compiles it, or asks for it anew."""
        for key, future in list(self._futures.items()):
            if future.cancel():
                del self._futures[key]

    def wait(self, *job: Any) -> None:
        """Returns when the program is compiled for such arguments, or is nobody's job."""
        future = self._futures and self._futures.get(_key(*job))
        if future and not future.done():
            wait([future])


def _work(jobs: list[tuple[Future, Job]]) -> None:
    for future, (program, arguments) in jobs:
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(run.prepare(program, *arguments))
        except BaseException as error:              # whatever it is, nobody may wait for ever
            future.set_exception(error)


def _key(program: Any, arguments: tuple) -> Any:
    """The program and the shapes of its data, which stand last among the arguments but for two numbers of steps."""
    return id(program), tuple(leaf.shape for leaf in jax.tree.leaves(arguments[-4:-2]))
