"""Flatten and Reshape against Keras."""

import re

import jax.numpy as jnp
import keras
import pytest
from numpy.testing import assert_array_equal

from jaxseq.core.layers.reshaping import Flatten, Reshape
from jaxseq.core.types import Ctx

X = jnp.arange(120.0).reshape(2, 3, 4, 5)


def run(layer, x=X):
    return layer.apply({}, {}, x, Ctx())[0]


@pytest.mark.parametrize(("ours", "theirs", "x"), [
    (Flatten(), keras.layers.Flatten(), X),
    (Flatten("channels_first"), keras.layers.Flatten("channels_first"), X),
    (Flatten("channels_last"), keras.layers.Flatten("channels_last"), X),
    (Flatten(), keras.layers.Flatten(), X[:, 0, 0]),
    (Flatten(), keras.layers.Flatten(), X[:, 0, 0, 0]),
    (Reshape((12, 5)), keras.layers.Reshape((12, 5)), X),
    (Reshape((6, -1)), keras.layers.Reshape((6, -1)), X),
    (Reshape((-1,)), keras.layers.Reshape((-1,)), X),
    (Reshape((5, 1)), keras.layers.Reshape((5, 1)), X[:, 0, 0]),
], ids=lambda given: str(given.shape) if hasattr(given, "shape") else type(given).__module__.split(".")[0])
def test_values_are_those_of_keras(ours, theirs, x):
    assert_array_equal(run(ours, x), theirs(x))


def test_rows_without_elements_keep_their_number():
    assert run(Flatten(), jnp.zeros((2, 0, 3))).shape == (2, 0)
    assert run(Flatten(), jnp.zeros((0, 2, 3))).shape == (0, 6)
    assert run(Reshape((-1, 2)), jnp.zeros((0, 2, 3))).shape == (0, 3, 2)


def test_a_mask_ends_where_time_does():
    mask = jnp.ones((2, 3), bool)
    assert Flatten().out_mask(X, mask) is None and Reshape((12, 5)).out_mask(X, mask) is None


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Flatten("first"), "data_format='first': write one of None, 'channels_last', 'channels_first'."),
    (lambda: Reshape(12), "Reshape(12): write a tuple of whole numbers without the batch axis, at most one of them -1."),
    (lambda: Reshape((-1, -1)), "Reshape((-1, -1)): write a tuple of whole numbers without the batch axis, at most one of "
     "them -1."),
    (lambda: run(Reshape((7, 2))), "Reshape((7, 2)) cannot hold a row of x (2, 3, 4, 5): 60 elements."),
    (lambda: run(Reshape((7, -1))), "Reshape((7, -1)) cannot hold a row of x (2, 3, 4, 5): 60 elements."),
], ids=["data_format", "a number", "two rests", "too small", "no whole rest"])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
