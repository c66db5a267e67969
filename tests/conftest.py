"""Settings for every test: Keras as an oracle on JAX, and no silent change of dtype."""

import os

os.environ["KERAS_BACKEND"] = "jax"     # read once, when keras is imported
os.environ.setdefault("JAXSEQ_CACHE", "0")  # what tests compile, they compile; test_cache.py has caches of its own

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture
def key():
    return jax.random.key(0)
