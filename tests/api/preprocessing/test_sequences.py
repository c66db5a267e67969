"""Padding, skipgrams and windows, held to Keras's own, to NumPy and to the words of every error."""

import json
import random

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing import sequence as legacy
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.layers import Dense, Flatten
from jaxseq.models import Sequential
from jaxseq.preprocessing.sequence import (
    TimeseriesGenerator,
    make_sampling_table,
    pad_sequences,
    skipgrams,
    timeseries_generator_from_json,
)
from jaxseq.utils import Sequence, timeseries_dataset_from_array

DRAW = np.random.default_rng(5)
RAGGED = [DRAW.integers(1, 9, size).tolist() for size in (3, 0, 7, 1)]
SERIES, TARGETS = DRAW.normal(size=(50, 2)), DRAW.normal(size=50)


# ---- padding


@pytest.mark.parametrize("maxlen", [None, 1, 4, 9])
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
def test_padding_is_that_of_keras(maxlen, padding, truncating):
    how = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": -1}
    ours, theirs = pad_sequences(RAGGED, **how), keras.utils.pad_sequences(RAGGED, **how)
    assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype == np.int32


@pytest.mark.parametrize(("sequences", "dtype", "value"), [
    ([[0.5], [1.5, 2.5]], "float32", 0.0), ([["a"], ["b", "cd"]], object, ""), ([["a"], ["b", "cd"]], "<U4", ""),
    ([np.ones((2, 3)), np.zeros((0, 3)), np.full((1, 3), 2.0)], "int8", 7), (np.arange(6).reshape(2, 3), "int64", 0),
    ([(1, 2), (3,)], "uint8", 0)])
def test_steps_of_every_kind_are_padded_as_keras_pads_them(sequences, dtype, value):
    ours, theirs = (pad(sequences, dtype=dtype, value=value) for pad in (pad_sequences, keras.utils.pad_sequences))
    assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def test_nothing_is_padded_to_nothing():
    assert pad_sequences([]).shape == (0, 0) and pad_sequences([], maxlen=3).shape == (0, 3)
    assert pad_sequences([[], []]).shape == (2, 0) and pad_sequences([[1, 2], []], maxlen=0).shape == (2, 0)
    assert_array_equal(pad_sequences([[], []], maxlen=2), np.zeros((2, 2)))


NO_TEXT = ("and dtype is 'int32'. Write dtype=object, or make numbers of the words: "
           "Tokenizer().texts_to_sequences(texts).")
CANNOT = "cannot hold. Write another dtype=, such as 'float32'."


@pytest.mark.parametrize(("call", "message"), [
    (lambda: pad_sequences(RAGGED, padding="left"), "padding='left': write one of 'pre', 'post'."),
    (lambda: pad_sequences(RAGGED, truncating=None), "truncating=None: write one of 'pre', 'post'."),
    (lambda: pad_sequences(RAGGED, maxlen=-1), "maxlen=-1: write a whole number of at least 0."),
    (lambda: pad_sequences(RAGGED, maxlen=2.5), "maxlen=2.5: write a whole number of at least 0."),
    (lambda: pad_sequences([1, 2]), "pad_sequences: sequences[0] is 1: write a list of steps."),
    (lambda: pad_sequences([[1], "ab"]), "pad_sequences: sequences[1] is 'ab': write a list of steps."),
    (lambda: pad_sequences("ab"), "pad_sequences('ab'): write a list of sequences."),
    (lambda: pad_sequences([["a"]]), f"pad_sequences: sequences[0] holds text, 'a', {NO_TEXT}"),
    (lambda: pad_sequences([[1]], value="x"), f"pad_sequences: value holds text, 'x', {NO_TEXT}"),
    (lambda: pad_sequences([[1], [2, 0.5]]), f"pad_sequences: sequences[1] holds [0.5], which 'int32' {CANNOT}"),
    (lambda: pad_sequences([[float("nan")]]), f"pad_sequences: sequences[0] holds [nan], which 'int32' {CANNOT}"),
    (lambda: pad_sequences([[300]], dtype="uint8"), f"pad_sequences: sequences[0] holds [300], which 'uint8' {CANNOT}"),
    (lambda: pad_sequences([[[1, 2]], [[1]]]), "pad_sequences: the steps of sequences[1] have shape (1,), those before it "
     "(2,)."),
])
def test_what_cannot_be_padded_says_so(call, message, refuses):
    with refuses(message):
        call()


# ---- skipgrams


@pytest.mark.parametrize("how", [
    {}, {"window_size": 1}, {"negative_samples": 0.0}, {"negative_samples": 2.5}, {"categorical": True}, {"shuffle": False},
    {"sampling_table": make_sampling_table(30)}, {"categorical": True, "shuffle": False, "window_size": 9}],
    ids=lambda how: "_".join(how) or "plain")
def test_skipgrams_are_those_of_keras_whose_generator_has_the_same_seed(how):
    words = [3, 1, 0, 4, 29, 5, 9, 2, 0, 6]
    state = random.getstate()
    ours = skipgrams(words, 30, seed=7, **how)
    assert random.getstate() == state
    try:
        random.seed(7)
        theirs = legacy.skipgrams(words, 30, seed=7, **how)
    finally:
        random.setstate(state)
    assert ours == theirs == skipgrams(words, 30, seed=7, **how)


def test_skipgrams_of_no_words_and_without_a_seed():
    assert skipgrams([], 5) == skipgrams([0, 0], 5) == skipgrams([1], 5) == ([], [])
    couples, labels = skipgrams(range(1, 30), 30)
    assert (couples, labels) != skipgrams(range(1, 30), 30) and sorted(labels) == [0] * 212 + [1] * 212
    for (word, near), label in zip(couples, labels, strict=True):
        assert 1 <= near < 30 and (not label or 1 <= abs(word - near) <= 4)


def test_words_that_are_drawn_are_drawn_evenly():
    couples, labels = skipgrams(list(range(1, 11)) * 200, 11, seed=1)
    drawn = np.bincount([near for (_, near), label in zip(couples, labels, strict=True) if not label], minlength=11)
    assert drawn[0] == 0 and np.abs(drawn[1:] - drawn[1:].mean()).max() < 5 * np.sqrt(drawn[1:].mean())


@pytest.mark.parametrize(("call", "message"), [
    (lambda: skipgrams([1, 9], 5), "skipgrams: there is no word 9 among 5, counted from 0."),
    (lambda: skipgrams([1, -2], 5), "skipgrams: there is no word -2 among 5, counted from 0."),
    (lambda: skipgrams([1, 4], 5, sampling_table=[1, 1]), "skipgrams: there is no word 4 among 2, counted from 0."),
    (lambda: skipgrams([1], 0), "vocabulary_size=0: write a whole number of at least 1.")])
def test_words_that_there_are_not_are_named(call, message, refuses):
    with refuses(message):
        call()


@pytest.mark.parametrize("factor", [1e-5, 1e-3])
def test_the_sampling_table_is_that_of_keras(factor):
    assert_allclose(make_sampling_table(1000, factor), legacy.make_sampling_table(1000, factor), rtol=1e-12)
    assert make_sampling_table(0).shape == (0,)


# ---- windows before a target


@pytest.mark.parametrize("how", [
    {"length": 5}, {"length": 5, "sampling_rate": 2}, {"length": 4, "stride": 3, "batch_size": 4}, {"length": 49},
    {"length": 6, "start_index": 7, "end_index": 31, "batch_size": 5, "reverse": True, "sampling_rate": 3}])
def test_windows_are_those_of_keras(how):
    ours, theirs = TimeseriesGenerator(SERIES, TARGETS, **how), legacy.TimeseriesGenerator(SERIES, TARGETS, **how)
    assert len(ours) == len(theirs) and isinstance(ours, Sequence)
    for batch, (x, y) in zip(ours, (theirs[index] for index in range(len(theirs))), strict=True):
        assert_array_equal(batch[0], x)
        assert_array_equal(batch[1], y)
    for name in "start_index", "end_index", "length", "stride", "sampling_rate", "batch_size":
        assert getattr(ours, name) == getattr(theirs, name)


def test_windows_in_another_order_are_all_there_and_follow_from_the_seed():
    in_order = TimeseriesGenerator(SERIES, TARGETS, 5, batch_size=8)
    first, again, other = (TimeseriesGenerator(SERIES, TARGETS, 5, batch_size=8, shuffle=True, seed=seed) for seed in (3, 3, 4))
    targets = [np.concatenate([y for _, y in each]) for each in (in_order, first, again, other)]
    assert_array_equal(np.sort(targets[0]), np.sort(targets[1]))
    assert_array_equal(targets[1], targets[2])
    assert not np.array_equal(targets[1], targets[3]) and not np.array_equal(targets[0], targets[1])


def test_a_generator_goes_through_json():
    ours = TimeseriesGenerator(SERIES.tolist(), TARGETS, 6, stride=2, start_index=3, reverse=True, batch_size=4)
    back = timeseries_generator_from_json(ours.to_json(indent=1))
    assert back.get_config() == ours.get_config() and json.loads(ours.to_json())["class_name"] == "TimeseriesGenerator"
    for here, there in zip(ours, back, strict=True):
        assert_array_equal(here[0], there[0])


@pytest.mark.parametrize(("how", "message"), [
    ({"length": 50}, "TimeseriesGenerator: no window fits. From start_index=0 50 steps and a target must come before "
     "end_index=49, and data ends with step 49."),
    ({"length": 3, "end_index": 60}, "TimeseriesGenerator: no window fits. From start_index=0 3 steps and a target must come "
     "before end_index=60, and data ends with step 49."),
    ({"length": 3, "start_index": -1}, "TimeseriesGenerator: no window fits. From start_index=-1 3 steps and a target must "
     "come before end_index=49, and data ends with step 49."),
    ({"length": 0}, "length=0: write a whole number of at least 1."),
    ({"length": 3, "batch_size": None}, "batch_size=None: write a whole number of at least 1."),
    ({"length": 3, "shuffle": True, "seed": -1}, "seed=-1: write a whole number from 0 to 2**32 - 1.")])
def test_windows_that_do_not_fit_say_why(how, message, refuses):
    with refuses(message):
        TimeseriesGenerator(SERIES, TARGETS, **how)


def test_series_and_targets_are_of_one_length(refuses):
    with refuses("TimeseriesGenerator: data has 50 steps, targets 3. Each step needs its target."):
        TimeseriesGenerator(SERIES, TARGETS[:3], 5)


# ---- windows from a step on


def test_the_examples_of_keras():
    """Both are in the documentation of keras.utils.timeseries_dataset_from_array."""
    windows = np.concatenate(list(timeseries_dataset_from_array(np.arange(99), None, 10, sequence_stride=3, sampling_rate=2)))
    assert_array_equal(windows[[0, 1, -1]], [np.arange(0, 20, 2), np.arange(3, 23, 2), np.arange(78, 98, 2)])
    data = np.arange(100.0)
    x, y = timeseries_dataset_from_array(data[:-10], data[10:], sequence_length=10)[0]
    assert_array_equal(x[0], data[:10])
    assert y[0] == data[10] and len(x) == 81


@pytest.mark.parametrize("how", [
    {}, {"sequence_stride": 4}, {"sampling_rate": 3}, {"start_index": 5, "end_index": 40}, {"batch_size": 7},
    {"sequence_stride": 2, "sampling_rate": 2, "start_index": 9, "batch_size": 4}])
def test_windows_from_a_step_on_are_those_of_a_loop(how):
    given = {"sequence_stride": 1, "sampling_rate": 1, "start_index": 0, "end_index": 50, "batch_size": 128} | how
    reach = 4 * given["sampling_rate"]
    begins = [step for step in range(given["start_index"], 50, given["sequence_stride"]) if step + reach < given["end_index"]]
    batches = list(timeseries_dataset_from_array(SERIES, TARGETS, 5, **how))
    assert {len(x) for x, _ in batches[:-1]} <= {given["batch_size"]}
    assert_array_equal(np.concatenate([x for x, _ in batches]),
                       [[SERIES[begin + place * given["sampling_rate"]] for place in range(5)] for begin in begins])
    assert_array_equal(np.concatenate([y for _, y in batches]), TARGETS[begins])


def test_one_window_at_a_time_and_targets_that_end_early():
    one = timeseries_dataset_from_array(SERIES, TARGETS[:20], 5, batch_size=None)
    assert len(one) == 20 and one[3][0].shape == (5, 2) and one[3][1] == TARGETS[3]
    assert timeseries_dataset_from_array(SERIES, None, 5, batch_size=None)[45].shape == (5, 2)


def test_the_order_follows_from_the_seed_and_leaves_numpy_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (timeseries_dataset_from_array(np.arange(40), None, 1, batch_size=40, shuffle=True, seed=seed)[0]
                           for seed in (1, 1, 2))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert_array_equal(np.sort(first.ravel()), np.arange(40))
    assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    shuffled = np.arange(40)
    np.random.RandomState(1).shuffle(shuffled)          # what Keras does with its seed
    assert_array_equal(first.ravel(), shuffled)


@pytest.mark.parametrize(("how", "message"), [
    ({"sequence_length": 51}, "timeseries_dataset_from_array: no window fits. sequence_length=51, sampling_rate=1 reach over "
     "51 steps, there are 50, and 50 targets."),
    ({"sequence_length": 5, "sampling_rate": 20, "targets": None}, "timeseries_dataset_from_array: no window fits. "
     "sequence_length=5, sampling_rate=20 reach over 81 steps, there are 50."),
    ({"sequence_length": 0}, "sequence_length=0: write a whole number of at least 1."),
    ({"sequence_length": 3, "sequence_stride": 0}, "sequence_stride=0: write a whole number of at least 1."),
    ({"sequence_length": 3, "sampling_rate": 0}, "sampling_rate=0: write a whole number of at least 1."),
    ({"sequence_length": 3, "start_index": 9, "end_index": 9}, "start_index=9, end_index=9: write places in data of 50 steps, "
     "the first before the second."),
    ({"sequence_length": 3, "end_index": 51}, "start_index=None, end_index=51: write places in data of 50 steps, the first "
     "before the second.")])
def test_a_dataset_without_windows_says_why(how, message, refuses):
    with refuses(message):
        timeseries_dataset_from_array(**{"data": SERIES, "targets": TARGETS} | how)


def test_what_is_mapped_is_read_batch_by_batch_and_trains(refuses):
    windows = timeseries_dataset_from_array(SERIES.astype(np.float32), TARGETS.astype(np.float32)[:, None], 5, batch_size=9)
    doubled = windows.map(lambda x, y: (2 * x, y)).map(lambda x, y: (x, y + 1))
    assert_array_equal(doubled[1][0], 2 * windows[1][0])
    assert_array_equal(doubled[1][1], windows[1][1] + 1)
    assert timeseries_dataset_from_array(np.arange(9), None, 2).map(lambda x: x.sum())[0] == 64
    assert len(list(doubled)) == len(doubled) == 6
    with refuses("There is no batch 6: there are 6, counted from 0.", IndexError):
        doubled[6]

    def trained():
        model = Sequential([Flatten(input_shape=(5, 2)), Dense(1)], seed=0)
        model.compile("sgd", "mse")
        return model.fit(doubled, epochs=2, verbose=0).history["loss"]

    assert trained() == trained()


def test_every_door_leads_to_the_same():
    assert jaxseq.utils.pad_sequences is jaxseq.preprocessing.sequence.pad_sequences is pad_sequences
    assert jaxseq.preprocessing.timeseries_dataset_from_array is timeseries_dataset_from_array


@pytest.mark.parametrize(("value", "dtype"), [(0.5, "int32"), (np.nan, "int32"), (300, "uint8"), (-1, "uint8")])
def test_a_filling_that_the_dtype_cannot_hold_is_refused(value, dtype):
    with pytest.raises(ValueError, match="cannot be kept as the other"):
        pad_sequences([[1], [1, 2]], value=value, dtype=dtype)
    assert pad_sequences([[1], [1, 2]], value=-1.0).tolist() == [[-1, 1], [1, 2]]


def test_nothing_is_printed_of_sequences_that_are_padded():
    class Mute(np.ndarray):
        def __repr__(self):
            raise AssertionError

    assert pad_sequences([np.arange(3).view(Mute), np.arange(2).view(Mute)]).shape == (2, 3)
