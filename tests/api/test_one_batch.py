"""predict for rows that make one batch goes straight to the program: the same numbers, the same errors, and no way round."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq import Sequential
from jaxseq.api import loop
from jaxseq.callbacks import Callback
from jaxseq.layers import LSTM, Activation, BatchNormalization, Dense, Embedding, Input

ROWS = np.random.default_rng(0).standard_normal((7, 5, 3)).astype(np.float32)


def model_of(*layers, shape=(5, 3)):
    return Sequential([Input(shape), *layers], seed=3)


@pytest.fixture
def straight(monkeypatch):
    """How often the straight way was taken."""
    taken, through = [], loop.predict_at_once
    monkeypatch.setattr(loop, "predict_at_once", lambda *given: taken.append(1) or through(*given))
    return taken


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_the_numbers_are_those_of_the_loop(rows, straight):
    model = model_of(LSTM(4), BatchNormalization(), Dense(2))
    alone = model.predict(ROWS[:rows])
    assert straight == [1] and alone.shape == (rows, 2) and type(alone) is np.ndarray
    assert alone.flags.writeable and alone.flags.owndata
    assert_array_equal(alone, model.predict(ROWS[:rows], callbacks=[Callback()]))
    assert straight == [1]


@pytest.mark.parametrize(("there", "looks"), [(1, 1), (5, 5), (10**9, loop.LOOKS)])
def test_it_is_looked_for_until_it_is_there_but_not_for_long(there, looks):
    class Result:
        seen = 0

        def is_ready(self):
            self.seen += 1
            return self.seen >= there

        def __array__(self, dtype=None, copy=None):
            return ROWS

    assert loop.awaited(result := Result()) is ROWS and result.seen == looks


def test_a_carried_state_moves_on(straight):
    first, second = (Sequential([LSTM(4, stateful=True, batch_input_shape=(2, 5, 3))], seed=3) for _ in range(2))
    for rows in ROWS[:2], ROWS[2:4]:
        assert_array_equal(first.predict(rows), second.predict(rows, callbacks=[Callback()]))
    assert len(straight) == 2


def test_what_looks_at_the_whole_batch_is_not_filled_up(straight):
    whole = lambda x: x - x.mean(axis=0)
    model = model_of(Activation(whole))
    np.testing.assert_allclose(model.predict(ROWS), ROWS - ROWS.mean(axis=0), atol=1e-6)
    assert straight == [1]


@pytest.mark.parametrize("given", [
    lambda: (ROWS.astype(np.float64),), lambda: (ROWS.tolist(),), lambda: (ROWS, 3), lambda: (ROWS, 32, 1),
], ids=["float64", "lists", "several batches", "verbose"])
def test_all_else_takes_the_other_way_to_the_same_numbers(given, straight):
    model = model_of(LSTM(4))
    other = model.predict(*given())
    assert not straight
    np.testing.assert_allclose(other, model.predict(ROWS), rtol=1e-6, atol=1e-7)
    assert straight == [1]


def test_layers_that_run_eagerly_take_the_other_way(straight):
    model = model_of(Dense(2))
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.predict(ROWS).shape == (7, 5, 2) and not straight


@pytest.mark.parametrize(("x", "message"), [
    (np.full((1, 5, 3), np.nan, np.float32), "x has 15 values that are NaN or infinite"), (ROWS[:, :, :2], "x has shape"),
    (ROWS[0], "pass x.None. for a single example"),
])
def test_errors_are_the_same(x, message, straight):
    with pytest.raises(ValueError, match=message):
        model_of(LSTM(4)).predict(x)
    assert not straight


def test_what_is_not_checked_goes_straight_too(straight):
    assert np.isnan(model_of(LSTM(4)).predict(np.full((1, 5, 3), np.nan, np.float32), check_inputs=False)).all()
    assert straight == [1]


def test_ids_are_looked_at(straight):
    model = model_of(Embedding(4, 2), shape=(3,))
    with pytest.raises(ValueError, match="has the ids 0 to 3"):
        model.predict(np.full((1, 3), 9, np.float32))
    assert not straight


def test_a_fixed_batch_is_kept(straight):
    model = Sequential([Dense(2, batch_input_shape=(4, 3))])
    model.predict(np.zeros((4, 3), np.float32))
    assert straight == [1]
    for rows, size in [(2, None), (4, 8)]:
        with pytest.raises(ValueError, match="the model is declared for batches of"):
            model.predict(np.zeros((rows, 3), np.float32), size)
    assert straight == [1]
