"""Stretches that run again give what they gave, and keep less."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import chain, remat
from jaxseq.core.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding, Reshape
from jaxseq.core.types import Spec

NAMES = [f"layer_{place}" for place in range(9)]


@pytest.mark.parametrize("given, wanted", [
    (None, ()), (False, ()), (True, ((0, 3), (3, 6))), (2, ((0, 2), (2, 4), (4, 6), (6, 8))), (9, ()), (100, ()),
    (4, ((0, 4), (4, 8))), (["layer_7", "layer_1"], ((1, 2), (7, 8))), ((), ()),
])
def test_what_is_run_again(given, wanted):
    assert remat.stretches(given, NAMES) == wanted


@pytest.mark.parametrize("given, error, told", [
    (0, ValueError, "remat=0: write a whole number of at least 1."),
    ("all", TypeError, "remat='all': write True, a number of layers, or a list of their names."),
    (["layer_77"], ValueError, "remat: there is no layer 'layer_77'. Did you mean 'layer_7'"),
])
def test_what_is_none_of_these(given, error, told):
    with pytest.raises(error, match=re.escape(told)):
        remat.stretches(given, NAMES)


def row(*layers):
    return tuple((f"layer_{place}", layer) for place, layer in enumerate(layers))


@pytest.mark.every(3)
@pytest.mark.parametrize("layers, x", [
    (row(Dense(5, "tanh"), BatchNormalization(), Dropout(0.5), Dense(4, activity_regularizer="l2"), Dense(2)),
     np.random.default_rng(0).normal(size=(6, 3)).astype("float32")),
    (row(Embedding(7, 4, mask_zero=True), Dropout(0.3), LSTM(4, return_sequences=True), LSTM(3), Dense(2)),
     np.random.default_rng(0).integers(7, size=(6, 12)).astype("int32")),
], ids=["rows", "ids and masks"])
@pytest.mark.parametrize("these", [((0, 2), (2, 4)), *(pytest.param(each, marks=pytest.mark.full) for each in (
    ((1, 3),), ((0, 5),), ((0, 1), (3, 4))))], ids=str)
def test_outputs_states_and_gradients_are_those_of_the_plain_chain(layers, x, these, key):
    params, state = chain.init(layers, key, Spec(x.shape, x.dtype))

    def of(through):
        def loss(params):
            out = through(layers, params, state, x, train=True, key=key)
            penalties, after = chain.take_penalties(out.state)
            return jnp.sum(out.y ** 2) + penalties, (out.y, after)

        return jax.jit(jax.value_and_grad(loss, has_aux=True))(params)

    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-6, atol=1e-6), of(remat.through(these)), of(chain.apply))


def test_a_stretch_of_whole_numbers_has_nothing_to_differentiate(key):
    layers = row(Reshape((6,)), Embedding(7, 4), LSTM(3))
    x = np.random.default_rng(0).integers(7, size=(4, 2, 3)).astype("int32")
    params, state = chain.init(layers, key, Spec(x.shape, x.dtype))
    of = lambda run: jax.grad(lambda params: jnp.sum(run(layers, params, state, x, train=True, key=key).y ** 2))(params)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-6, atol=1e-6), of(remat.through(((0, 1), (1, 2)))), of(chain.apply))


def test_in_evaluation_it_is_the_plain_chain(key):
    layers, x = row(Dense(5, "tanh"), Dropout(0.5), Dense(2)), jnp.ones((2, 3))
    params, state = chain.init(layers, key, Spec(x.shape, x.dtype))
    both = [jax.make_jaxpr(lambda x, run=run: run(layers, params, state, x).y)(x)
            for run in (chain.apply, remat.through(((0, 2),)))]
    assert str(both[0]) == str(both[1]) and remat.through(()) is chain.apply


def test_it_may_be_differentiated_again():
    again = remat.run_again(lambda tree: jnp.tanh(tree["x"] @ tree["w"]) * tree["count"])
    plain = lambda tree: jnp.tanh(tree["x"] @ tree["w"]) * tree["count"]
    tree = {"x": jnp.arange(6.0).reshape(2, 3) / 6, "w": jnp.ones((3, 2)) / 3, "count": jnp.array(3)}
    second = lambda run: jax.grad(lambda w: jnp.sum(jax.grad(lambda w: jnp.sum(run({**tree, "w": w}) ** 2))(w) ** 2))(tree["w"])
    assert_allclose(second(again), second(plain), rtol=1e-6)
    for bits in (again(tree), jax.jit(again)(tree)):
        assert_allclose(bits, plain(tree), rtol=1e-7)


def test_the_zero_changes_no_number():
    """Not even the sign of zeros, nor what is not finite."""
    odd = jnp.array([0.0, -0.0, jnp.inf, -jnp.inf, jnp.nan, 1e-30, 3.5], jnp.float32)
    for arrived in (-1.0, 0.0, jnp.nan):
        tied = remat._tied({"x": odd, "n": jnp.arange(3)}, (jnp.array([arrived, 2.0]),))
        assert np.asarray(tied["x"]).view("uint32")[:-1].tolist() == np.asarray(odd).view("uint32")[:-1].tolist()
        assert tied["n"].dtype == jnp.int32


def test_a_stretch_keeps_its_input_alone():
    """What the compiler says of the temporaries of a deep row: the CPU's, too, makes both runs."""
    layers = row(*[Dense(64, "tanh") for _ in range(16)])
    x = Spec((512, 64), "float32")
    params = jax.eval_shape(lambda key: chain.init(layers, key, x)[0], jax.random.key(0))

    def held(through):
        loss = lambda params, x: jnp.sum(through(layers, params, {}, x, train=True).y ** 2)
        return jax.jit(jax.grad(loss)).lower(params, x).compile().memory_analysis().temp_size_in_bytes

    plain, less = held(chain.apply), held(remat.through(remat.stretches(True, [name for name, _ in layers])))
    assert plain > 16 * 512 * 64 * 4 and less < 0.6 * plain
