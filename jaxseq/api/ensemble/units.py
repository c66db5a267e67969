"""Units: what one thread drives at a time, through one program. On a CPU that is a member, elsewhere all members of a kind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any

import jax
import numpy as np

from jaxseq.api.callbacks import Logs
from jaxseq.api.data import Batches, Cursor, Feed, size_of
from jaxseq.api.ensemble.forms import Form
from jaxseq.api.ensemble.kinds import Kind, Member
from jaxseq.api.ensemble.passes import Way, at_once
from jaxseq.api.loop import Pacer, Plan, no_predictions
from jaxseq.core import members, run
from jaxseq.core.types import Spec

Job = tuple[Any, tuple[Any, ...]]   # a program, and the arguments that it shall be compiled for
Measured = dict[int, Logs]              # {number of a member: what it measured}


class Unit:
    """Members that go through their programs side by side."""

    def __init__(self, kind: Kind, own: Sequence[Member], steps: members.Steps, form: Form, pace: dict[int, int]):
        self.members, self._steps, self._form, self._pace = list(own), steps, form, pace
        self._held: tuple[list[Any], Any] = ([], None)
        self._task, self._settings = kind.model.task, form.join([kind.settings(member) for member in self.members])
        self._kind = kind

    @property
    def name(self) -> str:
        """That of its first member."""
        return self.members[0].told

    @property
    def program(self) -> Any:
        """The one that trains."""
        return self._steps.train

    def readable(self, feed: Feed) -> Feed:
        """The data to train on, as these members can read them."""
        return self._form.readable(feed)

    def at_once(self, plan: Plan) -> int:
        """How many epochs one call of the program that trains has place for."""
        return at_once(plan, len(self.members) * size_of(self._kind.zero))

    def train(self, ways: dict[int, Way], epochs: int, broken_off: Callable[[], bool]) -> list[Measured]:
        """The next epochs of training, for the members that have a way; the others stay as they are.

        What is broken off gives its whole epochs.
        """
        places = next(iter(ways.values())).at_once
        ts, sums, pacer = self._states(), self._all(self._kind.zeros(places)), Pacer(single=False, pace=self._pace)
        running, made = [ways[member.number].take(epochs) for member in self.members if member.number in ways], epochs
        for pieces in zip(*running, strict=True):
            segment, start, end = pieces[0]
            own = iter(pieces)
            rows = self._form.join([(next(own) if member.number in ways else pieces[0])[0].rows for member in self.members])
            while start < end and not broken_off():
                size, began = segment.rows.shape[1], time.perf_counter()
                stop = min(start + pacer.steps(size), end)
                slab = self._form.shared(segment.slab)
                ts, sums = self._steps.train(self._settings, ts, sums, slab, rows, start, stop)
                jax.block_until_ready(sums)
                pacer.learn(size, stop - start, time.perf_counter() - began)
                start = stop
            if start < end:
                made = start // (segment.steps // places)
                break
        self._held = self._form.split(ts), ts
        for member, after in zip(self.members, self._held[0], strict=True):
            if member.number in ways:
                member.model.train_state = after
        each = jax.device_get(self._form.split(sums))
        return [self._measured(jax.tree.map(itemgetter(epoch), each), ways) for epoch in range(made)]

    def evaluate(self, feed: Feed, steps: int | None, wanted: Sequence[int], broken_off: Callable[[], bool]) -> Measured:
        """Measures the members of these numbers on `steps` batches, or on those of one pass. A carried state moves on."""
        (params, state, *_), sums = self._states(), self._all(self._kind.zero)
        most = math.inf if steps is None else steps
        with closing(Cursor(feed.passes(most=most), most)) as cursor:
            for segment, start, stop in cursor.take(steps):
                if broken_off():
                    break
                state, sums = jax.block_until_ready(self._steps.evaluate(
                    self._settings, params, state, sums, self._form.shared(segment.slab), segment.rows, start, stop))
        self._carry_on(state, wanted)
        return self._measured(jax.device_get(self._form.split(sums)), wanted)

    def predict(self, batches: Batches, steps: int | None, broken_off: Callable[[], bool]) -> dict[int, np.ndarray]:
        """{number of a member: its predictions for the first `steps` batches}. A carried state moves on."""
        params, state, *_ = self._states()
        parts: list[list[np.ndarray]] = [[] for _ in self.members]
        with closing(batches.one_pass()) as segments:
            for done, segment in enumerate(segments):
                if done == steps or broken_off():
                    break
                y, state = self._steps.predict(self._settings, params, state, self._form.shared(segment.slab).x)
                for part, own in zip(parts, self._form.apart(y), strict=True):
                    part.append(own[:segment.rows.shape[1]])
        self._carry_on(state, [member.number for member in self.members])
        return {member.number: np.concatenate(part) if part else no_predictions(member.model, batches.x)
                for member, part in zip(self.members, parts, strict=True)}

    def training_jobs(self, plan: Plan) -> list[Job]:
        """The programs that train, each with arguments like those of its calls."""
        ts, shared, epochs = self._states(), self._form.shared, self.at_once(plan)
        zero, rows = self._all(self._kind.zeros(epochs)), lambda steps, size: self._all(Spec((epochs * steps, size), np.int32))
        return [(self._steps.train, (self._settings, ts, zero, shared(kind.slab), rows(*kind.rows.shape), 0, 1))
                for kind in plan.train.kinds()]

    def measuring_jobs(self, feed: Feed) -> list[Job]:
        """Those that measure."""
        (params, state, *_), zero, shared = self._states(), self._all(self._kind.zero), self._form.shared
        return [(self._steps.evaluate, (self._settings, params, state, zero, shared(kind.slab), kind.rows, 0, 1))
                for kind in feed.kinds()]

    def _states(self) -> Any:
        """The members' TrainStates as one; the very one that they came from, where nobody has changed any since."""
        now, (parts, whole) = [member.model.train_state for member in self.members], self._held
        same = len(parts) == len(now) and all(one is other for one, other in zip(now, parts, strict=True))
        return whole if same else self._form.join(now)

    def _carry_on(self, state: Any, wanted: Any) -> None:
        """What stateful layers carry, for the members of these numbers."""
        if state:
            for member, after in zip(self.members, self._form.split(state), strict=True):
                if member.number in wanted:
                    member.model.train_state = member.model.train_state._replace(state=after)

    def _all(self, tree: Any) -> Any:
        """The same tree for each member, as one."""
        return self._form.join([tree] * len(self.members))

    def _measured(self, each: Sequence[run.Sums], wanted: Any) -> Measured:
        """What the totals of all members come to, for those of these numbers."""
        return {member.number: run.finish(self._task, own) for member, own in zip(self.members, each, strict=True)
                if member.number in wanted}
