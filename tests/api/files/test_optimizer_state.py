"""Every optimizer's state as a list, against the variables of the same optimizer of Keras after the same steps."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq import optimizers
from jaxseq.api.files import optimizer_state
from jaxseq.core.optimizers import CLASSES

START = {"dense": {"kernel": np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 1e-3]], np.float32),
                   "bias": np.array([0.25, -4.0], np.float32)},
         "embedding": {"embeddings": np.array([[1.0, 2.0], [3.0, -1.0]], np.float32)}}
SLOTS = [("params", "dense", "kernel"), ("params", "dense", "bias"), ("params", "embedding", "embeddings")]
STEPS = 5
CASES = [
    ("SGD", {}), ("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"gradient_accumulation_steps": 3, "momentum": 0.5}),
    ("RMSprop", {}), ("RMSprop", {"momentum": 0.5}), ("RMSprop", {"centered": True, "momentum": 0.5}), ("Adagrad", {}),
    ("Adadelta", {}), ("Adam", {}), ("Adam", {"amsgrad": True}), ("Adam", {"use_ema": True, "clipvalue": 0.5}),
    ("AdamW", {"gradient_accumulation_steps": 2, "use_ema": True}), ("Adamax", {}), ("Nadam", {}), ("Ftrl", {}), ("Lion", {}),
    ("Adafactor", {}), ("Lamb", {}), ("ScheduleFreeAdamW", {}), ("Muon", {})]


def gradients(step):
    return jax.tree.map(lambda w: np.float32(1.1 + np.sin(step)) * (w - np.float32(np.cos(0.7 * step))), START)


def in_order(tree):
    return [tree[layer][weight] for _, layer, weight in SLOTS]


def theirs(name, settings):
    """Keras's optimizer after the steps."""
    optimizer = getattr(keras.optimizers, name)(0.01, **settings)
    weights = []
    for _, layer, weight in SLOTS:
        with keras.name_scope(layer):
            weights.append(keras.Variable(START[layer][weight], name=weight))
    optimizer.build(weights)
    for step in range(STEPS):
        optimizer.apply([jnp.asarray(each) for each in in_order(gradients(step))])
    return [np.asarray(each.value) for each in optimizer.variables]


@pytest.mark.every(4)
@pytest.mark.parametrize(("name", "settings"), CASES, ids=[f"{name} {' '.join(settings)}" for name, settings in CASES])
def test_the_list_is_keras_s(name, settings):
    optimizer = getattr(optimizers, name)(0.01, **settings)
    transform = optimizer.transform()
    update = jax.jit(transform.update, compiler_options={"xla_backend_optimization_level": 0})
    weights, fresh = START, transform.init(START)
    state = fresh
    for step in range(STEPS):
        change, state = update(gradients(step), state, weights)
        weights = jax.tree.map(lambda w, u: np.asarray(w + u), weights, change)
    with jax.numpy_dtype_promotion("standard"):
        wanted = theirs(name, settings)

    leaves = optimizer_state.opened(state)
    listed = optimizer_state.variables(optimizer, leaves, SLOTS)
    assert [each.shape for each in listed] == [each.shape for each in wanted]
    assert [each.whole for each in listed] == [each.dtype.kind == "i" for each in wanted]
    for one, other in zip(listed, wanted, strict=True):
        assert_allclose(one.read(leaves), other, rtol=2e-5, atol=1e-6)

    other = optimizer_state.opened(fresh)
    for each, had in zip(optimizer_state.variables(optimizer, other, SLOTS), listed, strict=True):
        each.write(other, np.asarray(had.read(leaves)))
    for one, had in zip(jax.tree.leaves(optimizer_state.closed(fresh, other)), jax.tree.leaves(state), strict=True):
        assert one.dtype == had.dtype
        assert_allclose(one, had, rtol=1e-6)


def test_every_optimizer_of_ours_is_covered():
    assert {name for name, _ in CASES} == set(CLASSES)


def test_an_optimizer_of_ones_own_has_no_list():
    class Mine(optimizers.SGD):
        pass

    assert optimizer_state.variables(Mine(), {}, []) is None
