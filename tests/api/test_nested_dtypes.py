"""dtype= where models stand in models, where layers are shared and written in Keras's way, and where the optimizer is live."""

import copy
import pickle
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.layers import BatchNormalization, Dense, Dropout, Lambda, Layer
from jaxseq.models import Sequential, clone_model, model_from_json
from jaxseq.optimizers import SGD, Adam, LossScaleOptimizer

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(32, 6)).astype("float32")
Y = (X @ DRAW.normal(size=(6, 2)) / 3).astype("float32")


def dtypes(tree):
    return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


def base_layers():
    return [Dense(8, activation="tanh", input_shape=(6,)), BatchNormalization(), Dense(4, activation="tanh")]


def watched(seen):
    """A layer that notes the dtype of what it is given."""
    return Lambda(lambda x: (seen.append(x.dtype.name), x)[1])


# ---- models within models


@pytest.mark.every(3)
@pytest.mark.parametrize("dtype", [None, "mixed_bfloat16", "mixed_float16"])
def test_a_nested_model_computes_as_its_layers_in_a_row(dtype):
    nested = Sequential([Sequential(base_layers(), "base"), Dense(2, dtype="float32")], dtype=dtype, seed=0)
    flat = Sequential([*base_layers(), Dense(2, dtype="float32")], dtype=dtype, seed=1)
    flat.set_weights(nested.get_weights())
    for model in nested, flat:
        model.compile(SGD(0.05), "mse")
    assert_array_equal(nested.predict(X), flat.predict(X))
    for model in nested, flat:
        model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(nested.get_weights(), flat.get_weights(), strict=True):
        assert_array_equal(one, other)
    assert isinstance(nested.optimizer, LossScaleOptimizer) == (dtype == "mixed_float16")
    assert dtypes((nested.params, nested.state)) == {"float32"}


def test_a_nested_mixed_model_beside_keras():
    """Held to a share of the way that the weights come, as in test_precision.py."""
    model = Sequential([Sequential(base_layers()), Dense(2, dtype="float32")], dtype="mixed_bfloat16", seed=0)
    k = keras.layers
    inner = [k.Dense(8, "tanh", dtype="mixed_bfloat16"), k.BatchNormalization(dtype="mixed_bfloat16"),
             k.Dense(4, "tanh", dtype="mixed_bfloat16")]
    theirs = keras.Sequential([keras.Input((6,)), keras.Sequential([keras.Input((6,)), *inner]), k.Dense(2, dtype="float32")])
    start = model.get_weights()
    theirs.set_weights(start)
    assert_allclose(model.predict(X), theirs.predict(X, verbose=0), atol=2.0**-6)
    model.compile(SGD(0.05), "mse")
    theirs.compile(keras.optimizers.SGD(0.05), "mse")
    words = {"batch_size": 16, "epochs": 10, "shuffle": False, "verbose": 0}
    assert_allclose(model.fit(X, Y, **words).history["loss"], theirs.fit(X, Y, **words).history["loss"], rtol=0.05)
    for ours, their, old in zip(model.get_weights(), theirs.get_weights(), start, strict=True):
        way = np.abs(ours - old).max()
        assert way > 0
        assert_allclose(ours, their, rtol=0, atol=0.05 * way + 1e-6)


def test_its_own_dtype_comes_before_the_outer_one():
    seen = []
    deep = Sequential([Dense(3), watched(seen), Dense(3, dtype="float32"), Lambda(lambda x: x, dtype="float32"), watched(seen)],
                      "deep", dtype="float16")
    model = Sequential([Dense(3, input_shape=(6,)), watched(seen), deep, watched(seen)], dtype="mixed_bfloat16", seed=0)
    model.build()
    seen.clear()
    model(X)
    assert seen == ["bfloat16", "float16", "float16", "bfloat16"]
    assert dtypes(model.params["deep"]["dense"]) == {"float16"} and dtypes(model.params["dense"]) == {"float32"}
    assert (deep.dtype, deep.variable_dtype, model.dtype) == ("float16", "float16", "mixed_bfloat16")


def test_a_model_without_weights_takes_the_outer_dtype_at_any_depth():
    deep = Sequential([Dense(3)])
    middle = Sequential([deep, Dense(3)])
    with jax.enable_x64(True):
        model = Sequential([middle, Dense(2)], dtype="float64", seed=0)
        assert (middle.dtype, deep.dtype) == ("float64", "float64")
        x = X.astype("float64")
        assert model.predict(x).dtype == middle.predict(x).dtype == deep.predict(x).dtype == np.float64
        assert dtypes(model.params) == {"float64"}
        kernels = [weights for weights in model.get_weights() if weights.ndim == 2]
        assert_allclose(model.predict(x), x @ kernels[0] @ kernels[1] @ kernels[2], rtol=1e-12, atol=1e-13)


def test_a_model_with_weights_keeps_its_own_way_when_alone():
    base = Sequential([Dense(4, activation="tanh", input_shape=(6,))], seed=0)
    alone = base.predict(X)
    model = Sequential([base], dtype="mixed_bfloat16")
    assert base.dtype is None and alone.dtype == np.float32
    assert_array_equal(base.predict(X), alone)
    inside = model.predict(X)
    assert inside.dtype == jnp.bfloat16
    assert 0 < np.abs(inside.astype("float32") - alone).max() < 2.0**-6


def test_without_a_dtype_the_layers_are_the_very_same():
    model = Sequential([Sequential([Dense(4, input_shape=(6,))]), Dense(2)])
    assert model._architecture.typed is model._architecture.layers


def test_one_written_dtype_within_makes_the_others_float32():
    model = Sequential([Sequential([Dense(4, input_shape=(6,), dtype="mixed_float16")]), Dense(2)], seed=0)
    assert model.predict(X).dtype == np.float32
    model.compile("sgd", "mse")
    assert isinstance(model.optimizer, LossScaleOptimizer)


@pytest.mark.full
def test_freezing_by_paths_and_a_scaled_loss():
    base = Sequential([Dense(4, activation="tanh", input_shape=(6,)), Dropout(0.2), BatchNormalization(), Dense(4)], "base")
    model = Sequential([base, Dense(2)], dtype="mixed_float16", seed=0)
    base.layers[0].trainable = False
    model.compile(Adam(0.01, use_ema=True, ema_momentum=0.5), "mse")
    start = copy.deepcopy(model.params)
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert_array_equal(model.params["base"]["dense"]["kernel"], start["base"]["dense"]["kernel"])
    assert np.abs(model.params["base"]["dense_1"]["kernel"] - start["base"]["dense_1"]["kernel"]).max() > 0
    base.trainable = False
    last = copy.deepcopy(model.params)
    model.fit(X, Y, batch_size=16, verbose=0)
    assert_array_equal(model.params["base"]["dense_1"]["kernel"], last["base"]["dense_1"]["kernel"])
    assert np.abs(model.params["dense"]["kernel"] - last["dense"]["kernel"]).max() > 0


def test_a_step_that_overflows_leaves_a_nested_model_alone():
    model = Sequential([Sequential([Dense(4, input_shape=(6,))]), Dense(2)], dtype="mixed_float16", seed=0)
    model.compile(LossScaleOptimizer(SGD(0.1), initial_scale=2.0**40), "mse")
    start = model.get_weights()
    model.train_on_batch(X, Y)
    for old, new in zip(start, model.get_weights(), strict=True):
        assert_array_equal(old, new)
    assert float(model.train_state.opt_state.scale) == 2.0**39


def test_a_whole_model_is_frozen_with_a_layer_in_keras_way():
    model = Sequential([Linear(4, input_shape=(6,)), Dense(2)], dtype="mixed_bfloat16", seed=0)
    model.trainable = False
    model.compile("sgd", "mse")
    start = jax.tree.leaves(model.params)
    model.fit(X, Y, verbose=0)
    for old, new in zip(start, jax.tree.leaves(model.params), strict=True):
        assert_array_equal(old, new)


# ---- shared weights


def test_shared_layers_compute_in_the_dtype_of_each_model():
    wide = Sequential([Dense(4, input_shape=(6,)), Dense(2)], seed=0)
    narrow = Sequential(wide.layers[:1], dtype="mixed_bfloat16")
    assert wide.predict(X).dtype == np.float32 and narrow.predict(X).dtype == jnp.bfloat16
    narrow.set_weights([np.ones((6, 4)), np.zeros(4)])
    assert_array_equal(wide.get_weights()[0], np.ones((6, 4)))


def test_one_set_of_weights_has_one_dtype():
    layer = Dense(4, input_shape=(6,))
    wide = Sequential([layer])
    message = ("Dense(units=4, name='dense', batch_input_shape=(None, 6)) keeps its weights in float32, and would keep them in "
               "bfloat16 here: one set of weights has one dtype. Write the same dtype=... in both models.")
    narrow = Sequential(dtype="bfloat16")
    with pytest.raises(ValueError, match=re.escape(message)):
        narrow.add(layer)
    assert narrow.layers == [] and layer.owner is wide
    wide.build()
    base = "Sequential(name='sequential')" + message.removeprefix("Dense(units=4, name='dense', batch_input_shape=(None, 6))")
    with pytest.raises(ValueError, match=re.escape(base)):
        narrow.add(wide)
    assert wide.dtype is None and narrow.layers == []
    half = Dense(4, dtype="bfloat16", input_shape=(6,))
    models = [Sequential([half], dtype=each) for each in (None, "float16")]
    assert dtypes([model.params for model in models]) == {"bfloat16"}


def test_a_model_that_stands_in_one_without_a_dtype_is_not_typed_by_a_second():
    base = Sequential([Dense(4, input_shape=(6,))])
    first = Sequential([base, Dense(2)])
    with pytest.raises(ValueError, match="one set of weights has one dtype"):
        Sequential([base], dtype="bfloat16")
    second = Sequential([base], dtype="mixed_bfloat16")
    assert base.dtype is None
    assert first.predict(X).dtype == np.float32 and second.predict(X).dtype == jnp.bfloat16


# ---- copies


@pytest.mark.every(5)
@pytest.mark.parametrize("copied", [
    clone_model, lambda model: model_from_json(model.to_json()), lambda model: Sequential.from_config(model.get_config()),
    lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy], ids=["clone", "json", "config", "pickle", "deepcopy"])
def test_copies_keep_every_dtype(copied):
    base = Sequential([Dense(4, input_shape=(6,)), Dense(4, dtype="float32")], "base", dtype="float16")
    model = Sequential([base, Dense(2)], dtype="mixed_bfloat16", seed=0)
    model.compile("adam", "mse")
    other = copied(model)
    formats = lambda model: (model.dtype, model.layers[0].dtype, [layer.dtype for layer in model.layers[0].layers],
                             model.layers[1].compute_dtype, jax.tree.map(lambda leaf: leaf.dtype.name, model.params))
    assert formats(other) == formats(model)
    other.set_weights(model.get_weights())
    assert_array_equal(other.predict(X), model.predict(X))
    assert model.predict(X).dtype == jnp.bfloat16


# ---- the optimizer behind a scale


def scaled(**how):
    model = Sequential([Dense(2, input_shape=(6,))], dtype="mixed_float16", seed=0)
    model.compile(SGD(0.1), "mse", **how)
    return model


def test_the_rate_of_a_scaled_optimizer_is_live():
    model = scaled()
    optimizer = model.optimizer
    assert isinstance(optimizer, LossScaleOptimizer) and optimizer.owner is model
    assert float(optimizer.learning_rate) == np.float32(0.1) and int(optimizer.iterations) == 0
    model.fit(X, Y, batch_size=16, verbose=0)
    assert int(optimizer.iterations) == 2
    optimizer.learning_rate = 0.05
    assert model.learning_rate == float(optimizer.lr) == float(optimizer.inner_optimizer.learning_rate) == np.float32(0.05)
    optimizer.lr = 0.0
    start = model.get_weights()
    model.train_on_batch(X, Y)
    assert_array_equal(model.get_weights()[0], start[0])
    assert "learning_rate=0.0" in repr(optimizer)
    with pytest.raises(AttributeError, match=re.escape("LossScaleOptimizer.initial_scale cannot be changed")):
        optimizer.initial_scale = 1.0


def test_a_scaled_optimizer_goes_to_another_model_and_through_a_pickle():
    model = scaled()
    model.optimizer.learning_rate = 0.05
    other = Sequential([Dense(2, input_shape=(6,))], dtype="mixed_float16", seed=0)
    other.compile(model.optimizer, "mse")
    assert other.optimizer.owner is other and other.learning_rate == np.float32(0.05)
    other.optimizer.learning_rate = 0.5
    assert model.learning_rate == np.float32(0.05)
    alone = pickle.loads(pickle.dumps(model.optimizer))
    assert alone.owner is None and alone == LossScaleOptimizer(SGD(0.05))
    again = pickle.loads(pickle.dumps(model))
    assert again.learning_rate == np.float32(0.05) and isinstance(again.optimizer, LossScaleOptimizer)


@pytest.mark.parametrize("auto", [True, False])
def test_compile_arguments_tell_whether_the_loss_is_scaled(auto):
    model = scaled(auto_scale_loss=auto)
    assert model.compile_arguments["auto_scale_loss"] is auto
    again = pickle.loads(pickle.dumps(model))
    other = clone_model(model)
    other.compile(**model.compile_arguments)
    assert {isinstance(each.optimizer, LossScaleOptimizer) for each in (model, again, other)} == {auto}


# ---- layers in Keras's way


class Linear(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen", dtype=self.dtype)

    def call(self, x, training=None):
        if training:
            self.seen.assign_add(1.0)
        assert x.dtype == self.w.dtype == self.compute_dtype, (x.dtype, self.w.dtype, self.compute_dtype)
        self.add_loss(1e-3 * jnp.sum(jnp.square(self.w)))
        return x @ self.w


class Block(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.norm, self.wide = Dense(units), BatchNormalization(), Dense(units, dtype="float32")

    def call(self, x):
        y = self.norm(self.dense(x))
        assert y.dtype == self.compute_dtype
        z = self.wide(y)
        assert z.dtype == jnp.float32
        return z


@pytest.mark.every(3)
@pytest.mark.parametrize(("dtype", "kept"), [(None, "float32"), ("mixed_bfloat16", "float32"), ("bfloat16", "bfloat16"),
                                             ("mixed_float16", "float32"), ("float64", "float64")])
def test_a_layer_in_keras_way_follows_the_dtype(dtype, kept):
    with jax.enable_x64(dtype == "float64"):
        for model in (Sequential([Linear(2, input_shape=(6,))], dtype=dtype, seed=0),
                      Sequential([Linear(2, input_shape=(6,), dtype=dtype)], seed=0)):
            layer = model.layers[0]
            assert dtypes(model.params) == {kept}
            assert (layer.compute_dtype, layer.variable_dtype) == ((dtype or "float32").removeprefix("mixed_"), kept)
            model.compile("sgd", "mse")
            model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
            assert dtypes(model.params) == {kept} and len(layer.get_weights()) == 2
            assert float(layer.get_weights()[1]) == 4.0
            flat = Sequential([Dense(2, use_bias=False, input_shape=(6,))], dtype=dtype)
            flat.set_weights(layer.get_weights()[:1])
            assert_array_equal(model.predict(X), flat.predict(X))


def test_its_parts_follow_it_unless_they_have_their_own():
    model = Sequential([Block(4, input_shape=(6,)), Dense(2)], dtype="mixed_bfloat16", seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=16, verbose=0)
    assert dtypes((model.params, model.state)) == {"float32"}
    assert model.predict(X).dtype == jnp.bfloat16


def test_it_tells_and_keeps_its_dtype():
    layer = Linear(3, dtype="mixed_bfloat16", name="mine")
    assert layer.get_config() == {"units": 3, "name": "mine", "dtype": "mixed_bfloat16"}
    assert Linear.from_config(layer.get_config()).dtype == "mixed_bfloat16"
    assert "dtype" not in Linear(3).get_config()
    with pytest.raises(ValueError, match="Unknown dtype 'bfloat61'"):
        Linear(3, dtype="bfloat61")


def test_autocast_false_leaves_input_and_weights_alone():
    class Wide(Layer):
        def __init__(self, **kwargs):
            super().__init__(autocast=False, **kwargs)

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1],), name="w", initializer="ones")

        def call(self, x):
            assert x.dtype == self.w.dtype == jnp.float32
            return x * self.w

    model = Sequential([Wide(input_shape=(6,), dtype="mixed_bfloat16")])
    assert_array_equal(model.predict(X), X.astype(jnp.bfloat16))
