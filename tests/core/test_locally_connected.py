"""Locally connected layers against loops in float64, values and gradients, and against Keras's convolution; error texts.

Keras 3 has no such layers. The loops are Keras 2's: one window, laid out as it stands in x, and one matrix at each place.
"""

import itertools

import against_keras
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from against_keras import QUICK
from numpy.testing import assert_allclose

from jaxseq.core import chain
from jaxseq.core.layers.locally_connected import LocallyConnected1D, LocallyConnected2D
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIRST = "channels_first"
LAYERS = [
    (LocallyConnected1D(4, 3), (2, 7, 3)),
    (LocallyConnected1D(4, 2, strides=3, use_bias=False, padding="VALID"), (2, 8, 3)),
    (LocallyConnected1D(4, [3], strides=[2], data_format=FIRST), (2, 3, 8)),
    (LocallyConnected2D(4, 2), (2, 4, 3, 3)),
    (LocallyConnected2D(4, (3, 2), strides=(2, 1), implementation=2), (2, 7, 4, 3)),
    (LocallyConnected2D(4, (2, 3), strides=(1, 2), data_format=FIRST), (2, 3, 4, 6)),
    (LocallyConnected2D(4, (4, 3)), (2, 4, 3, 3)),
]


def loops(layer, x, weights, dy):
    """(y, and the gradients of sum(y * dy) by x and by the weights), one output of one row at a time."""
    kernel, *bias = weights
    axes = len(layer.axes)
    sizes, strides = layer.per_axis("kernel_size"), layer.per_axis("strides")
    first = layer.data_format == FIRST
    place_of = lambda out: (slice(None), *out) if first else (*out, slice(None))
    y, dx, gradients = np.zeros(dy.shape), np.zeros(x.shape), [np.zeros(each.shape) for each in weights]
    outputs = dy.shape[2:] if first else dy.shape[1:-1]
    assert len(outputs) == axes
    for row in range(len(x)):
        for number, out in enumerate(itertools.product(*map(range, outputs))):
            under = [slice(o * s, o * s + k) for o, s, k in zip(out, strides, sizes, strict=True)]
            window = x[row][place_of(under)]
            arriving = dy[row][place_of(out)]
            y[row][place_of(out)] = window.reshape(-1) @ kernel[number] + (bias[0][out] if bias else 0)
            dx[row][place_of(under)] += (kernel[number] @ arriving).reshape(window.shape)
            gradients[0][number] += np.outer(window.reshape(-1), arriving)
            if bias:
                gradients[1][out] += arriving
    return y, dx, *gradients


@pytest.mark.parametrize("layer, shape", LAYERS, ids=str)
def test_values_and_gradients_are_those_of_the_loops(layer, shape):
    x, weights = against_keras.numbers(layer, shape, seed=0)
    y, *gradients = jax.jit(lambda x, weights: against_keras.with_gradients(against_keras.ours(layer, shape), x, weights),
                            compiler_options=QUICK)(x, weights)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    wide = lambda arrays: [np.asarray(each, np.float64) for each in arrays]
    for mine, loop in zip((y, *gradients), loops(layer, *wide([x]), wide(weights), dy), strict=True):
        assert mine.shape == loop.shape
        assert_allclose(mine, loop, rtol=1e-4, atol=1e-5)


def test_with_one_kernel_everywhere_it_is_the_convolution_of_keras(key):
    x, kernel = jax.random.normal(key, (2, 6, 5, 3)), jax.random.normal(key, (3, 2, 3, 4))
    twin = keras.layers.Conv2D(4, (3, 2), strides=(1, 2), activation="tanh", kernel_initializer="zeros")
    twin.build(x.shape)
    wanted = twin.stateless_call([kernel, jnp.ones(4)], [], x)[0]
    params = {"kernel": jnp.tile(kernel.reshape(1, 18, 4), (8, 1, 1)), "bias": jnp.ones((4, 2, 4))}
    y, _ = LocallyConnected2D(4, (3, 2), strides=(1, 2), activation="tanh").apply(params, {}, x, Ctx())
    assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_the_weights_are_those_of_keras_2(key):
    params, state = LocallyConnected2D(5, (3, 2), strides=(2, 1)).init(key, Spec((1, 7, 4, 3), jnp.float32))
    assert params["kernel"].shape == (3 * 3, 3 * 2 * 3, 5) and params["bias"].shape == (3, 3, 5) and state == {}
    limit = np.sqrt(6 / (9 * (18 + 5)))
    assert 0.9 * limit < jnp.abs(params["kernel"]).max() <= limit and not params["bias"].any()
    params, _ = LocallyConnected1D(5, 3, use_bias=False).init(key, Spec((1, 7, 2), jnp.float32))
    assert params["kernel"].shape == (5, 6, 5) and list(params) == ["kernel"]


def test_declarations():
    order = [name for name, _ in against_keras.arguments(LocallyConnected1D)]
    assert order == ["filters", "kernel_size", "strides", "padding", "data_format", "activation", "use_bias",
                     "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
                     "activity_regularizer", "kernel_constraint", "bias_constraint", "implementation"]
    assert LocallyConnected1D(3, 2, input_dim=4, input_length=9).batch_input_shape == (None, 9, 4)
    assert LocallyConnected1D(3, 2).out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None
    assert LocallyConnected2D(3, 2, activation="softmax").without_activation()[0] == LocallyConnected2D(3, 2)
    assert chain.shapes("it", LocallyConnected2D(3, 2), (None, 9, 9, 1), jnp.float32)[0] == (None, 8, 8, 3)


@pytest.mark.parametrize("make, message", [
    (lambda: LocallyConnected1D(2, 3, padding="same"), "LocallyConnected1D: padding='same': write one of 'valid'."),
    (lambda: LocallyConnected1D(0, 3), "LocallyConnected1D: filters=0: write a whole number of at least 1."),
    (lambda: LocallyConnected2D(1, 3, implementation=4), "LocallyConnected2D: implementation=4: write one of 1, 2, 3."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


def test_an_input_that_does_not_fit_is_told(key):
    with pytest.raises(ValueError) as told:
        LocallyConnected1D(2, 5).init(key, Spec((2, 4, 3), jnp.float32))
    assert str(told.value) == ("LocallyConnected1D(filters=2, kernel_size=5): its window is 5 long, but x (2, 4, 3) has only "
                               "4 along its steps. Write a smaller window.")
    with pytest.raises(ValueError, match="needs to know every length of its input but the batch size"):
        chain.shapes("it", LocallyConnected1D(2, 5), (None, None, 3), jnp.float32)
