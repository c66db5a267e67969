"""A row of layers as one layer: what the chain gives for its layers, under one name more; and freezing by paths."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import tree_util
from numpy.testing import assert_allclose, assert_array_equal
from started import train_state

from jaxseq.core import chain, losses, rng, run
from jaxseq.core.layers import LSTM, Activation, BatchNormalization, Dense, Dropout, Embedding
from jaxseq.core.row import Row
from jaxseq.core.types import Batch, Ctx, Spec

KEY = jax.random.key(0)
INNER = (("first", Dense(5, activation="relu", kernel_regularizer="l2", kernel_constraint="non_neg")),
         ("norm", BatchNormalization()), ("drop", Dropout(0.5)), ("last", Dense(2, activation="softmax")))
X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
SPEC = Spec(X.shape, X.dtype)


def assert_same(left, right):
    assert tree_util.tree_structure(left) == tree_util.tree_structure(right)
    jax.tree.map(assert_array_equal, left, right)


def nested(*inner, name="row", **words):
    return (name, Row(inner or INNER, **words))


def test_a_row_is_its_layers_under_one_name():
    params, state = chain.init([nested()], KEY, SPEC)
    own = rng.fold_in(KEY, "row")
    assert_same((params["row"], state["row"]), chain.init(INNER, own, SPEC))
    for train, key in (False, None), (True, KEY):
        out = chain.apply([nested()], params, state, X, train=train, key=key)
        alone = chain.apply(INNER, params["row"], state["row"], X, train=train, key=own if train else None)
        assert_same((out.y, out.state["row"]), (alone.y, alone.state))
    assert not chain.by_row([nested()], train=True) and chain.by_row([nested()], train=False)


def test_a_row_without_weights_or_state_has_no_entry():
    params, state = chain.init([nested(("a", Activation("relu")))], KEY, SPEC)
    assert params == state == {}
    assert chain.apply([nested(("a", Activation("relu")))], {}, {}, X).state == {}


def test_a_mask_goes_in_and_out_of_a_row():
    ids = jnp.asarray([[3, 1, 0, 0], [2, 2, 2, 0]])
    flat = [("table", Embedding(5, 3, mask_zero=True)), ("one", LSTM(4, return_sequences=True)), ("two", LSTM(2))]
    params, _ = chain.init(flat, KEY, Spec(ids.shape, ids.dtype))
    expected = chain.apply(flat, params, {}, ids)
    for split in 1, 2:
        layers = [nested(*flat[:split], name="a"), nested(*flat[split:], name="b")]
        given = {"a": {name: params[name] for name, _ in flat[:split]}, "b": {name: params[name] for name, _ in flat[split:]}}
        out = chain.apply(layers, given, {}, ids)
        assert_array_equal(out.y, expected.y)
        assert_array_equal(chain.apply(layers[:1], given, {}, ids).mask, chain.apply(flat[:split], params, {}, ids).mask)
    assert not np.allclose(expected.y, chain.apply([("table", Embedding(5, 3)), *flat[1:]], params, {}, ids).y)


def test_penalties_constraints_and_reset_reach_into_a_row():
    inner = (("dense", Dense(3, kernel_regularizer="l2", activity_regularizer="l2", kernel_constraint="non_neg")),)
    layers = [nested(("deep", Row(inner)))]
    params, state = chain.init(layers, KEY, SPEC)
    weights = params["row"]["deep"]["dense"]
    assert_allclose(chain.penalty(layers, params), 0.01 * jnp.sum(weights["kernel"] ** 2), rtol=1e-6)
    out = chain.apply(layers, params, state, X)
    total, cleared = chain.take_penalties(out.state)
    assert_allclose(total, 0.01 * jnp.sum(out.y**2) / 4, rtol=1e-6)
    assert_same(cleared, state)
    assert chain.penalised(layers) and not chain.penalised([nested()])
    assert_array_equal(chain.constrain(layers, params)["row"]["deep"]["dense"]["kernel"], jnp.maximum(weights["kernel"], 0))
    carries = [nested(("memory", LSTM(2, stateful=True)))]
    _, state = chain.init(carries, KEY, Spec((4, 5, 3), jnp.float32))
    assert_same(chain.reset(carries, jax.tree.map(jnp.ones_like, state)), state)


def test_a_frozen_row_takes_the_moving_statistics():
    params, state = chain.init([nested()], KEY, SPEC)
    still = [nested(name="row", trainable=False)]
    out = chain.apply(still, params, state, X, train=True, key=KEY)
    assert_same(out.state, state)
    assert_same(out.y, chain.apply([nested(*chain.stilled(INNER))], params, state, X, train=True, key=KEY).y)
    assert all(not layer.trainable for _, layer in chain.stilled(INNER)) and all(layer.trainable for _, layer in INNER)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_last_activation_comes_off_through_rows(depth):
    row = Row(INNER)
    for _ in range(depth - 1):
        row = Row((("deep", row),))
    linear, activation = row.without_activation()
    params, state = row.init(KEY, X)
    logits, _ = linear.apply(params, state, X, Ctx())
    assert_array_equal(activation(logits), row.apply(params, state, X, Ctx())[0])
    assert not np.allclose(logits.sum(1), 1)
    assert Row((("last", Dropout(0.1)),)).without_activation() is None


def test_a_row_says_what_it_is():
    assert repr(Row((("a", Dense(2)),), name="head")) == "Sequential([Dense(units=2)], name='head')"
    assert Row((("a", Embedding(3, 2)),)).input_dtype == "int32" and Row((("a", Dense(2)),), "int32").input_dtype == "int32"
    with pytest.raises(ValueError, match=r"^Row needs layers: Row\(inner=\(\(name, layer\), \.\.\.\)\)\.$"):
        Row()


# ---- freezing by paths


def test_frozen_paths_go_as_deep_as_they_must():
    layers = [("a", Dense(2, trainable=False)), nested(("b", Dense(2, trainable=False)), ("c", Dense(2))), ("d", Dense(2)),
              nested(("b", Dense(2)), ("c", Row((("e", Dense(2, trainable=False)), ("f", Dense(2)))))), nested(trainable=False)]
    names = "a", "row", "d", "deep", "still"
    layers = [(name, layer) for name, (_, layer) in zip(names, layers, strict=True)]
    assert chain.frozen(layers) == {"a", "row/b", "deep/c/e", "still"}


def test_parted_and_merged_are_inverse():
    params = {"a": {"w": 1}, "row": {"b": {"w": 2}, "c": {"w": 3}}, "deep": {"c": {"e": {"w": 4}, "f": {"w": 5}}},
              "z": {"w": 6}}
    trained, frozen = chain.parted(params, frozenset({"a", "row/b", "row/c", "deep/c/e", "absent", "z/absent"}))
    assert trained == {"deep": {"c": {"f": {"w": 5}}}, "z": {"w": 6}}
    assert frozen == {"a": {"w": 1}, "row": {"b": {"w": 2}, "c": {"w": 3}}, "deep": {"c": {"e": {"w": 4}}}}
    assert chain.merged(trained, frozen) == chain.merged(frozen, trained) == params
    assert chain.parted(params, frozenset()) == (params, {})


def test_a_step_leaves_what_is_frozen_by_path_as_it_was():
    layers = (nested(("a", Dense(3, kernel_regularizer="l2")), ("b", Dense(3))), ("c", Dense(2)))
    task = run.Task(layers, "float32", losses.get("mse"), (), optax.sgd(0.1, momentum=0.9), frozenset({"row/a"}))
    ts = train_state(task, *chain.init(layers, KEY, SPEC), KEY)
    rows = jnp.arange(4, dtype=jnp.int32)[None]
    after, _ = run.make_train(task)(ts, run.zero_sums(task), Batch(X, jnp.ones((4, 2))), rows, 0, 1)
    assert_same(after.params["row"]["a"], ts.params["row"]["a"])
    assert tree_util.tree_structure(after.params) == tree_util.tree_structure(ts.params)

    def loss(params):
        return jnp.mean((chain.apply(layers, {**ts.params, **params, "row": {**ts.params["row"], **params["row"]}}, {}, X).y
                         - 1) ** 2)

    free = {"row": {"b": ts.params["row"]["b"]}, "c": ts.params["c"]}
    wanted = jax.tree.map(lambda w, g: w - 0.1 * g, free, jax.grad(loss)(free))
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-6), wanted,
                 {"row": {"b": after.params["row"]["b"]}, "c": after.params["c"]})
