"""LSTM against Keras with the same weights, against a textbook loop, and its own gradient against autodiff."""

import math
import re
from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import chain, rng
from jaxseq.core.kernels import recurrence
from jaxseq.core.kernels.recurrence import SHORT, in_segments, lstm_cell, over_time, project, recurrent_product
from jaxseq.core.kernels.usual_recurrence import LSTM as RULE, recur_quickly
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.masking import Masking
from jaxseq.core.layers.recurrent import LSTM
from jaxseq.core.types import Ctx, Spec

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
QUICK = {"xla_backend_optimization_level": 0}
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 1]], bool)
CLOSE = {"rtol": 2e-5, "atol": 2e-6}
UNSET = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}       # Keras's weights are ours anyway


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X = numbers(BATCH, TIME, FEATURES)


def weights(layer, features=FEATURES, seed=1):
    """Params with no zeros among them, so that no mistake hides behind one."""
    params, _ = jax.eval_shape(lambda key: layer.init(key, Spec((BATCH, TIME, features), jnp.float32)), jax.random.key(0))
    return {name: jnp.asarray(numbers(*value.shape, seed=seed + place) * 0.5)
            for place, (name, value) in enumerate(sorted(params.items()))}


def lstm(z, recurrent_kernel, h, c, mask=None, **options):
    """The recurrence with its own gradient: (outputs, last h, last c)."""
    outputs, (h, c) = recur_quickly(RULE, (h, c), z, recurrent_kernel, None, mask, **options)
    return outputs, h, c


def in_order(params):
    """The weights as Keras lists them."""
    return [params[name] for name in ("kernel", "recurrent_kernel", "bias") if name in params]


def value_and_gradients(function, *arguments):
    """f(...), and the gradients of a weighted sum of it, in one program."""
    def run(*arguments):
        y, back = jax.vjp(function, *arguments)
        return y, back(jnp.asarray(numbers(*y.shape, seed=9), y.dtype))
    return jax.jit(run, compiler_options=QUICK)(*arguments)


def assert_same(ours, theirs, **tolerance):
    assert_allclose(ours[0], theirs[0], **tolerance)
    for mine, their in zip(jax.tree.leaves(ours[1]), jax.tree.leaves(theirs[1]), strict=True):
        assert_allclose(mine, their, **tolerance)


# ---- against Keras


@pytest.mark.every(2)
@pytest.mark.parametrize(("options", "masked"), [
    ({}, False),
    ({"return_sequences": True, "go_backwards": True}, False),
    ({"use_bias": False, "unroll": True}, False),
    ({"activation": None, "recurrent_activation": "tanh"}, False),
    ({"return_sequences": True}, True),
    ({"go_backwards": True}, True),
    ({"return_sequences": True, "go_backwards": True}, True),
    ({"activation": "softsign", "recurrent_activation": "hard_sigmoid", "return_sequences": True}, True),
], ids=str)
def test_values_and_gradients_are_those_of_keras(options, masked):
    layer, mask = LSTM(UNITS, **options), jnp.asarray(MASK) if masked else None
    params = weights(layer)
    theirs = keras.layers.LSTM(UNITS, **UNSET, **options)
    theirs.build(X.shape)

    run_ours = lambda given, x: layer.apply(dict(zip(("kernel", "recurrent_kernel", "bias"), given, strict=False)), {}, x,
                                            Ctx(True, mask=mask))[0]
    run_theirs = lambda given, x: theirs.stateless_call(given, theirs.non_trainable_variables, x, mask=mask, training=True)[0]
    ours, keras_gives = (value_and_gradients(run, in_order(params), X) for run in (run_ours, run_theirs))
    assert_same(ours, keras_gives, **CLOSE)


def stacks():
    """(ours, theirs, x): a padded sequence of ids, and one of features, through two LSTMs."""
    ids = np.array([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0], [0, 0, 5, 3, 0]])
    padded = numbers(3, 5, FEATURES)
    padded[0, 3:] = padded[2, 0] = -1.0
    sizes = {"return_sequences": True}, {"go_backwards": True}
    ours = [LSTM(4, **sizes[0]), LSTM(3, **sizes[1]), Dense(2)]
    theirs = [keras.layers.LSTM(4, **UNSET, **sizes[0]), keras.layers.LSTM(3, **UNSET, **sizes[1]),
              keras.layers.Dense(2, kernel_initializer="zeros")]
    return {
        "mask_zero": ([Embedding(7, 3, mask_zero=True), *ours],
                      [keras.layers.Embedding(7, 3, "zeros", mask_zero=True), *theirs], ids),
        "masking": ([Masking(-1.0), *ours], [keras.layers.Masking(-1.0), *theirs], padded),
    }


@pytest.mark.parametrize("kind", ["mask_zero", "masking"])
def test_a_mask_goes_through_a_stack_as_in_keras(kind):
    ours, theirs, x = stacks()[kind]
    named = [(f"{place}", layer) for place, layer in enumerate(ours)]
    model = keras.Sequential(theirs)
    model.build(x.shape)
    x = jnp.asarray(x)
    spec = Spec(x.shape, x.dtype)
    params, state = jax.jit(lambda key: chain.init(named, key, spec), compiler_options=QUICK)(jax.random.key(0))
    given = [leaf for name, _ in named if name in params for leaf in (
        [params[name][weight] for weight in ("embeddings", "kernel", "recurrent_kernel", "bias") if weight in params[name]])]
    assert [leaf.shape for leaf in given] == [tuple(each.shape) for each in model.trainable_variables]

    def run_ours(given):
        rest = iter(given)
        filled = {name: {weight: next(rest) for weight in ("embeddings", "kernel", "recurrent_kernel", "bias")
                         if weight in params[name]} for name, _ in named if name in params}
        return chain.apply(named, filled, state, x).y

    run_theirs = lambda given: model.stateless_call(given, model.non_trainable_variables, x)[0]
    assert_same(value_and_gradients(run_ours, given), value_and_gradients(run_theirs, given), **CLOSE)


# ---- against the textbook


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all steps", "masked"])
def test_it_is_the_textbook_loop(mask, go_backwards):
    layer = LSTM(UNITS, return_sequences=True, stateful=True, go_backwards=go_backwards)
    params, h, c = weights(layer), numbers(BATCH, UNITS, seed=4), numbers(BATCH, UNITS, seed=5)
    y, state = layer.apply(params, {"h": h, "c": c}, jnp.asarray(X), Ctx(mask=None if mask is None else jnp.asarray(mask)))
    order = slice(None, None, -1 if go_backwards else 1)
    outputs, last_h, last_c = oracles.lstm(params, X[:, order], None if mask is None else mask[:, order], h, c)
    assert_allclose(y, outputs, rtol=1e-5, atol=1e-6)
    assert_allclose(state["h"], last_h, rtol=1e-5, atol=1e-6)
    assert_allclose(state["c"], last_c, rtol=1e-5, atol=1e-6)


def test_before_the_first_real_step_the_output_is_zero_and_then_it_repeats():
    layer = LSTM(UNITS, return_sequences=True)
    y, _ = layer.apply(weights(layer), {}, jnp.asarray(X), Ctx(mask=jnp.asarray(MASK)))
    assert not y[2, :2].any() and y[2, 2].any()
    assert_array_equal(y[2, 3], y[2, 2])
    assert_array_equal(y[1, 3:], jnp.broadcast_to(y[1, 2], (3, UNITS)))


# ---- the gradient of its own


LONG = SHORT + 3            # a loop; TIME steps are written out
WAYS = [
    (TIME, {}, False), (TIME, {}, True), (LONG, {}, False), (LONG, {}, True), (LONG, {"unroll": True}, True),
]


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


@pytest.mark.every(2)
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


@pytest.mark.every(3)
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


@pytest.mark.every(2)
@pytest.mark.parametrize(("options", "masked"), [
    ({}, False), pytest.param({}, True, marks=pytest.mark.full),
    pytest.param({"go_backwards": True}, True, marks=pytest.mark.full),
    ({"return_sequences": True, "go_backwards": True}, True), ({"stateful": True, "unroll": True}, False),
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


@pytest.mark.parametrize("masked", [False, True])
def test_long_sequences_are_read_in_segments_and_no_number_changes(masked, monkeypatch):
    """100 steps: three segments of 33, and one step more."""
    time, layer = 100, LSTM(UNITS, return_sequences=True)
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
    assert loops == {"cpu": 2 if divided else 1, "cuda": 1}


def test_without_a_gradient_the_value_is_the_same():
    z, recurrent_kernel, h = numbers(BATCH, TIME, 4 * UNITS), numbers(UNITS, 4 * UNITS, seed=1), jnp.zeros((BATCH, UNITS))
    alone = lstm(z, recurrent_kernel, h, h)
    with_gradient, _ = jax.vjp(lambda z: lstm(z, recurrent_kernel, h, h), z)
    for one, other in zip(alone, with_gradient, strict=True):
        assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_the_gradient_has_a_gradient():
    recurrent_kernel, h = numbers(UNITS, 4 * UNITS, seed=1), jnp.zeros((2, UNITS))
    z, direction = numbers(2, 3, 4 * UNITS), numbers(2, 3, 4 * UNITS, seed=5)
    slope = lambda z: jnp.vdot(jax.grad(lambda z: jnp.sum(lstm(z, recurrent_kernel, h, h)[0] ** 2))(z), direction)
    autodiff = lambda z: jnp.vdot(jax.grad(lambda z: jnp.sum(over_time(
        lstm_cell(lambda h: h @ recurrent_kernel, jnp.tanh, jax.nn.sigmoid), (h, h), z)[0] ** 2))(z), direction)
    second, expected = (jax.jit(jax.grad(each), compiler_options=QUICK)(z) for each in (slope, autodiff))
    assert_allclose(second, expected, rtol=1e-4, atol=1e-5)


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


# ---- state


def test_pieces_with_a_carry_equal_one_unbroken_pass():
    whole, piecewise = LSTM(UNITS, return_sequences=True), LSTM(UNITS, return_sequences=True, stateful=True)
    params = weights(whole)
    expected, _ = whole.apply(params, {}, X, Ctx())
    _, state = piecewise.init(jax.random.key(0), Spec((BATCH, 2, FEATURES), jnp.float32))
    pieces = []
    for train, piece in zip((True, False, True), np.split(X, 3, axis=1), strict=True):
        y, state = piecewise.apply(params, state, piece, Ctx(train))
        pieces.append(y)
    assert_allclose(np.concatenate(pieces, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_the_state_begins_and_is_reset_to_zero():
    layer = LSTM(UNITS, stateful=True)
    params, state = layer.init(jax.random.key(0), Spec(X.shape, jnp.float32))
    assert {name: (value.shape, value.dtype) for name, value in state.items()} == {
        "h": ((BATCH, UNITS), jnp.float32), "c": ((BATCH, UNITS), jnp.float32)}
    assert not any(value.any() for value in state.values())
    _, moved = layer.apply(params, state, X, Ctx())
    assert moved["h"].all() and moved["c"].all()
    assert not any(value.any() for value in layer.reset(moved).values())
    assert LSTM(UNITS).init(jax.random.key(0), Spec(X.shape, jnp.float32))[1] == {}


def test_no_gradient_flows_into_the_batch_before():
    layer = LSTM(UNITS, stateful=True)
    params = weights(layer)

    def second_batch(first):
        _, state = layer.apply(params, {"h": jnp.zeros((BATCH, UNITS)), "c": jnp.zeros((BATCH, UNITS))}, first, Ctx(True))
        return jnp.sum(layer.apply(params, state, X, Ctx(True))[0])

    assert not jax.grad(second_batch)(jnp.asarray(X)).any()


# ---- first weights, masks and dropout


def test_first_weights():
    params, _ = LSTM(8).init(jax.random.key(0), Spec((2, 3, 6), jnp.float32))
    assert {name: value.shape for name, value in params.items()} == {
        "kernel": (6, 32), "recurrent_kernel": (8, 32), "bias": (32,)}
    assert np.abs(params["kernel"]).max() <= np.sqrt(6 / (6 + 32))
    assert_allclose(params["recurrent_kernel"] @ params["recurrent_kernel"].T, np.eye(8), atol=1e-6)
    assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 8))


def test_first_bias_follows_its_initializer_but_for_the_forget_gate():
    spec = Spec((2, 3, 6), jnp.float32)
    params, _ = LSTM(2, bias_initializer="ones", unit_forget_bias=False).init(jax.random.key(0), spec)
    assert_array_equal(params["bias"], np.ones(8))
    params, _ = LSTM(2, bias_initializer="random_normal").init(jax.random.key(0), spec)
    assert_array_equal(params["bias"][2:4], np.ones(2))
    assert np.all(params["bias"][:2] != 1) and np.all(params["bias"][4:] != 1)
    assert "bias" not in LSTM(2, use_bias=False).init(jax.random.key(0), spec)[0]


def test_the_mask_goes_on_with_the_sequence_in_its_order():
    mask = jnp.asarray(MASK)
    assert LSTM(2).out_mask(X, mask) is None
    assert_array_equal(LSTM(2, return_sequences=True).out_mask(X, mask), mask)
    assert_array_equal(LSTM(2, return_sequences=True, go_backwards=True).out_mask(X, mask), mask[:, ::-1])
    assert LSTM(2, return_sequences=True).out_mask(X, None) is None


def test_dropout_drops_the_same_features_at_every_step():
    layer, key = LSTM(UNITS, dropout=0.5, return_sequences=True), jax.random.key(3)
    params = weights(layer)
    kept = rng.keep(rng.fold_in(key, "dropout"), 0.5, (BATCH, 1, FEATURES))
    assert 0 < kept.sum() < kept.size
    expected, _, _ = oracles.lstm(params, X * np.asarray(kept) * 2)
    assert_allclose(layer.apply(params, {}, jnp.asarray(X), Ctx(True, key))[0], expected, rtol=1e-5, atol=1e-6)


def test_recurrent_dropout_drops_the_same_units_at_every_step_with_a_draw_for_each_gate():
    layer, key = LSTM(UNITS, recurrent_dropout=0.25, return_sequences=True, seed=8), jax.random.key(3)
    params = weights(layer)
    kept = rng.keep(rng.fold_in(rng.fold_in(key, 8), "recurrent_dropout"), 0.25, (BATCH, 4, UNITS))
    assert len(np.unique(np.asarray(kept), axis=1)) > 1 and not kept.all()
    expected, _, _ = oracles.lstm(params, X, kept=np.asarray(kept) / 0.75)
    assert_allclose(layer.apply(params, {}, jnp.asarray(X), Ctx(True, key))[0], expected, rtol=1e-5, atol=1e-6)


def test_dropout_keeps_the_mean():
    layer = LSTM(1, activation=None, recurrent_activation=lambda z: jnp.ones_like(z), dropout=0.3, use_bias=False)
    params = {"kernel": jnp.ones((200, 4)), "recurrent_kernel": jnp.zeros((1, 4))}
    y, _ = layer.apply(params, {}, jnp.ones((100, 1, 200)), Ctx(True, jax.random.key(0)))
    assert_allclose(y.mean() / 200, 1, atol=5 * np.sqrt(0.3 / 0.7 / (200 * 100)))
    assert_allclose(y.std() / np.sqrt(200), np.sqrt(0.3 / 0.7), rtol=0.3)


# ---- errors


@pytest.mark.parametrize(("make", "message"), [
    (lambda: LSTM(0), "LSTM(units)=0: write a whole number of at least 1."),
    (lambda: LSTM(2, dropout=1.0), "LSTM(dropout=1.0): write a number from 0 up to, and without, 1."),
    (lambda: LSTM(2, recurrent_dropout=-0.1), "LSTM(recurrent_dropout=-0.1): write a number from 0 up to, and without, 1."),
    (lambda: LSTM(2, implementation=3), "LSTM(implementation)=3: write one of 1, 2."),
    (lambda: LSTM(2, return_state=True), "LSTM(return_state=True): a layer of a Sequential has one output. Write "
     "stateful=True and read layer.states after the batch."),
    (lambda: LSTM(2).init(jax.random.key(0), Spec((32, 784), jnp.float32)), "LSTM needs x (batch, time, features), got "
     "(32, 784). Write return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None]."),
    (lambda: LSTM(UNITS).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X[:, :0]), Ctx()),
     "A recurrent layer needs at least one time step, got 3 sequences of length 0."),
    (lambda: LSTM(UNITS, remat=True).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X[:, :0]), Ctx()),
     "A recurrent layer needs at least one time step, got 3 sequences of length 0."),
    (lambda: LSTM(UNITS).apply(weights(LSTM(UNITS)), {}, jnp.asarray(X), Ctx(mask=jnp.ones((3, 5), bool))),
     "A recurrent layer needs a mask (batch, time) (3, 6), got (3, 5)."),
    (lambda: LSTM(2, stateful=True).apply(weights(LSTM(2)), {"h": jnp.zeros((4, 2)), "c": jnp.zeros((4, 2))},
                                          jnp.asarray(X), Ctx()),
     "The layer is stateful and carries the state of a batch of 4, got a batch of 3. Pass batches of 4, so a multiple of 4 "
     "rows in all."),
    (lambda: LSTM(2, dropout=0.5).apply(weights(LSTM(2)), {}, jnp.asarray(X), Ctx(True)),
     "A layer that drops draws at random in training, so it needs a key: apply(..., train=True, key=jax.random.key(0))."),
], ids=lambda given: given if isinstance(given, str) else "")
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_keras_2_words_are_taken():
    assert LSTM(2, implementation=1) == LSTM(2, implementation=2)
    assert LSTM(2, input_dim=4, input_length=6).batch_input_shape == (None, 6, 4)
