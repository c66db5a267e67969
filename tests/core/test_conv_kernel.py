"""Convolution on arrays: values and gradients against NumPy loops in float64 and against XLA's own gradients."""

import itertools
import re
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from jaxseq.core.kernels import conv as conv_kernel
from jaxseq.core.kernels.conv import conv


class Case(NamedTuple):
    """lengths of x, sizes of the kernel, and how it walks."""

    lengths: tuple
    sizes: tuple
    strides: tuple
    padding: str
    dilation: tuple
    groups: int = 1


CASES = [
    *[Case((9,), (3,), (s,), padding, (d,), g) for padding, s, d, g in itertools.product(
        ("valid", "same", "causal"), (1, 2, 4), (1, 2), (1, 2))],
    Case((5,), (5,), (1,), "valid", (1,)), Case((4,), (2,), (3,), "valid", (1,)), Case((6,), (1,), (2,), "same", (1,)),
    *[Case((7, 6), (3, 2), s, padding, d, g) for padding, s, d, g in itertools.product(
        ("valid", "same"), ((1, 1), (2, 3)), ((1, 1), (2, 3)), (1, 2))],
    Case((5, 5), (1, 1), (2, 2), "valid", (1, 1)), Case((4, 4), (4, 4), (1, 1), "same", (1, 1), 4),
    Case((4, 3, 5), (2, 3, 2), (1, 1, 2), "same", (2, 1, 1), 2),
    Case((4, 3, 5), (2, 1, 3), (2, 1, 1), "valid", (1, 1, 1)),
]
BATCH, CHANNELS, FILTERS = 2, 4, 8
QUICK = {"xla_backend_optimization_level": 0}       # each program runs once: its compilation is what costs


def border(case):
    """What stands before and after each axis, from the words of the definition."""
    for n, k, s, d in zip(case.lengths, case.sizes, case.strides, case.dilation, strict=True):
        reach = d * (k - 1)
        if case.padding == "same":
            total = max((int(np.ceil(n / s)) - 1) * s + reach + 1 - n, 0)
            yield total // 2, total - total // 2
        else:
            yield (reach, 0) if case.padding == "causal" else (0, 0)


def numbers(case):
    """x, kernel, and the gradient dy that arrives: float32, reproducible."""
    draw = np.random.RandomState(CASES.index(case))
    x = draw.normal(size=(BATCH, *case.lengths, CHANNELS)).astype(np.float32)
    kernel = draw.normal(size=(*case.sizes, CHANNELS // case.groups, FILTERS)).astype(np.float32)
    out = [(n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, d, pad in zip(
        case.lengths, case.sizes, case.strides, case.dilation, border(case), strict=True)]
    return x, kernel, draw.normal(size=(BATCH, *out, FILTERS)).astype(np.float32)


def loops(case, x, kernel, dy):
    """y, and the gradients of sum(y * dy) by x and kernel, one output and one place of the kernel at a time."""
    x, kernel, dy = (np.asarray(each, np.float64) for each in (x, kernel, dy))
    y, dx, dkernel = np.zeros(dy.shape), np.zeros(x.shape), np.zeros(kernel.shape)
    before = [pad[0] for pad in border(case)]
    own, made = CHANNELS // case.groups, FILTERS // case.groups
    for out in np.ndindex(*dy.shape[1:-1]):
        for place in np.ndindex(*case.sizes):
            at = tuple(o * s + t * d - b for o, s, t, d, b in zip(
                out, case.strides, place, case.dilation, before, strict=True))
            if not all(0 <= i < n for i, n in zip(at, case.lengths, strict=True)):
                continue
            for group in range(case.groups):
                c, f = slice(group * own, (group + 1) * own), slice(group * made, (group + 1) * made)
                seen, weights, arriving = x[:, *at, c], kernel[*place, :, f], dy[:, *out, f]
                y[:, *out, f] += seen @ weights
                dx[:, *at, c] += arriving @ weights.T
                dkernel[*place, :, f] += seen.T @ arriving
    return y, dx, dkernel


def ours(case, x, kernel):
    return conv(x, kernel, None, case.strides, case.padding, case.dilation, case.groups)


def xla(case, x, kernel):
    space = "DHW"[-len(case.lengths):]
    return lax.conv_general_dilated(
        x, kernel, case.strides, tuple(border(case)), rhs_dilation=case.dilation, feature_group_count=case.groups,
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"))


def with_gradients(function, case, x, kernel, dy):
    y, back = jax.vjp(lambda x, kernel: function(case, x, kernel), x, kernel)
    return y, *back(dy)


@pytest.fixture(scope="module")
def results():
    """{"ours", "xla"} -> [(y, dx, dkernel) of each case], one program each."""
    arrays = [numbers(case) for case in CASES]
    every = lambda function, arrays: [
        with_gradients(function, case, *each) for case, each in zip(CASES, arrays, strict=True)]
    run = lambda function: jax.jit(partial(every, function), compiler_options=QUICK)(arrays)
    return {"ours": run(ours), "xla": run(xla)}


@pytest.mark.every(3)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_the_loops(case, results):
    for mine, loop in zip(results["ours"][CASES.index(case)], loops(case, *numbers(case)), strict=True):
        assert mine.shape == loop.shape
        assert_allclose(mine, loop, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_xla(case, results):
    for mine, theirs in zip(results["ours"][CASES.index(case)], results["xla"][CASES.index(case)], strict=True):
        assert mine.dtype == theirs.dtype
        assert_allclose(mine, theirs, rtol=1e-5, atol=2e-5)


SECOND = [Case((6,), (3,), (2,), "same", (1,), 2), Case((5, 4), (2, 3), (1, 1), "valid", (2, 1)),
          Case((5, 4), (2, 3), (2, 1), "same", (1, 1))]


@pytest.mark.parametrize("case", SECOND, ids=str)
def test_second_derivatives_in_reverse_are_those_of_xla(case):
    draw = np.random.RandomState(0)
    x = jnp.asarray(draw.normal(size=(BATCH, *case.lengths, CHANNELS)), jnp.float32)
    kernel = jnp.asarray(draw.normal(size=(*case.sizes, CHANNELS // case.groups, FILTERS)), jnp.float32)

    def steepness(function, x, kernel):
        """A function of both gradients of a loss that is not linear in y."""
        dx, dkernel = jax.grad(lambda x, kernel: jnp.tanh(function(case, x, kernel)).sum(), (0, 1))(x, kernel)
        return (dx ** 2).sum() + (dkernel ** 3).sum()

    second = lambda function: jax.jit(jax.grad(partial(steepness, function), (0, 1)), compiler_options=QUICK)(x, kernel)
    for mine, theirs in zip(second(ours), second(xla), strict=True):
        assert_allclose(mine, theirs, rtol=2e-4, atol=2e-4 * float(jnp.abs(theirs).max()))


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.every(4)
@pytest.mark.parametrize("batched", [(0, None), (None, 0), (0, 0)])
def test_vmap_is_one_after_the_other(batched, key):
    case = Case((5, 6), (2, 3), (2, 1), "same", (1, 1), 2)
    x = jax.random.normal(key, (3, 2, *case.lengths, CHANNELS))
    kernel = jax.random.normal(key, (3, *case.sizes, CHANNELS // 2, FILTERS))
    x, kernel = (each if axis == 0 else each[0] for each, axis in zip((x, kernel), batched, strict=True))
    loss = lambda x, kernel: (ours(case, x, kernel) ** 2).sum()
    gradients = jax.jit(jax.vmap(jax.grad(loss, (0, 1)), batched), compiler_options=QUICK)(x, kernel)
    one = jax.jit(jax.grad(loss, (0, 1)), compiler_options=QUICK)
    for row in range(3):
        single = one(*(each[row] if axis == 0 else each for each, axis in zip((x, kernel), batched, strict=True)))
        for whole, alone in zip(gradients, single, strict=True):
            assert_allclose(whole[row], alone, rtol=1e-4, atol=1e-4)


def test_gradients_are_the_same_inside_a_loop(key):
    case = Case((6, 5), (3, 3), (1, 1), "valid", (1, 1))
    x, kernel = jax.random.normal(key, (2, 6, 5, 4)), jax.random.normal(key, (3, 3, 4, 4))
    step = lambda kernel: kernel - 0.01 * jax.grad(lambda k: (ours(case, x, k) ** 2).mean())(kernel)
    looped = jax.jit(lambda n, kernel: lax.fori_loop(0, n, lambda _, kernel: step(kernel), kernel))(3, kernel)
    for _ in range(3):
        kernel = jax.jit(step)(kernel)
    assert_allclose(looped, kernel, rtol=1e-5, atol=1e-6)


def test_gradients_on_the_cpu_are_plain_convolutions_alone(key):
    """No exchanged axes are left for XLA to put in order: they are what is slow inside a loop."""
    x, kernel = jax.random.normal(key, (2, 8, 8, 3)), jax.random.normal(key, (3, 3, 3, 4))
    loss = lambda x, kernel: (conv(x, kernel, strides=2, padding="same") ** 2).sum()
    text = jax.jit(jax.grad(loss, (0, 1))).trace(x, kernel).lower(lowering_platforms=("cpu",)).as_text()
    assert set(re.findall(r"dim_numbers = (.*?), window", text)) == {"[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"}


@pytest.mark.usefixtures("quickly_compiled")
def test_bfloat16_stays_bfloat16(key):
    x = jax.random.normal(key, (2, 7, 6, 4))
    kernel = jax.random.normal(key, (3, 3, 4, 5))
    case = Case((7, 6), (3, 3), (1, 1), "same", (1, 1))
    run = jax.jit(lambda x, kernel: with_gradients(ours, case, x, kernel, jnp.ones((2, 7, 6, 5), x.dtype)),
                  compiler_options=QUICK)
    for half, full in zip(run(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)), run(x, kernel), strict=True):
        assert half.dtype == jnp.bfloat16
        assert_allclose(half.astype(np.float32), full, rtol=0.05, atol=0.05 * float(jnp.abs(full).max()))


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("part_bytes", [conv_kernel.PART_BYTES, 1], ids=["whole", "row by row"])
@pytest.mark.parametrize("dtype, near", [(jnp.float32, 1e-5), (jnp.bfloat16, 0.02)])
def test_the_bias_and_its_gradient_are_those_of_an_addition(part_bytes, dtype, near, key, monkeypatch):
    monkeypatch.setattr(conv_kernel, "PART_BYTES", part_bytes)
    case = Case((7, 6), (3, 2), (2, 1), "same", (1, 1), 2)
    x, kernel, bias = (jax.random.normal(key, shape).astype(dtype) for shape in ((6, 7, 6, 4), (3, 2, 2, 8), (8,)))

    def gradients(function, *arrays):
        return jax.jit(jax.value_and_grad(lambda *arrays: jnp.tanh(function(*arrays)).astype(jnp.float32).sum(), (0, 1, 2)),
                       compiler_options=QUICK)(*arrays)

    mine = gradients(lambda x, kernel, bias: conv(x, kernel, bias, case.strides, case.padding, groups=2), x, kernel, bias)
    plain = gradients(lambda x, kernel, bias: xla(case, x, kernel) + bias,
                      *(each.astype(jnp.float32) for each in (x, kernel, bias)))
    assert [each.dtype for each in mine[1]] == [dtype] * 3
    for own, theirs in zip(jax.tree.leaves(mine), jax.tree.leaves(plain), strict=True):
        assert_allclose(np.asarray(own, np.float32), theirs, rtol=near, atol=near * float(jnp.abs(theirs).max()))


def test_same_is_one_zero_more_at_the_end():
    x = jnp.arange(1.0, 5.0)[None, :, None]                             # 1 2 3 4
    y = conv(x, jnp.asarray([1.0, 10.0])[:, None, None], padding="same")
    assert y[0, :, 0].tolist() == [21, 32, 43, 4]


def test_causal_sees_nothing_later(key):
    x, kernel = jax.random.normal(key, (1, 6, 2)), jax.random.normal(key, (3, 2, 4))
    before = conv(x, kernel, padding="causal", dilation=2)
    after = conv(x.at[:, 4].set(100.0), kernel, padding="causal", dilation=2)
    assert_allclose(before[:, :4], after[:, :4])
    assert not np.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("change, message", [
    ({"kernel": (3, 3, 2, 8)}, "conv: kernel (3, 3, 2, 8) in 1 group(s) does not fit x (2, 6, 6, 4). It must be (*sizes, "
                               "channels / groups, filters), with filters a multiple of groups."),
    ({"groups": 3}, "conv: kernel (3, 3, 4, 8) in 3 group(s) does not fit x (2, 6, 6, 4). It must be (*sizes, "
                    "channels / groups, filters), with filters a multiple of groups."),
    ({"kernel": (3, 4, 8)}, "conv: kernel (3, 4, 8) in 1 group(s) does not fit x (2, 6, 6, 4). It must be (*sizes, "
                            "channels / groups, filters), with filters a multiple of groups."),
    ({"strides": 0}, "strides=0: write a whole number of at least 1, or 2 of them in a tuple."),
    ({"dilation": (1, 2, 3)}, "dilation=(1, 2, 3): write a whole number of at least 1, or 2 of them in a tuple."),
    ({"padding": "full"}, "padding='full': write one of 'valid', 'same', 'causal'."),
    ({"dilation": (1, 3)}, "conv: its window is 7 long (size 3, dilation 3), but x (2, 6, 6, 4) has only 6 along its "
                           "axis 2. Write padding='same', or a smaller window."),
])
def test_what_does_not_fit_is_told(change, message):
    x, kernel = jnp.zeros((2, 6, 6, 4)), jnp.zeros(change.pop("kernel", (3, 3, 4, 8)))
    with pytest.raises(ValueError) as told:
        conv(x, kernel, **change)
    assert str(told.value) == message
