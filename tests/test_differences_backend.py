"""docs/differences.md, K and utilities: what each row says of both libraries is so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from differing import X

import jaxseq
from jaxseq import backend as K

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


def test_roots():
    assert np.isnan(keras.ops.sqrt(jnp.float32(-1))) and K.sqrt(-1.0) == 0
    assert np.isinf(jax.grad(keras.ops.sqrt)(0.0)) and jax.grad(K.sqrt)(0.0) == 0
    assert np.isnan(jax.grad(keras.ops.std)(jnp.ones(3))).all() and not jax.grad(K.std)(jnp.ones(3)).any()


def test_clip():
    np.testing.assert_array_equal(keras.ops.clip(jnp.array([0.0, 1.5, 3.0]), 2, 1), [1, 1, 1])
    with pytest.raises(ValueError, match=r"K.clip\(x, 1, 2\)"):
        K.clip(1.5, 2, 1)


def test_draws_need_a_seed():
    keras.random.uniform((2,))
    for draw in K.random_uniform, K.random_normal, K.random_binomial, K.truncated_normal:
        with pytest.raises(ValueError, match="needs seed="):
            draw((2,))


@pytest.mark.parametrize("call", [lambda: K.learning_phase(), lambda: K.set_value(1.0, 2.0), lambda: K.function([], []),
                                  lambda: K.gradients(1.0, [])])
def test_what_needs_a_graph(call):
    with pytest.raises(RuntimeError, match="Write "):
        call()


@pytest.mark.parametrize("setting, default, other", [("floatx", "float32", "float16"), ("epsilon", 1e-7, 1e-3),
                                                     ("image_data_format", "channels_last", "channels_first")])
def test_there_are_no_global_settings(setting, default, other):
    change = getattr(keras.config, f"set_{setting}")
    change(other)
    change(default)
    getattr(K, f"set_{setting}")(default)
    with pytest.raises(ValueError, match="whole program|computes in float32|no global setting"):
        getattr(K, f"set_{setting}")(other)


def test_arrays_do_not_change():
    assert isinstance(K.variable([1.0]), jax.Array)
    assert K.int_shape(np.zeros((4, 3))) == (4, 3)


def test_to_categorical_and_normalize():
    np.testing.assert_array_equal(keras.utils.to_categorical([-1, 2]).argmax(1), [2, 2])
    np.testing.assert_array_equal(keras.utils.to_categorical([0.7, 1]).argmax(1), [0, 1])
    for labels in [-1, 2], [0.7, 1]:
        with pytest.raises(ValueError, match=r"y\[0\]"):
            jaxseq.utils.to_categorical(labels)
    square = np.arange(1.0, 10).reshape(3, 3)
    assert not np.allclose(np.linalg.norm(keras.utils.normalize(square, axis=0), axis=0), 1)
    np.testing.assert_allclose(np.linalg.norm(jaxseq.utils.normalize(square, axis=0), axis=0), 1)
    with pytest.raises(ValueError, match="broadcast"):
        keras.utils.normalize(X, axis=0)
