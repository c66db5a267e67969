"""Weights of Flax NNX and Equinox: forward is the same on both sides, and the way there and back changes nothing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose

from jaxseq.interop import from_equinox, from_flax, to_equinox, to_flax
from jaxseq.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Embedding,
    LayerNormalization,
    SimpleRNN,
)
from jaxseq.models import Sequential

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAWS = np.random.default_rng(0)
EPSILON = 1e-3      # that of the normalizations here

CASES = {
    "dense": (lambda: Dense(4, input_shape=(3,)), (5, 3)),
    "dense without bias": (lambda: Dense(4, use_bias=False, input_shape=(3,)), (5, 3)),
    "conv1d": (lambda: Conv1D(4, 3, input_shape=(8, 2)), (5, 8, 2)),
    "conv2d": (lambda: Conv2D(4, (3, 2), strides=2, groups=2, input_shape=(8, 7, 2)), (5, 8, 7, 2)),
    "conv3d": (lambda: Conv3D(4, 2, input_shape=(4, 5, 3, 2)), (5, 4, 5, 3, 2)),
    "embedding": (lambda: Embedding(7, 3, input_length=4), (5, 4)),
    "layer normalization": (lambda: LayerNormalization(input_shape=(6,)), (5, 6)),
    "batch normalization": (lambda: BatchNormalization(input_shape=(6,)), (5, 6)),
    "lstm": (lambda: LSTM(4, input_shape=(9, 3)), (5, 9, 3)),
    "lstm without bias": (lambda: LSTM(4, use_bias=False, input_shape=(9, 3)), (5, 9, 3)),
    "gru": (lambda: GRU(4, input_shape=(9, 3)), (5, 9, 3)),
}


def a_model(name):
    """A model of that layer alone, with weights that are nowhere zero or one, and an input."""
    layer, shape = CASES[name]
    model = Sequential([layer()], seed=1)
    signs = lambda each: DRAWS.choice([-1, 1], size=each.shape) if each.ndim > 1 else 1        # a variance has none
    model.set_weights([DRAWS.uniform(0.2, 0.9, size=each.shape) * signs(each) for each in model.get_weights()])
    x = DRAWS.integers(7, size=shape) if name == "embedding" else DRAWS.normal(size=shape).astype("float32")
    return model, x


def over_time(step, carry, x):
    for t in range(x.shape[1]):
        carry = step(carry, x[:, t])
    return carry


# ---- Flax


def of_flax(name, model, x):
    """What the module of Flax gives with the tree."""
    rngs, (layer,), (tree,) = nnx.Rngs(0), model.layers, to_flax(model).values()
    bias = "without" not in name
    kind = "conv" if name.startswith("conv") else name.split()[0]
    module = {
        "dense": lambda: nnx.Linear(3, 4, use_bias=bias, rngs=rngs),
        "conv": lambda: nnx.Conv(2, 4, tree["kernel"].shape[:-2], strides=layer.strides, padding="VALID",
                                 feature_group_count=layer.groups, rngs=rngs),
        "embedding": lambda: nnx.Embed(7, 3, rngs=rngs),
        "layer": lambda: nnx.LayerNorm(6, epsilon=EPSILON, rngs=rngs),
        "batch": lambda: nnx.BatchNorm(6, epsilon=EPSILON, use_running_average=True, rngs=rngs),
        "lstm": lambda: nnx.OptimizedLSTMCell(3, 4, rngs=rngs),
        "gru": lambda: nnx.GRUCell(3, 4, rngs=rngs),
    }[kind]()
    state = nnx.state(module)
    nnx.replace_by_pure_dict(state, tree)
    nnx.update(module, state)
    zero = jnp.zeros((len(x), 4))
    if name == "lstm":
        return over_time(lambda carry, x: module(carry, x)[0], (zero, zero), x)[1]
    if name == "gru":
        return over_time(lambda carry, x: module(carry, x)[0], zero, x)
    return module(x)


@pytest.mark.every(4)
@pytest.mark.parametrize("name", [name for name in CASES if name != "lstm without bias"])
def test_flax_computes_the_same(name):
    model, x = a_model(name)
    if name == "gru":
        model.set_weights([*model.get_weights()[:2], model.get_weights()[2] * np.array([[1], [0]])])
    assert_allclose(of_flax(name, model, x), model.predict(x), rtol=1e-5, atol=1e-6)


# The trees that nnx.to_pure_dict gives of Flax 0.12.8, and their shapes.
TREES = {
    "dense": {"kernel": (3, 4), "bias": (4,)},
    "conv2d": {"kernel": (3, 2, 1, 4), "bias": (4,)},
    "embedding": {"embedding": (7, 3)},
    "layer normalization": {"scale": (6,), "bias": (6,)},
    "batch normalization": {"scale": (6,), "bias": (6,), "mean": (6,), "var": (6,)},
    "lstm": {"dense_i": {"kernel": (3, 16)}, "dense_h": {"kernel": (4, 16), "bias": (16,)}},
}


@pytest.mark.parametrize("name", TREES)
def test_the_trees_of_flax(name):
    model, _ = a_model(name)
    (tree,) = to_flax(model).values()
    assert jax.tree.map(np.shape, tree) == TREES[name]


def test_a_gru_in_the_order_of_flax():
    """By the equations of nnx.GRUCell, gates r, z, n."""
    model, x = a_model("gru")
    with pytest.raises(ValueError, match=re.escape("GRU: Flax's has no bias within the reset gate, and this one's, the last "
                                                   "third of bias[1], is not zero. Equinox's has one.")):
        to_flax(model)
    model.set_weights([*model.get_weights()[:2], model.get_weights()[2] * np.array([[1], [0]])])
    (tree,) = to_flax(model).values()

    def step(h, x):
        sigmoid = lambda z: 1 / (1 + np.exp(-z))
        x_r, x_z, x_n = np.split(x @ tree["dense_i"]["kernel"] + tree["dense_i"]["bias"], 3, axis=-1)
        h_r, h_z, h_n = np.split(h @ tree["dense_h"]["kernel"], 3, axis=-1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        return (1 - z) * np.tanh(x_n + r * h_n) + z * h

    assert_allclose(over_time(step, np.zeros((5, 4)), x.astype(float)), model.predict(x), rtol=1e-5, atol=1e-6)


# ---- Equinox


def of_equinox(name, model, x):
    """What the module of Equinox gives with the tree."""
    eqx = pytest.importorskip("equinox")
    key, (tree,) = jax.random.key(0), to_equinox(model).values()
    bias = "without" not in name
    make = {
        "dense": lambda: eqx.nn.Linear(3, 4, use_bias=bias, key=key),
        "conv1d": lambda: eqx.nn.Conv1d(2, 4, 3, key=key),
        "conv2d": lambda: eqx.nn.Conv2d(2, 4, (3, 2), stride=2, groups=2, key=key),
        "conv3d": lambda: eqx.nn.Conv3d(2, 4, 2, key=key),
        "embedding": lambda: eqx.nn.Embedding(7, 3, key=key),
        "layer": lambda: eqx.nn.LayerNorm(6, eps=EPSILON),
        "batch": lambda: eqx.nn.BatchNorm(6, "batch", eps=EPSILON, mode="ema", inference=True),
        "lstm": lambda: eqx.nn.LSTMCell(3, 4, use_bias=bias, key=key),
        "gru": lambda: eqx.nn.GRUCell(3, 4, key=key),
    }[name.split()[0]]
    module, state = eqx.nn.make_with_state(make)()
    own = {each: value for each, value in tree.items() if each not in ("mean", "var")}
    module = eqx.tree_at(lambda module: [getattr(module, each) for each in own], module, list(map(jnp.asarray, own.values())))
    if name == "batch normalization":
        state = state.set(module.ema_state_index, (jnp.asarray(tree["mean"]), jnp.asarray(tree["var"])))
        state = state.set(module.ema_first_time_index, jnp.array(False))
        return jax.vmap(lambda x: module(x, state)[0], axis_name="batch")(x)
    if name.startswith(("lstm", "gru")):
        zero = jnp.zeros((len(x), 4))
        carry = over_time(lambda carry, x: jax.vmap(module)(x, carry), (zero, zero) if name.startswith("lstm") else zero, x)
        return carry[0] if name.startswith("lstm") else carry
    if name.startswith("conv"):
        return jnp.moveaxis(jax.vmap(module)(jnp.moveaxis(x, -1, 1)), 1, -1)
    return jax.vmap(jax.vmap(module))(x) if name == "embedding" else jax.vmap(module)(x)


@pytest.mark.every(4)
@pytest.mark.parametrize("name", CASES)
def test_equinox_computes_the_same(name):
    model, x = a_model(name)
    assert_allclose(of_equinox(name, model, x), model.predict(x), rtol=1e-5, atol=1e-6)


# ---- there and back


@pytest.mark.full
@pytest.mark.parametrize("there, back", [(to_flax, from_flax), (to_equinox, from_equinox)], ids=["flax", "equinox"])
def test_there_and_back_nothing_changes(there, back):
    def network(seed):
        inner = Sequential([Dense(4, "relu", input_shape=(5, 4)), Activation("tanh")])
        model = Sequential([Embedding(7, 4, input_length=6), Conv1D(4, 2), BatchNormalization(), inner, LSTM(3),
                            LayerNormalization(), Dense(2, activity_regularizer="l2")], seed=seed)
        model.compile("adam", "mse")
        return model

    model, other, x = network(1), network(2), DRAWS.integers(7, size=(8, 6))
    model.fit(x, DRAWS.normal(size=(8, 2)), verbose=0)
    tree = there(model)
    assert list(tree) == ["embedding", "conv1d", "batch_normalization", "sequential", "lstm", "layer_normalization", "dense"]
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(tree))
    back(other, tree)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert_allclose(other.predict(x), model.predict(x), rtol=1e-6)
    other.fit(x, DRAWS.normal(size=(8, 2)), verbose=0)


def test_modules_of_equinox_stand_for_their_leaves():
    eqx = pytest.importorskip("equinox")
    model = Sequential([Conv1D(4, 3, input_shape=(8, 2)), LSTM(3), LayerNormalization(), Dense(2, use_bias=False)], seed=0)
    keys = jax.random.split(jax.random.key(0), 3)
    modules = {"conv1d": eqx.nn.Conv1d(2, 4, 3, key=keys[0]), "lstm": eqx.nn.LSTMCell(4, 3, key=keys[1]),
               "layer_normalization": eqx.nn.LayerNorm(3), "dense": eqx.nn.Linear(3, 2, use_bias=False, key=keys[2])}
    from_equinox(model, modules)
    tree = to_equinox(model)
    for name, entry in tree.items():
        assert entry and all(np.array_equal(value, getattr(modules[name], each)) for each, value in entry.items())


def test_what_is_no_tree_is_told_what_one_looks_like():
    eqx = pytest.importorskip("equinox")
    model = Sequential([Dense(4, input_shape=(3,)), BatchNormalization()], seed=0)
    before, key = model.fingerprint(), jax.random.key(0)
    told = ("The tree is a MLP, which does not say what is the weights of which layer: write a dict, {'dense': ..., "
            "'batch_normalization': ...}, as to_equinox(model) gives.")
    with pytest.raises(TypeError, match=re.escape(told)):
        from_equinox(model, eqx.nn.MLP(3, 4, 4, 1, key=key))
    with pytest.raises(ValueError, match=re.escape("dense must have bias, kernel, got one array.")):
        from_flax(model, {"dense": np.ones((3, 4)), "batch_normalization": {}})
    norm = eqx.nn.make_with_state(eqx.nn.BatchNorm)(4, "batch", mode="ema")[0]
    with pytest.raises(ValueError, match="batch_normalization must have bias, mean, var, weight, got "):
        from_equinox(model, {"dense": eqx.nn.Linear(3, 4, key=key), "batch_normalization": norm})
    assert model.fingerprint() == before


def test_a_gru_there_and_back_computes_the_same():
    """Its two biases are one in the other library, where they meet in a sum."""
    model, x = a_model("gru")
    before = model.predict(x)
    from_equinox(model, to_equinox(model))
    assert_allclose(model.predict(x), before, rtol=1e-5, atol=1e-6)


def test_a_gru_takes_a_tree_of_flax_whatever_it_had():
    (model, x), (other, _) = a_model("gru"), a_model("gru")
    model.set_weights([*model.get_weights()[:2], model.get_weights()[2] * np.array([[1], [0]])])
    from_flax(other, to_flax(model))
    assert_allclose(other.predict(x), model.predict(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("change, told", [
    (lambda tree: tree.pop("dense"), "dense is missing in the tree. It must have dense, sequential."),
    (lambda tree: tree.update(more=tree["dense"]), "more is no layer of the model that has weights. It has dense, sequential."),
    (lambda tree: tree["dense"].pop("bias"), "dense must have bias, kernel, got kernel."),
    (lambda tree: tree["dense"].update(scale=np.ones(3)), "params['dense']['scale'] is not in the model."),
    (lambda tree: tree["sequential"]["dense"].update(kernel=np.ones((2, 2))), "params['sequential']['dense']['kernel'] has "
     "shape (2, 2), the model's (4, 2)."),
    (lambda tree: tree["sequential"].pop("dense"), "sequential/dense is missing in the tree. It must have dense."),
])
def test_a_tree_that_does_not_fit_changes_nothing(change, told):
    model = Sequential([Dense(4, input_shape=(3,)), Sequential([Dense(2)])], seed=1)
    tree, before = to_flax(model), model.fingerprint()
    change(tree)
    with pytest.raises(ValueError, match=re.escape(told)):
        from_flax(model, tree)
    assert model.fingerprint() == before


@pytest.mark.parametrize("layer, told", [
    (SimpleRNN(3, input_shape=(4, 2)), "simple_rnn, SimpleRNN(units=3, name='simple_rnn', batch_input_shape=(None, 4, 2)): "
     "Flax has no module of this form. There are forms for Dense, Conv1D, Conv2D, Conv3D, Embedding, LayerNormalization, "
     "BatchNormalization, LSTM, GRU."),
    (GRU(3, reset_after=False, input_shape=(4, 2)), "Flax's GRU has its reset gate after the product: reset_after=True."),
])
def test_a_layer_that_has_no_form_is_refused(layer, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        to_flax(Sequential([layer], seed=1))
