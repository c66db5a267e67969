"""Arrays for the tests of jaxseq.backend."""

import re

import jax
import numpy as np
import pytest

RNG = np.random.Generator(np.random.Philox(7))
X = RNG.normal(size=(4, 3, 5)).astype(np.float32)
Y = RNG.normal(size=(4, 3, 5)).astype(np.float32)
POSITIVE = np.abs(X) + 0.5
SQUARE = RNG.normal(size=(3, 3)).astype(np.float32)
IDS = np.array([[0, 4], [2, 1]], np.int32)
PROBABILITIES = np.asarray(jax.nn.softmax(X), np.float32)
ONE_HOT = np.eye(5, dtype=np.float32)[RNG.integers(0, 5, (4, 3))]
LABELS = ONE_HOT.argmax(-1).astype(np.float32)
SHARES = np.asarray(jax.nn.sigmoid(X), np.float32)
HITS = (Y > 0).astype(np.float32)


def refuses(message: str, error: type[Exception] = ValueError):
    return pytest.raises(error, match=re.escape(message))
