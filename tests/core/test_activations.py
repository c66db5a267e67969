"""Values and gradients against keras.activations on JAX, at the kinks too; sparsemax against its definition."""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.activations import ALL_OBJECTS_DICT as KERAS_TABLE
from numpy.testing import assert_allclose

from jaxseq.core import activations, layers

pytestmark = pytest.mark.usefixtures("quickly_compiled")

# Every kink of every function below, what lies beside them, and the far ends: (4, 6).
X = np.array([-30, -7, -3.5, -3, -1.5, -1, -0.7, -0.5, -0.25, -1e-3, -0.0, 0,
              1e-3, 0.25, 0.5, 0.7, 1, 1.5, 3, 4, 5.5, 6, 7, 30], np.float32).reshape(4, 6)
WEIGHTS = np.linspace(-1, 2, X.size, dtype=np.float32).reshape(X.shape)
ONLY_HERE = {"hard_sigmoid_keras2"}
IN_KERAS = sorted(set(activations.TABLE) - ONLY_HERE)
WITH_DEFAULTS = sorted(set(IN_KERAS) - {"threshold", "sparsemax"})
WITH_ARGUMENTS = [
    ("leaky_relu", {"negative_slope": 0.3}), ("elu", {"alpha": 1.7}), ("celu", {"alpha": 0.5}),
    ("gelu", {"approximate": True}), ("squareplus", {"b": 2.0}), ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}), ("threshold", {"threshold": 1.0, "default_value": -2.0}),
    ("softmax", {"axis": 0}), ("log_softmax", {"axis": 0}), ("glu", {"axis": 0}),
] + [("relu", {"negative_slope": slope, "max_value": top, "threshold": threshold})
     for slope in (0.0, 0.3) for top in (None, 4.0, 6.0) for threshold in (0.0, 1.0, -1.0)]


CASES = [(name, {}) for name in WITH_DEFAULTS] + WITH_ARGUMENTS


def value_and_gradient(function, x):
    """f(x), and the gradient of a weighted sum of f(x)."""
    y, back = jax.vjp(function, x)
    return y, back(jnp.asarray(np.resize(WEIGHTS, y.shape)))[0]


@pytest.fixture(scope="module")
def results():
    """{"ours", "theirs"} -> [(value, gradient) of each case], one program each."""
    def of(module):
        functions = [functools.partial(module.get(name), **arguments) for name, arguments in CASES]
        return jax.jit(lambda x: [value_and_gradient(function, x) for function in functions])(X)
    return {"ours": of(activations), "theirs": of(keras.activations)}


@pytest.mark.every(3)
@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda case: str(CASES[case]))
def test_value_and_gradient_are_those_of_keras(case, results):
    for ours, theirs in zip(results["ours"][case], results["theirs"][case], strict=True):
        assert ours.dtype == theirs.dtype == jnp.float32
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_bfloat16_stays_bfloat16():
    functions = {name: function for name, function in activations.TABLE.items() if name != "threshold"}
    every = jax.jit(lambda x: {name: function(x) for name, function in functions.items()})
    exact, half = every(X / 4), every(jnp.asarray(X / 4, jnp.bfloat16))
    for name in functions:
        assert half[name].dtype == jnp.bfloat16
        assert_allclose(np.float32(half[name]), exact[name], rtol=3e-2, atol=3e-2, err_msg=name)


def test_hard_sigmoid_of_keras_2():
    x = jnp.asarray([-9.0, -2.5, -1.0, 0.0, 2.0, 2.5, 9.0])
    assert_allclose(activations.hard_sigmoid_keras2(x), [0, 0, 0.3, 0.5, 0.9, 1, 1], atol=1e-7)
    assert_allclose(jax.vmap(jax.grad(activations.hard_sigmoid_keras2))(x[2:5]), [0.2, 0.2, 0.2], rtol=1e-6)


def test_every_name_of_keras_is_known():
    in_keras_2 = {"softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid",
                  "exponential", "linear"}
    assert in_keras_2 | set(KERAS_TABLE) <= set(activations.TABLE)


@pytest.mark.parametrize("name", IN_KERAS)
def test_signatures_take_the_arguments_of_keras_in_its_order(name):
    ours, theirs = activations.get(name), keras.activations.get(name)
    count = theirs.__code__.co_argcount
    assert ours.__code__.co_varnames[:count] == theirs.__code__.co_varnames[:count]
    assert ours.__defaults__ == theirs.__defaults__


# ---- relu ----


def test_relu_takes_keras_2s_word():
    assert_allclose(activations.relu(X, alpha=0.3, threshold=1.0), activations.relu(X, 0.3, None, 1.0))


def test_relu_refuses_both_words_and_a_top_below_zero():
    with pytest.raises(ValueError) as error:
        activations.relu(X, 0.1, alpha=0.2)
    assert str(error.value) == "relu(negative_slope=0.1, alpha=0.2): these are one thing, write negative_slope."
    with pytest.raises(ValueError) as error:
        activations.relu(X, max_value=-1.0)
    assert str(error.value) == "relu(max_value=-1.0): write at least 0, or None."


def test_glu_refuses_an_odd_axis():
    with pytest.raises(ValueError) as error:
        activations.glu(jnp.ones((2, 3)))
    assert str(error.value) == "glu halves axis -1 of x (2, 3), whose length is odd: make it even."


# ---- sparsemax ----


def nearest_on_simplex(x):
    """The tau with sum max(x - tau, 0) = 1, by bisection, in float64."""
    low, high = x.min() - 1.0, x.max()
    for _ in range(200):
        tau = (low + high) / 2
        low, high = (tau, high) if np.maximum(x - tau, 0).sum() > 1 else (low, tau)
    return np.maximum(x - low, 0)


@pytest.mark.parametrize("spread", [0.01, 0.3, 3.0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(spread):
    x = spread * np.random.default_rng(0).normal(size=(5, 7))
    wanted = np.apply_along_axis(nearest_on_simplex, -1, x)
    assert_allclose(activations.sparsemax(jnp.asarray(x, jnp.float32)), wanted, atol=1e-6)
    assert_allclose(activations.sparsemax(jnp.asarray(x.T, jnp.float32), axis=0), wanted.T, atol=1e-6)
    assert_allclose(activations.sparsemax(jnp.asarray(x + 1e3, jnp.float32)).sum(-1), 1, atol=1e-6)


def test_sparsemax_gradient_is_the_projection_onto_its_support():
    x = jnp.asarray(np.random.default_rng(1).normal(size=7), jnp.float32)
    support = np.asarray(activations.sparsemax(x) > 0, np.float64)
    assert 1 < support.sum() < 7
    wanted = np.diag(support) - np.outer(support, support) / support.sum()
    assert_allclose(jax.jit(jax.jacobian(activations.sparsemax))(x), wanted, atol=1e-6)


# ---- get and name ----


def test_get():
    mine = lambda x: x
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get(mine) is mine
    assert activations.get(jax.nn.softmax) is activations.softmax
    assert activations.get("mine", {"mine": mine}) is mine
    assert activations.get({"class_name": "function", "config": "mine"}, {"mine": mine}) is mine


def test_a_layer_without_weights_is_a_function_and_keeps_its_settings():
    x = jnp.array([-2.0, -0.5, 0.5, 7.0])
    assert_allclose(activations.get(layers.LeakyReLU(0.1))(x), activations.leaky_relu(x, 0.1))
    assert_allclose(activations.get(layers.ReLU(max_value=6))(x), activations.relu6(x))
    assert_allclose(activations.get(layers.ThresholdedReLU(0.5))(x), [0, 0, 0, 7])
    assert activations.get(layers.Softmax()) is activations.softmax       # which a loss takes together with itself
    assert activations.get(layers.Activation("tanh")) is activations.tanh
    with pytest.raises(ValueError, match=r"ELU\(\) is a layer, which has settings and no name"):
        activations.name(layers.ELU())


def test_a_users_class_of_such_a_layer_says_itself_what_it_computes():
    class Sharper(layers.Softmax):
        def apply(self, params, state, x, ctx):
            return super().apply(params, state, 2 * x, ctx)

    class Weighed(layers.ELU):
        def init(self, key, x):
            return {"weight": jnp.ones(())}, {}

    assert_allclose(activations.get(Sharper())(jnp.array([[0.0, 1.0]])), activations.softmax(jnp.array([[0.0, 2.0]])))
    with pytest.raises(ValueError, match=r"Weighed\(\) is no activation of another layer"):
        activations.get(Weighed())


def test_jax_functions_that_are_taken_for_ours_are_ours():
    both = jax.jit(lambda x: [[value_and_gradient(each, x) for each in pair] for pair in activations._OF_JAX.items()])
    for theirs, ours in both(X):
        jax.tree.map(functools.partial(assert_allclose, rtol=1e-6, atol=1e-7), ours, theirs)


@pytest.mark.parametrize(("identifier", "message"), [
    ("rleu", "Unknown activation 'rleu'. Did you mean 'relu' or 'relu6'?"),
    ("ReLU", "Unknown activation 'ReLU'. Did you mean 'relu' or 'relu6' or 'elu'?"),
    (3, "3 is no activation: write a name, as 'relu', or pass a function of an array."),
])
def test_get_refuses(identifier, message):
    with pytest.raises(ValueError) as error:
        activations.get(identifier)
    assert str(error.value) == message


def test_name_is_the_way_back():
    for name, function in activations.TABLE.items():
        assert activations.get(activations.name(function)) is function
        known = name if name in ONLY_HERE else keras.activations.serialize(keras.activations.get(name))
        assert activations.name(name) == activations.name(function) == known
    assert activations.name(None) == "linear"
    assert activations.name(jax.nn.relu) == "relu"


def test_name_of_a_users_function():
    def wavelet(x):
        return x

    def relu(x):
        return x

    assert activations.name(wavelet) == "wavelet"
    with pytest.raises(ValueError) as error:
        activations.name(relu)
    assert str(error.value) == (f"The activation {relu!r} has the name of the built-in 'relu', which would take its "
                                "place when the model is loaded: rename it.")
    nameless = lambda x: x
    with pytest.raises(ValueError) as error:
        activations.name(nameless)
    assert str(error.value) == f"The activation {nameless!r} has no name to be saved under: write it as a def."
