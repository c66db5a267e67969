"""Weights as the plain trees of other libraries, which are not imported for it: Flax NNX and Equinox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq.api import weights
from jaxseq.core import layers
from jaxseq.core.layer import Layer
from jaxseq.core.require import require

Entry = dict[str, Any]      # {name: array} of one layer, weights and moving statistics in one


class Form(NamedTuple):
    """How a layer's entry is written elsewhere. there: ours -> theirs, by paths as "dense_i/kernel". back: theirs -> ours."""

    there: Callable[[Entry], Entry]
    back: Callable[[Entry], Entry]


def to_flax(model: Any) -> dict[str, Any]:
    """{layer: the pure dict that nnx.to_pure_dict gives of the module of Flax NNX that computes the same}, as NumPy arrays.

    Dense is nnx.Linear, Conv1D to 3D nnx.Conv, Embedding nnx.Embed, LayerNormalization nnx.LayerNorm, BatchNormalization
    nnx.BatchNorm, LSTM the cell nnx.OptimizedLSTMCell, GRU the cell nnx.GRUCell. Layers of a model within it stand one level
    deeper; layers without weights have no entry. Settings (epsilon, momentum, strides, activations) are none of a tree's: write
    the module with the layer's own.
    Raises: ValueError for a layer with weights that has no such module, and for a GRU that Flax's cannot hold.
    """
    return _written(model, FLAX, "Flax")


def from_flax(model: Any, tree: Mapping[str, Any]) -> None:
    """Replaces all of the model's weights and moving statistics by those of a tree as `to_flax` gives.

    Raises: ValueError, and no change, for a layer that is missing, one too many, and shapes that do not fit.
    """
    _read(model, tree, FLAX, "Flax")


def to_equinox(model: Any) -> dict[str, Any]:
    """{layer: {attribute: array}} of the modules of equinox.nn that compute the same, as NumPy arrays.

    Dense is Linear, Conv1D to 3D are Conv1d to 3d (which see the channels first), and Embedding, LayerNorm, BatchNorm, LSTMCell
    and GRUCell are what they are called. `mean` and `var` of a BatchNorm are what its state holds. Otherwise as `to_flax`.
    """
    return _written(model, EQUINOX, "Equinox")


def from_equinox(model: Any, tree: Mapping[str, Any]) -> None:
    """Replaces all of the model's weights and moving statistics by those of a tree as `to_equinox` gives. See `from_flax`.

    In the place of {attribute: array} a layer may have the module itself, {"dense": eqx.nn.Linear(...)}; not for BatchNorm,
    whose statistics are none of its attributes.
    """
    _read(model, tree, EQUINOX, "Equinox")


# ---- whole models


def _written(model: Any, forms: dict[type, Form], library: str) -> dict[str, Any]:
    params, state, tree = model.params, model.state, {}
    for name, layer in model.named_layers:
        if not isinstance(layer, Layer):
            tree[name] = _written(layer, forms, library)
        elif name in params:
            own = {entry: np.asarray(value) for entry, value in _entries(params, state, name).items()}
            tree[name] = _deep(_form(name, layer, forms, library).there(own))
    return {name: entry for name, entry in tree.items() if entry}


def _read(model: Any, tree: Mapping[str, Any], forms: dict[type, Form], library: str) -> None:
    params, state = _taken(model, tree, forms, library, "")
    ts = model.train_state
    params, state = weights.like("params", ts.params, params), weights.like("state", ts.state, state)
    model.train_state = ts._replace(params=params, state=state)


def _taken(model: Any, tree: Mapping[str, Any], forms: dict[type, Form], library: str, above: str) -> tuple[Entry, Entry]:
    """(params, state) like the model's, with the numbers of the tree."""
    params, state = dict(model.params), dict(model.state)
    wanted = [name for name, layer in model.named_layers if name in params]
    require(isinstance(tree, Mapping), f"{above[:-1] or 'The tree'} is a {type(tree).__name__}, which does not say what is the "
            f"weights of which layer: write a dict, {{{', '.join(f'{name!r}: ...' for name in wanted)}}}, as to_"
            f"{library.lower()}(model) gives.", TypeError)
    for name in tree:
        require(name in wanted, f"{above}{name} is no layer of the model that has weights. It has {', '.join(wanted)}.")
    for name, layer in model.named_layers:
        if name not in wanted:
            continue
        require(name in tree, f"{above}{name} is missing in the tree. It must have {', '.join(wanted)}.")
        if not isinstance(layer, Layer):
            params[name], inner = _taken(layer, tree[name], forms, library, f"{above}{name}/")
            state |= {name: inner} if inner else {}
            continue
        theirs = {path: np.asarray(value) for path, value in _leaves(tree[name])}
        form, had = _form(name, layer, forms, library), _entries(params, state, name)
        expected = set(form.there({entry: np.zeros(value.shape, value.dtype) for entry, value in had.items()}))
        require(set(theirs) >= expected, f"{above}{name} must have {', '.join(sorted(expected))}, got "
                f"{', '.join(sorted(theirs))}.")
        ours = form.back(theirs)
        params[name] = {entry: ours[entry] for entry in params[name]} | {
            entry: value for entry, value in ours.items() if entry not in had}      # what is too much is refused by its name
        if name in state:
            state[name] = {entry: ours.get(entry, value) for entry, value in state[name].items()}
    return params, state


def _leaves(entry: Any) -> Iterator[tuple[str, Any]]:
    """(path, array) of all in nested dicts, or in a module that JAX can look into, as one of Equinox."""
    if isinstance(entry, Mapping):
        yield from weights.by_path(entry)
        return
    for path, leaf in jax.tree_util.tree_leaves_with_path(entry):
        if hasattr(leaf, "shape"):          # and no function, as an activation is
            yield jax.tree_util.keystr(path, simple=True, separator="/") or "one array", leaf


def _entries(params: Mapping[str, Any], state: Mapping[str, Any], name: str) -> Entry:
    carried = {entry: value for entry, value in state.get(name, {}).items() if entry.startswith("moving_")}
    return {**params[name], **carried}


def _form(name: str, layer: Layer, forms: dict[type, Form], library: str) -> Form:
    require(type(layer) in forms, f"{name}, {layer!r}: {library} has no module of this form. There are forms for "
            f"{', '.join(each.__name__ for each in forms)}.")
    reset_after = getattr(layer, "reset_after", True)
    require(reset_after, f"{name}, {layer!r}: {library}'s GRU has its reset gate after the product: reset_after=True.")
    return forms[type(layer)]


def _deep(flat: Entry) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *above, name = path.split("/")
        place = tree
        for each in above:
            place = place.setdefault(each, {})
        place[name] = value
    return tree


# ---- layers


def _renamed(turned: tuple[str, ...] = (), **names: str) -> Form:
    """Ours under their names; in `turned`, filters first, then channels, then the other axes."""
    back = {theirs: ours for ours, theirs in names.items()}
    first = lambda name, value: np.moveaxis(value, (-1, -2), (0, 1)) if name in turned else value
    last = lambda name, value: np.moveaxis(value, (0, 1), (-1, -2)) if name in turned else value
    return Form(lambda ours: {names[name]: first(name, value) for name, value in ours.items()},
                lambda theirs: {back.get(path, path): last(back.get(path), value) for path, value in theirs.items()})


def _conv_of_equinox(axes: int) -> Form:
    plain, ones = _renamed(("kernel",), kernel="weight", bias="bias"), (1,) * axes
    shaped = lambda entry, shape: {name: value.reshape(-1, *shape) if name == "bias" else value
                                   for name, value in entry.items()}
    return Form(lambda ours: shaped(plain.there(ours), ones), lambda theirs: shaped(plain.back(theirs), ()))


def _exchanged(value: np.ndarray) -> np.ndarray:
    """The first two of three gates, along the last axis, in each other's place: Keras has u, r, g, and the others r, u, g."""
    u, r, g = np.split(value, 3, axis=-1)
    return np.concatenate([r, u, g], axis=-1)


def _gru_to_flax(ours: Entry) -> Entry:
    tree = {"dense_i/kernel": _exchanged(ours["kernel"]), "dense_h/kernel": _exchanged(ours["recurrent_kernel"])}
    if "bias" in ours:
        before, after = _exchanged(ours["bias"])
        units = len(after) // 3
        require(not after[2 * units:].any(), "GRU: Flax's has no bias within the reset gate, and this one's, the last third of "
                "bias[1], is not zero. Equinox's has one.")
        tree["dense_i/bias"] = before + after
    return tree


def _gru_from_flax(theirs: Entry) -> Entry:
    kernel, recurrent = _exchanged(theirs["dense_i/kernel"]), _exchanged(theirs["dense_h/kernel"])
    bias = theirs.get("dense_i/bias")
    ours = {"kernel": kernel, "recurrent_kernel": recurrent}
    return ours if bias is None else {**ours, "bias": np.stack([_exchanged(bias), np.zeros_like(bias)])}


def _gru_to_equinox(ours: Entry) -> Entry:
    tree = {"weight_ih": _exchanged(ours["kernel"]).T, "weight_hh": _exchanged(ours["recurrent_kernel"]).T}
    if "bias" in ours:
        before, after = _exchanged(ours["bias"])
        units = len(after) // 3
        gates = np.concatenate([after[:2 * units], np.zeros_like(after[2 * units:])])
        tree |= {"bias": before + gates, "bias_n": after[2 * units:]}
    return tree


def _gru_from_equinox(theirs: Entry) -> Entry:
    ours = {"kernel": _exchanged(theirs["weight_ih"].T), "recurrent_kernel": _exchanged(theirs["weight_hh"].T)}
    if "bias" not in theirs:
        return ours
    after = np.concatenate([np.zeros_like(theirs["bias"][len(theirs["bias_n"]):]), theirs["bias_n"]])
    return {**ours, "bias": np.stack([_exchanged(theirs["bias"]), after])}


_NORMAL = dict(gamma="scale", beta="bias")
_CONVOLUTIONS = layers.Conv1D, layers.Conv2D, layers.Conv3D

FLAX: dict[type, Form] = {
    layers.Dense: _renamed(kernel="kernel", bias="bias"),
    **{each: _renamed(kernel="kernel", bias="bias") for each in _CONVOLUTIONS},
    layers.Embedding: _renamed(embeddings="embedding"),
    layers.LayerNormalization: _renamed(**_NORMAL),
    layers.BatchNormalization: _renamed(**_NORMAL, moving_mean="mean", moving_variance="var"),
    layers.LSTM: _renamed(kernel="dense_i/kernel", recurrent_kernel="dense_h/kernel", bias="dense_h/bias"),
    layers.GRU: Form(_gru_to_flax, _gru_from_flax),
}
EQUINOX: dict[type, Form] = {
    layers.Dense: _renamed(("kernel",), kernel="weight", bias="bias"),
    **{each: _conv_of_equinox(axes) for axes, each in enumerate(_CONVOLUTIONS, 1)},
    layers.Embedding: _renamed(embeddings="weight"),
    layers.LayerNormalization: _renamed(gamma="weight", beta="bias"),
    layers.BatchNormalization: _renamed(gamma="weight", beta="bias", moving_mean="mean", moving_variance="var"),
    layers.LSTM: _renamed(("kernel", "recurrent_kernel"), kernel="weight_ih", recurrent_kernel="weight_hh", bias="bias"),
    layers.GRU: Form(_gru_to_equinox, _gru_from_equinox),
}
