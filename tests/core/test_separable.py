"""Depthwise and separable convolutions against Keras 3 with the same weights, values and gradients; and error texts."""

import itertools

import against_keras
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from against_keras import QUICK, Case
from numpy.testing import assert_allclose

from jaxseq.core import chain
from jaxseq.core.kernels import conv as kernels
from jaxseq.core.kernels.conv import depthwise_conv
from jaxseq.core.layers import separable
from jaxseq.core.layers.separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIRST, LAST = "channels_first", "channels_last"
SHAPES = {("1D", LAST): (2, 9, 3), ("1D", FIRST): (2, 3, 9), ("2D", LAST): (2, 7, 6, 3), ("2D", FIRST): (2, 3, 7, 6)}
WALKS = [{"strides": 2}, {"dilation_rate": 2, "depth_multiplier": 2}]


def _cases():
    for kind, axes, padding, (layout, walk) in itertools.product(
            ("Depthwise", "Separable"), ("1D", "2D"), ("valid", "same"), itertools.product((LAST, FIRST), WALKS)):
        own = {"filters": 4} if kind == "Separable" else {}
        yield Case(f"{kind}Conv{axes}", {**own, "kernel_size": 3, "padding": padding, "data_format": layout, **walk},
                   SHAPES[axes, layout])
    for kind, own in ("Depthwise", {}), ("Separable", {"filters": 4}):
        yield Case(f"{kind}Conv2D", {**own, "kernel_size": [2, 3], "strides": [1, 3], "padding": "SAME", "use_bias": False,
                                     "depth_multiplier": 3, "activation": "softmax"}, (2, 7, 6, 3))
        yield Case(f"{kind}Conv2D", {**own, "kernel_size": (3, 1), "strides": (3, 1), "dilation_rate": (1, 2),
                                     "activation": "tanh"}, (2, 7, 6, 1))
        yield Case(f"{kind}Conv1D", {**own, "kernel_size": 2, "strides": 3, "dilation_rate": 2, "padding": "same"}, (2, 9, 3))


CASES = list(_cases())


@pytest.fixture(scope="module")
def results():
    return against_keras.results(separable, CASES)


@pytest.mark.every(4)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(case, results):
    against_keras.assert_equal(results[CASES.index(case)])


@pytest.mark.parametrize("case", CASES[1::6], ids=str)
def test_weights_have_the_shapes_of_keras(case):
    layer = getattr(separable, case.name)(**case.words)
    assert list(against_keras.weight_shapes(layer, case.shape).values()) == against_keras.twin_weights(case)


@pytest.mark.parametrize("layer", [DepthwiseConv1D(3, padding="causal", depth_multiplier=2),
                                   SeparableConv1D(4, 3, padding="causal", dilation_rate=2)], ids=repr)
def test_causal_sees_nothing_later(layer, key):
    x = jax.random.normal(key, (1, 8, 3))
    params, state = layer.init(key, Spec(x.shape, jnp.float32))
    before, after = (layer.apply(params, state, each, Ctx())[0] for each in (x, x.at[:, 5].set(100.0)))
    assert before.shape[1] == 8
    assert_allclose(before[:, :5], after[:, :5])
    assert not np.allclose(before[:, 5], after[:, 5])


def test_every_channel_is_seen_by_its_own_kernels_alone():
    draw = np.random.RandomState(0)
    x, kernel = draw.normal(size=(2, 6, 3)), draw.normal(size=(2, 3, 4))
    y = np.zeros((2, 5, 12))
    for t, k, c, j in itertools.product(range(5), range(2), range(3), range(4)):
        y[:, t, c * 4 + j] += x[:, t + k, c] * kernel[k, c, j]
    assert_allclose(depthwise_conv(jnp.float32(x), jnp.float32(kernel)), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding, strides, dilation", [("valid", (2, 1), (1, 1)), ("same", (1, 3), (2, 1))])
def test_a_sum_over_places_and_xlas_own_form_agree_in_second_derivatives_too(padding, strides, dilation, key, monkeypatch):
    x, kernel, bias = (jax.random.normal(key, shape) for shape in ((2, 6, 5, 3), (3, 2, 3, 2), (6,)))

    def steepness(x, kernel, bias):
        loss = lambda *each: jnp.tanh(depthwise_conv(*each, strides, padding, dilation)).sum()
        dx, dkernel, dbias = jax.grad(loss, (0, 1, 2))(x, kernel, bias)
        return (dx ** 2).sum() + (dkernel ** 3).sum() + (dbias ** 2).sum()

    def every():
        return jax.jit(lambda *each: jax.value_and_grad(steepness, (0, 1, 2))(*each), compiler_options=QUICK)(x, kernel, bias)

    by_place = every()
    monkeypatch.setattr(kernels, "MANY", 0)
    for one, other in zip(jax.tree.leaves(by_place), jax.tree.leaves(every()), strict=True):
        assert_allclose(one, other, rtol=2e-4, atol=2e-4 * float(jnp.abs(other).max()))


def test_on_the_cpu_alone_it_is_a_sum_over_places(key):
    """There a convolution in as many groups as channels is slow, and its gradients inside a loop slower still."""
    x, kernel = jax.random.normal(key, (2, 8, 8, 3)), jax.random.normal(key, (3, 3, 3, 1))
    traced = jax.jit(jax.grad(lambda x, kernel: (depthwise_conv(x, kernel) ** 2).sum(), (0, 1))).trace(x, kernel)
    count = lambda platform: traced.lower(lowering_platforms=(platform,)).as_text().count("stablehlo.convolution")
    assert count("cpu") == 0 and count("cuda") == 3


def test_half_precision_is_summed_up_in_single(key):
    """1 and 31 times 1/256, which bfloat16 cannot add to it one by one."""
    x = jnp.full((1, 32, 2), 1 / 256, jnp.bfloat16).at[0, 0].set(1)
    y = depthwise_conv(x, jnp.ones((32, 2, 1), jnp.bfloat16))
    assert y.dtype == jnp.bfloat16 and np.all(y == jnp.bfloat16(1 + 31 / 256))


def test_penalties_and_constraints_reach_the_weights(key):
    layer = SeparableConv1D(3, 2, depthwise_regularizer="l2", pointwise_regularizer="l1", pointwise_constraint="non_neg",
                            depthwise_constraint="unit_norm")
    params, _ = layer.init(key, Spec((2, 5, 4), jnp.float32))
    depthwise, pointwise = params["depthwise_kernel"], params["pointwise_kernel"]
    assert_allclose(layer.penalty(params), 0.01 * (depthwise ** 2).sum() + 0.01 * jnp.abs(pointwise).sum(), rtol=1e-6)
    constrained = layer.constrain(params)
    assert_allclose(constrained["pointwise_kernel"], jnp.maximum(pointwise, 0))
    assert_allclose(jnp.sum(constrained["depthwise_kernel"] ** 2, 0), jnp.ones((4, 1)), rtol=1e-5)
    ones = DepthwiseConv2D(2, depthwise_initializer="ones", bias_initializer="ones")
    params, _ = ones.init(key, Spec((1, 3, 3, 2), jnp.float32))
    assert params["depthwise_kernel"].shape == (2, 2, 2, 1) and params["depthwise_kernel"].all() and params["bias"].all()


def test_the_arguments_are_those_of_keras():
    for mine in DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D:
        assert against_keras.arguments(mine) == against_keras.twin_arguments(mine.__name__)
    for axes in "12":
        assert getattr(separable, f"SeparableConvolution{axes}D") is getattr(separable, f"SeparableConv{axes}D")
        assert hasattr(keras.layers, f"SeparableConvolution{axes}D")


def test_declarations():
    one, other = DepthwiseConv2D([2, 3], padding="Same"), DepthwiseConv2D((2, 3), padding="same")
    assert one == other and hash(one) == hash(other)
    assert SeparableConv1D(3, 2, input_dim=4, input_length=9).batch_input_shape == (None, 9, 4)
    assert chain.shapes("it", SeparableConv2D(3, 2), (None, None, 9, 4), jnp.float32)[0] == (None, None, 8, 3)
    assert chain.shapes("it", DepthwiseConv1D(2, depth_multiplier=3), (None, None, 4), jnp.float32)[0] == (None, None, 12)
    for layer in SeparableConv1D(3, 2), DepthwiseConv1D(2):
        assert layer.out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None
    assert SeparableConv1D(3, 2, activation="softmax").without_activation()[0] == SeparableConv1D(3, 2)


@pytest.mark.parametrize("make, message", [
    (lambda: SeparableConv2D(0, 3), "SeparableConv2D: filters=0: write a whole number of at least 1."),
    (lambda: DepthwiseConv2D(3, depth_multiplier=0), "DepthwiseConv2D: depth_multiplier=0: write a whole number of at least "
                                                     "1."),
    (lambda: DepthwiseConv2D(3, padding="causal"), "DepthwiseConv2D: padding='causal': write one of 'valid', 'same'."),
    (lambda: DepthwiseConv1D((3, 3)), "DepthwiseConv1D: kernel_size=(3, 3): write a whole number of at least 1."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


@pytest.mark.parametrize("layer, shape, message", [
    (SeparableConv2D(4, 3), (2, 7, 7), "SeparableConv2D needs x (batch, height, width, channels), got (2, 7, 7). Add the "
                                       "axis of channels: x[..., None]."),
    (DepthwiseConv1D(4, data_format=FIRST), (2, 7, 3), "DepthwiseConv1D(kernel_size=4, data_format='channels_first'): its "
     "window is 4 long, but x (2, 7, 3) has only 3 along its steps. Write padding='same', or a smaller window."),
])
def test_an_input_that_does_not_fit_is_told(layer, shape, message, key):
    with pytest.raises(ValueError) as told:
        chain.init((("it", layer),), key, Spec(shape, jnp.float32))
    assert str(told.value) == message
