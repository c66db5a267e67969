"""compile(remat=...): the same training with less memory."""

import copy
import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.layers import (
    LSTM,
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
)
from jaxseq.models import Sequential, load_model
from jaxseq.optimizers import Adam

DRAWS = np.random.default_rng(0)
ROWS, IDS = DRAWS.normal(size=(36, 6)).astype("float32"), DRAWS.integers(9, size=(36, 12))
IMAGES, STREAM = DRAWS.normal(size=(36, 8, 8, 2)).astype("float32"), DRAWS.normal(size=(36, 5, 3)).astype("float32")
Y = DRAWS.normal(size=(36, 1)).astype("float32")


class Counted(Layer):
    """A state that every step of training moves."""

    def build(self, input_shape):
        self.steps = self.add_weight("steps", (), trainable=False, initializer="zeros")

    def call(self, x, training=None):
        if training:
            self.steps.assign(self.steps + 1)
        return x * 1.5


MODELS = {
    "dropout and moments": (ROWS, lambda: [Dense(8, "tanh", input_shape=(6,)), BatchNormalization(), Dropout(0.4),
                                           Dense(8, "tanh"), Dropout(0.2), Dense(1)]),
    "frozen and penalised": (ROWS, lambda: [Dense(8, "tanh", input_shape=(6,), trainable=False), Counted(),
                                            Dense(8, "tanh", activity_regularizer="l2", kernel_regularizer="l1"), Dense(8),
                                            Dense(1, kernel_constraint="max_norm")]),
    "masks": (IDS, lambda: [Embedding(9, 4, mask_zero=True), LSTM(5, return_sequences=True), Dropout(0.3), LSTM(4), Dense(1)]),
    "carried": (STREAM, lambda: [LSTM(4, stateful=True, return_sequences=True, batch_input_shape=(12, 5, 3)), Dense(4),
                                 LSTM(3, stateful=True), Dense(1)]),
    "images": (IMAGES, lambda: [Conv2D(3, 3, input_shape=(8, 8, 2)), BatchNormalization(), Activation("relu"), Conv2D(3, 3),
                                Flatten(), Dense(1)]),
    "within": (ROWS, lambda: [Sequential([Dense(7, "tanh", input_shape=(6,)), Dropout(0.5)]), Sequential([Dense(5), Dense(5)]),
                              Dense(1)]),
}


def trained(name, optimizer="adam", dtype=None, **words):
    x, layers = MODELS[name]
    model = Sequential(layers(), seed=3, dtype=dtype)
    model.compile(optimizer() if callable(optimizer) else optimizer, "mse", metrics=["mae"], **words)
    history = model.fit(x, Y, batch_size=12, epochs=2, verbose=0)
    return model, history.history


def assert_trained_alike(one, other, rtol=1e-5, atol=1e-6):
    for a, b in zip(one[0].get_weights(), other[0].get_weights(), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=atol)
    for name in one[1]:
        assert_allclose(one[1][name], other[1][name], rtol=rtol)


QUICK = "dropout and moments", "carried"


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.full) for name in MODELS])
def test_training_is_the_same(name):
    assert_trained_alike(trained(name, remat=2), trained(name))


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.full)])
def test_with_sixteen_bits_and_accumulated_gradients(dtype):
    """Three batches of 12 rows that are added up, in sixteen bits, run again: all at once."""
    optimizer = lambda: Adam(0.01, gradient_accumulation_steps=3)
    both = [trained("dropout and moments", optimizer, dtype, remat=remat) for remat in (2, False)]
    assert_trained_alike(*both, rtol=1e-3, atol=1e-4)


@pytest.mark.full
def test_a_deep_perceptron_and_a_convnet_take_less():
    def perceptron(**words):
        model = Sequential([Dense(64, "tanh", input_shape=(64,)), *[Dense(64, "tanh") for _ in range(15)], Dense(1)], seed=1)
        model.compile("sgd", "mse", **words)
        return model.memory(1024).programs["train"].temporaries

    def convnet(**words):
        blocks = [layer for _ in range(8) for layer in (Conv2D(8, 3, padding="same"), BatchNormalization(), Activation("relu"))]
        model = Sequential([Conv2D(8, 1, input_shape=(16, 16, 8)), *blocks, GlobalAveragePooling2D(), Dense(1)], seed=1)
        model.compile("sgd", "mse", **words)
        return model.memory(64).programs["train"].temporaries

    for temporaries in perceptron, convnet:
        assert temporaries(remat=True) < 0.75 * temporaries()


@pytest.mark.full
def test_models_among_the_layers_by_name():
    def blocks(**words):
        inner = lambda: Sequential([each for _ in range(3) for each in (Dense(64), BatchNormalization(), Activation("tanh"))])
        model = Sequential([Dense(64, input_shape=(64,)), *[inner() for _ in range(3)], Dense(1)], seed=1)
        model.compile("sgd", "mse", **words)
        return model

    held = lambda model: model.memory(1024).programs["train"].temporaries
    assert held(blocks(remat=["sequential", "sequential_1"])) < 0.7 * held(blocks())


def test_it_goes_where_the_model_goes(tmp_path):
    model, _ = trained("within", remat=1)
    for other in copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
        assert other.compile_arguments["remat"] == 1
        for each in model, other:
            each.fit(ROWS, Y, batch_size=12, verbose=0)
        model, _ = trained("within", remat=1)
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").compile_arguments["remat"] is False


@pytest.mark.parametrize("given, error, told", [
    (0, ValueError, "remat=0: write a whole number of at least 1."),
    ("dense", TypeError, "remat='dense': write True, a number of layers, or a list of their names."),
    (["dens"], ValueError, "remat: there is no layer 'dens'. Did you mean 'dense' or 'dense_1'?"),
])
def test_what_is_none_of_these_is_refused_by_compile(given, error, told):
    model = Sequential([Dense(4, input_shape=(2,)), Dense(1)], seed=1)
    model.compile("sgd", "mse")
    before = model.compile_arguments
    with pytest.raises(error, match=re.escape(told)):
        model.compile("sgd", "mse", remat=given)
    assert model.compile_arguments == before


@pytest.mark.full
def test_eagerly():
    assert_trained_alike(trained("within", remat=1, run_eagerly=True), trained("within"))


def test_nothing_else_is_traced_anew():
    """What predicts and evaluates is the program without it."""
    x, layers = MODELS["dropout and moments"]
    texts = []
    for remat in (2, False):
        model = Sequential(layers(), seed=3)
        model.compile("sgd", "mse", remat=remat)
        model.build()
        texts.append(model.predict_program.lower(model.params, model.state, x[:4]).as_text())
    assert texts[0] == texts[1]
