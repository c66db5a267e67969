"""functional() and a call of the model: what does not fit is said at the door, in the words that fit has for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding
from jaxseq.models import Sequential

X = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return Sequential([LSTM(3, input_shape=(None, 4)), BatchNormalization(), Dropout(0.5), Dense(2)], seed=0)


@pytest.fixture(scope="module")
def pure(model):
    return model.functional()


def test_what_fits_is_computed_as_predict_does(model, pure):
    for params, state in (model.params, model.state), pure.init(jax.random.key(1)):
        y, _ = jax.jit(pure.apply)(params, state, X)
        assert_allclose(y, pure.apply({**params, "more": {}}, state, X.tolist())[0], rtol=1e-5)
    assert_allclose(pure.apply(model.params, model.state, X)[0], model.predict(X), rtol=1e-5, atol=1e-6)
    rows = jax.vmap(lambda row: model(row[None])[0])(X)
    assert_allclose(rows, model(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("x, said", [
    (X[..., :3], "x has shape (6, 5, 3), but the model wants (None, None, 4)."),
    (X[0], "x has shape (5, 4), but the model wants (None, None, 4): pass x[None] for a single example."),
    (X[0, 0], "x has shape (4,), but the model wants (None, None, 4)."),
])
def test_an_x_of_another_shape(model, pure, refuses, x, said):
    state = model.fingerprint()
    for call in (model, lambda x: model(x, training=True), jax.jit(model), lambda x: pure.apply(model.params, model.state, x),
                 lambda x: jax.jit(pure.apply)(model.params, model.state, x), lambda x: jax.eval_shape(model, x)):
        with refuses(said):
            call(jnp.asarray(x))
    assert model.fingerprint() == state


def without(tree, layer, name):
    return {**tree, layer: {each: value for each, value in tree[layer].items() if each != name}}


SAID = "apply(params, state, x): "
TREES = {
    "no state": (lambda p, s: (p, {}), SAID + "state has no batch_normalization/moving_mean, of shape (3,). Pass a tree like "
                 "model.state.", ValueError),
    "a layer by another name": (lambda p, s: ({**{name: p[name] for name in p if name != "dense"}, "dense_1": p["dense"]}, s),
                                SAID + "params has no dense/kernel, of shape (3, 2). Pass a tree like model.params. Did you "
                                "mean 'dense_1/kernel'", ValueError),
    "no bias": (lambda p, s: (without(p, "dense", "bias"), s), SAID + "params has no dense/bias, of shape (2,).", ValueError),
    "another shape": (lambda p, s: ({**p, "dense": {"kernel": np.ones((2, 3)), "bias": np.ones(2)}}, s),
                      SAID + "params has dense/kernel of shape (2, 3), the model's (3, 2).", ValueError),
    "weights in a list": (lambda p, s: (jax.tree.leaves(p), s), SAID + "params is no dict. Pass a tree like model.params, "
                          "{layer: {name: array}}.", TypeError),
    "x in front": (lambda p, s: (X, p), SAID + "params is no dict. Pass a tree like model.params", TypeError),
}


@pytest.mark.parametrize("case", TREES)
@pytest.mark.parametrize("way", [lambda apply: apply, jax.jit], ids=["plain", "jit"])
def test_a_tree_that_does_not_fit(model, pure, case, way):
    changed, said, kind = TREES[case]
    with pytest.raises(kind) as caught:
        way(pure.apply)(*changed(model.params, model.state), X[:2])
    assert str(caught.value).startswith(said)


def test_words_and_keys(model, pure, refuses):
    with refuses("apply takes no argument 'training'. Did you mean 'train'?", TypeError):
        pure.apply(model.params, model.state, X, training=True)
    with refuses("apply(key=0): pass a JAX key, one for each step: jax.random.fold_in(jax.random.key(0), step).", TypeError):
        pure.apply(model.params, model.state, X, train=True, key=0)
    y, state = jax.jit(pure.apply, static_argnames="train")(model.params, model.state, X, train=True, key=jax.random.key(3))
    assert y.shape == (6, 2) and state.keys() == model.state.keys()


def test_a_part_of_the_model_wants_its_own_part_of_the_trees(model):
    until = model.functional(until="lstm").apply
    assert until({"lstm": model.params["lstm"]}, {}, X)[0].shape == until(model.params, model.state, X)[0].shape == (6, 3)


def test_penalties_and_flat_features_are_not_asked_for():
    model = Sequential([Embedding(5, 3, input_length=1), Dense(2, activity_regularizer="l2")], seed=0)
    x = np.arange(4)
    y, _ = model.functional().apply(model.params, {}, x)            # a single feature, given flat, as fit takes it
    assert_allclose(y, model.predict(x), rtol=1e-6)
    assert_allclose(model(x), y)
