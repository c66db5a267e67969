"""The epochs of an ensemble: all members make theirs side by side, then each one's callbacks are called."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

import jax
import numpy as np

from jaxseq.api.callback_list import CallbackList
from jaxseq.api.callbacks import Logs
from jaxseq.api.data import Cursor, Feed
from jaxseq.api.ensemble.crew import Crew
from jaxseq.api.ensemble.units import Measured, Unit
from jaxseq.api.interrupt import Interrupt
from jaxseq.api.loop import Plan
from jaxseq.api.underway import Underway
from jaxseq.core import members


def fit_loop(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew, interrupt: Interrupt,
             tell: Callable[[int, Measured], None]) -> None:
    """Trains all members for the planned epochs. A member that a callback stops stays where it is."""
    logs: Measured = {number: {} for number in callbacks}
    _within_runs(list(callbacks.items()), logs, lambda: _epochs(units, plan, callbacks, crew, interrupt, tell, logs))


def trial(ts: Any, model: Any, feed: Feed) -> members.Trial:
    """One step of training on such data, to see what its program can be given. ts: specs of the TrainState."""
    kind = feed.kinds()[0]
    return "train", (ts, model.zero_sums(), kind.slab, kind.rows, 0, 1)


def _within_runs(left: list[tuple[int, CallbackList]], logs: Measured, body: Callable[[], None]) -> None:
    """The body, within on_train_begin and on_train_end of every member's callbacks."""
    if not left:
        body()
        return
    (number, own), *others = left

    def inner() -> Logs:
        _within_runs(others, logs, body)
        own.model.take_average()
        return logs[number]

    own.run("train", inner)


def _epochs(units: Sequence[Unit], plan: Plan, callbacks: dict[int, CallbackList], crew: Crew, interrupt: Interrupt,
            tell: Callable[[int, Measured], None], logs: Measured) -> None:
    for own in callbacks.values():
        own.call("on_run_begin", Underway(own.model, plan, own, interrupt))
    crew.compile(units, plan.train, plan.valid)
    with ExitStack() as stack:
        cursors = {number: stack.enter_context(closing(_cursor(plan, own.model))) for number, own in callbacks.items()}
        for epoch in plan.epochs:
            for number in cursors:
                callbacks[number].call("on_epoch_begin", epoch, {})
            measured = _epoch(units, plan, cursors, crew, interrupt, epoch in plan.validated)
            interrupt.check()
            for number, own_logs in measured.items():
                logs[number] = own_logs
                callbacks[number].call("on_epoch_end", epoch, own_logs)
            tell(epoch, measured)
            cursors = {number: each for number, each in cursors.items() if not callbacks[number].model.stop_training}
            if not cursors:
                break


def _epoch(units: Sequence[Unit], plan: Plan, cursors: dict[int, Cursor], crew: Crew, interrupt: Interrupt,
           validated: bool) -> Measured:
    """The training of one epoch, and the validation after it, of the members that have a cursor."""
    broken_off = lambda: bool(interrupt.asked)

    def work(unit: Unit) -> Measured:
        logs = unit.train(cursors, plan.steps, broken_off)
        if validated and plan.valid is not None and not broken_off():
            found = unit.evaluate(plan.valid, plan.valid_steps, list(logs), broken_off)
            logs = {number: logs[number] | {f"val_{name}": value for name, value in own.items()}
                    for number, own in found.items()}
        return logs

    at_work = [unit for unit in units if any(member.number in cursors for member in unit.members)]
    found = {number: logs for part in crew.do(work, at_work) for number, logs in part.items()}
    return dict(sorted(found.items()))


def _cursor(plan: Plan, model: Any) -> Cursor:
    """A member's way through the data: the order of its rows is a function of its seed and its step."""
    ts = model.train_state
    high, low = np.asarray(jax.random.key_data(ts.key))
    left = math.inf if plan.steps is None else plan.steps * len(plan.epochs)
    return Cursor(plan.train.passes((int(high), int(low)), int(ts.step), left), left)
