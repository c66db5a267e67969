"""The epochs of an ensemble: units make theirs side by side, in turns, and none waits for another.

A thread makes one epoch of one unit at a time. When it is over, the callbacks of its members are called, in the thread that
called fit, and the unit stands in line for its next epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

from jaxseq.api.callback_list import CallbackList
from jaxseq.api.data import Feed
from jaxseq.api.ensemble.crew import Crew
from jaxseq.api.ensemble.passes import way
from jaxseq.api.ensemble.units import Measured, Unit
from jaxseq.api.interrupt import Interrupt
from jaxseq.api.loop import Plan
from jaxseq.api.underway import Underway
from jaxseq.core import members


def fit_loop(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew, interrupt: Interrupt,
             tell: Callable[[int, Measured], None]) -> None:
    """Trains all members for the planned epochs. A member that a callback stops stays where it is."""
    with ExitStack() as stack:
        last = {number: stack.enter_context(own.running("train")) for number, own in callbacks.items()}
        for own in callbacks.values():
            own.call("on_run_begin", Underway(own.model, plan, own, interrupt))
        crew.compile(units, plan.train, plan.valid)
        _epochs(units, plan, callbacks, crew, tell, last)
        for own in callbacks.values():
            own.model.take_average()


def trial(ts: Any, model: Any, feed: Feed) -> members.Trial:
    """One step of training on such data, to see what its program can be given. ts: specs of the TrainState."""
    kind = feed.kinds()[0]
    return "train", (ts, model.zero_sums(), kind.slab, kind.rows, 0, 1)


def _epochs(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew,
            tell: Callable[[int, Measured], None], last: Measured) -> None:
    """Every unit's epochs, in turns. last: what each member measured in its last one."""
    told = Round(len(units), tell)
    with ExitStack() as stack:
        runs = [Run(unit, plan, {member.number: callbacks[member.number] for member in unit.members}, stack) for unit in units]
        stack.callback(crew.halt)                       # before the ways through the data are closed
        for run in runs if plan.epochs else ():
            crew.begin(run.start(plan.epochs.start, crew.broken_off))
        for run, epoch, measured in crew.ended():
            run.end(epoch, measured)
            for number, logs in measured.items():
                last[number].clear()
                last[number].update(logs)
            told.add(epoch, measured)
            if run.goes_on and epoch + 1 < plan.epochs.stop:
                crew.begin(run.start(epoch + 1, crew.broken_off))
            else:
                told.leave(epoch + 1)


class Run:
    """A unit's way through the epochs."""

    def __init__(self, unit: Unit, plan: Plan, callbacks: dict[int, CallbackList], stack: ExitStack):
        self._unit, self._plan, self._callbacks = unit, plan, callbacks
        self._ways = {number: stack.enter_context(closing(way(plan, own.model.train_state)))
                      for number, own in callbacks.items()}

    @property
    def goes_on(self) -> bool:
        """Whether any of its members is still at work."""
        return bool(self._ways)

    def start(self, epoch: int, broken_off: Callable[[], bool]) -> Callable[[], tuple[Run, int, Measured]]:
        """Calls what callbacks do first, and gives the rest of the epoch as work for a thread."""
        for number in self._ways:
            self._callbacks[number].call("on_epoch_begin", epoch, {})
        return lambda: (self, epoch, self._measured(epoch, broken_off))

    def end(self, epoch: int, measured: Measured) -> None:
        """Calls what callbacks do at last. Members that they stop have made their last epoch."""
        for number, logs in measured.items():
            self._callbacks[number].call("on_epoch_end", epoch, logs)
        self._ways = {number: each for number, each in self._ways.items()
                         if not self._callbacks[number].model.stop_training}

    def _measured(self, epoch: int, broken_off: Callable[[], bool]) -> Measured:
        """The training of one epoch, and the validation after it."""
        plan, logs = self._plan, self._unit.train(self._ways, self._plan.steps, broken_off)
        if plan.valid is None or epoch not in plan.validated or broken_off():
            return logs
        found = self._unit.evaluate(plan.valid, plan.valid_steps, list(logs), broken_off)
        return {number: logs[number] | {f"val_{name}": value for name, value in own.items()} for number, own in found.items()}


class Round:
    """Which units have ended which epoch: an epoch is told once all have that are still at work."""

    def __init__(self, units: int, tell: Callable[[int, Measured], None]):
        self._tell, self._units = tell, units
        self._left: dict[int, int] = {}                 # {epoch: how many units never make it}
        self._ended: dict[int, list[Measured]] = {}

    def add(self, epoch: int, measured: Measured) -> None:
        """A unit has ended an epoch."""
        self._ended.setdefault(epoch, []).append(measured)
        self._look(epoch)

    def leave(self, epoch: int) -> None:
        """A unit makes no more epochs, from this one on."""
        self._left[epoch] = self._left.get(epoch, 0) + 1
        for each in sorted(self._ended):
            self._look(each)

    def _look(self, epoch: int) -> None:
        gone = sum(count for first, count in self._left.items() if first <= epoch)
        if epoch in self._ended and len(self._ended[epoch]) + gone == self._units:
            self._tell(epoch, {number: logs for part in self._ended.pop(epoch) for number, logs in part.items()})
