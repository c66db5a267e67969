"""Stacks that nobody thought of, through files: trained here, on in Keras 3, and on here again."""

from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np
import pytest
from both_ways import back, there, trained, with_weights
from hypothesis import given, note
from random_stacks import examples, stacks

import jaxseq

# Keras tells of every mask that a layer does not hand on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True, scope="module")
def promoted():
    """Keras's programs promote dtypes."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def go_both_ways(stack):
    note(f"{stack}")
    draw = np.random.default_rng(0)
    model, x = with_weights(stack.built(jaxseq)), stack.data(4, draw)
    y = draw.normal(size=(len(x), *model.output_shape[1:])).astype("float32")
    model.compile(jaxseq.optimizers.Adam(0.01, epsilon=0.1), "mse")         # a gradient of nothing but rounding stays one
    trained(model, x, y, 2)
    with TemporaryDirectory() as folder:
        back(there(model, x, y, Path(folder)), x, y, Path(folder))


@examples(3)
@given(stacks(most=3))
def test_a_random_stack_goes_both_ways(stack):
    go_both_ways(stack)


@pytest.mark.full
@pytest.mark.timeout(1200)
@examples(60)
@given(stacks(most=4))
def test_more_random_stacks_go_both_ways(stack):
    go_both_ways(stack)
