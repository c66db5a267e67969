"""Optax transformations: how gradients become updates, where Optax has another formula than Keras, or none.

Those that need the learning rate take it as the extra argument `rate`, a () number, from `at_rate` around them. What is
counted in numbers is float32, or float64 where a weight is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxseq.core.precision import total, wide_dtype, widened, widest
from jaxseq.core.require import require
from jaxseq.core.types import Array

Schedule = Callable[[Array], Array]
Transform = optax.GradientTransformation

# ---- the learning rate ----


class RateState(NamedTuple):
    """step: () int32, updates made. learning_rate: () number, without decay: of the last update, or of the next if set.

    inner: the state of what is done at that rate.
    """

    step: Array
    learning_rate: Array
    inner: Any


def at_rate(inner: Transform, learning_rate: float | Schedule, decay: float = 0.0, weight_decay: Any = None,
            batches: int = 1) -> Transform:
    """The updates of `inner` at rate = learning_rate / (1 + decay * step), step from 0.

    A schedule (step -> rate) is asked at every update. A number stands in the state, where it may be changed.
    weight_decay: before the update the weights shrink by rate * weight_decay of themselves; a number, or a function
        (weights -> a number for each). Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
    batches: how many make an update; a schedule counts in batches.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params):
        step = jnp.zeros((), jnp.int32)
        rate = learning_rate(step) if callable(learning_rate) else learning_rate
        return RateState(step, jnp.asarray(rate, widest(params)), inner.init(params))

    def update(updates, state, params=None):
        dtype = state.learning_rate.dtype
        step = state.step.astype(dtype)
        now = state.step * batches + (batches - 1)
        base = jnp.asarray(learning_rate(now), dtype) if callable(learning_rate) else state.learning_rate
        rate = base / (1 + decay * step)
        shrunk = params if weight_decay is None else _shrunk(params, rate, weight_decay)
        updates, after = inner.update(updates, state.inner, shrunk, rate=rate)
        if weight_decay is not None:
            updates = jax.tree.map(lambda u, small, w: u + (small - w), updates, shrunk, params)
        return updates, RateState(_after(state.step), base, after)

    return Transform(init, update)


def updates_made(opt_state: Any) -> Array:
    """How many updates an optimizer with an `at_rate` has made: () int32. AttributeError where there is none."""
    return _rate_states(opt_state)[0].step


def with_updates_made(opt_state: Any, count: Any) -> Any:
    """The same state after so many updates, as far as decay and a schedule see it. AttributeError as `updates_made`."""
    _rate_states(opt_state)
    set_to = lambda state: state._replace(step=jnp.asarray(count, jnp.int32)) if _keeps_a_rate(state) else state
    return jax.tree.map(set_to, opt_state, is_leaf=_keeps_a_rate)


def _rate_states(opt_state: Any) -> list[RateState]:
    found = [state for state in jax.tree.leaves(opt_state, is_leaf=_keeps_a_rate) if _keeps_a_rate(state)]
    require(found, "A transformation of Optax keeps no count of its updates: compile with one of jaxseq.optimizers.",
            AttributeError)
    return found


def _keeps_a_rate(state: Any) -> bool:
    return isinstance(state, RateState)


def _shrunk(params: Any, rate: Array, weight_decay: Any) -> Any:
    each = weight_decay(params) if callable(weight_decay) else jax.tree.map(lambda w: weight_decay, params)
    return jax.tree.map(lambda w, share: w - w * (share * rate).astype(w.dtype), params, each)


def times_rate() -> optax.GradientTransformationExtraArgs:
    """updates = -rate * updates."""

    def update(updates, state, params=None, *, rate, **others):
        del params, others
        return jax.tree.map(lambda u: -rate.astype(u.dtype) * u, updates), state

    return _asking_for_rate(lambda params: optax.EmptyState(), update)


def _asking_for_rate(init: Callable[..., Any], update: Callable[..., Any]) -> optax.GradientTransformationExtraArgs:
    return optax.GradientTransformationExtraArgs(init, update)


# ---- around the whole ----


def clip_each_by_norm(limit: float) -> Transform:
    """Every gradient that is longer than `limit` is shortened to it."""

    def clipped(g):
        wide = widened(g)
        return (wide * (limit / jnp.maximum(jnp.sqrt(jnp.sum(jnp.square(wide))), limit))).astype(g.dtype)

    return optax.stateless(lambda updates, params: jax.tree.map(clipped, updates))


def clip_all_by_norm(limit: float) -> Transform:
    """All gradients are shortened alike, where as one vector they are longer than `limit`."""

    def clipped(updates, params):
        del params
        norm = jnp.sqrt(total(jnp.sum(jnp.square(widened(g))) for g in jax.tree.leaves(updates)))
        share = limit / jnp.maximum(norm, limit)
        return jax.tree.map(lambda g: (widened(g) * share.astype(wide_dtype(g.dtype))).astype(g.dtype), updates)

    return optax.stateless(clipped)


def accumulating(inner: Transform, batches: int) -> Transform:
    """The updates of `inner` for the mean gradient of so many batches, summed up in float32, or float64 where a weight is."""
    def over(tree):
        return optax.MultiSteps(inner, batches, accumulator_dtype=widest(tree))

    def init(params):
        return over(params).init(params)

    def update(updates, state, params=None):
        return over(state.acc_grads).update(updates, state, params)

    return any_dtypes(Transform(init, update))


def any_dtypes(inner: Transform) -> Transform:
    """The same, where Optax has integers meet floats, which JAX may be told to refuse."""

    def init(params):
        with jax.numpy_dtype_promotion("standard"):
            return inner.init(params)

    def update(updates, state, params=None):
        with jax.numpy_dtype_promotion("standard"):
            return inner.update(updates, state, params)

    return Transform(init, update)


class AverageState(NamedTuple):
    """batches: () int32, seen so far. average: of every weight. inner: the state of what is averaged over."""

    batches: Array
    average: Any
    inner: Any


def averaging(inner: Transform, momentum: float, overwrite_every: int | None = None, batches: int = 1) -> Transform:
    """The updates of `inner`, with average = momentum * average + (1 - momentum) * weights kept beside them.

    It begins with the weights there are; the first update's take their place. batches: how many make
    an update. overwrite_every: in update n, 2n, ... the weights become their average, after each of its batches as in Keras.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params):
        return AverageState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), inner.init(params))

    def update(updates, state, params=None):
        updates, after = inner.update(updates, state.inner, params)
        done = state.batches // batches
        kept = jnp.where(done == 0, 0.0, momentum)
        blend = lambda old, w, u: kept.astype(w.dtype) * old + (1 - kept).astype(w.dtype) * (w + u)
        average = jax.tree.map(blend, state.average, params, updates)
        if overwrite_every is not None:
            due = (done + 1) % overwrite_every == 0
            updates = jax.tree.map(lambda u, mean, w: jnp.where(due, mean - w, u), updates, average, params)
        return updates, AverageState(_after(state.batches), average, after)

    return Transform(init, update)


# ---- moments of the gradient ----


class AdamState(NamedTuple):
    """step: () int32. m, v: the first and second moment of each weight's gradient. v_max: for amsgrad, else None."""

    step: Array
    m: Any
    v: Any
    v_max: Any


def scale_by_adam(beta_1: float, beta_2: float, epsilon: float, amsgrad: bool = False) -> Transform:
    """m sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon), with the moments m and v of the gradient.

    Source: Kingma & Ba 2015, the form at the end of section 2 ("epsilon hat"), as Keras has it. optax.scale_by_adam adds
    epsilon after the correction of v, which is another number by a factor of up to 1 / sqrt(1 - b2).
    amsgrad: v is the largest there was (Reddi et al. 2018).
    """

    def init(params):
        zeros = lambda: optax.tree.zeros_like(params)
        return AdamState(jnp.zeros((), jnp.int32), zeros(), zeros(), zeros() if amsgrad else None)

    def update(updates, state, params=None):
        del params
        step = _after(state.step)
        t = step.astype(widest(updates))
        m = optax.tree.update_moment(updates, state.m, beta_1, 1)
        v = optax.tree.update_moment(updates, state.v, beta_2, 2)
        v_max = jax.tree.map(jnp.maximum, state.v_max, v) if amsgrad else None
        scale = jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        scaled = lambda m, v: m * scale.astype(m.dtype) / (jnp.sqrt(v) + epsilon)
        return jax.tree.map(scaled, m, v_max if amsgrad else v), AdamState(step, m, v, v_max)

    return Transform(init, update)


class DeviationState(NamedTuple):
    """m, v: the first and second moment of each weight's gradient."""

    m: Any
    v: Any


def scale_by_deviation(decay: float, epsilon: float) -> Transform:
    """updates / sqrt(max(v - m^2, 0) + epsilon), with the moments m and v of the gradient.

    Source: Graves 2013, arXiv:1308.0850. Keras and optax.scale_by_stddev have no max: where a gradient stays
    the same, v - m^2 is 0 but for rounding, which may be negative, and then the weight is NaN.
    """

    def init(params):
        return DeviationState(optax.tree.zeros_like(params), optax.tree.zeros_like(params))

    def update(updates, state, params=None):
        del params
        m = optax.tree.update_moment(updates, state.m, decay, 1)
        v = optax.tree.update_moment(updates, state.v, decay, 2)
        scaled = lambda u, m, v: u * jax.lax.rsqrt(jnp.maximum(v - jnp.square(m), 0) + epsilon)
        return jax.tree.map(scaled, updates, m, v), DeviationState(m, v)

    return Transform(init, update)


def scale_by_adamax(beta_1: float, beta_2: float, epsilon: float) -> Transform:
    """m / (1 - b1^t) / (u + epsilon), u = max(b2 u, |g|). Optax adds epsilon to |g| instead.

    Source: Kingma & Ba 2015, section 7.
    """

    def init(params):
        return AdamState(jnp.zeros((), jnp.int32), optax.tree.zeros_like(params), optax.tree.zeros_like(params), None)

    def update(updates, state, params=None):
        del params
        step = _after(state.step)
        m = optax.tree.update_moment(updates, state.m, beta_1, 1)
        u = jax.tree.map(lambda u, g: jnp.maximum(beta_2 * u, jnp.abs(g)), state.v, updates)
        left = 1 - beta_1 ** step.astype(widest(updates))
        return jax.tree.map(lambda m, u: m / (left.astype(m.dtype) * (u + epsilon)), m, u), AdamState(step, m, u, None)

    return Transform(init, update)


class NadamState(NamedTuple):
    """step: () int32. product: () number, of the momenta so far. m, v: the moments of each weight's gradient."""

    step: Array
    product: Array
    m: Any
    v: Any


def scale_by_nadam(beta_1: float, beta_2: float, epsilon: float, schedule_decay: float = 1.0) -> Transform:
    """(u' m / (1 - P u') + (1 - u) g / (1 - P)) / (sqrt(v / (1 - b2^t)) + epsilon): Adam with Nesterov's look ahead.

    u = b1 (1 - 0.96^(schedule_decay t) / 2) is the momentum of step t, u' that of the next, P the product of all so far.
    Source: Dozat 2016. schedule_decay is Keras 2's, where it is 0.004 as in the paper; Keras 3 has 1.
    """

    def init(params):
        zeros = lambda: optax.tree.zeros_like(params)
        return NadamState(jnp.zeros((), jnp.int32), jnp.ones((), widest(params)), zeros(), zeros())

    def update(updates, state, params=None):
        del params
        step = _after(state.step)
        t = step.astype(widest(updates))
        momentum = lambda t: beta_1 * (1 - 0.5 * 0.96 ** (schedule_decay * t))
        product = state.product * momentum(t)
        m = optax.tree.update_moment(updates, state.m, beta_1, 1)
        v = optax.tree.update_moment(updates, state.v, beta_2, 2)
        of_m, of_g = momentum(t + 1) / (1 - product * momentum(t + 1)), (1 - momentum(t)) / (1 - product)
        root = jnp.sqrt(1 - beta_2**t)
        ahead = lambda m, v, g: ((of_m.astype(m.dtype) * m + of_g.astype(m.dtype) * g)
                                 / (jnp.sqrt(v) / root.astype(m.dtype) + epsilon))
        return jax.tree.map(ahead, m, v, updates), NadamState(step, product, m, v)

    return Transform(init, update)


# ---- with the weights in view ----


class FtrlState(NamedTuple):
    """n: of each weight, the sum of its squared gradients. z: its linear part."""

    n: Any
    z: Any


def ftrl(power: float, start: float, l1: float, l2: float, shrinkage: float,
         beta: float) -> optax.GradientTransformationExtraArgs:
    """To w = (clip(z, -l1, l1) - z) / (n^-power / rate + 2 l2 + beta / rate), n the sum of g^2 from `start`.

    z += g + 2 shrinkage w - (n^-power - n_before^-power) w / rate.
    Source: McMahan et al. 2013, algorithm 1.
    """

    def init(params):
        return FtrlState(jax.tree.map(lambda w: jnp.full_like(w, start), params), optax.tree.zeros_like(params))

    def update(updates, state, params=None, *, rate, **others):
        del others
        n = jax.tree.map(lambda n, g: n + jnp.square(g), state.n, updates)

        def linear(z, g, n, before, w):
            return z + g + 2 * shrinkage * w - (n**-power - before**-power) / rate.astype(w.dtype) * w

        def step(z, n, w):
            quadratic = (n**-power + beta) / rate.astype(w.dtype) + 2 * l2
            return (jnp.clip(z, -l1, l1) - z) / quadratic - w

        z = jax.tree.map(linear, state.z, updates, n, state.n, params)
        return jax.tree.map(step, z, n, params), FtrlState(n, z)

    return _asking_for_rate(init, update)


class AdafactorState(NamedTuple):
    """step: () int32. rows, columns: means of g^2 along the last axis and the one before; of vectors, g^2 and nothing."""

    step: Array
    rows: Any
    columns: Any


def adafactor(beta_2_decay: float, epsilon_1: float, epsilon_2: float, clip_threshold: float,
              relative_step: bool) -> optax.GradientTransformationExtraArgs:
    """-max(epsilon_2, rms(w)) r u / max(1, rms(u) / clip_threshold), u = g / sqrt(v), r = min(rate, 1 / sqrt(t)).

    v of a matrix is rows columns / mean(rows), so that a matrix of n m weights is remembered by n + m numbers.
    relative_step: False takes the rate itself for r.
    Source: Shazeer & Stern 2018, arXiv:1804.04235.
    """
    rms = lambda x: jnp.sqrt(jnp.mean(jnp.square(x)))

    def init(params):
        rows = jax.tree.map(lambda w: jnp.zeros(w.shape[:-1] if w.ndim > 1 else w.shape, w.dtype), params)
        columns = jax.tree.map(lambda w: jnp.zeros(w.shape[:-2] + w.shape[-1:] if w.ndim > 1 else (), w.dtype), params)
        return AdafactorState(jnp.zeros((), jnp.int32), rows, columns)

    def update(updates, state, params=None, *, rate, **others):
        del others
        step = _after(state.step)
        t = step.astype(widest(updates))
        kept = 1 - t**beta_2_decay
        blend = lambda old, new: kept.astype(old.dtype) * old + (1 - kept).astype(old.dtype) * new
        square = lambda g: jnp.square(g) + epsilon_1
        rows = jax.tree.map(lambda r, g: blend(r, jnp.mean(square(g), axis=-1) if g.ndim > 1 else square(g)),
                            state.rows, updates)
        columns = jax.tree.map(lambda c, g: blend(c, jnp.mean(square(g), axis=-2)) if g.ndim > 1 else c, state.columns, updates)
        reach = jnp.minimum(rate, 1 / jnp.sqrt(t)) if relative_step else rate

        def moved(g, r, c, w):
            v = (r / jnp.mean(r, axis=-1, keepdims=True))[..., None] * c[..., None, :] if g.ndim > 1 else r
            u = g / jnp.sqrt(v)
            scale = jnp.maximum(epsilon_2, rms(w)) * reach.astype(w.dtype)
            return -scale * u / jnp.maximum(1, rms(u) / clip_threshold)

        return jax.tree.map(moved, updates, rows, columns, params), AdafactorState(step, rows, columns)

    return _asking_for_rate(init, update)


class ScheduleFreeState(NamedTuple):
    """step: () int32. z: the weights as plain AdamW would have them. v: the second moment of each weight's gradient."""

    step: Array
    z: Any
    v: Any


def schedule_free_adamw(beta_1: float, beta_2: float, epsilon: float,
                        warmup_steps: int) -> optax.GradientTransformationExtraArgs:
    """To y = (1 - b1) z + b1 x, where z -= rate g / (sqrt(v / (1 - b2^t)) + epsilon) and x is the mean of all z.

    warmup_steps: the rate rises to its height in so many steps.
    Source: Defazio et al. 2024, arXiv:2405.15682.
    """

    def init(params):
        return ScheduleFreeState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), optax.tree.zeros_like(params))

    def update(updates, state, params=None, *, rate, **others):
        del others
        step = _after(state.step)
        t = step.astype(widest(updates))
        rate = rate * jnp.minimum(t / warmup_steps, 1) if warmup_steps else rate
        root = jnp.sqrt(1 - beta_2**t)
        v = optax.tree.update_moment(updates, state.v, beta_2, 2)
        z = jax.tree.map(lambda z, g, v: z - rate.astype(z.dtype) * g / (jnp.sqrt(v) / root.astype(z.dtype) + epsilon),
                         state.z, updates, v)

        def moved(y, before, z):
            x = (y - (1 - beta_1) * before) / beta_1
            x = x + (z - x) / t.astype(x.dtype)
            return (1 - beta_1) * z + beta_1 * x - y

        return jax.tree.map(moved, params, state.z, z), ScheduleFreeState(step, z, v)

    return _asking_for_rate(init, update)


def _after(step: Array) -> Array:
    """step + 1, which stays at the largest int32 where it would wrap."""
    return jnp.asarray(optax.safe_increment(step))
