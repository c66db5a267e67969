"""Pooling on arrays: values and gradients against NumPy loops and against XLA's reduce_window."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core.kernels.pool import average_pool, max_pool


class Case(NamedTuple):
    lengths: tuple
    size: tuple
    strides: tuple
    padding: str


CASES = [
    *[Case((7,), (k,), (s,), padding) for k, s, padding in itertools.product((1, 2, 3), (1, 2, 3), ("valid", "same"))],
    Case((6,), (2,), (2,), "valid"), Case((6,), (3,), (2,), "same"), Case((2,), (3,), (2,), "same"),
    Case((9,), (2,), (5,), "valid"),
    *[Case((7, 6), k, s, padding) for k, s, padding in itertools.product(
        ((2, 2), (3, 2)), ((2, 2), (1, 3), (3, 1)), ("valid", "same"))],
    Case((83,), (40,), (40,), "valid"), Case((70,), (33,), (20,), "same"), Case((36, 4), (33, 2), (2, 1), "same"),
    Case((4, 5, 3), (2, 2, 2), (2, 2, 2), "valid"), Case((4, 5, 3), (2, 3, 1), (1, 2, 2), "same"),
]
ROWS, CHANNELS = 2, 3
QUICK = {"xla_backend_optimization_level": 0}       # each program runs once: its compilation is what costs


def windows(case):
    """(output, its elements in x, row by row) for every window."""
    per_axis = []
    for n, k, s in zip(case.lengths, case.size, case.strides, strict=True):
        out = -(-n // s) if case.padding == "same" else (n - k) // s + 1
        before = max((out - 1) * s + k - n, 0) // 2 if case.padding == "same" else 0
        per_axis.append([[i for i in range(o * s - before, o * s - before + k) if 0 <= i < n] for o in range(out)])
    for out in itertools.product(*(range(len(axis)) for axis in per_axis)):
        yield out, list(itertools.product(*(axis[o] for axis, o in zip(per_axis, out, strict=True))))


def out_lengths(case):
    return tuple(1 + max(out[axis] for out, _ in windows(case)) for axis in range(len(case.lengths)))


def numbers(case):
    """x with many equal elements, as after relu; and the gradient that arrives."""
    draw = np.random.RandomState(CASES.index(case))
    x = np.maximum(draw.randint(-3, 3, (ROWS, *case.lengths, CHANNELS)), 0).astype(np.float32)
    return x, draw.normal(size=(ROWS, *out_lengths(case), CHANNELS)).astype(np.float32)


def loops(case, x, dy):
    """{"max", "average"} -> (y, gradient by x), one window at a time; of equal elements the first takes it all."""
    results = {kind: (np.zeros(dy.shape), np.zeros(x.shape)) for kind in ("max", "average")}
    for row, channel in np.ndindex(ROWS, CHANNELS):
        for out, elements in windows(case):
            seen = [float(x[(row, *at, channel)]) for at in elements]
            arriving = float(dy[(row, *out, channel)])
            results["max"][0][(row, *out, channel)] = max(seen)
            results["max"][1][(row, *elements[seen.index(max(seen))], channel)] += arriving
            results["average"][0][(row, *out, channel)] = sum(seen) / len(seen)
            for at in elements:
                results["average"][1][(row, *at, channel)] += arriving / len(seen)
    return results


POOLS = {"max": max_pool, "average": average_pool}


def reduce_window(kind, case, x):
    """The same by XLA's own windows."""
    over = lambda x, start, function: lax.reduce_window(
        x, start, function, (1, *case.size, 1), (1, *case.strides, 1), case.padding.upper())
    if kind == "max":
        return over(x, -np.inf, lax.max)
    return over(x, 0.0, lax.add) / over(np.ones(x.shape, np.float32), 0.0, lax.add)


def with_gradient(function, x, dy):
    y, back = jax.vjp(function, x)
    return y, back(dy)[0]


@pytest.fixture(scope="module")
def results():
    """{("ours" or "xla", kind)} -> [(y, dx) of each case], one program each."""
    functions = {("ours", kind): lambda case, x, pool=pool: pool(x, case.size, case.strides, case.padding)
                 for kind, pool in POOLS.items()}
    functions |= {("xla", kind): lambda case, x, kind=kind: reduce_window(kind, case, x) for kind in POOLS}
    run = lambda function, cases: jax.jit(lambda arrays: [
        with_gradient(lambda x, case=case: function(case, x), x, dy)
        for case, (x, dy) in zip(cases, arrays, strict=True)], compiler_options=QUICK)([numbers(case) for case in cases])
    return {name: run(function, CASES if name[0] == "ours" else CASES[::2]) for name, function in functions.items()}


@pytest.mark.every(4)
@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_the_loops(case, kind, results):
    for mine, loop in zip(results["ours", kind][CASES.index(case)], loops(case, *numbers(case))[kind], strict=True):
        assert mine.shape == loop.shape
        assert_allclose(mine, loop, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("place", range(0, len(CASES), 2), ids=lambda place: str(CASES[place]))
def test_values_and_gradients_are_those_of_reduce_window(place, kind, results):
    for mine, theirs in zip(results["ours", kind][place], results["xla", kind][place // 2], strict=True):
        assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


def test_of_equal_elements_the_first_takes_the_whole_gradient():
    x = jnp.asarray([[0., 2., 0., 0.], [2., 2., 0., 0.]])[None, :, :, None]
    gradient = jax.grad(lambda x: max_pool(x).sum())(x)
    assert gradient[0, :, :, 0].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("size, strides, padding", [(2, None, "valid"), (3, 2, "same"), (40, 2, "same")])
@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_nan_comes_through_and_stays_in_its_window(pool, size, strides, padding):
    draw = np.random.RandomState(0)
    for at in np.ndindex(4, 4):
        x = draw.normal(size=(1, 4, 4, 1)).astype(np.float32)
        x[(0, *at, 0)] = np.nan
        got = np.isnan(pool(jnp.asarray(x), size, strides, padding))[0, :, :, 0]
        wanted = np.zeros(got.shape, bool)
        for out, elements in windows(Case((4, 4), (size,) * 2, (strides or size,) * 2, padding)):
            wanted[out] = at in elements
        assert_array_equal(got, wanted)


def test_infinities_are_numbers_like_others():
    x = jnp.asarray([-jnp.inf, -jnp.inf, jnp.inf, 0.0])[None, :, None]
    assert max_pool(x)[0, :, 0].tolist() == [-np.inf, np.inf]
    assert max_pool(x, 3, 1, "same")[0, :, 0].tolist() == [-np.inf, np.inf, np.inf, np.inf]


def test_integers_have_a_maximum():
    x = jnp.asarray([-5, -7, 3, -(2**31)], jnp.int32)[None, :, None]
    assert max_pool(x)[0, :, 0].tolist() == [-5, 3]
    assert max_pool(x, 3, 2, "same").dtype == jnp.int32


def test_the_mean_of_many_bfloat16_is_taken_in_float32():
    x = jnp.ones((1, 4096, 1), jnp.bfloat16).at[0, ::2].set(3.0)
    y = average_pool(x, 4096)
    assert y.dtype == jnp.bfloat16 and float(y[0, 0, 0]) == 2.0         # bfloat16 sums would stop growing at 512
    assert max_pool(x).dtype == jnp.bfloat16


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_forward_mode_vmap_and_loops_agree(pool, key):
    x, tangent = jax.random.normal(key, (3, 2, 6, 7, 2)), jax.random.normal(jax.random.key(1), (3, 2, 6, 7, 2))
    loss = lambda x: (pool(x, (2, 3), 2, "same") ** 2).sum()
    gradient = jax.jit(jax.grad(loss))
    gradients = jax.jit(jax.vmap(jax.grad(loss)))(x)
    for row in range(3):
        assert_allclose(gradients[row], gradient(x[row]), rtol=1e-5, atol=1e-6)
    _, slope = jax.jit(lambda x, tangent: jax.jvp(lambda x: jax.vmap(loss)(x).sum(), (x,), (tangent,)))(x, tangent)
    assert_allclose(slope, (gradients * tangent).sum(), rtol=1e-4)
    looped = jax.jit(lambda x: lax.fori_loop(0, 2, lambda _, x: x - 0.1 * jax.grad(loss)(x), x))(x[0])
    again = x[0] - 0.1 * gradients[0]
    assert_allclose(looped, again - 0.1 * gradient(again), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("arguments, message", [
    ((5,), "pool: its window is 5 long, but x (2, 4, 5, 1) has only 4 along its axis 1. Write "
           "padding='same', or a smaller window."),
    ((0,), "size=0: write a whole number of at least 1, or 2 of them in a tuple."),
    ((2, (1, 1, 1)), "strides=(1, 1, 1): write a whole number of at least 1, or 2 of them in a tuple."),
    ((2, 1, "half"), "padding='half': write one of 'valid', 'same', 'causal'."),
])
def test_what_does_not_fit_is_told(pool, arguments, message):
    with pytest.raises(ValueError) as told:
        pool(jnp.zeros((2, 4, 5, 1)), *arguments)
    assert str(told.value) == message
