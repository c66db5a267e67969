"""What every layer promises, held over every case in tests/core/cases. A new layer without a case fails here."""

import dataclasses
import importlib
import pkgutil
from functools import cached_property

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import own
from numpy.testing import assert_allclose, assert_array_equal
from shares import always

from jaxseq.core import activations, chain, constraints, initializers, layers, policy, regularizers
from jaxseq.core.layer import Layer
from jaxseq.core.nested import PENALTY
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")    # programs run once or twice

SETTINGS = (vars(own) | vars(activations) | vars(initializers) | vars(regularizers) | vars(constraints)
            | vars(layers))
EVALUATION = Ctx()
QUICK = {"xla_backend_optimization_level": 0}       # these programs run a few times: their compilation is what costs


def inputs(shape, dtype):
    """Random numbers without ties or exact zeros; ids from 0 to 3 where the dtype is whole."""
    random = np.random.default_rng(0)
    return jnp.asarray(random.normal(size=shape) if dtype.startswith("float") else random.integers(4, size=shape), dtype)


def training(number=0):
    return Ctx(train=True, key=jax.random.key(number))


def specs(tree):
    """Shape, dtype and weak type of every leaf: what decides whether a program is traced again."""
    return jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf), jax.typeof(leaf).weak_type), tree)


def assert_same(left, right, **tolerance):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(lambda a, b: assert_allclose(a, b, **tolerance), left, right)


class Case:
    """A layer with an input and first weights, and its program, compiled once for all tests."""

    def __init__(self, name, layer, shape, dtype):
        self.name, self.layer, self.shape, self.dtype, self.traces = name, layer, shape, dtype, 0

    @cached_property
    def x(self):
        return inputs(self.shape, self.dtype)

    @cached_property
    def start(self):
        """(params, state)."""
        return self.draw(0)

    @cached_property
    def init(self):
        return jax.jit(lambda key: self.layer.init(key, Spec(self.shape, self.dtype)), compiler_options=QUICK)

    def draw(self, seed):
        return self.init(jax.random.key(seed))

    @cached_property
    def both(self):
        """(params, state, x, key) -> ((y, state) in evaluation, (y, state) in training)."""
        def run(params, state, x, key):
            self.traces += 1
            return self.layer.apply(params, state, x, EVALUATION), self.layer.apply(params, state, x, Ctx(True, key))
        return jax.jit(run, compiler_options=QUICK)

    def run(self, number=0):
        return self.both(*self.start, self.x, jax.random.key(number))

    @property
    def mask(self):
        """(batch, time), the first step masked; None where x is no sequence."""
        if len(self.shape) != 3:
            return None
        time = self.shape[-1] if getattr(self.layer, "data_format", None) == "channels_first" else self.shape[1]
        return jnp.ones((self.shape[0], time), bool).at[0, 0].set(False)


MODULES = [importlib.import_module(f"cases.{module.name}") for module in pkgutil.iter_modules(cases.__path__)]
CASES = [Case(*case) for module in MODULES for case in module.CASES]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


FIRST = list({type(case.layer): case for case in reversed(CASES)}.values())
TYPED = [case for case in CASES if not isinstance(case.layer, layers.InputLayer)]       # whose dtype is not the data's


def each_in_turn(quick, cases):
    return pytest.mark.parametrize("case", always(quick, cases), ids=lambda case: case.name)


each_costly_case = each_in_turn(FIRST, CASES)           # the first case of every class; with `make test-full` all of them
each_dear_case = each_in_turn(FIRST[::6], CASES)        # that of every sixth class
each_typed_case = each_in_turn(FIRST[::6], TYPED)


# ---- coverage


def test_every_layer_has_a_case():
    exported = {each for each in vars(layers).values() if isinstance(each, type) and issubclass(each, Layer)}
    assert exported == {type(case.layer) for case in CASES} - {own.Gated, own.Stack}


def test_every_case_has_its_own_name():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


# ---- shapes and programs


@pytest.mark.every(3)
@each_case
def test_the_first_weights_are_finite_float32_and_a_function_of_the_key(case):
    for leaf in jax.tree.leaves(case.start):
        assert leaf.dtype == jnp.float32 and np.isfinite(leaf).all()
    assert_same(case.start, case.draw(0), rtol=0)
    assert specs(case.start) == specs(case.draw(1))


@pytest.mark.every(3)
@each_case
def test_the_shape_is_the_one_eval_shape_gives(case):
    for (y, state), ctx in zip(case.run(), (EVALUATION, training()), strict=True):
        expected, expected_state = jax.eval_shape(lambda p, s, x, ctx=ctx: case.layer.apply(p, s, x, ctx), *case.start, case.x)
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        assert y.dtype == jnp.float32
        assert specs(state) == specs(expected_state)


@each_case
def test_ten_steps_are_one_trace_and_keep_the_structure_of_the_state(case):
    params, state = case.start
    before = specs(state)
    for number in range(10):
        (_, evaluated), (_, state) = case.both(params, state, case.x, jax.random.key(number))
        assert specs(evaluated) == specs(state) == before
    assert case.traces == 1
    assert specs(case.layer.reset(state)) == before


@each_case
def test_in_a_chain_the_state_keeps_its_structure_too(case):
    """There an activity penalty stands among the layer's state."""
    alone = [("it", case.layer)]
    params, state = jax.eval_shape(lambda key: chain.init(alone, key, Spec(case.shape, case.dtype)), jax.random.key(0))
    out = jax.eval_shape(lambda p, s, x, key: chain.apply(alone, p, s, x, train=True, key=key)[:2], params, state, case.x,
                         jax.random.key(0))
    assert out[1] == state


@each_case
def test_bfloat16_in_bfloat16_out(case):
    params, state = case.start
    run = lambda params, x: case.layer.apply(params, state, x, EVALUATION)
    y, new_state = jax.eval_shape(run, policy.cast(params, "bfloat16"), policy.cast(case.x, "bfloat16"))
    assert y.dtype == jnp.bfloat16 or case.dtype != "float32" and not params
    assert specs(new_state) == specs(state)


@each_typed_case
def test_declared_as_mixed_bfloat16_it_computes_so_and_keeps_its_weights_in_float32(case):
    layer = [("it", case.layer.replaced(dtype="mixed_bfloat16"))]
    params, _ = jax.eval_shape(lambda key: chain.init(layer, key, Spec(case.shape, case.dtype)), jax.random.key(0))
    assert specs(params.get("it", {})) == specs(dict(case.start[0]))

    def run(params, x):
        out = chain.apply(layer, {"it": params}, {"it": case.start[1]}, x)
        return jnp.sum(jnp.square(out.y.astype("float32"))), out.y

    run = jax.jit(jax.value_and_grad(run, has_aux=True), compiler_options=QUICK)
    (_, y), gradients = run(case.start[0], case.x)
    assert y.dtype == jnp.bfloat16 or case.dtype != "float32" and y.dtype == case.x.dtype
    assert_allclose(np.float32(y), case.run()[0][0], rtol=0.1, atol=0.1)
    for leaf in jax.tree.leaves(gradients):
        assert leaf.dtype == jnp.float32 and np.isfinite(leaf).all()


@each_typed_case
def test_every_dtype_gives_weights_and_outputs_of_its_own(case):
    for name, (computed, kept) in policy.FORMATS.items():
        with jax.enable_x64(name == "float64"):
            layer = [("it", case.layer.replaced(dtype=name))]

            def both(key, x, layer=layer):
                params, state = chain.init(layer, key, Spec(x.shape, x.dtype))
                out = chain.apply(layer, params, state, x, train=True, key=key)
                return params, state, out.y, out.state

            params, state, y, after = jax.eval_shape(both, jax.random.key(0), case.x)
            assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} <= {kept}
            assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} <= {"float64" if kept == "float64" else "float32"}
            assert y.dtype == computed or y.dtype == case.x.dtype != "float32"
            assert specs(after) == specs(state)


@each_dear_case
def test_whole_numbers_give_what_the_same_numbers_give_as_floats(case):
    """Within an Input(dtype="uint8"), say. Standard promotion, as users have it."""
    if case.dtype != "float32" or type(case.layer) in vars(own).values():
        return
    whole = jnp.round(3 * case.x)
    with jax.numpy_dtype_promotion("standard"):
        run = jax.jit(lambda params, state, x, key: [case.layer.apply(params, state, x, Ctx(train, key))[0]
                                                     for train in (False, True)], compiler_options=QUICK)
        wanted, got = (run(*case.start, x, jax.random.key(0)) for x in (whole, whole.astype("int32")))
    assert_same([each.astype("float32") for each in got], wanted, rtol=1e-5, atol=1e-6)


@each_dear_case
def test_a_leading_axis_of_models_equals_a_loop(case):
    models = [case.draw(seed) for seed in range(3)]
    if not jax.tree.leaves(models):
        return
    key = jax.random.key(0)
    together = jax.jit(jax.vmap(lambda params, state: case.layer.apply(params, state, case.x, Ctx(True, key))),
                       compiler_options=QUICK)(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *models))
    for number, model in enumerate(models):
        alone = case.both(*model, case.x, key)[1]
        assert_same(jax.tree.map(lambda leaf, number=number: leaf[number], together), alone, rtol=1e-5, atol=1e-6)


# ---- gradients


@pytest.mark.every(3)
@each_costly_case
def test_gradients_are_finite_differences(case):
    """Along one random direction of weights and input, in float64, of evaluation and training added up."""
    random = np.random.default_rng(1)
    weights = [random.normal(size=y.shape) for y, _ in case.run()]

    with jax.enable_x64(True):
        wide = lambda tree: jax.tree.map(lambda leaf: leaf.astype("float64") if leaf.dtype == jnp.float32 else leaf, tree)
        params, state = wide(case.start)
        point = params, wide(case.x)
        direction = jax.tree.map(lambda leaf: random.normal(size=leaf.shape) * (leaf.dtype == "float64"), point)

        def loss(point):
            params, x = point
            outputs = [case.layer.apply(params, state, x, ctx)[0] for ctx in (EVALUATION, training())]
            return sum(jnp.vdot(weight, y) for weight, y in zip(weights, outputs, strict=True))

        def along(step, point, direction):
            return loss(jax.tree.map(lambda a, d: a + (step * d).astype(a.dtype), point, direction))

        program = jax.jit(jax.value_and_grad(along), compiler_options=QUICK)
        (below, _), (_, slope), (above, _) = (map(float, program(step, point, direction)) for step in (-1e-6, 0.0, 1e-6))
    assert np.isfinite(slope)
    assert_allclose(slope, (above - below) / 2e-6, rtol=1e-6, atol=1e-8)


@each_case
def test_no_gradient_flows_through_the_state(case):
    params, state = case.start
    if not state:
        return
    carried = lambda p: [leaf for name, leaf in case.layer.apply(p, state, case.x, training())[1].items() if name != PENALTY]
    through = jax.jit(jax.grad(lambda p: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(carried(p)))),
                      compiler_options=QUICK)(params)
    for leaf in jax.tree.leaves(through):
        assert not np.any(leaf)


@each_case
def test_penalties_and_constraints_keep_shapes(case):
    params, _ = case.start
    penalty = case.layer.penalty(params)
    assert penalty.shape == () and penalty.dtype == jnp.float32
    assert specs(case.layer.constrain(params)) == specs(params)


@each_case
def test_a_batch_of_no_rows_can_be_traced_there_and_back(case):
    none = Spec((0, *case.shape[1:]), case.dtype)
    params, state = jax.eval_shape(lambda key: case.layer.init(key, none), jax.random.key(0))       # a carry has rows, too
    y, _ = jax.eval_shape(lambda p, s, x: case.layer.apply(p, s, x, EVALUATION), params, state, none)
    assert y.shape == (0, *case.run()[0][0].shape[1:])
    loss = lambda p, s, x: jnp.sum(case.layer.apply(p, s, x, training())[0])
    jax.eval_shape(jax.grad(loss), params, state, none)


# ---- draws and masks


@pytest.mark.every(3)
@each_case
def test_the_same_key_draws_the_same_and_another_key_another(case):
    (first, evaluated), (again, _), (other, other_evaluated) = (case.run(number)[::-1] for number in (0, 0, 1))
    assert_array_equal(first[0], again[0])
    assert_same(evaluated, other_evaluated, rtol=0)
    try:
        jax.eval_shape(lambda p, s, x: case.layer.apply(p, s, x, Ctx(train=True)), *case.start, case.x)
        draws = False
    except (AssertionError, TypeError, ValueError):     # it asks for its key
        draws = True
    assert np.any(first[0] != other[0]) == draws


@each_case
def test_the_mask_that_goes_on_fits_the_output(case):
    run = lambda x: (case.layer.apply(*case.start, x, Ctx(mask=case.mask))[0], case.layer.out_mask(x, case.mask))
    y, going_on = jax.eval_shape(run, case.x)
    if going_on is not None:
        assert going_on.dtype == jnp.bool_ and going_on.shape == y.shape[:len(going_on.shape)]


# ---- the declaration


@each_case
def test_repr_is_the_line_that_makes_an_equal_layer(case):
    again = eval(repr(case.layer), dict(SETTINGS))
    assert again == case.layer and hash(again) == hash(case.layer) and repr(again) == repr(case.layer)


@each_case
def test_replace_makes_a_copy(case):
    copy = case.layer.replaced(name="another")
    assert copy == case.layer and copy is not case.layer and copy.name == "another"
    assert dataclasses.asdict(copy.replaced(name=case.layer.name)) == dataclasses.asdict(case.layer)


@each_case
def test_a_layer_is_frozen_but_for_trainable(case):
    layer = case.layer.replaced()
    for each in dataclasses.fields(layer):
        if each.name != "trainable":
            with pytest.raises(AttributeError, match="cannot be changed: a layer is a frozen declaration"):
                setattr(layer, each.name, None)
    layer.trainable = False
    assert layer.trainable is False


@each_case
def test_a_misspelt_keyword_is_refused_with_a_hint(case):
    name = type(case.layer).__name__
    with pytest.raises(TypeError, match=f"^{name} takes no argument 'trainabel'\\. Did you mean 'trainable'\\?$"):
        type(case.layer)(trainabel=True)
