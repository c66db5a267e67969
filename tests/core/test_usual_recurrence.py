"""The gradients that SimpleRNN, GRU and LSTM have of their own, against automatic differentiation and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose
from twins import QUICK

from jaxseq.core.kernels.usual_recurrence import GRU, LSTM, SIMPLE_RNN, recur, recur_quickly
from jaxseq.layers import GRU as GRULayer, LSTM as LSTMLayer, Dense, SimpleRNN
from jaxseq.models import Sequential

RULES = {"simple": (SIMPLE_RNN, 1, 1), "gru": (GRU, 3, 1), "lstm": (LSTM, 4, 2)}       # rule, gates, arrays in the carry
BATCH, UNITS = 3, 5


def given(kind, time, dtype=np.float32):
    _, gates, carries = RULES[kind]
    draw = np.random.default_rng(7)
    make = lambda *shape: jnp.asarray(0.7 * draw.normal(size=shape), dtype)
    width = gates * UNITS
    return tuple(make(BATCH, UNITS) for _ in range(carries)), make(BATCH, time, width), make(UNITS, width), make(width)


def both(kind, time, mask, unroll, dtype=np.float32):
    """(value and gradients by hand, those of automatic differentiation)."""
    arguments = given(kind, time, dtype)

    def of(way):
        def run(*arguments):
            return way(RULES[kind][0], *arguments, mask, unroll=unroll)

        def with_gradients(*arguments):
            y, back = jax.vjp(run, *arguments)
            return y, back(jax.tree.map(lambda each: jnp.cos(jnp.arange(each.size, dtype=dtype)).reshape(each.shape), y))

        return jax.jit(with_gradients, compiler_options=QUICK)(*arguments)

    return of(recur_quickly), of(recur)


@pytest.mark.every(3)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("time", "unroll"), [
    pytest.param(1, False, marks=pytest.mark.full), (6, False), pytest.param(20, False, marks=pytest.mark.full),
    pytest.param(20, True, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", RULES)
def test_by_hand_and_by_autodiff(kind, time, unroll, masked):
    mask = jnp.asarray(np.random.default_rng(1).random((BATCH, time)) < 0.6) if masked else None
    mine, other = both(kind, time, mask, unroll)
    for one, another in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        assert_allclose(one, another, rtol=2e-5, atol=5e-6)


@pytest.mark.parametrize("kind", RULES)
def test_finite_differences(kind):
    check_grads(lambda *arguments: recur_quickly(RULES[kind][0], *arguments), given(kind, 10), order=1, modes=["rev"],
                atol=2e-2, rtol=2e-2)


@pytest.mark.every(2)
@pytest.mark.parametrize("kind", RULES)
def test_bfloat16(kind):
    mine, other = both(kind, 12, None, False, jnp.bfloat16)
    for one, another in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        assert one.dtype == jnp.bfloat16
        scale = np.abs(np.asarray(another, np.float32)).max()
        assert_allclose(np.asarray(one, np.float32), np.asarray(another, np.float32), atol=0.08 * scale)


@pytest.mark.every(4)
@pytest.mark.parametrize("layer", [SimpleRNN, GRULayer, LSTMLayer])
def test_forward_mode_goes_through_in_evaluation(layer):
    model = Sequential([layer(4, input_shape=(10, 3)), Dense(1)], seed=0)
    _, apply = model.functional()
    loss = lambda x: jnp.sum(apply(model.params, model.state, x)[0] ** 2)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 10, 3)), jnp.float32)
    assert_allclose(jax.jacfwd(loss)(x), jax.grad(loss)(x), rtol=1e-4, atol=1e-6)


def test_there_is_nothing_to_learn_from_no_rows():
    model = Sequential([LSTMLayer(4, input_shape=(10, 3))], seed=0)
    assert model.predict(np.zeros((0, 10, 3))).shape == (0, 4)
    assert model(np.zeros((0, 10, 3), np.float32)).shape == (0, 4)
