"""The LSTM's own gradient against autodiff, and sequences that are written out, computed again, or read in parts."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from lstm_cases import BATCH, CLOSE, FEATURES, QUICK, TIME, UNITS, X, assert_same, numbers, value_and_gradients, weights
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core.kernels import recurrence
from jaxseq.core.kernels.recurrence import SHORT, in_segments, lstm_cell, over_time, project, recurrent_product
from jaxseq.core.kernels.usual_recurrence import LSTM as RULE, recur_quickly
from jaxseq.core.layers.recurrent import LSTM
from jaxseq.core.types import Ctx, Spec

LONG = SHORT + 3            # a loop; TIME steps are written out
WAYS = [
    (TIME, {}, False), (TIME, {}, True), (LONG, {}, False), (LONG, {}, True), (LONG, {"unroll": True}, True),
]


def lstm(z, recurrent_kernel, h, c, mask=None, **options):
    """The recurrence with its own gradient: (outputs, last h, last c)."""
    outputs, (h, c) = recur_quickly(RULE, (h, c), z, recurrent_kernel, None, mask, **options)
    return outputs, h, c


def given(time, masked, dtype=jnp.float32):
    """(z, recurrent kernel, h, c) of that many steps, and a mask that hides about a third of them."""
    arrays = numbers(BATCH, time, 4 * UNITS), numbers(UNITS, 4 * UNITS, seed=1) / 2, *numbers(2, BATCH, UNITS, seed=2)
    mask = jnp.asarray(numbers(BATCH, time, seed=7) > -0.5) if masked else None
    return [jnp.asarray(each, dtype) for each in arrays], mask


def flat(outputs, h, c):
    """All that comes out, so that cotangents reach the outputs, the last h and the last c."""
    return jnp.concatenate([outputs.ravel(), h.ravel(), c.ravel()])


def own(mask, **options):
    return lambda z, recurrent_kernel, h, c: flat(*lstm(z, recurrent_kernel, h, c, mask, **options))


def plain(mask, **options):
    def run(z, recurrent_kernel, h, c):
        cell = lstm_cell(partial(recurrent_product, kernel=recurrent_kernel), jnp.tanh, jax.nn.sigmoid)
        outputs, carry = over_time(cell, (h, c), z, mask, **options)
        return flat(outputs, *carry)
    return run


def wide(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


@pytest.mark.every(3)
@pytest.mark.parametrize(("time", "options", "masked"), WAYS)
def test_its_own_gradient_is_that_of_autodiff(time, options, masked):
    arguments, mask = given(time, masked)
    ours, autodiff = (value_and_gradients(each(mask, **options), *arguments) for each in (own, plain))
    assert_same(ours, autodiff, **CLOSE)


@pytest.mark.parametrize(("time", "options"), [(TIME, {}), (LONG, {})], ids=["written out", "loop"])
def test_in_bfloat16_it_stays_near_float32(time, options):
    arguments, mask = given(time, True, jnp.bfloat16)
    ours = value_and_gradients(own(mask, **options), *arguments)
    exact = value_and_gradients(plain(mask, **options), *wide(arguments))
    assert {leaf.dtype for leaf in jax.tree.leaves(ours)} == {jnp.dtype(jnp.bfloat16)}
    for one, other in zip(jax.tree.leaves(wide(ours)), jax.tree.leaves(exact), strict=True):
        assert np.linalg.norm(one - other) < 0.02 * np.linalg.norm(other)          # 8 binary digits: 0.004 each


def in_float64(z, recurrent_kernel, h, c, mask):
    """The textbook loop on z itself: a kernel that multiplies by one."""
    params = {"kernel": np.eye(4 * UNITS), "recurrent_kernel": recurrent_kernel}
    outputs, h, c = oracles.lstm(params, z, None if mask is None else np.asarray(mask), h, c)
    return np.concatenate([outputs.ravel(), h.ravel(), c.ravel()])


@pytest.mark.parametrize(("time", "options", "masked"), WAYS)
def test_its_own_gradient_is_that_of_finite_differences(time, options, masked):
    arguments, mask = given(time, masked)
    y, gradients = value_and_gradients(own(mask, **options), *arguments)
    weight, step = numbers(*y.shape, seed=9).astype(np.float64), 1e-5
    exact = [np.asarray(each, np.float64) for each in arguments]
    value = lambda arrays: in_float64(*arrays, mask)
    assert_allclose(y, value(exact), rtol=1e-5, atol=1e-6)
    for place, gradient in enumerate(gradients):
        for seed in range(3):
            direction = numbers(*gradient.shape, seed=20 + seed).astype(np.float64)
            moved = [value([each + sign * step * direction if at == place else each for at, each in enumerate(exact)])
                     for sign in (1, -1)]
            expected = np.vdot(weight, moved[0] - moved[1]) / (2 * step)
            assert_allclose(np.vdot(gradient, direction), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.every(4)
@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "go_backwards": True}, {"stateful": True}], ids=str)
def test_in_bfloat16_only_the_input_product_is_rounded(options):
    layer = LSTM(UNITS, **options)
    half = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), weights(layer))
    _, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.bfloat16))
    x = jnp.asarray(X, jnp.bfloat16)
    run = lambda params, x: layer.apply(params, state, x, Ctx(True))[0].astype(jnp.float32)
    assert layer.apply(half, state, x, Ctx(True))[0].dtype == jnp.bfloat16
    ours, exact = value_and_gradients(run, half, x), value_and_gradients(run, wide(half), wide(x))
    for one, other in zip(jax.tree.leaves(wide(ours)), jax.tree.leaves(exact), strict=True):
        assert np.linalg.norm(one - other) < 0.02 * np.linalg.norm(other)


@pytest.mark.parametrize(("time", "options", "loops"), [
    (SHORT, {}, False), (SHORT + 1, {}, True), (SHORT + 1, {"unroll": True}, False), (SHORT, {"activation": "relu"}, False),
], ids=str)
def test_short_sequences_are_written_out(time, options, loops):
    layer, x = LSTM(UNITS, **options), numbers(BATCH, time, FEATURES)
    gradient = jax.jit(jax.grad(lambda params: jnp.sum(layer.apply(params, {}, x, Ctx(True))[0])))
    assert ("stablehlo.while" in gradient.lower(weights(layer)).as_text()) == loops


# ---- computed again instead of kept


@pytest.mark.every(7)
@pytest.mark.parametrize(("options", "masked"), [
    ({"return_sequences": True, "go_backwards": True}, True), ({}, False), pytest.param({}, True, marks=pytest.mark.full),
    pytest.param({"go_backwards": True}, True, marks=pytest.mark.full),
    ({"stateful": True, "unroll": True}, False),
    pytest.param({"return_sequences": True, "activation": "relu"}, True, marks=pytest.mark.full),
    ({"recurrent_dropout": 0.5, "dropout": 0.5}, True),
], ids=str)
def test_remat_changes_no_number(options, masked):
    """7 steps: three segments of two, and one step more."""
    x, mask = numbers(BATCH, 7, FEATURES), jnp.asarray(numbers(BATCH, 7, seed=7) > -0.5) if masked else None
    start = {"h": jnp.asarray(numbers(BATCH, UNITS, seed=4)), "c": jnp.asarray(numbers(BATCH, UNITS, seed=5))}

    def run(layer):
        def outputs(params, x):
            y, state = layer.apply(params, start if layer.stateful else {}, x, Ctx(True, jax.random.key(3), mask))
            return jnp.concatenate([y.ravel(), *(value.ravel() for value in state.values())])
        return value_and_gradients(outputs, weights(layer), x)

    assert_same(run(LSTM(UNITS, remat=True, **options)), run(LSTM(UNITS, **options)), **CLOSE)


def test_a_single_step_is_one_segment_even_where_nothing_is_compiled():
    x, layer = numbers(BATCH, 1, FEATURES), LSTM(UNITS, remat=True)
    with jax.disable_jit():
        y, _ = layer.apply(weights(layer), {}, x, Ctx(True))
    assert_allclose(y, LSTM(UNITS).apply(weights(layer), {}, x, Ctx(True))[0], **CLOSE)


def test_remat_is_part_of_what_a_layer_is():
    assert LSTM(2, remat=True) != LSTM(2)
    assert repr(LSTM(2, remat=True)) == "LSTM(units=2, remat=True)"


@pytest.mark.parametrize("time", [1, 2, 3, 4, 9, 11])
def test_segments_follow_one_another(time):
    """A running sum: what a segment finds is what the one before left."""
    x = jnp.asarray(numbers(BATCH, time, UNITS))
    total = lambda carry, x, mask: over_time(lambda carry, z: (carry[0] + z,), carry, x, mask)
    outputs, (last,) = in_segments(total, (jnp.zeros((BATCH, UNITS)),), x, length=math.isqrt(time))
    assert_allclose(outputs, np.cumsum(x, axis=1), rtol=1e-5, atol=1e-6)
    assert_array_equal(last, outputs[:, -1])


def test_memory_is_linear_in_time_and_with_remat_far_less(monkeypatch):
    def needed(time, remat):
        layer, x = LSTM(32, remat=remat), Spec((4, time, 8), jnp.float32)
        params = jax.eval_shape(lambda key: layer.init(key, x)[0], jax.random.key(0))
        loss = lambda params, x: jnp.sum(layer.apply(params, {}, x, Ctx(True))[0])
        return jax.jit(jax.grad(loss, (0, 1))).lower(params, x).compile().memory_analysis().temp_size_in_bytes

    monkeypatch.setattr(recurrence, "CACHE_BYTES", 2**30)
    kept, twice, again = needed(1024, False), needed(2048, False), needed(2048, True)
    assert 1.8 < twice / kept < 2.2
    assert again < twice / 5


@pytest.mark.every(2)
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_long_sequences_are_read_in_segments_and_no_number_changes(masked, every_step, monkeypatch):
    """100 steps: two segments of 34, and one of 32."""
    time, layer = 100, LSTM(UNITS, return_sequences=every_step)
    x, mask = numbers(BATCH, time, FEATURES), jnp.asarray(numbers(BATCH, time, seed=7) > -0.5) if masked else None
    run = lambda params, x: layer.apply(params, {}, x, Ctx(True, mask=mask))[0]
    whole = value_and_gradients(run, weights(layer), x)
    monkeypatch.setattr(recurrence, "CACHE_BYTES", 33 * BATCH * 4 * UNITS * 4)
    assert_same(value_and_gradients(run, weights(layer), x), whole, **CLOSE)


@pytest.mark.parametrize(("time", "divided"), [(98, False), (99, True)])
def test_what_fits_into_the_cache_is_read_at_once(time, divided, monkeypatch):
    monkeypatch.setattr(recurrence, "CACHE_BYTES", 33 * BATCH * 4 * UNITS * 4)
    run = jax.jit(lambda params, x: LSTM(UNITS).apply(params, {}, x, Ctx(True))[0])
    program = run.trace(weights(LSTM(UNITS)), numbers(BATCH, time, FEATURES))
    loops = {platform: program.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.while")
             for platform in ("cpu", "cuda")}
    assert loops == {"cpu": 3 if divided else 1, "cuda": 1}         # over segments, within one, and within the last


@pytest.mark.parametrize("every_step", [False, True])
def test_outputs_that_nobody_wants_have_no_gradient_of_zeros(every_step, monkeypatch):
    """99 steps: the outputs of two segments of 33 side by side, and then those of the last."""
    monkeypatch.setattr(recurrence, "CACHE_BYTES", 33 * BATCH * 4 * UNITS * 4)
    layer = LSTM(UNITS, return_sequences=every_step)
    gradient = jax.jit(jax.grad(lambda params, x: jnp.sum(layer.apply(params, {}, x, Ctx(True))[0])))
    text = gradient.lower(weights(layer), numbers(BATCH, 99, FEATURES)).as_text()
    assert (f"tensor<2x{BATCH}x33x{UNITS}xf32>" in text) == every_step


def test_without_a_gradient_the_value_is_the_same():
    z, recurrent_kernel, h = numbers(BATCH, TIME, 4 * UNITS), numbers(UNITS, 4 * UNITS, seed=1), jnp.zeros((BATCH, UNITS))
    alone = lstm(z, recurrent_kernel, h, h)
    with_gradient, _ = jax.vjp(lambda z: lstm(z, recurrent_kernel, h, h), z)
    for one, other in zip(alone, with_gradient, strict=True):
        assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.every(2)
@pytest.mark.parametrize("time", [SHORT + 1, 3])
def test_the_gradient_has_a_gradient(time):
    """Of a loop, and of steps that are written out; backward or forward over backward."""
    recurrent_kernel, h = numbers(UNITS, 4 * UNITS, seed=1), jnp.zeros((2, UNITS))
    z, direction = numbers(2, time, 4 * UNITS), numbers(2, time, 4 * UNITS, seed=5)
    gradient = jax.grad(lambda z: jnp.sum(lstm(z, recurrent_kernel, h, h)[0] ** 2))
    autodiff = jax.grad(lambda z: jnp.sum(over_time(
        lstm_cell(lambda h: h @ recurrent_kernel, jnp.tanh, jax.nn.sigmoid), (h, h), z)[0] ** 2))
    expected, backward = (jax.jit(jax.grad(lambda z, slope=slope: jnp.vdot(slope(z), direction)), compiler_options=QUICK)(z)
                          for slope in (autodiff, gradient))
    forward = jax.jit(lambda z: jax.jvp(gradient, (z,), (direction,))[1], compiler_options=QUICK)(z)
    assert_allclose(backward, expected, rtol=1e-4, atol=1e-5)
    assert_allclose(forward, expected, rtol=1e-4, atol=1e-5)


def test_gradients_side_by_side_are_those_one_by_one():
    """Under vmap, in a loop over time."""
    recurrent_kernel, h = numbers(UNITS, 4 * UNITS, seed=1), jnp.zeros((2, UNITS))
    z = numbers(3, 2, SHORT + 1, 4 * UNITS)
    gradient = jax.jit(jax.grad(lambda z: jnp.sum(lstm(z, recurrent_kernel, h, h)[0] ** 2)), compiler_options=QUICK)
    assert_allclose(jax.vmap(gradient)(z), jnp.stack([gradient(each) for each in z]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("options", "own"), [
    ({}, True), ({"activation": jnp.tanh, "recurrent_activation": jax.nn.sigmoid}, True), ({"dropout": 0.5}, True),
    ({"activation": "relu"}, False), ({"recurrent_dropout": 0.5}, False),
], ids=["by name", "by function", "dropout", "relu", "recurrent dropout"])
def test_the_fast_way_is_taken_where_it_can_be(options, own):
    layer = LSTM(UNITS, **options)
    program = jax.make_jaxpr(lambda params, x, key: layer.apply(params, {}, x, Ctx(True, key)))(
        weights(layer), X, jax.random.key(0))
    assert ("custom_vjp" in str(program)) == own


def test_project_is_one_product_for_all_steps():
    kernel, bias = numbers(FEATURES, 7), numbers(7)
    assert_allclose(project(X, kernel, bias), np.einsum("btd,dm->btm", X, kernel) + bias, rtol=1e-5, atol=1e-6)
    assert_allclose(project(X, kernel), np.einsum("btd,dm->btm", X, kernel), rtol=1e-5, atol=1e-6)


def test_over_time_drives_any_cell():
    """A running sum and a count, two steps of the second row masked."""
    mask = jnp.array([[True, True, True], [False, True, False]])
    outputs, (total, steps) = over_time(lambda carry, z: (carry[0] + z, carry[1] + 1), (jnp.zeros((2, 1)), jnp.zeros((2, 1))),
                                        jnp.arange(6.0).reshape(2, 3, 1), mask)
    assert_array_equal(outputs[..., 0], [[0, 1, 3], [0, 4, 4]])
    assert_array_equal(total[:, 0], [3, 4])
    assert_array_equal(steps[:, 0], [3, 1])
