"""The TrainState before the first step of a task, as a model would make it."""

import jax
import numpy as np

from jaxseq.core import run
from jaxseq.core.types import TrainState


def train_state(task, params, state, key):
    trained, _ = run.split(task, params)
    return TrainState(params, state, run.init_optimizer(task.optimizer, trained), jax.device_put(np.int32(0)), key)
