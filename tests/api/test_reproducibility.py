"""One seed, one model: the same weights to the last bit, whatever is watched, however it is cut up, in any process."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxseq.api import data as feeds, loop, progress
from jaxseq.callbacks import LambdaCallback
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout
from jaxseq.models import Sequential

EPOCHS = 4
GOLDEN_ORDER = [0, 7, 5, 11, 6, 10, 1, 8, 3, 2, 9, 4]        # of twelve rows, seed 11, at step 0


def trained(model, data, **words) -> str:
    """The model's fingerprint after four epochs of six batches, the last of which is ragged."""
    model.fit(*data, **{"batch_size": 7, "epochs": EPOCHS, "verbose": 0} | words)
    assert int(model.train_state.step) == 6 * EPOCHS
    return model.fingerprint()


@pytest.fixture(scope="module")
def reference(first_day, data):
    """That fingerprint of the shared perceptron, trained unobserved."""
    model, model.train_state = first_day
    return trained(model, data)


# ---- what is watched changes nothing

def test_a_run_repeated_is_the_same_run(rewind, data, reference):
    assert trained(rewind(), data) == reference


@pytest.mark.parametrize("verbose", [0, 1, 2, "auto", True])
@pytest.mark.parametrize("watched", [False, True])
def test_verbose_changes_no_bit(model, data, reference, verbose, watched, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_watched", lambda: watched)
    assert trained(model, data, verbose=verbose) == reference
    assert ("Epoch 4/4" in capsys.readouterr().out) == (verbose != 0)


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_batch_begin", "on_train_batch_end", "on_test_batch_end", "on_steps_end"])
def test_callbacks_change_no_bit(model, data, reference, hook):
    watch = LambdaCallback(**{hook: lambda *about: model.get_weights()})
    assert trained(model, data, callbacks=[watch]) == reference


@pytest.mark.parametrize("seconds", [0, 1e-4, 1e9])
def test_the_steps_of_a_dispatch_change_no_bit(model, data, reference, seconds, monkeypatch):
    monkeypatch.setattr(loop, "DISPATCH_SECONDS", seconds)
    assert trained(model, data) == reference


def test_evaluation_prediction_and_summary_change_no_bit(model, data, reference, capsys):
    def look(epoch, logs):
        model.evaluate(*data, verbose=0)
        model.predict(data.x)
        model.test_on_batch(data.x, data.y)
        model.summary()
        model.get_config()
        assert model.params and model.learning_rate > 0 and repr(model)

    assert trained(model, data, callbacks=[LambdaCallback(on_epoch_begin=look, on_epoch_end=look)]) == reference


def test_validation_changes_no_bit(model, data, reference):
    assert trained(model, data, validation_data=tuple(data)) == reference


def test_the_global_generator_changes_no_bit_and_is_not_moved(rewind, data, reference):
    for seed in 0, 1:
        np.random.seed(seed)
        before = np.random.get_state()[1].copy()
        assert trained(rewind(), data) == reference
        assert_array_equal(np.random.get_state()[1], before)


def test_what_holds_the_data_changes_no_bit(rewind, data, reference):
    others = (data.x.tolist(), data.y.tolist()), (data.x.astype(np.float64), data.y.astype(np.uint8)), \
        (np.asfortranarray(data.x), data.y[:, None]), (jax.numpy.asarray(data.x), data.y.astype(np.float32))
    for x, y in others:
        assert trained(rewind(), (x, y)) == reference


def test_check_inputs_changes_no_bit(model, data, reference):
    assert trained(model, data, check_inputs=False) == reference


def test_another_model_in_between_changes_no_bit(model, make_model, data, reference):
    other = make_model(seed=5)
    work = LambdaCallback(on_epoch_end=lambda epoch, logs: other.train_on_batch(data.x[:7], data.y[:7]))
    assert trained(model, data, callbacks=[work]) == reference


def test_a_fresh_model_is_the_same_model(make_model, data, reference):
    assert trained(make_model(), data) == reference


SCRIPT = """
import numpy as np
from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential

draw = np.random.Generator(np.random.Philox(3))
x, y = draw.normal(size=(40, 4)).astype(np.float32), draw.integers(0, 3, 40)
model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dropout(0.25), Dense(3, activation="softmax")], seed=0)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=7, epochs=4, verbose=0)
print(model.fingerprint())
"""


def test_a_new_process_comes_to_the_same_bits(reference):
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == [reference]


# ---- a run in pieces

def test_two_runs_are_one_run(model, data, reference):
    model.fit(*data, batch_size=7, epochs=2, verbose=0)
    assert trained(model, data, initial_epoch=2) == reference


def test_single_epochs_are_one_run(model, data, reference):
    for epoch in range(EPOCHS - 1):
        model.fit(*data, batch_size=7, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
    assert trained(model, data, initial_epoch=EPOCHS - 1) == reference


def test_a_run_goes_on_from_a_kept_state_in_another_model(model, make_model, data, reference):
    model.fit(*data, batch_size=7, epochs=2, verbose=0)
    other = make_model(seed=99)
    other.train_state = model.train_state
    assert trained(other, data, initial_epoch=2) == reference


def test_the_history_of_two_runs_is_that_of_one(rewind, data):
    whole = rewind().fit(*data, batch_size=7, epochs=4, verbose=0).history
    model = rewind()
    parts = [model.fit(*data, batch_size=7, initial_epoch=start, epochs=start + 2, verbose=0) for start in (0, 2)]
    assert whole == {name: parts[0].history[name] + parts[1].history[name] for name in whole}


# ---- seeds

def first_weights(seed) -> list[np.ndarray]:
    return Sequential([Dense(5, input_shape=(3,)), Dense(2)], seed=seed).get_weights()


def test_an_absent_seed_is_drawn_kept_and_repeatable(data, make_model):
    one, other = make_model(seed=None), make_model(seed=None)
    assert one.seed != other.seed
    assert 0 <= one.seed < 2**32 and isinstance(one.seed, int)
    assert one.fingerprint() != other.fingerprint()
    again = make_model(seed=one.seed)
    assert again.fingerprint() == one.fingerprint()
    assert trained(one, data) == trained(again, data)


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 - 1])
def test_an_int_and_the_jax_key_of_it_are_one_seed(seed):
    models = [Sequential([Dense(2, input_shape=(3,))], seed=each) for each in (
        seed, np.int64(seed), np.uint32(seed), jax.random.key(seed), jax.random.PRNGKey(seed))]
    assert len({model.fingerprint() for model in models}) == 1


def test_every_bit_of_a_seed_counts():
    seeds = [0, 1, 2, 2**31, 2**32 - 1, 2**32, 2**33, 2**33 + 1, 2**62, 2**63 - 1]
    drawn = {first_weights(seed)[0].tobytes() for seed in seeds}
    assert len(drawn) == len(seeds)


def test_seeds_differ_in_the_order_and_in_dropout_too(rewind, data):
    model = rewind()
    runs = set()
    for seed in 0, 1:
        model = rewind()                                    # the same first weights, another key
        model.train_state = model.train_state._replace(key=jax.random.key(seed, impl="threefry2x32"))
        model.fit(*data, batch_size=40, shuffle=False, verbose=0)
        runs.add(model.get_weights()[0].tobytes())
    assert len(runs) == 2


def test_a_layer_more_leaves_the_first_weights_of_the_others():
    plain = Sequential([Dense(5, input_shape=(3,)), Dense(2)], seed=4)
    for extra in Dropout(0.5), BatchNormalization():
        longer = Sequential([Dense(5, input_shape=(3,)), extra, Dense(2)], seed=4)
        for ours, theirs in zip((plain.layers[0], plain.layers[1]), (longer.layers[0], longer.layers[2]), strict=True):
            for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
                assert_array_equal(one, other)


def test_two_layers_alike_draw_differently():
    model = Sequential([Dense(4, input_shape=(4,)), Dense(4)], seed=0)
    assert np.abs(model.layers[0].get_weights()[0] - model.layers[1].get_weights()[0]).min() > 0


def test_dropout_draws_anew_at_every_step(data):
    model = Sequential([Dropout(0.5, input_shape=(4,)), Dense(3, activation="softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.learning_rate = 0.0
    losses = {model.train_on_batch(*data) for _ in range(5)}
    assert len(losses) == 5


# ---- the order of the rows

@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_each_way_to_shuffle_repeats_itself(rewind, data, shuffle):
    runs = {trained(rewind(), data, shuffle=shuffle) for _ in range(2)}
    assert len(runs) == 1


def test_the_ways_to_shuffle_differ(rewind, data):
    assert len({trained(rewind(), data, shuffle=shuffle) for shuffle in (True, False, "batch")}) == 3


def test_without_shuffling_an_epoch_is_its_batches_in_order(rewind, data):
    whole = rewind()
    whole.fit(*data, batch_size=8, shuffle=False, verbose=0)
    expected = whole.fingerprint()
    single = rewind()
    for start in range(0, 40, 8):
        single.train_on_batch(data.x[start:start + 8], data.y[start:start + 8])
    assert single.fingerprint() == expected


def orders(shuffle, rows: int = 40, size: int = 7) -> list[list[np.ndarray]]:
    """The rows of each batch, in two epochs."""
    column = np.zeros((rows, 1), np.float32)
    feed = feeds.training_feed(column, column, None, size, shuffle)
    passes = [list(feed.one_pass((0, 11), step)) for step in (0, feed.steps)]
    return [[row for segment in each for row in np.asarray(segment.rows)] for each in passes]


def test_shuffling_visits_each_row_once_an_epoch_in_an_order_of_its_own():
    first, second = orders(True)
    for batches in first, second:
        assert [len(batch) for batch in batches] == [7] * 5 + [5]
        assert sorted(np.concatenate(batches)) == list(range(40))
    assert list(np.concatenate(first)) != list(np.concatenate(second)) != list(range(40))


def test_shuffling_batches_keeps_their_rows_together_and_the_ragged_one_last():
    first, second = orders("batch")
    for batches in first, second:
        assert sorted(batch[0] for batch in batches) == [0, 7, 14, 21, 28, 35]
        assert all(list(batch) == list(range(batch[0], batch[0] + len(batch))) for batch in batches)
        assert list(batches[-1]) == list(range(35, 40))
    assert [batch[0] for batch in first] != [batch[0] for batch in second]


def test_an_order_is_the_same_on_every_machine():
    assert np.concatenate(orders(True, rows=12, size=4)[0]).tolist() == GOLDEN_ORDER


# ---- a model with more in it

def test_a_recurrent_model_with_statistics_repeats_itself():
    draw = np.random.Generator(np.random.Philox(1))
    x, y = draw.normal(size=(20, 5, 3)).astype(np.float32), draw.normal(size=(20, 1)).astype(np.float32)
    found = set()
    for epochs in (2,), (1, 2):
        model = Sequential([LSTM(4, dropout=0.2, input_shape=(5, 3)), BatchNormalization(), Dropout(0.1), Dense(1)], seed=3)
        model.compile("rmsprop", "mse")
        done = 0
        for stop in epochs:
            model.fit(x, y, batch_size=8, initial_epoch=done, epochs=stop, verbose=0)
            done = stop
        found.add(model.fingerprint())
    assert len(found) == 1


# ---- a call of the model

def test_a_call_with_training_draws_as_the_next_step_and_moves_nothing(refuses):
    model = Sequential([Dense(8, input_shape=(4,)), BatchNormalization(), Dropout(0.5)], seed=3)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)

    def of_step(step):
        key = jax.random.fold_in(jax.random.fold_in(model.train_state.key, 2), step)       # 2: Purpose.STEP
        return model.functional().apply(model.params, model.state, x, train=True, key=key)[0]

    before = model.fingerprint()
    assert_array_equal(model(x, training=True), of_step(0))
    assert_array_equal(model(x, training=True), of_step(0))
    assert (np.asarray(model(x, training=True)) == 0).mean() > 0.3
    assert_array_equal(model(x), model.functional().apply(model.params, model.state, x)[0])
    assert_array_equal(model(x), model(x, training=False))
    assert_array_equal(model(x), model(x, None))
    assert (np.asarray(model(x)) != 0).all() and model.fingerprint() == before
    model.train_on_batch(x, np.zeros((16, 8)))
    assert_array_equal(model(x, training=True), of_step(1))
    with refuses("training=1: write True or False.", TypeError):
        model(x, training=1)
