"""Where training stops being finite: the step, and in it the first number that is NaN or infinite."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseq.api import weights
from jaxseq.core import chain, probe
from jaxseq.core.types import TrainState

SHORTER = "write a smaller learning_rate, or clipnorm=1.0 in the optimizer."


class Mishap(NamedTuple):
    """A step that was not finite. before: the TrainState before it. offset: its place in the dispatch. what, advice: why."""

    before: TrainState
    offset: int
    what: str
    advice: str


class Watch:
    """Asks after every dispatch whether loss, weights and state are finite; where not, makes its steps again, one by one.

    That is exact: a TrainState does not change, and rows and draws are counted. told: what is said of the first step that
    was not finite; None until there is one.
    """

    def __init__(self):
        self.told: str | None = None
        self._finite = probe.make_finite()

    def looked(self, programs: Any, arguments: Any, after: TrainState, sums: Any, epoch: int, done: int) -> TrainState:
        """The TrainState to go on from: `after`, or the one before the first step that was not finite.

        arguments: what `programs.train` was called with. after, sums: what it gave. epoch, done: the epoch, and how many of
        its steps lie before the dispatch.
        """
        if self._is_finite(after, sums):
            return after
        found = self._first_step(programs, arguments, after)
        self.told = (f"NaN or infinity in {found.what}, at step {int(found.before.step) + 1}: batch {done + found.offset} of "
                     f"epoch {epoch}, both counted from 0. The model stands before that step. {found.advice}")
        return found.before

    def _first_step(self, programs: Any, arguments: Any, after: TrainState) -> Mishap:
        before, _, slab, rows, start, stop = arguments
        ts = before
        for step in range(start, stop):
            after, one = programs.train(ts, programs.zero, slab, rows, step, step + 1)
            if not self._is_finite(after, one):
                findings = jax.device_get(probe.make_probe(programs.task)(ts, slab, rows, step))
                return Mishap(ts, step - start, *_first(programs.task.layers, findings, after))
            before, ts = ts, after
        return Mishap(before, stop - start - 1, "the sum of the epoch's losses", "Scale the targets down, or the loss.")

    def _is_finite(self, ts: TrainState, sums: Any) -> bool:
        return bool(self._finite((ts.params, ts.state, sums["loss"])))


def _first(layers: chain.Layers, found: probe.Findings, after: TrainState) -> tuple[str, str]:
    """(what was not finite first, what to write): the data, an output, the loss, a gradient, a weight."""
    for name, finite in found.given.items():
        if not finite:
            return name, "fit with check_inputs=True refuses such data before the first step."
    for name, layer in layers:
        if not found.outputs[name]:
            return f"the output of {_named(name, layer)}", f"Weights that grew too large do this: {SHORTER} In a function of " \
                "your own look for 1 / 0, log(0) and the exp of large numbers."
    if not found.loss:
        return "the loss", "In a loss of your own look for 1 / 0 and log(0). If the predictions are too large: " + SHORTER
    return _first_gradient(layers, found) or _first_weight(layers, after)


def _first_gradient(layers: chain.Layers, found: probe.Findings) -> tuple[str, str] | None:
    """The gradient that is not finite, first on the way back from the loss."""
    advice = ("sqrt, norms, powers and divisions have no finite gradient at 0: write jnp.sqrt(jnp.maximum(z, 1e-12)) for "
              "jnp.sqrt(z).")
    behind = "the loss"
    for name, layer in reversed(layers):
        if not found.pulls.get(name, True):
            return f"the gradient of {behind} with respect to its input", advice
        for weight, finite in weights.by_path(found.gradients.get(name, {})):
            if not finite:
                return f"the gradient of {weight!r} in {_named(name, layer)}", advice
        behind = _named(name, layer)
    return None


def _first_weight(layers: chain.Layers, after: TrainState) -> tuple[str, str]:
    """The weight or entry of the state that the step made so."""
    for name, layer in layers:
        for what, tree in ("weight", after.params), ("state", after.state):
            for entry, value in weights.by_path(tree.get(name, {})):
                if not np.isfinite(value).all():
                    return f"the {what} {entry!r} of {_named(name, layer)} after the update", f"The step is too long: {SHORTER}"
    return "the step as it was compiled", f"Taken apart, it is finite, so it was near the end of float32: {SHORTER}"


def _named(name: str, layer: Any) -> str:
    return f"layer {name!r}, {layer!r}"
