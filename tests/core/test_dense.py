"""Dense and Activation against Keras with the same weights."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import activations
from jaxseq.core.layers.activation import Activation
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.identity import Identity
from jaxseq.core.types import Ctx, Spec

QUICK = {"xla_backend_optimization_level": 0}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("options", "shape"), [
    ({}, (3, 4)), ({"activation": "tanh"}, (3, 5, 4)), ({"use_bias": False, "activation": "softmax"}, (2, 3, 2, 4)),
], ids=str)
def test_values_and_gradients_are_those_of_keras(options, shape):
    ours, theirs = Dense(6, **options), keras.layers.Dense(6, **options)
    theirs.build(shape)
    given = [numbers(4, 6, seed=1), numbers(6, seed=2)][:1 + ours.use_bias]
    cotangent = numbers(*shape[:-1], 6, seed=3)

    def all_of(run):
        y, back = jax.vjp(run, given, numbers(*shape))
        return y, back(jnp.asarray(cotangent))

    run_ours = lambda given, x: ours.apply(dict(zip(("kernel", "bias"), given, strict=False)), {}, x, Ctx())[0]
    run_theirs = lambda given, x: theirs.stateless_call(given, [], x)[0]
    mine, their = (jax.tree.leaves(jax.jit(lambda run=run: all_of(run), compiler_options=QUICK)())
                   for run in (run_ours, run_theirs))
    for one, other in zip(mine, their, strict=True):
        assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_first_weights():
    params, state = Dense(300).init(jax.random.key(0), Spec((2, 200), jnp.float32))
    limit = np.sqrt(6 / 500)
    assert state == {} and params["kernel"].shape == (200, 300)
    assert np.abs(params["kernel"]).max() <= limit
    assert_allclose(params["kernel"].std(), limit / np.sqrt(3), rtol=0.02)
    assert_array_equal(params["bias"], np.zeros(300))
    assert list(Dense(3, use_bias=False).init(jax.random.key(0), Spec((2, 4), jnp.float32))[0]) == ["kernel"]


@pytest.mark.parametrize("layer", [Dense(3, activation="softmax"), Activation("sigmoid")], ids=str)
def test_the_last_function_can_be_taken_off(layer):
    bare, last = layer.without_activation()
    x = jnp.asarray(numbers(4, 3))
    params, _ = layer.init(jax.random.key(0), Spec(x.shape, x.dtype))
    assert_array_equal(last(bare.apply(params, {}, x, Ctx())[0]), layer.apply(params, {}, x, Ctx())[0])
    assert bare == Identity() or bare.activation is None


def test_it_stays_on_where_a_regularizer_looks_at_it():
    assert Dense(3, activation="softmax", activity_regularizer="l2").without_activation() is None


@pytest.mark.parametrize("activation", [None, "relu", jax.nn.relu, activations.relu, lambda x: x ** 2],
                         ids=["none", "name", "function of JAX", "function of ours", "function of the user"])
def test_an_activation_is_a_name_or_a_function(activation):
    x = jnp.asarray(numbers(2, 3))
    expected = {None: x}.get(activation, x ** 2 if getattr(activation, "__name__", "") == "<lambda>" else jnp.maximum(x, 0))
    assert_array_equal(Activation(activation).apply({}, {}, x, Ctx())[0], expected)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Dense(0), ValueError, "Dense(units)=0: write a whole number of at least 1."),
    (lambda: Dense(2.0), ValueError, "Dense(units)=2.0: write a whole number of at least 1."),
    (lambda: Dense(True), ValueError, "Dense(units)=True: write a whole number of at least 1."),
    (lambda: Dense(2).init(jax.random.key(0), Spec((7,), jnp.float32)), ValueError,
     "Dense needs x (batch, features), got (7,). Put Flatten() before it, or pass x[:, None]."),
    (lambda: Dense(2, activation="rleu"), ValueError, "Unknown activation 'rleu'. Did you mean 'relu' or 'relu6'?"),
    (lambda: Dense(2, unit=3), TypeError, "Dense takes no argument 'unit'. Did you mean 'units'?"),
], ids=["no units", "half units", "true units", "rank", "activation", "keyword"])
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()
