"""Where a mask departs from Keras 3: docs/differences.md, both ways."""

import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxseq

SEQUENCES = np.random.default_rng(5).normal(size=(8, 5, 3)).astype("float32")
PADDED = SEQUENCES * (np.arange(5) < 3)[:, None]        # the last two of five steps are masked

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


def masked(library, *rows):
    return library.Sequential([library.Input((5, 3)), library.layers.Masking(), *rows])


@pytest.mark.parametrize("follows", [lambda k: k.layers.Conv1D(2, 2), lambda k: k.layers.MaxPooling1D(2),
                                     lambda k: k.layers.Flatten()], ids=["Conv1D", "MaxPooling1D", "Flatten"])
@pytest.mark.parametrize("library", [keras, jaxseq])
def test_where_a_mask_ends(library, follows):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        masked(library, follows(library)).predict(PADDED, verbose=0)
    assert any("mask" in str(each.message) for each in caught) == (library is keras)


@pytest.mark.parametrize("library", [keras, jaxseq])
def test_a_row_that_is_masked_throughout(library):
    got = masked(library, library.layers.GlobalAveragePooling1D()).predict(np.zeros((1, 5, 3)), verbose=0)
    assert np.isnan(got).all() if library is keras else not got.any()


@pytest.mark.parametrize("library", [keras, jaxseq])
def test_the_mask_after_going_backwards(library):
    backwards = lambda: library.layers.LSTM(2, return_sequences=True, go_backwards=True)
    reader, averaging = masked(library, backwards()), masked(library, backwards(), library.layers.GlobalAveragePooling1D())
    averaging.set_weights(reader.get_weights())
    whole, got = reader.predict(PADDED, verbose=0), averaging.predict(PADDED, verbose=0)
    real = whole[:, 2:] if library is jaxseq else whole[:, :3]          # read backwards, the masked steps come first
    assert_allclose(got, real.mean(axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", [keras, jaxseq])
def test_masked_steps_of_a_normalization_over_time(library):
    within = library.layers.TimeDistributed(library.layers.BatchNormalization(momentum=0.0))      # keeps what the last step had
    model = library.Sequential([library.Input((3, 2)), library.layers.Masking(), within])
    model.compile(library.optimizers.SGD(0.0), "mse")
    x = np.array([[1, 1, 0], [2, 1, 0], [3, 1, 4], [4, 1, 8]], "float32")[:, :, None] * np.ones(2, "float32")
    model.fit(x, x, verbose=0)
    assert_allclose(model.get_weights()[2], [6.0] * 2 if library is keras else [3.0] * 2)
