"""Where a mask departs from Keras 3: docs/differences.md, both ways."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq


def stack(library):
    layers = library.layers
    return library.Sequential([library.Input((3, 2)), layers.Masking(), layers.Softmax(), layers.LSTM(2)])


def test_a_softmax_layer_hands_the_mask_of_the_steps_on():
    with pytest.raises(ValueError, match="The `mask` must be broadcastable to `inputs`"):
        stack(keras)
    x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
    x[0, 1] = 0.0
    model = stack(jaxseq)
    shorter = jaxseq.Sequential([jaxseq.layers.Softmax(), jaxseq.layers.LSTM(2)])
    shorter.build((None, 2, 2))
    shorter.set_weights(model.get_weights())
    assert_allclose(model.predict(x)[:1], shorter.predict(x[:1, [0, 2]]), rtol=1e-5)
