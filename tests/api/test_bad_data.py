"""Data that do not fit are refused with one clear error, before anything is compiled, and the model stays as it was.

Most cases are a row in a table: what it is, the model, the bad argument, the error and its whole text.
"""

import datetime

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from bad_input import (
    BINARY,
    FOR_TEXTS,
    IDS,
    LABELS,
    ONE_HOT,
    ONES,
    PICTURES,
    SEQUENCES,
    STEP_LABELS,
    X,
    Y,
    nothing_compiled,
    put,
    subject,
    table,
    unharmed,
)

from jaxseq.layers import LSTM, Dense
from jaxseq.models import Sequential

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


def test_a_sequence_has_at_least_one_step(refuses):
    model = Sequential([LSTM(1, input_shape=(None, 4))], seed=0)
    with nothing_compiled(), refuses("x has shape (24, 0, 4): its rows are empty."):
        model.predict(SEQUENCES[:, :0])


def test_check_inputs_false_lets_values_through_and_shapes_not(refuses):
    model, x = subject("regressor").model, put(X, (5, 1), np.nan)
    before = model.fingerprint()
    assert np.isnan(model.evaluate(x, Y, verbose=0, check_inputs=False))
    assert np.isnan(model.predict(x, check_inputs=False)).sum() == 1
    with refuses("x has shape (24, 3), but the model wants (None, 4)."):
        model.evaluate(x[:, :3], Y, verbose=0, check_inputs=False)
    assert model.fingerprint() == before


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
