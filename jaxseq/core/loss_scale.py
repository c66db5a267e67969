"""Loss scaling: gradients too small for float16 are made larger on their way, and small again before they move a weight."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxseq.core.precision import all_finite, wide_dtype, widened
from jaxseq.core.types import Array

Transform = optax.GradientTransformation

LARGEST = 2.0**127          # scale, which doubles without an end where gradients are zero: half of infinity would be infinity


class ScaleState(NamedTuple):
    """scale: () float32, what the next loss is multiplied with. inner: the state of what takes the gradients as they are.

    growing: () int32, updates since the scale changed last; None where it never changes.
    """

    scale: Array
    growing: Any
    inner: Any


def scaled(inner: Transform, scale: float, growth_steps: int | None = None) -> Transform:
    """The updates of `inner` for gradients of a loss that was multiplied with the scale in the state: see `scale_of`.

    growth_steps: after so many updates the scale doubles, up to 2^127. A step with a gradient that is infinite or NaN moves
        nothing, neither weights nor the state of `inner`, and halves the scale. None: the scale stays, and no step is left out.
    Source: Micikevicius et al. 2018, arXiv:1710.03740; numbers of keras.optimizers.LossScaleOptimizer.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params):
        growing = None if growth_steps is None else jnp.zeros((), jnp.int32)
        return ScaleState(jnp.asarray(scale, jnp.float32), growing, inner.init(params))

    def step(updates, state, params):
        updates = jax.tree.map(lambda g: (widened(g) / state.scale.astype(wide_dtype(g.dtype))).astype(g.dtype), updates)
        return inner.update(updates, state.inner, params)

    def still(updates, state, params):
        return jax.tree.map(jnp.zeros_like, updates), state.inner

    def update(updates, state, params=None):
        if growth_steps is None:
            updates, after = step(updates, state, params)
            return updates, state._replace(inner=after)
        finite = all_finite(updates)
        updates, after = lax.cond(finite, step, still, updates, state, params)
        grown = finite & (state.growing == growth_steps - 1)
        growing = jnp.where(finite & ~grown, state.growing + 1, 0)
        factor = jnp.where(finite, jnp.where(grown, 2.0, 1.0), 0.5).astype(jnp.float32)
        return updates, ScaleState(jnp.minimum(state.scale * factor, LARGEST), growing, after)

    return Transform(init, update)


def scale_of(opt_state: Any) -> Array | None:
    """What the next loss is to be multiplied with; None where the optimizer asks for nothing."""
    return opt_state.scale if isinstance(opt_state, ScaleState) else None


def enlarged(loss: Array, opt_state: Any) -> Array:
    """The loss times `scale_of`; itself where the optimizer asks for nothing."""
    scale = scale_of(opt_state)
    return loss if scale is None else loss * scale.astype(loss.dtype)


def kept(before: Any, after: Any, old: Any, new: Any) -> Any:
    """The weights `new`; the `old` ones where the step between these two optimizer states was left out."""
    if not isinstance(before, ScaleState) or before.growing is None:
        return new
    return jax.tree.map(partial(jnp.where, after.scale < before.scale), old, new)


def within(opt_state: Any) -> Any:
    """The optimizer's state without what scales the loss."""
    return opt_state.inner if isinstance(opt_state, ScaleState) else opt_state


def around(opt_state: Any, inner: Any) -> Any:
    """The optimizer's state with another one in the place of `within`."""
    return opt_state._replace(inner=inner) if isinstance(opt_state, ScaleState) else inner
