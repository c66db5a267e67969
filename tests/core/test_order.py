"""What waits for what on the CPU: the numbers stay as they are, and weights are moved where they lie."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tasks import begun, regression, rows_of, task_of

from jaxseq.core import optimizers, run
from jaxseq.core.kernels.order import after, always
from jaxseq.core.layers import Dense

ODD = np.array([np.nan, -0.0, np.inf, 1e-30, -3.0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "uint32", "int8"])
def test_whatever_the_number_it_is_always(dtype):
    """Zeros, all bits and NaN among them."""
    words = np.array([0, 1, -1, 127], np.int8).astype(dtype)
    for x in [*words, *(ODD.astype(dtype) if jnp.issubdtype(dtype, jnp.floating) else [])]:
        assert jax.jit(always)(jnp.full((2, 3), x))


@pytest.mark.parametrize("x", ODD)
def test_what_waits_keeps_every_bit(x):
    for leaf in jnp.asarray(ODD, jnp.float32), jnp.asarray(ODD, jnp.bfloat16), jnp.arange(3):
        waited = jax.jit(after)(leaf, jnp.full((2, 2), x))
        assert waited.dtype == leaf.dtype
        assert_array_equal(np.asarray(waited).view(np.uint8), np.asarray(leaf).view(np.uint8))


@pytest.mark.every(3)
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("optimizer", [optimizers.SGD(0.1, momentum=0.9), optimizers.RMSprop(), optimizers.Adam()], ids=repr)
def test_a_step_copies_no_weights_that_wait(optimizer, waits, monkeypatch):
    """Each kernel of 7 x 7 and 7 x 5 is read backward, too; what the loop makes of it takes its place, where that waits."""
    monkeypatch.setattr(run, "LARGE", 7 * 5 if waits else 7 * 7 + 1)
    task = task_of(Dense(7, activation="tanh"), Dense(7, activation="tanh"), Dense(5), optimizer=optimizer.transform())
    batch = regression(np.random.default_rng(13), 24, features=6, targets=5)
    program = task.train.lower(begun(task, batch), run.zero_sums(task), batch, rows_of(3, 8), 0, 3).compile().as_text()
    body = next(part for part in program.split("\n\n") if "jvp(dense_1)/dot_general" in part and " dot(" in part)
    assert body.count(" dot(") == 8
    copies = re.findall(r"f32\[(?:6,7|7,7|7,5)\]\S* copy\([^)]*%get-tuple-element", body)
    assert len(copies) == (0 if waits else 2)
