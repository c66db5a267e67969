"""Input that does not fit is refused with one clear error, before anything is compiled, and the model stays as it was.

Most cases are a row in a table: what it is, the model, the bad argument, the error and its whole text.
"""

import datetime
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from compiled import COMPILED

from jaxseq import callbacks, optimizers
from jaxseq.layers import LSTM, Conv2D, Dense, Dropout, Embedding, Flatten, Input, InputLayer, PReLU, RandomFlip, Reshape
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


# ---- x

FITS = {
    "fit": lambda model, x, y: model.fit(x, y, verbose=0),
    "evaluate": lambda model, x, y: model.evaluate(x, y, verbose=0),
    "train_on_batch": lambda model, x, y: model.train_on_batch(x, y),
    "test_on_batch": lambda model, x, y: model.test_on_batch(x, y),
}
ASKS = FITS | {
    "predict": lambda model, x, y: model.predict(x),
    "predict_on_batch": lambda model, x, y: model.predict_on_batch(x),
}
OF_EMBEDDING = "Embedding(input_dim=10, output_dim=4, name='embedding', batch_input_shape=(None, 5)) has the ids 0 to 9"
OF_TEXT = ("Embedding(input_dim=10, output_dim=4, name='embedding', batch_input_shape=(None, 5)) takes token ids: number the "
           "words, with jaxseq.layers.TextVectorization, or jaxseq.preprocessing.text.Tokenizer and pad_sequences.")
FOR_TEXTS = "pass numbers. Give each text a number: np.unique(x, return_inverse=True)[1]."


@pytest.mark.parametrize("method", ASKS)
@table(
    ("another rank", "regressor", X[None].repeat(24, 0), ValueError,
     "x has shape (24, 24, 4), but the model wants (None, 4)."),
    ("one example flat", "regressor", X[0], ValueError,
     "x has shape (4,), but the model wants (None, 4): pass x[None] for a single example."),
    ("another width", "regressor", X[:, :3], ValueError, "x has shape (24, 3), but the model wants (None, 4)."),
    ("another length", "words", IDS[:, :4], ValueError, "x has shape (24, 4), but the model wants (None, 5)."),
    ("rows without anything", "tagger", SEQUENCES[:, :0], ValueError,
     "x has shape (24, 0, 4), but the model wants (None, 6, 4)."),
    ("an empty list", "regressor", [], ValueError, "x has shape (0,), but the model wants (None, 4)."),
    ("a single number", "regressor", 1.5, ValueError,
     "x is a single number, 1.5: pass an array with one row per example."),
    ("None", "regressor", None, TypeError, "x is None: pass an array with one row per example."),
    ("a string", "regressor", "abc", TypeError, "x is of type str: pass an array of numbers."),
    ("bytes", "regressor", b"abc", TypeError, "x is of type bytes: pass an array of numbers."),
    ("a dict", "regressor", {"x": X, "z": X}, TypeError, "x is of type dict: pass an array of numbers."),
    ("a set", "regressor", {1, 2}, TypeError, "x is of type set: pass an array of numbers."),
    ("an object", "regressor", object(), TypeError, "x is of type object: pass an array of numbers."),
    ("strings", "regressor", [["a", "b", "c", "d"]] * 24, TypeError, f"x has dtype <U1, its first value is 'a': {FOR_TEXTS}"),
    ("byte strings", "regressor", np.full((24, 4), b"cat"), TypeError,
     f"x has dtype |S3, its first value is b'cat': {FOR_TEXTS}"),
    ("numbers as strings", "regressor", np.ones((24, 4)).astype(str), TypeError,
     f"x has dtype <U32, its first value is '1.0': {FOR_TEXTS}"),
    ("dates", "regressor", np.zeros((24, 4), "M8[s]"), TypeError,
     "x has dtype datetime64[s]: pass numbers, for example days since the first: (x - x.min()) / np.timedelta64(1, 'D')."),
    ("durations", "regressor", np.zeros((24, 4), "m8[s]"), TypeError,
     "x has dtype timedelta64[s]: pass numbers, for example days: x / np.timedelta64(1, 'D')."),
    ("Python's dates", "regressor", [[datetime.date(2020, 1, 2)] * 4] * 24, TypeError,
     "x[0, 0] is datetime.date(2020, 1, 2), of type date: pass an array of numbers."),
    ("records", "regressor", np.zeros(24, [("a", "f4"), ("b", "i4")]), TypeError,
     "x has dtype [('a', '<f4'), ('b', '<i4')]: pass numbers."),
    ("complex", "regressor", X.astype(complex), TypeError,
     "x has dtype complex128: pass numbers, for example x.real and x.imag side by side."),
    ("complex on the device", "regressor", jnp.asarray(X).astype(jnp.complex64), TypeError,
     "x has dtype complex64: pass numbers, for example x.real and x.imag side by side."),
    ("PRNG keys", "regressor", jax.random.split(jax.random.key(0), 24), TypeError, "x has dtype key<fry>: pass numbers."),
    ("masked", "regressor", np.ma.masked_array(X, X > 0), ValueError,
     "x is a masked array: pass x.filled(0), and say which steps are real with a Masking layer."),
    ("ragged", "regressor", [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3]] * 8, ValueError, "x is a ragged list, row 0 has shape "
     "(4,), row 2 (3,): pad its rows to one length, so that np.asarray(x) is an array."),
    ("ragged within a row", "regressor", [[1, [2, 3], 3, 4]] * 24, ValueError, "x is a ragged list, row 0 is ragged itself: "
     "pad its rows to one length, so that np.asarray(x) is an array."),
    ("ragged objects", "words", np.array([[1, 2], [3]] * 12, object), ValueError, "x is a ragged list, row 0 has shape (2,), "
     "row 1 (1,): pad its rows to one length, so that np.asarray(x) is an array."),
    ("a string among objects", "regressor", put(X, (2, 1), "cat", object), TypeError,
     "x[2, 1] is 'cat', of type str: pass an array of numbers."),
    ("None among objects", "regressor", put(X, (2, 1), None, object), TypeError,
     "x[2, 1] is None, of type NoneType: pass an array of numbers."),
    ("a complex number among objects", "regressor", put(X, (2, 1), 1j, object), TypeError,
     "x[2, 1] is 1j, of type complex: pass an array of numbers."),
    ("a DataFrame of strings and numbers", "regressor", pd.DataFrame({"age": ONES, "name": "Ann"}), TypeError,
     "x[0, 1] is 'Ann', of type str: pass an array of numbers."),
    ("a Series of categories", "regressor", pd.Series(["b", "a"] * 12, dtype="category"), TypeError,
     "x[0] is 'b', of type str: pass an array of numbers."),
    ("a Series of dates", "regressor", pd.Series(pd.to_datetime(["2020-01-01"] * 24).as_unit("s")), TypeError,
     "x has dtype datetime64[s]: pass numbers, for example days since the first: (x - x.min()) / np.timedelta64(1, 'D')."),
    ("images without channels", "pictures", PICTURES[..., 0], ValueError,
     "x has shape (24, 5, 5), but the model wants (None, 5, 5, 1): pass x[..., None] to give it the axis of 1."),
    ("other images without channels", "pictures", PICTURES[:, :4, :, 0], ValueError,
     "x has shape (24, 4, 5), but the model wants (None, 5, 5, 1)."),
    ("one picture", "pictures", PICTURES[0], ValueError,
     "x has shape (5, 5, 1), but the model wants (None, 5, 5, 1): pass x[None] for a single example."),
    ("texts for ids", "words", ["the cat sat"] * 24, TypeError, f"x is text, 'the cat sat', and {OF_TEXT}"),
    ("an array of texts for ids", "words", np.array([["the"] * 5] * 24), TypeError, f"x is text, 'the', and {OF_TEXT}"),
    ("a Series of texts for ids", "words", pd.Series(["a b"] * 24, dtype=object), TypeError,
     f"x is text, 'a b', and {OF_TEXT}"),
    ("ragged words for ids", "words", [["a", "b"], ["c"]] * 12, TypeError, f"x is text, 'a', and {OF_TEXT}"),
    ("a NaN", "regressor", put(X, (5, 1), np.nan), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("NaN and both infinities", "regressor", put(X, ([5, 7, 9], 1), [-np.inf, np.nan, np.inf]), ValueError,
     "x has 3 values that are NaN or infinite, the first at [5, 1]: -inf. Clean the data, for example with np.nan_to_num."),
    ("a NaN on the device", "regressor", jnp.asarray(put(X, (5, 1), np.nan)), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("a NaN in bfloat16", "regressor", jnp.asarray(put(X, (5, 1), np.nan)).astype(jnp.bfloat16), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("a gap in a DataFrame", "regressor", pd.DataFrame(put(X, (5, 1), np.nan)), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("too large for float32", "regressor", put(X, (3, 2), -1e300, np.float64), ValueError,
     "x[3, 2] is -1e+300, too large for float32: scale the data first."),
    ("too large for int32", "regressor", put(np.ones((24, 4), int), (3, 2), 2**40), ValueError,
     "x[3, 2] is 1099511627776, too large for int32: scale the data, or pass floats, x.astype('float32')."),
    ("too small for int32", "regressor", put(np.ones((24, 4), int), (3, 2), -2**31 - 1), ValueError,
     "x[3, 2] is -2147483649, too large for int32: scale the data, or pass floats, x.astype('float32')."),
    ("an unsigned one too large", "regressor", put(np.ones((24, 4), np.uint32), (3, 2), 2**31), ValueError,
     "x[3, 2] is 2147483648, too large for int32: scale the data, or pass floats, x.astype('float32')."),
    ("a Python int too large", "regressor", [[2**70] * 4] * 24, ValueError, "x[0, 0] is 1180591620717411303424, too large "
     "for int32: scale the data, or pass floats, x.astype('float32')."),
    ("an id too large", "words", put(IDS, (1, 2), 10), ValueError,
     f"x[1, 2] is 10, but {OF_EMBEDDING}: write input_dim=largest id + 1, and count ids from 0."),
    ("a negative id", "words", put(IDS, (1, 2), -1), ValueError,
     f"x[1, 2] is -1, but {OF_EMBEDDING}: write input_dim=largest id + 1, and count ids from 0."),
    ("a fractional id", "words", put(IDS, (1, 2), 1.9, float), ValueError,
     "x[1, 2] is 1.9, not a whole number: an Embedding takes token ids."),
    ("a NaN id", "words", put(IDS, (1, 2), np.nan, float), ValueError,
     "x has 1 value that is NaN or infinite, at [1, 2]: nan. Clean the data, for example with np.nan_to_num."),
)
def test_x_that_does_not_fit_is_refused(row, method, refuses):
    name, x, error, message = row
    with unharmed(name) as model, refuses(message, error):
        ASKS[method](model, x, subject(name).y)


@pytest.mark.parametrize("method", FITS)
def test_an_empty_x_is_nothing_to_work_on(method, refuses):
    with unharmed("regressor") as model, refuses("x is empty, shape (0, 4): there is nothing to work on."):
        FITS[method](model, X[:0], Y[:0])


def test_predict_of_no_rows_is_no_rows():
    for name in "regressor", "words", "fixed":
        nothing = subject(name).model.predict(subject(name).x[:0])
        assert nothing.shape == (0, 1) and nothing.dtype == np.float32


def test_a_generator_of_rows_is_refused(refuses):
    """It may give batches, but not rows."""
    message = "x has shape (4,), but the model wants (None, 4): pass x[None] for a single example."
    with unharmed("regressor") as model, refuses(message):
        model.predict(row for row in X)


def test_predict_within_jit_points_to_the_pure_functions(refuses):
    with unharmed("regressor") as model, refuses("x is being traced by jax.jit, jax.grad or the like: call the pure functions "
                                                 "of model.functional() there.", TypeError):
        jax.jit(model.predict)(X)


# ---- y

TO_SPARSE = ("For integer labels write loss='sparse_categorical_crossentropy', or pass jaxseq.utils.to_categorical(y, 3).")
OF_CLASSES = ("but the model's output (None, 3) has the classes 0 to 2: give the last layer one unit per class, or number the "
              "classes from 0, np.unique(y, return_inverse=True)[1].")
SPARSE_WANTS = "sparse_categorical_crossentropy wants y of shape"


@pytest.mark.parametrize("method", FITS)
@table(
    ("none", "regressor", None, TypeError, "y is missing: pass the targets, y, beside x."),
    ("fewer rows", "regressor", Y[:20], ValueError, "x has 24 rows and y has 20: each row of x needs its row of y."),
    ("more rows", "classifier", np.zeros(25, int), ValueError,
     "x has 24 rows and y has 25: each row of x needs its row of y."),
    ("three columns for one", "regressor", np.zeros((24, 3)), ValueError, "mean_squared_error wants y of the shape of the "
     "model's output, (None, 1); got (24, 3). Give the last layer 3 units, or pass 1 column."),
    ("two labels for one", "binary", np.hstack([BINARY, BINARY]), ValueError, "binary_crossentropy wants y of the shape of the "
     "model's output, (None, 1); got (24, 2). Give the last layer 2 units, or pass 1 column."),
    ("four classes for three", "one_hot", np.eye(4)[LABELS], ValueError, "categorical_crossentropy wants y of the shape of "
     "the model's output, (None, 3); got (24, 4). Give the last layer 4 units, or pass 3 columns."),
    ("another rank", "regressor", Y[:, :, None], ValueError,
     "mean_squared_error wants y of the shape of the model's output, (None, 1); got (24, 1, 1)."),
    ("strings", "classifier", ["cat", "dog"] * 12, TypeError, "y has dtype <U3, its first value is 'cat': pass numbers. Give "
     "each text a number: np.unique(y, return_inverse=True)[1]."),
    ("objects", "classifier", pd.Series(["cat", "dog"] * 12, dtype=object), TypeError,
     "y[0] is 'cat', of type str: pass an array of numbers."),
    ("masked", "regressor", np.ma.masked_array(Y, Y > 0), ValueError,
     "y is a masked array: pass y.filled(0), and say which steps are real with a Masking layer."),
    ("a NaN", "regressor", put(Y, (3, 0), np.nan), ValueError,
     "y has 1 value that is NaN or infinite, at [3, 0]: nan. Clean the data, for example with np.nan_to_num."),
    ("infinities in a flat y", "regressor", put(Y[:, 0], [3, 8], np.inf), ValueError,
     "y has 2 values that are NaN or infinite, the first at [3]: inf. Clean the data, for example with np.nan_to_num."),
    ("too large for float32", "regressor", put(Y, (3, 0), 1e39, np.float64), ValueError,
     "y[3, 0] is 1e+39, too large for float32: scale the data first."),
    ("a label too large", "classifier", put(LABELS, 7, 3), ValueError, f"y[7] is 3, {OF_CLASSES}"),
    ("a negative label", "classifier", put(LABELS, 7, -1), ValueError, f"y[7] is -1, {OF_CLASSES}"),
    ("labels all too large", "classifier", np.full((24, 1), 99), ValueError, f"y[0, 0] is 99, {OF_CLASSES}"),
    ("a fractional label", "classifier", put(LABELS, 7, 0.7, float), ValueError,
     "y[7] is 0.7, not a whole number: sparse_categorical_crossentropy takes integer labels."),
    ("a NaN label", "classifier", put(LABELS, 7, np.nan, float), ValueError,
     "y has 1 value that is NaN or infinite, at [7]: nan. Clean the data, for example with np.nan_to_num."),
    ("one-hot for integers", "classifier", ONE_HOT, ValueError, f"{SPARSE_WANTS} (None,), integer labels for the model's "
     "output (None, 3); got (24, 3). For one-hot rows write loss='categorical_crossentropy'."),
    ("two labels a row", "classifier", np.stack([LABELS, LABELS], 1), ValueError,
     f"{SPARSE_WANTS} (None,), integer labels for the model's output (None, 3); got (24, 2)."),
    ("one label a sequence", "tagger", LABELS, ValueError,
     f"{SPARSE_WANTS} (None, 6), integer labels for the model's output (None, 6, 3); got (24,)."),
    ("one-hot steps for integers", "tagger", np.eye(3)[STEP_LABELS], ValueError, f"{SPARSE_WANTS} (None, 6), integer labels "
     "for the model's output (None, 6, 3); got (24, 6, 3). For one-hot rows write loss='categorical_crossentropy'."),
    ("integers for one-hot", "one_hot", LABELS, ValueError,
     f"categorical_crossentropy wants y of the shape of the model's output, (None, 3); got (24,). {TO_SPARSE}"),
    ("a column of integers for one-hot", "one_hot", LABELS[:, None], ValueError,
     f"categorical_crossentropy wants y of the shape of the model's output, (None, 3); got (24, 1). {TO_SPARSE}"),
    ("a row of zeros", "one_hot", put(ONE_HOT, 2, 0), ValueError,
     "y[2] is all zeros, but categorical_crossentropy wants a class in every row."),
    ("a two in one-hot", "one_hot", ONE_HOT * 2, ValueError,
     "y[0, 0] is 2.0, but categorical_crossentropy takes one-hot rows or probabilities."),
    ("labels of -1 and 1", "binary", BINARY * 2 - 1, ValueError,
     "y[0, 0] is -1, but binary_crossentropy takes labels from 0 to 1: write, for example, (y > 0)."),
    ("labels of 0 and 255", "binary", BINARY[:, 0].astype(np.uint8) * 255, ValueError,
     "y[1] is 255, but binary_crossentropy takes labels from 0 to 1: write, for example, (y > 0)."),
)
def test_y_that_does_not_fit_is_refused(row, method, refuses):
    name, y, error, message = row
    with unharmed(name) as model, refuses(message, error):
        FITS[method](model, subject(name).x, y)


# ---- weights

@pytest.mark.parametrize("method", FITS)
@table(
    ("fewer rows", "regressor", ONES[:20],
     "x has 24 rows and sample_weight has 20: each row of x needs its row of sample_weight."),
    ("a single number", "regressor", 2.0, "sample_weight is a single number, 2.0: pass an array with one row per example."),
    ("a NaN", "regressor", put(ONES, 4, np.nan),
     "sample_weight has 1 value that is NaN or infinite, at [4]: nan. Clean the data, for example with np.nan_to_num."),
    ("infinity", "regressor", put(ONES, 4, np.inf),
     "sample_weight has 1 value that is NaN or infinite, at [4]: inf. Clean the data, for example with np.nan_to_num."),
    ("negative", "regressor", put(ONES, 4, -1), "sample_weight[4] is -1.0: a weight is 0 or larger."),
    ("three columns", "regressor", np.ones((24, 3)),
     "sample_weight has shape (24, 3) for a model with the output (None, 1): pass one weight per row, (24,)."),
    ("another number of steps", "tagger", np.ones((24, 5)), "sample_weight has shape (24, 5) for a model with the output "
     "(None, 6, 3): pass one weight per row, (24,), or one per row and time step."),
    ("a third axis", "tagger", np.ones((24, 6, 3)), "sample_weight has shape (24, 6, 3) for a model with the output "
     "(None, 6, 3): pass one weight per row, (24,), or one per row and time step."),
)
def test_sample_weights_that_do_not_fit_are_refused(row, method, refuses):
    name, weight, message = row
    weigh = {
        "fit": lambda model, x, y: model.fit(x, y, sample_weight=weight, verbose=0),
        "evaluate": lambda model, x, y: model.evaluate(x, y, sample_weight=weight, verbose=0),
        "train_on_batch": lambda model, x, y: model.train_on_batch(x, y, sample_weight=weight),
        "test_on_batch": lambda model, x, y: model.test_on_batch(x, y, sample_weight=weight),
    }[method]
    with unharmed(name) as model, refuses(message):
        weigh(model, subject(name).x, subject(name).y)


@table(
    ("a list", "classifier", [1, 2, 3], TypeError, "class_weight=[1, 2, 3]: write a dict such as {0: 1.0, 1: 5.0}."),
    ("'balanced'", "classifier", "balanced", TypeError, "class_weight='balanced': write a dict such as {0: 1.0, 1: 5.0}."),
    ("without a class", "classifier", {0: 1.0, 1: 2.0}, ValueError,
     "class_weight has no entry for class 2 of y: add it, {..., 2: 1.0}."),
    ("without a class of one-hot rows", "one_hot", {1: 2.0}, ValueError,
     "class_weight has no entry for class 0, 2 of y: add it, {..., 0: 1.0}."),
    ("with strings for classes", "classifier", {"0": 1.0, "1": 2.0, "2": 3.0}, ValueError,
     "class_weight has no entry for class 0, 1, 2 of y: add it, {..., 0: 1.0}."),
    ("with a NaN", "classifier", {0: 1.0, 1: np.nan, 2: 1.0}, ValueError,
     "class_weight[1] is nan: a weight is a number from 0 on."),
    ("with a negative weight", "classifier", {0: 1.0, 1: -2.0, 2: 1.0}, ValueError,
     "class_weight[1] is -2.0: a weight is a number from 0 on."),
    ("with a string for a weight", "classifier", {0: 1.0, 1: "much", 2: 1.0}, ValueError,
     "class_weight[1] is 'much': a weight is a number from 0 on."),
    ("of measured targets", "regressor", {0: 1.0}, ValueError,
     f"y[0, 0] is {Y[0, 0]!s}, not a whole number: class_weight needs classes. Pass sample_weight instead."),
    ("of sequences of labels", "tagger", {0: 1.0, 1: 1.0, 2: 1.0}, ValueError,
     "class_weight needs one class per row, got y (24, 6): pass sample_weight instead."),
)
def test_class_weights_that_do_not_fit_are_refused(row, refuses):
    name, class_weight, error, message = row
    model, x, y = subject(name)
    with unharmed(name), refuses(message, error):
        model.fit(x, y, class_weight=class_weight, verbose=0)
    with unharmed(name), refuses(message, error):
        model.train_on_batch(x, y, class_weight=class_weight)


def test_class_weight_beside_sample_weight_is_refused(refuses):
    both = {"class_weight": {0: 1, 1: 1, 2: 1}, "sample_weight": ONES}
    with unharmed("classifier") as model, refuses("class_weight and sample_weight both weigh the rows: multiply them and pass "
                                                  "sample_weight."):
        model.fit(X, LABELS, verbose=0, **both)


def test_class_weights_of_several_labels_a_row_are_refused(refuses):
    model = Sequential([Dense(3, activation="sigmoid", input_shape=(4,))], seed=0)
    model.compile("sgd", "binary_crossentropy")
    with refuses("class_weight needs one class per row, got y (24, 3): pass sample_weight instead."):
        model.fit(X, np.maximum(ONE_HOT, ONE_HOT[::-1]), class_weight={0: 1, 1: 1, 2: 1}, verbose=0)


# ---- validation data

@table(
    ("x alone", X, TypeError, "validation_data is of type ndarray: write (x, y) or (x, y, sample_weight)."),
    ("a tuple of x", (X,), TypeError, "validation_data is a tuple of 1: write (x, y) or (x, y, sample_weight)."),
    ("four parts", (X, Y, ONES, None), TypeError, "validation_data is a tuple of 4: write (x, y) or (x, y, sample_weight)."),
    ("a dict", {"x": X}, TypeError, "validation_data is of type dict: write (x, y) or (x, y, sample_weight)."),
    ("another width", (X[:, :3], Y), ValueError, "validation x has shape (24, 3), but the model wants (None, 4)."),
    ("one example flat", (X[0], Y[:1]), ValueError,
     "validation x has shape (4,), but the model wants (None, 4): pass x[None] for a single example."),
    ("fewer targets", (X, Y[:20]), ValueError,
     "validation x has 24 rows and validation y has 20: each row of validation x needs its row of validation y."),
    ("nothing", (X[:0], Y[:0]), ValueError, "validation x is empty, shape (0, 4): there is nothing to work on."),
    ("no targets", (X, None), TypeError, "validation y is missing: pass the targets, validation y, beside validation x."),
    ("two columns", (X, np.zeros((24, 2))), ValueError, "mean_squared_error wants validation y of the shape of the model's "
     "output, (None, 1); got (24, 2). Give the last layer 2 units, or pass 1 column."),
    ("a NaN", (X, put(Y, (3, 0), np.nan)), ValueError, "validation y has 1 value that is NaN or infinite, at [3, 0]: nan. "
     "Clean the data, for example with np.nan_to_num."),
    ("strings", (X, ["a"] * 24), TypeError, "validation y has dtype <U1, its first value is 'a': pass numbers. Give each text "
     "a number: np.unique(y, return_inverse=True)[1]."),
    ("fewer weights", (X, Y, ONES[:20]), ValueError,
     "validation x has 24 rows and validation sample_weight has 20: each row of validation x needs its row of validation "
     "sample_weight."),
    ("negative weights", (X, Y, -ONES), ValueError, "validation sample_weight[0] is -1.0: a weight is 0 or larger."),
)
def test_validation_data_that_do_not_fit_are_refused(row, refuses):
    validation_data, error, message = row
    with unharmed("regressor") as model, refuses(message, error):
        model.fit(X, Y, validation_data=validation_data, verbose=0)


# ---- numbers and switches

WHOLE = "write a whole number of at least 1."
COUNT = "write a whole number of at least 0."
SHARE = "write a share from 0 up to, and without, 1."
HOOKED = "write an instance of a subclass of jaxseq.callbacks.Callback."


@table(
    ("batch_size 0", {"batch_size": 0}, ValueError, f"batch_size=0: {WHOLE}"),
    ("batch_size -1", {"batch_size": -1}, ValueError, f"batch_size=-1: {WHOLE}"),
    ("batch_size True", {"batch_size": True}, ValueError, f"batch_size=True: {WHOLE}"),
    ("batch_size 2.5", {"batch_size": 2.5}, ValueError, f"batch_size=2.5: {WHOLE}"),
    ("batch_size '8'", {"batch_size": "8"}, ValueError, f"batch_size='8': {WHOLE}"),
    ("epochs -3", {"epochs": -3}, ValueError, f"epochs=-3: {COUNT}"),
    ("epochs 1.5", {"epochs": 1.5}, ValueError, f"epochs=1.5: {COUNT}"),
    ("epochs None", {"epochs": None}, ValueError, f"epochs=None: {COUNT}"),
    ("epochs True", {"epochs": True}, ValueError, f"epochs=True: {COUNT}"),
    ("epochs '2'", {"epochs": "2"}, ValueError, f"epochs='2': {COUNT}"),
    ("nb_epoch -1", {"nb_epoch": -1}, ValueError, f"epochs=-1: {COUNT}"),
    ("initial_epoch -1", {"initial_epoch": -1}, ValueError, f"initial_epoch=-1: {COUNT}"),
    ("initial_epoch None", {"initial_epoch": None}, ValueError, f"initial_epoch=None: {COUNT}"),
    ("initial_epoch behind epochs", {"epochs": 2, "initial_epoch": 5}, ValueError, "initial_epoch=5 lies behind epochs=2, the "
     "number of the last epoch: write epochs=7 to train for 2 more."),
    ("steps_per_epoch 0", {"steps_per_epoch": 0}, ValueError, f"steps_per_epoch=0: {WHOLE}"),
    ("steps_per_epoch -1", {"steps_per_epoch": -1}, ValueError, f"steps_per_epoch=-1: {WHOLE}"),
    ("steps_per_epoch 2.5", {"steps_per_epoch": 2.5}, ValueError, f"steps_per_epoch=2.5: {WHOLE}"),
    ("validation_steps 0", {"validation_steps": 0, "validation_split": 0.5}, ValueError, f"validation_steps=0: {WHOLE}"),
    ("validation_steps alone", {"validation_steps": 1}, ValueError,
     "validation_steps needs validation_data or validation_split."),
    ("validation_split -0.1", {"validation_split": -0.1}, ValueError, f"validation_split=-0.1: {SHARE}"),
    ("validation_split 1", {"validation_split": 1}, ValueError, f"validation_split=1: {SHARE}"),
    ("validation_split 1.5", {"validation_split": 1.5}, ValueError, f"validation_split=1.5: {SHARE}"),
    ("validation_split NaN", {"validation_split": np.nan}, ValueError, f"validation_split=nan: {SHARE}"),
    ("validation_split True", {"validation_split": True}, ValueError, f"validation_split=True: {SHARE}"),
    ("validation_split '0.2'", {"validation_split": "0.2"}, ValueError, f"validation_split='0.2': {SHARE}"),
    ("validation_split of everything", {"validation_split": 0.999}, ValueError, "validation_split=0.999 of 24 rows leaves 0 to "
     "train on and 24 to measure: neither may be empty."),
    ("shuffle 'batches'", {"shuffle": "batches"}, ValueError, "shuffle='batches': write one of True, False, 'batch'."),
    ("shuffle None", {"shuffle": None}, ValueError, "shuffle=None: write one of True, False, 'batch'."),
    ("verbose 3", {"verbose": 3}, ValueError, "verbose=3: write one of 'auto', 0, 1, 2."),
    ("verbose 'yes'", {"verbose": "yes"}, ValueError, "verbose='yes': write one of 'auto', 0, 1, 2."),
    ("verbose None", {"verbose": None}, ValueError, "verbose=None: write one of 'auto', 0, 1, 2."),
    ("callbacks 5", {"callbacks": 5}, TypeError, f"callbacks has 5: {HOOKED}"),
    ("callbacks of a function", {"callbacks": [print]}, TypeError, f"callbacks has <built-in function print>: {HOOKED}"),
    ("callbacks of a class", {"callbacks": [callbacks.EarlyStopping]}, TypeError,
     f"callbacks has <class 'jaxseq.api.monitoring.EarlyStopping'>: {HOOKED}"),
    ("callbacks a class", {"callbacks": callbacks.EarlyStopping}, TypeError,
     f"callbacks has <class 'jaxseq.api.monitoring.EarlyStopping'>: {HOOKED}"),
    ("an unknown keyword", {"batchsize": 8}, TypeError,
     "fit takes no argument 'batchsize'. Did you mean 'batch_size' or 'validation_batch_size'?"),
)
def test_a_word_to_fit_that_means_nothing_is_refused(row, refuses):
    words, error, message = row
    with unharmed("regressor") as model, refuses(message, error):
        model.fit(X, Y, **{"verbose": 0} | words)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
@table(
    ("batch_size 0", {"batch_size": 0}, ValueError, f"batch_size=0: {WHOLE}"),
    ("batch_size True", {"batch_size": True}, ValueError, f"batch_size=True: {WHOLE}"),
    ("batch_size '8'", {"batch_size": "8"}, ValueError, f"batch_size='8': {WHOLE}"),
    ("steps 0", {"steps": 0}, ValueError, f"steps=0: {WHOLE}"),
    ("steps 2.5", {"steps": 2.5}, ValueError, f"steps=2.5: {WHOLE}"),
    ("verbose 3", {"verbose": 3}, ValueError, "verbose=3: write one of 'auto', 0, 1, 2."),
    ("callbacks of strings", {"callbacks": "History"}, TypeError, f"callbacks has 'History': {HOOKED}"),
)
def test_a_word_to_evaluate_or_predict_that_means_nothing_is_refused(row, method, refuses):
    words, error, message = row
    data = (X, Y) if method == "evaluate" else (X,)
    with unharmed("regressor") as model, refuses(message, error):
        getattr(model, method)(*data, **{"verbose": 0} | words)


# ---- a fixed batch size

@table(
    ("fit with another", lambda model: model.fit(X, Y, batch_size=4, verbose=0),
     "batch_size=4, but the model is declared for batches of 8: pass batch_size=8, or build it without a fixed batch size."),
    ("fit on rows it does not divide", lambda model: model.fit(X[:20], Y[:20], verbose=0),
     "x has 20 rows, but the model is declared for batches of exactly 8: pass 16 rows."),
    ("fit on fewer rows", lambda model: model.fit(X[:5], Y[:5], verbose=0),
     "x has 5 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("fit with a split it does not divide", lambda model: model.fit(X, Y, validation_split=0.5, verbose=0),
     "x less validation_split=0.5 has 12 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("fit with validation rows it does not divide", lambda model: model.fit(X, Y, validation_data=(X[:9], Y[:9]), verbose=0),
     "validation x has 9 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("evaluate", lambda model: model.evaluate(X[:9], Y[:9], verbose=0),
     "x has 9 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("predict", lambda model: model.predict(X[:9]),
     "x has 9 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("predict with another", lambda model: model.predict(X, batch_size=6),
     "batch_size=6, but the model is declared for batches of 8: pass batch_size=8, or build it without a fixed batch size."),
    ("train_on_batch", lambda model: model.train_on_batch(X, Y),
     "x has 24 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("test_on_batch", lambda model: model.test_on_batch(X[:7], Y[:7]),
     "x has 7 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
    ("predict_on_batch", lambda model: model.predict_on_batch(X),
     "x has 24 rows, but the model is declared for batches of exactly 8: pass 8 rows."),
)
def test_a_fixed_batch_size_is_kept(row, refuses):
    call, message = row
    with unharmed("fixed") as model, refuses(message):
        call(model)


def test_a_stateful_layer_needs_the_batch_size(refuses):
    layer = "LSTM(units=3, stateful=True, batch_input_shape=(None, 6, 4))"
    with refuses(f"{layer} cannot take (None, 6, 4): {layer} carries a state from batch to batch, so it needs the batch size, "
                 "got (None, 6, 4). Give the first layer batch_input_shape=(32, ...), or batch_size=32 with "
                 "input_shape=(...)."):
        Sequential([LSTM(3, stateful=True, input_shape=(6, 4))])


def test_a_stateful_model_wants_whole_batches(refuses):
    model = Sequential([LSTM(1, stateful=True, batch_input_shape=(8, 6, 4))], seed=0)
    model.compile("sgd", "mse")
    before = model.fingerprint()
    for call in lambda: model.fit(SEQUENCES[:20], Y[:20], verbose=0), lambda: model.predict(SEQUENCES[:20]):
        with refuses("x has 20 rows, but the model is declared for batches of exactly 8: pass 16 rows."):
            call()
    assert model.fingerprint() == before


# ---- words in constructors

MEANT_RELU = "Unknown activation 'rleu'. Did you mean 'relu' or 'relu6'?"
NAMED = "write letters, digits, '_', '-', '.' and spaces; the name becomes a key in files."
SEEDED = "write a whole number from 0 to 2**63 - 1, or a JAX key."
RATED = "write a number from 0 on, or an Optax schedule."
DROPPED = "write a number from 0 up to, and without, 1."
SHAPED = "write a tuple of whole numbers, None where any length fits."


@table(
    ("activation", lambda: Dense(3, activation="rleu"), ValueError, MEANT_RELU),
    ("activation 5", lambda: Dense(3, activation=5), ValueError,
     "5 is no activation: write a name, as 'relu', or pass a function of an array."),
    ("a layer with weights for an activation", lambda: Dense(3, activation=PReLU()), ValueError,
     "PReLU() is no activation of another layer: add it as a layer of its own, after that one."),
    ("a layer that draws for an activation", lambda: Dense(3, activation=Dropout(0.5)), ValueError,
     "Dropout(rate=0.5) is no activation of another layer: add it as a layer of its own, after that one."),
    ("two shapes of an input", lambda: InputLayer((8,), batch_shape=(2, 8)), ValueError,
     "InputLayer(shape=(8,)) has another shape beside it, (2, 8): write one of them."),
    ("an input layer without a shape", lambda: InputLayer(batch_size=3), ValueError,
     "InputLayer needs a shape: write Input(shape=(784,))."),
    ("columns that end before they begin", lambda: Sequential().summary(positions=[0.5, 0.4]), ValueError,
     "summary(positions=[0.5, 0.4]): write where the columns end, such as [0.5, 0.8, 1.0]."),
    ("a layer that is called", lambda: Dense(3)(X), TypeError, "Dense is called within a model: Sequential([Dense(...)]). "
     "Alone: params, state = layer.init(key, x); y, state = layer.apply(params, state, x, Ctx())."),
    ("one that changes images", lambda: RandomFlip()(X), TypeError, "RandomFlip is called within a model: "
     "Sequential([RandomFlip(...)]). Alone: params, state = layer.init(key, x); y, state = layer.apply(params, state, x, "
     "Ctx())."),
    ("initializer", lambda: Dense(3, kernel_initializer="glorot"), ValueError,
     "Unknown initializer 'glorot'. Did you mean 'glorot_normal' or 'glorot_uniform'?"),
    ("regularizer", lambda: Dense(3, kernel_regularizer="l3"), ValueError, "Unknown regularizer 'l3'. Known: L1, L1L2, L2, "
     "OrthogonalRegularizer, l1, l1_l2, l1l2, l2, orthogonal_regularizer."),
    ("constraint", lambda: Dense(3, kernel_constraint="maxnrom"), ValueError,
     "Unknown constraint 'maxnrom'. Did you mean 'maxnorm' or 'max_norm' or 'min_max_norm'?"),
    ("layer keyword", lambda: Dense(3, activaton="relu"), TypeError,
     "Dense takes no argument 'activaton'. Did you mean 'activation'?"),
    ("Conv2D keyword", lambda: Conv2D(3, 3, stride=2), TypeError,
     "Conv2D takes no argument 'stride'. Did you mean 'strides'?"),
    ("units 0", lambda: Dense(0), ValueError, f"Dense(units)=0: {WHOLE}"),
    ("units 2.5", lambda: Dense(2.5), ValueError, f"Dense(units)=2.5: {WHOLE}"),
    ("units '3'", lambda: Dense("3"), ValueError, f"Dense(units)='3': {WHOLE}"),
    ("no units", lambda: Dense(), TypeError, "Dense.__init__() missing 1 required positional argument: 'units'"),
    ("no ids", lambda: Embedding(0, 4), ValueError, f"Embedding(input_dim)=0: {WHOLE}"),
    ("dropout of all", lambda: Dropout(1.0), ValueError, f"Dropout(rate=1.0): {DROPPED}"),
    ("dropout below 0", lambda: Dropout(-0.1), ValueError, f"Dropout(rate=-0.1): {DROPPED}"),
    ("dropout in percent", lambda: Dropout(50), ValueError, f"Dropout(rate=50): {DROPPED}"),
    ("dropout '0.5'", lambda: Dropout("0.5"), ValueError, f"Dropout(rate='0.5'): {DROPPED}"),
    ("input_shape 4", lambda: Dense(3, input_shape=4), ValueError, f"input_shape=4: {SHAPED} Write input_shape=(4,)."),
    ("input_shape (0,)", lambda: Dense(3, input_shape=(0,)), ValueError, f"input_shape=(0,): {SHAPED}"),
    ("input_shape (4.0,)", lambda: Dense(3, input_shape=(4.0,)), ValueError, f"input_shape=(4.0,): {SHAPED}"),
    ("batch_size alone", lambda: Dense(3, batch_size=4), ValueError,
     "Dense(batch_size=4) says the batch size alone. Add the rest: batch_size=4, input_shape=(...)."),
    ("Input without a shape", lambda: Input(), ValueError, "Input() needs a shape: write Input(shape=(784,))."),
    ("Input of complex numbers", lambda: Input((4,), dtype="complex64"), ValueError,
     "Input(dtype='complex64'): write 'float32', or 'int32' for token ids."),
    ("a field set later", lambda: setattr(Dense(3), "units", 4), AttributeError, "Dense.units cannot be changed: a layer is a "
     "frozen declaration. Write a new one: layer.replaced(units=4)."),
    ("trainable 'no'", lambda: setattr(Dense(3), "trainable", "no"), TypeError, "trainable='no': write True or False."),
    ("seed -1", lambda: Sequential(seed=-1), ValueError, f"seed=-1: {SEEDED}"),
    ("seed 2**63", lambda: Sequential(seed=2**63), ValueError, f"seed=9223372036854775808: {SEEDED}"),
    ("seed 1.5", lambda: Sequential(seed=1.5), ValueError, f"seed=1.5: {SEEDED}"),
    ("seed True", lambda: Sequential(seed=True), ValueError, f"seed=True: {SEEDED}"),
    ("seed 'a'", lambda: Sequential(seed="a"), ValueError, f"seed='a': {SEEDED}"),
    ("two keys", lambda: Sequential(seed=jax.random.split(jax.random.key(0))), ValueError, "seed is a key of threefry2x32, "
     "shape (2,): pass one key made by jax.random.key(seed, impl='threefry2x32')."),
    ("another key", lambda: Sequential(seed=jax.random.key(0, impl="rbg")), ValueError, "seed is a key of rbg, shape (): pass "
     "one key made by jax.random.key(seed, impl='threefry2x32')."),
    ("an array for a key", lambda: Sequential(seed=jnp.zeros(3)), ValueError, "seed is an array (3,) float32: pass an int, "
     "jax.random.key(0) or jax.random.PRNGKey(0)."),
    ("learning rate -1", lambda: optimizers.SGD(lr=-1), ValueError, f"SGD(learning_rate=-1): {RATED}"),
    ("learning rate NaN", lambda: optimizers.SGD(learning_rate=np.nan), ValueError, f"SGD(learning_rate=nan): {RATED}"),
    ("learning rate infinity", lambda: optimizers.Adam(np.inf), ValueError, f"Adam(learning_rate=inf): {RATED}"),
    ("learning rate 'fast'", lambda: optimizers.SGD("fast"), ValueError, f"SGD(learning_rate='fast'): {RATED}"),
    ("lr and learning_rate", lambda: optimizers.SGD(lr=1, learning_rate=1), TypeError,
     "lr and learning_rate are the same: write one of them."),
    ("optimizer keyword", lambda: optimizers.SGD(momentun=0.9), TypeError,
     "SGD takes no argument 'momentun'. Did you mean 'momentum' or 'ema_momentum'?"),
    ("momentum -1", lambda: optimizers.SGD(momentum=-1), ValueError, f"SGD(momentum=-1): {DROPPED}"),
    ("beta_1 of 1", lambda: optimizers.Adam(beta_1=1.0), ValueError, f"Adam(beta_1=1.0): {DROPPED}"),
    ("mode 'low'", lambda: callbacks.EarlyStopping(mode="low"), ValueError, "mode='low': write one of 'auto', 'min', 'max'."),
    ("a monitor of no known direction", lambda: callbacks.EarlyStopping("speed"), ValueError,
     "monitor='speed': is less or more of it better? Write mode='min' or mode='max'."),
    ("patience -1", lambda: callbacks.EarlyStopping(patience=-1), ValueError,
     "EarlyStopping(patience=-1): write a finite number of at least 0."),
    ("min_delta 'a'", lambda: callbacks.EarlyStopping(min_delta="a"), ValueError,
     "EarlyStopping(min_delta='a'): write a finite number."),
    ("callback keyword", lambda: callbacks.LambdaCallback(on_epoch_ned=print), TypeError, "LambdaCallback takes no argument "
     "'on_epoch_ned'. Did you mean 'on_epoch_end' or 'on_epoch_begin' or 'on_steps_end'?"),
    ("a hook that cannot be called", lambda: callbacks.LambdaCallback(on_epoch_end=5), TypeError,
     "LambdaCallback(on_epoch_end=5): write a function."),
    ("Sequential of a layer", lambda: Sequential(Dense(3)), TypeError,
     "Sequential(Dense(units=3)): write a list, Sequential([...])."),
    ("Sequential of a number", lambda: Sequential(5), TypeError, "Sequential(5): write a list, Sequential([...])."),
    ("Sequential of numbers", lambda: Sequential([5]), TypeError, "add(5): write a layer of jaxseq.layers, or an instance of "
     "your own subclass of jaxseq.layers.Layer."),
    ("Sequential of a class", lambda: Sequential([Dense]), TypeError,
     "add(Dense) is a class: add an instance, Dense(...)."),
    ("Sequential keyword", lambda: Sequential([], sead=0), TypeError,
     "Sequential takes no argument 'sead'. Did you mean 'seed'?"),
    ("one name twice", lambda: Sequential([Dense(3, name="a"), Dense(4, name="a")]), ValueError,
     "Two layers are called 'a': write another name for Dense(units=4, name='a')."),
    ("a name with a slash", lambda: Sequential([Dense(3, name="a/b")]), ValueError, f"name='a/b': {NAMED}"),
    ("a name of dots", lambda: Sequential([Dense(3, name="..")]), ValueError, f"name='..': {NAMED}"),
    ("an empty name", lambda: Sequential([Dense(3, name="")]), ValueError, f"name='': {NAMED}"),
    ("a number for a name", lambda: Sequential([Dense(3, name=5)]), ValueError, f"name=5: {NAMED}"),
    ("two inputs", lambda: Sequential([Input((4,)), Input((5,))]), ValueError,
     "InputLayer(batch_input_shape=(None, 5)): the model's input is declared already, (None, 4)."),
    ("an input behind a layer", lambda: Sequential([Dense(3), Input((4,))]), ValueError,
     "InputLayer(batch_input_shape=(None, 4)) must come before all layers: add it first."),
    ("a layer that cannot follow", lambda: Sequential([Dense(3, input_shape=(4,)), Reshape((2, 2))]), ValueError,
     "Reshape(target_shape=(2, 2)) cannot follow Dense(units=3, name='dense', batch_input_shape=(None, 4)), whose output is "
     "(None, 3): Reshape((2, 2)) cannot hold a row of x (None, 3): 3 elements."),
    ("a length that must be known", lambda: Sequential([Flatten(input_shape=(None, 3)), Dense(3)]), ValueError,
     "Dense(units=3) cannot follow Flatten(name='flatten', batch_input_shape=(None, None, 3)), whose output is (None, None): "
     "Dense(units=3) needs to know every length of its input but the batch size, got (None, None). Write the missing one where "
     "the input is declared: input_shape=(...)."),
)
def test_a_declaration_that_means_nothing_is_refused(row, refuses):
    make, error, message = row
    with refuses(message, error):
        make()


def test_a_layer_stands_in_one_place_of_a_model(refuses):
    layer = Dense(3)
    with refuses("Dense(units=3, name='dense') stands in this model already: write a new layer."):
        Sequential([layer, layer])


# ---- compile, add, build, set_weights

def weights_like(value: Any, dtype: Any = None) -> list[np.ndarray]:
    """Weights for the regressor, all of one value."""
    return [np.full((4, 1), value, dtype), np.full((1,), value, dtype)]


@table(
    ("an unknown loss", lambda model: model.compile("sgd", "msee"), ValueError,
     "Unknown loss 'msee'. Did you mean 'mse' or 'msle'?"),
    ("a number for a loss", lambda model: model.compile("sgd", 5), TypeError,
     "loss=5: write a name such as 'mse', or a function (y_true, y_pred)."),
    ("a list of losses", lambda model: model.compile("sgd", ["mse", "mae"]), ValueError,
     "loss=['mse', 'mae']: a Sequential has one loss, write one."),
    ("an unknown optimizer", lambda model: model.compile("sdg", "mse"), ValueError,
     "Unknown optimizer 'sdg'. Did you mean 'sgd'?"),
    ("a number for an optimizer", lambda model: model.compile(5, "mse"), TypeError, "optimizer=5: write a name such as 'adam', "
     "jaxseq.optimizers.Adam(), or an Optax transformation such as optax.adamw(1e-3)."),
    ("an unknown metric", lambda model: model.compile("sgd", "mse", metrics=["acuracy"]), ValueError,
     "Unknown metric 'acuracy'. Did you mean 'accuracy' or 'Accuracy' or 'BinaryAccuracy'?"),
    ("a number for a metric", lambda model: model.compile("sgd", "mse", metrics=[5]), TypeError,
     "metrics=[5] are numbers: the third argument of compile is metrics, as in Keras 2. Write loss_weights=[5]."),
    ("metrics as a string", lambda model: model.compile("sgd", "mse", metrics="accuracy"), TypeError,
     "metrics='accuracy': write a list, metrics=['accuracy']."),
    ("a compile keyword", lambda model: model.compile("sgd", los="mse"), TypeError,
     "compile takes no argument 'los'. Did you mean 'loss'?"),
    ("a learning rate below 0", lambda model: setattr(model, "learning_rate", -1), ValueError,
     "learning_rate=-1: write a number from 0 on."),
    ("a learning rate of NaN", lambda model: setattr(model, "learning_rate", np.nan), ValueError,
     "learning_rate=nan: write a number from 0 on."),
    ("a learning rate '0.1'", lambda model: setattr(model, "learning_rate", "0.1"), ValueError,
     "learning_rate='0.1': write a number from 0 on."),
    ("add nothing", lambda model: model.add(), TypeError, "add() needs a layer: model.add(Dense(10))."),
    ("add a number", lambda model: model.add(5), TypeError, "add(5): write a layer of jaxseq.layers, or an instance of your "
     "own subclass of jaxseq.layers.Layer."),
    ("add a class", lambda model: model.add(Dense), TypeError, "add(Dense) is a class: add an instance, Dense(...)."),
    ("add a layer again", lambda model: model.add(model.layers[0]), ValueError,
     "Dense(units=1, name='dense', batch_input_shape=(None, 4)) stands in this model already: write a new layer."),
    ("add a name that is taken", lambda model: model.add(Dense(3, name="dense")), ValueError,
     "Two layers are called 'dense': write another name for Dense(units=3, name='dense')."),
    ("add a layer that cannot follow", lambda model: model.add(LSTM(3)), ValueError,
     "LSTM(units=3) cannot follow Dense(units=1, name='dense', batch_input_shape=(None, 4)), whose output is (None, 1): LSTM "
     "needs x (batch, time, features), got (None, 1). Write return_sequences=True in the recurrent layer before it, or give x "
     "a time axis: x[:, :, None]."),
    ("add a batch size too late", lambda model: model.add(batch_size=8), ValueError,
     "The model has its weights already: declare the input before they are drawn."),
    ("build for a number", lambda model: model.build(784), TypeError,
     "build(784): write the shape with its batch axis, build((None, 784))."),
    ("build for another input", lambda model: model.build((None, 5)), ValueError,
     "build((None, 5)): the model's input is declared as (None, 4)."),
    ("too few weights", lambda model: model.set_weights(model.get_weights()[:1]), ValueError,
     "set_weights got 1 arrays and needs 2: dense/kernel, dense/bias."),
    ("weights of another shape", lambda model: model.set_weights([np.ones((1, 4)), np.ones(1)]), ValueError,
     "dense/kernel has shape (4, 1), got (1, 4)."),
    ("weights None", lambda model: model.set_weights(None), TypeError,
     "set_weights(None): pass a list of arrays, as get_weights gives it."),
    ("weights of None", lambda model: model.set_weights(weights_like(None)), TypeError,
     "dense/kernel[0, 0] is None, of type NoneType: pass an array of numbers."),
    ("complex weights", lambda model: model.set_weights(weights_like(1, complex)), TypeError, "dense/kernel has dtype "
     "complex128: pass numbers, for example dense/kernel.real and dense/kernel.imag side by side."),
    ("weights too large for float32", lambda model: model.set_weights(weights_like(1e300)), ValueError,
     "dense/kernel[0, 0] is 1e+300, too large for float32: scale the data first."),
    ("too few weights of a layer", lambda model: model.layers[0].set_weights([]), ValueError,
     "set_weights got 0 arrays and needs 2: dense/kernel, dense/bias."),
    ("params without an entry", lambda model: setattr(model, "params", {"dense": {"kernel": np.ones((4, 1))}}), ValueError,
     "params['dense']['bias'] is missing."),
    ("params with another entry", lambda model: setattr(model, "params", {**model.params, "extra": {"w": np.ones(1)}}),
     ValueError, "params['extra']['w'] is not in the model."),
    ("a layer there is not", lambda model: model.get_layer("dence"), ValueError,
     "There is no layer 'dence'. Did you mean 'dense'?"),
    ("an index there is not", lambda model: model.get_layer(index=7), ValueError,
     "get_layer(index=7): the model has 1 layers."),
    ("neither name nor index", lambda model: model.get_layer(), ValueError,
     "get_layer needs a name or an index: get_layer('dense') or get_layer(index=0)."),
)
def test_a_change_that_does_not_fit_leaves_the_model_as_it_was(row, refuses):
    call, error, message = row
    with unharmed("regressor") as model, refuses(message, error):
        call(model)


def test_an_optimizer_that_does_not_fit_the_weights_leaves_the_old_one():
    misfit = optax.multi_transform({"a": optax.sgd(0.1)}, {"dense": "b"})
    with unharmed("regressor") as model, pytest.raises(ValueError, match="Some parameters have no corresponding"):
        model.compile(misfit, "mse")


def test_a_learning_rate_that_is_not_there_cannot_be_set(refuses):
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile(optimizers.SGD(optax.constant_schedule(0.1)), "mse")
    with refuses("The learning rate follows a schedule: compile with a number to set it.", TypeError):
        model.learning_rate = 0.5
    plain = optax.identity()
    model.compile(plain, "mse")
    with refuses(f"The optimizer {plain!r} keeps no learning rate: compile with one of jaxseq.optimizers.", AttributeError):
        model.learning_rate = 0.5


# ---- a model that has not seen its input

NEVER_SEEN = ("The model has not seen its input yet, so it has no weights. Declare it, Dense(32, input_shape=(784,)), or call "
              "build((None, 784)) or fit.")


@table(
    ("y of another shape", lambda model: model.fit(X, np.zeros((24, 3)), verbose=0), ValueError,
     "mean_squared_error wants y of the shape of the model's output, (None, 1); got (24, 3). Give the last layer 3 units, or "
     "pass 1 column."),
    ("a NaN in x", lambda model: model.fit(put(X, (5, 1), np.nan), Y, verbose=0), ValueError,
     "x has 1 value that is NaN or infinite, at [5, 1]: nan. Clean the data, for example with np.nan_to_num."),
    ("an empty x", lambda model: model.fit(X[:0], Y[:0], verbose=0), ValueError,
     "x is empty, shape (0, 4): there is nothing to work on."),
    ("an empty list", lambda model: model.fit([], [], verbose=0), ValueError,
     "x is empty, shape (0,): there is nothing to work on."),
    ("rows without features", lambda model: model.fit(X[:, :0], Y, verbose=0), ValueError,
     "x has shape (24, 0): its rows are empty."),
    ("validation x of another width", lambda model: model.fit(X, Y, validation_data=(X[:, :3], Y), verbose=0), ValueError,
     "validation x has shape (24, 3), but the model wants (None, 4)."),
    ("a callback that is none", lambda model: model.fit(X, Y, callbacks=[5], verbose=0), TypeError,
     f"callbacks has 5: {HOOKED}"),
    ("strings to predict from", lambda model: model.predict([["a"]]), TypeError,
     f"x has dtype <U1, its first value is 'a': {FOR_TEXTS}"),
    ("nothing to predict from", lambda model: model.predict([]), ValueError, "x is empty, shape (0,), and the model has not "
     "seen its input yet: build it first, build((None, 784))."),
    ("build for nothing", lambda model: model.build(()), TypeError,
     "build(()): write the shape with its batch axis, build((None, 784))."),
    ("build for a negative width", lambda model: model.build((None, -4)), ValueError, f"input shape=(None, -4): {SHAPED}"),
    ("build without a shape", lambda model: model.build(), ValueError, NEVER_SEEN),
    ("weights", lambda model: model.get_weights(), ValueError, NEVER_SEEN),
    ("batch size 0", lambda model: model.add(batch_size=0), ValueError, f"batch_size=0: {WHOLE}"),
    ("a number for a shape", lambda model: model.add(input_shape=4), ValueError,
     f"input_shape=4: {SHAPED} Write input_shape=(4,)."),
)
def test_a_model_that_has_seen_nothing_has_seen_nothing_after_an_error(row, refuses):
    call, error, message = row
    model = Sequential([Dense(1)], seed=0)
    model.compile("sgd", "mse")
    with refuses(message, error):
        call(model)
    assert model.input_shape is None and model.history is None
    model.build((None, 7))                                      # any other input is still welcome
    assert model.input_shape == (None, 7)


def test_x_that_the_first_layer_cannot_take_is_refused(refuses):
    model = Sequential([LSTM(1)], seed=0)
    model.compile("sgd", "mse")
    with refuses("LSTM(units=1, name='lstm') cannot take (None, 4): LSTM needs x (batch, time, features), got (None, 4). Write "
                 "return_sequences=True in the recurrent layer before it, or give x a time axis: x[:, :, None]."):
        model.fit(X, Y, verbose=0)
    assert model.input_shape is None


def test_a_sequence_has_at_least_one_step(refuses):
    model = Sequential([LSTM(1, input_shape=(None, 4))], seed=0)
    with nothing_compiled(), refuses("x has shape (24, 0, 4): its rows are empty."):
        model.predict(SEQUENCES[:, :0])


def test_an_empty_model_says_so(refuses):
    model = Sequential()
    model.compile("sgd", "mse")
    for call in lambda: model.fit(X, Y), lambda: model.predict(X), lambda: model.build((None, 4)):
        with refuses("The model is empty: add a layer first, model.add(Dense(10))."):
            call()
    with refuses("There is no layer to pop: the model is empty.", TypeError):
        model.pop()


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_what_needs_compile_says_so(method, refuses):
    model = Sequential([Dense(1)])
    with refuses(f"{method} needs a compiled model: write model.compile(optimizer='rmsprop', loss='mse') first.", RuntimeError):
        getattr(model, method)(X, Y)
    model.compile("sgd")
    with refuses(f"{method} needs a loss: write model.compile(optimizer, loss='mse')."):
        getattr(model, method)(X, Y)


# ---- a user's loss and metric

def three_rows(y_true, y_pred):
    return y_pred[:3, 0]


@table(
    ("a loss of three rows", {"loss": three_rows}, ValueError,
     "The loss gave shape (3,) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a loss that broadcasts (n,) against (n, 1)", {"loss": lambda y, p: (y[:, 0] - p) ** 2}, ValueError,
     "The loss gave shape (24, 24) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a loss without return", {"loss": lambda y, p: None}, ValueError,
     "The loss gave None: end the function with return."),
    ("a loss of one argument", {"loss": lambda y: y}, TypeError, "<lambda>() takes 1 positional argument but 2 were given"),
    ("a metric of three rows", {"loss": "mse", "metrics": [three_rows]}, ValueError,
     "metric 'three_rows' gave shape (3,) for predictions (24, 1): return one number per row, for example "
     "mean(..., axis=-1), from y_true and y_pred of the same shape."),
    ("a metric of another shape", {"loss": lambda y, p: jnp.abs(p), "metrics": ["categorical_accuracy"]}, ValueError,
     "categorical_accuracy wants y of the predictions' shape (24, 1), got (24, 2)."),
)
def test_a_function_that_gives_the_wrong_shape_is_refused_before_the_first_step(row, refuses):
    words, error, message = row
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", **words)
    before = model.fingerprint()
    y = np.hstack([Y, Y]) if "(24, 2)" in message else Y
    for call in lambda: model.fit(X, y, verbose=0), lambda: model.evaluate(X, y, verbose=0), lambda: model.train_on_batch(X, y):
        with nothing_compiled(), refuses(message, error):
            call()
    assert model.fingerprint() == before
    model.compile("sgd", "mse")
    assert np.isfinite(model.train_on_batch(X, Y))


def test_a_loss_of_one_number_cannot_be_weighed(refuses):
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", lambda y, p: jnp.mean(jnp.square(y - p)))
    before = model.fingerprint()
    for words in {"sample_weight": ONES}, {"class_weight": {0: 1.0, 1: 2.0}}:
        with refuses("The loss gives one number for the whole batch, so sample_weight and class_weight cannot weigh its rows. "
                     "Let it return one number per row: mean(..., axis=-1)."):
            model.fit(X, BINARY, verbose=0, **words)
    assert model.fingerprint() == before
    assert np.isfinite(model.train_on_batch(X, Y))


def test_check_inputs_false_lets_values_through_and_shapes_not(refuses):
    model, x = subject("regressor").model, put(X, (5, 1), np.nan)
    before = model.fingerprint()
    assert np.isnan(model.evaluate(x, Y, verbose=0, check_inputs=False))
    assert np.isnan(model.predict(x, check_inputs=False)).sum() == 1
    with refuses("x has shape (24, 3), but the model wants (None, 4)."):
        model.evaluate(x[:, :3], Y, verbose=0, check_inputs=False)
    assert model.fingerprint() == before


def test_what_is_compiled_is_noticed():
    before = len(COMPILED)
    model = Sequential([Dense(1, input_shape=(4,))], seed=0)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=24, validation_split=0.5, verbose=0)
    model.predict(X)
    assert sorted(set(COMPILED[before:]) & OURS) == ["jit(evaluate)", "jit(predict)", "jit(train)"]      # evaluate beside train
