"""Recurrent layers: a small network that reads a sequence step by step. The arithmetic is in kernels/recurrence.py."""

from __future__ import annotations

import math
from dataclasses import field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core import activations, rng
from jaxseq.core.kernels.dropout import check_rate, dropped, own_key
from jaxseq.core.kernels.recurrence import Carry, in_cache, in_segments, lstm, lstm_cell, over_time, project
from jaxseq.core.layer import Layer, sequence_in_words
from jaxseq.core.precision import wide_dtype, widened
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.types import Array, Ctx, Key, Spec, State

STATES = "h", "c"
TANH, SIGMOID = (activations.tanh, jnp.tanh), (activations.sigmoid, jax.nn.sigmoid)


class LSTM(Layer):
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
    implementation: Keras 2's choice between two ways to compute the same. Accepted, and without meaning here.
    Raises: ValueError for units < 1, a rate outside [0, 1), x without a time axis or without steps, a batch of another
        size than the carried state, and return_state=True.
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (forget gate); Jozefowicz et al. 2015 (its bias); Gal &
        Ghahramani 2016 (dropout). Keras 3 on JAX loses the carried state in fit, evaluate and predict, draws x four
        times if recurrent_dropout is set, and hands the mask on in the order of the input when going backwards.
    """

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    remat: bool = field(default=False, kw_only=True)
    implementation: int = field(default=2, kw_only=True, compare=False)

    shape_in_words = staticmethod(sequence_in_words)

    def __post_init__(self):
        positive_int("LSTM(units)", self.units)
        check_rate("LSTM", self.dropout, "dropout")
        check_rate("LSTM", self.recurrent_dropout, "recurrent_dropout")
        one_of("LSTM(implementation)", self.implementation, (1, 2))
        refuse_return_state("LSTM", self.return_state)

    def init(self, key, x):
        weights = {"kernel": (features_of(x, "LSTM"), 4 * self.units), "recurrent_kernel": (self.units, 4 * self.units)}
        params = self.draw(key, weights | {"bias": (4 * self.units,)} if self.use_bias else weights)
        if self.use_bias and self.unit_forget_bias:
            params["bias"] = params["bias"].at[self.units:2 * self.units].set(1)
        return params, zero_state(x, self.units, STATES) if self.stateful else {}

    def apply(self, params, state, x, ctx):
        if ctx.train and self.dropout > 0:
            x = dropped_alike(x, own_key(ctx.key, self.seed), self.dropout)
        mask = mask_of(x, ctx)
        like = Spec(x.shape, wide_dtype(jnp.result_type(x, params["kernel"])))
        carry = start(state, like, STATES) if self.stateful else from_zero(like, self.units, STATES)
        read = partial(self._read, params, self._kept(like, ctx))
        if self.go_backwards:
            x, mask = x[:, ::-1], None if mask is None else mask[:, ::-1]
        if self.remat:
            outputs, carry = in_segments(read, carry, x, mask, length=max(1, math.isqrt(x.shape[1])))
        elif self.unroll:
            outputs, carry = read(carry, x, mask)
        else:
            outputs, carry = in_cache(read, carry, x, mask, step_bytes=len(x) * 4 * self.units * like.dtype.itemsize)
        y = outputs if self.return_sequences else carry[0]
        return y.astype(x.dtype), after(state, carry, STATES) if self.stateful else state

    def _read(self, params, kept, carry, x, mask):
        """(outputs (batch, time, units), last carry), by the faster of two ways where the layer's functions allow."""
        z = widened(project(x, params["kernel"], params.get("bias")))      # (batch, time, 4 * units)
        recurrent_kernel = widened(params["recurrent_kernel"])
        activation, recurrent_activation = activations.get(self.activation), activations.get(self.recurrent_activation)
        if kept is None and activation in TANH and recurrent_activation in SIGMOID:
            outputs, h, c = lstm(z, recurrent_kernel, carry[0], carry[1], mask, unroll=self.unroll)
            return outputs, (h, c)
        cell = lstm_cell(recurrent_kernel, activation, recurrent_activation, kept)
        return over_time(cell, carry, z, mask, unroll=self.unroll)

    def _kept(self, like, ctx):
        """The draw of recurrent dropout, the same for all steps; None where nothing is dropped."""
        if not ctx.train or self.recurrent_dropout == 0:
            return None
        return recurrent_draw(like, own_key(ctx.key, self.seed), self.recurrent_dropout, 4, self.units)

    def out_mask(self, x, mask):
        return sequence_mask(mask, self.return_sequences, self.go_backwards)

    def reset(self, state):
        return jax.tree.map(jnp.zeros_like, state)


# ---- what every recurrent layer does alike ----


def refuse_return_state(name: str, return_state: bool) -> None:
    """ValueError for return_state=True."""
    require(not return_state, f"{name}(return_state=True): a layer of a Sequential has one output. Write stateful=True "
            "and read layer.states after the batch.")


def features_of(x: Spec, name: str) -> int:
    """The number of features of x (batch, time, features); a ValueError for any other rank."""
    require(len(x.shape) == 3, f"{name} needs x (batch, time, features), got {x.shape}. Write return_sequences=True in "
            "the recurrent layer before it, or give x a time axis: x[:, :, None].")
    return x.shape[-1]


def zero_state(x: Spec, units: int, names: tuple[str, ...]) -> State:
    """Zeros (batch, units) under each name."""
    return {name: jnp.zeros((x.shape[0], units), jnp.float32) for name in names}


def from_zero(like: Spec, units: int, names: tuple[str, ...]) -> Carry:
    """Zeros (batch, units) for each name: the carry before the first step of a layer that is not stateful."""
    return tuple(jnp.zeros((like.shape[0], units), like.dtype) for _ in names)


def start(state: State, like: Spec, names: tuple[str, ...]) -> Carry:
    """The carry before the first step of a stateful layer: what the batch before left behind."""
    carried = state[names[0]].shape[0]
    require(carried == like.shape[0], f"The layer is stateful and carries the state of a batch of {carried}, got a batch "
            f"of {like.shape[0]}. Pass batches of {carried}, so a multiple of {carried} rows in all.")
    return tuple(lax.stop_gradient(state[name]).astype(like.dtype) for name in names)


def after(state: State, carry: Carry, names: tuple[str, ...]) -> State:
    """The state that the next batch finds: the last carry, cut off from gradients."""
    last = {name: lax.stop_gradient(value).astype(state[name].dtype) for name, value in zip(names, carry, strict=True)}
    return {**state, **last}


def mask_of(x: Array, ctx: Ctx) -> Array | None:
    """The mask (batch, time), if there is one; a ValueError when it does not fit."""
    require(ctx.mask is None or ctx.mask.shape == x.shape[:2], f"A recurrent layer needs a mask (batch, time) "
            f"{x.shape[:2]}, got {None if ctx.mask is None else ctx.mask.shape}.")
    return ctx.mask


def sequence_mask(mask: Array | None, return_sequences: bool, go_backwards: bool) -> Array | None:
    """The mask of the outputs, in their order; None where there is one output only."""
    if mask is None or not return_sequences:
        return None
    return mask[:, ::-1] if go_backwards else mask


def dropped_alike(x: Array, key: Key, rate: float) -> Array:
    """x with the same features dropped at every step: one draw (batch, 1, features)."""
    return dropped(x, rng.fold_in(key, "dropout"), rate, (x.shape[0], 1, x.shape[2]))


def recurrent_draw(like: Spec, key: Key, rate: float, gates: int, units: int) -> Array:
    """What h is multiplied with on its way into each gate: 0 or 1 / (1 - rate), (batch, gates, units)."""
    shape = like.shape[0], gates, units
    return dropped(jnp.ones(shape, like.dtype), rng.fold_in(key, "recurrent_dropout"), rate, shape)
