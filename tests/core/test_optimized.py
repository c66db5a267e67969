"""XLA's optimizations change a layer's numbers by rounding alone: many tests do without them, users' programs have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core.test_contract import EVALUATION, FIRST, assert_same, each_costly_case, training

from jaxseq.core.augmenting import Coloring
from jaxseq.core.run import compiled


@pytest.mark.every(8)
@pytest.mark.parametrize("case", FIRST, ids=lambda case: case.name)
def test_outputs_and_gradients_are_those_of_a_program_without_them(case, request):
    """In evaluation and in training; gradients of weights, and of the input where it has any."""
    (params, state), x = case.start, case.x
    real = jnp.issubdtype(x.dtype, jnp.floating)

    def loss(params, x):
        outputs = [case.layer.apply(params, state, x, ctx)[0] for ctx in (EVALUATION, training())]
        return sum(jnp.vdot(np.random.default_rng(1).normal(size=y.shape).astype(y.dtype), y) for y in outputs), outputs

    both = jax.value_and_grad(loss, argnums=(0, 1) if real else 0, has_aux=True)
    usual = compiled(both)(params, x)
    request.getfixturevalue("quickly_compiled")
    again = compiled(lambda *point: both(*point))       # another function, or JAX would find the first one's program
    assert_same(usual, again(params, x), rtol=1e-5, atol=1e-5)


@pytest.mark.every(6)
@each_costly_case
def test_jit_equals_eager(case, request):
    """Compiled quickly, but for colours, which then round otherwise by 3e-6; the test above is about the difference."""
    if not isinstance(case.layer, Coloring):
        request.getfixturevalue("quickly_compiled")
    assert_same(case.run()[1], case.layer.apply(*case.start, case.x, training()), rtol=1e-6, atol=1e-6)
