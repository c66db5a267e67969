"""Pooling layers against Keras 3, values and gradients, with many equal elements; masks, aliases and error texts."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.core import chain
from jaxseq.core.layers import pooling
from jaxseq.core.layers.pooling import (
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

FIRST, LAST = "channels_first", "channels_last"
QUICK = {"xla_backend_optimization_level": 0}       # each program runs once: its compilation is what costs
SHAPES = {("1D", LAST): (2, 9, 4), ("1D", FIRST): (2, 4, 9), ("2D", LAST): (2, 7, 6, 4), ("2D", FIRST): (2, 4, 7, 6),
          ("3D", LAST): (2, 5, 4, 3, 2), ("3D", FIRST): (2, 2, 5, 4, 3)}


def _cases():
    """(name of the class, arguments, shape of x)."""
    for kind, axes, (size, strides), padding, layout in itertools.product(
            ("Max", "Average"), ("1D", "2D"), ((2, None), (3, 2)), ("valid", "same"), (LAST, FIRST)):
        words = {"pool_size": size, "strides": strides, "padding": padding, "data_format": layout}
        yield f"{kind}Pooling{axes}", words, SHAPES[axes, layout]
    for kind, axes, keepdims, layout in itertools.product(
            ("Max", "Average"), ("1D", "2D"), (False, True), (LAST, FIRST)):
        yield f"Global{kind}Pooling{axes}", {"data_format": layout, "keepdims": keepdims}, SHAPES[axes, layout]
    for kind, (padding, layout) in itertools.product(("Max", "Average"), (("valid", LAST), ("same", FIRST))):
        words = {"pool_size": (3, 2, 2), "strides": (2, 2, 1), "padding": padding, "data_format": layout}
        yield f"{kind}Pooling3D", words, SHAPES["3D", layout]
        yield f"Global{kind}Pooling3D", {"data_format": layout, "keepdims": layout == FIRST}, SHAPES["3D", layout]
    yield "MaxPooling2D", {"pool_size": (3, 1), "strides": [1, 2], "padding": "SAME"}, (2, 7, 6, 4)
    yield "AveragePooling2D", {"pool_size": (1, 4), "strides": (3, 1), "padding": "same"}, (2, 7, 6, 4)


CASES = list(_cases())


def numbers(case):
    """x with many equal elements, as after relu."""
    draw = np.random.RandomState(CASES.index(case))
    return jnp.asarray(np.maximum(draw.randint(-3, 3, case[2]), 0), jnp.float32)


def with_gradient(function, x):
    y, back = jax.vjp(function, x)
    return y, back(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))[0]


def ours(case):
    layer = getattr(pooling, case[0])(**case[1])
    return lambda x: layer.apply({}, {}, x, Ctx())[0]


def theirs(case):
    layer = getattr(keras.layers, case[0])(**case[1])
    return lambda x: layer.stateless_call([], [], x)[0]


@pytest.fixture(scope="module")
def results():
    """{"ours", "theirs"} -> [(y, dx) of each case], one program each."""
    arrays = [numbers(case) for case in CASES]

    def run(maker):
        functions = [maker(case) for case in CASES]
        with jax.numpy_dtype_promotion("standard"):
            program = jax.jit(lambda arrays: [
                with_gradient(f, x) for f, x in zip(functions, arrays, strict=True)], compiler_options=QUICK)
            return program(arrays)

    return {"ours": run(ours), "theirs": run(theirs)}


@pytest.mark.every(4)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}({case[1]})")
def test_values_and_gradients_are_those_of_keras(case, results):
    for one, other in zip(*(results[whose][CASES.index(case)] for whose in ("ours", "theirs")), strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.every(3)
@pytest.mark.parametrize("layout, x_shape", [(LAST, (4, 5, 3)), (FIRST, (4, 3, 5))])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_masked_mean_is_that_of_keras(layout, x_shape, keepdims, key):
    x = jax.random.normal(key, x_shape)
    mask = jnp.asarray([[1, 1, 1, 0, 0], [0, 1, 0, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], bool)
    layer = GlobalAveragePooling1D(layout, keepdims)
    theirs = keras.layers.GlobalAveragePooling1D(layout, keepdims)
    mine = with_gradient(lambda x: layer.apply({}, {}, x, Ctx(mask=mask))[0], x)
    for one, other in zip(mine, with_gradient(lambda x: theirs(x, mask=mask), x), strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_a_row_without_a_real_step_has_mean_zero_and_gradient_zero():
    x, mask = jnp.full((2, 3, 1), jnp.nan).at[0, 0].set(4.0), jnp.asarray([[True, False, False], [False] * 3])
    y, dx = with_gradient(lambda x: GlobalAveragePooling1D().apply({}, {}, x, Ctx(mask=mask))[0], x)
    assert y[:, 0].tolist() == [4, 0]
    assert dx[:, :, 0].tolist() == [[1, 0, 0], [0, 0, 0]]


def test_the_masked_mean_of_many_bfloat16_is_taken_in_float32():
    x = jnp.ones((1, 4096, 1), jnp.bfloat16).at[0, ::2].set(3.0)
    mask = jnp.ones((1, 4096), bool)
    for ctx in Ctx(), Ctx(mask=mask):
        y, _ = GlobalAveragePooling1D().apply({}, {}, x, ctx)
        assert y.dtype == jnp.bfloat16 and float(y[0, 0]) == 2.0


def test_the_largest_step_is_that_of_keras_with_a_mask_too():
    """Keras lets masked steps take part."""
    x, mask = jnp.asarray([[-2.0, -3.0, 0.0]])[..., None], jnp.asarray([[True, True, False]])
    inputs = keras.Input((3, 1))
    with pytest.warns(UserWarning, match="does not support mask"):
        model = keras.Model(inputs, keras.layers.GlobalMaxPooling1D()(keras.layers.Masking()(inputs)))
    assert float(model(x)[0, 0]) == 0.0
    assert float(GlobalMaxPooling1D().apply({}, {}, x, Ctx(mask=mask))[0][0, 0]) == 0.0


@pytest.mark.parametrize("layer", [MaxPooling1D(), GlobalMaxPooling1D(), GlobalAveragePooling1D()], ids=repr)
def test_a_mask_ends_here(layer):
    assert layer.out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None


@pytest.mark.parametrize("place", ["", "Global"])
@pytest.mark.parametrize("words", [("MaxPool", "MaxPooling"), ("AvgPool", "AveragePooling")])
@pytest.mark.parametrize("axes", ["1D", "2D", "3D"])
def test_the_shorter_names(place, words, axes):
    alias, name = (place + word + axes for word in words)
    assert getattr(pooling, alias) is getattr(pooling, name)
    assert getattr(keras.layers, alias) is getattr(keras.layers, name)


def test_the_arguments_are_those_of_keras():
    order = lambda cls: [each.name for each in dataclasses.fields(cls) if not each.kw_only]
    assert order(MaxPooling1D) == order(AveragePooling2D) == ["pool_size", "strides", "padding", "data_format"]
    assert MaxPooling3D().pool_size == AveragePooling3D().pool_size == 2
    assert order(GlobalMaxPooling2D) == ["data_format", "keepdims"]
    assert repr(MaxPooling2D()) == "MaxPooling2D()" and MaxPooling2D().pool_size == 2 and MaxPooling2D().strides is None
    assert MaxPooling2D([2, 3], padding="Same") == MaxPooling2D((2, 3), padding="same")
    assert hash(MaxPooling2D([2, 3])) == hash(MaxPooling2D((2, 3)))


def test_any_length_fits():
    assert chain.shapes("pool", MaxPooling2D(), (None, None, 9, 4), jnp.float32)[0] == (None, None, 4, 4)
    assert chain.shapes("pool", GlobalAveragePooling1D(), (None, None, 4), jnp.float32)[0] == (None, 4)


@pytest.mark.parametrize("make, message", [
    (lambda: MaxPooling2D(0), "MaxPooling2D: pool_size=0: write a whole number of at least 1, or 2 of them in a tuple."),
    (lambda: MaxPooling1D((2, 2)), "MaxPooling1D: pool_size=(2, 2): write a whole number of at least 1."),
    (lambda: AveragePooling2D(2, (1, 0)), "AveragePooling2D: strides=(1, 0): write a whole number of at least 1, or 2 of "
                                          "them in a tuple."),
    (lambda: MaxPooling1D(padding="causal"), "MaxPooling1D: padding='causal': write one of 'valid', 'same'."),
    (lambda: MaxPooling1D(data_format="first"), "MaxPooling1D: data_format='first': write one of None, 'channels_last', "
                                                "'channels_first'."),
    (lambda: GlobalMaxPooling1D("first"), "GlobalMaxPooling1D: data_format='first': write one of None, 'channels_last', "
                                          "'channels_first'."),
    (lambda: GlobalMaxPooling1D(keepdims="yes"), "GlobalMaxPooling1D: keepdims='yes': write one of True, False."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


@pytest.mark.parametrize("layer, shape, message", [
    (MaxPooling2D(), (2, 28, 28), "MaxPooling2D needs x (batch, height, width, channels), got (2, 28, 28). Add the axis of "
                                  "channels: x[..., None]."),
    (GlobalAveragePooling1D(FIRST), (2, 9), "GlobalAveragePooling1D needs x (batch, channels, steps), got (2, 9). Add the "
                                            "axis of channels: x[:, None]."),
    (GlobalMaxPooling2D(), (2, 9), "GlobalMaxPooling2D needs x (batch, height, width, channels), got (2, 9)."),
    (MaxPooling2D((2, 5)), (2, 9, 4, 3), "MaxPooling2D(pool_size=(2, 5)): its window is 5 long, but x (2, 9, 4, 3) "
                                         "has only 4 along its width. Write padding='same', or a smaller window."),
])
def test_an_input_that_does_not_fit_is_told(layer, shape, message, key):
    with pytest.raises(ValueError) as told:
        chain.init((("pool", layer),), key, Spec(shape, jnp.float32))
    assert str(told.value) == message
