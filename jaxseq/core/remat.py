"""Stretches of layers that run a second time for the gradient, instead of keeping what happened inside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core import chain
from jaxseq.core.require import positive_int, require, require_known
from jaxseq.core.types import Array, Key

Stretches = tuple[tuple[int, int], ...]     # (first layer, the one after the last) of each, in order


def stretches(remat: Any, names: Sequence[str]) -> Stretches:
    """What `compile(remat=...)` means for layers of these names.

    A number: stretches of so many layers; True: of about the root of how many there are; but the last one, whose gradient comes
    first, keeps what it has. Names: each of these layers by itself. False or None: none.
    Raises: ValueError for a name that no layer has and for numbers below 1, TypeError for what is none of these.
    """
    if remat is None or remat is False:
        return ()
    if isinstance(remat, list | tuple | set | frozenset):
        for name in remat:
            require_known(name, names, f"remat: there is no layer {name!r}.")
        return tuple((place, place + 1) for place, name in enumerate(names) if name in remat)
    require(remat is True or hasattr(remat, "__index__"), f"remat={remat!r}: write True, a number of layers, or a list of "
            "their names.", TypeError)
    length = math.isqrt(max(1, len(names) - 1)) + 1 if remat is True else positive_int("remat", remat)
    return tuple((first, first + length) for first in range(0, len(names) - length, length))


def through(these: Stretches) -> Callable[..., chain.Output]:
    """`chain.apply`, which in training runs these stretches again for the gradient."""
    return partial(_apply, these) if these else chain.apply


def _apply(these: Stretches, layers: chain.Layers, params: dict[str, Any], state: dict[str, Any], x: Array, *,
           train: bool = False, key: Key | None = None, mask: Array | None = None) -> chain.Output:
    if not train:
        return chain.apply(layers, params, state, x, train=train, key=key, mask=mask)
    after: dict[str, Any] = {}
    for part, is_run_again in _cut(these, layers):
        own = lambda tree, part=part: {name: tree[name] for name, _ in part if name in tree}
        run = partial(_run, part)
        out = (run_again(run) if is_run_again else run)((own(params), own(state), x, key, mask))
        x, mask, after = out.y, out.mask, {**after, **out.state}
    return chain.Output(x, after, mask)


def _run(layers: chain.Layers, given: Any) -> chain.Output:
    params, state, x, key, mask = given
    return chain.apply(layers, params, state, x, train=True, key=key, mask=mask)


def _cut(these: Stretches, layers: chain.Layers) -> Iterator[tuple[chain.Layers, bool]]:
    """All layers, stretch by stretch; and whether each is one of these."""
    place = 0
    for first, end in these:
        if first > place:
            yield layers[place:first], False
        yield layers[first:end], True
        place = end
    if place < len(layers):
        yield layers[place:], False


def run_again(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """function(tree), which keeps its tree alone for the gradient, and runs a second time to find it.

    The second run is tied to the gradient that comes in: a zero is added to what it is given, which the compiler cannot know to
    be one. jax.checkpoint puts a barrier there, which XLA's CPU compiler drops; it then finds both runs equal, makes one, and
    keeps all that it saved. Adding -0.0 changes no number. Forward-mode derivatives (jax.jvp, jax.jacfwd) are not defined here.
    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
    """
    @jax.custom_vjp
    def run(tree):
        return function(tree)

    def backward(tree, cotangents):
        return jax.vjp(function, _tied(tree, cotangents))[1](cotangents)

    run.defvjp(lambda tree: (function(tree), tree), backward)
    return run


def _tied(tree: Any, cotangents: Any) -> Any:
    """The tree, whose numbers cannot be known before the cotangents are."""
    arrived = next(leaf for leaf in jax.tree.leaves(cotangents) if _is_float(leaf)).ravel()[0]
    zero = jnp.where(arrived > 0, 0.0, -0.0)
    return jax.tree.map(lambda leaf: leaf + zero.astype(leaf.dtype) if _is_float(leaf) else leaf, tree)


def _is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.inexact)
