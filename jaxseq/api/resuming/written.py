"""A fit at rest as a manifest and arrays, and back: what is in a checkpoint."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import weights
from jaxseq.api.environment import environment
from jaxseq.api.files.refusal import Source
from jaxseq.api.resuming import plain
from jaxseq.api.underway import Kept, Rest, Underway
from jaxseq.core.types import TrainState

Told, Arrays = dict[str, Any], dict[str, np.ndarray]

DAMAGE = KeyError, ValueError, TypeError, IndexError


def manifest(fit: Underway, rest: Rest) -> Told:
    """What is told of a fit beside its arrays."""
    logs_arrays: plain.Arrays = []
    model = fit.model
    return {
        "place": {"first_step": rest.first_step, "epoch": rest.epoch, "done": rest.done, "stopped": rest.stopped},
        "data": fit.plan.train.told(),
        "steps_per_epoch": fit.plan.steps,
        "seed": model.seed if isinstance(model.seed, int) else None,
        "frozen": sorted(model.frozen_paths),
        "logs": plain.packed(rest.logs, logs_arrays),
        "callbacks": [{"class": each.kind, "values": each.values} for each in rest.callbacks],
        "environment": environment(),
    }


def arrays(rest: Rest) -> Arrays:
    """The numbers of a fit, by name. Waits for the device."""
    logs: plain.Arrays = []
    plain.packed(rest.logs, logs)
    named = {f"state{path}": np.asarray(leaf) for path, leaf in weights.leaves(_without_key(rest.state))}
    named["key"] = np.asarray(jax.random.key_data(rest.state.key))
    named |= {f"sums/{place}": np.asarray(leaf) for place, leaf in enumerate(jax.tree.leaves(rest.sums))}
    named |= {f"logs/{place}": array for place, array in enumerate(logs)}
    for number, each in enumerate(rest.callbacks):
        named |= {f"callbacks/{number}/{place}": array for place, array in enumerate(each.arrays)}
    return named


def read(source: Source, fit: Underway, told: Told, named: Arrays) -> Rest:
    """The Rest that was written, for the model of this fit. FileRejected where they do not belong together."""
    with source.readable("it does not hold what a checkpoint holds", *DAMAGE):
        _check_callbacks(source, fit, told)
        _freeze(fit.model, frozenset(told["frozen"]))
        place = told["place"]
        kept = tuple(Kept(each["class"], each["values"], _numbered(named, f"callbacks/{number}"))
                     for number, each in enumerate(told["callbacks"]))
        zero = fit.model.programs.zero
        sums = [named[f"sums/{number}"] for number in range(len(jax.tree.leaves(zero)))]
        return Rest(place["first_step"], place["epoch"], place["done"], place["stopped"],
                    jax.tree.unflatten(jax.tree.structure(zero), jax.device_put(sums)),
                    plain.unpacked(told["logs"], _numbered(named, "logs")), _state(source, fit.model, named), kept)


def _state(source: Source, model: Any, named: Arrays) -> TrainState:
    """The TrainState, every entry of which has to be there in the model's own shape and dtype."""
    ts = model.settled_state()
    rest = _without_key(ts)
    want = {f"state{path}": leaf for path, leaf in weights.leaves(rest)}
    have = {path for path in named if path.startswith("state")}
    for path in sorted(want.keys() | have):
        source.require(path in want, f"is not in this model. {_CURE}", path)
        source.require(path in have, f"is missing: it is in this model. {_CURE}", path)
        leaf, array = want[path], named[path]
        source.require(array.shape == leaf.shape and array.dtype == leaf.dtype, f"is {array.shape} {array.dtype}, this model's "
                       f"{leaf.shape} {leaf.dtype}. {_CURE}", path)
    filled = jax.tree_util.tree_map_with_path(lambda path, _: jnp.array(named[f"state{jax.tree_util.keystr(path)}"]), rest)
    return TrainState(**filled, key=jax.random.wrap_key_data(jnp.array(named["key"]), impl="threefry2x32"))


_CURE = "Build and compile the model that the checkpoint was made with, or name another folder."


def _check_callbacks(source: Source, fit: Underway, told: Told) -> None:
    had, have = [each["class"] for each in told["callbacks"]], [type(each).__name__ for each in fit.callbacks]
    source.require(had == have, f"was made with the callbacks {', '.join(had)}; here are {', '.join(have)}. Pass the same ones "
                   "in the same order, and the same verbose, or name another folder.")


def _freeze(model: Any, frozen: frozenset[str]) -> None:
    """Freezes and frees layers until `frozen` are the paths of those that are frozen."""
    if model.frozen_paths != frozen:
        for name, layer in model.named_layers:
            layer.trainable = name not in frozen
            if hasattr(layer, "named_layers") and layer.trainable:
                _freeze(layer, frozenset(path.removeprefix(f"{name}/") for path in frozen if path.startswith(f"{name}/")))


def _without_key(ts: TrainState) -> dict[str, Any]:
    return {name: value for name, value in ts._asdict().items() if name != "key"}


def _numbered(named: Arrays, above: str) -> plain.Arrays:
    """The arrays behind above/0, above/1, ..."""
    found: plain.Arrays = []
    while f"{above}/{len(found)}" in named:
        found.append(named[f"{above}/{len(found)}"])
    return found
