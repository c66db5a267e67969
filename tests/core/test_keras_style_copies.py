"""A layer in Keras's way as a value: its configuration, its copies, what stands still, and whose names are whose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_style_classes import Ours, block, centered, linear
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import layers, models
from jaxseq.core.keras_style import ASIDE, TAKEN
from jaxseq.core.layer import Layer
from jaxseq.core.layers import Dense, Flatten

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(40, 5)).astype("float32")
Y = GENERATOR.normal(size=(40, 2)).astype("float32")


@pytest.fixture
def custom():
    return {"Linear": linear(jaxseq, Ours), "Centered": centered(jaxseq, Ours)}


def test_json_from_config_and_clones(custom):
    model = models.Sequential([custom["Centered"](5, momentum=0.5, input_shape=(5,)), custom["Linear"](3), custom["Linear"](2)])
    again = models.model_from_json(model.to_json(), custom)
    copies = [again, models.clone_model(model), models.Sequential.from_config(model.get_config(), custom)]
    for each in copies:
        assert [repr(layer) for layer in each.layers] == [repr(layer) for layer in model.layers]
        assert each.layers == model.layers and each.layers[1] is not model.layers[1]
        assert [w.shape for w in each.get_weights()] == [(5,), (5,), (), (5, 3), (3,), (3, 2), (2,)]
    assert model.layers[0].get_config() == {"features": 5, "momentum": 0.5, "name": "centered", "batch_input_shape": [None, 5]}
    assert repr(custom["Linear"](3, name="it")) == "Linear(units=3, name='it')"
    assert custom["Linear"](3) == custom["Linear"](3) != custom["Linear"](4)


def test_a_constructor_that_takes_no_other_words_can_be_copied():
    class Plain(Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return x * self.factor

    layer = Plain.from_config({"factor": 2.0, "name": "twice", "trainable": False})
    assert repr(layer) == "Plain(factor=2.0, name='twice', trainable=False)"
    assert_array_equal(models.clone_model(models.Sequential([Flatten(input_shape=(5,)), layer])).predict(X), 2 * X)


def test_a_frozen_layer_stands_still_and_its_parts_with_it():
    model = models.Sequential([block(jaxseq, Ours)(input_shape=(5,))], seed=0)
    model.compile("sgd", "mse")
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)
    assert model.trainable_weights == []


def test_the_object_of_the_user_stays_as_it_was(custom):
    layer = custom["Linear"](3, input_shape=(5,))
    before = dict(vars(layer))
    model = models.Sequential([layer])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :3], verbose=0)
    unbound = {name: value for name, value in vars(layer).items() if name not in ("name", "_homes", "_named", "_builds")}
    assert unbound == {name: value for name, value in before.items() if name not in ("name", "_homes", "_named", "_builds")}
    kept = [value for built in layer._builds.values() for name, value in vars(built).items() if name[0] != "_"]
    assert kept and not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(kept))


def test_numbers_that_build_makes_are_made_once():
    class Random(Layer):
        def build(self, input_shape):
            self.matrix = jnp.asarray(np.random.default_rng().normal(size=(input_shape[-1], 2)), jnp.float32)

        def call(self, x):
            return x @ self.matrix

    model = models.Sequential([Random(input_shape=(5,))])
    model.compile("sgd", "mse")
    assert_allclose(model.evaluate(X, Y, verbose=0), np.mean((model.predict(X) - Y) ** 2), rtol=1e-5)
    many = jax.jit(jax.vmap(model.functional().apply, (None, None, 0)))
    assert_allclose(many({}, {}, X[None])[0][0], model.predict(X), rtol=1e-4, atol=1e-6)


def test_attributes_may_be_called_as_the_methods_of_layers_are():
    class Named(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.penalty, self.init, self.reset = 0.5, "ones", Dense(3)

        def build(self, input_shape):
            self.apply = self.add_weight("w", (input_shape[-1],), initializer=self.init)

        def call(self, x):
            return self.reset(x * self.apply * self.penalty)

    model = models.Sequential([Named(input_shape=(5,))])
    w, kernel, bias = model.get_weights()
    assert_allclose(model.predict(X), X * w * 0.5 @ kernel + bias, rtol=1e-4, atol=1e-5)
    assert callable(model.layers[0].penalty)


@pytest.mark.every(5)
@pytest.mark.parametrize("name", sorted(ASIDE - TAKEN - {"built"}))        # which `build` sets, as in Keras
def test_no_name_of_ours_stands_in_the_way(name):
    class Named(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            setattr(self, name, [Dense(3)])
            self.count = len(getattr(self, name))

        def call(self, x):
            return getattr(self, name)[0](x)

        def get_config(self):
            return {**super().get_config(), "count": len(getattr(self, name))}

    model = models.Sequential([Named(input_shape=(5,))])
    kernel, bias = model.get_weights()
    assert_allclose(model.predict(X), X @ kernel + bias, rtol=1e-4, atol=1e-5)
    assert model.layers[0].count == model.layers[0].get_config()["count"] == 1


def test_a_declaration_may_hold_a_layer_called_inner():
    class Doubled(Layer):
        inner: Layer

        def init(self, key, x):
            return self.inner.init(key, x)

        def apply(self, params, state, x, ctx):
            y, state = self.inner.apply(params, state, x, ctx)
            return 2 * y, state

    model = models.Sequential([Doubled(Dense(2), input_shape=(5,))])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    kernel, bias = model.get_weights()
    assert_allclose(model.predict(X), 2 * (X @ kernel + bias), rtol=1e-4, atol=1e-5)


def test_numbers_of_numpy_become_pythons(custom):
    layer = custom["Linear"](np.int64(3), name="it")
    assert repr(layer) == "Linear(units=3, name='it')"
    model = models.Sequential([layers.Input((5,)), layer])
    assert models.model_from_json(model.to_json(), custom).layers == [layer]
