"""BatchNormalization against Keras in training and evaluation, masked too, and its moments against plain sums."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import oracles
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core.kernels.batch_norm import batch_norm
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.types import Ctx, Spec

QUICK = {"xla_backend_optimization_level": 0}
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def both(options, x, mask, train):
    """Ours and Keras's (y, [moving_mean, moving_variance], gradients of weights and x), from the same weights."""
    ours, theirs = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    theirs.build(x.shape)
    features = x.shape[ours.axis]
    names = [name for name, there in (("gamma", ours.scale), ("beta", ours.center)) if there]
    given = [numbers(features, seed=3 + place) for place, _ in enumerate(names)]
    moving = [numbers(features, seed=5), numbers(features, seed=6) ** 2 + 0.5]
    mask = None if mask is None else jnp.asarray(mask)

    def run_ours(given, x):
        state = dict(zip(("moving_mean", "moving_variance"), moving, strict=True))
        y, state = ours.apply(dict(zip(names, given, strict=True)), state, x, Ctx(train, mask=mask))
        return y, [state["moving_mean"], state["moving_variance"]]

    def run_theirs(given, x):
        # Keras lists no weights as trainable where trainable=False, so the weights of the frozen layer go in with the rest.
        trainable, rest = (given, moving) if theirs.trainable else ([], [*given, *moving])
        y, state = theirs.stateless_call(trainable, rest, x, mask=mask, training=train)
        return y, state[-2:]

    def all_of(run):
        y, back, state = jax.vjp(run, given, x, has_aux=True)
        return y, state, back(jnp.asarray(numbers(*y.shape, seed=9)))

    return [jax.jit(lambda run=run: all_of(run), compiler_options=QUICK)() for run in (run_ours, run_theirs)]


@pytest.mark.parametrize("train", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize(("options", "shape", "mask"), [
    ({}, (6, 4), None),
    ({}, (3, 5, 4), None),
    ({}, (3, 5, 4), MASK),
    ({"momentum": 0.5, "epsilon": 0.1, "center": False}, (3, 5, 4), MASK),
    ({"scale": False}, (2, 3, 4, 5), None),
    ({"axis": 1}, (2, 3, 4, 5), None),
    ({"axis": 1}, (3, 5, 4), MASK),
    ({"trainable": False}, (3, 5, 4), None),
], ids=str)
def test_values_state_and_gradients_are_those_of_keras(options, shape, mask, train):
    ours, theirs = both(options, numbers(*shape) * 2 + 1, mask, train)
    for mine, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert_allclose(mine, their, rtol=2e-5, atol=5e-6)


# ---- the moments


def moments(x, axis=-1, mask=None):
    features = x.shape[axis]
    return batch_norm(x, jnp.ones(features), jnp.zeros(features), 1e-3, axis, mask)[1:]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_moments_are_plain_sums(mask):
    x = numbers(3, 5, 4) * 3 + 1000                     # far from zero: E[x^2] - E[x]^2 would be off by its own size
    mean, variance = moments(jnp.asarray(x), mask=None if mask is None else jnp.asarray(mask))
    real = np.ones((3, 5), bool) if mask is None else mask
    expected_mean, expected_variance = oracles.moments(x, real)
    assert_allclose(mean, expected_mean, rtol=1e-6)
    assert_allclose(variance, expected_variance, rtol=1e-3)


def test_moments_along_another_axis():
    x = numbers(3, 5, 4)
    mean, variance = moments(jnp.asarray(x), axis=1)
    expected_mean, expected_variance = oracles.moments(x.swapaxes(1, 2), np.ones((3, 4), bool))
    assert_allclose(mean, expected_mean, rtol=1e-5, atol=1e-6)
    assert_allclose(variance, expected_variance, rtol=1e-5)


def test_moments_of_bfloat16_are_taken_in_float32():
    x = jnp.asarray(numbers(4000, 2) + 1, jnp.bfloat16)
    mean, variance = moments(x)
    assert mean.dtype == variance.dtype == jnp.float32
    expected_mean, expected_variance = oracles.moments(np.float32(x), np.ones(4000, bool))
    assert_allclose(mean, expected_mean, rtol=1e-5)
    assert_allclose(variance, expected_variance, rtol=1e-5)


def test_moments_of_nothing_are_zero():
    mean, variance = moments(jnp.ones((2, 3, 4)), mask=jnp.zeros((2, 3), bool))
    assert_array_equal(mean, np.zeros(4))
    assert_array_equal(variance, np.zeros(4))


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_gradients_by_all_that_is_given_through_all_that_comes_out(mask, axis):
    x = jnp.float32(numbers(3, 5, 4))
    gamma, beta = (jnp.float32(numbers(x.shape[axis], seed=seed)) for seed in (1, 2))
    mask = None if mask is None else jnp.asarray(mask)

    def together(x, gamma, beta, epsilon):
        y, mean, variance = batch_norm(x, gamma, beta, epsilon, axis, mask)
        return jnp.sum(jnp.sin(3 * y)) + jnp.sum(mean**3) + jnp.sum(jnp.cos(variance))

    check_grads(together, (x, gamma, beta, jnp.float32(0.2)), order=2, modes=["rev"], rtol=3e-2, atol=3e-2)


@pytest.mark.parametrize("train", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_layer_without_gamma_and_beta_computes_in_its_own_digits_whatever_jax_is_set_to(dtype, train):
    with jax.enable_x64(True):
        layer, x = BatchNormalization(center=False, scale=False), jnp.asarray(numbers(8, 3), dtype)
        _, state = layer.init(jax.random.key(0), Spec(x.shape, x.dtype))
        state = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), state)
        y, after = layer.apply({}, state, x, Ctx(train))
    assert y.dtype == dtype and {leaf.dtype for leaf in after.values()} == {jnp.dtype("float32")}


def test_forward_mode_is_refused_in_training_alone():
    layer, x = BatchNormalization(), jnp.asarray(numbers(8, 3))
    params, state = layer.init(jax.random.key(0), Spec(x.shape, jnp.float32))
    through = lambda train: jax.jvp(lambda x: layer.apply(params, state, x, Ctx(train))[0], (x,), (x,))
    assert_allclose(through(False)[1], x / np.sqrt(1.001), rtol=1e-6)
    with pytest.raises(TypeError, match="custom_vjp"):
        through(True)
    loss = lambda x: jnp.sum(jnp.sin(layer.apply(params, state, x, Ctx(True))[0]))
    assert_allclose(jax.hessian(loss)(x), jax.jacrev(jax.grad(loss))(x), rtol=1e-4, atol=1e-5)      # forward over backward


# ---- the layer


def test_first_weights_and_state():
    params, state = BatchNormalization().init(jax.random.key(0), Spec((2, 3, 4), jnp.float32))
    assert_array_equal(params["gamma"], np.ones(4))
    assert_array_equal(params["beta"], np.zeros(4))
    assert_array_equal(state["moving_mean"], np.zeros(4))
    assert_array_equal(state["moving_variance"], np.ones(4))
    params, _ = BatchNormalization(center=False, scale=False, axis=1).init(jax.random.key(0), Spec((2, 3, 4), jnp.float32))
    assert params == {}


def test_training_normalizes_the_batch_and_moves_the_statistics():
    layer, x = BatchNormalization(momentum=0.9), numbers(64, 3) * 5 + 2
    params, state = layer.init(jax.random.key(0), Spec(x.shape, jnp.float32))
    y, state = layer.apply(params, state, jnp.asarray(x), Ctx(True))
    assert_allclose(y.mean(0), 0, atol=1e-5)
    assert_allclose(y.var(0), x.var(0) / (x.var(0) + 1e-3), rtol=1e-4)
    assert_allclose(state["moving_mean"], 0.1 * x.mean(0), rtol=1e-5)
    assert_allclose(state["moving_variance"], 0.9 + 0.1 * x.var(0), rtol=1e-5)


def test_evaluation_and_a_frozen_layer_leave_the_statistics():
    x = jnp.asarray(numbers(8, 3))
    for layer, train in ((BatchNormalization(), False), (BatchNormalization(trainable=False), True)):
        params, state = layer.init(jax.random.key(0), Spec(x.shape, jnp.float32))
        y, after = layer.apply(params, state, x, Ctx(train))
        assert after is state
        assert_allclose(y, x / np.sqrt(1.001), rtol=1e-6)


def test_masked_steps_do_not_move_the_statistics():
    layer, x = BatchNormalization(), numbers(3, 5, 4)
    params, state = layer.init(jax.random.key(0), Spec(x.shape, jnp.float32))
    spoilt = np.where(MASK[..., None], x, 1e6).astype(np.float32)
    ctx = Ctx(True, mask=jnp.asarray(MASK))
    (clean_y, clean), (spoilt_y, other) = (layer.apply(params, state, jnp.asarray(each), ctx) for each in (x, spoilt))
    assert_allclose(other["moving_variance"], clean["moving_variance"], rtol=1e-6)
    assert_allclose(spoilt_y[MASK], clean_y[MASK], rtol=1e-6)


def test_a_mask_of_another_shape_is_passed_over():
    layer, x = BatchNormalization(), jnp.asarray(numbers(3, 4))
    params, state = layer.init(jax.random.key(0), Spec(x.shape, jnp.float32))
    with_mask, _ = layer.apply(params, state, x, Ctx(True, mask=jnp.asarray(MASK)))
    assert_array_equal(with_mask, layer.apply(params, state, x, Ctx(True))[0])


@pytest.mark.parametrize(("make", "message"), [
    (lambda: BatchNormalization(axis=0), "BatchNormalization(axis=0): write the number of the axis that holds the features: "
     "-1 for the last, 1 for channels first."),
    (lambda: BatchNormalization(axis=[1, 2]), "BatchNormalization(axis=[1, 2]): write the number of the axis that holds the "
     "features: -1 for the last, 1 for channels first."),
    (lambda: BatchNormalization(momentum=99), "BatchNormalization(momentum=99): write a number from 0 to 1."),
    (lambda: BatchNormalization(epsilon=-1), "BatchNormalization(epsilon=-1): write a finite number of at least 0."),
    (lambda: BatchNormalization(axis=3).init(jax.random.key(0), Spec((2, 3), jnp.float32)),
     "BatchNormalization(axis=3) needs x with such an axis, and not the batch axis, got (2, 3)."),
    (lambda: BatchNormalization(axis=-2).init(jax.random.key(0), Spec((2, 3), jnp.float32)),
     "BatchNormalization(axis=-2) needs x with such an axis, and not the batch axis, got (2, 3)."),
], ids=["batch axis", "two axes", "momentum", "epsilon", "no such axis", "batch axis from the end"])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
