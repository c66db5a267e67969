"""A fit under way: where it stands, and how it is put where another one stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.interrupt import Interrupt
from jaxseq.api.resuming import plain
from jaxseq.core.types import TrainState


class Kept(NamedTuple):
    """What a callback holds, packed: {attribute: packed value}, and the arrays that these point at."""

    kind: str
    values: dict[str, Any]
    arrays: plain.Arrays


class Rest(NamedTuple):
    """All of a fit between two dispatches. Nothing in it changes any more, so it can be written while the run goes on.

    first_step: the step at which the first pass over the data began. epoch, done: so many steps of that epoch are made.
    sums: the totals of those steps. logs: of the epoch before. stopped: whether a callback has ended the training.
    """

    first_step: int
    epoch: int
    done: int
    stopped: bool
    sums: Any
    logs: Logs
    state: TrainState
    callbacks: tuple[Kept, ...]


class Underway:
    """A fit, for callbacks that keep it or put it somewhere else: see `Callback.on_run_begin`.

    model, plan: what is trained and on what. every: dispatches end at the multiples of so many steps, or anywhere.
    finished: whether all epochs are over.
    """

    def __init__(self, model: Any, plan: Any, callbacks: Iterable[Callback], interrupt: Interrupt):
        self.model, self.plan, self.callbacks, self.interrupt = model, plan, tuple(callbacks), interrupt
        self.first_step, self.epoch, self.done = int(model.train_state.step), plan.epochs.start, 0
        self.sums, self.logs = model.programs.zero, {}
        self.every: int | None = None
        self.finished = False
        self.before_validation: Rest | None = None
        self._came_from: Rest | None = None
        self._at_first: tuple[Kept, ...] = ()

    @property
    def made(self) -> int:
        """The steps made since the first pass began."""
        return int(self.model.train_state.step) - self.first_step

    @property
    def halted(self) -> bool:
        """Whether it was moved to where a callback had ended the training."""
        return self._came_from is not None and self._came_from.stopped

    def watch(self) -> None:
        """Notes what the callbacks are like now, so that `rest` keeps what changes from here on."""
        self._at_first = tuple(_kept(each) for each in self.callbacks)

    def rest(self) -> Rest:
        """The whole of it, as it stands between two dispatches. `watch` comes first."""
        changed = tuple(_changed(first, _kept(each)) for first, each in zip(self._at_first, self.callbacks, strict=True))
        return Rest(self.first_step, self.epoch, self.done, self.model.stop_training, self.sums, dict(self.logs),
                    self.model.train_state, changed)

    def move_to(self, rest: Rest) -> None:
        """Puts model, callbacks and place where they stood."""
        self._came_from = rest
        self.first_step, self.epoch, self.done = rest.first_step, rest.epoch, rest.done
        self.sums, self.logs = rest.sums, dict(rest.logs)
        self.put_back()

    def put_back(self) -> None:
        """Model and callbacks as they stood where the run was moved to, whatever a hook has done since."""
        rest = self._came_from
        if rest is not None:
            self.model.train_state, self.model.stop_training = rest.state, rest.stopped
            for callback, kept in zip(self.callbacks, rest.callbacks, strict=True):
                callback.load_state_dict({name: plain.unpacked(value, kept.arrays) for name, value in kept.values.items()})

    def on_interrupt(self, answer: Callable[[], None], signals: tuple[int, ...] = ()) -> None:
        """Calls `answer` when a signal has ended the run, before anything else; `signals` do so besides Ctrl-C."""
        self.interrupt.answered_by(answer, signals)


def _kept(callback: Callback) -> Kept:
    """All of a callback's state that can be kept."""
    arrays: plain.Arrays = []
    values = {}
    for name, value in callback.state_dict().items():
        try:
            values[name] = plain.packed(value, arrays)
        except plain.NotPlain:              # an open file, a bar: made anew by the hooks of the next run
            continue
    return Kept(type(callback).__name__, values, arrays)


def _changed(first: Kept, now: Kept) -> Kept:
    """What is different from what it was when the run began: settings are the script's, and stay so."""
    same = {name for name, value in now.values.items()
            if name in first.values and plain.equal(value, now.arrays, first.values[name], first.arrays)}
    return now._replace(values={name: value for name, value in now.values.items() if name not in same})
