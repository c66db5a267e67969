"""The compiled programs. The only file that calls jax.jit, weights a loss, or divides by a count.

`make_train(task)` gives one program for every number of steps: TrainState in, TrainState out. The rows of each batch
come as indices into data that already lie on the device, and `start` and `stop` are traced, so how many steps one call
makes never changes a number and never compiles anew.
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable, Container
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxseq.core import chain, layout as layouts, loss_scale, losses, metrics, remat, rng
from jaxseq.core.kernels import order
from jaxseq.core.last_activation import parted
from jaxseq.core.policy import cast
from jaxseq.core.precision import wide_dtype
from jaxseq.core.require import require
from jaxseq.core.types import Array, Batch, Key, Params, Spec, TrainState

Sums = dict[str, metrics.Sums]      # totals that may be added: of the loss, and of every metric by name

CPU_OPTIONS = {
    "xla_cpu_experimental_ynn_fusion_type": "",     # YNNPACK: slow at some products, wrong at others (jax#39103)
    "xla_cpu_prefer_vector_width": 512,             # where the processor has such vectors; XLA's own choice is 256
}
GPU_OPTIONS = {
    "xla_gpu_deterministic_ops": True,              # sums in a fixed order, and kernels that are not chosen by the clock
}
ONE_GPU = {             # what a CUDA graph may hold: XLA's own list, and loops and branches
    "xla_gpu_enable_command_buffer": "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL",
}
ONE_CORE = {            # without threads for products XLA has another form of small ones, which rounds otherwise
    "xla_cpu_enable_concurrency_optimized_scheduler": False,        # operations are not handed from one thread to another
}
LARGE = 2**14       # entries of an array that is dearer to copy than to wait for


class Task(NamedTuple):
    """What is trained, and towards what.

    layers: ((name, layer), ...). input_dtype: what x becomes on its way in.
    loss: (y, y_hat) -> one number per example. metrics: what is measured beside it.
    optimizer: the Optax transformation. frozen: the paths of what is not trained, as `chain.frozen` gives them.
    loss_weight: what the loss is multiplied by, penalties not. remat: the stretches of layers that run a second time for the
        gradient. layout: how the arrays lie on several devices; None: on one.
    """

    layers: chain.Layers
    input_dtype: str
    loss: losses.LossFn
    metrics: tuple[metrics.Monoid, ...]
    optimizer: optax.GradientTransformation
    frozen: frozenset[str] = frozenset()
    loss_weight: float = 1.0
    remat: remat.Stretches = ()
    layout: layouts.Layout | None = None


def init_optimizer(optimizer: optax.GradientTransformation, trained: Any, layout: layouts.Layout | None = None) -> Any:
    """The optimizer's state before the first step, made in one compiled program, where the layout has it."""
    return compiled(beginning(optimizer, layout))(trained)


def beginning(optimizer: optax.GradientTransformation, layout: layouts.Layout | None) -> Callable[[Any], Any]:
    """begin(trained) -> the optimizer's state before the first step."""
    def begin(trained):         # a name of its own in traces and profiles
        return layouts.begun(layout, trained, optimizer.init(trained))

    return begin


def draw(layers: chain.Layers, key: Key, x: Spec, names: Container[str],
         layout: layouts.Layout | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first (params, state) of the layers in `names`, for an input like `x` of the first of all layers.

    All are drawn in one compiled program, where the layout has them. Names keep the layers' order.
    """
    return drawer(layers, x, names, layout)(key)


def drawer(layers: chain.Layers, x: Spec, names: Container[str],
           layout: layouts.Layout | None = None) -> Callable[[Key], tuple[dict[str, Any], dict[str, Any]]]:
    """(key) -> what `draw` gives: one compiled program for any number of keys."""
    program = compiled(drawing(layers, x, names, layout))
    return lambda key: tuple(map(_plain, program(key)))


def specs(layers: chain.Layers, key: Key, x: Spec, names: Container[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specs of what `draw` gives, in the same order. Nothing is drawn."""
    params, state = jax.eval_shape(drawing(layers, x, names), key)
    return _plain(params), _plain(state)


def drawing(layers: chain.Layers, x: Spec, names: Container[str], layout: layouts.Layout | None = None) -> Callable[[Key], Any]:
    """init(key) -> what `draw` gives, as OrderedDicts."""
    def init(key):
        entries = chain.init(layers, rng.fold_in(key, rng.Purpose.INIT), x)
        params, state = (_in_order({name: each for name, each in part.items() if name in names}) for part in entries)
        return layouts.begun(layout, params, (params, state))

    return init


def _in_order(tree: Any) -> Any:
    """Dicts as OrderedDicts: those keep their order through a compiled program, plain ones come back sorted."""
    return OrderedDict((name, _in_order(each)) for name, each in tree.items()) if isinstance(tree, dict) else tree


def _plain(tree: Any) -> Any:
    return {name: _plain(each) for name, each in tree.items()} if isinstance(tree, dict) else tree


def split(task: Task, params: dict[str, Params]) -> tuple[dict[str, Params], dict[str, Params]]:
    """(the params that are trained, those that are frozen)."""
    return chain.parted(params, task.frozen)


def zero_sums(task: Task, y_hat: Spec | None = None) -> Sums:
    """The totals before the first example, in float32, or float64 where predictions are so.

    y_hat: like the predictions, for metrics whose totals have their shape.
    """
    measured = np.dtype(np.float32) if y_hat is None else wide_dtype(y_hat.dtype)

    def typed(zero):
        dtype = jnp.result_type(zero)                               # a Python 0.0 has no dtype of its own
        return jax.device_put(np.asarray(zero, measured if dtype.kind == "f" else dtype))

    zeros = {metric.name: metrics.zeros(metric, y_hat, y_hat) if y_hat else metric.zero for metric in task.metrics}
    return jax.tree.map(typed, {"loss": (np.float32(0), np.float32(0)), **zeros})


def finish(task: Task, sums: Sums) -> dict[str, Any]:
    """What the totals come to: the loss, then every metric, as floats; an array where a metric gives several. 0 / 0 is NaN."""
    host = jax.device_get(sums)
    total, rows = host["loss"]
    with np.errstate(divide="ignore", invalid="ignore"):
        finished = {"loss": total / rows, **{metric.name: metric.finish(*host[metric.name]) for metric in task.metrics}}
    return {name: float(value) if np.ndim(value) == 0 else value for name, value in finished.items()}


def make_train(task: Task) -> Callable[..., tuple[TrainState, Sums]]:
    """The compiled program of `training`."""
    return compiled(training(task))


def training(task: Task) -> Callable[..., tuple[TrainState, Sums]]:
    """train(ts, sums, data, rows, start, stop) -> (ts, sums) after the steps rows[start:stop].

    data, rows: see `taken`; where `may_pad(task, train=True)`, a row number -1 stands for no row. Both totals and state are
    those of the single steps in order, whatever the calls they are made in.
    """
    padded, through = may_pad(task, train=True), remat.through(task.remat)

    def step(ts: TrainState, batch: Batch, real: Array | None, steps_key: Key) -> tuple[TrainState, Sums]:
        trained, frozen = split(task, ts.params)
        key = rng.fold_in(steps_key, ts.step)

        def of_trained(trained):
            params = layouts.used(task.layout, chain.merged(frozen, trained))
            loss, rest = objective(task, params, ts.state, batch, real, train=True, key=key, through=through)
            return loss_scale.enlarged(loss, ts.opt_state), rest

        grads, (state, sums) = jax.grad(of_trained, has_aux=True)(trained)
        trained = _waiting(task, trained, grads)
        updates, opt_state = task.optimizer.update(grads, ts.opt_state, trained)
        moved: Any = optax.apply_updates(trained, updates)
        moved = loss_scale.kept(ts.opt_state, opt_state, trained, chain.constrain(task.layers, moved))
        return TrainState(chain.merged(frozen, moved), state, opt_state, ts.step + 1, ts.key), sums

    def train(ts, sums, data, rows, start, stop):
        steps_key = rng.fold_in(ts.key, rng.Purpose.STEP)

        def body(i, carry):
            ts, sums = carry
            ts, new = step(ts, *taken(task, data, rows, i, padded), steps_key)
            return layouts.settled(task.layout, ts), _merged(task, sums, new)

        return lax.fori_loop(start, stop, body, (ts, sums))

    return train


def _waiting(task: Task, trained: dict[str, Params], grads: dict[str, Params]) -> dict[str, Params]:
    """`trained`, large arrays once the gradient of the layer before is there. Then nothing reads them any more, and XLA moves
    them where they lie, instead of a copy of them. Of several devices none waits for what another has."""
    if task.layout is not None:
        return trained
    found = {name: [leaf for leaf in jax.tree.leaves(grads.get(name)) if leaf.size] for name, _ in task.layers}
    first = {name: leaves[0] for name, leaves in found.items() if leaves}
    wait = lambda there: lambda leaf: order.after(leaf, there) if leaf.size >= LARGE else leaf
    return {**trained, **{name: jax.tree.map(wait(first[before]), trained[name]) for before, name in pairwise(first)}}


def may_pad(task: Task, *, train: bool) -> bool:
    """Whether a batch may be filled up with rows that do not count: nothing in the task looks at several rows."""
    known = losses.by_row(task.loss) and all(metric.by_row for metric in task.metrics)
    return known and not chain.penalised(task.layers) and chain.by_row(task.layers, train=train)


def make_evaluate(task: Task) -> Callable[..., tuple[dict[str, Any], Sums]]:
    """The compiled program of `evaluation`."""
    return compiled(evaluation(task))


def evaluation(task: Task) -> Callable[..., tuple[dict[str, Any], Sums]]:
    """evaluate(params, state, sums, data, rows, start, stop) -> (state, sums) after the batches rows[start:stop].

    The state changes only where a stateful layer carries it on. Where `may_pad(task, train=False)`, a row number -1 stands for
    no row.
    """
    padded = may_pad(task, train=False)

    def evaluate(params, state, sums, data, rows, start, stop):
        def body(i, carry):
            state, sums = carry
            batch, real = taken(task, data, rows, i, padded)
            _, (state, new) = objective(task, layouts.used(task.layout, params), state, batch, real, train=False, key=None)
            return layouts.whole(task.layout, state), _merged(task, sums, new)

        return lax.fori_loop(start, stop, body, (state, sums))

    return evaluate


def make_predict(layers: chain.Layers, input_dtype: str,
                 layout: layouts.Layout | None = None) -> Callable[..., tuple[Array, dict[str, Any]]]:
    """The compiled program of `prediction`."""
    return compiled(prediction(layers, input_dtype, layout))


def prediction(layers: chain.Layers, input_dtype: str,
               layout: layouts.Layout | None = None) -> Callable[..., tuple[Array, dict[str, Any]]]:
    """predict(params, state, x) -> (y_hat, state), both whole on every device."""
    def predict(params, state, x):
        out = chain.apply(layers, layouts.used(layout, params), state, layouts.cut(layout, x.astype(input_dtype)))
        return layouts.whole(layout, (out.y, chain.take_penalties(out.state)[1]))

    return predict


def check(task: Task, ts: TrainState, batch: Batch, *, train: bool) -> None:
    """Raises what tracing a step over such a batch would raise. Nothing is computed and nothing is compiled."""
    key = ts.key if train else None
    jax.eval_shape(lambda ts, batch: objective(task, ts.params, ts.state, batch, train=train, key=key), ts, batch)


def prepare(program: Any, *arguments: Any) -> None:
    """Compiles a program for arguments like these (arrays or Specs); a later call finds it compiled."""
    program.lower(*arguments).compile()


def compiled(function: Callable[..., Any]) -> Any:
    """jax.jit with the options that every program of ours wants on this backend."""
    return jax.jit(function, compiler_options=compiler_options())


def compiled_for_one_core(function: Callable[..., Any]) -> Any:
    """The same, for a program beside which others keep the other cores of a CPU busy: it asks for them for large products
    alone. Its bits are those of `compiled`."""
    return jax.jit(function, compiler_options=compiler_options(*ONE_CORE.items()))


def objective(task: Task, params: Any, state: Any, batch: Batch, real: Array | None = None, *, train: bool,
              key: Key | None, through: Callable[..., chain.Output] = chain.apply) -> tuple[Array, Any]:
    """(the loss to differentiate, (new state, totals)) of one batch. real: (batch,) bool, which rows count; None: all.

    through: what runs the layers.
    """
    layers, activation, loss = _before_last_activation(task)
    out = through(layers, params, state, batch.x.astype(task.input_dtype), train=train, key=key)
    activity, state = chain.take_penalties(out.state)
    assert batch.y is not None
    wide = wide_dtype(out.y.dtype)                              # a loss is float32 at least, whatever the layers compute in
    y = batch.y.astype(wide)
    trained, _ = split(task, params)                            # frozen weights are not penalised, as in Keras 3
    mask = _both(out.mask, real)
    total = task.loss_weight * _reduced(loss, y, cast(out.y, wide), batch.weight, mask)
    total = total + chain.penalty(layers, trained).astype(total.dtype) + activity.astype(total.dtype)
    y_hat = cast(activation(out.y), wide)
    weights = [None if mask is None else mask.astype(wide), _product(mask, batch.weight, wide)]
    rows = jnp.asarray(out.y.shape[0], total.dtype) if real is None else jnp.sum(real, dtype=total.dtype)
    sums = {metric.name: metric.sums(y, y_hat, weights[metric.weighted]) for metric in task.metrics}
    return total, (state, {"loss": (total * rows, rows), **sums})


def _merged(task: Task, sums: Sums, new: Sums) -> Sums:
    """The totals after one more batch."""
    merged = {"loss": metrics.added(sums["loss"], new["loss"]),
              **{each.name: each.merge(sums[each.name], new[each.name]) for each in task.metrics}}
    return layouts.whole(task.layout, jax.tree.map(lambda before, after: after.astype(before.dtype), sums, merged))


def _before_last_activation(task: Task) -> tuple[chain.Layers, Callable[[Array], Array], losses.LossFn]:
    """(layers, activation, loss): softmax or sigmoid in front of its crossentropy is left to the loss, which is exact."""
    (name, last) = task.layers[-1]
    parts = parted(last)
    if parts is not None:
        linear, activation = parts
        loss = losses.of_logits(task.loss, activation)
        if loss is not None:
            return (*task.layers[:-1], (name, linear)), activation, loss
    return task.layers, lambda y: y, task.loss


def _both(mask: Array | None, real: Array | None) -> Array | None:
    """The mask of the time steps where the row counts, too; one of them where there is no other."""
    if mask is None or real is None:
        return real if mask is None else mask
    return mask & real.reshape(-1, *(1,) * (mask.ndim - 1))


def _product(mask: Array | None, weight: Array | None, dtype: Any) -> Array | None:
    """mask * weight, each (batch,) or (batch, time), in `dtype`; None where there is neither."""
    if mask is None or weight is None:
        share = weight if mask is None else mask
        return None if share is None else share.astype(dtype)
    axes = max(mask.ndim, weight.ndim)
    mask, weight = (each.reshape(each.shape + (1,) * (axes - each.ndim)) for each in (mask, weight))
    return mask.astype(dtype) * weight.astype(dtype)


def _reduced(loss: losses.LossFn, y: Array, y_hat: Array, weight: Array | None, mask: Array | None) -> Array:
    """sum(values * weight * mask) / (number of values that the mask leaves), as Keras 3 reduces a loss.

    A loss may say another `reduction`: "sum" divides by nothing, "mean_with_sample_weight" by the weights. It may also leave
    values out itself, by its `counted`. One number for the whole batch is taken as it is; a mask cannot reach into it.
    """
    values = metrics.measured("The loss", loss(y, y_hat), y_hat)
    if values.ndim == 0:
        require(weight is None, "The loss gives one number for the whole batch, so sample_weight and class_weight cannot "
                "weigh its rows. Let it return one number per row: mean(..., axis=-1).")
        return values
    real = _counted(loss, y, y_hat, values, mask)
    share = None if weight is None else metrics.spread_weight(weight, values)
    if real is not None:
        values = jnp.where(real > 0, values, 0.0)
    if share is not None:
        values = values * share
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction == "sum":
        return jnp.sum(values)
    weighed = (real, share) if reduction == "mean_with_sample_weight" else (real,)
    return jnp.sum(values) / _count(values, [each for each in weighed if each is not None])


def _count(values: Array, shares: list[Array]) -> Array:
    """How many values there are, each counted as the product of its shares."""
    if not shares:
        return jnp.asarray(values.size, values.dtype)
    return jnp.maximum(jnp.sum(math.prod(shares)), losses.EPSILON)


def _counted(loss: losses.LossFn, y: Array, y_hat: Array, values: Array, mask: Array | None) -> Array | None:
    """1 for those of the loss's values that count, 0 for the others: in the values' dtype and shape; None where all do."""
    own = loss.counted(y, y_hat) if isinstance(loss, losses.Loss) else None
    if mask is None and own is None:
        return None
    if mask is not None:
        require(metrics.fits(mask, values), f"The loss gave shape {values.shape}, which the mask {mask.shape} of the time "
                "steps does not fit: let it return one number per time step, for example mean(..., axis=-1). Where a layer "
                "of yours does away with the time axis, let its out_mask return None.")
    real = metrics.spread_weight(mask, values)
    return real if own is None else jnp.where(own, real, 0.0)


def taken(task: Task, data: Batch, rows: Array, i: Any, padded: bool) -> tuple[Batch, Array | None]:
    """(the batch of step i, which of its rows count; None: all).

    rows: (steps, batch) int32, the rows of each step in `data`, whole columns. With a layout the data are (steps, batch or
    more, ...), so that each device has its rows of every step, and `rows` only tells which there are. Where `padded`, -1
    stands for no row.
    """
    if task.layout is None:
        return gather(data, rows[i], padded)
    return layouts.dealt(task.layout, jax.tree.map(lambda column: column[i], data), rows[i], padded)


def gather(data: Batch, rows: Array, padded: bool) -> tuple[Batch, Array | None]:
    """(the batch of those rows, which of them count; None: all). The host has counted them, so no bounds are checked."""
    wanted = jnp.maximum(rows, 0) if padded else rows
    batch = jax.tree.map(lambda column: column.at[wanted].get(mode="promise_in_bounds"), data)
    return batch, rows >= 0 if padded else None


@functools.cache
def compiler_options(*more: tuple[str, Any]) -> dict[str, Any] | None:
    """CPU_OPTIONS and more on the CPU; GPU_OPTIONS on a GPU, and ONE_GPU where it is alone; less what jaxlib does not know.
    None where nothing is left, and on other backends."""
    if jax.default_backend() == "cpu":
        options = CPU_OPTIONS | dict(more)
    elif jax.default_backend() == "gpu":
        options = GPU_OPTIONS | (ONE_GPU if jax.device_count() == 1 else {})
    else:
        return None
    if not _known(options):
        options = {name: value for name, value in options.items() if _known({name: value})}
    return options or None


def _known(options: dict[str, Any]) -> bool:
    """Whether jaxlib's compiler takes these options."""
    try:
        jax.jit(lambda x: x, compiler_options=options).lower(Spec((), jnp.float32)).compile()
    except jax.errors.JaxRuntimeError as error:
        if not str(error).startswith("INVALID_ARGUMENT"):
            raise
        return False
    return True
