"""Keras 3 by compile and fit, on the backend that KERAS_BACKEND names."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import keras
from workloads import RMSPROP, SGD, Workload

from contestants import keras_words

LIBRARIES = {"jax": ("jax", "jaxlib"), "tensorflow": ("tensorflow", "tensorflow-cpu"), "torch": ("torch",)}


def make(workload: Workload):
    keras.utils.set_random_seed(0)
    optimizer = _sgd(**SGD) if workload.optimizer == "sgd" else keras.optimizers.RMSprop(**RMSPROP)
    return keras_words.trainer(workload, keras.Sequential(), keras.layers, optimizer)


def _sgd(learning_rate: float, decay: float, momentum: float):
    rate = keras.optimizers.schedules.InverseTimeDecay(learning_rate, decay_steps=1, decay_rate=decay)
    return keras.optimizers.SGD(rate, momentum=momentum, nesterov=True)


def versions() -> dict[str, str]:
    found = {}
    for name in ("keras", *LIBRARIES[keras.backend.backend()], "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue                            # TensorFlow has two names
    return found
