"""Operations are counted as by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxseq.core import chain
from jaxseq.core.flops import flops
from jaxseq.core.layers import GRU, LSTM, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, EinsumDense, SimpleRNN
from jaxseq.core.rng import key_spec
from jaxseq.core.types import Spec


def of(function, *specs):
    return flops(jax.make_jaxpr(function)(*specs).jaxpr)


def of_layer(layer, *shape, through=lambda run: run):
    layers, x = (("layer", layer),), Spec(shape, "float32")
    params, state = jax.eval_shape(lambda key: chain.init(layers, key, x), key_spec())
    return of(through(lambda params, x: jnp.square(chain.apply(layers, params, state, x).y).sum()), params, x)


@pytest.mark.parametrize("layer, shape, by_hand", [
    (Dense(50), (32, 100), 2 * 32 * 100 * 50),
    (Dense(50), (4, 7, 100), 2 * 4 * 7 * 100 * 50),
    (EinsumDense("abc,cde->abde", (None, 2, 3)), (4, 7, 5), 2 * 4 * 7 * 5 * 6),
    (Conv2D(16, 3), (8, 16, 16, 3), 2 * 8 * 14 * 14 * 9 * 3 * 16),
    (Conv2D(16, 3, padding="same", strides=2, groups=2), (8, 16, 16, 4), 2 * 8 * 8 * 8 * 9 * 2 * 16),
    (DepthwiseConv2D(3, depth_multiplier=2), (8, 16, 16, 3), 2 * 8 * 14 * 14 * 9 * 6),
    (Conv2DTranspose(5, 2, strides=2), (8, 6, 6, 3), 2 * 8 * 6 * 6 * 4 * 3 * 5),
    (SimpleRNN(16), (8, 40, 5), 2 * 8 * 40 * 16 * (5 + 1 + 16)),        # the bias is a row of the kernel
    (LSTM(16), (8, 40, 5), 2 * 8 * 40 * 64 * (5 + 1 + 16)),
    (LSTM(16), (8, 6, 5), 2 * 8 * 6 * 64 * (5 + 1 + 16)),               # written out
    (GRU(16, use_bias=False), (8, 40, 5), 2 * 8 * 40 * 48 * (5 + 16)),
], ids=str)
def test_a_layer(layer, shape, by_hand):
    assert of_layer(layer, *shape) == by_hand


@pytest.mark.parametrize("layer, shape, forward", [
    (Dense(50), (32, 100), 2 * 32 * 100 * 50),
    (Conv2D(16, 3), (8, 16, 16, 3), 2 * 8 * 14 * 14 * 9 * 3 * 16),
    (LSTM(16), (8, 40, 5), 2 * 8 * 40 * 64 * (5 + 1 + 16)),
], ids=str)
def test_the_gradient_by_the_weights_costs_what_forward_costs(layer, shape, forward):
    """And that of the recurrence by h once more, in training; see usual_recurrence.py."""
    backward = of_layer(layer, *shape, through=jax.grad) - forward
    assert backward in (forward, forward + 2 * 8 * 40 * 64 * 16)


def test_loops_and_branches():
    square, step = Spec((4, 4), "float32"), 2 * 4 ** 3
    again = lambda times: lambda x: lax.scan(lambda x, _: (x @ x, None), x, length=times)[0]
    assert of(again(7), square) == 7 * step
    assert of(lambda x: lax.scan(lambda x, _: (again(3)(x), None), x, length=5)[0], square) == 15 * step
    assert of(lambda x, n: lax.fori_loop(0, n, lambda _, x: x @ x, x), square, Spec((), "int32")) == step
    assert of(lambda x: lax.cond(x[0, 0] > 0, lambda x: x @ x @ x, lambda x: x @ x, x), square) == 2 * step
    assert of(lambda x: jax.jit(jnp.dot)(x, x) + jnp.sin(x), square) == step
