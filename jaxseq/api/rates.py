"""LearningRateScheduler: the learning rate as a function of the epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.core.require import require


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of each epoch: rate = schedule(epoch, rate), or schedule(epoch).

    schedule: a function of the epoch, counted from 0, and of the rate so far where it takes two arguments.
    The rate stands in the History as "learning_rate". No program is compiled anew: it stands in the optimizer's state.
    Raises: TypeError when the schedule gives no number, and when training begins with an optimizer that follows a schedule
        of its own.
    Source: as keras.callbacks.LearningRateScheduler.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        require(callable(schedule), f"LearningRateScheduler({schedule!r}): write a function of the epoch.", TypeError)
        self.schedule, self.verbose = schedule, verbose

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require_rate(self.model)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        rate = self.schedule(epoch, self.model.learning_rate) if self._takes_rate() else self.schedule(epoch)
        require(hasattr(rate, "__float__"), f"The schedule of LearningRateScheduler gave {rate!r} for epoch {epoch}: let it "
                "return a number.", TypeError)
        self.model.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: the learning rate is {float(rate):.4g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.learning_rate

    def _takes_rate(self) -> bool:
        """Whether the schedule can be called with two arguments."""
        try:
            inspect.signature(self.schedule).bind(0, 0.0)
        except TypeError:
            return False
        return True


def require_rate(model: Any) -> None:
    """Raises what setting the learning rate would raise: TypeError where it follows a schedule, AttributeError without one."""
    model.learning_rate = model.learning_rate
