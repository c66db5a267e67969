"""A layer and its twin in Keras, with the same weights: values and gradients in one program."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose

from jaxseq.core.types import Ctx, Spec

QUICK = {"xla_backend_optimization_level": 0}       # these programs run once: their compilation is what costs


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights(layer, x, seed=1):
    """Params in the layer's own order, with no zeros among them, so that no mistake hides behind one."""
    shapes = {}

    def init(key):
        shapes.update({name: value.shape for name, value in layer.init(key, Spec(x.shape, x.dtype))[0].items()})
        return 0

    jax.eval_shape(init, jax.random.key(0))
    return {name: numbers(*shape, seed=seed + place) * 0.5 for place, (name, shape) in enumerate(shapes.items())}


def run(layer, params, state, x, ctx):
    """layer.apply as one program."""
    apply = lambda params, state, x, key, mask: layer.apply(params, state, x, Ctx(ctx.train, key, mask))
    return jax.jit(apply, compiler_options=QUICK)(params, state, x, ctx.key, ctx.mask)


def assert_twins(layer, theirs, x, mask=None, train=True, state=None, rtol=2e-5, atol=2e-6):
    """The same outputs, and the same gradients by all weights, in the order of Keras's get_weights, and by x."""
    params, mask = weights(layer, x), None if mask is None else jnp.asarray(mask)
    theirs.build(x.shape)
    assert [value.shape for value in params.values()] == [tuple(each.shape) for each in theirs.trainable_variables]
    moving = [each.value for each in theirs.non_trainable_variables]

    def ours(values, x):
        return layer.apply(dict(zip(params, values, strict=True)), state or {}, x, Ctx(train, jax.random.key(0), mask))[0]

    def keras_gives(values, x):
        return theirs.stateless_call(values, moving, x, training=train, **({} if mask is None else {"mask": mask}))[0]

    @lambda run: jax.jit(run, compiler_options=QUICK)
    def both(values, x):
        def with_gradients(run):
            y, back = jax.vjp(run, values, x)
            return y, back(jnp.asarray(numbers(*y.shape, seed=9)))
        return with_gradients(ours), with_gradients(keras_gives)

    one, other = both(list(params.values()), jnp.asarray(x))
    for mine, their in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert_allclose(mine, their, rtol=rtol, atol=atol)
