"""A model in both libraries, for the tests of docs/differences.md: `k` is keras or jaxseq."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np

PAGE = (Path(__file__).parents[1] / "docs" / "differences.md").read_text()
GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(40, 6)).astype("float32")
Y = GENERATOR.integers(2, size=(40, 1)).astype("float32")
SEQUENCES = GENERATOR.normal(size=(8, 5, 3)).astype("float32")


def stacked(k, *rows, shape=(6,), batch=None, seed=0):
    """A Sequential of either library with this input, its draws fixed."""
    if k is keras:
        keras.utils.set_random_seed(seed)
    words = {} if k is keras else {"seed": seed}
    return k.Sequential([k.Input(shape) if batch is None else k.Input(batch_shape=(batch, *shape)), *rows], **words)


def compiled(k, *rows, loss="mse", optimizer="sgd", measured=None, **how):
    model = stacked(k, *(rows or [k.layers.Dense(1)]), **how)
    model.compile(optimizer=optimizer, loss=loss, metrics=measured)
    return model


def fit(k, *rows, x=X, y=Y, loss="mse", measured=None, optimizer="sgd", **how):
    return compiled(k, *rows, loss=loss, measured=measured, optimizer=optimizer).fit(x, y, verbose=0, **how)


def quiet(function, *values, **words):
    """(the result, what was warned)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*values, **words)
    return result, [str(each.message) for each in caught]
