"""Recurrences as plain functions on arrays: a cell driven over time, and the LSTM with a gradient of its own.

A cell takes (carry, z_t) to the next carry, whose first entry h is its output. z is the input already multiplied by the
kernel: one product for all steps instead of one in each. Arrays are batch-major outside and time-major inside.
At a masked step the carry stays what it was, so the output repeats the one before it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core.require import require
from jaxseq.core.types import Array

Carry = tuple[Array, ...]               # each (batch, units), the output first
Cell = Callable[[Carry, Array], Carry]
Read = Callable[[Carry, Array, Array | None], tuple[Array, Carry]]
Activation = Callable[[Array], Array]

CACHE_BYTES = 5 * 2**19     # of z, in each part of a long sequence on the CPU
SHORT = 8       # so many steps are written out: on the CPU a training step then takes 3 to 20 % less time, from 16 on no less


def project(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """z = x @ kernel + bias for all steps at once.

    Shapes: x (batch, time, d), kernel (d, m), bias (m,) -> z (batch, time, m).

    Written for speed in a loop on XLA:CPU: as a product of rows, since the gradients of one with two batch axes take
    twice as long; in the order of time, in which the scan reads them; and with the bias as the kernel's last row, so
    that its gradient comes out of the kernel's product. All told, a training step of a small LSTM takes a quarter less.
    """
    batch, time, features = x.shape
    rows = x.swapaxes(0, 1).reshape(time * batch, features)
    if bias is not None:
        rows = jnp.concatenate([rows, jnp.ones((time * batch, 1), x.dtype)], axis=1)
        kernel = jnp.concatenate([kernel, bias[None]])
    return (rows @ kernel).reshape(time, batch, kernel.shape[-1]).swapaxes(0, 1)


def over_time(cell: Cell, carry: Carry, z: Array, mask: Array | None = None, *,
              unroll: bool = False) -> tuple[Array, Carry]:
    """Drives a cell over time: carry_t = cell(carry_{t-1}, z_t) at a real step, carry_{t-1} at a masked one.

    Shapes: z (batch, time, m), mask (batch, time) bool -> (outputs (batch, time, units), the last carry).
    unroll: writes all steps out one after the other instead of a loop, as is always done for `SHORT` sequences.
    Raises: ValueError for no steps at all.
    """
    z, mask = _by_time(z, mask)
    outputs, carry = _scan(cell, carry, z, mask, unroll or len(z) <= SHORT)
    return outputs.swapaxes(0, 1), carry


def lstm_cell(recurrent_kernel: Array, activation: Activation, recurrent_activation: Activation,
              kept: Array | None = None) -> Cell:
    """The LSTM's cell, gates in the order i, f, c, o:

        i, f, o = recurrent_activation(z + h @ recurrent_kernel),   g = activation(z + h @ recurrent_kernel)
        c <- f * c + i * g,   h <- o * activation(c)

    Shapes: recurrent_kernel (units, 4 * units), h and c (batch, units), z_t (batch, 4 * units).
    kept: (batch, 4, units), what h is multiplied with on its way into each gate: recurrent dropout.
    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    units = recurrent_kernel.shape[0]
    per_gate = recurrent_kernel.reshape(units, 4, units)

    def recurrent(h: Array) -> Array:
        if kept is None:
            return h @ recurrent_kernel
        return jnp.einsum("bgu,ugv->bgv", h[:, None] * kept, per_gate).reshape(-1, 4 * units)

    def cell(carry: Carry, z: Array) -> Carry:
        h, c = carry
        i, f, g, o = jnp.split(z + recurrent(h), 4, axis=-1)                # (batch, units) each
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        return recurrent_activation(o) * activation(c), c

    return cell


def lstm(z: Array, recurrent_kernel: Array, h: Array, c: Array, mask: Array | None = None, *,
         unroll: bool = False) -> tuple[Array, Array, Array]:
    """`over_time` of the LSTM's cell with tanh and sigmoid, and a gradient that runs two to three times as fast.

    Forward saves the activated gates. Backward leaves one product to each step of the reverse scan, and makes the
    gradient of the recurrent kernel in one product after it.
    Forward-mode derivatives (jax.jvp, jax.jacfwd) are not defined here: use `over_time` for them.

    Shapes: z (batch, time, 4 * units), recurrent_kernel (units, 4 * units), h and c (batch, units), mask (batch, time)
        bool -> (outputs (batch, time, units), last h, last c).
    Raises: ValueError for no steps at all.
    """
    z, mask = _by_time(z, mask)
    outputs, h, c = _with_own_gradient(z, recurrent_kernel, h, c, mask, unroll or len(z) <= SHORT)
    return outputs.swapaxes(0, 1), h, c


def in_cache(read: Read, carry: Carry, x: Array, mask: Array | None, step_bytes: int) -> tuple[Array, Carry]:
    """read(carry, x, mask); on the CPU in segments, where what happens inside would not stay in a processor's cache.

    That takes 0.6 to 0.8 of the time at 2,048 steps, though all is computed twice: memory costs more than arithmetic there.
    step_bytes: of z, in one step. Shapes, errors: as of `in_segments`.
    """
    segments = x.shape[1] // max(2 * SHORT, CACHE_BYTES // step_bytes)
    if segments < 3:
        return read(carry, x, mask)
    divided = partial(in_segments, read, length=x.shape[1] // segments)
    return lax.platform_dependent(carry, x, mask, cpu=divided, default=read)


def in_segments(read: Read, carry: Carry, x: Array, mask: Array | None = None, *, length: int) -> tuple[Array, Carry]:
    """read(carry, x, mask), with the memory of `length` steps instead of all of them.

    Runs segment after segment of so many steps. For the gradient it keeps the carries between them and nothing else, and
    runs each segment forward once more on the way back. No number changes but by rounding. The least memory is needed
    with a length of about sqrt(time).

    Shapes: x (batch, time, d), mask (batch, time); read takes any number of steps -> (outputs (batch, time, units), the
        last carry).
    Raises: ValueError for no steps at all.
    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
    """
    _require_steps(x)
    time = x.shape[1]
    whole = time - time % length
    again = jax.checkpoint(read, prevent_cse=False)                         # a loop keeps the two runs apart by itself

    def step(carry, segment):
        outputs, carry = again(carry, *segment)
        return carry, outputs

    def cut(x):
        return x[:, :whole].reshape(x.shape[0], -1, length, *x.shape[2:]).swapaxes(0, 1)

    carry, outputs = lax.scan(step, carry, jax.tree.map(cut, (x, mask)))    # (segments, batch, length, units)
    outputs = outputs.swapaxes(0, 1).reshape(x.shape[0], whole, outputs.shape[-1])
    if whole < time:
        rest, carry = again(carry, x[:, whole:], None if mask is None else mask[:, whole:])
        outputs = jnp.concatenate([outputs, rest], axis=1)
    return outputs, carry


def _by_time(z: Array, mask: Array | None) -> tuple[Array, Array | None]:
    """z (time, batch, m) and mask (time, batch, 1)."""
    _require_steps(z)
    return z.swapaxes(0, 1), None if mask is None else mask.T[:, :, None]


def _require_steps(x: Array) -> None:
    require(x.shape[1] >= 1, f"A recurrent layer needs at least one time step, got {x.shape[0]} sequences of length 0.")


def _scan(cell: Cell, carry: Carry, z: Array, mask: Array | None, unroll: bool) -> tuple[Array, Carry]:
    """(outputs (time, batch, units), last carry) of time-major z and mask."""
    def step(carry, now):
        z_t, real = now
        carry = _kept(real, cell(carry, z_t), carry)
        return carry, carry[0]

    carry, outputs = lax.scan(step, carry, (z, mask), unroll=unroll)
    return outputs, carry


def _kept(real: Array | None, new: Any, old: Any) -> Any:
    """`new` at real steps, `old` at masked ones."""
    return new if real is None else jax.tree.map(partial(jnp.where, real), new, old)


# ---- tanh and sigmoid, with their own gradient; all time-major ----


def _gates(z: Array) -> Array:
    """sigmoid, sigmoid, tanh, sigmoid of the four quarters of z, by one tanh: sigmoid(z) = (1 + tanh(z / 2)) / 2.

    One function over the whole row is a loop that LLVM vectorises; four over slices of it run at a third of the speed.
    """
    scale = np.repeat(np.array([0.5, 0.5, 1.0, 0.5]), z.shape[-1] // 4).astype(z.dtype)
    return jnp.tanh(z * scale) * scale + (1 - scale)


def _step(carry: Carry, z: Array, recurrent_kernel: Array) -> tuple[Carry, Array]:
    h, c = carry
    gates = _gates(z + h @ recurrent_kernel)                                # (batch, 4 * units)
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), gates


def _lstm(z, recurrent_kernel, h, c, mask, unroll):
    """(outputs (time, batch, units), last h, last c)."""
    outputs, (h, c) = _scan(lambda carry, z_t: _step(carry, z_t, recurrent_kernel)[0], (h, c), z, mask, unroll)
    return outputs, h, c


def _lstm_forward(z, recurrent_kernel, h, c, mask, unroll):
    def step(carry, now):
        z_t, real = now
        new, gates = _step(carry, z_t, recurrent_kernel)
        carry = _kept(real, new, carry)
        return carry, (carry, gates)

    (last_h, last_c), ((hs, cs), gates) = lax.scan(step, (h, c), (z, mask), unroll=unroll)
    return (hs, last_h, last_c), (recurrent_kernel, h, c, mask, hs, cs, gates)


def _lstm_backward(unroll, saved, cotangents):
    """dz = [dc, dc, dc, dh] * slopes, with d for dloss/d; dz @ recurrent_kernel.T flows on to the step before.

    A loop finds the slopes worked out for all steps at once. Where the steps are written out, each works out its own, as
    XLA then reads the gates where forward left them, and stacks nothing.
    """
    recurrent_kernel, h, c, mask, hs, cs, gates = saved
    d_outputs, dh, dc = cotangents
    known = gates, _before(c, cs), cs
    slopes = known if unroll else _slopes(*known)
    transposed = lax.optimization_barrier(recurrent_kernel.T)               # once, and not within the product of each step

    def step(carry, now):
        (dh, dc), (d_output, slopes, real) = carry, now
        slope, through, f = _slopes(*slopes) if unroll else slopes
        dh = dh + d_output
        dc_new = dc + dh * through                                          # (batch, units)
        dz = jnp.concatenate([dc_new, dc_new, dc_new, dh], axis=-1) * slope     # (batch, 4 * units)
        dz = _kept(real, dz, jnp.zeros_like(dz))
        return _kept(real, (dz @ transposed, dc_new * f), (dh, dc)), dz

    (dh, dc), dz = lax.scan(step, (dh, dc), (d_outputs, slopes, mask), reverse=True, unroll=unroll)
    return dz, _rows(_before(h, hs)).T @ _rows(dz), dh, dc, None


_with_own_gradient = jax.custom_vjp(_lstm, nondiff_argnums=(5,))
_with_own_gradient.defvjp(_lstm_forward, _lstm_backward)


def _slopes(gates: Array, c_before: Array, c: Array) -> tuple[Array, Array, Array]:
    """(dc/dz_i, dc/dz_f, dc/dz_g, dh/dz_o side by side; dh/dc; dc/dc_before), for one step or all of them."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)                               # (..., batch, units) each
    t = jnp.tanh(c)
    slopes = [g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g), t * o * (1 - o)]
    return jnp.concatenate(slopes, axis=-1), o * (1 - t * t), f


def _before(first: Array, states: Array) -> Array:
    """The state that each step found: (time, batch, units)."""
    return jnp.concatenate([first[None], states[:-1]])


def _rows(x: Array) -> Array:
    """(time, batch, m) -> (time * batch, m)."""
    return x.reshape(-1, x.shape[-1])
