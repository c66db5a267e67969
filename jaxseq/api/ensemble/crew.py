"""Who does the work: threads that drive units, one thread for each core of a processor.

A small model's operations are too short to be shared by several cores, and XLA lets Python go while it computes, so that
members run side by side where each has a core of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import jax

from jaxseq.api.data import Feed
from jaxseq.api.ensemble.kinds import Kind
from jaxseq.api.ensemble.units import ALONE, Unit
from jaxseq.core import members, run

T = TypeVar("T")


class Crew:
    """Threads for units. A context: at its end they are gone."""

    def __init__(self):
        self._threads = ThreadPoolExecutor(_cores(), "jaxseq-member")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._threads.shutdown(cancel_futures=True)

    def do(self, work: Callable[[Any], T], units: Iterable[Any]) -> list[T]:
        """work(unit) for all of them, side by side; the results in order. An error in one is raised once all have ended."""
        futures = [self._threads.submit(work, unit) for unit in units]
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in errors[:1]:
            raise error
        return [future.result() for future in futures]

    def compile(self, units: Sequence[Unit], train: Feed | None = None, valid: Feed | None = None) -> None:
        """Compiles what the units will run, each program once."""
        jobs = {(id(program), _shapes(arguments)): (program, arguments)
                for unit in units for program, arguments in unit.jobs(train, valid)}
        self.do(lambda job: run.prepare(job[0], *job[1]), jobs.values())


def units_of(kinds: Sequence[Kind]) -> list[Unit]:
    """The members of all kinds, cut into units."""
    return [unit for kind in kinds for unit in _one_by_one(kind)]


def _one_by_one(kind: Kind) -> list[Unit]:
    """A unit for each member. Where nothing is given to the programs, they are those of any of the models by itself."""
    own, pace = kind.model.programs, {}
    for member in kind.members[1:] if not kind.given else ():
        member.model.share_programs(kind.model)
    steps = members.alone(kind.task_of) if kind.given else members.Steps(own.train, own.evaluate, kind.model.predict_program)
    return [Unit(kind, [member], steps, ALONE, pace) for member in kind.members]


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shapes(arguments: Any) -> Any:
    return tuple(getattr(leaf, "shape", ()) for leaf in jax.tree.leaves(arguments))
