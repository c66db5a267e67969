"""What every layer promises, held over every case in tests/core/cases. A new layer without a case fails here."""

import dataclasses
import importlib
import pkgutil

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import constraints, initializers, layers, regularizers
from jaxseq.core.layer import Layer
from jaxseq.core.types import Ctx, Spec

MODULES = [importlib.import_module(f"cases.{module.name}") for module in pkgutil.iter_modules(cases.__path__)]
CASES = [case for module in MODULES for case in module.CASES]
SETTINGS = vars(initializers) | vars(regularizers) | vars(constraints) | vars(layers)
EVALUATION = Ctx()

each_case = pytest.mark.parametrize(("layer", "shape", "dtype"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])


def training(number=0):
    return Ctx(train=True, key=jax.random.key(number))


def inputs(shape, dtype, seed=0):
    """Random numbers without ties or exact zeros; ids from 0 to 3 where the dtype is whole."""
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=shape) if dtype.startswith("float") else random.integers(4, size=shape), dtype)


def built(layer, shape, dtype, seed=0):
    """(params, state, x)."""
    params, state = layer.init(jax.random.key(seed), Spec(shape, dtype))
    return params, state, inputs(shape, dtype)


def specs(tree):
    """Shape, dtype and weak type of every leaf: what decides whether a program is traced again."""
    return jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf), jax.core.get_aval(leaf).weak_type), tree)


def draws(layer, params, state, x):
    """Whether the layer asks for its key."""
    try:
        layer.apply(params, state, x, Ctx(train=True))
    except ValueError as error:
        assert "needs a key" in str(error)
        return True
    return False


def assert_same(left, right, **tolerance):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(lambda a, b: assert_allclose(a, b, **tolerance), left, right)


# ---- coverage


def test_every_layer_has_a_case():
    exported = {each for each in vars(layers).values() if isinstance(each, type) and issubclass(each, Layer)}
    assert exported == {type(layer) for _, layer, _, _ in CASES}


def test_every_case_has_its_own_name():
    names = [name for name, *_ in CASES]
    assert len(names) == len(set(names))


# ---- shapes and programs


@each_case
@pytest.mark.parametrize("ctx", [EVALUATION, training()], ids=["evaluation", "training"])
def test_the_shape_is_the_one_eval_shape_gives(layer, shape, dtype, ctx):
    params, state, x = built(layer, shape, dtype)
    expected = jax.eval_shape(lambda p, s, v: layer.apply(p, s, v, ctx), params, state, x)
    y, new_state = layer.apply(params, state, x, ctx)
    assert (y.shape, y.dtype) == (expected[0].shape, expected[0].dtype)
    assert y.dtype == jnp.float32
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), new_state) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), expected[1])


@each_case
def test_initial_weights_are_float32_and_finite(layer, shape, dtype):
    params, state, _ = built(layer, shape, dtype)
    for leaf in jax.tree.leaves((params, state)):
        assert leaf.dtype == jnp.float32 and jnp.isfinite(leaf).all()


@each_case
@pytest.mark.parametrize("ctx", [EVALUATION, training()], ids=["evaluation", "training"])
def test_jit_equals_eager(layer, shape, dtype, ctx):
    params, state, x = built(layer, shape, dtype)
    compiled = jax.jit(lambda p, s, v: layer.apply(p, s, v, ctx))
    assert_same(compiled(params, state, x), layer.apply(params, state, x, ctx), rtol=1e-6, atol=1e-6)


@each_case
@pytest.mark.parametrize("train", [False, True], ids=["evaluation", "training"])
def test_ten_steps_are_one_trace_and_keep_the_structure_of_the_state(layer, shape, dtype, train):
    params, state, x = built(layer, shape, dtype)
    traces = []

    @jax.jit
    def step(params, state, x, key):
        traces.append(1)
        return layer.apply(params, state, x, Ctx(train, key if train else None))

    before = specs(state)
    for number in range(10):
        _, state = step(params, state, x, jax.random.key(number))
        assert specs(state) == before
    assert len(traces) == 1


@each_case
def test_bfloat16_in_bfloat16_out(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    y, new_state = layer.apply(half, state, x.astype(jnp.bfloat16) if dtype == "float32" else x, EVALUATION)
    assert y.dtype == jnp.bfloat16
    assert specs(new_state) == specs(state)
    assert_allclose(np.float32(y), layer.apply(params, state, x, EVALUATION)[0], rtol=0.1, atol=0.1)


@each_case
def test_a_leading_axis_of_models_equals_a_loop(layer, shape, dtype):
    pairs = [built(layer, shape, dtype, seed)[:2] for seed in range(3)]
    x = inputs(shape, dtype)
    run = lambda params, state: layer.apply(params, state, x, training())
    together = jax.vmap(run, axis_size=3)(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *pairs))
    for number, (params, state) in enumerate(pairs):
        assert_same(jax.tree.map(lambda leaf, number=number: leaf[number], together), run(params, state), rtol=1e-5, atol=1e-6)


# ---- gradients


@each_case
@pytest.mark.parametrize("train", [False, True], ids=["evaluation", "training"])
def test_gradients_are_finite_differences(layer, shape, dtype, train):
    with jax.enable_x64(True):
        wide = lambda tree: jax.tree.map(lambda leaf: leaf.astype("float64") if leaf.dtype == jnp.float32 else leaf, tree)
        params, state, x = wide(built(layer, shape, dtype))
        ctx = Ctx(train, jax.random.key(1) if train else None)
        if dtype == "float32":
            check_grads(lambda p, v: layer.apply(p, state, v, ctx)[0], (params, x), order=1, modes=["rev"], rtol=1e-5, atol=1e-6)
        else:
            check_grads(lambda p: layer.apply(p, state, x, ctx)[0], (params,), order=1, modes=["rev"], rtol=1e-5, atol=1e-6)


@each_case
def test_no_gradient_flows_through_the_state(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    through = jax.grad(lambda p: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(layer.apply(p, state, x, training())[1]))
                       + jnp.zeros(()))(params)
    for leaf in jax.tree.leaves(through):
        assert not leaf.any()


@each_case
def test_penalties_and_constraints_keep_shapes(layer, shape, dtype):
    params, _, _ = built(layer, shape, dtype)
    penalty = layer.penalty(params)
    assert penalty.shape == () and penalty.dtype == jnp.float32
    assert specs(layer.constrain(params)) == specs(params)


# ---- draws and masks


@each_case
def test_the_same_key_draws_the_same_and_another_key_another(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    first, again, other = (layer.apply(params, state, x, training(number))[0] for number in (0, 0, 1))
    assert_array_equal(first, again)
    assert bool(jnp.any(first != other)) == draws(layer, params, state, x)


@each_case
def test_evaluation_draws_nothing(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    with_key = layer.apply(params, state, x, Ctx(key=jax.random.key(5)))
    assert_same(layer.apply(params, state, x, EVALUATION), with_key, rtol=0)


@each_case
def test_initial_weights_are_a_function_of_the_key(layer, shape, dtype):
    first, again, other = (built(layer, shape, dtype, seed)[0] for seed in (0, 0, 1))
    assert_same(first, again, rtol=0)
    assert jax.tree.structure(first) == jax.tree.structure(other)


@each_case
def test_the_mask_that_goes_on_fits_the_output(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    mask = jnp.ones(shape[:2], bool).at[0, 0].set(False) if len(shape) == 3 else None
    given = Ctx(mask=mask)
    y, _ = layer.apply(params, state, x, given)
    going_on = layer.out_mask(x, mask)
    if going_on is not None:
        assert going_on.dtype == jnp.bool_ and going_on.shape == y.shape[:going_on.ndim]
    assert_allclose(jax.jit(lambda v: layer.apply(params, state, v, given)[0])(x), y, rtol=1e-6, atol=1e-6)


# ---- the declaration


@each_case
def test_repr_is_the_line_that_makes_an_equal_layer(layer, shape, dtype):
    again = eval(repr(layer), dict(SETTINGS))
    assert again == layer and hash(again) == hash(layer) and repr(again) == repr(layer)


@each_case
def test_replace_makes_a_copy(layer, shape, dtype):
    copy = dataclasses.replace(layer, name="another")
    assert copy == layer and copy is not layer and copy.name == "another"
    assert dataclasses.asdict(dataclasses.replace(copy, name=layer.name)) == dataclasses.asdict(layer)


@each_case
def test_a_layer_is_frozen_but_for_trainable(layer, shape, dtype):
    layer = dataclasses.replace(layer)
    for each in dataclasses.fields(layer):
        if each.name != "trainable":
            with pytest.raises(AttributeError, match="cannot be changed: a layer is a frozen declaration"):
                setattr(layer, each.name, None)
    layer.trainable = False
    assert layer.trainable is False


@each_case
def test_a_misspelt_keyword_is_refused_with_a_hint(layer, shape, dtype):
    with pytest.raises(TypeError, match=f"{type(layer).__name__} takes no argument 'trainabel'. Did you mean 'trainable'?"):
        type(layer)(trainabel=True)


@each_case
def test_reset_keeps_the_structure(layer, shape, dtype):
    params, state, x = built(layer, shape, dtype)
    _, state = layer.apply(params, state, x, training())
    assert specs(layer.reset(state)) == specs(state)
