"""Cells by themselves, in RNN, stacked, and one of a user's own."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from twins import QUICK, assert_twins, numbers, run, weights

from jaxseq.core import chain, layers, rng
from jaxseq.core.kernels import recurrence
from jaxseq.core.layers.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
X = numbers(3, 6, 4)


class Mean(Cell):
    """h <- (h + x @ kernel) / 2, shown twice: an output that is no part of the carry."""

    units: int
    kernel_initializer: Any = "glorot_uniform"

    def draw_weights(self, key, x):
        return self.draw(key, {"kernel": (x.shape[-1], self.units)})

    def start(self, x):
        return {"h": jnp.zeros((x.shape[0], self.units))}

    def step(self, params, carry, x, ctx):
        h = (carry["h"] + x @ params["kernel"]) / 2
        return 2 * h, {"h": h}


def mean_of(x, kernel, mask=None):
    """The textbook loop of it."""
    h, shown, outputs = np.zeros((len(x), kernel.shape[1])), np.zeros((len(x), kernel.shape[1])), []
    for t in range(x.shape[1]):
        real = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        h = np.where(real, (h + x[:, t] @ kernel) / 2, h)
        shown = np.where(real, 2 * h, shown)
        outputs.append(shown)
    return np.stack(outputs, axis=1), h


# ---- the cells here


@pytest.mark.every(3)
@pytest.mark.parametrize(("made", "options", "masked"), [
    (lambda k: k.SimpleRNNCell(5), {"return_sequences": True}, False),
    (lambda k: k.LSTMCell(5, unit_forget_bias=False), {"go_backwards": True}, True),
    pytest.param(lambda k: [k.LSTMCell(5), k.GRUCell(3), k.SimpleRNNCell(2)], {"return_sequences": True}, False,
                 marks=pytest.mark.full),
    (lambda k: [k.GRUCell(3, reset_after=False), k.LSTMCell(5)], {"return_sequences": True}, True),
], ids=["simple", "lstm masked", "three", "two masked"])
def test_rnn_of_cells_is_that_of_keras(made, options, masked):
    ours, theirs = RNN(made(layers.cells), **options), keras.layers.RNN(made(keras.layers), **options)
    assert_twins(ours, theirs, X, MASK if masked else None)


@pytest.mark.parametrize(("cell", "layer"), [(SimpleRNNCell, SimpleRNN), (GRUCell, GRU), (LSTMCell, LSTM)])
def test_a_layer_is_its_cell_over_time(cell, layer):
    options = {"dropout": 0.3, "recurrent_dropout": 0.3, "seed": 5}
    params, ctx = weights(layer(5), X), Ctx(True, jax.random.key(2), jnp.asarray(MASK))
    whole, in_rnn = layer(5, return_sequences=True, **options), RNN(cell(5, **options), return_sequences=True)
    expected, _ = run(whole, params, {}, jnp.asarray(X), ctx)
    assert_array_equal(run(in_rnn, params, {}, jnp.asarray(X), ctx)[0], expected)

    one, carry, outputs = cell(5, **options), cell(5).start(Spec((3, 4), jnp.float32)), []
    step = jax.jit(lambda carry, x: one.step(params, carry, x, ctx), compiler_options=QUICK)
    for t in range(6):
        y, new = step(carry, jnp.asarray(X[:, t]))
        carry = {name: np.where(MASK[:, t, None], new[name], carry[name]) for name in carry}
        outputs.append(carry["h"])
        assert_array_equal(y, new["h"])
    assert_allclose(np.stack(outputs, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_a_cell_by_itself_makes_a_step_with_each_batch():
    cell = GRUCell(5)
    params, state = cell.init(jax.random.key(0), Spec((3, 4), jnp.float32))
    expected, _ = run(GRU(5, return_sequences=True), params, {}, jnp.asarray(X), Ctx())
    for t in range(6):
        y, state = run(cell, params, state, jnp.asarray(X[:, t]), Ctx())
        assert_allclose(y, expected[:, t], rtol=1e-5, atol=1e-6)
    assert not cell.reset(state)["h"].any()


@pytest.mark.every(3)
@pytest.mark.parametrize("cells", [[LSTMCell(3), GRUCell(2)], [Mean(3), LSTMCell(2)], [LSTMCell(3), Mean(2)]], ids=repr)
def test_stacked_cells_are_layers_one_after_the_other_and_steps_of_each(cells):
    """Read cell after cell, or step after step: the same, at masked steps, too."""
    layer, mask = RNN(cells, return_sequences=True), jnp.asarray(MASK)
    params = weights(layer, X)
    y, _ = run(layer, params, {}, jnp.asarray(X), Ctx(mask=mask))
    expected = jnp.asarray(X)
    for place, cell in enumerate(cells):
        part = {name.removeprefix(f"cell_{place}_"): value for name, value in params.items() if f"cell_{place}" in name}
        expected, _ = RNN(cell, return_sequences=True).apply(part, {}, expected, Ctx(mask=mask))
    assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    stacked, step_x = StackedRNNCells(tuple(cells)), Spec((3, 4), jnp.float32)
    carry = stacked.start(step_x)
    now = stacked.first_output(params, carry, step_x, Ctx()), carry
    stepwise, (_, last) = Cell.read(stacked, params, now, jnp.asarray(X), mask, Ctx(), False)
    assert_allclose(stepwise, expected, rtol=1e-5, atol=1e-6)
    assert set(last) == set(carry)


def test_a_stack_names_its_weights_and_its_state():
    layer = RNN([LSTMCell(3), Mean(2)], stateful=True)
    params, state = layer.init(jax.random.key(0), Spec((3, 6, 4), jnp.float32))
    assert {name: value.shape for name, value in params.items()} == {
        "cell_0_kernel": (4, 12), "cell_0_recurrent_kernel": (3, 12), "cell_0_bias": (12,), "cell_1_kernel": (3, 2)}
    assert {name: value.shape for name, value in state.items()} == {
        "cell_0_h": (3, 3), "cell_0_c": (3, 3), "cell_1_h": (3, 2)}
    assert_array_equal(params["cell_0_bias"], np.repeat([0, 1, 0, 0], 3))


def test_equal_cells_of_a_stack_begin_and_drop_differently():
    layer = RNN([GRUCell(4, recurrent_dropout=0.5), GRUCell(4, recurrent_dropout=0.5)])
    params, _ = layer.init(jax.random.key(0), Spec((3, 6, 4), jnp.float32))
    assert not np.array_equal(params["cell_0_kernel"], params["cell_1_kernel"])
    first, second = (rng.fold_in(jax.random.key(1), f"cell_{place}_") for place in (0, 1))
    h = jnp.ones((3, 4))
    assert not np.array_equal(*[GRUCell(4, recurrent_dropout=0.5).kept(h, Ctx(True, key)) for key in (first, second)])


def test_a_cells_regularizers_constraints_and_freezing_count_in_rnn():
    layer = RNN([SimpleRNNCell(3, kernel_regularizer="l2"), GRUCell(2, bias_constraint="non_neg", recurrent_regularizer="l1")])
    params = weights(layer, X)
    expected = 0.01 * (np.sum(params["cell_0_kernel"] ** 2) + np.sum(np.abs(params["cell_1_recurrent_kernel"])))
    assert_allclose(layer.penalty(params), expected, rtol=1e-5)
    constrained = layer.constrain(params)
    assert list(constrained) == list(params)
    assert constrained["cell_1_bias"].min() == 0 and constrained["cell_0_bias"].min() < 0
    assert RNN(GRUCell(2, trainable=False)).stands_still and layer.trainable


# ---- a cell of one's own


@pytest.mark.parametrize("options", [{}, {"unroll": True}, {"remat": True}, {"go_backwards": True}], ids=str)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all steps", "masked"])
def test_a_cell_of_ones_own_is_carried_over_time(mask, options):
    layer = RNN(Mean(5), return_sequences=True, stateful=True, **options)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    order = slice(None, None, -1 if layer.go_backwards else 1)
    y, state = run(layer, params, state, jnp.asarray(X), Ctx(mask=None if mask is None else jnp.asarray(mask)))
    outputs, last = mean_of(X[:, order], np.asarray(params["kernel"]), None if mask is None else mask[:, order])
    assert_allclose(y, outputs, rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], last, rtol=1e-5, atol=1e-6)


def test_a_cell_of_ones_own_is_read_in_segments_too(monkeypatch):
    x, layer = jnp.asarray(numbers(2, 70, 4)), RNN(Mean(5))
    params = weights(layer, x)
    slope = lambda: jax.jit(jax.grad(lambda params: jnp.sum(layer.apply(params, {}, x, Ctx(True))[0] ** 2)))(params)
    whole = slope()
    monkeypatch.setattr(recurrence, "CACHE_BYTES", 20 * 2 * 5 * 4)
    assert_allclose(slope()["kernel"], whole["kernel"], rtol=1e-5, atol=1e-6)


def test_a_cell_may_look_at_images_and_at_the_whole_batch():
    class Sum(Cell):
        def draw_weights(self, key, x):
            return {}

        def start(self, x):
            return {"total": jnp.zeros(x.shape)}

        def step(self, params, carry, x, ctx):
            total = carry["total"] + x
            return total, {"total": total}

    x, mask = jnp.asarray(numbers(3, 6, 2, 5)), jnp.asarray(MASK)
    layer = RNN(Sum(), return_sequences=True)
    y, _ = layer.apply({}, {}, x, Ctx(mask=mask))
    assert_allclose(y, np.cumsum(np.where(MASK[:, :, None, None], x, 0), axis=1), rtol=1e-5, atol=1e-6)
    assert not layer.by_row(False) and RNN(GRUCell(2)).by_row(True)


def test_in_a_chain_an_activity_penalty_stands_beside_the_carry():
    named = [("rnn", RNN(GRUCell(2), stateful=True, activity_regularizer="l2"))]
    params, state = chain.init(named, jax.random.key(0), Spec(X.shape, jnp.float32))
    assert set(state["rnn"]) == {"h", chain.PENALTY}
    out = chain.apply(named, params, state, jnp.asarray(X))
    assert_allclose(out.state["rnn"][chain.PENALTY], 0.01 * np.sum(np.square(out.y)) / 3, rtol=1e-5)
    assert_allclose(chain.apply(named, params, out.state, jnp.asarray(X)).state["rnn"]["h"].shape, (3, 2))


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: RNN(Dense(3)), TypeError, "Dense(units=3) is no cell. Write LSTMCell(32), GRUCell(32), SimpleRNNCell(32), a list "
     "of them, or a cell of your own: class MyCell(Cell)."),
    (lambda: RNN(LSTM(3)), TypeError, "LSTM(units=3) is no cell. Write LSTMCell(32), GRUCell(32), SimpleRNNCell(32), a list "
     "of them, or a cell of your own: class MyCell(Cell)."),
    (lambda: StackedRNNCells([]), ValueError, "StackedRNNCells([]): write a list of cells: StackedRNNCells([LSTMCell(32), "
     "LSTMCell(32)])."),
    (lambda: StackedRNNCells([GRUCell(2), GRUCell(2, trainable=False)]), ValueError, "StackedRNNCells: its parts are trained "
     "together or not at all. Write the same trainable=... in each."),
    (lambda: GRUCell(0), ValueError, "GRUCell(units)=0: write a whole number of at least 1."),
    (lambda: LSTMCell(2).init(jax.random.key(0), Spec(X.shape, jnp.float32)), ValueError,
     "LSTMCell needs steps (batch, features), got (3, 6, 4)."),
    (lambda: RNN(GRUCell(2), return_state=True), ValueError, "RNN(return_state=True): a layer of a Sequential has one output. "
     "Write stateful=True and read layer.states after the batch."),
    (lambda: RNN(GRUCell(2), stateful=True).apply({}, {"h": jnp.zeros((4, 2))}, jnp.asarray(X), Ctx()), ValueError,
     "The layer is stateful and carries the state of a batch of 4, got a batch of 3. Pass batches of 4, so a multiple of 4 "
     "rows in all."),
], ids=range(8))
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
