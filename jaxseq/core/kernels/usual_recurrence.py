"""SimpleRNN, GRU and LSTM with tanh and sigmoid, and with a gradient of their own.

At each step h meets the recurrent kernel in one product, p = h @ kernel + bias. Forward keeps what happened in the gates.
Backward leaves one product to each step of the reverse loop, and makes the kernel's gradient in one product after it: a
training step takes 0.45 to 0.95 of the time that automatic differentiation takes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core.kernels.in_place import scan, scan_in_place
from jaxseq.core.kernels.recurrence import Carry, by_time, is_short, kept, over_time
from jaxseq.core.kernels.rows import sum_of_rows
from jaxseq.core.types import Array

Arrays = tuple[Array, ...]


class Rule(NamedTuple):
    """A recurrence, and its gradient by hand. d stands for dloss/d.

    step: (carry, z_t, p_t) -> (the next carry, facts: what the gradient wants to know of the step, the first as large as z_t).
    slopes: (facts, carry before, carry after) -> slopes, of one step or, along a first axis, of all, the first as large as p.
    arrive: (d carry, slopes) -> (d of what the gates made, d carry before but for what goes through the product).
    spread: (the former, slopes) -> (dz, dp), one and the same array where z and p only ever meet in their sum.
    """

    step: Callable[[Carry, Array, Array], tuple[Carry, Arrays]]
    slopes: Callable[[Arrays, Carry, Carry], Arrays]
    arrive: Callable[[Carry, Arrays], tuple[Any, Carry]]
    spread: Callable[[Any, Arrays], tuple[Array, Array]]


def recur(rule: Rule, carry: Carry, z: Array, kernel: Array, bias: Array | None = None, mask: Array | None = None, *,
          unroll: bool = False) -> tuple[Array, Carry]:
    """`over_time` of the rule. It can be differentiated in every way.

    Shapes: carry (batch, units) each, the output first; z (batch, time, gates * units), kernel (units, gates * units), bias
        (gates * units,), mask (batch, time) bool -> (outputs (batch, time, units), the last carry).
    Raises: ValueError for no steps at all.
    """
    return over_time(lambda carry, z: rule.step(carry, z, _product(carry[0], kernel, bias))[0], carry, z, mask, unroll=unroll)


def recur_quickly(rule: Rule, carry: Carry, z: Array, kernel: Array, bias: Array | None = None, mask: Array | None = None, *,
                  unroll: bool = False) -> tuple[Array, Carry]:
    """`recur`, with the rule's own gradient. Forward-mode derivatives (jax.jvp, jax.jacfwd) are not defined here."""
    z, mask = by_time(z, mask)
    outputs, carry = _with_own_gradient(rule, unroll or is_short(z), carry, z, kernel, bias, mask)
    return outputs.swapaxes(0, 1), carry


# ---- all arrays are time-major from here on


def _product(h: Array, kernel: Array, bias: Array | None) -> Array:
    p = h @ kernel
    return p if bias is None else p + bias


def _run(rule, unroll, carry, z, kernel, bias, mask):
    """(outputs (time, batch, units), last carry)."""
    (outputs, last), _ = _forward(rule, unroll, carry, z, kernel, bias, mask)
    return outputs, last


def _forward(rule, unroll, carry, z, kernel, bias, mask):
    def step(constants, carry, z_t, real):
        new, (fact, *facts) = rule.step(carry, z_t, _product(carry[0], *constants))
        carry = kept(real, new, carry)
        return carry, fact, (carry, facts)

    last, fact, (after, facts) = _scan(unroll)(step, False, (kernel, bias), carry, z, mask)
    before = jax.tree.map(lambda first, states: jnp.concatenate([first[None], states[:-1]]), carry, after)
    return (after[0], last), (kernel, bias, mask, (fact, *facts), before, after)


def _backward(rule, unroll, saved, cotangents):
    """A loop finds the slopes worked out for all steps at once. Where the steps are written out, each works out its own, as XLA
    then reads the facts where forward left them, and stacks nothing."""
    kernel, bias, mask, facts, before, after = saved
    d_outputs, d_carry = cotangents
    (place, *facts), known = (facts, (before, after)) if unroll else (rule.slopes(facts, before, after), ())
    transposed = lax.optimization_barrier(kernel.T)                         # once, and not within the product of each step

    def step(transposed, d_carry, first, now):
        d_output, others, known, real = now
        slopes = rule.slopes((first, *others), *known) if unroll else (first, *others)
        d_carry = d_carry[0] + d_output, *d_carry[1:]
        arrived, d_before = rule.arrive(d_carry, slopes)
        arrived = kept(real, arrived, jax.tree.map(jnp.zeros_like, arrived))
        dz, dp = rule.spread(arrived, slopes)
        d_before = d_before[0] + dp @ transposed, *d_before[1:]
        return kept(real, d_before, d_carry), dp, None if dp is dz else dz

    d_carry, dp, dz = _scan(unroll)(step, True, transposed, d_carry, place, (d_outputs, facts, known, mask))
    dz = dp if dz is None else dz
    return d_carry, dz, _over_steps(before[0], dp), None if bias is None else sum_of_rows(dp), None


def _scan(unroll: bool) -> Callable[..., tuple[Any, Array, Any]]:
    """What drives a step over time: written out, or as a loop."""
    return partial(scan, unroll=True) if unroll else scan_in_place      # pyright: ignore[reportReturnType]  # a custom_jvp


_with_own_gradient = jax.custom_vjp(_run, nondiff_argnums=(0, 1))
_with_own_gradient.defvjp(_forward, _backward)


def _over_steps(x: Array, y: Array) -> Array:
    """x.T @ y of each step, added up: (time, batch, m), (time, batch, n) -> (m, n). On the CPU as a product of rows, for which
    XLA turns nothing round; elsewhere no axis is merged with another, so that the batch can be cut over several devices
    (several CPUs put x and y together for it, as for `project_rows`)."""
    rows = lambda x, y: jnp.tensordot(x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1]), (0, 0))
    return lax.platform_dependent(x, y, cpu=rows, default=lambda x, y: jnp.tensordot(x, y, ((0, 1), (0, 1))))


# ---- SimpleRNN: h <- tanh(z + p)


def _simple_step(carry: Carry, z: Array, p: Array) -> tuple[Carry, Arrays]:
    h = jnp.tanh(z + p)
    return (h,), (h,)


def _simple_slopes(facts: Arrays, before: Carry, after: Carry) -> Arrays:
    return (1 - facts[0] * facts[0],)


def _simple_spread(dh: Array, slopes: Arrays) -> tuple[Array, Array]:
    dz = dh * slopes[0]
    return dz, dz


SIMPLE_RNN = Rule(_simple_step, _simple_slopes, lambda d_carry, slopes: (d_carry[0], (0,)), _simple_spread)


# ---- GRU: u, r = sigmoid(z + p), g = tanh(z_g + r * p_g), h <- u * h + (1 - u) * g


def _gru_step(carry: Carry, z: Array, p: Array) -> tuple[Carry, Arrays]:
    h, = carry
    units = h.shape[-1]
    gates = jax.nn.sigmoid(z[:, :2 * units] + p[:, :2 * units])
    u, r = jnp.split(gates, 2, axis=-1)                                     # (batch, units) each
    p_g = p[:, 2 * units:]
    g = jnp.tanh(z[:, 2 * units:] + r * p_g)
    return (u * h + (1 - u) * g,), (jnp.concatenate([gates, g], axis=-1), p_g)


def _gru_slopes(facts: Arrays, before: Carry, after: Carry) -> Arrays:
    """(dh/dp of the three gates side by side, dh/dz_g, dh/dh_before past the gates)."""
    gates, p_g = facts
    u, r, g = jnp.split(gates, 3, axis=-1)
    by_z = (1 - u) * (1 - g * g)
    return jnp.concatenate([(before[0] - g) * u * (1 - u), by_z * p_g * r * (1 - r), by_z * r], axis=-1), by_z, u


def _gru_arrive(d_carry: Carry, slopes: Arrays) -> tuple[Array, Carry]:
    return d_carry[0], (d_carry[0] * slopes[2],)


def _gru_spread(dh: Array, slopes: Arrays) -> tuple[Array, Array]:
    by_p, by_z, _ = slopes
    dp = jnp.concatenate([dh, dh, dh], axis=-1) * by_p
    return jnp.concatenate([dp[..., :2 * dh.shape[-1]], dh * by_z], axis=-1), dp


GRU = Rule(_gru_step, _gru_slopes, _gru_arrive, _gru_spread)


# ---- LSTM: i, f, o = sigmoid(z + p), g = tanh(z + p), c <- f * c + i * g, h <- o * tanh(c)


def _lstm_gates(z: Array) -> Array:
    """sigmoid, sigmoid, tanh, sigmoid of the four quarters of z, by one tanh: sigmoid(z) = (1 + tanh(z / 2)) / 2.

    One function over the whole row is a loop that LLVM vectorises; four over slices of it run at a third of the speed.
    """
    scale = np.repeat(np.array([0.5, 0.5, 1.0, 0.5]), z.shape[-1] // 4).astype(z.dtype)
    return jnp.tanh(z * scale) * scale + (1 - scale)


def _lstm_step(carry: Carry, z: Array, p: Array) -> tuple[Carry, Arrays]:
    _, c = carry
    gates = _lstm_gates(z + p)                                              # (batch, 4 * units)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), (gates,)


def _lstm_slopes(facts: Arrays, before: Carry, after: Carry) -> Arrays:
    """(dc/dz_i, dc/dz_f, dc/dz_g, dh/dz_o side by side; dh/dc; dc/dc_before)."""
    i, f, g, o = jnp.split(facts[0], 4, axis=-1)
    t = jnp.tanh(after[1])
    slopes = [g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), t * o * (1 - o)]
    return jnp.concatenate(slopes, axis=-1), o * (1 - t * t), f


def _lstm_arrive(d_carry: Carry, slopes: Arrays) -> tuple[Any, Carry]:
    dh, dc = d_carry
    dc = dc + dh * slopes[1]
    return (dh, dc), (0, dc * slopes[2])


def _lstm_spread(arrived: Any, slopes: Arrays) -> tuple[Array, Array]:
    dh, dc = arrived
    dz = jnp.concatenate([dc, dc, dc, dh], axis=-1) * slopes[0]
    return dz, dz


LSTM = Rule(_lstm_step, _lstm_slopes, _lstm_arrive, _lstm_spread)
