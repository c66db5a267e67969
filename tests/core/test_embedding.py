"""Embedding against Keras with the same table, and its answers where Keras has none."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.types import Ctx, Spec

TABLE = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
IDS = np.array([[0, 4, 2, 2], [1, 0, 3, 4]], np.int32)


def look_up(ids, table=TABLE, layer=None):
    return (layer or Embedding(*table.shape)).apply({"embeddings": jnp.asarray(table)}, {}, ids, Ctx())[0]


def test_values_and_gradients_are_those_of_keras():
    theirs = keras.layers.Embedding(5, 3)
    theirs.build(IDS.shape)
    weight = np.random.default_rng(1).normal(size=(*IDS.shape, 3)).astype(np.float32)
    ours = jax.value_and_grad(lambda table: jnp.vdot(look_up(IDS, table), weight))(TABLE)
    keras_gives = jax.value_and_grad(lambda table: jnp.vdot(theirs.stateless_call([table], [], IDS)[0], weight))(TABLE)
    for mine, their in zip(ours, keras_gives, strict=True):
        assert_allclose(mine, their, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int16, np.uint32, np.float32, bool])
def test_whole_numbers_of_any_dtype_are_ids(dtype):
    ids = IDS.astype(dtype)
    assert_array_equal(look_up(jnp.asarray(ids)), TABLE[ids.astype(int)])


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_ids_out_of_range_give_nan_and_never_another_row(dtype):
    y = np.asarray(jax.jit(look_up)(jnp.asarray(np.array([[-1, 0, 5], [4, 1000, -5]], dtype))))
    assert_array_equal(np.isnan(y).all(-1), [[True, False, True], [False, True, True]])
    assert_array_equal(np.isnan(y).any(-1), np.isnan(y).all(-1))
    assert_array_equal(y[[0, 1], [1, 0]], TABLE[[0, 4]])


def test_ids_out_of_range_give_no_gradient():
    gradient = jax.grad(lambda table: jnp.sum(look_up(jnp.array([[-1, 2, 7]]), table)))(TABLE)
    assert_array_equal(gradient, np.eye(5)[2][:, None] * np.ones(3))


def test_first_table_is_uniform_between_plus_and_minus_a_twentieth():
    params, state = Embedding(400, 50).init(jax.random.key(0), Spec((2, 3), jnp.int32))
    assert state == {} and list(params) == ["embeddings"] and params["embeddings"].shape == (400, 50)
    assert np.abs(params["embeddings"]).max() <= 0.05
    assert_allclose(params["embeddings"].std(), 0.1 / np.sqrt(12), rtol=0.02)


def test_mask_zero_masks_id_zero():
    assert_array_equal(Embedding(5, 3, mask_zero=True).out_mask(jnp.asarray(IDS), None), IDS != 0)
    assert_array_equal(Embedding(5, 3, mask_zero=True).out_mask(jnp.asarray(IDS, jnp.float32), None), IDS != 0)
    assert Embedding(5, 3).out_mask(jnp.asarray(IDS), None) is None


@pytest.mark.parametrize(("words", "shape"), [
    ({}, (None, None)), ({"input_length": 20}, (None, 20)), ({"input_length": (4, 6)}, (None, 4, 6)),
    ({"input_length": 20, "batch_size": 8}, (8, 20)), ({"batch_size": 8}, (8, None)), ({"input_shape": (20,)}, (None, 20)),
    ({"batch_input_shape": (8, 20)}, (8, 20)), ({"batch_shape": (8, None)}, (8, None)),
], ids=str)
def test_the_declared_input(words, shape):
    layer = Embedding(5, 3, **words)
    assert layer.batch_input_shape == shape and layer.input_dim == 5
    assert layer == Embedding(5, 3)                     # where it stands is no part of what it is
    assert eval(repr(layer)).batch_input_shape == shape


def test_repr_tells_what_was_said():
    assert repr(Embedding(5, 3)) == "Embedding(input_dim=5, output_dim=3)"
    assert repr(Embedding(5, output_dim=3, input_length=7)) == (
        "Embedding(input_dim=5, output_dim=3, batch_input_shape=(None, 7))")


@pytest.mark.parametrize(("arguments", "message"), [
    ((0, 3), "Embedding(input_dim)=0: write a whole number of at least 1."),
    ((5, 2.5), "Embedding(output_dim)=2.5: write a whole number of at least 1."),
], ids=str)
def test_errors_say_what_to_write(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Embedding(*arguments)


def test_input_length_must_be_a_length():
    message = "batch_input_shape=(None, 'long'): write a tuple of whole numbers, None where any length fits."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Embedding(5, 3, input_length="long")
