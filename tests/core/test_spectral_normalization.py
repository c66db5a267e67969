"""SpectralNormalization against Keras in training, and against NumPy's singular values."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from twins import QUICK, numbers

from jaxseq import activations, layers, models
from jaxseq.core.layers import Conv2D, Dense, Flatten, SpectralNormalization
from jaxseq.core.types import Ctx

X = numbers(6, 4)


@pytest.mark.parametrize(("layer", "theirs", "x"), [
    (Dense(3), keras.layers.Dense(3), X), (Conv2D(3, 2), keras.layers.Conv2D(3, 2), numbers(2, 4, 4, 2))])
def test_a_training_step_as_in_keras(layer, theirs, x):
    twin = keras.layers.SpectralNormalization(theirs, power_iterations=2)
    twin.build(x.shape)
    weights, u = [numbers(*each.shape, seed=1) for each in twin.trainable_variables], numbers(1, 3, seed=2)
    ours = SpectralNormalization(layer, power_iterations=2)

    def mine(weights):
        y, state = ours.apply(dict(zip(("kernel", "bias"), weights, strict=True)), {"vector_u": u}, x, Ctx(True))
        return jnp.sum(jnp.cos(y)), state["vector_u"]

    def other(weights):
        y, (after,) = twin.stateless_call(weights, [u], x, training=True)
        return jnp.sum(jnp.cos(y)), after

    run = lambda f: jax.jit(jax.value_and_grad(f, has_aux=True), compiler_options=QUICK)(weights)
    with jax.numpy_dtype_promotion("standard"):
        wanted = run(other)
    for one, two in zip(jax.tree.leaves(run(mine)), jax.tree.leaves(wanted), strict=True):
        assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def test_the_norm_tends_to_1_in_training_and_evaluation():
    layer = SpectralNormalization(Dense(3, use_bias=False, kernel_initializer="random_normal"), input_shape=(4,))
    model = models.Sequential([layer], seed=0)
    model.compile("sgd", "mse")
    model.learning_rate = 0.0
    model.fit(X, X[:, :3], epochs=60, verbose=0)
    kernel, u = model.get_weights()
    assert u.shape == (1, 3)
    assert_allclose(model.predict(X), X @ kernel / np.linalg.norm(kernel, 2), rtol=1e-3, atol=1e-4)
    layer.trainable = False
    model.fit(X, X[:, :3], verbose=0)
    assert_array_equal(model.get_weights()[1], u)


def test_a_kernel_of_zeros_is_left_alone():
    layer = SpectralNormalization(Dense(3, kernel_initializer="zeros"))
    params, state = layer.init(jax.random.key(0), jnp.asarray(X))
    gradient = jax.grad(lambda params: jnp.sum(layer.apply(params, state, jnp.asarray(X), Ctx(True))[0]))(params)
    assert all(np.isfinite(each).all() for each in jax.tree.leaves(gradient))
    assert_array_equal(layer.apply(params, state, jnp.asarray(X), Ctx(True))[1]["vector_u"], state["vector_u"])


@pytest.mark.parametrize(("make", "kind", "message"), [
    (lambda: SpectralNormalization(3), TypeError, "SpectralNormalization(3): write a layer, SpectralNormalization(Dense(8))."),
    (lambda: SpectralNormalization(Dense(2), 0), ValueError, "SpectralNormalization(power_iterations)=0: write a whole number "
     "of at least 1."),
    (lambda: SpectralNormalization(Flatten()).init(jax.random.key(0), jnp.asarray(X)), ValueError, "SpectralNormalization: "
     "Flatten() has no kernel to normalize."),
])
def test_errors_in_full(make, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        make()


def test_ids_stay_ids():
    assert layers.SpectralNormalization(layers.Embedding(5, 2)).input_dtype == "int32"


def test_resetting_states_keeps_vector_u():
    layer = SpectralNormalization(layers.SimpleRNN(3, stateful=True), batch_input_shape=(2, 4, 2))
    model = models.Sequential([layer], seed=0)
    x = numbers(2, 4, 2)
    first = model.predict(x)
    assert np.any(model.predict(x) != first)
    model.reset_states()
    assert_array_equal(model.predict(x), first)


def test_the_activation_of_the_layer_can_be_taken_off():
    assert SpectralNormalization(Dense(3, activation="softmax")).without_activation() == (
        SpectralNormalization(Dense(3)), activations.softmax)
