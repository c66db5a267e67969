"""Callbacks about averages: SwapEMAWeights of the weights over the steps, BaseLogger of batch logs over an epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jaxseq.api.callbacks import Callback, Logs
from jaxseq.core import chain, optimizers
from jaxseq.core.require import require


class SwapEMAWeights(Callback):
    """Measures and predicts with the moving average of the weights that an optimizer with use_ema=True keeps.

    Before an evaluation, a validation or a prediction the average takes the weights' place, and afterwards they come
    back. Before the first step there is no average yet, and nothing changes places.
    swap_on_epoch: the average is in place at the end of each epoch, too, for the callbacks that follow this one, such as one
        that saves; the next epoch begins with the weights again.
    Raises: ValueError when the optimizer keeps no average.
    Source: as keras.callbacks.SwapEMAWeights. Differs from Keras, which leaves the average in the model after predict.
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._aside: Any = None         # the weights, while the average is in their place

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._require_average()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._swap(self.swap_on_epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if not logs:
            self._swap(False)           # broken off: else the average has been taken, and what is there now stays
        self._aside = None

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

    def _swap(self, wanted: bool) -> None:
        """Sees to it that the average is in place, or is not."""
        if wanted != (self._aside is not None):
            self._require_average()
            ts = self.model.train_state
            average = optimizers.average_to_take(ts.opt_state)
            placed, self._aside = (average, _picked(ts.params, average)) if wanted else (self._aside, None)
            self.model.train_state = ts._replace(params=chain.merged(ts.params, placed))

    def _require_average(self) -> None:
        kept = optimizers.averaged_weights(self.model.train_state.opt_state)
        require(kept is not None, "SwapEMAWeights needs an average of the weights, which the optimizer "
                f"{self.model.optimizer!r} does not keep: compile with use_ema=True, as in Adam(use_ema=True).")


def _picked(params: Any, like: Any) -> Any:
    """The entries of params at the places that `like` has: a row may have frozen layers beside them."""
    return {name: _picked(params[name], each) for name, each in like.items()} if isinstance(like, dict) else params


class BaseLogger(Callback):
    """Averages the batch logs of an epoch, weighted by rows, and adds to the epoch's logs what is not in them yet.

    The logs of `fit` are such means already, so it needs none. It is for loops of one's own over a `CallbackList`, and a base
    class for callbacks written for Keras 2.
    stateful_metrics: names whose last value counts, not their mean.
    Source: as keras.callbacks.BaseLogger of Keras 2, which wants the names in params["metrics"]; here all are taken.
    """

    def __init__(self, stateful_metrics: Iterable[str] | None = None):
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())
        self.seen, self.totals = 0, {}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.seen, self.totals = 0, {}

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        size = logs.get("size", 1)
        self.seen += size
        for name, value in logs.items():
            if name not in ("batch", "size"):
                stateful = name in self.stateful_metrics
                self.totals[name] = value if stateful else self.totals.get(name, 0.0) + value * size

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for name, total in self.totals.items() if logs is not None else ():
            logs.setdefault(name, total if name in self.stateful_metrics else total / self.seen)
