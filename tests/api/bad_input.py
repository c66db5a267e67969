"""Models and data for tests of what is refused: before anything is compiled, and the model stays as it was."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
from compiled import COMPILED

from jaxseq.layers import Dense, Embedding, Flatten
from jaxseq.models import Sequential

DRAW = np.random.Generator(np.random.Philox(0))
X = DRAW.normal(size=(24, 4)).astype(np.float32)
Y = DRAW.normal(size=(24, 1)).astype(np.float32)
LABELS = np.arange(24) % 3
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
BINARY = (np.arange(24) % 2)[:, None]
IDS = DRAW.integers(0, 10, (24, 5))
SEQUENCES = DRAW.normal(size=(24, 6, 4)).astype(np.float32)
PICTURES = SEQUENCES[:, :5, :, None].repeat(2, 2)[:, :, :5]
STEP_LABELS = DRAW.integers(0, 3, (24, 6))
ONES = np.ones(24)

WHOLE = "write a whole number of at least 1."
SHAPED = "write a tuple of whole numbers, None where any length fits."
FOR_TEXTS = "pass numbers. Give each text a number: np.unique(x, return_inverse=True)[1]."
HOOKED = "write an instance of a subclass of jaxseq.callbacks.Callback."


class Subject(NamedTuple):
    """A compiled model, and data that fit it."""

    model: Sequential
    x: np.ndarray
    y: np.ndarray


SUBJECTS: dict[str, Callable[[], tuple]] = {
    "regressor": lambda: ([Dense(1, input_shape=(4,))], "mse", X, Y),
    "classifier": lambda: ([Dense(3, activation="softmax", input_shape=(4,))], "sparse_categorical_crossentropy", X, LABELS),
    "one_hot": lambda: ([Dense(3, activation="softmax", input_shape=(4,))], "categorical_crossentropy", X, ONE_HOT),
    "binary": lambda: ([Dense(1, activation="sigmoid", input_shape=(4,))], "binary_crossentropy", X, BINARY),
    "words": lambda: ([Embedding(10, 4, input_length=5), Flatten(), Dense(1)], "mse", IDS, Y),
    "tagger": lambda: ([Dense(3, activation="softmax", input_shape=(6, 4))], "sparse_categorical_crossentropy", SEQUENCES,
                       STEP_LABELS),
    "pictures": lambda: ([Flatten(input_shape=(5, 5, 1)), Dense(1)], "mse", PICTURES, Y),
    "fixed": lambda: ([Dense(1, batch_input_shape=(8, 4))], "mse", X[:8], Y[:8]),
}


@functools.cache
def subject(name: str) -> Subject:
    """The model of that name, with its programs compiled for its own data."""
    layers, loss, x, y = SUBJECTS[name]()
    model = Sequential(layers, seed=0)
    model.compile("sgd", loss)
    model.train_on_batch(x, y)
    return Subject(model, x, y)


OURS = {"jit(train)", "jit(evaluate)", "jit(predict)"}


@contextmanager
def nothing_compiled() -> Iterator[None]:
    before = len(COMPILED)
    yield
    assert not set(COMPILED[before:]) & OURS


@contextmanager
def unharmed(name: str) -> Iterator[Sequential]:
    """The model of that name, for a call that fails: nothing is compiled, no bit of the model changes, and it still trains."""
    model, x, y = subject(name)
    about = lambda: (model.fingerprint(), model.history, model.layers, model.input_shape, model.optimizer, model.metrics_names)
    before = about()
    with nothing_compiled():
        yield model
    assert about() == before
    assert np.isfinite(model.train_on_batch(x, y))


def put(array: Any, place: Any, value: Any, dtype: Any = None) -> np.ndarray:
    """A copy of the array with one other entry."""
    changed = np.array(array, dtype)
    changed[place] = value
    return changed


def table(*rows: tuple) -> Any:
    """Rows of a table as pytest's parameters; the first entry names the row."""
    return pytest.mark.parametrize("row", [pytest.param(row[1:], id=row[0].replace(" ", "-")) for row in rows])
