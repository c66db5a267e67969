"""What a layer in Keras's way cannot be or do, in full sentences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_style_classes import Old

from jaxseq import layers, models
from jaxseq.core.layer import Layer
from jaxseq.core.layers import Dense, Flatten
from jaxseq.core.types import Spec


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
    (lambda: Old(2)(np.ones((3, 5))), TypeError, "Old is called within a model: Sequential([Old(...)]). Alone: params, state = "
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


def test_weights_of_a_cell_belong_to_the_layer_that_holds_it():
    cell = layers.GRUCell(2, weights=[np.ones(2)])
    message = ("GRUCell(units=2) was given weights=[...], and in a layer they are the layer's: RNN(GRUCell(units=2), "
               "weights=[...]).")
    with pytest.raises(ValueError, match=re.escape(message)):
        layers.RNN(cell)
