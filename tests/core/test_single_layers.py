"""Layers of one formula each (activations, normalizations, scaling, orders of axes) against Keras: values and gradients."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq import backend
from jaxseq.core import activations, chain
from jaxseq.core.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from jaxseq.core.layers.functions import ActivityRegularization, Lambda
from jaxseq.core.layers.identity import Identity
from jaxseq.core.layers.layer_normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from jaxseq.core.layers.reshaping import Permute, RepeatVector
from jaxseq.core.layers.scaling import Normalization, Rescaling
from jaxseq.core.types import Ctx, Spec

K = keras.layers
RANDOM = np.random.default_rng(0)
ROWS, SEQUENCE, IMAGE = (RANDOM.normal(size=shape).astype(np.float32) * 2 for shape in ((4, 6), (3, 5, 6), (2, 3, 4, 6)))
QUICK = {"xla_backend_optimization_level": 0}
PAIRS = [
    (ReLU(), K.ReLU(), SEQUENCE), (ReLU(1.5), K.ReLU(1.5), ROWS), (ReLU(2.0, 0.1, 0.5), K.ReLU(2.0, 0.1, 0.5), ROWS),
    (ReLU(negative_slope=0.2), K.ReLU(negative_slope=0.2), IMAGE),
    (LeakyReLU(), K.LeakyReLU(), ROWS), (LeakyReLU(alpha=0.1), K.LeakyReLU(0.1), SEQUENCE),
    (PReLU(), K.PReLU(), SEQUENCE), (PReLU(shared_axes=[1, 2]), K.PReLU(shared_axes=[1, 2]), IMAGE),
    (ELU(), K.ELU(), ROWS), (ELU(0.5), K.ELU(0.5), SEQUENCE),
    (Softmax(), K.Softmax(), SEQUENCE), (Softmax(1), K.Softmax(1), SEQUENCE), (Softmax([1, 2]), K.Softmax([1, 2]), IMAGE),
    (LayerNormalization(), K.LayerNormalization(), SEQUENCE),
    (LayerNormalization([1, 2], 1e-2), K.LayerNormalization([1, 2], 1e-2), IMAGE),
    (LayerNormalization(1, scale=False), K.LayerNormalization(1, scale=False), IMAGE),
    (LayerNormalization(center=False), K.LayerNormalization(center=False), ROWS),
    (GroupNormalization(3), K.GroupNormalization(3), IMAGE), (GroupNormalization(-1), K.GroupNormalization(-1), SEQUENCE),
    (GroupNormalization(2, center=False, epsilon=0.1), K.GroupNormalization(2, center=False, epsilon=0.1), ROWS),
    (GroupNormalization(3, axis=1), K.GroupNormalization(3, axis=1), IMAGE),
    (GroupNormalization(1, scale=False), K.GroupNormalization(1, scale=False), SEQUENCE),
    (RMSNormalization(), K.RMSNormalization(), SEQUENCE),
    (RMSNormalization((2, 3), 0.1), K.RMSNormalization((2, 3), 0.1), IMAGE),
    (UnitNormalization(), K.UnitNormalization(), ROWS), (UnitNormalization((1, 2)), K.UnitNormalization((1, 2)), IMAGE),
    (Rescaling(2.0, -1.0), K.Rescaling(2.0, -1.0), IMAGE),
    (Rescaling([1, 2, 3, 4, 5, 6]), K.Rescaling([1, 2, 3, 4, 5, 6]), ROWS),
    (Normalization(mean=1.0, variance=4.0), K.Normalization(mean=1.0, variance=4.0), IMAGE),
    (Normalization(mean=range(6), variance=range(6)), K.Normalization(mean=range(6), variance=range(6)), ROWS),
    (Normalization(None, 2.0, 9.0, invert=True), K.Normalization(None, 2.0, 9.0, invert=True), ROWS),
    (Permute((2, 1)), K.Permute((2, 1)), SEQUENCE), (Permute([3, 1, 2]), K.Permute([3, 1, 2]), IMAGE),
    (RepeatVector(3), K.RepeatVector(3), ROWS),
    (Lambda(lambda x: x ** 2 + 1), K.Lambda(lambda x: x ** 2 + 1), SEQUENCE),
    (Lambda(lambda x, by: x * by, arguments={"by": 3.0}), K.Lambda(lambda x, by: x * by, arguments={"by": 3.0}), ROWS),
]
NAMES = [f"{place} {type(ours).__name__}" for place, (ours, _, _) in enumerate(PAIRS)]


def filled(params):
    """Params with no zeros and no ones among them, so that no mistake hides behind one."""
    return {name: jnp.asarray(np.random.default_rng(1).normal(size=value.shape) * 0.5 + 1.2, jnp.float32)
            for name, value in params.items()}


def mine(layer, params, x):
    return layer.apply(params, {}, x, Ctx())[0]


def results(function, params, x, names):
    """y, and the gradients of a weighted sum of it by x and by the weights in Keras's order."""
    def run(params, x):
        y, back = jax.vjp(function, params, x)
        return y, back(jnp.asarray(np.random.default_rng(2).normal(size=y.shape), y.dtype))
    y, (by_params, by_x) = jax.jit(run, compiler_options=QUICK)(params, x)
    return [y, by_x, *(by_params[name] for name in names)]


@pytest.mark.every(4)
@pytest.mark.parametrize(("ours", "theirs", "x"), PAIRS, ids=NAMES)
def test_values_and_gradients_are_those_of_keras(ours, theirs, x):
    params, _ = ours.init(jax.random.key(0), Spec(x.shape, jnp.float32))
    params = filled(params)
    theirs.build(x.shape)
    names = [name for name in ("scale", "gamma", "beta", "alpha") if name in params]
    theirs.set_weights([params[name] for name in names]) if names else None
    keep = [weight.value for weight in theirs.non_trainable_variables]

    def keras_call(params, x):
        return theirs.stateless_call([params[name] for name in names], keep, x)[0]

    for own, other in zip(results(lambda params, x: mine(ours, params, x), params, x, names),
                          results(keras_call, params, x, names), strict=True):
        assert_allclose(own, other, rtol=1e-5, atol=2e-6)


def test_thresholded_relu_is_zero_up_to_theta():
    x = jnp.asarray([-2.0, 0.5, 1.0, 1.1])
    assert_array_equal(mine(ThresholdedReLU(), {}, x), [0, 0, 0, np.float32(1.1)])
    assert_array_equal(mine(ThresholdedReLU(0.0), {}, x), [0, 0.5, 1.0, np.float32(1.1)])


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
def test_adapt_finds_mean_and_variance_as_keras_does(axis):
    ours, theirs = Normalization(axis), K.Normalization(axis)
    ours.adapt(SEQUENCE)
    theirs.adapt(SEQUENCE)
    assert_allclose(mine(ours, {}, SEQUENCE), theirs(SEQUENCE), rtol=1e-4, atol=1e-5)


def test_a_normalization_that_knows_nothing_says_so():
    with pytest.raises(ValueError, match=re.escape("does not know mean and variance: call its adapt(x)")):
        mine(Normalization(), {}, ROWS)


def test_the_activity_is_penalised_per_row():
    layer, theirs = ActivityRegularization(0.1, 0.2), K.ActivityRegularization(0.1, 0.2)
    assert_array_equal(mine(layer, {}, ROWS), ROWS)
    theirs(ROWS)
    assert_allclose(layer.activity_penalty(jnp.asarray(ROWS)), theirs.losses[0], rtol=1e-6)


def test_a_lambda_may_hand_its_mask_on():
    mask = jnp.ones((3, 5), bool)
    assert Lambda(lambda x: x).out_mask(SEQUENCE, mask) is None
    assert Lambda(lambda x: x, mask=lambda x, mask: mask[:, 1:]).out_mask(SEQUENCE, mask).shape == (3, 4)
    assert Lambda(lambda x: x, mask=mask).out_mask(SEQUENCE, None) is mask
    assert Lambda(lambda x: x, output_shape=(3,)) != Lambda(lambda x: x)        # another function; the word says nothing


def test_a_lambda_may_look_at_the_whole_batch():
    assert not Lambda(lambda x: x - x.mean(0)).by_row(False)
    assert not Lambda(backend.l2_normalize).by_row(False)
    assert not Lambda(activations.softmax, arguments={"axis": 0}).by_row(False)
    assert Lambda(activations.softmax).by_row(False)


@pytest.mark.parametrize("layer", [Softmax, LayerNormalization, RMSNormalization, UnitNormalization])
def test_the_batch_axis_is_no_axis_of_a_row(layer):
    name = layer.__name__
    for axis in 0, (0, 1):
        with pytest.raises(ValueError, match=re.escape(f"{name}(axis={axis}): write the number of an axis")):
            layer(axis)
    with pytest.raises(ValueError, match=re.escape(f"{name}(axis=-2) needs x with such an axis, and not the batch axis")):
        chain.init([("it", layer(-2))], jax.random.key(0), Spec((4, 6), jnp.float32))


def test_a_softmax_can_be_left_to_the_loss():
    assert Softmax().without_activation() == (Identity(), activations.softmax)
    assert Softmax(1).without_activation() is None


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ReLU(-1.0), "ReLU(max_value=-1.0): write a finite number of at least 0."),
    (lambda: ReLU(threshold=-1), "ReLU(threshold=-1): write a finite number of at least 0."),
    (lambda: LeakyReLU("big"), "LeakyReLU(negative_slope='big'): write a finite number."),
    (lambda: ELU(None), "ELU(alpha=None): write a finite number."),
    (lambda: ThresholdedReLU(-1.0), "ThresholdedReLU(theta=-1.0): write a finite number of at least 0."),
    (lambda: PReLU(shared_axes=0), "PReLU(shared_axes=0): write the axes along which alpha is shared, counted from 1: "
     "shared_axes=(1, 2)."),
    (lambda: PReLU(shared_axes=3).init(None, Spec((2, 3), jnp.float32)), "PReLU(shared_axes=(3,)) shares an axis that x (2, 3) "
     "does not have."),
    (lambda: mine(Softmax(3), {}, ROWS), "Softmax(axis=3) needs x with such an axis, and not the batch axis, got (4, 6)."),
    (lambda: LayerNormalization(epsilon=-1), "LayerNormalization(epsilon=-1): write a finite number of at least 0."),
    (lambda: LayerNormalization("last"), "LayerNormalization(axis='last'): write the number of an axis, or a tuple of them: "
     "-1 for the last, and not 0, the batch axis."),
    (lambda: mine(UnitNormalization(2), {}, ROWS), "UnitNormalization(axis=2) needs x with such an axis, and not the batch "
     "axis, got (4, 6)."),
    (lambda: GroupNormalization(4).init(None, Spec((2, 6), jnp.float32)), "GroupNormalization(groups=4) cannot cut 6 channels "
     "into groups of one size. Write groups as a divisor of 6."),
    (lambda: GroupNormalization(0), "GroupNormalization(groups)=0: write a whole number of at least 1."),
    (lambda: Normalization(mean=1.0), "Normalization: give mean and variance, or neither, and call adapt(x)."),
    (lambda: mine(Normalization(mean=[1, 2], variance=[1, 2]), {}, ROWS), "Normalization(mean=(1, 2), variance=(1, 2)) has 2 "
     "means, which does not fit x (4, 6)."),
    (lambda: Permute((0, 1)), "Permute((0, 1)): write every axis of a row once, counted from 1: Permute((2, 1))."),
    (lambda: mine(Permute((2, 1)), {}, ROWS), "Permute((2, 1)) orders 2 axes, but x (4, 6) has 1 besides the batch."),
    (lambda: mine(RepeatVector(2), {}, SEQUENCE), "RepeatVector needs x (batch, features), got (3, 5, 6)."),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


def test_a_lambda_needs_a_function():
    with pytest.raises(TypeError, match=re.escape("Lambda('relu'): write a function of x, Lambda(lambda x: x ** 2).")):
        Lambda("relu")
