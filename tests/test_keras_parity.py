"""The guide's models train as Keras 3 trains them: same weights to begin with, three epochs, History and weights to 1e-4."""

import keras
import numpy as np
import pytest
from shares import always

import jaxseq

pytestmark = pytest.mark.usefixtures("quickly_compiled")

GENERATOR = np.random.default_rng(7)


def onehot(rows, classes=10):
    return np.eye(classes, dtype="float32")[GENERATOR.integers(classes, size=rows)]


def coin(rows):
    return GENERATOR.integers(2, size=(rows, 1)).astype("float32")


def uniform(*shape):
    return GENERATOR.random(shape).astype("float32")


def mlp_softmax(k):
    return [k.Input((20,)), k.layers.Dense(64, activation="relu"), k.layers.Dense(64, activation="relu"),
            k.layers.Dense(10, activation="softmax")]


def mlp_binary(k):
    return [k.Input((20,)), k.layers.Dense(64, activation="relu"), k.layers.Dense(64, activation="relu"),
            k.layers.Dense(1, activation="sigmoid")]


def convnet(k):
    return [k.Input((24, 24, 3)), k.layers.Conv2D(8, (3, 3), activation="relu"), k.layers.Conv2D(8, (3, 3), activation="relu"),
            k.layers.MaxPooling2D(pool_size=(2, 2)), k.layers.Conv2D(16, (3, 3), activation="relu"),
            k.layers.Conv2D(16, (3, 3), activation="relu"), k.layers.MaxPooling2D(pool_size=(2, 2)), k.layers.Flatten(),
            k.layers.Dense(32, activation="relu"), k.layers.Dense(10, activation="softmax")]


def embedding_lstm(k):
    return [k.Input((20,)), k.layers.Embedding(64, output_dim=16), k.layers.LSTM(24), k.layers.Dense(1, activation="sigmoid")]


def conv1d_stack(k):
    return [k.Input((64, 20)), k.layers.Conv1D(16, 3, activation="relu"), k.layers.Conv1D(16, 3, activation="relu"),
            k.layers.MaxPooling1D(3), k.layers.Conv1D(32, 3, activation="relu"), k.layers.Conv1D(32, 3, activation="relu"),
            k.layers.GlobalAveragePooling1D(), k.layers.Dense(1, activation="sigmoid")]


def stacked_lstm(k):
    return [k.Input((8, 16)), k.layers.LSTM(32, return_sequences=True), k.layers.LSTM(32, return_sequences=True),
            k.layers.LSTM(32), k.layers.Dense(10, activation="softmax")]


MODELS = {
    "mlp_softmax": (mlp_softmax, uniform(200, 20), onehot(200), "categorical_crossentropy", "sgd"),
    "mlp_binary": (mlp_binary, uniform(200, 20), coin(200), "binary_crossentropy", "rmsprop"),
    "convnet": (convnet, uniform(50, 24, 24, 3), onehot(50), "categorical_crossentropy", "sgd"),
    "embedding_lstm": (embedding_lstm, GENERATOR.integers(64, size=(100, 20)), coin(100), "binary_crossentropy", "rmsprop"),
    "conv1d_stack": (conv1d_stack, uniform(100, 64, 20), coin(100), "binary_crossentropy", "rmsprop"),
    "stacked_lstm": (stacked_lstm, uniform(150, 8, 16), onehot(150), "categorical_crossentropy", "rmsprop"),
}


def compiled(k, layers, loss, optimizer):
    model = k.Sequential(layers(k))
    if optimizer == "sgd":
        optimizer = k.optimizers.SGD(learning_rate=0.01, momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("name", always({"mlp_softmax"}, MODELS))
def test_three_epochs_give_the_history_and_weights_of_keras(name):
    layers, x, y, loss, optimizer = MODELS[name]
    theirs, ours = compiled(keras, layers, loss, optimizer), compiled(jaxseq, layers, loss, optimizer)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-5)

    cut = len(x) * 4 // 5
    how = dict(epochs=3, batch_size=32, shuffle=False, verbose=0, validation_data=(x[cut:], y[cut:]))
    wanted = theirs.fit(x[:cut], y[:cut], **how).history
    got = ours.fit(x[:cut], y[:cut], **how).history

    assert got.keys() == wanted.keys()
    for measure, values in wanted.items():
        np.testing.assert_allclose(got[measure], values, rtol=1e-4, atol=1e-4, err_msg=measure)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(ours.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0), rtol=1e-4, atol=1e-4)
