"""Transposed convolutions against Keras 3, and as the way back of the plain ones; values and gradients; error texts."""

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
from jaxseq.core.kernels.conv import conv, conv_transpose
from jaxseq.core.layers import transposed
from jaxseq.core.layers.transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIRST, LAST = "channels_first", "channels_last"
WALKS = [{"kernel_size": 3}, {"kernel_size": 3, "strides": 2}, {"kernel_size": 2, "strides": 3},
         {"kernel_size": 4, "strides": 2, "output_padding": 1}, {"kernel_size": 3, "strides": 3, "output_padding": 0},
         {"kernel_size": 3, "dilation_rate": 2}, {"kernel_size": 2, "dilation_rate": 3, "output_padding": 0}]


def _cases():
    for padding, walk in itertools.product(("valid", "same"), WALKS):
        yield Case("Conv1DTranspose", {"filters": 4, "padding": padding, **walk}, (2, 5, 3))
    for padding, layout in itertools.product(("valid", "same"), (LAST, FIRST)):
        words = {"filters": 3, "kernel_size": (3, 2), "strides": (2, 3), "padding": padding, "data_format": layout}
        yield Case("Conv2DTranspose", words, (2, 4, 3, 5) if layout == LAST else (2, 5, 4, 3))
    yield Case("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "data_format": FIRST}, (2, 3, 5))
    yield Case("Conv2DTranspose", {"filters": 3, "kernel_size": [4, 3], "strides": [3, 2], "output_padding": (2, 1),
                                   "padding": "SAME", "activation": "softmax"}, (2, 4, 3, 5))
    yield Case("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "dilation_rate": (2, 1), "use_bias": False}, (2, 4, 3, 5))
    yield Case("Conv3DTranspose", {"filters": 2, "kernel_size": (2, 3, 1), "strides": (1, 2, 2), "padding": "same"},
               (2, 2, 3, 2, 3))
    yield Case("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2, "output_padding": 1, "data_format": FIRST,
                                   "activation": "relu"}, (2, 3, 2, 3, 2))


CASES = list(_cases())


@pytest.fixture(scope="module")
def results():
    return against_keras.results(transposed, CASES)


@pytest.mark.every(3)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(case, results):
    against_keras.assert_equal(results[CASES.index(case)])


@pytest.mark.parametrize("case", CASES[::5], ids=str)
def test_weights_have_the_shapes_of_keras(case):
    layer = getattr(transposed, case.name)(**case.words)
    assert list(against_keras.weight_shapes(layer, case.shape).values()) == against_keras.twin_weights(case)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, stride, dilation", [(3, 2, 1), (2, 3, 1), (4, 1, 2)])
def test_it_is_the_way_back_of_the_plain_one(padding, size, stride, dilation, key):
    """The gradient of conv by its input, at every length that leads to 4 outputs."""
    kernel, dy = jax.random.normal(key, (size, 5, 3)), jax.random.normal(key, (2, 4, 3))
    y = conv_transpose(dy, kernel, None, stride, padding, dilation)
    out, back = jax.vjp(lambda x: conv(x, kernel, None, stride, padding, dilation), jnp.zeros(y.shape))
    assert out.shape == dy.shape
    assert_allclose(y, back(dy)[0], rtol=1e-5, atol=1e-5)


def test_the_equation(key):
    """y[i s + k - before] is the sum of kernel[k] @ x[i], with nothing cut off."""
    x, kernel = np.random.RandomState(0).normal(size=(1, 3, 2)), np.random.RandomState(1).normal(size=(4, 5, 2))
    y = np.zeros((1, 2 * 2 + 4, 5))
    for i, k in itertools.product(range(3), range(4)):
        y[0, i * 2 + k] += kernel[k] @ x[0, i]
    layer = Conv1DTranspose(5, 4, strides=2, use_bias=False)
    assert_allclose(layer.apply({"kernel": jnp.float32(kernel)}, {}, jnp.float32(x), Ctx())[0], y, rtol=1e-5, atol=1e-5)


def test_second_derivatives_are_those_of_xla(key):
    x, kernel = jax.random.normal(key, (2, 4, 3, 3)), jax.random.normal(key, (3, 2, 4, 3))

    def xla(x, kernel):
        return jax.lax.conv_transpose(x, kernel, (2, 3), [(2, 2), (1, 2)], transpose_kernel=True)

    def steepness(function, x, kernel):
        dx, dkernel = jax.grad(lambda x, kernel: jnp.tanh(function(x, kernel)).sum(), (0, 1))(x, kernel)
        return (dx ** 2).sum() + (dkernel ** 3).sum()

    mine, theirs = (jax.jit(jax.value_and_grad(lambda x, kernel, f=f: steepness(f, x, kernel), (0, 1)),
                            compiler_options=QUICK)(x, kernel)
                    for f in (lambda x, kernel: conv_transpose(x, kernel, None, (2, 3)), xla))
    for one, other in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        assert_allclose(one, other, rtol=2e-4, atol=2e-4 * float(jnp.abs(other).max()))


def test_gradients_on_the_cpu_are_plain_convolutions_that_spread_no_input(key):
    """No exchanged axes, and no convolution over the zeros between the elements of x but the one that is asked for."""
    x, kernel = jax.random.normal(key, (2, 4, 4, 3)), jax.random.normal(key, (3, 3, 5, 3))
    loss = lambda x, kernel: (conv_transpose(x, kernel, None, 2) ** 2).sum()
    text = jax.jit(jax.grad(loss, (0, 1))).trace(x, kernel).lower(lowering_platforms=("cpu",)).as_text()
    convolutions = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert all("dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]" in line for line in convolutions)
    assert ["lhs_dilate = [2, 2]" in line for line in convolutions].count(True) == 1 and len(convolutions) == 3


def test_parts_of_the_batch_add_up(key, monkeypatch):
    x, kernel, bias = (jax.random.normal(key, shape) for shape in ((6, 4, 3), (3, 5, 3), (5,)))
    gradients = lambda: jax.jit(jax.grad(lambda *each: jnp.tanh(conv_transpose(*each, 2)).sum(), (0, 1, 2)),
                                compiler_options=QUICK)(x, kernel, bias)
    whole = gradients()
    monkeypatch.setattr(kernels, "PART_BYTES", 1)
    for one, other in zip(gradients(), whole, strict=True):
        assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_the_arguments_are_those_of_keras():
    for mine in Conv1DTranspose, Conv2DTranspose:
        assert against_keras.arguments(mine) == against_keras.twin_arguments(mine.__name__)
    assert against_keras.arguments(Conv3DTranspose) == against_keras.arguments(Conv2DTranspose)
    assert dict(against_keras.arguments(Conv3DTranspose)) == dict(against_keras.twin_arguments("Conv3DTranspose"))
    for axes in "123":
        assert getattr(transposed, f"Convolution{axes}DTranspose") is getattr(transposed, f"Conv{axes}DTranspose")
        assert hasattr(keras.layers, f"Convolution{axes}DTranspose")


def test_declarations():
    one, other = Conv2DTranspose(3, [2, 3], padding="Same", output_padding=[0, 0]), Conv2DTranspose(
        3, (2, 3), padding="same", output_padding=(0, 0))
    assert one == other and hash(one) == hash(other)
    assert Conv1DTranspose(3, 2, input_dim=4, input_length=9).batch_input_shape == (None, 9, 4)
    assert chain.shapes("up", Conv2DTranspose(3, 2, strides=2), (None, None, 9, 4), jnp.float32)[0] == (None, None, 18, 3)
    assert Conv1DTranspose(3, 2).out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None
    assert Conv1DTranspose(3, 2, activation="softmax").without_activation()[0] == Conv1DTranspose(3, 2)


@pytest.mark.parametrize("make, message", [
    (lambda: Conv1DTranspose(0, 3), "Conv1DTranspose: filters=0: write a whole number of at least 1."),
    (lambda: Conv1DTranspose(2, 3, padding="causal"), "Conv1DTranspose: padding='causal': write one of 'valid', 'same'."),
    (lambda: Conv2DTranspose(2, 3, strides=(2, 1), output_padding=(1, 1)),
     "Conv2DTranspose(output_padding=(1, 1), strides=(2, 1)): write an output_padding below the strides, or None."),
    (lambda: Conv2DTranspose(2, 3, strides=2, output_padding=-1), "Conv2DTranspose: output_padding=-1: write a whole number "
                                                                  "of at least 0, or 2 of them in a tuple."),
    (lambda: Conv1DTranspose(2, 3, strides=2, dilation_rate=2),
     "Conv1DTranspose(strides=2, dilation_rate=2): write strides=1 or dilation_rate=1. With both above 1 the kernel would "
     "pass over inputs."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


@pytest.mark.parametrize("layer, shape, message", [
    (Conv2DTranspose(4, 3), (2, 7, 7), "Conv2DTranspose needs x (batch, height, width, channels), got (2, 7, 7). Add the "
                                       "axis of channels: x[..., None]."),
    (Conv1DTranspose(4, 2, strides=2, padding="same", output_padding=0), (2, 1, 3),
     "conv_transpose: nothing comes out of x (2, 1, 3) with a kernel (2,), strides=(2,) and output_padding=(0,). Write "
     "output_padding=None, or a larger one."),
])
def test_an_input_that_does_not_fit_is_told(layer, shape, message, key):
    with pytest.raises(ValueError) as told:
        chain.init((("up", layer),), key, Spec(shape, jnp.float32))
    assert str(told.value) == message


def test_a_kernel_that_does_not_fit_is_told():
    with pytest.raises(ValueError) as told:
        conv_transpose(jnp.zeros((2, 5, 3)), jnp.zeros((3, 3, 4)))
    assert str(told.value) == ("conv_transpose: kernel (3, 3, 4) does not fit x (2, 5, 3). It must be (*sizes, filters, "
                               "channels).")
