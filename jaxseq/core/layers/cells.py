"""Cells: one step of a recurrent layer. `RNN` carries them over a sequence; SimpleRNN, GRU and LSTM are made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core import activations, rng
from jaxseq.core.kernels import usual_recurrence as usual
from jaxseq.core.kernels.dropout import check_rate, dropped, own_key
from jaxseq.core.kernels.recurrence import (
    gru_cell,
    gru_cell_reset_before,
    lstm_cell,
    over_time,
    project,
    recurrent_product,
    simple_cell,
)
from jaxseq.core.layer import Layer
from jaxseq.core.nested import Nested, joined, named, own
from jaxseq.core.overriding import speaks_for
from jaxseq.core.policy import cast
from jaxseq.core.precision import as_given, wide_dtype, widened
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.types import Array, Ctx, Key, Params, Spec, State

TANH, SIGMOID = (activations.tanh, jnp.tanh), (activations.sigmoid, jax.nn.sigmoid)
Now = tuple[Array, State]       # what the step before left: its output and the carry


class Cell(Layer):
    """One step of a recurrent layer. A cell of one's own says three things, and `RNN` does the rest:

        class Mean(Cell):
            '''h <- (h + x @ kernel) / 2'''
            units: int
            kernel_initializer: Any = "glorot_uniform"

            def draw_weights(self, key, x):              # x: the Spec of one step, (batch, features)
                return self.draw(key, {"kernel": (x.shape[-1], self.units)})

            def start(self, x):                     # the carry before the first step, each entry with its batch axis first
                return {"h": jnp.zeros((x.shape[0], self.units))}

            def step(self, params, carry, x, ctx):  # -> (output, the carry that the next step finds)
                h = (carry["h"] + x @ params["kernel"]) / 2
                return h, {"h": h}

        model.add(RNN(Mean(32), return_sequences=True))

    The draws of a step are functions of ctx.key, which is the same at every step, so what is dropped stays dropped. The
    carry keeps its dtypes: float32 or wider. By itself, without RNN, a cell is a layer that makes one step with each batch
    and carries on from batch to batch.
    """

    def __post_init__(self):
        """Refuses options that make no sense; a cell may have none to refuse."""

    @abstractmethod
    def draw_weights(self, key: Key, x: Spec) -> Params:
        """The first weights for steps like x."""

    @abstractmethod
    def start(self, x: Spec) -> State:
        """The carry before the first step of x."""

    @abstractmethod
    def step(self, params: Params, carry: State, x: Array, ctx: Ctx) -> tuple[Array, State]:
        """(output, new carry) of one step x."""

    def first_output(self, params: Params, carry: State, x: Spec, ctx: Ctx) -> Array:
        """What is shown at masked steps before the first real one, for steps like x: zeros."""
        y, _ = jax.eval_shape(lambda carry, x: self.step(params, carry, x, ctx), carry, x)
        return jnp.zeros(y.shape, y.dtype)

    def read(self, params: Params, now: Now, x: Array, mask: Array | None, ctx: Ctx, unroll: bool) -> tuple[Array, Now]:
        """All steps of x (batch, time, ...) one after the other: (outputs (batch, time, ...), what the last one left)."""
        def step(now, x_t):
            y, carry = self.step(params, now[1], x_t, ctx)
            return jax.tree.map(lambda new, old: new.astype(old.dtype), (y, carry), now)

        return over_time(step, now, x, mask, unroll=unroll)

    def init(self, key, x):
        return self.draw_weights(key, x), self.start(x)

    def apply(self, params, state, x, ctx):
        y, carry = self.step(params, jax.tree.map(lax.stop_gradient, state), x, ctx)
        return y, after(state, carry)

    def reset(self, state):
        return jax.tree.map(jnp.zeros_like, state)


class Weighted(Cell):
    """What the cells with a kernel for x and one for h have in common: how these begin, and what is dropped on the way in.

    gates: how many parts the kernels have. carries: the names of the carry.
    """

    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    recurrent_initializer: Any = "orthogonal"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    recurrent_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    recurrent_constraint: Any = None
    bias_constraint: Any = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: int | None = None
    implementation: int = field(default=2, kw_only=True, compare=False)

    gates: ClassVar[int] = 1
    carries: ClassVar[tuple[str, ...]] = ("h",)

    def __post_init__(self):
        name = type(self).__name__
        check_rate(name, self.dropout, "dropout")
        check_rate(name, self.recurrent_dropout, "recurrent_dropout")
        one_of(f"{name}(implementation)", self.implementation, (1, 2))

    @abstractmethod
    def shapes(self, x: Spec) -> dict[str, tuple[int, ...]]:
        """The shapes of kernel, recurrent_kernel and bias for steps like x."""

    @abstractmethod
    def units_of(self, x: Spec) -> tuple[int, ...]:
        """The shape of h for one row of x."""

    def draw_weights(self, key: Key, x: Spec) -> Params:
        shapes = self.shapes(x)
        return self.draw(key, {name: shapes[name] for name in shapes if name != "bias" or self.use_bias})

    def start(self, x):
        return {name: jnp.zeros((x.shape[0], *self.units_of(x)), jnp.float32) for name in self.carries}

    def step(self, params, carry, x, ctx):
        wide = {name: widened(value) for name, value in carry.items()}
        outputs, (_, carry) = self.read(params, (wide["h"], wide), x[:, None], None, ctx, True)
        return as_given(outputs[:, 0], x), carry

    def first_output(self, params, carry, x, ctx):
        return carry["h"]

    def input_dropped(self, x: Array, ctx: Ctx) -> Array:
        """x (batch, time, ...) with the same elements dropped at every step: one draw for all gates."""
        if not ctx.train or self.dropout == 0:
            return x
        key = rng.fold_in(own_key(ctx.key, self.seed), "dropout")
        return dropped(x, key, self.dropout, (x.shape[0], 1, *x.shape[2:]))

    def kept(self, h: Array, ctx: Ctx) -> Array | None:
        """What h is multiplied with on its way into each gate, 0 or 1 / (1 - rate): (batch, gates, ...); None for nothing."""
        if not ctx.train or self.recurrent_dropout == 0:
            return None
        key, shape = rng.fold_in(own_key(ctx.key, self.seed), "recurrent_dropout"), (h.shape[0], self.gates, *h.shape[1:])
        return dropped(jnp.ones(shape, h.dtype), key, self.recurrent_dropout, shape)


class _Units(Cell):
    units: int
    activation: Any = "tanh"


class _Gated(_Units):
    recurrent_activation: Any = "sigmoid"


class _OverRows(Weighted, _Units):
    """Cells with x (batch, features) and h (batch, units)."""

    def __post_init__(self):
        positive_int(f"{type(self).__name__}(units)", self.units)
        super().__post_init__()

    def shapes(self, x):
        require(len(x.shape) == 2, f"{type(self).__name__} needs steps (batch, features), got {x.shape}.")
        width = self.gates * self.units
        return {"kernel": (x.shape[-1], width), "recurrent_kernel": (self.units, width), "bias": (width,)}

    def units_of(self, x):
        return (self.units,)

    def _projected(self, params: Params, bias: Array | None, x: Array, ctx: Ctx) -> Array:
        """The kernel's product with all steps of x: (batch, time, gates * units)."""
        return widened(project(self.input_dropped(x, ctx), params["kernel"], bias))


class SimpleRNNCell(_OverRows, _Units):
    """The plain cell: h <- activation(x @ kernel + bias + h @ recurrent_kernel).

    Shapes: x (batch, features), h (batch, units) -> y = h (batch, units).
    Params: kernel (features, units), Glorot-uniform; recurrent_kernel (units, units), orthogonal; bias (units,), zeros.
    State: h, the carry.
    Raises: ValueError for units < 1, a rate outside [0, 1), and steps of another rank.
    Source: Elman 1990; numbers of Keras 3.
    """

    def read(self, params, now, x, mask, ctx, unroll):
        _, carry = now
        z, kept = self._projected(params, params.get("bias"), x, ctx), self.kept(carry["h"], ctx)
        recurrent_kernel, activation = widened(params["recurrent_kernel"]), activations.get(self.activation)
        if kept is None and activation in TANH:
            outputs, (h,) = _recur(ctx)(usual.SIMPLE_RNN, (carry["h"],), z, recurrent_kernel, None, mask, unroll=unroll)
        else:
            outputs, (h,) = over_time(simple_cell(recurrent_kernel, activation, kept), (carry["h"],), z, mask, unroll=unroll)
        return outputs, (h, {"h": h})


class GRUCell(_OverRows, _Gated):
    """A cell with two gates, which decide what of h is kept (u) and what of it is read (r):

        u, r = recurrent_activation(z_u + p_u, z_r + p_r),   z = x @ kernel + bias[0],   p = h @ recurrent_kernel + bias[1]
        h <- u * h + (1 - u) * activation(z_g + r * p_g)

    and with reset_after=False z = x @ kernel + bias, p = h @ recurrent_kernel, and (r * h) @ recurrent_kernel_g for r * p_g.

    Shapes: x (batch, features), h (batch, units) -> y = h (batch, units). Gates stand in the order u, r, g.
    Params: kernel (features, 3 * units), Glorot-uniform; recurrent_kernel (units, 3 * units), orthogonal as a whole;
        bias (2, 3 * units), or (3 * units,) with reset_after=False, zeros.
    State: h, the carry.
    Raises: ValueError for units < 1, a rate outside [0, 1), and steps of another rank.
    Source: Cho et al. 2014, with reset_after in the form of cuDNN; numbers of Keras 3. Keras 2 has reset_after=False and
        hard_sigmoid.
    """

    reset_after: bool = field(default=True, kw_only=True)

    gates = 3

    def shapes(self, x):
        shapes = super().shapes(x)
        return shapes | {"bias": (2, *shapes["bias"])} if self.reset_after else shapes

    def read(self, params, now, x, mask, ctx, unroll):
        _, carry = now
        input_bias, recurrent_bias = self._biases(params)
        z, kept = self._projected(params, input_bias, x, ctx), self.kept(carry["h"], ctx)
        recurrent_kernel = widened(params["recurrent_kernel"])
        activation, recurrent_activation = activations.get(self.activation), activations.get(self.recurrent_activation)
        if self.reset_after and kept is None and activation in TANH and recurrent_activation in SIGMOID:
            outputs, (h,) = _recur(ctx)(usual.GRU, (carry["h"],), z, recurrent_kernel, recurrent_bias, mask, unroll=unroll)
            return outputs, (h, {"h": h})
        if self.reset_after:
            cell = gru_cell(recurrent_kernel, recurrent_bias, activation, recurrent_activation, kept)
        else:
            cell = gru_cell_reset_before(recurrent_kernel, activation, recurrent_activation, kept)
        outputs, (h,) = over_time(cell, (carry["h"],), z, mask, unroll=unroll)
        return outputs, (h, {"h": h})

    def _biases(self, params: Params) -> tuple[Array | None, Array | None]:
        """(that of x, that of h)."""
        if not self.use_bias or not self.reset_after:
            return params.get("bias"), None
        return params["bias"][0], widened(params["bias"][1])


class LSTMCell(_OverRows, _Gated):
    """A cell with a memory c; gates decide what is written (i), kept (f) and shown (o):

        z = x @ kernel + bias + h @ recurrent_kernel,   i, f, o = recurrent_activation(z_i, z_f, z_o)
        c <- f * c + i * activation(z_c),   h <- o * activation(c)

    Shapes: x (batch, features), h and c (batch, units) -> y = h (batch, units). Gates stand in the order i, f, c, o.
    Params: kernel (features, 4 * units), Glorot-uniform; recurrent_kernel (units, 4 * units), orthogonal as a whole;
        bias (4 * units,), ones for f with unit_forget_bias, else zeros.
    State: h and c, the carry.
    Raises: ValueError for units < 1, a rate outside [0, 1), and steps of another rank.
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (forget gate); Jozefowicz et al. 2015 (its bias).
    """

    unit_forget_bias: bool = field(default=True, kw_only=True)

    gates = 4
    carries = "h", "c"

    def draw_weights(self, key, x):
        params = super().draw_weights(key, x)
        return with_forget_bias(params) if self.use_bias and self.unit_forget_bias else params

    def read(self, params, now, x, mask, ctx, unroll):
        _, carry = now
        h, c = carry["h"], carry["c"]
        z, kept = self._projected(params, params.get("bias"), x, ctx), self.kept(h, ctx)
        recurrent_kernel = widened(params["recurrent_kernel"])
        activation, recurrent_activation = activations.get(self.activation), activations.get(self.recurrent_activation)
        if kept is None and activation in TANH and recurrent_activation in SIGMOID:
            outputs, (h, c) = _recur(ctx)(usual.LSTM, (h, c), z, recurrent_kernel, None, mask, unroll=unroll)
        else:
            product = partial(recurrent_product, kernel=recurrent_kernel, kept=kept)
            cell = lstm_cell(product, activation, recurrent_activation)
            outputs, (h, c) = over_time(cell, (h, c), z, mask, unroll=unroll)
        return outputs, (h, {"h": h, "c": c})


class StackedRNNCells(Nested, Cell):    # pyright: ignore[reportIncompatibleVariableOverride]  # statistics of its parts
    """Cells one on the other: each makes its step of what the one before shows.

    Shapes: x as the first cell takes it -> y as the last one shows it.
    Params, state: those of the cells, with cell_0_, cell_1_, ... before their names.
    Raises: TypeError for what is no cell, ValueError for no cells at all.
    """

    cells: tuple[Cell, ...]

    def __post_init__(self):
        require(isinstance(self.cells, tuple | list) and self.cells, f"StackedRNNCells({self.cells!r}): write a list of cells: "
                "StackedRNNCells([LSTMCell(32), LSTMCell(32)]).")
        object.__setattr__(self, "cells", tuple(map(checked_cell, self.cells)))
        super().__post_init__()

    def parts(self) -> dict[str, Cell]:
        return {f"cell_{place}_": cell for place, cell in enumerate(self.cells)}

    def draw_weights(self, key, x):
        return joined([named(prefix, cell.draw_weights(rng.fold_in(key, prefix), step))
                       for prefix, cell, step in self._with_steps(x)])

    def start(self, x):
        return joined([named(prefix, cell.start(step)) for prefix, cell, step in self._with_steps(x)])

    def step(self, params, carry, x, ctx):
        after = []
        for prefix, cell in self.parts().items():
            x, part = cell.step(own(prefix, params), own(prefix, carry), x, inner_ctx(ctx, prefix))
            after.append(named(prefix, part))
        return x, joined(after)

    def first_output(self, params, carry, x, ctx):
        prefix, last, step = self._with_steps(x)[-1]
        return last.first_output(own(prefix, params), own(prefix, carry), Spec(step.shape, x.dtype), ctx)

    def read(self, params, now, x, mask, ctx, unroll):
        """Cell after cell over the whole sequence. What a cell shows at a masked step is read by none of the others."""
        last, carry = now
        after, steps = [], self._with_steps(Spec((x.shape[0], *x.shape[2:]), x.dtype))
        for place, (prefix, cell, step) in enumerate(steps, 1):
            weights, part, inner = own(prefix, params), own(prefix, carry), inner_ctx(ctx, prefix)
            before = now[0] if place == len(steps) else cell.first_output(weights, part, Spec(step.shape, x.dtype), inner)
            outputs, (last, part) = read_by(cell, weights, (before, part), x, mask, inner, unroll)
            x = as_given(outputs, x)
            after.append(named(prefix, part))
        return x, (last, joined(after))

    def _with_steps(self, x: Spec) -> list[tuple[str, Cell, Spec]]:
        """(prefix, cell, the Spec of its step) of each, in float32."""
        step = Spec(x.shape, jnp.float32 if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype)
        listed = []
        for prefix, cell in self.parts().items():
            listed.append((prefix, cell, step))
            shown = jax.eval_shape(partial(_one_step, cell), rng.key_spec(), step)
            step = Spec(shown.shape, shown.dtype)
        return listed


def read_by(cell: Cell, params: Params, now: Now, x: Array, mask: Array | None, ctx: Ctx, unroll: bool) -> tuple[Array, Now]:
    """`cell.read`; where a class of the user's makes another step than the one that is read so, that step over time."""
    form = type(cell).read if speaks_for(cell, "read", "step") else Cell.read
    return form(cell, params, now, x, mask, ctx, unroll)


def _recur(ctx: Ctx) -> Callable[..., Any]:
    """In training the gradient that is quick; elsewhere the one that can be differentiated forward as well."""
    return usual.recur_quickly if ctx.train else usual.recur


def _one_step(cell: Cell, key: Key, x: Array) -> Array:
    step = Spec(x.shape, x.dtype)
    return cell.step(cast(cell.draw_weights(key, step), wide_dtype(x.dtype)), cell.start(step), x, Ctx())[0]


def inner_ctx(ctx: Ctx, name: str) -> Ctx:
    """The context of a part: it draws from a key of its own."""
    return ctx if ctx.key is None else ctx._replace(key=rng.fold_in(ctx.key, name))


def after(state: State, carry: State) -> State:
    """The state that the next batch finds: the last carry, cut off from gradients."""
    return {**state, **{name: lax.stop_gradient(value).astype(state[name].dtype) for name, value in carry.items()}}


def checked_cell(cell: Any) -> Cell:
    """`cell` if it is one; else a TypeError."""
    require(isinstance(cell, Cell) and not hasattr(cell, "return_sequences"), f"{cell!r} is no cell. Write LSTMCell(32), "
            "GRUCell(32), SimpleRNNCell(32), a list of them, or a cell of your own: class MyCell(Cell).", TypeError)
    require(cell._brought is None, f"{cell!r} was given weights=[...], and in a layer they are the layer's: RNN({cell!r}, "
            "weights=[...]).")
    return cell


def with_forget_bias(params: Params) -> Params:
    """The params with ones in the second quarter of the bias: at first the forget gate is open."""
    quarter = params["bias"].shape[0] // 4
    return {**params, "bias": params["bias"].at[quarter:2 * quarter].set(1)}
