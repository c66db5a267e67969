"""Every schedule over its steps against keras.optimizers.schedules."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import schedules

pytestmark = pytest.mark.usefixtures("quickly_compiled")

STEPS = np.arange(0, 60)
CASES = [
    ("ExponentialDecay", (0.1, 7, 0.8)), ("ExponentialDecay", (0.1, 7, 0.8, True)),
    ("InverseTimeDecay", (0.1, 7, 0.8)), ("InverseTimeDecay", (0.1, 7, 0.8, True)),
    ("PiecewiseConstantDecay", ([5, 20, 30], [1.0, 0.5, 0.2, 0.1])), ("PiecewiseConstantDecay", ([5], [1.0, 0.5])),
    ("PolynomialDecay", (0.1, 15)), ("PolynomialDecay", (0.1, 15, 0.01, 2.0)), ("PolynomialDecay", (0.1, 16, 0.01, 0.5, True)),
    ("CosineDecay", (0.1, 20)), ("CosineDecay", (0.01, 20, 0.1, "warm", 0.3, 8)),
    ("CosineDecayRestarts", (0.1, 6)), ("CosineDecayRestarts", (0.1, 7, 1.0, 0.9, 0.1)),
    ("CosineDecayRestarts", (0.1, 5, 1.5, 0.8, 0.05)),
]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_every_step_is_that_of_keras(name, arguments):
    ours, theirs = getattr(schedules, name)(*arguments), getattr(keras.optimizers.schedules, name)(*arguments)
    steps = jnp.asarray(STEPS, jnp.int32)
    rates = jax.jit(jax.vmap(ours))(steps)
    assert rates.dtype == jnp.float32
    with jax.numpy_dtype_promotion("standard"):
        expected = jax.jit(jax.vmap(theirs)).lower(steps).compile({"xla_backend_optimization_level": 0})(steps)
    assert_allclose(rates, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", schedules.CLASSES)
def test_arguments_and_defaults_are_those_of_keras(name):
    theirs = inspect.signature(getattr(keras.optimizers.schedules, name)).parameters
    ours = inspect.signature(schedules.CLASSES[name]).parameters
    assert list(ours) == list(theirs)
    assert {each.name: each.default for each in ours.values()} == {each.name: each.default for each in theirs.values()}


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=str)
def test_a_declaration_survives_its_config(name, arguments):
    ours = getattr(schedules, name)(*arguments)
    again = type(ours).from_config(ours.get_config())
    assert again == ours and hash(again) == hash(ours)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ours.name = "other"


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), ValueError, "ExponentialDecay(decay_steps=0): write a number above 0."),
    (lambda: schedules.CosineDecayRestarts(0.1, -1), ValueError, "CosineDecayRestarts(first_decay_steps=-1): write a number "
     "above 0."),
    (lambda: schedules.CosineDecayRestarts(0.1, 5, 0.5), ValueError, "CosineDecayRestarts(t_mul=0.5): write a finite number of "
     "at least 1."),
    (lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2]), ValueError, "PiecewiseConstantDecay(boundaries=[1, 2], "
     "values=[0.1, 0.2]): write one value more than boundaries."),
    (lambda: schedules.CosineDecay(0.1, 5, warmup_target=1.0), ValueError, "CosineDecay(warmup_target=1.0): write "
     "warmup_steps, too."),
    (lambda: schedules.LearningRateSchedule()(0), NotImplementedError, "LearningRateSchedule must define __call__(step)."),
])
def test_errors_say_what_to_write(make, error, message):
    with pytest.raises(error) as raised:
        make()
    assert str(raised.value) == message
