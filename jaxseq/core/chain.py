"""Layers in a row: init and apply over ((name, layer), ...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.layer import Layer
from jaxseq.core.nested import PENALTY
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Key, Params, Shape, Spec, State

Layers = Sequence[tuple[str, Layer]]


class Output(NamedTuple):
    """What a run through the layers gives: y, the new state, and the mask that goes with y."""

    y: Array
    state: dict[str, Any]
    mask: Array | None


def init(layers: Layers, key: Key, x: Spec) -> tuple[dict[str, Params], dict[str, State]]:
    """The first (params, state) for an input like `x`. Layers without weights or state have no entry."""
    params, state = {}, {}
    for name, layer in layers:
        params[name], state[name], x = init_layer(name, layer, key, x)
    return _filled(params), _filled(state)


def init_layer(name: str, layer: Layer, key: Key, x: Spec) -> tuple[Params, State, Spec]:
    """One layer's first params and state, and the spec of its output."""
    try:
        params, state = layer.first_weights(rng.fold_in(key, name), x)
        y, _ = jax.eval_shape(lambda p, s, v: layer.apply(p, s, v, Ctx()), params, state, x)
        if jax.eval_shape(layer.activity_penalty, y) is not None:
            state = {**state, PENALTY: jnp.zeros((), jnp.float32)}
    except Exception as error:
        error.add_note(_where(name, layer, x))
        raise
    return params, state, y


def apply(layers: Layers, params: dict[str, Any], state: dict[str, Any], x: Array, *, train: bool = False,
          key: Key | None = None, mask: Array | None = None) -> Output:
    """Runs the layers in order. `key` is the step's; each layer draws from it folded with its own name."""
    new_state = {}
    keys = [None] * len(layers) if key is None else rng.fold_in_each(key, [name for name, _ in layers])
    for (name, layer), own_key in zip(layers, keys, strict=True):
        ctx = Ctx(train, own_key, mask)
        try:
            mask = layer.out_mask(x, mask)
            with jax.named_scope(name):
                x, new_state[name] = layer.apply(params.get(name, {}), state.get(name, {}), x, ctx)
                share = layer.activity_penalty(x)
        except Exception as error:
            error.add_note(_where(name, layer, x))
            raise
        if share is not None:
            new_state[name] = {**new_state[name], PENALTY: share}
    return Output(x, _filled(new_state), mask)


def by_row(layers: Layers, *, train: bool) -> bool:
    """Whether every row of the output is a function of the same row of the input alone: see `Layer.by_row`."""
    return all(layer.by_row(train) for _, layer in layers)


def penalty(layers: Layers, params: dict[str, Any]) -> Array:
    """The sum of all weight regularizers."""
    shares = [layer.penalty(params[name]) for name, layer in layers if name in params]
    return sum(shares, jnp.zeros((), jnp.float32))


def take_penalties(state: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """(the sum of all activity penalties, the state with those entries at zero again)."""
    is_penalty = lambda path: getattr(path[-1], "key", None) == PENALTY
    entries = jax.tree_util.tree_leaves_with_path(state)
    total = sum((value for path, value in entries if is_penalty(path)), jnp.zeros((), jnp.float32))
    cleared = jax.tree_util.tree_map_with_path(lambda path, v: jnp.zeros_like(v) if is_penalty(path) else v, state)
    return total, cleared


def constrain(layers: Layers, params: dict[str, Any]) -> dict[str, Any]:
    """The weights after every layer's constraints. Layers that do not stand in `params` are passed over."""
    return {name: layer.constrain(params[name]) for name, layer in layers if name in params}


def reset(layers: Layers, state: dict[str, Any]) -> dict[str, Any]:
    """The state after every stateful layer has forgotten what it carried."""
    return {name: layer.reset(state[name]) for name, layer in layers if name in state}


def shapes(name: str, layer: Layer, shape: Shape, dtype: Any) -> tuple[Shape, Any]:
    """The (shape, dtype) of a layer's output for an input in which some lengths are unknown (None).

    Unknown lengths are tried at two sizes; what comes out different is unknown, too. The shapes are those that `apply`
    itself gives, so shape inference and arithmetic cannot disagree.
    """
    sizes = (512, 1024) if None in shape else (0,)
    specs = [Spec(tuple(size if each is None else each for each in shape), dtype) for size in sizes]
    (params, state, y), (params_2, state_2, y_2) = [_trial(name, layer, spec) for spec in (specs[0], specs[-1])]
    require(params == params_2, f"{layer!r} needs to know every length of its input but the batch size, got {shape}. "
            "Write the missing one where the input is declared: input_shape=(...).")
    require(state == state_2, f"{layer!r} carries a state from batch to batch, so it needs the batch size, got {shape}. "
            "Give the first layer batch_input_shape=(32, ...), or batch_size=32 with input_shape=(...).")
    return tuple(a if a == b else None for a, b in zip(y.shape, y_2.shape, strict=True)), y.dtype


def _trial(name: str, layer: Layer, x: Spec) -> tuple[Any, Any, Spec]:
    """The specs of (params, state, y) for an input like `x`; nothing is computed."""
    def run(key, x):
        params, state = layer.first_weights(key, Spec(x.shape, x.dtype))
        return params, state, layer.apply(params, state, x, Ctx())[0]

    try:
        return jax.eval_shape(run, jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32")), x)
    except Exception as error:
        error.add_note(_where(name, layer, x))
        raise


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in tree.items() if entry}


def _where(name: str, layer: Layer, x: Any) -> str:
    return f"In layer {name!r}, {layer!r}, given x {x.shape} {x.dtype}."
