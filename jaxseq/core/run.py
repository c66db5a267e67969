"""The compiled programs. The only file that calls jax.jit, weights a loss, or divides by a count.

`make_train(task)` gives one program for every number of steps: TrainState in, TrainState out. The rows of each batch
come as indices into data that already lie on the device, and `start` and `stop` are traced, so how many steps one call
makes never changes a number and never compiles anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxseq.core import chain, losses, metrics, rng
from jaxseq.core.require import require
from jaxseq.core.types import Array, Batch, Key, Params, Spec, TrainState

Sums = dict[str, metrics.Sums]      # totals that may be added: of the loss, and of every metric by name

# Keep products and convolutions away from YNNPACK: slow at some, wrong at others (jax#39103).
CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}


class Task(NamedTuple):
    """What is trained, and towards what.

    layers: ((name, layer), ...). input_dtype: what x becomes on its way in.
    loss: (y, y_hat) -> one number per example. metrics: what is measured beside it.
    optimizer: the Optax transformation. frozen: names of the layers that are not trained.
    """

    layers: chain.Layers
    input_dtype: str
    loss: losses.LossFn
    metrics: tuple[metrics.Metric, ...]
    optimizer: optax.GradientTransformation
    frozen: frozenset[str] = frozenset()


def init_train_state(task: Task, params: dict[str, Any], state: dict[str, Any], key: Key) -> TrainState:
    """The TrainState before the first step."""
    trained, _ = split(task, params)
    return TrainState(params, state, task.optimizer.init(trained), jnp.zeros((), jnp.int32), key)


def split(task: Task, params: dict[str, Params]) -> tuple[dict[str, Params], dict[str, Params]]:
    """(the params that are trained, those that are frozen)."""
    trained = {name: weights for name, weights in params.items() if name not in task.frozen}
    return trained, {name: weights for name, weights in params.items() if name in task.frozen}


def zero_sums(task: Task) -> Sums:
    """The totals before the first example."""
    typed = lambda zero: jnp.asarray(zero, jnp.result_type(zero))          # a Python 0.0 has no dtype of its own
    zeros = {metric.name: jax.tree.map(typed, metric.zero) for metric in task.metrics}
    return {"loss": (jnp.float32(0), jnp.float32(0)), **zeros}


def finish(task: Task, sums: Sums) -> dict[str, float]:
    """The numbers that the totals come to: the loss, then every metric, as Python floats. 0 / 0 is NaN."""
    host = jax.device_get(sums)
    total, rows = host["loss"]
    with np.errstate(divide="ignore", invalid="ignore"):
        finished = {"loss": total / rows, **{metric.name: metric.finish(*host[metric.name]) for metric in task.metrics}}
    return {name: float(value) for name, value in finished.items()}


def make_train(task: Task) -> Callable[..., tuple[TrainState, Sums]]:
    """train(ts, sums, data, rows, start, stop) -> (ts, sums) after the steps rows[start:stop].

    data: Batch of whole columns. rows: (steps, batch) int32, the rows of each step. Both totals and state are those of
    the single steps in order, whatever the calls they are made in.
    """
    def step(ts: TrainState, batch: Batch) -> tuple[TrainState, Sums]:
        trained, frozen = split(task, ts.params)
        key = rng.fold_in(rng.fold_in(ts.key, rng.Purpose.STEP), ts.step)
        objective = lambda trained: _objective(task, {**frozen, **trained}, ts.state, batch, train=True, key=key)
        grads, (state, sums) = jax.grad(objective, has_aux=True)(trained)
        updates, opt_state = task.optimizer.update(grads, ts.opt_state, trained)
        moved: Any = optax.apply_updates(trained, updates)
        return TrainState({**frozen, **chain.constrain(task.layers, moved)}, state, opt_state, ts.step + 1, ts.key), sums

    def train(ts, sums, data, rows, start, stop):
        def body(i, carry):
            ts, sums = carry
            ts, new = step(ts, _gather(data, rows[i]))
            return ts, jax.tree.map(jnp.add, sums, new)

        return lax.fori_loop(start, stop, body, (ts, sums))

    return compiled(train)


def make_evaluate(task: Task) -> Callable[..., tuple[dict[str, Any], Sums]]:
    """evaluate(params, state, sums, data, rows, start, stop) -> (state, sums) after the batches rows[start:stop].

    The state changes only where a stateful layer carries it on.
    """
    def evaluate(params, state, sums, data, rows, start, stop):
        def body(i, carry):
            state, sums = carry
            _, (state, new) = _objective(task, params, state, _gather(data, rows[i]), train=False, key=None)
            return state, jax.tree.map(jnp.add, sums, new)

        return lax.fori_loop(start, stop, body, (state, sums))

    return compiled(evaluate)


def make_predict(layers: chain.Layers, input_dtype: str) -> Callable[..., tuple[Array, dict[str, Any]]]:
    """predict(params, state, x, rows) -> (y_hat of those rows, state)."""
    def predict(params, state, x, rows):
        out = chain.apply(layers, params, state, _take(x, rows).astype(input_dtype))
        return out.y, chain.take_penalties(out.state)[1]

    return compiled(predict)


def check(task: Task, ts: TrainState, batch: Batch, *, train: bool) -> None:
    """Raises what tracing a step over such a batch would raise. Nothing is computed and nothing is compiled."""
    key = ts.key if train else None
    jax.eval_shape(lambda ts, batch: _objective(task, ts.params, ts.state, batch, train=train, key=key), ts, batch)


def compiled(function: Callable[..., Any]) -> Any:
    """jax.jit with the options that every program of ours wants on this backend."""
    return jax.jit(function, compiler_options=_compiler_options())


def _objective(task: Task, params: Any, state: Any, batch: Batch, *, train: bool, key: Key | None) -> tuple[Array, Any]:
    """(the loss to differentiate, (new state, totals)) of one batch."""
    layers, activation, loss = _before_last_activation(task)
    out = chain.apply(layers, params, state, batch.x.astype(task.input_dtype), train=train, key=key)
    activity, state = chain.take_penalties(out.state)
    assert batch.y is not None
    y = batch.y.astype(jnp.float32)
    trained, _ = split(task, params)                            # frozen weights are not penalised, as in Keras 3
    total = _average(loss(y, out.y), batch.weight, out.mask, out.y) + chain.penalty(layers, trained) + activity
    y_hat = activation(out.y)
    weight = None if out.mask is None else out.mask.astype(jnp.float32)
    rows = jnp.float32(out.y.shape[0])
    sums = {metric.name: metric.sums(y, y_hat, weight) for metric in task.metrics}
    return total, (state, {"loss": (total * rows, rows), **sums})


def _before_last_activation(task: Task) -> tuple[chain.Layers, Callable[[Array], Array], losses.LossFn]:
    """(layers, activation, loss): softmax or sigmoid in front of its crossentropy is left to the loss, which is exact."""
    (name, last) = task.layers[-1]
    parts = last.without_activation()
    if parts is not None:
        linear, activation = parts
        loss = losses.of_logits(task.loss, activation)
        if loss is not None:
            return (*task.layers[:-1], (name, linear)), activation, loss
    return task.layers, lambda y: y, task.loss


def _average(values: Array, weight: Array | None, mask: Array | None, y_hat: Array) -> Array:
    """sum(values * weight * mask) / (number of values that the mask leaves), as Keras 3 reduces a loss.

    A loss that gives one number for the whole batch is taken as it is; a mask cannot reach into it.
    """
    values = metrics.measured("The loss", values, y_hat)
    if values.ndim == 0:
        require(weight is None, "The loss gives one number for the whole batch, so sample_weight and class_weight cannot "
                "weigh its rows. Let it return one number per row: mean(..., axis=-1).")
        return values
    count = jnp.float32(values.size)
    if mask is not None:
        require(metrics.fits(mask, values), f"The loss gave shape {values.shape}, which the mask {mask.shape} of the time "
                "steps does not fit: let it return one number per time step, for example mean(..., axis=-1). Where a layer "
                "of yours does away with the time axis, let its out_mask return None.")
        real = metrics.spread_weight(mask, values)
        values, count = jnp.where(real > 0, values, 0.0), jnp.maximum(jnp.sum(real), losses.EPSILON)
    if weight is not None:
        values = values * metrics.spread_weight(weight, values)
    return jnp.sum(values) / count


def _gather(data: Batch, row: Array) -> Batch:
    return jax.tree.map(lambda column: _take(column, row), data)


def _take(column: Array, rows: Array) -> Array:
    """column[rows]; the rows were counted on the host, so no bounds are checked."""
    return column.at[rows].get(mode="promise_in_bounds")


@functools.cache
def _compiler_options() -> dict[str, Any] | None:
    """CPU_OPTIONS on the CPU, elsewhere None. A jaxlib that does not know the options raises, so it is asked once."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda x: x, compiler_options=CPU_OPTIONS).lower(Spec((), jnp.float32)).compile()
    except jax.errors.JaxRuntimeError:
        return None
    return CPU_OPTIONS
