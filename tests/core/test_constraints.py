"""Values and gradients against keras.constraints, and the properties that the rules promise."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.constraints import ALL_OBJECTS_DICT as KERAS_TABLE
from numpy.testing import assert_allclose

from jaxseq.core import constraints
from jaxseq.core.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from jaxseq.core.declared import to_config

CASES = [
    ("MaxNorm", {}), ("MaxNorm", {"max_value": 1.2, "axis": 1}), ("MaxNorm", {"max_value": 3, "axis": [0, 1, 2]}),
    ("NonNeg", {}), ("UnitNorm", {}), ("UnitNorm", {"axis": -1}), ("UnitNorm", {"axis": [0, 1]}),
    ("MinMaxNorm", {}), ("MinMaxNorm", {"min_value": 1.5, "max_value": 2.0, "rate": 0.3, "axis": [0, 1, 2]}),
]
EACH = pytest.mark.parametrize(("name", "settings"), CASES, ids=str)


@pytest.fixture
def w(key):
    return jax.random.normal(key, (2, 3, 4, 5))


@functools.partial(jax.jit, static_argnums=0)
def value_and_gradient(constraint, w):
    """The constrained w, and the gradient of sum(w * constrained w), w held in the first factor."""
    value, back = jax.vjp(constraint, w)
    return value, back(w)[0]


@pytest.mark.every(3)
@EACH
def test_value_and_gradient_are_those_of_keras(name, settings, w):
    ours, theirs = getattr(constraints, name)(**settings), getattr(keras.constraints, name)(**settings)
    value, gradient = value_and_gradient(ours, w)
    wanted, their_gradient = value_and_gradient(theirs, w)
    assert value.dtype == w.dtype
    assert_allclose(value, wanted, rtol=1e-6, atol=1e-7)
    assert_allclose(gradient, their_gradient, rtol=1e-5, atol=1e-5)


@EACH
def test_bfloat16_and_zeros(name, settings, w):
    constraint = jax.jit(getattr(constraints, name)(**settings))
    half = constraint(w.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    assert_allclose(np.float32(half), constraint(w), rtol=2e-2, atol=1e-2)
    assert (constraint(jnp.zeros_like(w)) == 0).all()


@EACH
def test_config_round_trips_and_is_that_of_keras(name, settings):
    ours, theirs = getattr(constraints, name)(**settings), getattr(keras.constraints, name)(**settings)
    assert ours.get_config() == theirs.get_config()
    assert constraints.get(to_config(ours)) == constraints.get(keras.constraints.serialize(theirs)) == ours
    assert keras.constraints.get(to_config(ours)).get_config() == theirs.get_config()
    assert hash(constraints.get(to_config(ours))) == hash(ours)


def test_the_rules_hold(w):
    kernel = w.reshape(24, 5)
    norm = lambda w: np.linalg.norm(w, axis=0)
    assert (norm(MaxNorm(1.5)(kernel)) <= 1.5 * (1 + 1e-6)).all()
    assert_allclose(norm(UnitNorm()(kernel)), 1, rtol=1e-6)
    assert_allclose(norm(MinMaxNorm(6, 7)(kernel)), np.clip(norm(kernel), 6, 7), rtol=1e-6)
    assert (NonNeg()(kernel) >= 0).all()


def test_names():
    assert constraints.maxnorm(3) == constraints.max_norm(3) == MaxNorm(3)
    assert constraints.nonneg() == constraints.non_neg() == NonNeg()
    assert constraints.unitnorm() == constraints.unit_norm() == UnitNorm()
    assert constraints.min_max_norm() == MinMaxNorm()
    assert set(KERAS_TABLE) - {"Constraint", "constraint"} <= set(constraints.TABLE)


def test_get():
    mine = lambda w: w
    assert constraints.get(None) is None
    assert constraints.get("max_norm") == constraints.get("MaxNorm") == constraints.get(MaxNorm) == MaxNorm(2, 0)
    assert constraints.get(mine) is mine


def test_lists_and_numpy_numbers_become_plain():
    constraint = MaxNorm(np.float64(1.5), axis=[np.int64(0), 1])
    assert constraint == MaxNorm(1.5, (0, 1)) and hash(constraint) == hash(MaxNorm(1.5, (0, 1)))
    assert to_config(constraint) == {"class_name": "MaxNorm", "config": {"max_value": 1.5, "axis": [0, 1]}}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: MaxNorm(-1), "MaxNorm(max_value=-1): write a finite number of at least 0."),
    (lambda: MaxNorm(axis=0.5), "MaxNorm(axis=0.5): write a whole number, or a tuple of them, as axis=(0, 1, 2)."),
    (lambda: UnitNorm(axis=()), "UnitNorm(axis=()): write a whole number, or a tuple of them, as axis=(0, 1, 2)."),
    (lambda: MinMaxNorm(2, 1), "MinMaxNorm(min_value=2, max_value=1): write the smaller one first."),
    (lambda: MinMaxNorm(rate=1.5), "MinMaxNorm(rate=1.5): write a number from 0 to 1."),
    (lambda: MaxNorm(axis=[0, 1, 2])(jnp.ones((3, 4))), "MaxNorm(max_value=2, axis=(0, 1, 2)) needs axes that the "
     "weights (3, 4) have: write whole numbers from -2 to 1."),
    (lambda: constraints.get("max_nrm"), "Unknown constraint 'max_nrm'. Did you mean 'max_norm' or 'maxnorm' or "
     "'min_max_norm'?"),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message
