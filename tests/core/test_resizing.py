"""Up-sampling against Keras 3, values and gradients; layouts, half precision and error texts."""

import against_keras
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from against_keras import Case
from numpy.testing import assert_allclose

from jaxseq.core import chain
from jaxseq.core.layers import resizing
from jaxseq.core.layers.resizing import INTERPOLATIONS, UpSampling1D, UpSampling2D, UpSampling3D
from jaxseq.core.types import Ctx, Spec

FIRST = "channels_first"

CASES = [
    Case("UpSampling1D", {}, (2, 4, 3)), Case("UpSampling1D", {"size": 3}, (2, 4, 3)),
    Case("UpSampling2D", {}, (2, 4, 3, 2)), Case("UpSampling2D", {"size": [3, 1]}, (2, 4, 3, 2)),
    Case("UpSampling2D", {"size": (1, 2), "data_format": FIRST}, (2, 2, 4, 3)),
    *[Case("UpSampling2D", {"size": (2, 3), "interpolation": each}, (2, 4, 3, 2)) for each in INTERPOLATIONS[1:]],
    *[Case("UpSampling2D", {"size": (5, 1), "interpolation": each.upper(), "data_format": FIRST}, (2, 2, 1, 7))
      for each in INTERPOLATIONS],
    Case("UpSampling3D", {}, (2, 2, 3, 1, 3)), Case("UpSampling3D", {"size": (1, 3, 2), "data_format": FIRST}, (2, 3, 2, 3, 1)),
]


@pytest.fixture(scope="module")
def results():
    return against_keras.results(resizing, CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_keras(case, results):
    against_keras.assert_equal(results[CASES.index(case)], rtol=1e-5, atol=1e-6)


def test_bilinear_by_hand():
    """Centres at 1/2, 3/2, ...: a quarter of one neighbour, three of the other; the border keeps its value."""
    x = jnp.asarray([0.0, 4.0, 8.0]).reshape(1, 1, 3, 1)
    y, _ = UpSampling2D((1, 2), interpolation="bilinear").apply({}, {}, x, Ctx())
    assert_allclose(y[0, 0, :, 0], [0, 1, 3, 5, 7, 8], rtol=1e-6)


def test_steps_are_repeated_with_the_channels_first_too():
    x = jnp.arange(6.0).reshape(1, 2, 3)
    assert UpSampling1D(2, FIRST).apply({}, {}, x, Ctx())[0].tolist() == [[[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_half_precision_is_that_of_the_single_rounded_once(interpolation, key):
    x, layer = jax.random.normal(key, (1, 4, 3, 2), jnp.bfloat16), UpSampling2D(3, interpolation=interpolation)
    half, full = (layer.apply({}, {}, each, Ctx())[0] for each in (x, x.astype(jnp.float32)))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_array_equal(half, full.astype(jnp.bfloat16))


def test_the_arguments_are_those_of_keras():
    for name in "UpSampling2D", "UpSampling3D":
        assert against_keras.arguments(getattr(resizing, name)) == against_keras.twin_arguments(name)
    assert against_keras.arguments(UpSampling1D)[:1] == against_keras.twin_arguments("UpSampling1D")


def test_declarations():
    assert UpSampling2D([2, 3], interpolation="Bilinear") == UpSampling2D((2, 3), interpolation="bilinear")
    assert chain.shapes("it", UpSampling3D((1, 2, 3)), (None, 4, None, 5, 2), jnp.float32)[0] == (None, 4, None, 15, 2)
    assert UpSampling1D().out_mask(jnp.zeros((2, 5, 4)), jnp.ones((2, 5), bool)) is None


@pytest.mark.parametrize("make, message", [
    (lambda: UpSampling1D(0), "UpSampling1D: size=0: write a whole number of at least 1."),
    (lambda: UpSampling1D(1.5), "UpSampling1D: size=1.5: write a whole number of at least 1."),
    (lambda: UpSampling2D((2, 2, 2)), "UpSampling2D: size=(2, 2, 2): write a whole number of at least 1, or 2 of them in a "
                                      "tuple."),
    (lambda: UpSampling2D(interpolation="linear"), "UpSampling2D: interpolation='linear': write one of 'nearest', "
                                                   "'bilinear', 'bicubic', 'lanczos3', 'lanczos5'."),
])
def test_wrong_arguments_are_told_when_the_layer_is_written(make, message):
    with pytest.raises(ValueError) as told:
        make()
    assert str(told.value) == message


def test_an_input_that_does_not_fit_is_told(key):
    for interpolation in INTERPOLATIONS[:2]:
        with pytest.raises(ValueError, match=r"^UpSampling2D needs x \(batch, height, width, channels\), got \(2, 5, 4\)"):
            chain.init((("it", UpSampling2D(interpolation=interpolation)),), key, Spec((2, 5, 4), jnp.float32))
