"""An optimizer's state as Keras 3 lists it: the updates made, the learning rate, then arrays of the weights' shapes.

    0, 0.0, steps, scale                of a LossScaleOptimizer, and then what follows, of the optimizer within
    iteration, learning_rate            the latter unless it follows a schedule
    average, for each weight            with use_ema
    gradient sum, for each weight       with gradient_accumulation_steps
    momentum, velocity, momentum, ...   the optimizer's own, weight by weight; what has a list of its own comes after

Here the same numbers stand in the state of an Optax chain; they are found by the ends of their paths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api.weights import Slot
from jaxseq.core import optimizers as o
from jaxseq.core.optimizers import Optimizer

Leaves = dict[str, np.ndarray]              # {path in the optimizer's state: numbers}
Field = tuple[str, float]                   # the name of a tree in the state, and what Keras has it multiplied with

COUNTERS = ".step", ".count"                # of updates made
BATCHES = "batches"                         # the key of the batches seen, beside the state; steps left out are among them
SCALING = 4                                 # the numbers that a LossScaleOptimizer has more than the one within


class Variable(NamedTuple):
    """One array of Keras's list. read(leaves) -> it; write(leaves, array) puts it back. whole: it counts something."""

    shape: tuple[int, ...]
    read: Callable[[Leaves], Any]
    write: Callable[[Leaves, np.ndarray], None]
    whole: bool = False


def variables(optimizer: Any, leaves: Leaves, slots: Sequence[Slot]) -> list[Variable] | None:
    """Keras's list for the trained weights at `slots`; None for an optimizer that Keras has not."""
    if isinstance(optimizer, o.LossScaleOptimizer):
        inner = variables(optimizer.inner_optimizer, leaves, slots)
        return None if inner is None else [*_scaling(leaves), *inner]
    if not isinstance(optimizer, Optimizer) or type(optimizer) not in o.CLASSES.values():
        return None
    batches = optimizer.gradient_accumulation_steps or 1
    found = [_iteration(leaves, batches)]
    if not follows_schedule(optimizer):
        found.append(_plain(_ending(leaves, ".learning_rate"), leaves))
    if optimizer.use_ema:
        found += [_of(leaves, ("average", 1), slot) for slot in slots]
    if batches > 1:
        found += [_gradient_sum(leaves, slot) for slot in slots]
    return [*found, *_own(optimizer, leaves, slots)]


def in_keras_2_order(optimizer: Any, leaves: Leaves, slots: Sequence[Slot]) -> list[Variable] | None:
    """The same as Keras 2 and tf.keras list it: the updates made, then field after field; None for others."""
    if type(optimizer) not in (o.SGD, o.RMSprop, o.Adam, o.Adamax, o.Adagrad, o.Adadelta):
        return None
    fields = [field for listed in _fields(optimizer) for field in listed]
    return [_iteration(leaves, optimizer.gradient_accumulation_steps or 1),
            *(_of(leaves, field, slot) for field in fields for slot in slots)]


def called(optimizer: Any) -> str:
    """What an optimizer that has no such list is called in warnings."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return f"The optimizer {type(optimizer).__name__}" if isinstance(optimizer, Optimizer) else "An Optax transformation"


def follows_schedule(optimizer: Optimizer) -> bool:
    """Whether Keras sees a schedule: also for `decay`, which is one there."""
    return callable(optimizer.learning_rate) or optimizer.decay != 0


def opened(opt_state: Any) -> Leaves:
    """The state's numbers by their paths."""
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(opt_state)}


def closed(opt_state: Any, leaves: Leaves) -> Any:
    """A state like `opt_state` with the numbers of `leaves`."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.array(leaves[jax.tree_util.keystr(path)], leaf.dtype), opt_state)


def updates(leaves: Leaves) -> int:
    """How many batches the optimizer has seen, as its state counts them; 0 where it counts nothing."""
    counted = [int(leaves[path]) for path in leaves if path.endswith(".step")]
    return counted[0] if counted else 0


def _scaling(leaves: Leaves) -> Iterator[Variable]:
    """What a LossScaleOptimizer remembers besides. Keras does not use the first two numbers. The first is here that of all
    batches, which is more than the updates where some were left out."""
    seen = lambda leaves: np.int32(leaves[BATCHES])
    yield Variable((), seen, lambda leaves, value: leaves.update({BATCHES: np.int32(value)}), whole=True)
    yield Variable((), lambda leaves: np.float32(0), lambda leaves, value: None)
    yield _plain(_ending(leaves, ".growing"), leaves)._replace(whole=True)
    yield _plain(_ending(leaves, ".scale"), leaves)


def _own(optimizer: Optimizer, leaves: Leaves, slots: Sequence[Slot]) -> Iterator[Variable]:
    """What the optimizer itself remembers."""
    if isinstance(optimizer, o.Adafactor):
        yield from (each for slot in slots for each in _factors(leaves, slot))
    elif isinstance(optimizer, o.Muon):
        for slot in slots:
            matrix = any(path.endswith(f".trace{_weight(slot)}") for path in leaves)
            yield from (_of(leaves, (name, 1), slot) for name in (["trace"] if matrix else ["m", "v"]))
    else:
        for fields in _fields(optimizer):
            yield from (_of(leaves, field, slot) for slot in slots for field in fields)
    if isinstance(optimizer, o.Nadam):
        yield _plain(_ending(leaves, ".product"), leaves)


def _fields(optimizer: Optimizer) -> list[tuple[Field, ...]]:
    """Lists of trees; within one list Keras goes weight by weight."""
    match optimizer:
        case o.SGD():
            return [(("trace", 1),)] if optimizer.momentum else []
        case o.RMSprop():
            velocity = [(("trace", -1),)] if optimizer.momentum else []     # Keras subtracts it, Optax adds it
            return [(("v", 1),), *velocity, (("m", 1),)] if optimizer.centered else [(("nu", 1),), *velocity]
        case o.Adam():
            return [(("m", 1), ("v", 1)), *([(("v_max", 1),)] if optimizer.amsgrad else [])]
        case o.Adamax() | o.Nadam():
            return [(("m", 1), ("v", 1))]
        case o.Lion():
            return [(("mu", 1),)]
        case o.Lamb():
            return [(("mu", 1), ("nu", 1))]
        case o.Adagrad():
            return [(("sum_of_squares", 1),)]
        case o.Adadelta():
            return [(("e_g", 1), ("e_x", 1))]
        case o.Ftrl():
            return [(("n", 1), ("z", 1))]
        case o.ScheduleFreeAdamW():
            return [(("z", 1), ("v", 1))]
    raise TypeError(f"{type(optimizer).__name__} has no list of its state yet: add it to _fields.")


def _weight(slot: Slot) -> str:
    return "".join(f"[{name!r}]" for name in slot[1:])


def _ending(leaves: Leaves, end: str) -> str:
    """The one path with that end."""
    path, = (path for path in leaves if path.endswith(end))
    return path


def _plain(path: str, leaves: Leaves, factor: float = 1) -> Variable:
    """A leaf as it stands, but for a factor."""
    def write(leaves: Leaves, value: np.ndarray) -> None:
        leaves[path] = value * np.asarray(factor, value.dtype)

    return Variable(leaves[path].shape, lambda leaves: leaves[path] * np.asarray(factor, leaves[path].dtype), write)


def _of(leaves: Leaves, field: Field, slot: Slot) -> Variable:
    name, factor = field
    return _plain(_ending(leaves, f".{name}{_weight(slot)}"), leaves, factor)


def _iteration(leaves: Leaves, batches: int) -> Variable:
    """The number of batches that were not left out, from which every counter follows."""
    def read(leaves: Leaves) -> np.int32:
        since = leaves[_ending(leaves, ".mini_step")] if batches > 1 else 0
        return np.int32(updates(leaves) * batches + since)

    def write(leaves: Leaves, value: np.ndarray) -> None:
        seen = int(value)
        told = {".batches": seen, ".mini_step": seen % batches, ".gradient_step": seen // batches}
        told |= {end: seen // batches for end in COUNTERS}
        leaves[BATCHES] = np.int32(max(seen, leaves.get(BATCHES, 0)))
        for path in leaves:
            end = path[path.rfind("."):]
            if end in told:
                leaves[path] = np.int32(told[end])

    return Variable((), read, write, whole=True)


def _gradient_sum(leaves: Leaves, slot: Slot) -> Variable:
    """The sum of the gradients since the last update, of which Optax keeps the mean. It is written after the iteration."""
    path, count = _ending(leaves, f".acc_grads{_weight(slot)}"), _ending(leaves, ".mini_step")

    def write(leaves: Leaves, value: np.ndarray) -> None:
        leaves[path] = value / np.float32(max(1, int(leaves[count])))

    return Variable(leaves[path].shape, lambda leaves: leaves[path] * np.float32(leaves[count]), write)


def _factors(leaves: Leaves, slot: Slot) -> Iterator[Variable]:
    """Adafactor's rows, columns and squares. Keras keeps nothing in the first two for vectors, and the squares of matrices,
    which follow from them."""
    rows, columns = (_of(leaves, (name, 1), slot) for name in ("rows", "columns"))
    leave = lambda leaves, value: None
    if columns.shape == ():
        nothing = Variable((), lambda leaves: np.int32(0), leave, whole=True)
        yield from (nothing, nothing, rows)
        return

    def squares(leaves: Leaves) -> np.ndarray:
        r, c = rows.read(leaves), columns.read(leaves)
        mean = r.mean(-1, keepdims=True, dtype=r.dtype)
        return (np.divide(r, mean, out=np.zeros_like(r), where=mean != 0))[..., None] * c[..., None, :]

    yield from (rows, columns, Variable((*rows.shape, columns.shape[-1]), squares, leave))
