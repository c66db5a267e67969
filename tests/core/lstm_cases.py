"""Small LSTMs with weights, and what is asked of two ways to compute one thing: values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose

from jaxseq.core.types import Spec

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
QUICK = {"xla_backend_optimization_level": 0}
CLOSE = {"rtol": 2e-5, "atol": 2e-6}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X = numbers(BATCH, TIME, FEATURES)


def weights(layer, features=FEATURES, seed=1):
    """Params with no zeros among them, so that no mistake hides behind one."""
    params, _ = jax.eval_shape(lambda key: layer.init(key, Spec((BATCH, TIME, features), jnp.float32)), jax.random.key(0))
    return {name: jnp.asarray(numbers(*value.shape, seed=seed + place) * 0.5)
            for place, (name, value) in enumerate(sorted(params.items()))}


def value_and_gradients(function, *arguments):
    """f(...), and the gradients of a weighted sum of it, in one program."""
    def run(*arguments):
        y, back = jax.vjp(function, *arguments)
        return y, back(jnp.asarray(numbers(*y.shape, seed=9), y.dtype))
    return jax.jit(run, compiler_options=QUICK)(*arguments)


def assert_same(ours, theirs, **tolerance):
    assert_allclose(ours[0], theirs[0], **tolerance)
    for mine, their in zip(jax.tree.leaves(ours[1]), jax.tree.leaves(theirs[1]), strict=True):
        assert_allclose(mine, their, **tolerance)
