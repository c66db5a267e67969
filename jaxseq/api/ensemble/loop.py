"""The epochs of an ensemble: units make theirs side by side, in turns, and none waits for another.

A thread makes an epoch of one unit, or a stretch of them where no callback waits for their ends. Then the callbacks of its
members are called, in the thread that called fit, and the unit stands in line for its next epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

from jaxseq.api.callback_list import CallbackList, has
from jaxseq.api.data import Feed
from jaxseq.api.ensemble.crew import Crew
from jaxseq.api.ensemble.passes import way
from jaxseq.api.ensemble.units import Measured, Unit
from jaxseq.api.history import History
from jaxseq.api.interrupt import Interrupt
from jaxseq.api.loop import Plan
from jaxseq.api.underway import Underway
from jaxseq.core import members

Ended = list[tuple[int, Measured]]      # whole epochs, and what was measured of each

STRETCH = 0.1           # seconds after which a unit tells of the epochs that it has made, in calls of about that at most


def fit_loop(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew, interrupt: Interrupt,
             tell: Callable[[int, Measured], None]) -> None:
    """Trains all members for the planned epochs. A member that a callback stops stays where it is."""
    with ExitStack() as stack:
        last = {number: stack.enter_context(own.running("train")) for number, own in callbacks.items()}
        for own in callbacks.values():
            own.call("on_run_begin", Underway(own.model, plan, own, interrupt))
        crew.compile(units, lambda unit: [*unit.training_jobs(plan),
                                          *([] if plan.valid is None else unit.measuring_jobs(plan.valid))])
        _epochs(units, plan, callbacks, crew, tell, last)
        for own in callbacks.values():
            own.model.take_average()


def trial(ts: Any, model: Any, feed: Feed) -> members.Trial:
    """One step of training on such data, to see what its program can be given. ts: specs of the TrainState."""
    kind = feed.kinds()[0]
    return "train", (ts, members.of_epochs(model.zero_sums(), 1), kind.slab, kind.rows, 0, 1)


def _epochs(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew,
            tell: Callable[[int, Measured], None], last: Measured) -> None:
    """Every unit's epochs, in turns. last: what each member measured in its last one."""
    told = Round(len(units), tell)
    with ExitStack() as stack:
        runs = [Run(unit, plan, {member.number: callbacks[member.number] for member in unit.members}, stack) for unit in units]
        stack.callback(crew.halt)                       # before the ways through the data are closed
        for run in runs if plan.epochs else ():
            crew.begin(run.start(crew.broken_off))
        for run, ended in crew.ended():
            for epoch, measured in ended:
                run.end(epoch, measured)
                for number, logs in measured.items():
                    last[number].clear()
                    last[number].update(logs)
                told.add(epoch, measured)
            if crew.broken_off():
                continue
            if run.goes_on:
                crew.begin(run.start(crew.broken_off))
            else:
                told.leave(run.epoch)


class Run:
    """A unit's way through the epochs. epoch: the next one."""

    def __init__(self, unit: Unit, plan: Plan, callbacks: dict[int, CallbackList], stack: ExitStack):
        self._unit, self._plan, self._callbacks = unit, plan, callbacks
        at_once = unit.at_once(plan)
        self._ways = {number: stack.enter_context(closing(way(plan, own.model.train_state, at_once)))
                      for number, own in callbacks.items()}
        self.epoch = plan.epochs.start
        self._watched = any(has(each, hook) for own in callbacks.values() for each in own.callbacks
                            for hook in ("on_epoch_begin", "on_epoch_end") if type(each) is not History)
        self._most, self._pace = 1 if self._watched or plan.valid is not None else at_once, 1   # epochs in one call

    @property
    def goes_on(self) -> bool:
        """Whether any of its members is still at work, and has an epoch left."""
        return bool(self._ways) and self.epoch < self._plan.epochs.stop

    def start(self, broken_off: Callable[[], bool]) -> Callable[[], tuple[Run, Ended]]:
        """Calls what callbacks do first, and gives the rest of the epoch, or of a stretch of them, as work for a thread."""
        for number in self._ways:
            self._callbacks[number].call("on_epoch_begin", self.epoch, {})
        return lambda: (self, self._ended(broken_off))

    def end(self, epoch: int, measured: Measured) -> None:
        """Calls what callbacks do at last. Members that they stop have made their last epoch."""
        self.epoch = epoch + 1
        for number, logs in measured.items():
            self._callbacks[number].call("on_epoch_end", epoch, logs)
        self._ways = {number: each for number, each in self._ways.items()
                         if not self._callbacks[number].model.stop_training}

    def _ended(self, broken_off: Callable[[], bool]) -> Ended:
        """The next epoch, and where nobody watches those after it for a while; of those that are broken off the whole ones."""
        left, ended, began = range(self.epoch, self._plan.epochs.stop), [], time.perf_counter()
        while len(ended) < len(left):
            epochs = left[len(ended):][:self._pace]
            for epoch, logs in zip(epochs, self._unit.train(self._ways, len(epochs), broken_off), strict=False):
                measured = self._validated(epoch, logs, broken_off)
                ended += [] if measured is None else [(epoch, measured)]
            seconds = time.perf_counter() - began
            self._pace = max(1, min(self._most, int(len(ended) * STRETCH / seconds)))
            if self._watched or seconds > STRETCH or broken_off():
                break
        return ended

    def _validated(self, epoch: int, logs: Measured, broken_off: Callable[[], bool]) -> Measured | None:
        """What an epoch's training measured, and the validation after it, where there is one; None where that is broken off."""
        plan = self._plan
        if plan.valid is None or epoch not in plan.validated:
            return logs
        found = self._unit.evaluate(plan.valid, plan.valid_steps, list(logs), broken_off)
        if broken_off():
            return None
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
