"""The product with its own gradient against NumPy in float64, and against XLA's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose

from jaxseq.core.kernels.product import NARROW, product

SHAPES = [(5, 9, 4), (9, 5, 4), (3, 70, NARROW + 1), (70, 3, NARROW + 1), (1, 6, 1), (6, 1, 2)]      # rows, m, n


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(("rows", "m", "n"), SHAPES)
def test_values_and_gradients_are_those_of_numpy(rows, m, n, dtype):
    given = [jnp.asarray(numbers(*shape), dtype) for shape in ((rows, m), (m, n), (rows, n))]
    y, (dx, dw) = jax.jit(lambda x, w, dy: (product(x, w), jax.vjp(product, x, w)[1](dy)))(*given)
    x, w, dy = (np.asarray(each, np.float64) for each in given)
    scale = 1e-5 if dtype == "float32" else 2e-2
    for ours, theirs in ((y, x @ w), (dx, dy @ w.T), (dw, x.T @ dy)):
        assert ours.dtype == dtype
        assert_allclose(np.asarray(ours, np.float64), theirs, rtol=scale, atol=scale * np.abs(theirs).max())


@pytest.mark.parametrize(("rows", "m", "n"), SHAPES)
def test_gradients_of_any_order(rows, m, n):
    check_grads(product, (jnp.float32(numbers(rows, m)), jnp.float32(numbers(m, n))), order=2, modes=["rev"], rtol=2e-2)


def test_each_row_has_its_gradient():
    x, w = jnp.float32(numbers(4, 3, 5)), jnp.float32(numbers(5, 2))
    gradient = jax.grad(lambda w, x, product: jnp.sum(jnp.sin(product(x, w))))
    each = [jax.vmap(gradient, in_axes=(None, 0, None))(w, x, how) for how in (product, jnp.matmul)]
    assert_allclose(*each, rtol=1e-5, atol=1e-6)


def test_no_operand_is_turned_within_a_product_on_the_cpu():
    given = jax.ShapeDtypeStruct((8, 32), jnp.float32), jax.ShapeDtypeStruct((32, 8), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x, w: jnp.sum(jnp.sin(product(x, w))), argnums=(0, 1)))
    program = gradient.lower(*given).compile().as_text()
    products = [line for line in program.splitlines() if " dot(" in line]
    assert len(products) == 3
    assert all("lhs_contracting_dims={1}, rhs_contracting_dims={0}" in line for line in products)
