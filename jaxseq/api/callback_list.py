"""The callbacks of one run, called as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from jaxseq.api import hosts
from jaxseq.api.callbacks import HOOKS, Callback, Logs
from jaxseq.api.data import Columns, Feed
from jaxseq.api.history import History
from jaxseq.api.progress import ProgbarLogger
from jaxseq.core.require import require, require_known

NUMBERED = "epoch", "batch", "steps"    # the hooks of these are called with a number before the logs


class ValidationData(list):
    """[x, y, sample_weight] as `show_validation` gives it: what a callback has of its own under that name is left alone."""


class CallbackList:
    """Callbacks that are called in order: for a loop of one's own, `each.on_epoch_end(epoch, logs)` calls that of all.

    callbacks: one, or any nesting of lists of them. add_history, add_progbar: a History at the end, and a ProgbarLogger at
    the front, where there is none among them. model, params: what they are told before the first hook.
    Raises: TypeError for what is no callback.
    Source: as keras.callbacks.CallbackList; the bar stands in front, as in Keras 2, so that what others print follows it.
    """

    def __init__(self, callbacks: Any = None, add_history: bool = False, add_progbar: bool = False, model: Any = None,
                 **params: Any):
        self.callbacks: list[Callback] = list(_each(callbacks))
        if add_progbar and not self._has(ProgbarLogger):
            self.callbacks.insert(0, ProgbarLogger())
        if add_history and not self._has(History):
            self.callbacks.append(History())
        self.set_params(params)
        self.set_model(model)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    def __getattr__(self, hook: str) -> Callable[..., None]:
        require_known(hook, HOOKS, f"CallbackList has no {hook!r}.", AttributeError)
        if not any(word in hook for word in NUMBERED):
            return lambda logs=None: self.call(hook, {} if logs is None else logs)
        return lambda number, logs=None: self.call(hook, number, {} if logs is None else logs)

    @property
    def history(self) -> History:
        """The first History of the list."""
        return next(each for each in self.callbacks if isinstance(each, History))

    def append(self, callback: Callback) -> None:
        """Adds a callback at the end, and tells it model and params."""
        self.callbacks += CallbackList(callback, model=self.model, **self.params).callbacks

    def set_params(self, params: dict[str, Any]) -> None:
        """Tells all callbacks the parameters of the run, where there are any."""
        self.params = params
        for each in self.callbacks if params else ():
            each.set_params(params)

    def set_model(self, model: Any) -> None:
        """Tells all callbacks the model."""
        self.model = model
        for each in self.callbacks:
            each.set_model(model)

    def show_validation(self, feed: Feed | None) -> None:
        """Gives all callbacks the validation data of a run as Keras 2 does: [x, y, sample_weight], ones where no weight is."""
        rows = None
        if isinstance(feed, Columns):
            x, y, weight = feed.columns
            rows = ValidationData([x, y, np.ones(len(x), np.float32) if weight is None else weight])
        for each in self.callbacks:
            if each.validation_data is None or isinstance(each.validation_data, ValidationData):
                each.validation_data = rows

    def call(self, hook: str, *values: Any) -> None:
        """Calls one hook of every callback; an error names the callback and the hook."""
        for each in self._called:
            _call(each, hook, *values)

    def wants(self, *hooks: str) -> bool:
        """Whether any callback has one of the hooks."""
        return any(has(each, hook) for each in self.callbacks for hook in hooks)

    def run(self, what: str, body: Callable[[], Logs]) -> Logs:
        """on_<what>_begin, the body, on_<what>_end with what it gives; see `running`."""
        with self.running(what) as logs:
            logs.update(body())
        return logs

    @contextmanager
    def running(self, what: str) -> Iterator[Logs]:
        """on_<what>_begin; what is inside, which puts into the logs what on_<what>_end shall be given; and that.

        Every callback that began also ends, whatever happens: at the end of a training the History last, for others may put
        other weights in place.
        """
        begun: list[Callback] = []
        logs: Logs = {}
        try:
            for each in self._called:
                begun.append(each)
                _call(each, f"on_{what}_begin", {})
            yield logs
        finally:
            _call_all(_history_last(begun) if what == "train" else begun, f"on_{what}_end", logs)

    @property
    def _called(self) -> list[Callback]:
        """Those whose hooks are called in this process."""
        return self.callbacks if hosts.is_first() else [each for each in self.callbacks if not each.for_all]

    def _has(self, kind: type[Callback]) -> bool:
        return any(isinstance(each, kind) for each in self.callbacks)


def has(callback: Callback, hook: str) -> bool:
    """Whether a callback does something there."""
    return getattr(type(callback), hook) is not getattr(Callback, hook) or hook in vars(callback)


def _each(callbacks: Any) -> Iterator[Callback]:
    """Every callback in a nesting of lists; None is none."""
    if isinstance(callbacks, Callback):
        yield callbacks
    elif isinstance(callbacks, Iterable) and not isinstance(callbacks, str):
        for each in callbacks:
            yield from _each(each)
    else:
        require(callbacks is None, f"callbacks has {callbacks!r}: write an instance of a subclass of "
                "jaxseq.callbacks.Callback.", TypeError)


def _history_last(callbacks: list[Callback]) -> list[Callback]:
    return sorted(callbacks, key=lambda each: isinstance(each, History))


def _call_all(callbacks: list[Callback], hook: str, *values: Any) -> None:
    """Calls the hook of all of them, in order, even when one raises; the last error carries those before as its context."""
    if callbacks:
        try:
            _call(callbacks[0], hook, *values)
        finally:
            _call_all(callbacks[1:], hook, *values)


def _call(callback: Callback, hook: str, *values: Any) -> None:
    try:
        getattr(callback, hook)(*values)
    except BaseException as error:
        error.add_note(f"In {hook} of the callback {type(callback).__name__}.")
        raise
