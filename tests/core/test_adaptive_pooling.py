"""Adaptive pooling against a loop over the windows, and against Keras, with gradients."""

import math
import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from twins import QUICK, numbers

from jaxseq.core import layers
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

CASES = [
    ("AdaptiveAveragePooling1D", 3, (2, 7, 3), None), ("AdaptiveAveragePooling1D", 5, (2, 3, 8), "channels_first"),
    ("AdaptiveAveragePooling2D", (2, 3), (2, 5, 7, 2), None), ("AdaptiveAveragePooling3D", (2, 1, 3), (1, 4, 3, 5, 2), None),
    ("AdaptiveMaxPooling1D", 3, (2, 7, 3), None), ("AdaptiveMaxPooling1D", 4, (2, 3, 6), "channels_first"),
    ("AdaptiveMaxPooling2D", 2, (2, 5, 3, 2), None), ("AdaptiveMaxPooling3D", 2, (1, 4, 3, 5, 2), None),
    ("AdaptiveMaxPooling1D", 6, (2, 4, 3), None),       # more windows than steps
]


def by_a_loop(x, place, windows, pool):
    length = x.shape[place]
    spans = [range(i * length // windows, math.ceil((i + 1) * length / windows)) for i in range(windows)]
    return np.stack([pool(np.take(x, span, place), place) for span in spans], place)


@pytest.mark.every(4)
@pytest.mark.parametrize(("name", "size", "shape", "layout"), CASES)
def test_values_and_gradients(name, size, shape, layout):
    layer, x = getattr(layers, name)(size, data_format=layout), numbers(*shape)
    weigh = lambda run: jax.jit(jax.value_and_grad(lambda x: jnp.vdot(jnp.cos(jnp.arange(run(x).size, dtype=jnp.float32)),
                                                                     run(x).ravel())), compiler_options=QUICK)
    ours = lambda x: layer.apply({}, {}, x, Ctx())[0]
    wanted, pool = x.astype(np.float64), np.max if "Max" in name else np.mean
    sizes = size if isinstance(size, tuple) else (size,) * (x.ndim - 2)
    for place, windows in zip(layer.places, sizes, strict=True):
        wanted = by_a_loop(wanted, place, windows, pool)
    assert_allclose(ours(x), wanted, rtol=1e-5, atol=1e-6)
    theirs = getattr(keras.layers, name)(size, data_format=layout)
    with jax.numpy_dtype_promotion("standard"):
        other = weigh(lambda x: theirs(x))(x)
    mine = weigh(ours)(x)
    assert_allclose(mine[0], other[0], rtol=1e-4, atol=1e-5)
    assert_allclose(mine[1], other[1], rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=re.escape("AdaptiveMaxPooling2D needs x (batch, height, width, channels), got (2, 3, "
                                                   "4).")):
        layers.AdaptiveMaxPooling2D(2).apply({}, {}, Spec((2, 3, 4), jnp.float32), Ctx())
    with pytest.raises(ValueError, match="output_size"):
        layers.AdaptiveAveragePooling1D(0)
