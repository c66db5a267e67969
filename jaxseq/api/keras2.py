"""Methods that Keras 2 has and Keras 3 has not: other names for what fit, evaluate and predict do."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from jaxseq.core.require import require, spelled

if TYPE_CHECKING:
    from jaxseq.api.history import History

T = TypeVar("T")
P = ParamSpec("P")

# Keras 1's words, and what to write in their place. It counted rows where Keras 2 counts batches.
OF_KERAS_1 = {"samples_per_epoch": "steps_per_epoch=rows // batch_size", "val_samples": "steps=rows // batch_size",
              "nb_val_samples": "validation_steps=rows // batch_size", "nb_worker": "workers", "nb_epoch": "epochs",
              "max_q_size": "max_queue_size", "pickle_safe": "use_multiprocessing"}


def _in_keras_2(method: Callable[P, T]) -> Callable[P, T]:
    """The same method, which says of Keras 1's words what they are called, and of a misspelt one what is near."""
    checked = spelled(method)

    @functools.wraps(method)
    def call(*values: P.args, **words: P.kwargs) -> T:
        for word in words:
            require(word not in OF_KERAS_1, f"{method.__name__} takes no argument {word!r}, which is Keras 1's: write "
                    f"{OF_KERAS_1.get(word)}.", TypeError)
        return checked(*values, **words)

    return call


class Keras2Methods:
    """What a Sequential adds for programs written for Keras 2.

    Steps may be a fraction, len(x) / 64, as in Keras 2, whose loops go on while fewer are done: the next whole number.
    """

    if TYPE_CHECKING:
        fit: Any
        evaluate: Any
        predict: Any

    @_in_keras_2
    def fit_generator(self, generator: Any, steps_per_epoch: float | None = None, epochs: int = 1, verbose: Any = 1,
                      callbacks: Any = None, validation_data: Any = None, validation_steps: float | None = None,
                      class_weight: dict[int, float] | None = None, max_queue_size: int = 10, workers: int = 1,
                      use_multiprocessing: bool = False, shuffle: bool = True, initial_epoch: int = 0) -> History:
        """`fit` for data that come batch by batch. How a Sequence is read it says itself: workers and the like are accepted."""
        return self.fit(generator, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data,
                        shuffle=shuffle, class_weight=class_weight, initial_epoch=initial_epoch,
                        steps_per_epoch=_whole(steps_per_epoch), validation_steps=_whole(validation_steps))

    @_in_keras_2
    def evaluate_generator(self, generator: Any, steps: float | None = None, max_queue_size: int = 10, workers: int = 1,
                           use_multiprocessing: bool = False, verbose: Any = 0) -> float | list[float]:
        """`evaluate` for data that come batch by batch."""
        return self.evaluate(generator, steps=_whole(steps), verbose=verbose)

    @_in_keras_2
    def predict_generator(self, generator: Any, steps: float | None = None, max_queue_size: int = 10, workers: int = 1,
                          use_multiprocessing: bool = False, verbose: Any = 0) -> np.ndarray:
        """`predict` for data that come batch by batch; what a batch has besides x is passed over."""
        return self.predict(generator, steps=_whole(steps), verbose=verbose)

    @spelled
    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
        """`predict`, for models whose output is probabilities."""
        return self.predict(x, batch_size, verbose)

    @spelled
    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
        """The class of every row: the place of the largest output, or for one output 1 where it is above 0.5, int32 (n, 1)."""
        y = self.predict(x, batch_size, verbose)
        return y.argmax(-1) if y.shape[-1] > 1 else (y > 0.5).astype(np.int32)


def _whole(steps: Any) -> Any:
    """A fraction of steps as the next whole number; all else as it is, for who counts with it to judge."""
    return math.ceil(steps) if isinstance(steps, float | np.floating) and math.isfinite(steps) else steps
