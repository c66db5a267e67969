"""Who does the work: threads that drive units, two for each core of a processor.

A small model's operations are too short to be shared by several cores, and XLA lets Python go while it computes, so that
members run side by side, each on a core of its own. XLA has a thread for each core, which looks for more work for a while when
it has none, and keeps its core from Python meanwhile: with a second thread of ours it finds some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any, Self, TypeVar

import jax

from jaxseq.api.ensemble.forms import Alone, SideBySide, Spread
from jaxseq.api.ensemble.kinds import Kind
from jaxseq.api.ensemble.naming import named
from jaxseq.api.ensemble.units import Job, Unit
from jaxseq.api.environment import cores
from jaxseq.api.interrupt import Interrupt
from jaxseq.core import members, run

T = TypeVar("T")

THREADS = 2                             # for each core


class Crew:
    """Threads for units. A context: at its end they are gone."""

    def __init__(self, interrupt: Interrupt):
        self._interrupt, self._halted = interrupt, False
        self._threads = ThreadPoolExecutor(THREADS * cores(), "jaxseq-member")
        self._over: SimpleQueue[Future[Any]] = SimpleQueue()
        self._begun = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.halt()

    def broken_off(self) -> bool:
        """Whether work shall end at its next whole step."""
        self._halted = self._halted or bool(self._interrupt.asked)
        return self._halted

    def halt(self) -> None:
        """Has all work end at its next whole step, and waits until it has."""
        self._halted = True
        self._threads.shutdown(cancel_futures=True)

    def begin(self, work: Callable[[], Any]) -> None:
        """Puts work at the end of the line. What it gives comes out of `ended`."""
        self._begun += 1
        self._threads.submit(work).add_done_callback(self._over.put)

    def ended(self) -> Iterator[Any]:
        """What the works gave, as they end, until none is left; an error in one is raised here, and at last an interruption."""
        while self._begun:
            future = self._over.get()
            self._begun -= 1
            yield future.result()
        self._interrupt.check()

    def do(self, work: Callable[[Any], T], units: Iterable[Any]) -> list[T]:
        """work(unit) for all of them, side by side; the results in order. An error in one is raised once all have ended."""
        futures = [self._threads.submit(work, unit) for unit in units]
        wait(futures)
        self._interrupt.check()
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in errors[:1]:
            raise error
        return [future.result() for future in futures]

    def compile(self, units: Sequence[Unit], jobs_of: Callable[[Unit], list[Job]]) -> None:
        """Compiles what the units will run, each program once."""
        jobs = {(id(program), _shapes(arguments)): (unit.name, program, arguments)
                for unit in reversed(units) for program, arguments in jobs_of(unit)}
        self.do(_prepare, jobs.values())


def units_of(kinds: Sequence[Kind]) -> list[Unit]:
    """The members of all kinds, cut into units as the devices want them."""
    devices = jax.local_devices()
    if devices[0].platform == "cpu":            # of which there may be several, and they share the cores
        crowd = sum(len(kind.members) for kind in kinds) >= cores()
        compiled = members.in_a_crowd if crowd else members.alone
        return [unit for kind in kinds for unit in one_by_one(kind, compiled(kind.task_of))]
    return [unit for kind in kinds for unit in side_by_side(kind, len(kind.members), devices)]


def side_by_side(kind: Kind, size: int, devices: Sequence[Any]) -> list[Unit]:
    """Units of so many members; each of them over all devices."""
    steps, pace = members.together(kind.task_of), {}
    parts = [kind.members[start:start + size] for start in range(0, len(kind.members), size)]
    form = lambda count: SideBySide(count) if len(devices) == 1 else Spread(count, devices[:count])
    return [Unit(kind, part, steps, form(len(part)), pace) for part in parts]


def one_by_one(kind: Kind, steps: members.Steps) -> list[Unit]:
    """A unit for each member. Members that are trained on by themselves have one program for all, too."""
    for member in kind.members[1:] if not kind.given else ():
        member.model.share_programs(kind.model)
    pace: dict[int, int] = {}
    return [Unit(kind, [member], steps, Alone(), pace) for member in kind.members]


def _prepare(job: tuple[str, Any, Any]) -> None:
    name, program, arguments = job
    with named(name):
        run.prepare(program, *arguments)


def _shapes(arguments: Any) -> Any:
    return tuple(getattr(leaf, "shape", ()) for leaf in jax.tree.leaves(arguments))
