"""Layers and their Keras 3 twins with the same weights: values and all gradients of a list of cases, one program each."""

import dataclasses
import inspect
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.testing import assert_allclose

from jaxseq.core.types import Ctx, Spec

QUICK = {"xla_backend_optimization_level": 0}       # each program runs once: its compilation is what costs


class Case(NamedTuple):
    """The name of a class here and in Keras, its arguments, and the shape of x."""

    name: str
    words: dict
    shape: tuple

    def __str__(self):
        return f"{self.name}({', '.join(f'{word}={value!r}' for word, value in self.words.items())})"


def weight_shapes(layer, shape):
    """{weight: shape} in Keras's order; none for a layer without weights."""
    shapes = layer.weight_shapes(Spec(shape, jnp.float32)) if hasattr(layer, "weight_shapes") else {}
    return {weight: each for weight, each in shapes.items() if weight != "bias" or layer.use_bias}


def numbers(layer, shape, seed):
    """x, and the weights in Keras's order."""
    draw = np.random.RandomState(seed)
    array = lambda shape: jnp.asarray(draw.normal(size=shape), jnp.float32)
    return array(shape), [array(each) for each in weight_shapes(layer, shape).values()]


def ours(layer, shape):
    names = list(weight_shapes(layer, shape))
    return lambda x, weights: layer.apply(dict(zip(names, weights, strict=True)), {}, x, Ctx())[0]


def theirs(layer, case):
    zeros = {each.name: "zeros" for each in dataclasses.fields(layer) if each.name.endswith("_initializer")}
    twin = getattr(keras.layers, case.name)(**case.words, **zeros)
    twin.build(case.shape)
    return lambda x, weights: twin.stateless_call(weights, [], x)[0]


def with_gradients(function, x, weights):
    """y, and the gradients of a weighted sum of y by x and by every weight."""
    y, back = jax.vjp(function, x, weights)
    return y, *jax.tree.leaves(back(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)))


def results(module, cases):
    """[(ours, Keras's)] of each case, each (y, dx, and the gradient of every weight in order)."""
    layers = [getattr(module, case.name)(**case.words) for case in cases]
    arrays = [numbers(layer, case.shape, seed) for seed, (layer, case) in enumerate(zip(layers, cases, strict=True))]

    def run(functions):
        with jax.numpy_dtype_promotion("standard"):
            program = jax.jit(lambda arrays: [
                with_gradients(f, *each) for f, each in zip(functions, arrays, strict=True)], compiler_options=QUICK)
            return program(arrays)

    mine = run([ours(layer, case.shape) for layer, case in zip(layers, cases, strict=True)])
    return list(zip(mine, run([theirs(layer, case) for layer, case in zip(layers, cases, strict=True)]), strict=True))


def assert_equal(pair, rtol=1e-5, atol=2e-5):
    mine, wanted = pair
    assert len(mine) == len(wanted) >= 2
    for one, other in zip(mine, wanted, strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, rtol=rtol, atol=atol)


def twin_weights(case):
    """The shapes of Keras's own weights."""
    twin = getattr(keras.layers, case.name)(**case.words)
    twin.build(case.shape)
    return [weight.shape for weight in twin.weights]


def arguments(cls):
    """[(argument, default)] of what is written by position."""
    told = [(each.name, each.default) for each in dataclasses.fields(cls) if not each.kw_only]
    return [(name, None if default is dataclasses.MISSING else _once(default)) for name, default in told]


def twin_arguments(name):
    """The same of Keras's class."""
    told = list(inspect.signature(getattr(keras.layers, name).__init__).parameters.values())[1:]
    return [(each.name, None if each.default is each.empty else _once(each.default)) for each in told
            if each.name not in ("name", "kwargs")]


def _once(value):
    """(2, 2) as 2: the same for every axis."""
    return _once(value[0]) if isinstance(value, tuple) and len(set(value)) == 1 else value
