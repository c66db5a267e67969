"""jaxseq, by compile and fit."""

from __future__ import annotations

from importlib.metadata import version

from workloads import RMSPROP, SGD, Workload

import jaxseq
from contestants import keras_words
from jaxseq import layers, optimizers
from jaxseq.models import Sequential


def make(workload: Workload):
    sgd = workload.optimizer == "sgd"
    optimizer = optimizers.SGD(**SGD, nesterov=True) if sgd else optimizers.RMSprop(**RMSPROP)
    return keras_words.trainer(workload, Sequential(seed=0), layers, optimizer)


def versions() -> dict[str, str]:
    return {"jaxseq": jaxseq.__version__, **{name: version(name) for name in ("jax", "jaxlib", "optax", "numpy")}}
