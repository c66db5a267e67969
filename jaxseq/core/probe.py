"""One training step taken apart: which of its numbers are finite, from the data to the gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxseq.core import chain, loss_scale, rng, run
from jaxseq.core.precision import all_finite
from jaxseq.core.types import Array


class Findings(NamedTuple):
    """Whether all numbers are finite, () bool each.

    given: of x, y and sample_weight. outputs: {layer: of its output}. loss: of the loss with its penalties.
    pulls: {layer: of the loss's gradient with respect to its output}. gradients: {layer: {weight: of its gradient}}, nested
    like the weights. Gradients are those of the loss times its scale, as the step takes them.
    """

    given: dict[str, Any]
    outputs: dict[str, Any]
    loss: Any
    pulls: dict[str, Any]
    gradients: dict[str, Any]


@functools.cache
def make_finite() -> Callable[[Any], Array]:
    """finite(tree) -> whether all of its numbers are finite, () bool, in one program."""
    return run.compiled(all_finite)


def make_probe(task: run.Task) -> Callable[..., Findings]:
    """probe(ts, data, rows, i) -> Findings of step `rows[i]` of `run.make_train`: the same rows, draws and arithmetic."""
    padded = run.may_pad(task, train=True)

    def probe(ts, data, rows, i):
        batch, real = run.taken(task, data, rows, i, padded)
        key = rng.fold_in(rng.fold_in(ts.key, rng.Purpose.STEP), ts.step)
        trained, frozen = run.split(task, ts.params)

        def loss(trained: Any, nudges: dict[str, Array]) -> tuple[Array, tuple[Array, dict[str, Array]]]:
            outputs: dict[str, Array] = {}
            total, _ = run.objective(task, chain.merged(frozen, trained), ts.state, batch, real, train=True, key=key,
                                     through=_nudged(nudges, outputs))
            return loss_scale.enlarged(total, ts.opt_state), (total, outputs)

        _, (_, like) = jax.eval_shape(lambda trained: loss(trained, {}), trained)
        nudges = {name: jnp.zeros(y.shape, y.dtype) for name, y in like.items() if jnp.issubdtype(y.dtype, jnp.floating)}
        (gradients, pulls), (total, outputs) = jax.grad(loss, (0, 1), has_aux=True)(trained, nudges)
        given = {"x": batch.x, "y": batch.y, "sample_weight": jnp.ones(()) if batch.weight is None else batch.weight}
        return jax.tree.map(lambda each: jnp.all(jnp.isfinite(each)), Findings(given, outputs, total, pulls, gradients))

    return run.compiled(probe)


def _nudged(nudges: dict[str, Array], outputs: dict[str, Array]) -> Callable[..., chain.Output]:
    """`chain.apply` that notes the output of every layer, and adds a nudge to it: its gradient is that of the output."""
    def through(layers: chain.Layers, params: Any, state: Any, x: Array, *, train: bool, key: Any) -> chain.Output:
        states, mask = {}, None
        for name, layer in layers:
            x, new, mask = chain.apply(((name, layer),), params, state, x, train=train, key=key, mask=mask)
            outputs[name] = x = x + nudges[name] if name in nudges else x
            states |= new
        return chain.Output(x, states, mask)

    return through
