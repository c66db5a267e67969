"""Stacks that nobody thought of: built alike here and in Keras 3, with the same weights, they predict, measure and train
alike."""

import jax
import keras
import numpy as np
import pytest
from hypothesis import given, note
from numpy.testing import assert_allclose
from random_stacks import examples, stacks

import jaxseq

ROWS, BATCH = 7, 4                                  # the last batch is smaller
# Keras tells of every mask that a layer does not hand on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True, scope="module")
def promoted():
    """Keras's programs promote dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def twins(stack):
    """(ours, Keras's, x): the same stack with the same weights, none of them zero."""
    draw = np.random.default_rng(0)
    ours, theirs = stack.built(jaxseq), stack.built(keras)
    weights = [draw.uniform(0.5, 1.5, each.shape) if "variance" in each.path else 0.5 * draw.normal(size=each.shape)
               for each in theirs.weights]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return ours, theirs, stack.data(ROWS, draw)


def agree(mine, other, what, tolerance):
    assert mine.shape == other.shape, what
    assert_allclose(mine, other, rtol=tolerance, atol=tolerance * max(1.0, np.abs(other).max(initial=0)), err_msg=what)


def predict_alike(stack):
    note(f"{stack}")
    ours, theirs, x = twins(stack)
    agree(ours.predict(x, batch_size=BATCH), theirs.predict(x, batch_size=BATCH, verbose=0), "predict", 2e-5)


def train_alike(stack):
    """evaluate, two epochs of fit, and what all weights and statistics are after them."""
    note(f"{stack}")
    ours, theirs, x = twins(stack)
    y = np.random.default_rng(1).normal(size=theirs.predict(x, verbose=0).shape).astype("float32")
    for model, library in (ours, jaxseq), (theirs, keras):
        model.compile(library.optimizers.SGD(0.005), "mse", metrics=["mae"])
    agree(*(np.array(model.evaluate(x, y, batch_size=BATCH, verbose=0)) for model in (ours, theirs)), "evaluate", 2e-5)
    how = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0}
    mine, other = ours.fit(x, y, **how).history, theirs.fit(x, y, **how).history
    for measured in ["loss"] if stack.masked else ["loss", "mae"]:       # in fit, Keras measures masked steps, too
        agree(np.array(mine[measured]), np.array(other[measured]), measured, 1e-4)
    for weight, one, another in zip(theirs.weights, ours.get_weights(), theirs.get_weights(), strict=True):
        agree(one, another, weight.path, 1e-4)


@pytest.mark.full
def test_every_layer_is_drawn_sooner_or_later():
    seen = set()

    @examples(300)
    @given(stacks())
    def look(stack):
        seen.update(name for name, _ in stack.layers)

    look()
    wanted = """Dense BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization Embedding
        Masking LSTM GRU SimpleRNN Bidirectional TimeDistributed Conv1D SeparableConv1D MaxPooling1D AveragePooling1D
        GlobalMaxPooling1D GlobalAveragePooling1D Conv2D SeparableConv2D DepthwiseConv2D Conv2DTranspose MaxPooling2D
        AveragePooling2D GlobalMaxPooling2D Flatten Reshape Permute RepeatVector Activation PReLU ActivityRegularization
        UpSampling2D"""
    assert set(wanted.split()) <= seen


@examples(15)
@given(stacks())
@pytest.mark.usefixtures("quickly_compiled")
def test_a_random_stack_predicts_as_keras_does(stack):
    predict_alike(stack)


# Compiled as users have it: XLA without its optimizations gives Keras's BatchNormalization without a scale a variance of zero,
# and a loss of infinity.
@examples(5)
@given(stacks(most=3))
def test_a_random_stack_trains_as_keras_does(stack):
    train_alike(stack)


@pytest.mark.full
@pytest.mark.timeout(1200)
@examples(160)
@given(stacks(most=6))
@pytest.mark.usefixtures("quickly_compiled")
def test_more_random_stacks_predict_as_keras_does(stack):
    predict_alike(stack)


@pytest.mark.full
@pytest.mark.timeout(1200)                          # fifty trainings twice, each compiled anew
@examples(50)
@given(stacks(most=4))
def test_more_random_stacks_train_as_keras_does(stack):
    train_alike(stack)
