"""Loss scaling: step for step what Keras's LossScaleOptimizer does, with finite and overflowing gradients."""

import re

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import loss_scale, optimizers
from jaxseq.core.optimizers import SGD, Adam, LossScaleOptimizer
from jaxseq.core.transforms import RateState

INF, NAN = float("inf"), float("nan")
# The greatest of each step's gradients over the scale: what is finite moves the weights, what is not is left out.
COURSE = (1.0, -2.0, 0.5, INF, 1.5, NAN, -INF, 1.0, 0.25, -0.75, 2.0, 1.0)
WEIGHTS = {"bias": np.zeros(2, "float32"), "kernel": np.linspace(-1, 1, 6, dtype="float32").reshape(3, 2)}


def gradient(size, scale):
    """Of the scaled loss: finite everywhere but in one place, where it is `size` times the scale."""
    grads = {name: np.full(weight.shape, 0.5 * scale, "float32") for name, weight in WEIGHTS.items()}
    grads["kernel"][1, 0] = size * scale
    return grads


def keras_course(inner, growth_steps):
    """[(weights, scale, counter, iterations)] after each step, by the pure half of Keras's own optimizer."""
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0, dynamic_growth_steps=growth_steps)
    variables = [keras.Variable(weight) for weight in WEIGHTS.values()]
    optimizer.build(variables)
    weights, state = [each.value for each in variables], [each.value for each in optimizer.variables]
    places = [(each.path, number) for number, each in enumerate(optimizer.variables)]
    place = lambda word: [number for path, number in places if path.endswith(word)][-1]     # the inner optimizer's come last
    for size in COURSE:
        grads = [jnp.asarray(each) for each in gradient(size, float(state[place("dynamic_scale")])).values()]
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)                      # its finite branch reads the inner optimizer's own variables
        weights, state = optimizer.stateless_apply(state, grads, weights)
        state = [getattr(each, "value", each) for each in state]
        yield weights, *(state[place(word)] for word in ("dynamic_scale", "step_counter", "iteration"))


def _is_rate(state):
    return isinstance(state, RateState)


def our_course(inner, growth_steps):
    transform = LossScaleOptimizer(inner, 1024.0, growth_steps).transform()
    rate = lambda state: next(each for each in jax.tree.leaves(state, is_leaf=_is_rate) if _is_rate(each))
    weights = jax.tree.map(jnp.asarray, WEIGHTS)
    state = transform.init(weights)
    update = jax.jit(transform.update)
    for size in COURSE:
        updates, state = update(gradient(size, float(state.scale)), state, weights)
        weights = optax.apply_updates(weights, updates)
        yield list(weights.values()), state.scale, state.growing, rate(state).step


@pytest.mark.every(4)
@pytest.mark.parametrize("growth_steps", [1, 3, 100])
@pytest.mark.parametrize(("ours", "theirs"), [
    (SGD(0.1, momentum=0.9), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
    (Adam(0.1), lambda: keras.optimizers.Adam(0.1)),
    (Adam(0.01, clipvalue=1.0, loss_scale_factor=8.0),
     lambda: keras.optimizers.Adam(0.01, clipvalue=1.0, loss_scale_factor=8.0)),
], ids=["sgd", "adam", "clipped"])
def test_weights_scale_and_counters_are_those_of_keras(ours, theirs, growth_steps):
    steps = list(zip(our_course(ours, growth_steps), keras_course(theirs(), growth_steps), strict=True))
    assert len(steps) == len(COURSE)
    for (weights, *numbers), (their_weights, *their_numbers) in steps:
        assert [float(each) for each in numbers] == [float(each) for each in their_numbers]
        for weight, their_weight in zip(weights, their_weights, strict=True):
            assert_allclose(weight, their_weight, rtol=1e-5, atol=1e-6)


def test_a_step_left_out_changes_no_bit_but_the_scale():
    transform = LossScaleOptimizer(Adam(use_ema=True, gradient_accumulation_steps=2)).transform()
    weights = jax.tree.map(jnp.asarray, WEIGHTS)
    state = transform.init(weights)
    _, state = transform.update(gradient(1.0, 4.0), state, weights)
    updates, after = transform.update(gradient(NAN, 4.0), state, weights)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(updates))
    jax.tree.map(assert_array_equal, after.inner, state.inner)
    assert float(after.scale) == 2.0**14 and int(after.growing) == 0 and int(state.growing) == 1
    kept = loss_scale.kept(state, after, weights, jax.tree.map(lambda w: w + 1, weights))
    jax.tree.map(assert_array_equal, kept, weights)


def test_the_scale_ends_its_growth_where_it_can_come_back():
    transform = LossScaleOptimizer(SGD(0.1), 2.0**126, 1).transform()
    weights = jax.tree.map(jnp.asarray, WEIGHTS)
    state = transform.init(weights)
    scales = []
    for size in 0.0, 0.0, 0.0, NAN:
        _, state = transform.update(jax.tree.map(lambda w, size=size: jnp.full_like(w, size), weights), state, weights)
        scales.append(float(state.scale))
    assert scales == [2.0**127, 2.0**127, 2.0**127, 2.0**126]


def test_a_fixed_factor_divides_and_leaves_nothing_out():
    plain, scaled = SGD(0.1).transform(), SGD(0.1, loss_scale_factor=256.0).transform()
    weights = jax.tree.map(jnp.asarray, WEIGHTS)
    state = scaled.init(weights)
    assert float(loss_scale.scale_of(state)) == 256.0 and loss_scale.scale_of(plain.init(weights)) is None
    expected, _ = plain.update(gradient(2.0, 1.0), plain.init(weights), weights)
    updates, state = scaled.update(gradient(2.0, 256.0), state, weights)
    jax.tree.map(assert_array_equal, updates, expected)
    updates, state = scaled.update(gradient(INF, 256.0), state, weights)
    assert not np.isfinite(updates["kernel"][1, 0]) and float(state.scale) == 256.0


def test_gradients_in_float16_are_divided_in_float32():
    """A scale of 2^16 is infinite in float16."""
    transform = LossScaleOptimizer(SGD(1.0), initial_scale=2.0**16).transform()
    weights = {"w": jnp.zeros(2, "float16")}
    updates, _ = transform.update({"w": jnp.full(2, 2.0**15, "float16")}, transform.init(weights), weights)
    assert_array_equal(updates["w"], np.full(2, -0.5, "float16"))


def test_averages_are_found_behind_the_scale():
    transform = LossScaleOptimizer(SGD(use_ema=True)).transform()
    state = transform.init(jax.tree.map(jnp.asarray, WEIGHTS))
    assert optimizers.averaged_weights(state) is state.inner.average


# ---- the declaration


def test_it_is_written_down_and_made_again():
    optimizer = LossScaleOptimizer("adam", initial_scale=8, dynamic_growth_steps=5)
    assert optimizer.learning_rate == Adam().learning_rate
    assert optimizers.get({"class_name": "LossScaleOptimizer", "config": optimizer.get_config()}) == optimizer
    assert optimizer.get_config()["inner_optimizer"]["class_name"] == "Adam"
    assert optimizers.get(optimizer) is optimizer
    assert LossScaleOptimizer(SGD(loss_scale_factor=4.0)).inner_optimizer == SGD()
    assert LossScaleOptimizer(optax.sgd(0.1)).learning_rate is None


@pytest.mark.parametrize(("words", "error", "message"), [
    ({"initial_scale": 0}, ValueError, "LossScaleOptimizer(initial_scale=0): write a number above 0."),
    ({"initial_scale": NAN}, ValueError, "LossScaleOptimizer(initial_scale=nan): write a number above 0."),
    ({"dynamic_growth_steps": 0}, ValueError,
     "LossScaleOptimizer(dynamic_growth_steps)=0: write a whole number of at least 1."),
    ({"clipnorm": 1.0}, TypeError, "LossScaleOptimizer takes no argument 'clipnorm': write it in the optimizer within, "
     "LossScaleOptimizer(Adam(clipnorm=1.0))."),
    ({"inital_scale": 1.0}, TypeError, "LossScaleOptimizer takes no argument 'inital_scale'. Did you mean 'initial_scale'?"),
])
def test_what_it_cannot_be_is_refused(words, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        LossScaleOptimizer("adam", **words)


def test_two_of_them_are_refused():
    inner = LossScaleOptimizer("sgd")
    with pytest.raises(TypeError, match=f"^{re.escape(f'{inner!r} scales the loss already: pass its inner_optimizer.')}$"):
        LossScaleOptimizer(inner)


def test_a_factor_must_be_positive():
    with pytest.raises(ValueError, match=re.escape("Adam(loss_scale_factor=0): write a number above 0, or None.")):
        Adam(loss_scale_factor=0)
