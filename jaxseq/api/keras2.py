"""Methods that Keras 2 has and Keras 3 has not: other names for what fit, evaluate and predict do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxseq.api.history import History


class Keras2Methods:
    """What a Sequential adds for programs written for Keras 2."""

    if TYPE_CHECKING:
        fit: Any
        evaluate: Any
        predict: Any

    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, verbose: Any = 1,
                      callbacks: Any = None, validation_data: Any = None, validation_steps: int | None = None,
                      class_weight: dict[int, float] | None = None, max_queue_size: int = 10, workers: int = 1,
                      use_multiprocessing: bool = False, shuffle: bool = True, initial_epoch: int = 0) -> History:
        """`fit` for data that come batch by batch. How a Sequence is read it says itself: workers and the like are accepted."""
        return self.fit(generator, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data,
                        shuffle=shuffle, class_weight=class_weight, initial_epoch=initial_epoch,
                        steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)

    def evaluate_generator(self, generator: Any, steps: int | None = None, max_queue_size: int = 10, workers: int = 1,
                           use_multiprocessing: bool = False, verbose: Any = 0) -> float | list[float]:
        """`evaluate` for data that come batch by batch."""
        return self.evaluate(generator, steps=steps, verbose=verbose)

    def predict_generator(self, generator: Any, steps: int | None = None, max_queue_size: int = 10, workers: int = 1,
                          use_multiprocessing: bool = False, verbose: Any = 0) -> np.ndarray:
        """`predict` for data that come batch by batch; what a batch has besides x is passed over."""
        return self.predict(generator, steps=steps, verbose=verbose)

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
        """`predict`, for models whose output is probabilities."""
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> np.ndarray:
        """The class of every row: the place of the largest output, or for one output 1 where it is above 0.5, int32 (n, 1)."""
        y = self.predict(x, batch_size, verbose)
        return y.argmax(-1) if y.shape[-1] > 1 else (y > 0.5).astype(np.int32)
