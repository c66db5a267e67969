"""Programs that were exported, read back and compared with predict."""

import numpy as np
from jax import export
from numpy.testing import assert_allclose


def read(path):
    return export.deserialize(bytearray(path.read_bytes()))


def some(shape, dtype="float32", seed=0):
    draws = np.random.default_rng(seed)
    return (draws.normal(size=shape) if np.dtype(dtype).kind == "f" else draws.integers(4, size=shape)).astype(dtype)


def assert_is_predict(model, program, *shapes):
    for shape in shapes:
        x = some(shape, program.in_avals[0].dtype)
        y, expected = program.call(x), model.predict(x)
        assert y.dtype == expected.dtype
        assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
