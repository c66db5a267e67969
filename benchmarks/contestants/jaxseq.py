"""jaxseq, by compile and fit."""

from __future__ import annotations

from importlib.metadata import version

from workloads import RMSPROP, SGD, Workload

import jaxseq
from contestants import keras_words
from jaxseq import layers, optimizers
from jaxseq.models import Sequential


def make(workload: Workload):
    return keras_words.trainer(workload, Sequential(seed=0), layers, optimizer(workload))


def optimizer(workload: Workload):
    return optimizers.SGD(**SGD, nesterov=True) if workload.optimizer == "sgd" else optimizers.RMSprop(**RMSPROP)


def versions() -> dict[str, str]:
    return {"jaxseq": jaxseq.__version__, **{name: version(name) for name in ("jax", "jaxlib", "optax", "numpy")}}
