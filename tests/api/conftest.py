"""Small data and a small model that the tests of the shell share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
from whole_steps import steps_of

from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential

pytest.register_assert_rewrite("bad_input")         # its contexts assert, too


class Data(NamedTuple):
    """Forty rows of four features, and the class of each row, 0 to 2."""

    x: np.ndarray
    y: np.ndarray


@pytest.fixture(scope="session")
def data() -> Data:
    draw = np.random.Generator(np.random.Philox(3))
    return Data(draw.normal(size=(40, 4)).astype(np.float32), draw.integers(0, 3, 40))


def perceptron(seed=0) -> Sequential:
    """A classifier with all that draws: first weights, row order, dropout. Five steps of 8 rows make an epoch."""
    layers = [Dense(8, activation="relu", input_shape=(4,)), Dropout(0.25), Dense(3, activation="softmax")]
    model = Sequential(layers, seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def make_model() -> Callable[..., Sequential]:
    """`perceptron`, for tests that want a model to themselves."""
    return perceptron


@pytest.fixture(scope="module")
def first_day() -> tuple[Sequential, object]:
    model = perceptron()
    return model, model.train_state


@pytest.fixture
def rewind(first_day) -> Callable[[], Sequential]:
    """Gives one and the same perceptron, whose programs are compiled once, back as on its first day."""
    def back() -> Sequential:
        model, model.train_state = first_day
        model.history, model.stop_training = None, False
        return model

    return back


@pytest.fixture(scope="module")
def whole_steps(first_day, data):
    """`steps_of` the shared perceptron, and the History of that run."""
    model, model.train_state = first_day
    return steps_of(model, data, validation_data=data), model.history.history


@pytest.fixture
def model(rewind) -> Sequential:
    return rewind()


@pytest.fixture
def refuses() -> Callable[..., object]:
    """refuses(message, error): a context that must end in exactly this error, with exactly this text."""
    @contextmanager
    def context(message: str, error: type[BaseException] = ValueError) -> Iterator[None]:
        with pytest.raises(error) as caught:
            yield
        assert caught.type is error
        assert str(caught.value) == message

    return context
