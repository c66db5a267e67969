"""Flax NNX, as its guides train: modules, nnx.Optimizer, nnx.MultiMetric and one nnx.jit step."""

from __future__ import annotations

from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Pool
from workloads import Workload, data

from contestants.optax import transform


class Net(nnx.Module):
    """The layers in a row. Its states are the carries of the LSTMs."""

    def __init__(self, workload: Workload, rngs: nnx.Rngs):
        self.parts = workload.parts
        layers, shape = [], workload.shape
        for part in workload.parts:
            layers.append(module(part, shape, rngs))
            shape = part.after(shape)
        self.layers = nnx.List(layers)

    def __call__(self, x, states):
        new = []
        for part, layer in zip(self.parts, self.layers, strict=True):
            if isinstance(part, LSTM):
                state, x = layer(x, initial_carry=states[len(new)] if states else None, return_carry=True)
                x = x if part.sequences else x[:, -1]
                new.append(state)
            else:
                x = layer(x)
        return x, new


def module(part, shape, rngs):
    match part:
        case Dense(units, activation):
            linear = nnx.Linear(shape[-1], units, rngs=rngs)
            return nnx.Sequential(linear, nnx.relu) if activation == "relu" else linear
        case Conv(rank, filters, size):
            return nnx.Sequential(nnx.Conv(shape[-1], filters, [size] * rank, padding="VALID", rngs=rngs), nnx.relu)
        case Pool(rank, size):
            return nnx.Sequential(lambda x: nnx.max_pool(x, (size,) * rank, (size,) * rank))
        case LSTM(units):
            return nnx.RNN(nnx.OptimizedLSTMCell(shape[-1], units, rngs=rngs))
        case Embedding(words, units):
            return nnx.Embed(words, units, rngs=rngs)
        case Dropout(rate):
            return nnx.Dropout(rate, rngs=rngs)
        case Flatten():
            return nnx.Sequential(lambda x: x.reshape(x.shape[0], -1))
        case Average():
            return nnx.Sequential(lambda x: x.mean(axis=1))


def make(workload: Workload):
    x, y = map(jnp.asarray, data(workload))
    model = Net(workload, nnx.Rngs(0))
    model.train()
    optimizer = nnx.Optimizer(model, transform(workload.optimizer), wrt=nnx.Param)
    metrics = nnx.MultiMetric(loss=nnx.metrics.Average("loss"), accuracy=nnx.metrics.Average("accuracy"))
    step = nnx.cached_partial(make_step(workload), model, optimizer, metrics)
    states, rng = carry(workload), np.random.default_rng(0)

    def train(epochs: int):
        nonlocal states
        for _ in range(epochs):
            order = np.arange(workload.rows) if workload.stateful else rng.permutation(workload.rows)
            metrics.reset()
            for first in range(0, workload.rows, workload.batch):
                states = step(x, y, order[first:first + workload.batch], states)
            {name: float(value) for name, value in metrics.compute().items()}

    return train


def make_step(workload: Workload):
    @nnx.jit
    def step(model, optimizer, metrics, x, y, rows, states):
        x, y = x[rows], y[rows]
        (loss, (right, new)), grads = nnx.value_and_grad(objective, has_aux=True)(model, x, y, states)
        optimizer.update(model, grads)
        metrics.update(loss=loss, accuracy=right)
        return new if workload.stateful else states

    def objective(model, x, y, states):
        logits, new = model(x, states)
        if workload.binary:
            loss, right = optax.sigmoid_binary_cross_entropy(logits, y), (logits > 0) == (y > 0.5)
        else:
            loss, right = optax.softmax_cross_entropy(logits, y), logits.argmax(-1) == y.argmax(-1)
        return loss.mean(), (right.astype(jnp.float32), new)

    return step


def carry(workload: Workload):
    """The first (c, h) of every LSTM that keeps it from batch to batch."""
    if not workload.stateful:
        return []
    zeros = lambda part: jnp.zeros((workload.batch, part.units))
    return [(zeros(part), zeros(part)) for part in workload.parts if isinstance(part, LSTM)]


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("flax", "jax", "jaxlib", "optax", "numpy")}
