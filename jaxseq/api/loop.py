"""The loops: epochs and batches over compiled programs, with callbacks between whole steps.

A dispatch makes as many steps as take about 50 ms, so that the bar moves and Ctrl-C answers; long steps go by up to four,
for at most a second. How many never changes a number. The model's state is assigned once a dispatch is complete, so it
always stands at a whole step.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq.api import hosts
from jaxseq.api.callback_list import CallbackList
from jaxseq.api.callbacks import BatchLogs, Logs
from jaxseq.api.data import NO_ROW, Batches, Cursor, Feed, Segment
from jaxseq.api.dealing import rows_on
from jaxseq.api.finite import Watch
from jaxseq.api.interrupt import Interrupt, at_step_boundary
from jaxseq.api.memory import advised
from jaxseq.api.underway import Underway
from jaxseq.core import run
from jaxseq.core.types import Spec

DISPATCH_SECONDS = 0.05
LOOKS = 200         # at a result that is not there yet: some 20 us
LONG_STEPS, LONG_SECONDS = 4, 1.0
TOO_LITTLE = ("The device has too little memory for batches of {} rows: pass a smaller batch_size. The model stands at its "
              "last whole step.")


Pieces = Iterator[tuple[Segment, int, int]]        # a segment, and which of its steps


class Plan(NamedTuple):
    """What fit was asked to do.

    train, valid: the data. epochs: range(initial_epoch, epochs). steps: per epoch. valid_steps: per validation. None: a pass.
    validated: the epochs after which a validation follows. check_finite: whether NaN and infinity in a step are an error.
    """

    train: Feed
    valid: Feed | None
    epochs: range
    steps: int | None
    valid_steps: int | None
    validated: frozenset[int] = frozenset()
    check_finite: bool = False


class Pacer:
    """How many steps the next dispatch makes: one while batches have hooks, else what takes about 50 ms.

    A step that is long by itself is seldom alone, for every dispatch asks the system for fresh memory: for a convnet whose
    step takes 230 ms that costs 50 ms more. Four share it where they take less than a second.

    pace: {rows of a batch: steps}, where what is learnt is kept, for the next run of the same programs as well.
    every: dispatches end at the multiples of so many steps, of which `made` lie behind.
    joint: whether several processes make the steps together, at the pace of the first.
    """

    def __init__(self, single: bool, pace: dict[int, int] | None = None, every: int | None = None, made: int = 0,
                 joint: bool = False):
        self.single, self._pace, self._every, self._made = single, {} if pace is None else pace, every, made
        self.joint = joint

    def steps(self, size: int) -> int:
        """The most that the next dispatch makes, with batches of `size` rows."""
        steps = 1 if self.single else self._pace.get(size, 1)
        return steps if self._every is None else min(steps, self._every - self._made % self._every)

    def learn(self, size: int, steps: int, seconds: float) -> None:
        """After `steps` steps took `seconds`. Grows at most eightfold, for the first dispatch also compiles."""
        self._made += steps
        if not self.single:
            each = max(seconds, 1e-6) / steps
            wanted = max(1, DISPATCH_SECONDS / each, min(LONG_STEPS, LONG_SECONDS / each))
            self._pace[size] = int(min(wanted, 8 * steps))


def fit_loop(model: Any, plan: Plan, callbacks: CallbackList, interrupt: Interrupt) -> Logs:
    """Trains for the planned epochs; returns the last epoch's logs."""
    fit = Underway(model, plan, callbacks, interrupt)
    callbacks.call("on_run_begin", fit)
    fit.put_back()                          # over what the hooks of other callbacks have done since it was moved
    with closing(_cursor(fit)) as cursor, hosts.advised():
        return _epochs(fit, cursor, callbacks)


def _cursor(fit: Underway) -> Cursor:
    """The steps that are left, from where the fit stands in its data."""
    high, low = np.asarray(jax.random.key_data(hosts.here(fit.model.train_state.key)))
    train, steps, epochs = fit.plan.train, fit.plan.steps, fit.plan.epochs.stop - fit.epoch
    left = math.inf if steps is None else steps * epochs - fit.done
    passes, within = train.place(fit.made, fit.done)
    begun = fit.first_step + passes * (train.steps or 1)
    return Cursor(train.passes((int(high), int(low)), begun, left + within, within), left, midway=fit.done > 0)


def _epochs(fit: Underway, cursor: Cursor, callbacks: CallbackList) -> Logs:
    model, plan = fit.model, fit.plan
    watch = Watch() if plan.check_finite or callbacks.wants("on_not_finite") else None
    pacer = Pacer(callbacks.wants("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
                  model.programs.pace["train"], fit.every, fit.made, hosts.is_joint(model.layout))
    if not model.run_eagerly:
        _compile_ahead(model, plan)
    for epoch in range(fit.epoch, fit.epoch if fit.halted and not fit.done else plan.epochs.stop):
        if not fit.done and not cursor.prepare():
            warnings.warn(f"The data ended before epoch {epoch + 1} of {plan.epochs.stop}: a generator must give batches for "
                          "all epochs. Pass a jaxseq.utils.Sequence, which can be read again.", stacklevel=2)
            break
        callbacks.call("on_epoch_begin", epoch, {})
        if fit.done:                        # moved into the middle of an epoch, whose beginning lies behind it
            fit.put_back()
        fit.logs = _train_epoch(fit, cursor, pacer, callbacks, watch)
        if plan.check_finite and watch is not None and watch.told is not None:
            raise FloatingPointError(watch.told)
        if plan.valid is not None and epoch in plan.validated:
            fit.logs |= _validation(fit, plan.valid, callbacks)
        callbacks.call("on_epoch_end", epoch, fit.logs)
        fit.epoch, fit.done, fit.sums = epoch + 1, 0, model.programs.zero
        callbacks.call("on_whole_step", fit)
        if model.stop_training:
            break
    fit.finished = True
    return fit.logs


def _validation(fit: Underway, feed: Feed, callbacks: CallbackList) -> Logs:
    """What the validation measures, each name behind val_."""
    fit.before_validation = fit.rest() if fit.interrupt.has_answer else None
    measured = evaluate_loop(fit.model, feed, fit.plan.valid_steps, callbacks, fit.interrupt)
    fit.before_validation = None
    if not measured:
        warnings.warn(f"The validation data ended before epoch {fit.epoch + 1}: a generator must give batches for all "
                      "validations. Pass a jaxseq.utils.Sequence, which can be read again.", stacklevel=2)
    return {f"val_{name}": value for name, value in measured.items()}


def _compile_ahead(model: Any, plan: Plan) -> None:
    """Begins to compile, beside the first steps, what the run needs after them: the ragged batch, the validation."""
    programs, ts = model.programs, model.train_state
    train = [(programs.train, (ts, programs.zero, kind.slab, kind.rows, 0, 1)) for kind in plan.train.kinds()]
    valid = [] if plan.valid is None else [(programs.evaluate, (ts.params, ts.state, programs.zero, kind.slab, kind.rows, 0, 1))
                                           for kind in plan.valid.kinds()]
    programs.ahead.start([*train[1:], *valid])


def _train_epoch(fit: Underway, cursor: Cursor, pacer: Pacer, callbacks: CallbackList, watch: Watch | None = None) -> Logs:
    """The training steps that are left of the epoch, cut short where a callback stops it; returns the epoch's logs."""
    model = fit.model

    def dispatch(segment: Segment, start: int, stop: int) -> Logs:
        programs = model.programs           # asked anew: a callback may have frozen a layer
        arguments = model.train_state, fit.sums, segment.slab, segment.rows, start, stop
        programs.ahead.wait(programs.train, arguments)
        ts, sums = programs.train(*arguments)
        try:
            cursor.prepare()                # while the device works
        finally:                            # data that raise do not undo the steps before them
            logs = run.finish(programs.task, sums)
            model.train_state = ts if watch is None else watch.looked(programs, arguments, ts, sums, fit.epoch, fit.done)
        fit.sums, fit.done = sums, fit.done + stop - start
        if watch is not None and watch.told is not None:
            model.stop_training = True
            callbacks.call("on_not_finite", watch.told)
        return logs

    def stopped() -> bool:
        callbacks.call("on_whole_step", fit)
        return model.stop_training

    steps, logs = fit.plan.steps, run.finish(model.programs.task, fit.sums) if fit.done else {}
    pieces = cursor.take(0 if fit.halted else None if steps is None else steps - fit.done)
    return _paced("train", dispatch, pieces, pacer, callbacks, fit.interrupt, fit.done, model.run_eagerly, stopped) or logs


def train_once(model: Any, feed: Feed, interrupt: Interrupt) -> Logs:
    """One training step on the whole feed; returns its logs."""
    fit = Underway(model, Plan(feed, None, range(1), 1, None), (), interrupt)
    return _train_epoch(fit, Cursor(feed.passes(), 1), Pacer(single=True), CallbackList(model=model))


def evaluate_loop(model: Any, feed: Feed, steps: int | None, callbacks: CallbackList, interrupt: Interrupt) -> Logs:
    """Evaluates `steps` batches, or those of one pass; returns {"loss": ..., each metric: ...}. A carried state moves on."""
    sums = model.programs.zero
    pacer = Pacer(callbacks.wants("on_test_batch_begin", "on_test_batch_end"), model.programs.pace["test"],
                  joint=hosts.is_joint(model.layout))

    def dispatch(segment: Segment, start: int, stop: int) -> Logs:
        nonlocal sums
        programs, ts = model.programs, model.train_state
        arguments = ts.params, ts.state, sums, segment.slab, segment.rows, start, stop
        programs.ahead.wait(programs.evaluate, arguments)
        state, sums = programs.evaluate(*arguments)
        logs = run.finish(programs.task, sums)
        model.train_state = ts._replace(state=state)
        return logs

    def body() -> Logs:
        most = math.inf if steps is None else steps
        with closing(Cursor(feed.passes(most=most), most)) as cursor, hosts.advised():
            return _paced("test", dispatch, cursor.take(steps), pacer, callbacks, interrupt, eagerly=model.run_eagerly)

    return callbacks.run("test", body)


def predict_at_once(model: Any, x: np.ndarray, rows: int) -> np.ndarray:
    """The predictions for the first rows of a single batch: one call of the program and next to nothing around it.

    Text is written row by row.
    """
    try:
        return np.array(_predicted(model, x, rows))         # the caller's own, as np.concatenate gives it
    except jax.errors.JaxRuntimeError:
        with advised(TOO_LITTLE.format(len(x))):
            raise


def _predicted(model: Any, x: Any, rows: int) -> np.ndarray:
    """The predictions for the first rows of a batch. A stateful layer's state moves on."""
    program, ts = model.predict_program, model.train_state
    y, state = program(ts.params, ts.state, x)
    y = awaited(y)[:rows]
    if state:
        state = jax.block_until_ready(state)
        with at_step_boundary():                # of models within models it stands in several places
            model.train_state = ts._replace(state=state)
    return y


def awaited(y: Any) -> np.ndarray:
    """y on the host. Looks for it a while before the thread sleeps until it is there: to be woken takes longer than a small
    program."""
    for _ in range(LOOKS):
        if y.is_ready():
            break
    return np.asarray(y)


def predict_loop(model: Any, batches: Batches, steps: int | None, callbacks: CallbackList, interrupt: Interrupt) -> np.ndarray:
    """The predictions for the first `steps` batches. A stateful layer's state moves on."""
    parts: list[np.ndarray] = []

    def dispatch(segment: Segment, start: int, stop: int) -> Logs:
        parts.append(_predicted(model, rows_on(model.layout, segment.slab.x), segment.rows.shape[1]))
        return {"outputs": parts[-1]}

    def body() -> Logs:
        with closing(batches.one_pass()) as segments, hosts.advised():
            pieces = ((segment, 0, 1) for segment in islice(segments, steps))
            _paced("predict", dispatch, pieces, Pacer(single=True, joint=hosts.is_joint(model.layout)), callbacks, interrupt,
                   eagerly=model.run_eagerly)
        return {}

    callbacks.run("predict", body)
    return np.concatenate(parts) if parts else no_predictions(model, batches.x)


def no_predictions(model: Any, x: np.ndarray) -> np.ndarray:
    """What predict gives for no rows: (0, ...) of the shape and dtype that the program would give for some."""
    ts = model.train_state
    y, _ = jax.eval_shape(model.predict_program, ts.params, ts.state, Spec((1, *x.shape[1:]), x.dtype))
    return np.zeros((0, *y.shape[1:]), y.dtype)


def _paced(what: str, dispatch: Callable[[Segment, int, int], Logs], pieces: Pieces, pacer: Pacer, callbacks: CallbackList,
           interrupt: Interrupt, done: int = 0, eagerly: bool = False, stopped: Callable[[], bool] = lambda: False) -> Logs:
    """Runs `dispatch` over all pieces, so many steps at a time as the pacer says; returns the logs of the last.

    done: the steps that lie before the first piece. stopped: asked once all hooks of a dispatch are over.
    """
    logs: Logs = {}
    told = 0                                # the signal that all processes know of, where several make the steps together
    for segment, start, end in pieces:
        batch = segment.rows.shape[1]
        sizes = np.sum(np.asarray(segment.rows) != NO_ROW, axis=1) if pacer.single else None
        while start < end:
            interrupt.end(told if pacer.joint else interrupt.asked)
            stop = min(start + pacer.steps(batch), end)
            size = 0 if sizes is None else int(sizes[start])            # where no hook wants single batches, none reads it
            callbacks.call(f"on_{what}_batch_begin", done, BatchLogs({}, size))
            began = time.perf_counter()
            with advised(TOO_LITTLE.format(batch)), jax.disable_jit(eagerly):
                logs = dispatch(segment, start, stop)
            seconds = time.perf_counter() - began
            if pacer.joint:
                seconds, told = hosts.agreed(seconds, interrupt.asked)
            pacer.learn(batch, stop - start, seconds)
            done += stop - start
            start = stop
            callbacks.call(f"on_{what}_batch_end", done - 1, BatchLogs(logs, size))
            callbacks.call("on_steps_end", done, logs)
            if stopped():
                return logs
    return logs
