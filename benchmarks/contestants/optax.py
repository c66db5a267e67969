"""JAX and Optax by hand: params as a pytree, one jitted step, metric sums that stay on the device until the epoch ends."""

from __future__ import annotations

import functools
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from parts import LSTM, Average, Conv, Dense, Dropout, Embedding, Flatten, Pool
from workloads import RMSPROP, SGD, Workload, data

glorot, orthogonal = jax.nn.initializers.glorot_uniform(), jax.nn.initializers.orthogonal()


def make(workload: Workload):
    x, y = map(jnp.asarray, data(workload))
    optimizer = transform(workload.optimizer)
    params = init(workload, jax.random.key(0))
    training = params, optimizer.init(params), carry(workload), jax.random.key(1)
    step = make_step(workload, optimizer)
    rng = np.random.default_rng(0)

    def train(epochs: int):
        nonlocal training
        for _ in range(epochs):
            order = np.arange(workload.rows) if workload.stateful else rng.permutation(workload.rows)
            sums = jnp.zeros(2)
            for first in range(0, workload.rows, workload.batch):
                training, sums = step(training, sums, x, y, order[first:first + workload.batch])
            _loss, _accuracy = np.asarray(sums) / workload.rows

    return train


def make_step(workload: Workload, optimizer: optax.GradientTransformation):
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(training, sums, x, y, rows):
        params, opt_state, states, key = training
        key, drawn = jax.random.split(key)
        batch = x[rows], y[rows]
        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, (hits, states)), grads = gradient(params, workload, states, batch, drawn)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        sums = sums + jnp.stack([loss * rows.shape[0], hits])
        return (optax.apply_updates(params, updates), opt_state, lax.stop_gradient(states), key), sums

    return step


def objective(params, workload, states, batch, key):
    """(loss, (hits, states after the batch))"""
    x, y = batch
    logits, new = apply(params, workload, states, x, key)
    if workload.binary:
        loss, right = optax.sigmoid_binary_cross_entropy(logits, y), (logits > 0) == (y > 0.5)
    else:
        loss, right = optax.softmax_cross_entropy(logits, y), logits.argmax(-1) == y.argmax(-1)
    return loss.mean(), (right.sum().astype(jnp.float32), new if workload.stateful else states)


def apply(params, workload, states, x, key):
    """(logits, the (h, c) of every LSTM after the batch)"""
    new = []
    for number, (part, weights) in enumerate(zip(workload.parts, params, strict=True)):
        match part:
            case Dense():
                x = x @ weights["kernel"] + weights["bias"]
                x = jax.nn.relu(x) if part.activation == "relu" else x
            case Conv():
                x = jax.nn.relu(convolve(x, weights["kernel"]) + weights["bias"])
            case Pool(rank, size):
                window = (1, *[size] * rank, 1)
                x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
            case LSTM():
                state = states[len(new)] if states else None
                x, state = lstm(weights, part, state, x)
                new.append(state)
            case Embedding():
                x = weights["table"][x]
            case Dropout(rate):
                kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - rate, x.shape)
                x = jnp.where(kept, x / (1 - rate), 0)
            case Flatten():
                x = x.reshape(x.shape[0], -1)
            case Average():
                x = x.mean(axis=1)
    return x, new


def convolve(x, kernel):
    letters = ("NWC", "WIO", "NWC") if x.ndim == 3 else ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, [1] * (x.ndim - 2), "VALID", dimension_numbers=letters)


def lstm(weights, part, state, x):
    """The input's products of all time steps at once, the rest step by step."""
    def step(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ weights["recurrent"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h if part.sequences else None

    z = (x @ weights["kernel"] + weights["bias"]).swapaxes(0, 1)
    zeros = jnp.zeros((x.shape[0], part.units))
    state, hs = lax.scan(step, (zeros, zeros) if state is None else state, z)
    return hs.swapaxes(0, 1) if part.sequences else state[0], state


def init(workload: Workload, key):
    """One dict of weights for every part."""
    params, shape = [], workload.shape
    for number, part in enumerate(workload.parts):
        params.append(weights_of(part, shape, jax.random.fold_in(key, number)))
        shape = part.after(shape)
    return params


def weights_of(part, shape, key):
    match part:
        case Dense(units):
            return {"kernel": glorot(key, (shape[-1], units)), "bias": jnp.zeros(units)}
        case Conv(rank, filters, size):
            return {"kernel": glorot(key, (*[size] * rank, shape[-1], filters)), "bias": jnp.zeros(filters)}
        case LSTM(units):
            bias = jnp.zeros(4 * units).at[units:2 * units].set(1.0)
            kernel, recurrent = glorot(key, (shape[-1], 4 * units)), orthogonal(key, (units, 4 * units))
            return {"kernel": kernel, "recurrent": recurrent, "bias": bias}
        case Embedding(words, units):
            return {"table": jax.random.uniform(key, (words, units), minval=-0.05, maxval=0.05)}
    return {}


def carry(workload: Workload):
    """The first (h, c) of every LSTM that keeps it from batch to batch."""
    if not workload.stateful:
        return []
    zeros = lambda part: jnp.zeros((workload.batch, part.units))
    return [(zeros(part), zeros(part)) for part in workload.parts if isinstance(part, LSTM)]


def transform(name: str) -> optax.GradientTransformation:
    if name == "sgd":
        rate = lambda step: SGD["learning_rate"] / (1 + SGD["decay"] * jnp.float32(step))
        return optax.sgd(rate, momentum=SGD["momentum"], nesterov=True)
    return optax.rmsprop(RMSPROP["learning_rate"], decay=RMSPROP["rho"], eps=RMSPROP["epsilon"])


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("jax", "jaxlib", "optax", "numpy")}
