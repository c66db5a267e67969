"""Small tasks, and their programs taken by the hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from started import train_state

from jaxseq.core import chain, losses, metrics, optimizers, run
from jaxseq.core.rng import Purpose, fold_in, root_key
from jaxseq.core.types import Batch, Spec, TrainState


class Trial(run.Task):
    """A Task that keeps its programs, so that a test compiles each only once."""

    train = functools.cached_property(run.make_train)
    evaluate = functools.cached_property(run.make_evaluate)


def task_of(*layers, loss="mse", measured=(), optimizer=None, frozen=()):
    """The Task over layers named "dense", "dense_1", ... in the shell's way, with plain gradient descent."""
    named, taken = [], {}
    for layer in layers:
        word = type(layer).__name__.lower()
        taken[word] = taken.get(word, -1) + 1
        named.append((f"{word}_{taken[word]}" if taken[word] else word, layer))
    loss = losses.get(loss)
    transform = optimizers.SGD(0.1).transform() if optimizer is None else optimizer
    return Trial(tuple(named), "float32", loss, tuple(metrics.get(each, loss) for each in measured), transform,
                 frozenset(frozen))


def begun(task, batch, seed=0):
    """The TrainState before the first step on such a batch."""
    key = root_key(seed)
    spec = Spec((1, *batch.x.shape[1:]), jnp.float32)
    return train_state(task, *chain.init(task.layers, fold_in(key, Purpose.INIT), spec), key)


def rows_of(steps, size):
    """Rows 0, 1, 2, ... as (steps, size)."""
    return jnp.arange(steps * size, dtype=jnp.int32).reshape(steps, size)


def trained(task, batch, steps, ts=None):
    """(TrainState, numbers reported) after some steps in order over the batch's rows."""
    ts = begun(task, batch) if ts is None else ts
    ts, sums = task.train(ts, run.zero_sums(task), batch, rows_of(steps, len(batch.x) // steps), 0, steps)
    return ts, run.finish(task, sums)


def evaluated(task, batch, ts=None):
    """The numbers reported for the whole batch at once."""
    ts = begun(task, batch) if ts is None else ts
    _, sums = task.evaluate(ts.params, ts.state, run.zero_sums(task), batch, rows_of(1, len(batch.x)), 0, 1)
    return run.finish(task, sums)


def leaves(tree):
    """{path: NumPy array} of a TrainState or a part of one."""
    tree = tree._replace(key=jax.random.key_data(tree.key)) if isinstance(tree, TrainState) else tree
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_bitwise(one, other):
    one, other = leaves(one), leaves(other)
    assert one.keys() == other.keys()
    for path, leaf in one.items():
        assert leaf.dtype == other[path].dtype and leaf.tobytes() == other[path].tobytes(), path


def regression(draw, rows, features=4, targets=3, weight=None):
    x = draw.normal(size=(rows, features)).astype(np.float32)
    y = np.tanh(x @ draw.normal(size=(features, targets)).astype(np.float32))
    return Batch(jnp.asarray(x), jnp.asarray(y), None if weight is None else jnp.asarray(weight, jnp.float32))
