"""However the data travel, the numbers are those of the rows: streamed or resident, filled up or cut as they come."""

import threading
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import COMPILED, compiled_since
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.api import data as feeds
from jaxseq.callbacks import LambdaCallback
from jaxseq.core import run
from jaxseq.layers import LSTM, BatchNormalization, Dense, Layer, Masking
from jaxseq.models import Sequential
from jaxseq.regularizers import l2

COUNTS = (1, 5, 31, 32, 33, 100)    # of rows, at batches of 32
ONE_BATCH = 7 * (4 * 4 + 4)         # bytes of a batch of the small data, x and y
Streamed = feeds.Streamed


def loading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("jaxseq-data")]


# ---- training

@pytest.fixture
def streams(monkeypatch):
    """streams(slab_bytes): from now on data to train on are streamed. Gives the list of the feeds that come to be."""
    def switch(slab_bytes: int) -> list[feeds.Streamed]:
        made = []

        def streamed(*about):
            feed = Streamed(*about) if len(about) == 6 else Streamed(*about, slab_bytes=slab_bytes)
            made.append(feed)
            return feed

        monkeypatch.setattr(feeds, "resident_bytes", lambda: 0)
        monkeypatch.setattr(feeds, "Streamed", streamed)
        return made

    return switch


def run_of(model, x, y, **words) -> tuple[str, dict]:
    history = model.fit(x, y, **{"batch_size": 7, "epochs": 3, "verbose": 0} | words).history
    return model.fingerprint(), history


@pytest.mark.every(4)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shuffle", [True, False, "batch"])
@pytest.mark.parametrize("slab_bytes", [1, 2 * ONE_BATCH + 60])
def test_a_streamed_run_is_the_resident_run(rewind, data, streams, shuffle, weighted, slab_bytes):
    words = {"shuffle": shuffle, "sample_weight": np.linspace(0, 2, 40) if weighted else None}
    expected = run_of(rewind(), *data, **words)
    made = streams(slab_bytes)
    assert run_of(rewind(), *data, **words) == expected
    assert [type(feed) for feed in made] == [Streamed]
    assert len(list(made[0].one_pass())) == (6 if slab_bytes == 1 else 3)
    assert loading() == []


@pytest.mark.parametrize("rows", [3, 7, 8, 35])
def test_a_streamed_run_of_few_rows_is_the_resident_run(rewind, data, streams, rows):
    expected = run_of(rewind(), data.x[:rows], data.y[:rows])
    streams(2 * ONE_BATCH)
    assert run_of(rewind(), data.x[:rows], data.y[:rows]) == expected


def test_epochs_that_do_not_end_with_a_pass_are_those_of_the_resident_run(rewind, data, streams):
    words = {"steps_per_epoch": 4, "epochs": 5, "validation_data": (data.x[:9], data.y[:9])}
    expected = run_of(rewind(), *data, **words)
    streams(2 * ONE_BATCH)
    assert run_of(rewind(), *data, **words) == expected
    assert loading() == []


def test_batches_with_hooks_are_those_of_the_resident_run(rewind, data, streams):
    watch = lambda seen: LambdaCallback(on_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    ours, theirs = [], []
    expected = run_of(rewind(), *data, callbacks=[watch(theirs)])
    streams(2 * ONE_BATCH)
    assert run_of(rewind(), *data, callbacks=[watch(ours)]) == expected
    assert ours == theirs and len(ours) == 18


def test_a_streamed_run_that_is_stopped_leaves_no_thread(model, data, streams):
    def stop(batch, logs):
        raise RuntimeError("enough")

    streams(1)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(*data, batch_size=7, callbacks=[LambdaCallback(on_batch_end=stop)], verbose=0)
    assert loading() == []


def test_data_in_a_file_are_trained_on_measured_and_predicted(rewind, data, streams, tmp_path):
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=data.x.shape)
    x[:] = data.x
    x.flush()
    x = np.memmap(tmp_path / "x", np.float32, "r", shape=data.x.shape)
    model = rewind()
    expected = run_of(model, *data), model.evaluate(*data, verbose=0), model.predict(data.x)
    streams(2 * ONE_BATCH)
    model = rewind()
    assert run_of(model, x, data.y) == expected[0]
    assert model.evaluate(x, data.y, verbose=0) == expected[1]
    assert_array_equal(model.predict(x), expected[2])


def test_data_on_the_device_stay_there_whatever_their_size(rewind, data, streams):
    expected = run_of(rewind(), *data)
    made = streams(1)
    assert run_of(rewind(), jnp.asarray(data.x), data.y) == expected
    assert made == []
    feed = feeds.training_feed(jnp.asarray(data.x), data.y, None, 7)
    assert type(feed) is feeds.Resident
    assert type(feeds.training_feed(data.x, data.y, None, 7)) is not feeds.Resident


def test_data_go_slab_by_slab_from_their_size_on(monkeypatch, data):
    held = data.x.nbytes + data.y.nbytes
    for limit, kind in (held, feeds.Resident), (held - 1, feeds.Streamed):
        monkeypatch.setattr(feeds, "resident_bytes", lambda limit=limit: limit)
        assert type(feeds.training_feed(data.x, data.y, None, 7)) is kind


@pytest.mark.parametrize(("memory", "most"), [(None, 64 * 2**20), ({}, 64 * 2**20), ({"bytes_limit": 2**20}, 64 * 2**20),
                                              ({"bytes_limit": 9 * 2**30, "bytes_in_use": 2**30}, 2**30)])
def test_an_accelerator_takes_an_eighth_of_what_it_has_left(memory, most, monkeypatch):
    asked = []
    device = SimpleNamespace(memory_stats=lambda: memory)
    monkeypatch.setattr(feeds.jax, "local_devices", lambda backend: asked.append(backend) or [device])
    assert feeds.resident_bytes() == most
    with jax.default_device("cpu"):
        assert feeds.resident_bytes() == most
    assert asked == [None, "cpu"]
    with jax.default_device(jax.devices()[1]):                  # a CPU, which says nothing
        assert feeds.resident_bytes() == 64 * 2**20


def shapes_of(segments) -> list[list[tuple[int, ...]]]:
    return [[leaf.shape for leaf in jax.tree.leaves((segment.slab, segment.rows))] for segment in segments]


@pytest.mark.parametrize("padded", [False, True])
def test_slabs_have_one_shape_whatever_the_number_of_rows(padded):
    found = set()
    for rows in 8, 16, 40, 800, 803:
        column = np.zeros((rows, 5), np.float32)
        feed = Streamed(feeds.Batch(column, column[:, :1], None), rows, 8, False, padded, slab_bytes=3 * 8 * 24)
        segments = list(feed.one_pass())
        assert sum(segment.steps for segment in segments) == feed.steps
        told = [tuple(shape) for shape in shapes_of(feed.kinds())]
        taken = [tuple(shape) for shape in shapes_of(segments)]
        assert set(taken) == set(told)
        found.update(taken[:-1] if rows == 803 and not padded else taken)
    assert found == {((24, 5), (24, 1), (3, 8))}


def test_slabs_hold_each_row_once_and_in_order():
    column = np.arange(83, dtype=np.float32)[:, None]
    feed = Streamed(feeds.Batch(column, column + 100, None), 83, 8, True, slab_bytes=3 * 8 * 8)
    seen = []
    for segment in feed.one_pass((0, 11), 5):
        for rows in np.asarray(segment.rows)[:segment.steps]:
            x, y = np.asarray(segment.slab.x)[rows], np.asarray(segment.slab.y)[rows]
            assert_array_equal(y, x + 100)
            seen.extend(x[:, 0].astype(int))
    assert seen == feeds.rng.row_order((0, 11), 5, 83).tolist()


# ---- one item ahead

@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_items_made_ahead_come_all_and_in_order(count):
    assert list(feeds.ahead(iter(range(1, count + 1)))) == list(range(1, count + 1))
    assert loading() == []


def test_an_item_is_made_while_the_one_before_it_is_in_use():
    second = threading.Event()

    def items():
        yield 1
        second.set()
        yield 2

    coming = feeds.ahead(items())
    assert next(coming) == 1
    assert second.wait(30)
    assert list(coming) == [2]


def test_an_error_comes_at_its_place():
    def items():
        yield from (1, 2)
        raise ValueError("the third")

    seen = []
    with pytest.raises(ValueError, match="the third"):
        for item in feeds.ahead(items()):
            seen.append(item)
    assert seen == [1, 2]
    assert loading() == []


def test_the_thread_ends_when_nobody_wants_more():
    coming = feeds.ahead(iter(range(1, 100)))
    assert next(coming) == 1 and len(loading()) == 1
    coming.close()
    assert loading() == []


# ---- evaluation

class Centred(Layer):
    """Subtracts the mean of the batch."""

    def apply(self, params, state, x, ctx):
        return x - jnp.mean(x, axis=0), state


def spread_of_the_batch(y, y_hat):
    error = y - y_hat
    return jnp.mean(jnp.abs(error - jnp.mean(error, axis=0)), axis=-1)


def twice(x):
    return 2 * x


def drawn(rows: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(rows)).normal(size=(rows, *shape)).astype(np.float32)


def regressor(*layers, loss="mse", metrics=("mae",)) -> Sequential:
    model = Sequential([Dense(3, activation="tanh", input_shape=(4,)), *layers, Dense(2)], seed=0)
    model.compile("sgd", loss, metrics=list(metrics))
    return model


def measured_by_one_program(model, data_of) -> dict[int, list[float]]:
    """What evaluate gives for each number of rows; one program must do for all of them."""
    before = len(COMPILED)
    found = {}
    for rows in COUNTS:
        x, y, weight = data_of(rows)
        found[rows] = model.evaluate(x, y, batch_size=32, sample_weight=weight, verbose=0)
    assert compiled_since(before, "evaluate") == 1
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_an_evaluation_of_any_number_of_rows_is_that_of_one_batch_by_one_program(weighted):
    model = regressor(BatchNormalization())
    assert run.may_pad(model.programs.task, train=False)
    data_of = lambda rows: (drawn(rows, 4), drawn(rows, 2), np.abs(drawn(rows)) if weighted else None)
    for rows, found in measured_by_one_program(model, data_of).items():
        x, y, weight = data_of(rows)
        assert found == pytest.approx(model.test_on_batch(x, y, sample_weight=weight), rel=1e-6)
        error = (model.predict_on_batch(x) - y).astype(np.float64)
        assert found[0] == pytest.approx(np.mean((error**2).mean(axis=1) * (1 if weight is None else weight)), rel=1e-5)


@pytest.mark.full
@pytest.mark.parametrize("weighted", [False, True])
def test_a_masked_evaluation_is_that_of_its_batches_by_one_program(weighted):
    model = Sequential([Masking(input_shape=(5, 3)), LSTM(4, return_sequences=True), Dense(2)], seed=0)
    model.compile("sgd", "mse", metrics=["mae"])
    assert run.may_pad(model.programs.task, train=False)

    def data_of(rows):
        x = drawn(rows, 5, 3)
        x[np.arange(5) > np.arange(rows)[:, None] % 5] = 0
        return x, drawn(rows, 5, 2), np.abs(drawn(rows)) if weighted else None

    for rows, found in measured_by_one_program(model, data_of).items():
        x, y, weight = data_of(rows)
        parts = [slice(start, min(start + 32, rows)) for start in range(0, rows, 32)]
        single = [model.test_on_batch(x[part], y[part], sample_weight=None if weight is None else weight[part])
                  for part in parts]
        loss = np.average([each[0] for each in single], weights=[part.stop - part.start for part in parts])
        real = np.arange(5) <= np.arange(rows)[:, None] % 5
        error = np.abs(model.predict_on_batch(x) - y).mean(axis=-1)
        assert found[0] == pytest.approx(loss, rel=1e-6)
        assert found[1] == pytest.approx(error[real].mean(), rel=1e-5)
        if rows <= 32:
            assert found == pytest.approx(single[0], rel=1e-6)


def test_data_on_the_device_are_measured_alike():
    model = regressor()
    for rows in COUNTS:
        x, y = drawn(rows, 4), drawn(rows, 2)
        assert model.evaluate(jnp.asarray(x), y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)


def test_rows_that_fill_up_a_batch_may_hold_anything():
    model = regressor()
    x, y = drawn(5, 4), drawn(5, 2)
    x[0] = np.inf                                           # the first row is what the others are filled up with
    clean = model.evaluate(x[1:], y[1:], verbose=0)
    assert np.isfinite(clean).all()
    held = np.concatenate([x[1:], x[:1]])
    assert model.evaluate(held[:4], y[1:], verbose=0) == clean


def centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=0)


def by_hand(model, x, y, loss, centre=False) -> float:
    """The row-weighted mean of the losses of batches of 16, in float64."""
    first, bias, second, other = (each.astype(np.float64) for each in model.get_weights())
    total = 0.0
    for start in range(0, len(x), 16):
        hidden = np.tanh(x[start:start + 16] @ first + bias)
        y_hat = (centred(hidden) if centre else hidden) @ second + other
        total += loss(y[start:start + 16] - y_hat).mean() * len(hidden)
    return total / len(x)


MSE, MAE, SPREAD = np.square, np.abs, lambda error: np.abs(centred(error))


@pytest.mark.every(3)
@pytest.mark.parametrize(("make", "loss", "metric", "centre"), [
    (lambda: regressor(Centred()), MSE, MAE, True),
    (lambda: regressor(loss=spread_of_the_batch), SPREAD, MAE, False),
    (lambda: regressor(metrics=[spread_of_the_batch]), MSE, SPREAD, False),
], ids=["layer", "loss", "metric"])
def test_what_may_look_at_a_whole_batch_gets_its_rows_and_no_others(make, loss, metric, centre):
    model = make()
    assert not run.may_pad(model.programs.task, train=False)
    for rows in 1, 15, 16, 17, 40:
        x, y = drawn(rows, 4), drawn(rows, 2)
        expected = [by_hand(model, x, y, each, centre) for each in (loss, metric)]
        assert model.evaluate(x, y, batch_size=16, verbose=0) == pytest.approx(expected, rel=1e-5, abs=1e-6)
        model.fit(x, y, batch_size=16, epochs=1, verbose=0, validation_data=(x, y))
        after = [by_hand(model, x, y, each, centre) for each in (loss, metric)]
        assert [values[-1] for name, values in model.history.history.items() if name.startswith("val_")] == pytest.approx(
            after, rel=1e-5, abs=1e-6)


def test_an_activity_regularizer_gets_its_rows_and_no_others():
    model = Sequential([Dense(2, input_shape=(4,), activity_regularizer=l2(0.1))], seed=0)
    model.compile("sgd", "mse")
    assert not run.may_pad(model.programs.task, train=False)
    for rows in 1, 15, 16, 17, 40:
        x, y = drawn(rows, 4), drawn(rows, 2)
        y_hat = x @ model.get_weights()[0]
        expected = np.mean((y - y_hat)**2) + 0.1 * np.sum(y_hat**2) / rows
        assert model.evaluate(x, y, batch_size=16, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_layer_with_a_function_of_the_user_is_not_filled_up():
    for layer in Dense(3, activation=twice), Dense(3, kernel_regularizer=twice), Centred():
        assert not run.may_pad(regressor(layer).programs.task, train=False)
    penalised = regressor(Dense(3, activation="relu", kernel_regularizer=l2(0.1)))
    assert run.may_pad(penalised.programs.task, train=False)


# ---- prediction

@pytest.fixture(scope="module")
def predictor() -> Sequential:
    """One model for all numbers of rows: nothing that predicts changes it."""
    return regressor()


@pytest.mark.parametrize("rows", [*COUNTS, 64, 65])
def test_predictions_are_those_of_each_row(rows, predictor):
    model, x = predictor, drawn(rows, 4)
    found = model.predict(x)
    assert found.shape == (rows, 2)
    assert_allclose(found, model.predict_on_batch(x), rtol=1e-6, atol=1e-7)
    assert_allclose(found[-1:], model.predict(x[-1:]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("counts", "programs"), [(range(33, 65), 1), ([1] * 9, 1), (range(5, 9), 1), (range(1, 33), 6)],
                         ids=["33-64", "single", "5-8", "1-32"])
def test_few_programs_predict_any_number_of_rows(counts, programs):
    model, before = regressor(), len(COMPILED)
    for rows in counts:
        assert len(model.predict(drawn(rows, 4))) == rows
    assert compiled_since(before, "predict") == programs


def test_a_layer_of_the_user_predicts_exactly_its_rows():
    model = regressor(Centred())
    first, bias, second, _ = model.get_weights()
    for rows in 1, 5, 16, 40:
        x = drawn(rows, 4)
        expected = [centred(np.tanh(x[start:start + 16] @ first + bias)) @ second for start in range(0, rows, 16)]
        assert_allclose(model.predict(x, batch_size=16), np.concatenate(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", COUNTS)
def test_predictions_belong_to_the_user(rows, predictor):
    model, x = predictor, drawn(rows, 4)
    for predict in model.predict, model.predict_on_batch:
        found = predict(x)
        kept = found.copy()
        assert found.flags.writeable and found.flags.owndata
        found[:] = 0
        assert_array_equal(predict(x), kept)
        assert not found.any()
