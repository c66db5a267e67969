"""Callbacks: what a user may do at the edges of batches, epochs and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jaxseq.core.require import Spelled, nearest, require

Logs = dict[str, Any]


class Callback(Spelled):
    """A base of empty hooks, made to be subclassed.

    self.model: the model at work; it may be read, saved and set at any moment, for it stands at a whole step.
    self.params: {"epochs", "steps", "verbose", "batch_size", "samples", "metrics"}.
    A callback with a batch hook gets it at every step, with the running means of the epoch so far; the numbers of the
    run are the same bit for bit.
    """

    model: Any = None
    params: dict[str, Any]

    def __init__(self):
        self.params = {}

    def set_model(self, model: Any) -> None:
        """Called with the model before the first hook."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with the run's parameters before the first hook."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch of fit."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch of fit, however it ended."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch, with its logs, validation included. What is written into `logs` stands in the History."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for on_train_batch_end."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step, counted from 0 in its epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step, with the means of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_steps_end(self, done: int, logs: Logs | None = None) -> None:
        """After each dispatch, which makes one step or many: `done` steps of this epoch, evaluation or prediction.

        Unlike the batch hooks it does not slow the run down to one step per dispatch.
        """

    def on_not_finite(self, message: str) -> None:
        """After a step of training that gave NaN or infinity, which ends it. `message` says where it arose.

        The model stands before that step. While a callback has this hook, every dispatch is looked at.
        """

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before evaluate, or a validation in fit."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After evaluate, or a validation in fit."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch was evaluated, with the means so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before predict."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After predict."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch was predicted, with {"outputs": its predictions}."""


class CallbackList:
    """The callbacks of one run, called in order."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]):
        self.callbacks = list(callbacks)
        for each in self.callbacks:
            require(isinstance(each, Callback), f"callbacks has {each!r}: write an instance of a subclass of "
                    "jaxseq.callbacks.Callback.", TypeError)
        for each in self.callbacks:
            each.set_params(params)
            each.set_model(model)

    def call(self, hook: str, *values: Any) -> None:
        """Calls one hook of every callback; an error names the callback and the hook."""
        for each in self.callbacks:
            _call(each, hook, *values)

    def wants(self, *hooks: str) -> bool:
        """Whether any callback has one of the hooks."""
        return any(getattr(type(each), hook) is not getattr(Callback, hook) or hook in vars(each)
                   for each in self.callbacks for hook in hooks)

    def run(self, what: str, body: Callable[[], Logs]) -> Logs:
        """on_<what>_begin, the body, on_<what>_end; every callback that began also ends, whatever happens."""
        begun: list[Callback] = []
        logs: Logs = {}
        try:
            for each in self.callbacks:
                begun.append(each)
                _call(each, f"on_{what}_begin", {})
            logs = body()
        finally:
            _call_all(begun, f"on_{what}_end", logs)
        return logs


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


class LambdaCallback(Callback):
    """A callback of loose functions: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Raises: TypeError for a hook that there is not.
    """

    def __init__(self, **hooks: Callable[..., Any] | None):
        super().__init__()
        known = {name for name in vars(Callback) if name.startswith("on_")}
        for hook, function in hooks.items():
            require(hook in known, f"LambdaCallback takes no argument {hook!r}." + nearest(hook, known), TypeError)
            if function is not None:
                require(callable(function), f"LambdaCallback({hook}={function!r}): write a function.", TypeError)
                setattr(self, hook, function)
