"""`.weights.h5`, the weights of Keras 3, with the optimizer's state where there is one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, BinaryIO

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import weights
from jaxseq.api.files import hdf5, optimizer_state
from jaxseq.api.files.hdf5 import Group
from jaxseq.api.files.optimizer_state import BATCHES, SCALING
from jaxseq.api.files.places import places
from jaxseq.api.files.refusal import Source
from jaxseq.core.optimizers import LossScaleOptimizer
from jaxseq.core.precision import wide_dtype
from jaxseq.core.types import TrainState

OPTIMIZER = "optimizer/vars"
INNER = "optimizer/inner_optimizer/vars"     # where Keras has a part of the same numbers again
# What Keras has kept besides: the states of its generators, of metrics and of the loss.
UNREAD = "seed_generator", "_metrics", "metrics", "_loss_tracker", "loss_tracker", "_compile_metrics", "compile_metrics"


def write(file: BinaryIO, model: Any, *, optimizer: bool = True) -> None:
    """Writes the model's weights, and the optimizer's state; with a warning instead where Keras has no list of it."""
    ts = model.settled_state()
    groups = {"vars": Group({}, {"name": model.name}), "layers": Group({})}
    for place in places(model):
        arrays = {str(number): np.asarray(weights.at(ts, slot)) for number, slot in enumerate(place.slots)}
        groups[place.path] = Group(arrays, {"name": place.label})
    known_state = listed(model, ts) if optimizer else None
    if optimizer and known_state is None and jax.tree.leaves(ts.opt_state):
        warnings.warn(f"{optimizer_state.called(model.optimizer)} cannot be written to a file: the weights are saved without "
                      "its state. Compile with one of jaxseq.optimizers to save it, too.", stacklevel=5)
    if known_state is not None:
        known, leaves = known_state
        arrays = {str(number): np.asarray(each.read(leaves)) for number, each in enumerate(known)}
        groups[OPTIMIZER] = Group(arrays, {"name": type(model.optimizer).__name__.lower()})
        if isinstance(model.optimizer, LossScaleOptimizer):
            inner = {str(number): arrays[str(number + SCALING)] for number in range(len(known) - SCALING)}
            groups[INNER] = Group(inner, {"name": type(model.optimizer.inner_optimizer).__name__.lower()})
    hdf5.write(file, groups)


def read(source: Source, file: BinaryIO, model: Any, *, skip_mismatch: bool = False) -> TrainState:
    """The model's TrainState with the weights of the file, and its optimizer's state where the model is compiled for it.

    Every array of the file is compared with the model before one is read. skip_mismatch: what does not fit is left as it
    is, with a warning. Raises: FileRejected.
    """
    with hdf5.opened(source, file) as root:
        wanted = {f"{place.path}/{number}": slot for place in places(model) for number, slot in enumerate(place.slots)}
        found = hdf5.survey(source, root, parts(model))
        ts = model.settled_state()
        shapes = {path: tuple(weights.at(ts, slot).shape) for path, slot in wanted.items()}
        faults = check(source, found, shapes, strict=not skip_mismatch)
        if faults:
            warnings.warn(f"{source.path}: left as they are: " + "; ".join(faults), stacklevel=4)
        fitting = {path: slot for path, slot in wanted.items() if path in found and found[path].shape == shapes[path]}
        values = {slot: numbers(source, path, found[path], weights.at(ts, slot).dtype) for path, slot in fitting.items()}
        remembered = _remembered(source, found, model, ts)
    ts = with_values(ts, values)
    if remembered is None:
        return ts
    leaves, batches = remembered
    return ts._replace(opt_state=optimizer_state.closed(ts.opt_state, leaves), step=jnp.array(batches, ts.step.dtype))


def parts(model: Any) -> int:
    """The groups and arrays of a model's weights in a file."""
    return sum(1 + len(place.slots) for place in places(model))


def check(source: Source, found: dict[str, Any], shapes: dict[str, tuple[int, ...]], strict: bool = True) -> list[str]:
    """`compared`, with the arrays of the layers in a file of Keras 3."""
    layers = {path: node for path, node in found.items()
              if path.startswith("layers/") and not set(path.split("/")) & set(UNREAD)}
    return compared(source, layers, shapes, strict)


def compared(source: Source, found: dict[str, Any], shapes: dict[str, tuple[int, ...]], strict: bool = True) -> list[str]:
    """What of the arrays in a file and in the model does not agree; FileRejected for any of it if `strict`.

    shapes: {path: shape} of what the model has.
    """
    faults = [f"{path} is missing" for path in shapes if path not in found]
    faults += [f"{path} has shape {found[path].shape}, the model's {shapes[path]}" for path in shapes
               if path in found and found[path].shape != shapes[path]]
    faults += [f"{path} {found[path].shape} is not in the model" for path in sorted(found.keys() - shapes.keys())]
    told = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
    source.require(not faults or not strict, f"these weights are of another model: {told}. Build the model they were saved "
                   "from, or pass skip_mismatch=True to load what fits.")
    return faults


def numbers(source: Source, path: str, node: Any, dtype: Any) -> np.ndarray:
    """The numbers of an array of the file, which is as large as it was checked to be."""
    value = node.read()
    if hdf5.text(node, "dtype") == "bfloat16":
        source.require(value.dtype.kind in "uV" and value.dtype.itemsize == 2, f"{value.dtype} numbers that are called "
                       "bfloat16.", path)
        value = value.view(jnp.bfloat16)
    return typed(source, path, value, dtype)


def typed(source: Source, path: str, value: np.ndarray, dtype: Any) -> np.ndarray:
    """The numbers in the dtype that is wanted. FileRejected for numbers of another kind; a warning of NaN and infinity."""
    real = lambda each: bool(jnp.issubdtype(each, jnp.floating))
    source.require(real(value.dtype) == real(dtype) and (real(dtype) or value.dtype.kind == "i"), f"{value.dtype} numbers for "
                   f"weights of {jnp.dtype(dtype).name}.", path)
    if not np.isfinite(value.astype(np.float32)).all():
        warnings.warn(f"{source.path}: {path}: holds NaN or infinity.", stacklevel=6)
    return value.astype(dtype)


def with_values(ts: TrainState, values: dict[weights.Slot, np.ndarray]) -> TrainState:
    """The TrainState with other weights at some slots."""
    return weights.put(ts, list(values), list(values.values()))


def listed(model: Any, ts: TrainState) -> tuple[list[optimizer_state.Variable], optimizer_state.Leaves] | None:
    """(Keras's list of the optimizer's state, the state), or None without an optimizer of ours."""
    leaves = optimizer_state.opened(ts.opt_state)
    optimizer = model._compiled and model._compiled.optimizer
    known = optimizer_state.variables(optimizer, leaves, model.trained_slots()) if leaves else None
    return None if known is None else (known, {**leaves, BATCHES: np.asarray(ts.step)})


def _remembered(source: Source, found: dict[str, Any], model: Any,
                ts: TrainState) -> tuple[optimizer_state.Leaves, int] | None:
    """(the optimizer's state of the file, how many batches it has seen); None where there is none, or with a warning where
    it does not fit."""
    stored = {path.removeprefix(OPTIMIZER + "/"): node for path, node in found.items() if path.startswith(OPTIMIZER + "/")}
    known_state = listed(model, ts)
    if stored and known_state is None and jax.tree.leaves(ts.opt_state):
        warnings.warn(f"{source.path}: {optimizer_state.called(model.optimizer)} is not read from a file; the state that the "
                      "model's own has is left as it is.", stacklevel=5)
    if not stored or known_state is None:
        return None
    known, leaves = known_state
    if not _fit(known, stored):
        warnings.warn(f"{source.path}: the optimizer's state in the file is not one of {model.optimizer!r} for the weights "
                      "that are trained here; the model's own is left as it is.", stacklevel=5)
        return None
    for number, each in enumerate(known):
        value = numbers(source, f"{OPTIMIZER}/{number}", stored[str(number)], np.int32 if each.whole else digits(each, leaves))
        source.require(not each.whole or value >= 0, f"{value} updates.", f"{OPTIMIZER}/{number}")
        each.write(leaves, value)
    return leaves, int(known[0].read(leaves))


def digits(each: optimizer_state.Variable, leaves: optimizer_state.Leaves) -> Any:
    """The dtype in which the numbers of an optimizer's state are read: float64 where it has them so, else float32."""
    return wide_dtype(each.read(leaves).dtype)


def _fit(known: Sequence[optimizer_state.Variable], stored: dict[str, Any]) -> bool:
    """Whether the list of the file is Keras's list, by number and shapes."""
    same = len(known) == len(stored) and all(str(number) in stored for number in range(len(known)))
    return same and all(stored[str(number)].shape == each.shape for number, each in enumerate(known))
