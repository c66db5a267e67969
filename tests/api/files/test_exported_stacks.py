"""Stacks that nobody thought of: what they export is what they predict, with known lengths and with an unknown one."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, note
from jax import export
from numpy.testing import assert_allclose

import jaxseq

sys.path.insert(0, os.fspath(Path(__file__).parents[2]))
from random_stacks import examples, stacks  # noqa: E402

sys.path.pop(0)


def exports_what_it_predicts(model, stack, path):
    model.export(path)
    program = export.deserialize(bytearray(path.read_bytes()))
    for rows in (1, 5):
        x = stack.data(rows, np.random.default_rng(rows))
        expected = model.predict(x)
        assert_allclose(program.call(x.astype(stack.dtype)), expected, rtol=1e-5, atol=1e-6 * max(1, np.abs(expected).max()))


def exported_alike(stack, path):
    note(f"{stack}")
    exports_what_it_predicts(stack.built(jaxseq), stack, path)
    if len(stack.shape) > 1:
        try:
            longer = stack._replace(shape=(None, *stack.shape[1:])).built(jaxseq)
        except ValueError:                  # a layer that must know the length
            return
        try:
            longer.export(path)
        except ValueError as error:         # a length of which jax cannot tell what a layer asks: windows shorter than strides
            assert "Where a layer must know a length, write it" in str(error)
            return
        exports_what_it_predicts(longer, stack, path)


@given(stacks())
@examples(3)
def test_a_few(tmp_path_factory, stack):
    exported_alike(stack, tmp_path_factory.mktemp("exported") / "m")


@pytest.mark.full
@given(stacks())
@examples(15)
def test_many(tmp_path_factory, stack):
    exported_alike(stack, tmp_path_factory.mktemp("exported") / "m")
