"""Layers in a row: init and apply over ((name, layer), ...)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxseq.core import rng
from jaxseq.core.layer import Layer
from jaxseq.core.nested import PENALTY
from jaxseq.core.policy import cast
from jaxseq.core.precision import total, wide_dtype
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Key, Params, Shape, Spec, State

Layers = Sequence[tuple[str, Layer]]

TRIED = 512, 1024       # what an unknown length is tried at


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
        params, state = begun(layer, rng.fold_in(key, name), x)
        y = jax.eval_shape(lambda p, s, v: applied(layer, p, s, v, Ctx())[0], params, state, x)
        penalty = jax.eval_shape(layer.activity_penalty, y)
        if penalty is not None:
            state = {**state, PENALTY: jnp.zeros((), penalty.dtype)}
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
            with jax.named_scope(name):
                x, new_state[name], mask = applied(layer, params.get(name, {}), state.get(name, {}), x, ctx)
                share = layer.activity_penalty(x)
        except Exception as error:
            error.add_note(_where(name, layer, x))
            raise
        if share is not None:
            new_state[name] = {**new_state[name], PENALTY: share}
    return Output(x, _filled(new_state), mask)


def applied(layer: Layer, params: Params, state: State, x: Array, ctx: Ctx) -> tuple[Array, State, Array | None]:
    """layer.forward in the layer's number format: what enters is cast to its compute dtype, and what leaves it.

    Where no dtype is written, the layer takes its weights and its input as they are. Whatever the format, gradients reach
    the weights in the dtype that these are kept in. Source: as Keras 3, which casts what enters.
    """
    y, after, mask = layer.forward(_entering(layer, params), state, _entering(layer, x), ctx)
    return y if layer.dtype is None else cast(y, layer.compute_dtype), after, mask


def _entering(layer: Layer, tree: Any) -> Any:
    return cast(tree, layer.compute_dtype) if layer.autocast and layer.dtype is not None else tree


def begun(layer: Layer, key: Key, x: Spec) -> tuple[Params, State]:
    """layer.first_weights, in the dtype that the layer keeps its weights in; what is carried has 32 bits at least."""
    params, state = layer.first_weights(key, x)
    if layer.dtype is None:
        return params, state
    kept = jnp.dtype(layer.variable_dtype)
    each = lambda tree, dtype: {name: cast(value, dtype) for name, value in tree.items()}      # in the layer's own order
    return each(params, kept), each(state, wide_dtype(kept))


def dtypes(layers: Iterable[tuple[str, Layer]]) -> set[str]:
    """The dtypes that are written in layers, at any depth of rows."""
    return {dtype for _, layer in layers for dtype in layer.dtypes_within()}


def by_row(layers: Layers, *, train: bool) -> bool:
    """Whether every row of the output is a function of the same row of the input alone: see `Layer.by_row`."""
    return all(layer.by_row(train) for _, layer in layers)


def penalised(layers: Layers) -> bool:
    """Whether the output of any layer has its share in the loss."""
    return any(getattr(layer, "activity_regularizer", None) is not None or penalised(layer.row_of) for _, layer in layers)


def frozen(layers: Layers) -> frozenset[str]:
    """The paths of what is not trained: a layer's name, or "row/name" for a layer within a row that is trained itself."""
    return frozenset(path for name, layer in layers for path in (
        [name] if layer.stands_still else [f"{name}/{within}" for within in layer.frozen_within()]))


def stilled(layers: Layers) -> Layers:
    """The same layers, all frozen."""
    return tuple((name, layer.replaced(trainable=False)) for name, layer in layers)


def lies_within(path: str, paths: frozenset[str]) -> bool:
    """Whether a path is one of these, or goes on from one of them."""
    return any(f"{path}/".startswith(f"{each}/") for each in paths)


def parted(params: dict[str, Any], paths: frozenset[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is trained, what is frozen) of params, given the paths of the latter. A row may stand in both."""
    trained: dict[str, Any] = {}
    still: dict[str, Any] = {}
    for name, entry in params.items():
        within = frozenset(path.removeprefix(f"{name}/") for path in paths if path.startswith(f"{name}/"))
        if lies_within(name, paths):                # a name may be a path itself, as "dense/kernel"
            still[name] = entry
        elif within:
            moves, stays = parted(entry, within)
            trained |= {name: moves} if moves else {}
            still |= {name: stays} if stays else {}
        else:
            trained[name] = entry
    return trained, still


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """All entries of both. Where rows or layers stand in both, their entries are merged; of two arrays the other's is taken."""
    both = {name: merged(one[name], other[name]) for name in one.keys() & other.keys() if isinstance(one[name], dict)}
    return {**one, **other, **both}


def penalty(layers: Layers, params: dict[str, Any]) -> Array:
    """The sum of all weight regularizers."""
    return total(layer.penalty(params[name]) for name, layer in layers if name in params)


def take_penalties(state: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """(the sum of all activity penalties, the state with those entries at zero again)."""
    is_penalty = lambda path: getattr(path[-1], "key", None) == PENALTY
    entries = jax.tree_util.tree_leaves_with_path(state)
    penalties = total(value for path, value in entries if is_penalty(path))
    cleared = jax.tree_util.tree_map_with_path(lambda path, v: jnp.zeros_like(v) if is_penalty(path) else v, state)
    return penalties, cleared


def constrain(layers: Layers, params: dict[str, Any]) -> dict[str, Any]:
    """The weights after every layer's constraints. Layers that do not stand in `params` are passed over."""
    return {name: layer.constrain(params[name]) for name, layer in layers if name in params}


def reset(layers: Layers, state: dict[str, Any]) -> dict[str, Any]:
    """The state after every stateful layer has forgotten what it carried."""
    return {name: layer.reset(state[name]) for name, layer in layers if name in state}


def inputs_of_models(layer: Layer, shape: Shape, dtype: Any) -> dict[str, Shape]:
    """{prefix: the shape of what the model there is given} of the models that are parts of a layer; see `shapes`."""
    specs = [Spec(tuple(size if each is None else each for each in shape), dtype) for size in TRIED]
    given, given_2 = map(layer.inputs_of_models, specs)
    return {prefix: tuple(a if a == b else None for a, b in zip(x.shape, given_2[prefix].shape, strict=True))
            for prefix, x in given.items()}


def shapes(name: str, layer: Layer, shape: Shape, dtype: Any) -> tuple[Shape, Any]:
    """The (shape, dtype) of a layer's output for an input in which some lengths are unknown (None).

    Unknown lengths are tried at two sizes; what comes out different is unknown, too. The shapes are those that `apply`
    itself gives, so shape inference and arithmetic cannot disagree.
    """
    (params, state, y), (params_2, state_2, y_2) = _trials(name, layer, shape, dtype)
    require(params == params_2, f"{layer!r} needs to know every length of its input but the batch size, got {shape}. "
            "Write the missing one where the input is declared: input_shape=(...).")
    require(state == state_2, f"{layer!r} carries a state from batch to batch, so it needs the batch size, got {shape}. "
            "Give the first layer batch_input_shape=(32, ...), or batch_size=32 with input_shape=(...).")
    return tuple(a if a == b else None for a, b in zip(y.shape, y_2.shape, strict=True)), y.dtype


def _trials(name: str, layer: Layer, shape: Shape, dtype: Any) -> list[tuple[Any, Any, Spec]]:
    """The specs of (params, state, y) at both sizes of the unknown lengths. An error does not tell of those sizes."""
    specs = [Spec(tuple(size if each is None else each for each in shape), dtype) for size in TRIED]
    try:
        first = _trial(layer, specs[0])
        return [first, _trial(layer, specs[1]) if None in shape else first]
    except Exception as error:
        error.add_note(f"In layer {name!r}, {layer!r}, given x {shape} {specs[0].dtype}.")
        if None in shape and error.args and isinstance(error.args[0], str):
            error.args = _without_sizes(error.args[0], [_refusal(layer, spec) for spec in specs]), *error.args[1:]
        raise


def _trial(layer: Layer, x: Spec) -> tuple[Any, Any, Spec]:
    """The specs of (params, state, y) for an input like `x`; nothing is computed."""
    def run(key, x):
        params, state = begun(layer, key, Spec(x.shape, x.dtype))
        return params, state, applied(layer, params, state, x, Ctx())[0]

    return jax.eval_shape(run, rng.key_spec(), x)


def _refusal(layer: Layer, x: Spec) -> str:
    """What the layer says against an input like `x`; nothing where it takes it."""
    try:
        _trial(layer, x)
    except Exception as error:          # of any kind: it was raised before, and is raised on
        return str(error)
    return ""


def _without_sizes(text: str, told: list[str]) -> str:
    """An error's text with None for every number that differs between what is told at one size and at the other."""
    pieces, others = (re.split(r"(\d+)", each) for each in told)
    if pieces[::2] == others[::2]:
        return "".join(a if a == b else "None" for a, b in zip(pieces, others, strict=True))
    return re.sub(rf"\b({TRIED[0]}|{TRIED[1]})\b", "None", text)


def _filled(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in tree.items() if entry}


def _where(name: str, layer: Layer, x: Any) -> str:
    return f"In layer {name!r}, {layer!r}, given x {x.shape} {x.dtype}."
