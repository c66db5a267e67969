"""Number formats: what a policy is, what is cast, and that layers compute in bfloat16 and float16 as Keras 3's do."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import chain, policy
from jaxseq.core.layer import Layer
from jaxseq.core.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    BatchNormalization,
    Bidirectional,
    Conv2D,
    Dense,
    Embedding,
    Input,
    LayerNormalization,
    LSTMCell,
    Masking,
    Normalization,
    TimeDistributed,
)
from jaxseq.core.policy import DTypePolicy
from jaxseq.core.types import Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

KEY = jax.random.key(0)
DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(size=(8, 12)).astype("float32")
UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11}       # half of what lies between 1 and the next number


# ---- policies


@pytest.mark.parametrize(("given", "name"), [
    ("mixed_bfloat16", "mixed_bfloat16"), (DTypePolicy("mixed_float16"), "mixed_float16"), (jnp.bfloat16, "bfloat16"),
    (np.float16, "float16"), (np.dtype("float32"), "float32"), (None, None),
    (keras.DTypePolicy("mixed_bfloat16"), "mixed_bfloat16"),
    ({"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}, "mixed_float16"),
])
def test_a_policy_is_named_in_many_ways(given, name):
    assert policy.named(given) == name
    assert Dense(3, dtype=given).dtype == name


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "mixed_float16", "mixed_bfloat16"])
def test_its_dtypes_are_those_of_keras(name):
    ours, theirs = DTypePolicy(name), keras.DTypePolicy(name)
    assert (ours.compute_dtype, ours.variable_dtype) == (theirs.compute_dtype, theirs.variable_dtype)
    assert ours.get_config() == theirs.get_config() and DTypePolicy.from_config(ours.get_config()) == ours


@pytest.mark.parametrize(("given", "error", "message"), [
    ("mixed_bfloat", ValueError,
     "Unknown dtype 'mixed_bfloat'. Did you mean 'mixed_bfloat16' or 'mixed_float16' or 'bfloat16'?"),
    ("int32", ValueError, "Unknown dtype 'int32'. Known: bfloat16, float16, float32, float64, mixed_bfloat16, mixed_float16."),
    (np.int8, ValueError, "Unknown dtype 'int8'. Known: bfloat16, float16, float32, float64, mixed_bfloat16, mixed_float16."),
    ([], TypeError, "dtype=[]: write a name such as 'mixed_bfloat16', or a DTypePolicy."),
    ("float64", ValueError,
     "dtype='float64' needs JAX's 64-bit numbers: write jax.config.update('jax_enable_x64', True) first."),
])
def test_what_is_no_policy_is_refused(given, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Dense(3, dtype=given)


def test_an_input_has_a_dtype_of_the_data():
    assert Input((3,), dtype="int32").dtype == "int32"


# ---- what is cast, and where


class Seen(Layer):
    """y = x * weight; tells what came."""

    weight_initializer: str = "ones"
    log: tuple = ()

    def init(self, key, x):
        return self.draw(key, {"weight": (1,)}), {"count": jnp.zeros((), "int32"), "carry": jnp.zeros((), "float32")}

    def apply(self, params, state, x, ctx):
        assert (str(x.dtype), str(params["weight"].dtype)) == self.log
        return x * params["weight"].astype(x.dtype), state


class Asis(Seen):
    autocast = False


@pytest.mark.parametrize(("layer", "kept", "given"), [
    (Seen(log=("bfloat16", "bfloat16"), dtype="mixed_bfloat16"), "float32", "bfloat16"),
    (Seen(log=("bfloat16", "bfloat16"), dtype="bfloat16"), "bfloat16", "bfloat16"),
    (Seen(log=("float16", "float16"), dtype="mixed_float16"), "float32", "float16"),
    (Asis(log=("float32", "float32"), dtype="mixed_bfloat16"), "float32", "bfloat16"),
    (Seen(log=("float32", "float32")), "float32", "float32"),
])
def test_weights_and_input_enter_in_the_compute_dtype(layer, kept, given):
    params, state = chain.init([("it", layer)], KEY, Spec((2, 1), "float32"))
    assert params["it"]["weight"].dtype == kept
    y, after, _ = chain.apply([("it", layer)], params, state, jnp.ones((2, 1)))
    assert y.dtype == given and after["it"]["count"].dtype == jnp.int32 and after["it"]["carry"].dtype == jnp.float32
    gradient = jax.grad(lambda p: chain.apply([("it", layer)], p, state, jnp.ones((2, 1))).y.astype("float32").sum())(params)
    assert gradient["it"]["weight"].dtype == kept


def operations(layers, x):
    params, state = chain.init(layers, KEY, Spec(x.shape, x.dtype))
    traced = jax.make_jaxpr(lambda p, s, x: chain.apply(layers, p, s, x, train=True, key=KEY)[:2])(params, state, x)
    return re.sub(r"0x\w+|id=\d+", "", str(traced))


def test_a_model_without_a_dtype_has_no_operation_more():
    """And neither has one that says float32."""
    rows = [("a", Dense(5, activation="relu")), ("b", BatchNormalization()), ("c", Dense(2, kernel_regularizer="l2"))]
    said = [(name, layer.under("float32")) for name, layer in rows]
    assert all(layer.dtype == "float32" for _, layer in said)
    assert "convert_element_type" not in operations([rows[0], rows[2]], ROWS)
    assert operations(rows, ROWS) == operations(said, ROWS)


def test_ids_are_not_cast_and_a_table_is_not_cast_as_a_whole():
    table = [("table", Embedding(1000, 4, dtype="mixed_bfloat16"))]
    ids = np.array([[999, 257], [3, 998]], "int32")
    assert "bf16[1000,4]" not in operations(table, ids)
    params, _ = chain.init(table, KEY, Spec(ids.shape, ids.dtype))
    for given in ids, ids.astype("float32"):            # 257 is no number of bfloat16
        y = chain.apply(table, params, {}, jnp.asarray(given)).y
        assert_array_equal(y, params["table"]["embeddings"][ids].astype("bfloat16"))
    gradient = jax.grad(lambda p: chain.apply(table, p, {}, jnp.zeros((1, 1000), "int32")).y.astype("float32").sum())(params)
    assert_array_equal(gradient["table"]["embeddings"][0], np.full(4, 1000.0))     # in bfloat16 it would stop at 256


def test_the_mask_is_told_from_what_the_layer_sees():
    x = jnp.asarray([[[0.1], [0.2]]])
    out = chain.apply([("mask", Masking(0.1, dtype="bfloat16"))], {}, {}, x)
    assert_array_equal(out.mask, [[False, True]])
    assert_array_equal(out.y[0, 0], [0])


def test_normalizations_compute_in_float32_whatever_comes():
    """1000 +- 1 cannot be told apart in bfloat16; the layer sees it before it is rounded."""
    x = jnp.asarray(1000 + ROWS)
    for layer in BatchNormalization(), LayerNormalization(), Normalization(mean=1000.0, variance=1.0):
        said = layer.under("mixed_bfloat16")
        params, state = chain.init([("it", said)], KEY, Spec(x.shape, x.dtype))
        y = chain.apply([("it", said)], params, state, x, train=True).y
        plain = chain.apply([("it", layer)], params, state, x, train=True).y
        assert y.dtype == jnp.bfloat16
        assert_array_equal(y, plain.astype("bfloat16"))


def test_what_is_carried_stays_float32():
    for layer in LSTM(3, stateful=True), BatchNormalization():
        _, state = chain.init([("it", layer.under("bfloat16"))], KEY, Spec((2, 5, 4), "float32"))
        assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} == {"float32"}


def test_the_layer_without_its_activation_keeps_its_dtype():
    for layer in Dense(3, activation="softmax", dtype="bfloat16"), Activation("softmax", dtype="bfloat16"):
        assert layer.without_activation()[0].dtype == "bfloat16"


# ---- layers in layers


def test_a_wrapper_and_its_parts_have_one_dtype():
    for layer in (Bidirectional(LSTM(3), dtype="bfloat16"), Bidirectional(LSTM(3, dtype="bfloat16")),
                  Bidirectional(LSTM(3), backward_layer=GRU(3, go_backwards=True, dtype="bfloat16")),
                  TimeDistributed(Dense(3)).under("bfloat16"), RNN([LSTMCell(3), LSTMCell(2)]).under("bfloat16")):
        parts = list(layer.parts().values())
        inner = [part for each in parts for part in (each.parts().values() if hasattr(each, "parts") else ())]
        assert {each.dtype for each in [layer, *parts, *inner]} == {"bfloat16"}
        params, _ = jax.eval_shape(lambda layer=layer: chain.init([("it", layer)], KEY, Spec((2, 4, 3), "float32")))
        assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {"bfloat16"}


def test_parts_of_two_dtypes_are_refused():
    message = "Bidirectional: it computes in one dtype, got bfloat16, float16. Write dtype=... once."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Bidirectional(LSTM(3, dtype="bfloat16"), dtype="float16")


def test_a_batch_normalization_at_each_step_sees_its_weights_unrounded():
    assert TimeDistributed(BatchNormalization()).autocast is False and TimeDistributed(Dense(2)).autocast is True


# ---- Keras 3 as the oracle

IMAGES, SEQUENCES = DRAW.normal(size=(4, 6, 6, 3)).astype("float32"), DRAW.normal(size=(4, 7, 5)).astype("float32")
TWINS = {
    "dense": (Dense(5, activation="tanh"), lambda words: keras.layers.Dense(5, activation="tanh", **words), ROWS),
    "conv": (Conv2D(4, 3, padding="same"), lambda words: keras.layers.Conv2D(4, 3, padding="same", **words), IMAGES),
    "lstm": (LSTM(6, return_sequences=True), lambda words: keras.layers.LSTM(
        6, return_sequences=True, recurrent_initializer="glorot_uniform", **words), SEQUENCES),
    "batch_normalization": (BatchNormalization(), lambda words: keras.layers.BatchNormalization(**words), 3 + 2 * ROWS),
    "layer_normalization": (LayerNormalization(), lambda words: keras.layers.LayerNormalization(**words), 3 + 2 * ROWS),
    "embedding": (Embedding(9, 4), lambda words: keras.layers.Embedding(9, 4, **words),
                  DRAW.integers(9, size=(4, 7)).astype("int32")),
}


@pytest.mark.every(4)
@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
@pytest.mark.parametrize("twin", TWINS)
def test_layers_compute_as_keras_does(twin, name):
    """To a few roundings of numbers as large as the largest: Keras, too, rounds what enters and what leaves."""
    layer, theirs, x = TWINS[twin]
    layer, theirs = layer.under(name), theirs({"dtype": name})
    theirs.build(x.shape)
    weights = [np.random.default_rng(place).normal(size=each.shape).astype("float32") ** (2 if "variance" in each.path else 1)
               for place, each in enumerate(theirs.weights)]
    theirs.set_weights(weights)
    params, state = chain.init([("it", layer)], KEY, Spec(x.shape, x.dtype))
    kept = DTypePolicy(name).variable_dtype
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {kept} == {each.dtype for each in theirs.trainable_weights}
    ours = dict(zip([*params["it"], *state.get("it", {})], weights, strict=True))
    put = lambda tree: {entry: jnp.asarray(ours[entry], old.dtype) for entry, old in tree.items()}
    state = {each: put(tree) for each, tree in state.items()}
    y = chain.apply([("it", layer)], {"it": put(params["it"])}, state, jnp.asarray(x)).y
    expected = theirs(x, training=False)
    assert y.dtype == expected.dtype == DTypePolicy(name).compute_dtype
    ours, theirs = np.asarray(y, "float32"), np.asarray(expected, "float32")
    assert_allclose(ours, theirs, rtol=0, atol=4 * UNIT[y.dtype.name] * np.abs(theirs).max())
