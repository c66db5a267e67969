"""A scan whose outputs take the place of its inputs, against jax.lax.scan: values, gradients, and the memory that it takes."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from jaxseq.core.kernels.in_place import TOGETHER, scan, scan_in_place

TIME = 5


def step(scale, carry, here, now):
    """Two inputs, two outputs, and a carry; each has a part in each."""
    other, real = now
    new = jnp.tanh(here * scale + carry)
    carry = carry + new * other
    return jnp.where(real, carry, 0.5 * carry), new * carry, (carry[:1], None)


def numbers(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


GIVEN = numbers(3), numbers(3, seed=1), numbers(TIME, 3, seed=2)
REAL = jnp.arange(TIME) != 2


@pytest.mark.parametrize("reverse", [False, True])
def test_values_and_gradients_are_those_of_lax_scan(reverse):
    def told(way, scale, carry, place, other):
        carry, place, (outputs, _) = way(step, reverse, scale, carry, place, (other, REAL))
        return jnp.concatenate([carry, place.ravel(), outputs.ravel()])

    given, weights = (*GIVEN, numbers(TIME, 3, seed=3)), numbers(3 + 4 * TIME, seed=4)
    expected, ours = (jax.jit(jax.value_and_grad(lambda *given, way=way: told(way, *given) @ weights, (0, 1, 2, 3)))(*given)
                      for way in (scan, scan_in_place))
    jax.tree.map(lambda one, other: assert_allclose(one, other, rtol=1e-6, atol=1e-6), ours, expected)
    assert_allclose(jax.jit(told, static_argnums=0)(scan_in_place, *given), told(scan, *given), rtol=1e-6, atol=1e-6)


def of_length(time):
    return numbers(3), numbers(3, seed=1), numbers(time, 3, seed=2), (jnp.ones(time), jnp.arange(time) != 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_an_accelerators_form_gives_the_same(reverse, monkeypatch):
    given = of_length(2 * TOGETHER + 3)
    expected = jax.jit(partial(scan, step, reverse))(*given)
    monkeypatch.setattr(lax, "platform_dependent", lambda *given, default, **_: default(*given))
    ours = jax.jit(lambda *given: scan_in_place(step, reverse, *given))(*given)
    jax.tree.map(lambda one, other: assert_allclose(one, other, rtol=1e-6, atol=1e-6), ours, expected)


@pytest.mark.parametrize(("platform", "rounds"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_an_accelerator_makes_several_steps_a_round(platform, rounds):
    """Its loop goes over (rounds, steps of a round, ...)."""
    program = jax.jit(partial(scan_in_place, step, False))
    text = jax.export.export(program, platforms=[platform])(*of_length(2 * TOGETHER)).mlir_module()
    assert (f"tensor<2x{TOGETHER}x3xf32>" in text) == rounds


@pytest.mark.parametrize("reverse", [False, True])
def test_a_length_may_be_unknown(reverse):
    program = jax.jit(lambda *given: scan_in_place(step, reverse, *given))
    time, given = jax.export.symbolic_shape("t")[0], of_length(TIME)
    specs = jax.tree.map(lambda x: jax.ShapeDtypeStruct((time, *x.shape[1:]), x.dtype), given[2:])
    told = jax.export.export(program)(*given[:2], *specs).call(*given)
    jax.tree.map(lambda one, other: assert_allclose(one, other, rtol=1e-6, atol=1e-6), told, program(*given))


def test_no_memory_is_filled_and_copied_for_what_takes_a_place():
    """The loop begins with the array that was made for it, where lax.scan begins with zeros of that size."""
    def program(scale, carry, place):
        return scan_in_place(step, False, scale, carry, jnp.sin(place), (jnp.ones(TIME), REAL))[1]

    text = jax.jit(program).lower(*GIVEN).compile().as_text()
    assert re.findall(rf"f32\[{TIME},3\]\S* ", text) and not re.findall(rf"f32\[{TIME},3\]\S* (?:broadcast|copy)\(", text)
