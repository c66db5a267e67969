"""The compiled programs against hand-written steps: dispatches, states, what is reported."""

import itertools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tasks import assert_bitwise, begun, evaluated, leaves, regression, rows_of, task_of, trained

from jaxseq.core import chain, losses, metrics, optimizers, run
from jaxseq.core.layer import Layer
from jaxseq.core.layers import Dense, Dropout
from jaxseq.core.types import Batch


class Counting(Layer):
    """Adds to x how many batches it has seen."""

    def init(self, key, x):
        return {}, {"seen": jnp.zeros((), jnp.float32)}

    def apply(self, params, state, x, ctx):
        return x + state["seen"], {"seen": state["seen"] + 1}


@pytest.fixture
def draw():
    return np.random.Generator(np.random.Philox(13))


# ---- steps and dispatches ----


def test_neither_bits_nor_programs_depend_on_how_many_steps_a_dispatch_makes(draw):
    traces = []

    def counted(y, y_hat):
        traces.append(y.shape)
        return losses.mean_squared_error(y, y_hat)

    task = task_of(Dense(16, activation="relu"), Dropout(0.5), Dense(3), loss=counted, measured=["mae"],
                   optimizer=optimizers.Adam(0.01).transform())
    batch = regression(draw, 100)
    rows = jnp.asarray(draw.integers(0, 100, (32, 8)), jnp.int32)
    whole = None
    for cuts in [0, 32], range(0, 33, 4), range(33), [0, 1, 17, 17, 32]:
        ts, sums = begun(task, batch), run.zero_sums(task)
        for start, stop in itertools.pairwise(cuts):
            ts, sums = task.train(ts, sums, batch, rows, start, stop)
        whole = whole or (ts, sums)
        assert_bitwise(ts, whole[0])
        assert_bitwise(sums, whole[1])
        assert int(ts.step) == 32
    assert len(traces) == 1


def test_a_run_resumed_from_its_state_goes_on_as_if_nothing_had_been(draw):
    task, batch, rows = task_of(Dropout(0.5), Dense(3)), regression(draw, 32), rows_of(4, 8)
    half, _ = task.train(begun(task, batch), run.zero_sums(task), batch, rows, 0, 2)
    saved = jax.tree.map(lambda leaf: leaf if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else np.asarray(leaf), half)
    resumed, _ = run.make_train(task)(jax.tree.map(jnp.asarray, saved), run.zero_sums(task), batch, rows, 2, 4)
    assert_bitwise(resumed, task.train(begun(task, batch), run.zero_sums(task), batch, rows, 0, 4)[0])


def test_steps_are_those_written_by_hand(draw):
    optimizer = optax.sgd(0.1, momentum=0.9)
    task = task_of(Dense(5, activation="tanh"), Dropout(0.25), Dense(3), optimizer=optimizer)
    batch = regression(draw, 24)
    first = begun(task, batch)
    ts, _ = trained(task, batch, 6)

    def objective(params, x, y, key):
        h = jnp.tanh(x @ params["dense"]["kernel"] + params["dense"]["bias"])
        kept = jax.random.bits(jax.random.fold_in(key, zlib.crc32(b"dropout")), h.shape) >= np.uint32(2**30)
        y_hat = jnp.where(kept, h / 0.75, 0) @ params["dense_1"]["kernel"] + params["dense_1"]["bias"]
        return jnp.mean(jnp.square(y - y_hat))

    @jax.jit
    def step(params, opt_state, number, x, y):
        key = jax.random.fold_in(jax.random.fold_in(first.key, 2), number)
        _, grads = jax.value_and_grad(objective)(params, x, y, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = first.params, optimizer.init(first.params)
    for number in range(6):
        here = slice(4 * number, 4 * number + 4)
        params, opt_state = step(params, opt_state, number, batch.x[here], batch.y[here])
    for path, leaf in leaves(params).items():
        assert_allclose(leaves(ts.params)[path], leaf, rtol=1e-5, atol=1e-6, err_msg=path)


def test_a_step_keeps_structure_shapes_and_dtypes_of_the_train_state(draw):
    task = task_of(Counting(), Dense(4, activity_regularizer="l2"), Dense(3), optimizer=optimizers.Adam().transform(),
                   frozen=["dense"])
    batch = regression(draw, 8)
    before, (after, _) = begun(task, batch), trained(task, batch, 2)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    assert jax.tree.map(jax.typeof, before) == jax.tree.map(jax.typeof, after)
    assert after.step == 2 and after.step.dtype == jnp.int32
    assert_bitwise(jax.random.key_data(after.key), jax.random.key_data(before.key))


def test_state_is_carried_from_step_to_step_in_training_evaluation_and_prediction(draw):
    task, batch = task_of(Counting()), Batch(jnp.zeros((6, 1)), jnp.zeros((6, 1)))
    ts, _ = trained(task, batch, 3)
    assert ts.state["counting"]["seen"] == 3
    state, sums = task.evaluate(ts.params, ts.state, run.zero_sums(task), batch, rows_of(3, 2), 0, 3)
    assert state["counting"]["seen"] == 6
    assert_allclose(run.finish(task, sums)["loss"], np.mean([3**2, 4**2, 5**2]))
    y_hat, state = run.make_predict(task.layers, "float32")(ts.params, state, batch.x[:2])
    assert state["counting"]["seen"] == 7
    assert_array_equal(y_hat, np.full((2, 1), 6.0))


def test_evaluation_draws_nothing_and_is_the_mean_over_unequal_batches(draw):
    task, batch = task_of(Dense(3), Dropout(0.9), measured=["mae"]), regression(draw, 10)
    ts = begun(task, batch)
    state, sums = task.evaluate(ts.params, ts.state, run.zero_sums(task), batch, rows_of(2, 4), 0, 2)
    state, sums = task.evaluate(ts.params, state, sums, batch, rows_of(1, 2) + 8, 0, 1)
    error = batch.y - chain.apply(task.layers, ts.params, ts.state, batch.x).y
    expected = {"loss": float(np.mean(error**2)), "mae": float(np.mean(np.abs(error)))}
    assert run.finish(task, sums) == pytest.approx(expected, rel=1e-5)


def test_prediction_is_the_layers_in_a_row_and_drops_nothing(draw):
    task, batch = task_of(Dense(3, activation="tanh"), Dropout(0.5)), regression(draw, 8)
    ts = begun(task, batch)
    y_hat, state = run.make_predict(task.layers, "float32")(ts.params, ts.state, batch.x)
    assert_allclose(y_hat, chain.apply(task.layers, ts.params, ts.state, batch.x).y, rtol=1e-6)
    assert state == {}


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16])
def test_data_of_any_dtype_become_floats_on_their_way_in(dtype, draw):
    seen = []

    def mine(y, y_hat):
        seen.append((y.dtype, y_hat.dtype))
        return losses.mean_squared_error(y, y_hat)

    task = task_of(Dense(2), loss=mine)
    x, y = draw.integers(0, 9, (4, 3)), draw.integers(0, 9, (4, 2))
    given = evaluated(task, Batch(jnp.asarray(x.astype(dtype)), jnp.asarray(y.astype(dtype))))
    assert given == evaluated(task, Batch(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)))
    assert set(seen) == {(jnp.dtype("float32"), jnp.dtype("float32"))}


# ---- sums and numbers ----


def test_nothing_divided_by_nothing_is_nan_without_a_warning():
    hits = metrics.Monoid("hits", (0.0, 0), lambda y, y_hat, weight: (jnp.sum(y), jnp.int32(0)), lambda hit, of: hit / of)
    task = task_of(Dense(1), measured=["mae", hits])
    given = run.finish(task, run.zero_sums(task))
    assert list(given) == ["loss", "mae", "hits"]
    assert all(isinstance(value, float) and np.isnan(value) for value in given.values())


def test_a_metric_may_begin_at_pythons_zero(draw):
    traces = []

    def sums(y, y_hat, weight):
        traces.append(y.shape)
        return jnp.sum(y), jnp.int32(y.shape[0])

    task = task_of(Dense(3), measured=[metrics.Monoid("mean_y", (0.0, 0), sums, lambda total, rows: total / rows)])
    batch = regression(draw, 8)
    ts, totals = task.train(begun(task, batch), run.zero_sums(task), batch, rows_of(2, 4), 0, 1)
    _, totals = task.train(ts, totals, batch, rows_of(2, 4), 1, 2)
    assert_allclose(run.finish(task, totals)["mean_y"], np.sum(batch.y) / 8, rtol=1e-5)
    assert len(traces) == 1
