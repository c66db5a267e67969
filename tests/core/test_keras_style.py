"""Layers in Keras's way: the same class, made over Keras's Layer and over ours, trains to the same numbers."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq import backend as K, layers, metrics, models
from jaxseq.core.keras_style import ASIDE, TAKEN, KerasStyle
from jaxseq.core.layer import Layer
from jaxseq.core.layers import BatchNormalization, Dense, Dropout, Flatten, Masking
from jaxseq.core.types import Ctx, Spec

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=(40, 5)).astype("float32")
Y = GENERATOR.normal(size=(40, 2)).astype("float32")


# ---- the classes, as one writes them


def linear(k, ops):
    class Linear(k.layers.Layer):
        """Weights in build, with everything that add_weight takes."""

        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", regularizer="l2",
                                     constraint=k.constraints.MaxNorm(0.1), name="w")
            self.b = self.add_weight((self.units,), "zeros", name="b")
            super().build(input_shape)

        def call(self, x):
            return ops.matmul(x, self.w) + self.b

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], self.units)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Linear


def centered(k, ops):
    class Centered(k.layers.Layer):
        """A moving mean, made in the constructor, assigned in training."""

        def __init__(self, features=5, momentum=0.9, **kwargs):
            super().__init__(**kwargs)
            self.momentum = momentum
            self.mean = self.add_weight(shape=(features,), initializer="zeros", trainable=False, name="mean")
            self.scale = self.add_weight(shape=(features,), initializer="ones", name="scale")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

        def call(self, x, training=None):
            if training:
                self.mean.assign(self.mean * self.momentum + ops.mean(x, axis=0) * (1 - self.momentum))
                self.count.assign_add(1.0)
            return (x - self.mean) * self.scale

    return Centered


def costly(k, ops):
    class Costly(k.layers.Layer):
        """No weights; it adds to the loss, and has an activity regularizer."""

        def __init__(self, rate=0.1, **kwargs):
            super().__init__(activity_regularizer="l2", **kwargs)
            self.rate = rate

        def call(self, x):
            self.add_loss(self.rate * ops.mean(ops.square(x)))
            return x * 2.0

    return Costly


def block(k, ops):
    inner = linear(k, ops)

    class Block(k.layers.Layer):
        """Layers within a layer: in attributes and in a list, made in the constructor and in build."""

        def __init__(self, units=4, **kwargs):
            super().__init__(**kwargs)
            self.first = k.layers.Dense(units, activation="tanh", kernel_regularizer="l2")
            self.rest = [k.layers.Dense(units), inner(units)]
            self.norm = k.layers.BatchNormalization()

        def build(self, input_shape):
            self.last = k.layers.Dense(2)
            self.first.build(input_shape)
            shape = self.first.compute_output_shape(input_shape)
            for each in self.rest:
                each.build(shape)
                shape = each.compute_output_shape(shape)
            self.norm.build(shape)
            self.last.build(shape)

        def call(self, x, training=None):
            x = self.first(x)
            for each in self.rest:
                x = each(x) + x
            return self.last(self.norm(x, training=training))

    return Block


def measured(k, ops):
    class Measured(k.layers.Layer):
        """Takes the mean over what the mask leaves, and ends it."""

        def call(self, x, mask=None):
            if mask is None:
                return ops.mean(x, axis=1)
            real = ops.cast(mask, "float32")[..., None]
            return ops.sum(x * real, axis=1) / ops.sum(real, axis=1)

        def compute_mask(self, inputs, mask=None):
            return None

    return Measured


class Ours:
    """The few functions that the classes take, as jaxseq's users write them."""

    mean, matmul, square, sum = jnp.mean, jnp.matmul, jnp.square, jnp.sum
    cast = staticmethod(K.cast)


def both(make, *rows, shape=(5,)):
    """(Keras's model, ours), with the same weights in the same order of names."""
    built = []
    for k, ops in (keras, keras.ops), (jaxseq, Ours):
        model = k.Sequential([k.Input(shape), *(row(k) for row in rows), make(k, ops)()])
        model.compile(k.optimizers.SGD(0.1), "mse")
        built.append(model)
    return built


def ordered(model, mine):
    """Keras's weights in our order: of each layer those trained first, then the others."""
    if mine:
        return model.get_weights()
    return [np.asarray(each) for layer in model.layers for each in (*layer.trainable_variables, *layer.non_trainable_variables)]


CLASSES = {"linear": linear, "centered": centered, "costly": costly, "block": block}


@pytest.mark.every(2)
@pytest.mark.parametrize("name", CLASSES)
def test_two_epochs_give_the_losses_weights_and_state_of_keras(name):
    rows = () if name in ("linear", "block") else (lambda k: k.layers.Dense(5),)
    y = Y if name in ("linear", "block") else X
    theirs, ours = both(CLASSES[name], *rows)
    ours.set_weights(ordered(theirs, mine=False))
    assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), rtol=1e-5, atol=1e-5)
    how = dict(epochs=2, batch_size=16, shuffle=False, verbose=0, validation_data=(X, y))
    wanted, got = theirs.fit(X, y, **how).history, ours.fit(X, y, **how).history
    assert got.keys() == wanted.keys()
    for each, values in wanted.items():
        assert_allclose(got[each], values, rtol=1e-4, atol=1e-5, err_msg=each)
    for mine, other in zip(ordered(ours, mine=True), ordered(theirs, mine=False), strict=True):
        assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_a_mask_reaches_call():
    x = GENERATOR.normal(size=(6, 4, 3)).astype("float32") * (np.arange(4) < 3)[:, None]
    theirs, ours = both(measured, lambda k: k.layers.Masking(), shape=(4, 3))
    assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-6)
    assert_allclose(ours.predict(x), x[:, :3].mean(1), rtol=1e-5)


# ---- in the manner of Keras 2


class Old(layers.Layer):
    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[1], self.output_dim), initializer="uniform", trainable=True)
        self.calls = self.add_weight(name="calls", shape=(), initializer="zero", trainable=False)
        super().build(input_shape)

    def call(self, x, training=None):
        self.add_update([K.update(self.calls, self.calls + K.in_train_phase(1.0, 0.0, training=training))], x)
        return K.dot(x, self.kernel) + K.sqrt(self.calls) * 0

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.output_dim


def test_a_layer_of_keras_2_with_its_k():
    model = models.Sequential([Old(2, input_shape=(5,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, batch_size=16, verbose=0)
    kernel, calls = model.get_weights()
    assert calls == 6 and kernel.shape == (5, 2)
    assert_allclose(model.predict(X), X @ kernel, rtol=1e-5, atol=1e-6)


# ---- configuration, copies, freezing


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


@pytest.mark.every(4)
@pytest.mark.parametrize("name", sorted(ASIDE - TAKEN))
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


# ---- parts


def test_a_layer_in_two_attributes_is_one_layer_and_keeps_its_state():
    class Twice(Layer):
        def __init__(self):
            super().__init__()
            self.one = BatchNormalization(momentum=0.5)
            self.same = self.one

        def call(self, x):
            return self.same(self.one(x))

    layer, x = Twice(), jnp.asarray(X)
    params, state = layer.init(jax.random.key(0), x)
    assert set(params) == {"one/gamma", "one/beta"} and set(state) == {"one/moving_mean", "one/moving_variance"}
    _, after = layer.apply(params, state, x, Ctx(True, jax.random.key(0)))
    first = 0.5 * X.mean(0)
    assert_allclose(after["one/moving_mean"], first * 0.5, rtol=1e-4, atol=1e-6)      # the second sees mean 0


def test_the_mask_goes_through_the_parts():
    class Inner(Layer):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = layers.LSTM(3), Dense(4)

        def call(self, x):
            return self.lstm(self.dense(x))

    x = GENERATOR.normal(size=(3, 6, 2)).astype("float32") * (np.arange(6) < 4)[:, None]
    model = models.Sequential([Masking(input_shape=(None, 2)), Inner()], seed=1)
    assert_allclose(model.predict(x), model.predict(x[:, :4]), rtol=1e-5)


def test_draws_are_functions_of_seed_step_and_layer():
    class Noisy(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = Dropout(0.5)

        def call(self, x, training=None):
            if training:
                x = x + jax.random.normal(self.draw_key(), x.shape) - jax.random.normal(self.draw_key(), x.shape)
            return self.drop(x, training=training)

    layer, x = Noisy(), jnp.ones((8, 3))
    run = lambda seed: layer.apply({}, {}, x, Ctx(True, jax.random.key(seed)))[0]
    assert_array_equal(run(0), run(0))
    assert np.any(run(0) != run(1)) and np.all(np.asarray(run(0)) != 1)
    assert_array_equal(layer.apply({}, {}, x, Ctx())[0], x)


def test_a_part_that_is_frozen_later_is_refused():
    model = models.Sequential([block(jaxseq, Ours)(input_shape=(5,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.layers[0].first.trainable = False
    with pytest.raises(ValueError, match="has trainable=False: what stands in a layer is trained or frozen with it"):
        model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert_array_equal(old, new)


def test_a_part_that_draws_in_evaluation_is_refused():
    class Always(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = Dropout(0.5)

        def call(self, x):
            return self.drop(x, training=True)

    with pytest.raises(ValueError, match=re.escape("Dropout(rate=0.5) draws, and is called with training=True in evaluation, "
                                                   "where nothing is drawn. Hand on the `training` that call is given")):
        models.Sequential([Always(input_shape=(5,))])


def test_a_metric_within_call_keeps_nothing_of_a_program():
    tracker = metrics.Mean()

    class Tracked(Layer):
        def call(self, x):
            tracker.update_state(x)
            return x

    with pytest.raises(RuntimeError, match=re.escape("total.assign: a metric that is updated while a program is traced would "
                                                     "keep a part of that program.")):
        models.Sequential([Tracked(input_shape=(5,))])
    assert float(tracker.result()) == 0


def test_a_loss_that_is_added_under_a_mask_alone_is_refused():
    class Sometimes(Layer):
        def call(self, x, mask=None):
            if mask is not None:
                self.add_loss(jnp.mean(x))
            return x

    model = models.Sequential([Masking(input_shape=(4, 3)), Sometimes(), Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=re.escape("Call add_loss each time, self.add_loss(0.0) where there is nothing to")):
        model.fit(np.ones((8, 4, 3)), np.ones((8, 2)), verbose=0)


def test_numbers_of_numpy_become_pythons(custom):
    layer = custom["Linear"](np.int64(3), name="it")
    assert repr(layer) == "Linear(units=3, name='it')"
    model = models.Sequential([layers.Input((5,)), layer])
    assert models.model_from_json(model.to_json(), custom).layers == [layer]


def test_time_distributed_counts_the_statistics_of_its_layer():
    model = models.Sequential([layers.TimeDistributed(centered(jaxseq, Ours)(3), input_shape=(4, 3))])
    assert [w.shape for w in model.get_weights()] == [(3,), (3,), ()]


# ---- weights=[...]


def test_first_weights_that_the_user_brings():
    table = GENERATOR.normal(size=(10, 3)).astype("float32")
    embedding = layers.Embedding(10, 3, weights=[table], trainable=False, input_length=4)
    model = models.Sequential([embedding, Flatten(), Dense(1, weights=[np.ones((12, 1)), [2.0]])])
    table_then = table.copy()
    table[:] = 0
    ids = GENERATOR.integers(10, size=(5, 4))
    assert_allclose(model.predict(ids), table_then[ids].sum((1, 2))[:, None] + 2, rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(ids, np.zeros(5), verbose=0)
    assert_array_equal(embedding.get_weights()[0], table_then)
    assert "weights" not in model.to_json()
    assert Dense(2, weights=[np.ones(2)]) == Dense(2) and hash(Dense(2, weights=[np.ones(2)])) == hash(Dense(2))
    moving = models.Sequential([BatchNormalization(weights=[np.full(5, float(n + 1)) for n in range(4)], input_shape=(5,))])
    assert [w[0] for w in moving.get_weights()] == [1, 2, 3, 4]
    alone = models.Sequential([linear(jaxseq, Ours)(2, weights=[np.ones((5, 2)), np.zeros(2)], input_shape=(5,))])
    assert_allclose(alone.predict(X), X.sum(1, keepdims=True).repeat(2, 1), rtol=1e-5)
    inner = models.Sequential([layers.TimeDistributed(Dense(1, weights=[np.ones((3, 1)), [0.5]]), input_shape=(4, 3))])
    assert_array_equal(inner.get_weights()[0], np.ones((3, 1)))


# ---- errors


class Wrong(Layer):
    def __init__(self, how, **kwargs):
        super().__init__(**kwargs)
        self.how = how
        self.input_spec = layers.InputSpec(min_ndim=2, axes={-1: 5})
        self.state = self.add_weight("state", (2,), trainable=False)

    def call(self, x):
        return getattr(self, self.how)(x)

    def late(self, x):
        return x * self.add_weight("late", ())

    def nothing(self, x):
        del x

    def two(self, x):
        return x, x

    def misshapen(self, x):
        self.state.assign(jnp.zeros(3))
        return x

    def key_in_evaluation(self, x):
        return x + jax.random.normal(self.draw_key(), x.shape)


@pytest.mark.parametrize(("make", "kind", "message"), [
    (lambda: Wrong("late"), ValueError, "Wrong asks for a weight in call. Do it in build(self, input_shape) or in the "
     "constructor."),
    (lambda: Wrong("nothing"), ValueError, "Wrong.call gave None: end it with return."),
    (lambda: Wrong("two"), TypeError, "Wrong.call gave a tuple: a layer of a Sequential has one output."),
    (lambda: Wrong("misshapen"), ValueError, "state.assign: the variable has shape (2,), got (3,)."),
    (lambda: Wrong("key_in_evaluation"), ValueError, "Wrong.draw_key() has a key in training alone: draw under `if "
     "training:`."),
    (lambda: Dense(2, weights=[np.ones((3, 3)), np.ones(2)]), ValueError, "the array of shape (3, 3) in weights=[...] stands "
     "for kernel, which has shape (5, 2)."),
    (lambda: Dense(2, weights=[np.ones((5, 2))]), ValueError, "weights=[(5, 2)] were given, and it has 2: kernel (5, 2), bias "
     "(2,)."),
    (lambda: Flatten(weights=[np.ones(2)]), ValueError, "weights=[(2,)] were given, and it has 0: none."),
    (lambda: Holds(), ValueError, "Dense(units=2, trainable=False) in Holds() has trainable=False: what stands in a layer is "
     "trained or frozen with it. Write trainable=False in the whole, or give the part a place of its own."),
], ids=range(9))
def test_what_cannot_be_is_said_when_the_layer_is_added(make, kind, message):
    model = models.Sequential([layers.Input((5,))])
    with pytest.raises(kind, match=re.escape(message) + "$"):
        model.add(make())
    assert model.layers == []


class Holds(Layer):
    def __init__(self):
        super().__init__()
        self.dense = Dense(2, trainable=False)

    def call(self, x):
        return self.dense(x)


def test_an_input_that_the_spec_refuses():
    with pytest.raises(ValueError, match=re.escape("Wrong wants an input with 5 at axis -1, got (None, 4).")):
        models.Sequential([layers.Input((4,)), Wrong("two")])
    with pytest.raises(ValueError, match=re.escape("Wrong wants an input of 2 axes or more, batch axis included, got (0,).")):
        Wrong("two").init(jax.random.key(0), Spec((0,), jnp.float32))
    for spec, told in (layers.InputSpec(min_ndim=2, max_ndim=3), "2 to 3 axes"), (layers.InputSpec(ndim=2), "2 axes"):
        with pytest.raises(ValueError, match=f"^It wants an input of {told}, batch axis included, got "):
            spec.check("It", jnp.zeros((1,) * 5))


PLACED = models.Sequential([Old(2)])


@pytest.mark.parametrize(("run", "kind", "message"), [
    (lambda: type("Mine", (Dense,), {"call": lambda self, x: x}), TypeError, "Mine defines call, and Dense works by apply, so "
     "call would never be asked. Define apply(self, params, state, x, ctx), or write a layer that holds the other: self.inner "
     "= Dense(...)."),
    (lambda: type("Mine", (Layer,), {"call": lambda self, x: x, "init": None}), TypeError, "Mine.init: a layer that defines "
     "call leaves this name to jaxseq. Give the method another one."),
    (lambda: Old(2)(X), TypeError, "Old is called within a model: Sequential([Old(...)]). Alone: params, state = "
     "layer.init(key, x); y, state = layer.apply(params, state, x, Ctx())."),
    (lambda: setattr(PLACED.layers[0], "output_dim", 3), AttributeError, "Old.output_dim cannot be "
     "changed any more: the layer stands in a model. Set it before, or write a new layer."),
    (lambda: Old(2).add_weight("n", (1,), dtype="int32"), ValueError, "Old.add_weight('n', dtype='int32'): whole numbers "
     "cannot be trained. Write trainable=False."),
    (lambda: Old(2).add_weight("n", (None, 1)), ValueError, "Old.add_weight('n', shape=(None, 1)): write whole numbers. Where "
     "a length of the input is not known, declare it: input_shape=(...)."),
    (lambda: Old(2).add_weight("n", shap=(1,)), TypeError, "Old.add_weight takes no argument 'shap'. Did you mean 'shape'?"),
    (lambda: Old(2).add_weight("n", name="n"), TypeError, "Old.add_weight was given name twice, by position and by name."),
    (lambda: Old(2).add_loss(1.0), RuntimeError, "Old.add_loss belongs into call."),
    (lambda: Old(2, dtype="float64"), ValueError, "dtype='float64' needs JAX's 64-bit numbers: write "
     "jax.config.update('jax_enable_x64', True) first."),
    (lambda: Old(2).replaced(output_dim=3), TypeError, "Old.replaced(output_dim): of a layer in Keras's way name, trainable, "
     "dtype, batch_input_shape may be replaced. Write a new layer for anything else."),
    (lambda: Old(2).penalty({}), RuntimeError, "Old(output_dim=2) has not been built: call its init(key, x) first."),
    (lambda: Dense(2, weights=np.ones(3)), TypeError, "Dense(weights=...) takes a list of arrays, in the order of get_weights: "
     "write weights=[matrix]."),
    (lambda: Dense(2, weights=["glove"]), TypeError, "Dense(weights=...) takes arrays of numbers, got one of <U5."),
], ids=range(14))
def test_errors_in_full(run, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        run()


def shifted(**attributes):
    """A class in Keras's way with more members, and the text of a layer of it that counts what it sees."""
    return type("Shifted", (Layer,), {"call": lambda self, x: x + 1.0, **attributes})


class Parrot:
    def forward(self, x):
        return x


@pytest.mark.parametrize(("run", "kind", "message"), [
    (lambda: shifted(forward=lambda self, x: x), TypeError, "Shifted.forward: a layer that defines call leaves this name to "
     "jaxseq. Give the method another one."),
    (lambda: type("Mixed", (Parrot, Layer), {"call": lambda self, x: x}), TypeError, "Mixed.forward: a layer that defines call "
     "leaves this name to jaxseq. Give the method another one."),
    (lambda: shifted(_built=True), TypeError, "Shifted._built: a layer that defines call leaves this name to jaxseq. Give the "
     "method another one."),
    (lambda: setattr(shifted()(), "_weights", []), AttributeError, "Shifted._weights: jaxseq has something else under this "
     "name. Give the attribute another one."),
    (lambda: setattr(shifted()(), "owner", "me"), AttributeError, "Shifted.owner: jaxseq has something else under this name. "
     "Give the attribute another one."),
    (lambda: type("Mine", (Layer,), {"__annotations__": {"forward": int}, "apply": lambda self, *given: given}), TypeError,
     "Mine.forward: every layer has something else under this name. Give the field another one."),
], ids=range(6))
def test_names_that_are_taken(run, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        run()


def test_the_two_ways_are_told_apart_where_the_class_is_made():
    class Declared(Layer):
        factor: float = 2.0

        def apply(self, params, state, x, ctx):
            return x * self.factor, state

    class Mixin:
        def call(self, x):
            return x

    class Mixed(Mixin, Layer):
        pass

    class Abstract(Layer):
        def build(self, input_shape):
            super().build(input_shape)

    assert not issubclass(Declared, KerasStyle) and issubclass(Mixed, KerasStyle) and issubclass(Abstract, KerasStyle)
    assert Mixed.__mro__[1:3] == (Mixin, KerasStyle)
    with pytest.raises(TypeError, match="abstract method '?call'?"):
        Abstract()


def test_weights_of_a_cell_belong_to_the_layer_that_holds_it():
    cell = layers.GRUCell(2, weights=[np.ones(2)])
    message = ("GRUCell(units=2) was given weights=[...], and in a layer they are the layer's: RNN(GRUCell(units=2), "
               "weights=[...]).")
    with pytest.raises(ValueError, match=re.escape(message)):
        layers.RNN(cell)


def test_arguments_may_be_called_as_the_words_for_the_input_are():
    class Table(Layer):
        def __init__(self, input_dim, output_dim, weights=None, **kwargs):
            super().__init__(**kwargs)
            self.sizes, self.scale = (input_dim, output_dim), weights

        def build(self, input_shape):
            self.rows = self.add_weight(shape=self.sizes, initializer="uniform", name="rows")

        def call(self, x):
            return self.scale * self.rows[x.astype(jnp.int32)]

    table = Table(7, 2, weights=3.0, input_shape=(4,))
    assert repr(table) == "Table(input_dim=7, output_dim=2, weights=3.0, batch_input_shape=(None, 4))"
    assert Table.from_config(table.get_config()) == table
    model = models.Sequential([table])
    ids = GENERATOR.integers(7, size=(3, 4))
    assert_allclose(model.predict(ids), 3 * model.get_weights()[0][ids], rtol=1e-6)
