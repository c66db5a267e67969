"""What stands still in a member: the model's own weights, for it cannot learn any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxseq.api import weights
from jaxseq.core import chain
from jaxseq.core.layer import Layer
from jaxseq.core.require import require


def take_frozen(member: Any, model: Any, frozen: frozenset[str]) -> None:
    """Gives a member the weights and the states of the model at the paths `frozen`, as far as the model has any by now.

    A model that has not drawn its weights may hold others that have. What is carried from batch to batch begins at zero.
    Raises: ValueError where they do not fit.
    """
    if not model.drawn:
        for (name, prefix, part), (*_, own) in zip(_parts(model), _parts(member), strict=True):
            take_frozen(own, part, _below(frozen, name, prefix, part))
        return
    ts = model.train_state
    params, state = (chain.parted(part, frozen)[1] for part in (ts.params, ts.state))
    if params or state:
        member.build()
        _require_fitting(member.train_state, params, state)
        own = member.train_state
        member.train_state = own._replace(params=chain.merged(own.params, params), state=chain.merged(own.state, state))
        member.reset_states()


def _parts(model: Any) -> Iterator[tuple[str, str, Any]]:
    """(name of a layer, prefix of its paths, model) of the models that stand within, and of those that are parts of layers."""
    for name, layer in model.named_layers:
        parts = layer.models_within() if isinstance(layer, Layer) else {"": layer}
        yield from ((name, f"{name}/{prefix}", part) for prefix, part in parts.items())


def _below(frozen: frozenset[str], name: str, prefix: str, part: Any) -> frozenset[str]:
    """The paths by the names that a part knows."""
    if chain.lies_within(name, frozen):
        return frozenset(part.architecture.names)
    return frozenset(path.removeprefix(prefix) for path in frozen if path.startswith(prefix))


def _require_fitting(own: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
    for needed, given in (own.params, params), (own.state, state):
        shapes = {path: leaf.shape for path, leaf in weights.by_path(needed)}
        for path, leaf in weights.by_path(given):
            layer = path.rpartition("/")[0]
            require(shapes.get(path) == leaf.shape, f"{layer!r} is frozen with weights of other shapes: {path} {leaf.shape}, "
                    f"and this member needs {shapes.get(path)}. Sweep over something else, or train the layer: write "
                    f"{layer}.trainable = True.")
