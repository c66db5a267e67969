"""A fit at rest as a manifest and arrays, and back: what is in a checkpoint."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.api import hosts, weights
from jaxseq.api.callbacks import Callback
from jaxseq.api.dealing import put_like
from jaxseq.api.environment import environment
from jaxseq.api.files.refusal import FileRejected, Source
from jaxseq.api.history import History, is_history
from jaxseq.api.resuming import plain, sharded
from jaxseq.api.underway import Kept, Rest, Underway
from jaxseq.core.types import TrainState

Told, Arrays = dict[str, Any], dict[str, np.ndarray]
Lying = dict[str, np.ndarray | sharded.Apart]

NOT_KEPT = "model", "params", "validation_data"         # what a callback is told by its run
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


def cut(rest: Rest) -> dict[str, jax.Array]:
    """The arrays of a fit of which this process has a part, by name."""
    return {name: leaf for name, leaf in _named(rest.state).items() if not hosts.is_whole(leaf)}


def arrays(rest: Rest) -> Arrays:
    """The numbers of a fit that are not cut, by name. Waits for the device."""
    logs: plain.Arrays = []
    plain.packed(rest.logs, logs)
    named = {name: np.asarray(leaf) for name, leaf in _named(rest.state).items() if hosts.is_whole(leaf)}
    named["key"] = np.asarray(jax.random.key_data(hosts.here(rest.state.key)))
    named |= {f"sums/{place}": np.asarray(leaf) for place, leaf in enumerate(jax.tree.leaves(rest.sums))}
    named |= {f"logs/{place}": array for place, array in enumerate(logs)}
    for number, each in enumerate(rest.callbacks):
        named |= {f"callbacks/{number}/{place}": array for place, array in enumerate(each.arrays)}
    return named


def checked(source: Source, told: Told, named: Arrays) -> tuple[Told, Arrays]:
    """What `folder.read` gave, where it is what `manifest` and `arrays` give. FileRejected where it is something else."""
    with source.readable(_NONE, *DAMAGE):
        for name, kinds in _FORM.items():
            _demand(isinstance(told[name], kinds), name)
        for name in "first_step", "epoch", "done":
            _demand(_is_count(told["place"][name]), name)
        _demand(isinstance(told["place"]["stopped"], bool), "stopped")
        _demand(told["seed"] is None or _is_count(told["seed"]), "seed")
        _demand(all(isinstance(each, str) for each in told["frozen"]), "frozen")
        _demand(named["key"].shape == (2,) and named["key"].dtype == np.uint32, "key")
        for each in told["callbacks"]:
            _demand(isinstance(each["class"], str) and isinstance(each["values"], dict), "callbacks")
    return told, named


_NONE = "it does not hold what a checkpoint holds"
_FORM = {"place": dict, "data": dict, "steps_per_epoch": int | None, "seed": int | None, "frozen": list, "logs": dict,
         "callbacks": list, "environment": dict}


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _demand(ok: bool, what: str) -> None:
    if not ok:
        raise ValueError(what)


def read(source: Source, fit: Underway, told: Told, named: Lying) -> Rest:
    """The Rest that was written, for the model of this fit: arrays, and what lies apart by where it does. FileRejected where
    they do not belong together; the model is then as it was."""
    frozen = fit.model.frozen_paths
    try:
        with source.readable(_NONE, *DAMAGE):
            _check_callbacks(source, fit, told)
            _freeze(fit.model, frozenset(told["frozen"]))
            return _read(source, fit, told, named)
    except FileRejected:
        _freeze(fit.model, frozen)
        raise


def _read(source: Source, fit: Underway, told: Told, named: Lying) -> Rest:
    _demand(fit.model.frozen_paths == set(told["frozen"]), "frozen")
    place = told["place"]
    _demand(fit.plan.steps is None or place["done"] <= fit.plan.steps, "done")
    kept = tuple(Kept(each["class"], each["values"], _numbered(named, f"callbacks/{number}"))
                 for number, each in enumerate(told["callbacks"]))
    for callback, each in zip(fit.callbacks, kept, strict=True):
        _check_values(callback, each)
    zero = fit.model.programs.zero
    leaves, kept_sums = jax.tree.leaves(zero), _numbered(named, "sums")
    for leaf, each in zip(leaves, kept_sums, strict=True):
        _demand(each.shape == leaf.shape and each.dtype == leaf.dtype, "sums")
    logs = plain.unpacked(told["logs"], _numbered(named, "logs"))
    _demand(isinstance(logs, dict) and all(isinstance(name, str) for name in logs), "logs")
    sums = jax.tree.unflatten(jax.tree.structure(zero), map(put_like, leaves, kept_sums))
    state = _state(source, fit.model, named)
    return Rest(place["first_step"], place["epoch"], place["done"], place["stopped"], sums, logs, state, kept)


def _check_values(callback: Any, kept: Kept) -> None:
    """Whether the values can be unpacked; and where they become attributes, that none takes the place of a method, and in a
    callback of this library none that of something else."""
    values = plain.unpacked({"dict": [*kept.values.items()]}, kept.arrays)
    if type(callback).load_state_dict is not Callback.load_state_dict:
        return
    for name, value in values.items():
        method = name.startswith("__") or callable(getattr(type(callback), name, None))
        _demand(not method and name not in NOT_KEPT, name)
        now = vars(callback).get(name)
        ours = type(callback).__module__.startswith("jaxseq.")
        _demand(not ours or now is None or value is None or _form(now) == _form(value), name)
    if isinstance(callback, History):
        _demand(is_history({**vars(callback), **values}), "History")


def _form(value: Any) -> str:
    """Of what kind a value is, as far as it makes a difference to what is done with it."""
    kinds = {"number": bool | int | float | np.generic, "text": str, "dict": dict}
    found = next((name for name, kind in kinds.items() if isinstance(value, kind)), "list")
    return "number" if found == "list" and np.ndim(value) == 0 and hasattr(value, "dtype") else found


def _state(source: Source, model: Any, named: Lying) -> TrainState:
    """The TrainState, every entry of which has to be there in the model's own shape and dtype."""
    ts = model.settled_state()
    rest = _without_key(ts)
    want = _named(ts)
    have = {path for path in named if path.startswith("state")}
    for path in sorted(want.keys() | have):
        source.require(path in want, f"is not in this model. {_CURE}", path)
        source.require(path in have, f"is missing: it is in this model. {_CURE}", path)
        leaf, array = want[path], named[path]
        source.require(array.shape == leaf.shape and array.dtype == leaf.dtype, f"is {array.shape} {array.dtype}, this model's "
                       f"{leaf.shape} {leaf.dtype}. {_CURE}", path)
    apart = {name: each for name, each in named.items() if isinstance(each, sharded.Apart)}
    _demand("state['step']" not in apart and named["state['step']"] >= 0, "step")
    held = {path: jnp.array(named[path]) for path in want.keys() - apart.keys()} | sharded.read(source, apart, want)
    filled = jax.tree_util.tree_map_with_path(lambda path, _: held[f"state{jax.tree_util.keystr(path)}"], rest)
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


def _named(ts: TrainState) -> dict[str, jax.Array]:
    """The arrays of a TrainState but its key, by name."""
    return {f"state{path}": leaf for path, leaf in weights.leaves(_without_key(ts))}


def _without_key(ts: TrainState) -> dict[str, Any]:
    return {name: value for name, value in ts._asdict().items() if name != "key"}


def _numbered(named: Lying, above: str) -> plain.Arrays:
    """The arrays behind above/0, above/1, ..."""
    found: plain.Arrays = []
    while f"{above}/{len(found)}" in named:
        found.append(named[f"{above}/{len(found)}"])
    return found
