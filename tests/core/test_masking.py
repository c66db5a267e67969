"""Masking against Keras."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq.core.layers.masking import Masking
from jaxseq.core.types import Ctx, Spec

X = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
X[0, 2:] = X[1, 0] = -1.0
X[1, 1, 0] = -1.0                   # one feature alone does not mask a step
X[1, 2] = 0.0
REAL = np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool)


def test_masked_steps_are_zero_and_go_on_as_a_mask():
    layer = Masking(-1.0)
    assert_array_equal(layer.apply({}, {}, jnp.asarray(X), Ctx())[0], np.where(REAL[..., None], X, 0))
    assert_array_equal(layer.out_mask(jnp.asarray(X), None), REAL)


@pytest.mark.parametrize("value", [0.0, -1.0, 2])
def test_values_masks_and_gradients_are_those_of_keras(value):
    ours, theirs = Masking(value), keras.layers.Masking(value)
    weight = np.random.default_rng(1).normal(size=X.shape).astype(np.float32)
    y, slope = jax.value_and_grad(lambda x: jnp.vdot(ours.apply({}, {}, x, Ctx())[0], weight))(X)
    their_y, their_slope = jax.value_and_grad(lambda x: jnp.vdot(theirs(x), weight))(X)
    assert_array_equal(y, their_y)
    assert_array_equal(slope, their_slope)
    assert_array_equal(ours.out_mask(jnp.asarray(X), None), theirs.compute_mask(X))


def test_the_declared_input_is_a_sequence():
    assert Masking(input_dim=3).batch_input_shape == (None, None, 3)
    assert Masking(input_length=4, input_dim=3).batch_input_shape == (None, 4, 3)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Masking(float("nan")), "Masking(mask_value=nan): nan equals nothing, so no step would be masked. Put a number "
     "in its place first: x = np.nan_to_num(x, nan=-1.0), and Masking(-1.0)."),
    (lambda: Masking().init(jax.random.key(0), Spec((2, 3), jnp.float32)),
     "Masking needs x (batch, time, features), got (2, 3). Give it a features axis: x[:, :, None]."),
], ids=["nan", "rank"])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
