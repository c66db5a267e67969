"""The demo: a perceptron, a convnet and an LSTM learn handwritten digits, with nothing but jaxseq's public names."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxseq import self_check
from jaxseq.datasets import digits
from jaxseq.layers import LSTM, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from jaxseq.models import Sequential
from jaxseq.optimizers import Adam


class Demo(NamedTuple):
    """A model to train. shape: of one image on its way in. rate: Adam's first learning rate. goal: for the accuracy."""

    title: str
    build: Callable[[int], Sequential]
    shape: tuple[int, ...]
    epochs: int
    rate: float
    goal: float


class Outcome(NamedTuple):
    """What a demo came to. accuracy: on the images it was not trained on. fingerprint: of the whole trained model."""

    accuracy: float
    goal: float
    weights: int
    epochs: int
    seconds: float
    fingerprint: str


def mlp(seed: int) -> Sequential:
    """Two layers of 128 with dropout."""
    return Sequential([
        Flatten(input_shape=(8, 8)),
        Dense(128, activation="relu"),
        Dropout(0.3),
        Dense(128, activation="relu"),
        Dropout(0.3),
        Dense(10, activation="softmax"),
    ], name="mlp", seed=seed)


def convnet(seed: int) -> Sequential:
    """Two convolutions, one pooling, much dropout."""
    return Sequential([
        Conv2D(16, (3, 3), padding="same", activation="relu", input_shape=(8, 8, 1)),
        Conv2D(32, (3, 3), padding="same", activation="relu"),
        MaxPooling2D((2, 2)),
        Dropout(0.4),
        Flatten(),
        Dense(128, activation="relu"),
        Dropout(0.5),
        Dense(10, activation="softmax"),
    ], name="convnet", seed=seed)


def lstm(seed: int) -> Sequential:
    """Reads an image from top to bottom: eight steps, each a row of eight pixels."""
    return Sequential([
        LSTM(64, return_sequences=True, input_shape=(8, 8)),
        Flatten(),
        Dropout(0.3),
        Dense(10, activation="softmax"),
    ], name="lstm", seed=seed)


DEMOS = {
    "mlp": Demo("A perceptron with dropout", mlp, (8, 8), 30, 0.002, 0.96),
    "convnet": Demo("A convnet that sees images", convnet, (8, 8, 1), 20, 0.002, 0.98),
    "lstm": Demo("An LSTM that reads the rows as time", lstm, (8, 8), 30, 0.01, 0.95),
}
Pair = tuple[np.ndarray, np.ndarray]


def run(name: str, epochs: int | None = None, seed: int = 0, verbose: int = 0) -> Outcome:
    """Trains one of DEMOS and measures it on the images held out."""
    demo = DEMOS[name]
    (x, y), (x_test, y_test) = data(demo.shape)
    model = demo.build(seed)
    model.compile(Adam(demo.rate, decay=0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    if verbose:
        model.summary()
    began = time.perf_counter()
    history = model.fit(x, y, batch_size=32, epochs=demo.epochs if epochs is None else epochs, verbose=verbose)
    seconds = time.perf_counter() - began
    accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    return Outcome(accuracy, demo.goal, model.count_params(), len(history.epoch), seconds, model.fingerprint())


def data(shape: tuple[int, ...]) -> tuple[Pair, Pair]:
    """The digits with pixels from 0 to 1, each image of the given shape, to train on and to test with."""
    (x, y), (x_test, y_test) = digits.load_data()
    scaled = lambda images: (images / 16).astype(np.float32).reshape(-1, *shape)
    return (scaled(x), y), (scaled(x_test), y_test)


def show(model: str = "all", epochs: int | None = None, seed: int = 0) -> int:
    """Runs the demos and prints how they went. Returns 1 if one missed its goal at its own number of epochs, else 0."""
    print(f"Self-check: {self_check()}")
    outcomes = {}
    for name in DEMOS if model == "all" else [model]:
        print(f"\n{DEMOS[name].title}\n")
        outcomes[name] = run(name, epochs, seed, verbose=1)
        print(f"Held-out accuracy {outcomes[name].accuracy:.4f}\nFingerprint {outcomes[name].fingerprint}")
    print("\n" + table(outcomes))
    missed = [name for name, outcome in outcomes.items() if outcome.accuracy < outcome.goal]
    return int(bool(missed) and epochs is None)


def table(outcomes: dict[str, Outcome]) -> str:
    """One line for each model."""
    lines = [f"{'Model':10}{'Weights':>10}{'Epochs':>8}{'Seconds':>9}{'Accuracy':>10}{'Goal':>7}"]
    lines += [f"{name:10}{each.weights:>10,}{each.epochs:>8}{each.seconds:>9.1f}{each.accuracy:>10.4f}{each.goal:>7.2f}"
              for name, each in outcomes.items()]
    return "\n".join(lines)
