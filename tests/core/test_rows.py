"""Sums over all rows against NumPy in float64, and what their barrier is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose

from jaxseq.core.kernels.rows import add_to_rows, scale_rows, sum_of_rows

SHAPES = [(7,), (5, 4), (3, 5, 4), (2, 3, 1, 40), (70, 40, 3), (0, 3, 2), (2, 3, 0)]
WITH_ROWS = {add_to_rows: (np.add, lambda x, row, dy: (dy, dy)),
             scale_rows: (np.multiply, lambda x, row, dy: (dy * row, dy * x))}


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape) + 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sum_is_that_of_numpy(shape, dtype):
    x = jnp.asarray(numbers(*shape), dtype)
    y = jax.jit(sum_of_rows)(x)
    assert y.dtype == dtype
    expected = np.asarray(x, np.float64).sum(tuple(range(x.ndim - 1)))
    assert_allclose(np.asarray(y, np.float64), expected, rtol=2e-6 if dtype == "float32" else 1e-2)


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("function", WITH_ROWS)
def test_values_and_gradients_are_those_of_numpy(function, shape):
    x, row, dy = (numbers(*each) for each in (shape, shape[-1:], shape))
    given = [jnp.float32(each) for each in (x, row, dy)]
    y, (dx, by_row) = jax.jit(lambda x, row, dy: (function(x, row), jax.vjp(function, x, row)[1](dy)))(*given)
    expected, by_each = WITH_ROWS[function]
    assert_allclose(y, expected(x, row), rtol=1e-6, atol=1e-6)
    in_x, in_row = by_each(x, row, dy)
    assert_allclose(dx, in_x, rtol=1e-6)
    assert_allclose(by_row, in_row.sum(tuple(range(len(shape) - 1))), rtol=1e-5)


@pytest.mark.parametrize("function", WITH_ROWS)
def test_gradients_of_any_order(function):
    x, row = jnp.float32(numbers(3, 5, 4)), jnp.float32(numbers(4))
    check_grads(lambda x, row: jnp.sin(function(x, row)), (x, row), order=2, modes=["rev"], rtol=2e-2)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(function, (x, row), (x, row))


def test_the_sum_can_be_differentiated_both_ways():
    x = jnp.float32(numbers(3, 5, 4))
    check_grads(lambda x: jnp.sin(sum_of_rows(x)), (x,), order=2, rtol=2e-2)


@pytest.mark.parametrize("function", WITH_ROWS)
def test_each_part_of_the_gradient_has_the_dtype_of_what_it_belongs_to(function):
    x, bias = jnp.ones((2, 3, 4), jnp.bfloat16), jnp.ones(4)
    with jax.numpy_dtype_promotion("standard"):
        y, back = jax.vjp(function, x, bias)
    assert y.dtype == jnp.float32
    assert [each.dtype for each in back(y)] == [jnp.bfloat16, jnp.float32]


def test_each_member_has_its_sum():
    x, bias = jnp.float32(numbers(6, 3, 5, 4)), jnp.float32(numbers(6, 4))
    assert_allclose(jax.vmap(sum_of_rows)(x), x.sum((1, 2)), rtol=1e-5)
    by_bias = jax.vmap(jax.grad(lambda bias, x: jnp.sum(jnp.sin(add_to_rows(x, bias)))))(bias, x)
    assert_allclose(by_bias, jnp.cos(x + bias[:, None, None]).sum((1, 2)), rtol=1e-4, atol=1e-5)


def test_on_the_cpu_no_sum_goes_over_several_axes():
    program = jax.jit(sum_of_rows).lower(jax.ShapeDtypeStruct((64, 20, 30, 8), jnp.float32)).compile().as_text()
    windows = [line.split("window={size=")[1].split()[0] for line in program.splitlines() if " reduce-window(" in line]
    assert windows
    assert all(sum(size != "1" for size in window.split("x")) == 1 for window in windows)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_elsewhere_xla_has_its_own_way(platform):
    exported = jax.export.export(jax.jit(sum_of_rows), platforms=[platform])(jax.ShapeDtypeStruct((6, 5, 4), jnp.float32))
    assert "optimization_barrier" not in exported.mlir_module()
    assert "dimensions = [0, 1]" in exported.mlir_module()
