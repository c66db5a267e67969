"""Cropping and zero-padding against Keras 3, values and gradients; pairs, layouts and error texts."""

import against_keras
import jax.numpy as jnp
import numpy as np
import pytest
from against_keras import Case

from jaxseq.core import chain
from jaxseq.core.layers import borders
from jaxseq.core.layers.borders import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D
from jaxseq.core.types import Ctx, Spec

FIRST = "channels_first"
SHAPES = {"1D": ((2, 7, 3), (2, 3, 7)), "2D": ((2, 5, 6, 3), (2, 3, 5, 6)), "3D": ((2, 5, 4, 6, 3), (2, 3, 5, 4, 6))}
AMOUNTS = {"1D": [1, (0, 3), [2, 0]], "2D": [1, (2, 1), ((1, 0), (0, 3)), [[0, 0], [1, 2]]],
           "3D": [1, (2, 1, 0), ((1, 0), (0, 3), (2, 2))]}


def _cases():
    for axes, (last, first) in SHAPES.items():
        for word in "cropping", "padding":
            name = {"cropping": "Cropping", "padding": "ZeroPadding"}[word] + axes
            yield Case(name, {}, last)
            for amount in AMOUNTS[axes]:
                yield Case(name, {word: amount}, last)
            if name != "Cropping1D":                                    # in Keras it knows no data_format
                yield Case(name, {word: AMOUNTS[axes][-1], "data_format": FIRST}, first)


CASES = list(_cases())


@pytest.fixture(scope="module")
def results():
    return against_keras.results(borders, CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(case, results):
    against_keras.assert_equal(results[CASES.index(case)], rtol=0, atol=0)


def test_steps_are_cropped_with_the_channels_first_too():
    x = jnp.arange(12.0).reshape(1, 2, 6)
    assert Cropping1D((1, 3), FIRST).apply({}, {}, x, Ctx())[0].tolist() == [[[1, 2], [7, 8]]]


def test_whole_numbers_and_half_precision_stay_what_they_are():
    for dtype in jnp.int32, jnp.bfloat16:
        x = jnp.ones((1, 2, 2, 1), dtype)
        y, _ = ZeroPadding2D(((1, 0), (0, 1))).apply({}, {}, x, Ctx())
        assert y.dtype == dtype and y[0, :, :, 0].tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize("axes", ["1D", "2D", "3D"])
def test_the_arguments_are_those_of_keras(axes):
    keras_1d = [("cropping", 1), ("data_format", None)]                 # there, and here, (before, after)
    for name in f"Cropping{axes}", f"ZeroPadding{axes}":
        wanted = keras_1d if name == "Cropping1D" else against_keras.twin_arguments(name)
        assert against_keras.arguments(getattr(borders, name)) == wanted
    assert Cropping1D().cropping == (1, 1) and Cropping2D().cropping == ((0, 0), (0, 0))


def test_declarations():
    assert Cropping2D([[1, 2], [3, 4]]) == Cropping2D(((1, 2), (3, 4)))
    assert hash(Cropping3D([1, 2, 3])) == hash(Cropping3D((1, 2, 3)))
    assert repr(ZeroPadding1D([np.int64(1), 2])) == "ZeroPadding1D(padding=(1, 2))"
    assert chain.shapes("it", Cropping2D(2), (None, None, 9, 4), jnp.float32)[0] == (None, None, 5, 4)
    for layer in Cropping1D(), ZeroPadding1D():
        assert layer.out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None


@pytest.mark.parametrize("make, message", [
    (lambda: Cropping1D(-1), "Cropping1D: cropping=-1: write a whole number of at least 0, or 2 of them in a tuple."),
    (lambda: Cropping1D((1, 2, 3)), "Cropping1D: cropping=(1, 2, 3): write a whole number of at least 0, or 2 of them in a "
                                    "tuple."),
    (lambda: ZeroPadding2D((1, 2, 3)), "ZeroPadding2D: padding=(1, 2, 3): write a whole number, or 2 of them in a tuple, or a "
                                       "tuple of 2 pairs (before, after)."),
    (lambda: ZeroPadding2D("same"), "ZeroPadding2D: padding[0]='same': write a whole number of at least 0, or 2 of them in a "
                                    "tuple."),
    (lambda: Cropping3D((1, (1, -1), 1)), "Cropping3D: cropping[1]=(1, -1): write a whole number of at least 0, or 2 of them "
                                          "in a tuple."),
    (lambda: ZeroPadding1D(data_format="first"), "ZeroPadding1D: data_format='first': write one of None, 'channels_last', "
                                                 "'channels_first'."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


@pytest.mark.parametrize("layer, shape, message", [
    (Cropping2D((1, 2)), (2, 5, 4, 3), "Cropping2D(cropping=(1, 2)): it takes 4 off x (2, 5, 4, 3), which has only 4 along "
                                       "its width. Write a smaller cropping."),
    (ZeroPadding2D(), (2, 5, 4), "ZeroPadding2D needs x (batch, height, width, channels), got (2, 5, 4). Add the axis of "
                                 "channels: x[..., None]."),
])
def test_an_input_that_does_not_fit_is_told(layer, shape, message, key):
    with pytest.raises(ValueError) as told:
        chain.init((("it", layer),), key, Spec(shape, jnp.float32))
    assert str(told.value) == message
