"""docs/differences.md, what goes in: what each row says of both libraries is so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from differing import X, Y, compiled, fit, stacked

import jaxseq
from jaxseq import backend as K, layers, losses

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"),        # Keras's own; where one is the point, it is asked for
              pytest.mark.usefixtures("quickly_compiled")]


INPUT_WORDS = {
    "batch_input_shape": (lambda k: k.layers.Dense(3, batch_input_shape=(32, 6)), (32, 6)),
    "batch_size": (lambda k: k.layers.Dense(3, batch_size=32, input_shape=(6,)), (32, 6)),
    "sequence": (lambda k: k.layers.LSTM(32, input_dim=16, input_length=8), (None, 8, 16)),
    "one row": (lambda k: k.layers.Dense(32, input_length=784), (None, 784)),
}


@pytest.mark.parametrize("name", INPUT_WORDS)
def test_words_for_the_input(name):
    layer, shape = INPUT_WORDS[name]
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        layer(keras)
    assert jaxseq.Sequential([layer(jaxseq)]).input_shape == shape


def test_the_input_declared_by_add():
    with pytest.raises(TypeError):
        keras.Sequential().add(batch_size=32)
    model = jaxseq.Sequential()
    model.add(batch_size=32)
    model.add(input_shape=(6, 8))
    model.add(layers.LSTM(3))
    assert model.input_shape == (32, 6, 8)
    with pytest.raises(ValueError, match="the batch size alone"):
        layers.Dense(3, batch_size=32)


def test_a_fixed_batch_size_is_enforced():
    assert compiled(keras, batch=16).predict(X, verbose=0).shape == (40, 1)
    with pytest.raises(ValueError, match="batches of exactly 16"):
        compiled(jaxseq, batch=16).predict(X)


def test_an_embedding_in_front():
    theirs, ours = (k.Sequential([k.layers.Embedding(5, 2)]) for k in (keras, jaxseq))
    assert not theirs.built and ours.input_shape == (None, None)
    theirs.build((None, 3))
    assert theirs.inputs[0].dtype == "float32" and layers.Embedding.input_dtype == "int32"


def test_shapes_are_not_bent():
    assert compiled(keras).predict(X[:, :, None], verbose=0).shape == (40, 1)
    with pytest.raises(ValueError, match=r"wants \(None, 6\)"):
        compiled(jaxseq).predict(X[:, :, None])
    fit(keras, keras.layers.Dense(3))
    with pytest.raises(ValueError, match=r"shape of the model's output, \(None, 3\)"):
        fit(jaxseq, layers.Dense(3))
    for k in keras, jaxseq:
        model = compiled(k, measured=[lambda y, y_hat: (y - y_hat) ** 2])
        paired = np.mean((model.predict(X, verbose=0) - Y) ** 2)
        got = model.evaluate(X, Y[:, 0], batch_size=40, verbose=0)
        assert np.isclose(got[0], paired) and np.isclose(got[1], paired) == (k is jaxseq)


def softmax_model(k, loss):
    return compiled(k, k.layers.Dense(3, activation="softmax"), loss=loss)


def sigmoid_model(k):
    return compiled(k, k.layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy")


BAD_LABELS = {
    "out of range": (lambda k: softmax_model(k, "sparse_categorical_crossentropy"), np.full(40, 99), r"y\[0\] is 99"),
    "broken": (lambda k: softmax_model(k, "sparse_categorical_crossentropy"), np.full(40, 0.7), "not a whole number"),
    "no class": (lambda k: softmax_model(k, "categorical_crossentropy"), np.zeros((40, 3)), "all zeros"),
    "negative": (sigmoid_model, 2 * Y - 1, "from 0 to 1"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_labels_that_mean_nothing(name):
    model, y, message = BAD_LABELS[name]
    assert np.isfinite(model(keras).evaluate(X, y, verbose=0))
    with pytest.raises(ValueError, match=message):
        model(jaxseq).evaluate(X, y, verbose=0)


def test_labels_out_of_range_in_a_pure_function():
    y, logits = jnp.array([7, -1]), jnp.zeros((2, 3))
    assert np.isnan(losses.sparse_categorical_crossentropy(y, jax.nn.softmax(logits))).all()
    assert np.isnan(K.sparse_categorical_crossentropy(y, jax.nn.softmax(logits))).all()
    assert not np.any(keras.ops.sparse_categorical_crossentropy(y, jax.nn.softmax(logits)))


def test_ids_out_of_range():
    theirs = keras.Sequential([keras.layers.Embedding(5, 2)])
    got = theirs.predict(np.array([[0, -1, 7]]), verbose=0)[0]
    np.testing.assert_array_equal(got[1], theirs.get_weights()[0][-1])
    assert np.isnan(got[2]).all()
    ours = jaxseq.Sequential([layers.Embedding(5, 2)])
    for row in [0, -1], [0, 7]:
        with pytest.raises(ValueError, match=r"x\[0, 1\]"):
            ours.predict(np.array([row]))
    assert np.isnan(ours.functional().apply(ours.params, {}, jnp.array([[-1, 7]]))[0]).all()


def test_values_that_are_no_numbers():
    x = np.where(np.arange(6) == 2, np.nan, X)
    assert np.isnan(fit(keras, x=x).history["loss"][0])
    with pytest.raises(ValueError, match=r"40 values that are NaN"):
        fit(jaxseq, x=x)
    assert np.isnan(fit(jaxseq, x=x, check_inputs=False).history["loss"][0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value, theirs", [(2**40, 0.0), (1e300, np.inf)])
def test_numbers_beyond_32_bits(value, theirs):
    model = lambda k: stacked(k, k.layers.Dense(1, use_bias=False, kernel_initializer="ones"), shape=(1,))
    assert model(keras).predict(np.array([[value]]), verbose=0)[0, 0] == theirs
    with pytest.raises(ValueError, match="too large"):
        model(jaxseq).predict(np.array([[value]]))


@pytest.mark.parametrize("how", [{"batch_size": 0}, {"epochs": -3}, {"validation_split": 1.5}, {"initial_epoch": 3}], ids=str)
def test_arguments_out_of_range(how):
    fit(keras, **how)
    with pytest.raises(ValueError, match=next(iter(how))):
        fit(jaxseq, **how)


def test_no_rows():
    with pytest.raises(StopIteration):
        fit(keras, x=X[:0], y=Y[:0])
    with pytest.raises(ValueError, match="x is empty"):
        fit(jaxseq, x=X[:0], y=Y[:0])
    assert compiled(jaxseq).predict(X[:0]).shape == (0, 1)


def test_lists():
    with pytest.raises(ValueError, match="Unrecognized data type"):
        fit(keras, x=X.tolist(), y=Y.tolist())
    assert fit(jaxseq, x=X.tolist(), y=Y.tolist()).history == fit(jaxseq).history


def test_a_keyword_that_does_not_exist():
    with pytest.raises(ValueError):
        keras.layers.Dense(3, activaton="relu")
    with pytest.raises(TypeError, match="Did you mean 'activation'"):
        layers.Dense(3, activaton="relu")
