"""Recurrences as plain functions on arrays: cells, and a cell driven over time. See usual_recurrence.py for those with tanh and
sigmoid, which have a gradient of their own.

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
from jax import lax

from jaxseq.core.require import require
from jaxseq.core.types import Array

Carry = tuple[Any, ...]                 # trees of arrays, each (batch, ...), the output first
Cell = Callable[[Carry, Array], Carry]
Read = Callable[[Carry, Array, Array | None], tuple[Any, Carry]]       # the outputs, or None where nobody wants them
Activation = Callable[[Array], Array]

CACHE_BYTES = 2**22     # of z, in each part of a long sequence on the CPU
SHORT = 8       # so many steps are written out: on the CPU a training step then takes 3 to 20 % less time, from 16 on no less


def project(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """z = x @ kernel + bias for all steps at once.

    Shapes: x (batch, time, d), kernel (d, m), bias (m,) -> z (batch, time, m).

    On the CPU it is written for speed in a loop: as a product of rows, since the gradients of one with two batch axes take
    twice as long; in the order of time, in which the scan reads them; and with the bias as the kernel's last row, so
    that its gradient comes out of the kernel's product. All told, a training step of a small LSTM takes a quarter less.
    Elsewhere the batch stays an axis of its own, so that it can be cut over several devices.
    """
    given = (x, kernel) if bias is None else (x, kernel, bias)
    return lax.platform_dependent(*given, cpu=project_rows, default=project_steps)


def project_steps(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """`project`, as a product with two batch axes."""
    z = x @ kernel
    return z if bias is None else z + bias


def project_rows(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """`project`, as a product of rows, in the order of time."""
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
    z, mask = by_time(z, mask)
    outputs, carry = _scan(cell, carry, z, mask, unroll or is_short(z))
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


def in_cache(read: Read, carry: Carry, x: Array, mask: Array | None, step_bytes: int) -> tuple[Any, Carry]:
    """read(carry, x, mask); on the CPU in segments, where what happens inside would not stay in a processor's cache.

    That takes 0.6 to 1.0 of the time at 2,048 steps, by the size of the cache, though nearly all is computed twice: memory
    costs more than arithmetic.
    step_bytes: of z, in one step. Shapes, errors: as of `in_segments`. Where a length is not known (in an exported program),
    there are no segments.
    """
    if not (isinstance(step_bytes, int) and isinstance(x.shape[1], int)):
        return read(carry, x, mask)
    segments = x.shape[1] // max(2 * SHORT, CACHE_BYTES // max(1, step_bytes))
    if segments < 3:
        return read(carry, x, mask)
    divided = partial(in_segments, read, length=-(-x.shape[1] // segments))
    return lax.platform_dependent(carry, x, mask, cpu=divided, default=read)


def in_segments(read: Read, carry: Carry, x: Array, mask: Array | None = None, *, length: int) -> tuple[Any, Carry]:
    """read(carry, x, mask), with the memory of `length` steps instead of all of them.

    Runs segment after segment of so many steps. For the gradient it keeps the carries between them and nothing else, and
    runs each segment forward once more on the way back; but not the last one, whose turn comes at once. No number changes but
    by rounding. The least memory is needed with a length of about sqrt(time).

    Shapes: x (batch, time, ...), mask (batch, time); read takes any number of steps -> (outputs (batch, time, ...), the
        last carry).
    Raises: ValueError for no steps at all.
    Source: Chen et al. 2016, "Training deep nets with sublinear memory cost".
    """
    _require_steps(x)
    again = jax.checkpoint(read, prevent_cse=False)                         # a loop keeps the two runs apart by itself
    segments = (x.shape[1] - 1) // length                                   # those before the last one
    before = segments * length
    if not segments:
        return read(carry, x, mask)

    def step(carry, segment):
        outputs, carry = again(carry, *segment)
        return carry, outputs

    def cut(x):
        return x[:, :before].reshape(x.shape[0], segments, length, *x.shape[2:]).swapaxes(0, 1)

    carry, outputs = lax.scan(step, carry, jax.tree.map(cut, (x, mask)))    # (segments, batch, length, ...)
    last, carry = read(carry, x[:, before:], None if mask is None else mask[:, before:])

    def joined(outputs, last):
        outputs = outputs.swapaxes(0, 1).reshape(x.shape[0], before, *outputs.shape[3:])
        return jnp.concatenate([outputs, last], axis=1)

    return jax.tree.map(joined, outputs, last), carry


def by_time(z: Array, mask: Array | None) -> tuple[Array, Array | None]:
    """z (time, batch, ...) and mask (time, batch, 1)."""
    _require_steps(z)
    return z.swapaxes(0, 1), None if mask is None else mask.T[:, :, None]


def is_short(z: Array) -> bool:
    """Whether the steps of z (time, ...) are written out; a loop takes a number of them that is not known."""
    return isinstance(z.shape[0], int) and z.shape[0] <= SHORT


def _require_steps(x: Array) -> None:
    require(x.shape[1] >= 1, f"A recurrent layer needs at least one time step, got {x.shape[0]} sequences of length 0.")


def _scan(cell: Cell, carry: Carry, z: Array, mask: Array | None, unroll: bool) -> tuple[Array, Carry]:
    """(outputs (time, batch, ...), last carry) of time-major z and mask."""
    def step(carry, now):
        z_t, real = now
        carry = kept(real, cell(carry, z_t), carry)
        return carry, carry[0]

    carry, outputs = lax.scan(step, carry, (z, mask), unroll=unroll)
    return outputs, carry


def kept(real: Array | None, new: Any, old: Any) -> Any:
    """`new` at real steps, `old` at masked ones. real: (batch, 1)."""
    if real is None:
        return new
    return jax.tree.map(lambda new, old: jnp.where(real.reshape(-1, *[1] * (new.ndim - 1)), new, old), new, old)
