"""Callbacks: what a user may do at the edges of batches, epochs and runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxseq.core.require import Spelled, require, require_known

Logs = dict[str, Any]


class BatchLogs(Logs):
    """The logs of a batch hook: what was measured so far in the epoch. size: the rows of this batch."""

    def __init__(self, measured: Logs, size: int):
        super().__init__(measured)
        self.size = size


class Callback(Spelled):
    """A base of empty hooks, made to be subclassed.

    self.model: the model at work; it may be read, saved and set at any moment, for it stands at a whole step.
    self.params: {"epochs", "steps", "verbose", "batch_size", "samples", "do_validation", "metrics"}, of evaluate and predict
        without the last two.
    self.validation_data: [x, y, sample_weight] of the validation in fit; None without one, or where it comes in batches.
    A callback with a batch hook gets it at every step, with the running means of the epoch so far; the numbers of the
    run are the same bit for bit.
    for_all: where several processes train one model, whether the first alone calls the hooks: those that print or write.
    writes_to: the file or the folder that it writes, which no other model's may write as well; None where it writes none.
    """

    for_all = False                     # whether, of several processes, the first calls the hooks for all of them
    writes_to: Any = None
    model: Any = None
    validation_data: list[Any] | None = None
    params: dict[str, Any]

    def __init__(self):
        self.params = {}

    def set_model(self, model: Any) -> None:
        """Called with the model before the first hook."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with the run's parameters before the first hook."""
        self.params = params

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on later must find here again, by attribute. All of them, unless a class says otherwise.

        Kept are numbers, text, arrays and lists, tuples, sets and dicts of them, where they changed since training began.
        """
        return {name: value for name, value in vars(self).items() if name not in ("model", "params", "validation_data")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave in the run that was broken off. The hooks that begin it have been called."""
        vars(self).update(state)

    def on_run_begin(self, fit: Any) -> None:
        """After on_train_begin of all callbacks: `fit`, an `Underway`, may now be put where an earlier one stood."""

    def on_whole_step(self, fit: Any) -> None:
        """After all hooks of a dispatch, and after those of an epoch's end: `fit.rest()` is the whole of it, to be kept."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch of fit."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch of fit, however it ended."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch, with its logs, validation included. What is written into `logs` stands in the History."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Keras 2's on_train_batch_begin, with its logs: {"batch", "size"}."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Keras 2's on_train_batch_end, with its logs: {"batch", "size"}, and the means of the epoch so far."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step, counted from 0 in its epoch."""
        self.on_batch_begin(batch, _in_keras_2_words(batch, logs))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step, with the means of the epoch so far."""
        self.on_batch_end(batch, _in_keras_2_words(batch, logs))

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


def _in_keras_2_words(batch: int, logs: Logs | None) -> Logs:
    """The logs as Keras 2 has them. Those that come from elsewhere than a run are left as they are."""
    return {"batch": batch, "size": logs.size, **logs} if isinstance(logs, BatchLogs) else logs or {}


HOOKS = frozenset(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback of loose functions: LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs)).

    Any hook of `Callback` is an argument. The first two may be given by place; Keras 2 and 3 disagree about the rest.
    Raises: TypeError for a hook that there is not.
    """

    def __init__(self, on_epoch_begin: Callable[..., Any] | None = None, on_epoch_end: Callable[..., Any] | None = None,
                 **hooks: Callable[..., Any] | None):
        super().__init__()
        for hook, function in {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, **hooks}.items():
            require_known(hook, HOOKS, f"LambdaCallback takes no argument {hook!r}.", TypeError)
            if function is not None:
                require(callable(function), f"LambdaCallback({hook}={function!r}): write a function.", TypeError)
                setattr(self, hook, function)
