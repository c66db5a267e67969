"""Recurrent layers: a cell that reads a sequence. The cells are in cells.py, the loops in kernels/recurrence.py."""

from __future__ import annotations

import math
from dataclasses import field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.recurrence import in_cache, in_segments
from jaxseq.core.layer import sequence_in_words
from jaxseq.core.layers.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells, after, checked_cell, read_by
from jaxseq.core.nested import Nested
from jaxseq.core.precision import as_given, wide_dtype
from jaxseq.core.require import require
from jaxseq.core.types import Array, Ctx, Spec, State


class Sequences(Cell):
    """A cell over whole sequences: what every recurrent layer has besides its cell. It stands before the cell among the bases.

    `weights`, `start` and `read` are the cell's.
    """

    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    remat: bool = field(default=False, kw_only=True)
    zero_output_for_mask: bool = field(default=False, kw_only=True)
    activity_regularizer: Any = field(default=None, kw_only=True)

    unused_words: ClassVar[tuple[str, ...]] = ("use_cudnn",)
    shape_in_words = staticmethod(sequence_in_words)

    def __post_init__(self):
        name = type(self).__name__
        require(not self.return_state, f"{name}(return_state=True): a layer of a Sequential has one output. Write "
                "stateful=True and read layer.states after the batch.")
        super().__post_init__()

    def init(self, key, x):
        self.require_sequence(x)
        step = step_of(x)
        return self.draw_weights(key, step), self.start(step) if self.stateful else {}

    def apply(self, params, state, x, ctx):
        mask = mask_of(x, ctx)
        carry = self.start(step_of(x))
        if self.stateful:
            carry = carried({name: state[name] for name in carry}, x.shape[0])
        carry = jax.tree.map(partial(_as_wide_as, x), dict(carry))
        now = self.first_output(params, carry, step_of(x), ctx), carry
        if self.go_backwards:
            x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
        outputs, (last, carry) = self._read_all(params, now, x, mask, ctx)
        y = outputs if self.return_sequences else last
        if self.zero_output_for_mask and mask is not None:
            y = zeroed(y, mask if self.return_sequences else mask[:, -1])
        return as_given(y, x), after(state, carry) if self.stateful else state

    def _read_all(self, params, now, x, mask, ctx) -> tuple[Any, Any]:
        """`read`, in segments where memory is short. Outputs that nobody wants are None: else every segment would read zeros
        for their gradient."""
        def read(now, x, mask):
            outputs, after = read_by(self, params, now, x, mask, ctx, self.unroll)
            return outputs if self.return_sequences else None, after

        if self.remat and isinstance(x.shape[1], int):     # an exported program may not know it
            return in_segments(read, now, x, mask, length=max(1, math.isqrt(x.shape[1])))
        if self.unroll:
            return read(now, x, mask)
        return in_cache(read, now, x, mask, step_bytes=getattr(self, "gates", 1) * now[0].nbytes)

    def require_sequence(self, x: Spec) -> None:
        """ValueError unless x is a sequence such as the cell reads."""
        require(len(x.shape) == 3, f"{type(self).__name__} needs x (batch, time, features), got {x.shape}. Write "
                "return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None].")

    def out_mask(self, x, mask):
        if mask is None or not self.return_sequences:
            return None
        return mask[:, ::-1] if self.go_backwards else mask


class SimpleRNN(Sequences, SimpleRNNCell):
    """Reads a sequence into h, which at each step is a function of x and of itself:

        h <- activation(x_t @ kernel + bias + h @ recurrent_kernel)

    Shapes: x (batch, time, features) -> h after the last step (batch, units), or with return_sequences h after each
        step (batch, time, units).
    Params: kernel (features, units), Glorot-uniform; recurrent_kernel (units, units), orthogonal; bias (units,), zeros.
    State, Mask, options, Raises: as for LSTM, with h alone.
    Source: Elman 1990. Where Keras 3 differs: see LSTM.
    """


class GRU(Sequences, GRUCell):
    """Reads a sequence into h; gates decide what of it is kept (u) and what of it is read (r):

        u, r = recurrent_activation(z_u + p_u, z_r + p_r),  z = x_t @ kernel + bias[0],  p = h @ recurrent_kernel + bias[1]
        h <- u * h + (1 - u) * activation(z_g + r * p_g)

    and with reset_after=False z = x_t @ kernel + bias, p = h @ recurrent_kernel, and (r * h) @ recurrent_kernel_g for
    r * p_g.

    Shapes: x (batch, time, features) -> h after the last step (batch, units), or with return_sequences h after each
        step (batch, time, units). Gates stand in the order u, r, g, Keras's z, r, h.
    Params: kernel (features, 3 * units), Glorot-uniform; recurrent_kernel (units, 3 * units), orthogonal as a whole;
        bias (2, 3 * units), or (3 * units,) with reset_after=False, zeros.
    State, Mask, options, Raises: as for LSTM, with h alone.
    Source: Cho et al. 2014, with reset_after in the form of cuDNN; numbers of Keras 3. Keras 2 has reset_after=False and
        hard_sigmoid. Where Keras 3 differs: see LSTM.
    """


class LSTM(Sequences, LSTMCell):
    """Reads a sequence into a memory c; gates decide what is written (i), kept (f) and shown (o):

        z = x_t @ kernel + bias + h @ recurrent_kernel,   i, f, o = recurrent_activation(z_i, z_f, z_o)
        c <- f * c + i * activation(z_c),   h <- o * activation(c)

    Shapes: x (batch, time, features) -> h after the last step (batch, units), or with return_sequences h after each
        step (batch, time, units). Gates stand in the order i, f, c, o.
    Params: kernel (features, 4 * units), Glorot-uniform; recurrent_kernel (units, 4 * units), orthogonal as a whole;
        bias (4 * units,), ones for f with unit_forget_bias, else zeros.
    State: none; if stateful, h and c (batch, units), zeros at first. It is carried from batch to batch in training,
        evaluation and prediction alike until `reset_states()`, and no gradient flows from one batch to the one before.
    Mask: a masked step keeps h and c, so its output repeats the one before. The mask goes on with return_sequences.

    dropout, recurrent_dropout: rates on x and on h on their way into the gates, in training only. What is dropped stays
        dropped over all steps. x has one draw for the four gates, h one for each.
    seed: a number that sets this layer's draws apart.
    go_backwards: reads from the last step to the first; the outputs, and the mask that goes on, stand in that order.
    unroll: writes all steps out instead of a loop. Slower to compile; no number changes but by rounding. Up to 8 steps
        are always written out.
    remat: runs the layer forward a second time on the way back instead of keeping what happened inside: the memory of
        sqrt(time) steps instead of time, for about a third more arithmetic. No number changes but by rounding.
    zero_output_for_mask: the output of a masked step is zero instead of the one before.
    implementation: Keras 2's choice between two ways to compute the same. Accepted, and without meaning here.
    Raises: ValueError for units < 1, a rate outside [0, 1), x without a time axis or without steps, a batch of another
        size than the carried state, and return_state=True.
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (forget gate); Jozefowicz et al. 2015 (its bias); Gal &
        Ghahramani 2016 (dropout). Keras 3 on JAX loses the carried state in fit, evaluate and predict, draws x four
        times if recurrent_dropout is set, and hands the mask on in the order of the input when going backwards.
    """


class _Held(Nested, Cell):      # pyright: ignore[reportIncompatibleVariableOverride]  # statistics of its parts
    """The cell in the field `cell`, as if it were this one."""

    cell: Any

    def __post_init__(self):
        cell = StackedRNNCells(tuple(self.cell)) if isinstance(self.cell, list | tuple) else self.cell
        object.__setattr__(self, "cell", checked_cell(cell))
        super().__post_init__()

    def parts(self):
        return {"": self.cell}

    def draw_weights(self, key, x):
        return self.cell.draw_weights(key, x)

    def start(self, x):
        return self.cell.start(x)

    def step(self, params, carry, x, ctx):
        return self.cell.step(params, carry, x, ctx)

    def first_output(self, params, carry, x, ctx):
        return self.cell.first_output(params, carry, x, ctx)

    def read(self, params, now, x, mask, ctx, unroll):
        return read_by(self.cell, params, now, x, mask, ctx, unroll)


class RNN(Sequences, _Held):
    """Reads a sequence with a cell, or with a list of cells one on the other: RNN(LSTMCell(32)), RNN([GRUCell(8), Mine(4)]).

    A cell of one's own is a class with three methods: see `Cell`.

    Shapes: x (batch, time, ...) -> what the cell shows after the last step (batch, ...), or with return_sequences after
        each step (batch, time, ...).
    Params: those of the cell; of several cells with cell_0_, cell_1_, ... before their names.
    State: none; if stateful, the cell's carry.
    Mask: a masked step keeps the carry, and its output repeats the one before; before the first real step a cell of one's
        own shows zeros.
    Other options: as for LSTM.
    Raises: TypeError for what is no cell; ValueError as for LSTM.
    Source: as keras.layers.RNN. Keras cells name `state_size` and are given lists of states; these name each state.
    """

    def require_sequence(self, x):
        require(len(x.shape) >= 2, f"RNN needs x (batch, time, ...), got {x.shape}.")


CuDNNGRU, CuDNNLSTM = GRU, LSTM         # the names that Keras 2 has for the same on a GPU


def step_of(x: Array | Spec) -> Spec:
    """The Spec of one step of x."""
    return Spec((x.shape[0], *x.shape[2:]), x.dtype)


def carried(state: State, batch: int) -> State:
    """The carry before the first step of a stateful layer: what the batch before left behind."""
    size = jax.tree.leaves(state)[0].shape[0]
    require(size == batch, f"The layer is stateful and carries the state of a batch of {size}, got a batch of {batch}. Pass "
            f"batches of {size}, so a multiple of {size} rows in all.")
    return jax.tree.map(lax.stop_gradient, state)


def mask_of(x: Array, ctx: Ctx) -> Array | None:
    """The mask (batch, time), if there is one; a ValueError when it does not fit."""
    require(ctx.mask is None or ctx.mask.shape == x.shape[:2], f"A recurrent layer needs a mask (batch, time) "
            f"{x.shape[:2]}, got {None if ctx.mask is None else ctx.mask.shape}.")
    return ctx.mask


def zeroed(y: Array, mask: Array) -> Array:
    """y (batch, [time], ...) with zeros where the mask (batch, [time]) is False."""
    return jnp.where(mask.reshape(*mask.shape, *[1] * (y.ndim - mask.ndim)), y, jnp.zeros((), y.dtype))


def _as_wide_as(x: Array, carried: Array) -> Array:
    """What is carried as float32, or as wide as x where that is wider."""
    floats = jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(carried.dtype, jnp.floating)
    return carried.astype(wide_dtype(x.dtype)) if floats else carried
