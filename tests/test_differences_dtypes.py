"""What docs/differences.md says of number formats, shown against the installed Keras."""

import re

import keras
import numpy as np
import pytest

import jaxseq
from jaxseq import config, layers, mixed_precision, optimizers

pytestmark = pytest.mark.usefixtures("quickly_compiled")

X = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
Y = X[:, :2].copy()


def stacked(k, *rows, **words):
    return k.Sequential([k.Input((6,)), *rows], **words)


def test_a_policy_for_the_whole_program():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert keras.layers.Dense(2).compute_dtype == "bfloat16"
    finally:
        keras.config.set_dtype_policy(before)
    for function in config.set_dtype_policy, mixed_precision.set_global_policy:
        with pytest.raises(ValueError, match=re.escape("Write Sequential([...], dtype='mixed_bfloat16')")):
            function("mixed_bfloat16")
        function("float32")
    assert layers.Dense(2).compute_dtype == "float32"


def test_the_dtype_of_a_model():
    with pytest.raises(TypeError):
        keras.Sequential([], dtype="mixed_bfloat16")
    model = jaxseq.Sequential([jaxseq.Sequential([layers.Dense(3)]), layers.Dense(2)], dtype="mixed_bfloat16")
    assert {layer.compute_dtype for layer in (model.layers[0].layers[0], model.layers[1])} == {"bfloat16"}


def test_dtype_is_what_was_written():
    theirs, ours = (k.layers.Dense(2, dtype="mixed_bfloat16") for k in (keras, jaxseq))
    assert theirs.dtype == "float32" and ours.dtype == "mixed_bfloat16" and layers.Dense(2).dtype is None
    assert (theirs.compute_dtype, theirs.variable_dtype) == (ours.compute_dtype, ours.variable_dtype) == ("bfloat16", "float32")


def test_the_loss_of_one_layer_in_float16():
    for k, scaled in (keras, False), (jaxseq, True):
        model = stacked(k, k.layers.Dense(2, dtype="mixed_float16"))
        model.compile("sgd", "mse")
        assert isinstance(model.optimizer, k.optimizers.LossScaleOptimizer) == scaled


def test_moving_statistics_in_bfloat16():
    """A mean of 3 is not reached: a hundredth of what is left is less than the last of 8 digits."""
    means = {}
    for k in keras, jaxseq:
        model = stacked(k, k.layers.BatchNormalization(dtype="bfloat16"), k.layers.Dense(2, dtype="float32"))
        model.compile("sgd", "mse")
        model.fit(X + 3, Y, epochs=500, batch_size=32, verbose=0)
        means[k] = np.asarray(model.get_weights()[2], "float32")
    reached = (X + 3).mean(0) * (1 - 0.99**500)
    assert np.abs(means[keras] / reached - 1).min() > 0.05
    np.testing.assert_allclose(means[jaxseq], reached, rtol=5e-3)


def test_settings_of_the_optimizer_within():
    with pytest.raises(ValueError, match="does not support `clipnorm`"):
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), clipnorm=1.0)
    with pytest.raises(TypeError, match=re.escape("write it in the optimizer within, LossScaleOptimizer(Adam(clipnorm=1.0)).")):
        optimizers.LossScaleOptimizer("adam", clipnorm=1.0)


def test_dtype_float():
    assert keras.layers.Dense(2, dtype=float).compute_dtype == "float32"
    with pytest.raises(ValueError, match="needs JAX's 64-bit numbers"):
        layers.Dense(2, dtype=float)


def test_the_dtype_of_a_loss_and_of_a_metric():
    assert keras.losses.Huber(dtype="bfloat16").dtype == keras.metrics.Accuracy(dtype="bfloat16").dtype == "bfloat16"
    for make in jaxseq.losses.Huber, jaxseq.metrics.Accuracy:
        with pytest.raises(ValueError, match="Leave dtype out"):
            make(dtype="bfloat16")
