"""Recurrences as plain functions on arrays: cells, a cell driven over time, and the LSTM with a gradient of its own.

A cell takes (carry, z_t) to the next carry, whose first entry is its output. z is the input already multiplied by the
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

Carry = tuple[Any, ...]                 # trees of arrays, each (batch, ...), the output first
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

    Shapes: z (batch, time, ...), mask (batch, time) bool -> (outputs (batch, time, ...), the last carry).
    unroll: writes all steps out one after the other instead of a loop, as is always done for `SHORT` sequences.
    Raises: ValueError for no steps at all.
    """
    z, mask = _by_time(z, mask)
    outputs, carry = _scan(cell, carry, z, mask, unroll or len(z) <= SHORT)
    return outputs.swapaxes(0, 1), carry


def recurrent_product(h: Array, kernel: Array, kept: Array | None = None) -> Array:
    """h @ kernel, or with recurrent dropout (h * kept_g) @ kernel_g for each gate g.

    Shapes: h (batch, units), kernel (units, gates * units), kept (batch, gates, units) -> (batch, gates * units).
    """
    if kept is None:
        return h @ kernel
    per_gate = kernel.reshape(kernel.shape[0], kept.shape[1], -1)
    return jnp.einsum("bgu,ugv->bgv", h[:, None] * kept, per_gate).reshape(-1, kernel.shape[1])


def simple_cell(recurrent_kernel: Array, activation: Activation, kept: Array | None = None) -> Cell:
    """The plain cell: h <- activation(z + h @ recurrent_kernel).

    Shapes: recurrent_kernel (units, units), h (batch, units), z_t (batch, units).
    kept: (batch, 1, units), what h is multiplied with on its way in: recurrent dropout.
    Source: Elman 1990.
    """
    return lambda carry, z: (activation(z + recurrent_product(carry[0], recurrent_kernel, kept)),)


def gru_cell(recurrent_kernel: Array, recurrent_bias: Array | None, activation: Activation, recurrent_activation: Activation,
             kept: Array | None = None) -> Cell:
    """The GRU's cell with the reset gate after the product, gates in the order u, r, g:

        p = h @ recurrent_kernel + recurrent_bias,   u, r = recurrent_activation(z + p),   g = activation(z + r * p)
        h <- u * h + (1 - u) * g

    Shapes: recurrent_kernel (units, 3 * units), recurrent_bias (3 * units,), h (batch, units), z_t (batch, 3 * units).
    kept: (batch, 3, units), what h is multiplied with on its way into each gate: recurrent dropout.
    Source: Cho et al. 2014, the first version on arXiv (1406.1078v1), as cuDNN computes it.
    """
    def cell(carry: Carry, z: Array) -> Carry:
        h, = carry
        p = recurrent_product(h, recurrent_kernel, kept)
        if recurrent_bias is not None:
            p = p + recurrent_bias
        (z_u, z_r, z_g), (p_u, p_r, p_g) = jnp.split(z, 3, axis=-1), jnp.split(p, 3, axis=-1)       # (batch, units) each
        u, r = recurrent_activation(z_u + p_u), recurrent_activation(z_r + p_r)
        return (u * h + (1 - u) * activation(z_g + r * p_g),)

    return cell


def gru_cell_reset_before(recurrent_kernel: Array, activation: Activation, recurrent_activation: Activation,
                          kept: Array | None = None) -> Cell:
    """The GRU's cell with the reset gate before the product: as `gru_cell`, but g = activation(z + (r * h) @ kernel_g).

    Source: Cho et al. 2014, as published.
    """
    units = recurrent_kernel.shape[0]
    gates, candidate = recurrent_kernel[:, :2 * units], recurrent_kernel[:, 2 * units:]
    kept_gates, kept_candidate = (None, None) if kept is None else (kept[:, :2], kept[:, 2:])

    def cell(carry: Carry, z: Array) -> Carry:
        h, = carry
        u, r = jnp.split(recurrent_activation(z[:, :2 * units] + recurrent_product(h, gates, kept_gates)), 2, axis=-1)
        g = activation(z[:, 2 * units:] + recurrent_product(r * h, candidate, kept_candidate))
        return (u * h + (1 - u) * g,)

    return cell


def lstm_cell(recurrent: Activation, activation: Activation, recurrent_activation: Activation) -> Cell:
    """The LSTM's cell, gates in the order i, f, c, o:

        i, f, o = recurrent_activation(z + recurrent(h)),   g = activation(z + recurrent(h))
        c <- f * c + i * g,   h <- o * activation(c)

    Shapes: h and c (batch, ..., units), recurrent(h) and z_t (batch, ..., 4 * units).
    recurrent: the product of h and the recurrent kernel, or their convolution.
    Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    def cell(carry: Carry, z: Array) -> Carry:
        h, c = carry
        i, f, g, o = jnp.split(z + recurrent(h), 4, axis=-1)                # (batch, ..., units) each
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

    Shapes: x (batch, time, ...), mask (batch, time); read takes any number of steps -> (outputs (batch, time, ...), the
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

    carry, outputs = lax.scan(step, carry, jax.tree.map(cut, (x, mask)))    # (segments, batch, length, ...)
    outputs = outputs.swapaxes(0, 1).reshape(x.shape[0], whole, *outputs.shape[3:])
    if whole < time:
        rest, carry = again(carry, x[:, whole:], None if mask is None else mask[:, whole:])
        outputs = jnp.concatenate([outputs, rest], axis=1)
    return outputs, carry


def _by_time(z: Array, mask: Array | None) -> tuple[Array, Array | None]:
    """z (time, batch, ...) and mask (time, batch, 1)."""
    _require_steps(z)
    return z.swapaxes(0, 1), None if mask is None else mask.T[:, :, None]


def _require_steps(x: Array) -> None:
    require(x.shape[1] >= 1, f"A recurrent layer needs at least one time step, got {x.shape[0]} sequences of length 0.")


def _scan(cell: Cell, carry: Carry, z: Array, mask: Array | None, unroll: bool) -> tuple[Array, Carry]:
    """(outputs (time, batch, ...), last carry) of time-major z and mask."""
    def step(carry, now):
        z_t, real = now
        carry = _kept(real, cell(carry, z_t), carry)
        return carry, carry[0]

    carry, outputs = lax.scan(step, carry, (z, mask), unroll=unroll)
    return outputs, carry


def _kept(real: Array | None, new: Any, old: Any) -> Any:
    """`new` at real steps, `old` at masked ones. real: (batch, 1)."""
    if real is None:
        return new
    return jax.tree.map(lambda new, old: jnp.where(real.reshape(-1, *[1] * (new.ndim - 1)), new, old), new, old)


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
