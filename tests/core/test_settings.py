"""A number that a program is given computes as a float of Python does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseq.core import members, rng
from jaxseq.core.declared import is_number, is_zero
from jaxseq.core.layers import Dropout
from jaxseq.core.optimizers import SGD
from jaxseq.core.regularizers import L1L2, L2
from jaxseq.core.settings import Given, in_two_parts, placed, replaced

NUMBERS = 0.0, 1e-9, 0.001, 0.1, 0.3, 0.5, 0.9, 0.999, 1 - 1e-9
X = np.linspace(-2, 3, 7, dtype=np.float32)


def compiled(function, number):
    return jax.jit(lambda parts, x: function(Given(*parts), x))(in_two_parts(number), X)


@pytest.mark.every(4)
@pytest.mark.parametrize("number", NUMBERS)
def test_arithmetic_is_that_of_a_float(number):
    for function in (lambda n, x: x * n, lambda n, x: n * x, lambda n, x: x + n, lambda n, x: n + x, lambda n, x: (1 - n) * x,
                     lambda n, x: (n - 1) * x, lambda n, x: x / (1 + n), lambda n, x: -n * x, lambda n, x: n / (x + 9)):
        np.testing.assert_allclose(compiled(function, number), jax.jit(lambda x, f=function: f(number, x))(X), rtol=2e-7)


@pytest.mark.parametrize("number", [0.1, 0.9, 0.999])
def test_powers_and_quotients(number):
    for function in lambda n, x: n ** (x * x), lambda n, x: x / n, lambda n, x: (n**2) * x:
        np.testing.assert_allclose(compiled(function, number), function(number, X), rtol=1e-6)


def test_what_is_left_to_one_is_exact():
    beta = 0.999
    np.testing.assert_array_equal(compiled(lambda n, x: 1 - n, beta), np.float32(1 - beta))
    assert abs((1 - np.float32(beta)) / (1 - beta) - 1) > 1e-6              # which float32 alone is not


@pytest.mark.parametrize("number", NUMBERS)
def test_the_threshold_of_a_draw_is_that_of_a_float(number):
    wanted = np.uint32(min(round(number * 2**32), 2**32 - 1))
    np.testing.assert_allclose(np.float64(compiled(lambda n, x: n.below(2**32), number)), np.float64(wanted), atol=1)
    key = rng.root_key(3)
    given = jax.jit(lambda parts: rng.keep(key, Given(*parts), (50, 40)))(in_two_parts(number))
    np.testing.assert_array_equal(given, rng.keep(key, number, (50, 40)))


def test_a_function_of_numpy_refuses_it_rather_than_to_round_it():
    with pytest.raises((TypeError, ValueError)):
        compiled(lambda n, x: jnp.maximum(x, n), 0.5)


@pytest.mark.parametrize("asks", [bool, lambda n: n == 0, lambda n: n < 1, lambda n: n >= 0, round, hash, float, int])
def test_what_it_is_it_does_not_tell(asks):
    with pytest.raises(TypeError):
        asks(Given(0.5, 0.0))


def test_it_is_no_number_that_is_known():
    assert not is_number(Given(0.0, 0.0)) and not is_zero(Given(0.0, 0.0))
    assert all(map(is_zero, [0, 0.0, np.float32(0)])) and not any(map(is_zero, [False, None, 0.1]))


def test_a_value_is_put_into_a_declaration():
    optimizer, layer = SGD(0.1, momentum=0.9), Dropout(0.5, name="mine")
    assert replaced(optimizer, ("momentum",), 0.5) == placed(optimizer, ("momentum",), 0.5) == SGD(0.1, momentum=0.5)
    assert replaced(layer, ("rate",), 0.2) == placed(layer, ("rate",), 0.2) == Dropout(0.2, name="mine")
    assert optimizer.momentum == 0.9 and layer.rate == 0.5
    with pytest.raises(ValueError, match="from 0 up to, and without, 1"):
        replaced(layer, ("rate",), 2.0)
    assert placed(layer, ("rate",), Given(0.2, 0.0)).rate.high == 0.2


def test_a_value_is_put_deep_into_a_declaration():
    from jaxseq.core.layers import Dense

    layer = Dense(3, kernel_regularizer=L2(0.1))
    for put in replaced, placed:
        assert put(layer, ("kernel_regularizer", "l2"), 0.5) == Dense(3, kernel_regularizer=L2(0.5))
    assert layer.kernel_regularizer == L2(0.1)


def test_both_penalties_of_one_regularizer():
    both = jax.jit(lambda parts, w: placed(L1L2(0.1, 0.2), ("l2",), Given(*parts))(w))(in_two_parts(0.3), X)
    np.testing.assert_allclose(both, 0.1 * np.abs(X).sum() + 0.3 * (X * X).sum(), rtol=1e-6)


def test_trees_are_joined_and_split():
    trees = [{"a": np.float32([1, 2]), "b": rng.root_key(seed)} for seed in range(3)]
    joined = members.joiner()(trees)
    assert joined["a"].shape == (3, 2) and joined["b"].shape == (3,)
    for seed, part in enumerate(members.splitter(3)(joined)):
        np.testing.assert_array_equal(jax.random.key_data(part["b"]), jax.random.key_data(rng.root_key(seed)))
