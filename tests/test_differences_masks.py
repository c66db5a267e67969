"""Where a mask departs from Keras 3: docs/differences.md, both ways."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def stack(library):
    layers = library.layers
    return library.Sequential([library.Input((3, 2)), layers.Masking(), layers.Softmax(), layers.LSTM(2)])


def test_a_softmax_layer_hands_the_mask_of_the_steps_on():
    x = np.random.default_rng(0).normal(size=(2, 3, 2)).astype("float32")
    x[0, 1] = 0.0
    with pytest.raises(ValueError, match="mask dimension must be 1 or match the corresponding input dimension"):
        stack(keras)(x)
    model = stack(jaxseq)
    shorter = jaxseq.Sequential([jaxseq.layers.Softmax(), jaxseq.layers.LSTM(2)])
    shorter.build((None, 2, 2))
    shorter.set_weights(model.get_weights())
    assert_allclose(model.predict(x)[:1], shorter.predict(x[:1, [0, 2]]), rtol=1e-5)


@pytest.mark.parametrize("library", [keras, jaxseq])
def test_a_metric_of_masked_steps_leaves_them_out_in_fit_too(library):
    model = library.Sequential([library.Input((2,), dtype="int32"), library.layers.Embedding(3, 1, mask_zero=True)])
    model.compile(library.optimizers.SGD(0.0), "mse", metrics=["mae"])
    model.set_weights([np.array([[9.0], [1.0], [2.0]])])
    x, y = np.array([[1, 0], [2, 2]], "int32"), np.zeros((2, 2, 1), "float32")
    with_mask, without = (1 + 2 + 2) / 3, (1 + 9 + 2 + 2) / 4
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(with_mask)
    fitted = model.fit(x, y, verbose=0).history["mae"][0]
    assert fitted == pytest.approx(without if library is keras else with_mask)
