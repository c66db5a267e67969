"""What people may hand over: every kind of array and list comes to the same numbers, and nothing of theirs is changed."""

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.api import columns, intake
from jaxseq.api.columns import column
from jaxseq.layers import Dense, Embedding, Flatten
from jaxseq.models import Sequential

DRAW = np.random.Generator(np.random.Philox(1))
WHOLE = DRAW.integers(0, 100, (12, 3))              # numbers that every dtype below holds exactly
FRAME = pd.DataFrame(WHOLE, columns=["a", "b", "c"])


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


class HasArray:
    """Something with __array__, as tensors of other libraries have it."""

    def __array__(self, dtype=None, copy=None):
        return WHOLE.astype(dtype or np.float64)


# what -> (the data, the dtype they travel in)
GOOD = {
    "list of lists": (WHOLE.tolist(), "int32"),
    "list of lists of floats": (WHOLE.astype(float).tolist(), "float32"),
    "tuple of tuples": (tuple(map(tuple, WHOLE.tolist())), "int32"),
    "list of arrays": (list(WHOLE.astype(np.float32)), "float32"),
    "DataFrame of integers": (FRAME, "int32"),
    "DataFrame of floats": (FRAME.astype(float), "float32"),
    "DataFrame of several dtypes": (FRAME.astype({"a": "float32", "b": "int8", "c": "int64"}), "float32"),
    "DataFrame of nullable integers": (FRAME.astype("Int64"), "int32"),
    "DataFrame of objects": (FRAME.astype(object), "int32"),
    "DataFrame with another index": (FRAME.set_index(FRAME.index[::-1]), "int32"),
    "objects": (WHOLE.astype(object), "int32"),
    "objects of several types": (np.where(np.eye(12, 3), WHOLE.astype(object), WHOLE.astype(float)), "float32"),
    "an array of lists": (np.array([*map(list, WHOLE.tolist()), None], object)[:-1], "int32"),
    "jax array": (jnp.asarray(WHOLE.astype(np.float32)), "float32"),
    "jax array in bfloat16": (jnp.asarray(WHOLE).astype(jnp.bfloat16), "bfloat16"),
    "jax array in uint8": (jnp.asarray(WHOLE.astype(np.uint8)), "uint8"),
    "list of jax arrays": (list(jnp.asarray(WHOLE.astype(np.float32))), "float32"),
    "something with __array__": (HasArray(), "float32"),
    "uint8": (WHOLE.astype(np.uint8), "uint8"),
    "int8": (WHOLE.astype(np.int8), "int8"),
    "uint16": (WHOLE.astype(np.uint16), "uint16"),
    "uint32": (WHOLE.astype(np.uint32), "int32"),
    "int64": (WHOLE.astype(np.int64), "int32"),
    "uint64": (WHOLE.astype(np.uint64), "int32"),
    "float16": (WHOLE.astype(np.float16), "float16"),
    "bfloat16": (WHOLE.astype(ml_dtypes.bfloat16), "bfloat16"),
    "float64": (WHOLE.astype(np.float64), "float32"),
    "longdouble": (WHOLE.astype(np.longdouble), "float32"),
    "big-endian float32": (WHOLE.astype(">f4"), "float32"),
    "big-endian float64": (WHOLE.astype(">f8"), "float32"),
    "big-endian int16": (WHOLE.astype(">i2"), "int16"),
    "big-endian int64": (WHOLE.astype(">i8"), "int32"),
    "Fortran order": (np.asfortranarray(WHOLE.astype(np.float32)), "float32"),
    "negative strides": (WHOLE.astype(np.float32)[::-1, ::-1][::-1, ::-1], "float32"),
    "a strided view": (np.repeat(WHOLE.astype(np.float32), 2, 1)[:, ::2], "float32"),
    "read-only": (read_only(WHOLE.astype(np.float32)), "float32"),
    "a matrix": (WHOLE.astype(np.float32).view(np.matrix), "float32"),
}


@pytest.mark.parametrize("what", GOOD)
def test_a_column_is_the_same_numbers_in_a_dtype_that_jax_works_in(what):
    data, dtype = GOOD[what]
    array = column("x", data)
    assert str(array.dtype) == dtype and array.dtype.isnative
    assert type(array) is np.ndarray or array is data           # a jax array stays where it is
    assert_array_equal(np.asarray(array, np.float64), WHOLE)


@pytest.fixture(scope="module")
def first_day():
    model = Sequential([Dense(1, input_shape=(3,))], seed=0)
    model.compile("sgd", "mse")
    return model, model.train_state, model.predict(WHOLE.astype(np.float32))


@pytest.fixture
def rewind(first_day):
    """Gives the one small model back as on its first day."""
    def back() -> Sequential:
        model, model.train_state, _ = first_day
        return model

    return back


@pytest.fixture
def expected(first_day):
    """What it predicts on that day."""
    return first_day[2]


@pytest.mark.parametrize("what", GOOD)
def test_predictions_are_those_of_the_numbers(rewind, expected, what):
    assert_array_equal(rewind().predict(GOOD[what][0]), expected)


@pytest.mark.parametrize("wrap", [lambda array: [array], lambda array: (array,), lambda array: {"it": array}],
                         ids=["a list", "a tuple", "a dict"])
def test_one_of_several_inputs_may_be_the_only_one(rewind, expected, wrap):
    x, y = WHOLE.astype(np.float32), WHOLE[:, 0]
    assert_array_equal(rewind().predict(wrap(x)), expected)
    model = rewind()
    model.fit(x, y, verbose=0)
    plain = model.fingerprint()
    model = rewind()
    model.fit(wrap(x), wrap(y), verbose=0)
    assert model.fingerprint() == plain
    assert_allclose(model.evaluate(wrap(x), wrap(y[:, None]), verbose=0), model.evaluate(x, y, verbose=0))


def test_one_of_several_inputs_says_what_a_model_takes():
    model = Sequential([Dense(2)])
    model.compile("sgd", "mse")
    model.fit([WHOLE.astype(np.float32)], [WHOLE[:, :2]], sample_weight=[np.ones(len(WHOLE))], verbose=0)
    assert model.input_shape == (None, 3)
    expected = model.evaluate(WHOLE[:1], [WHOLE[0, :2]], verbose=0)         # a list of one row
    assert model.train_on_batch([WHOLE[:1]], [WHOLE[:1, :2]]) == pytest.approx(expected, rel=1e-5)


def test_a_list_of_one_row_is_one_row(rewind, expected):
    assert_array_equal(rewind().predict([WHOLE.astype(np.float32)[0]]), expected[:1])


@pytest.mark.parametrize("what", [name for name in GOOD if "DataFrame" in name or "list" in name])
def test_training_is_that_on_the_numbers(rewind, what):
    """To the bit on the numbers in that dtype; data of another dtype are another program, which may add up in another order."""
    given = GOOD[what][0]
    after, weights = [], []
    for x in WHOLE.astype(column("x", given).dtype), given, WHOLE:
        model = rewind()
        model.fit(x, WHOLE[:, 0], verbose=0)
        after.append(model.fingerprint())
        weights.append(model.get_weights())
    assert after[0] == after[1]
    for ours, theirs in zip(weights[1], weights[2], strict=True):
        assert_allclose(ours, theirs, rtol=1e-5)


def test_a_bool_column_stays_bool():
    flags = WHOLE > 50
    for data in flags, flags.tolist(), pd.DataFrame(flags), jnp.asarray(flags), pd.DataFrame(flags).astype("boolean"):
        array = column("x", data)
        assert array.dtype == bool
        assert_array_equal(array, flags)


@pytest.mark.parametrize("flat", [pd.Series([1.0, 2.0, 3.0]), pd.Index([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], range(1, 4),
                                  np.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0, 3.0])], ids=lambda data: type(data).__name__)
def test_a_flat_column_is_flat(flat):
    array = column("y", flat)
    assert array.shape == (3,)
    assert_array_equal(array, [1, 2, 3])


def test_numbers_at_the_edge_of_their_dtype_fit():
    edge = [2**31 - 1, -2**31]
    assert_array_equal(column("x", edge), edge)
    assert_array_equal(column("x", np.array(edge, object)), edge)
    largest = float(np.finfo(np.float32).max)
    assert_array_equal(column("x", [largest, -largest] * 9), np.array([largest, -largest] * 9, np.float32))


def test_values_whose_sum_overflows_are_finite():
    huge = np.full((3, 4), 3e38, np.float32)
    columns.finite("x", huge)
    columns.finite("x", huge.astype(np.float64))
    columns.finite("x", np.full(1000, 6e4, np.float16))
    columns.finite("x", column("x", huge.astype(np.float64)))


def test_images_travel_to_the_device_as_bytes():
    model = Sequential([Flatten(input_shape=(4, 4, 1)), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    images = DRAW.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
    batches, _ = intake.prediction_feed(model._architecture, images, None, None, True)
    assert all(batch.slab.x.dtype == np.uint8 for batch in batches.one_pass())
    assert_array_equal(model.predict(images), model.predict(images.astype(np.float32)))
    y = np.zeros(12, np.float16)
    feed, _ = intake.evaluation_feed(model._architecture, "mse", images, y, None, None, True, model.task)
    slabs = [segment.slab for segment in feed.one_pass()]
    assert slabs and all(slab.x.dtype == np.uint8 and slab.y.dtype == np.float16 for slab in slabs)


def test_ids_may_be_of_any_dtype_that_holds_them():
    model = Sequential([Embedding(100, 2, input_length=3), Flatten()], seed=0)
    expected = model.predict(WHOLE)
    for dtype in "uint8", "int8", "int16", "uint32", "int64", "float16", "float32", "float64", object:
        assert_array_equal(model.predict(WHOLE.astype(dtype)), expected)
    assert_array_equal(model.predict(WHOLE > 50), model.predict((WHOLE > 50).astype(int)))


def test_a_memmap_is_read_and_left_alone(tmp_path, rewind, expected):
    model = rewind()
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, WHOLE.shape)
    mapped[:] = WHOLE
    mapped.flush()
    for mode in "r", "c":
        assert_array_equal(model.predict(np.load(tmp_path / "x.npy", mmap_mode=mode)), expected)
    assert np.shares_memory(column("x", mapped), mapped)


def test_arrays_that_fit_are_not_copied():
    for dtype in "float32", "float16", "uint8", "int32", "bool":
        array = WHOLE.astype(dtype)
        assert column("x", array) is array


def test_a_flat_target_meets_its_column(rewind):
    same = WHOLE[:, :1], WHOLE[:, 0], WHOLE[:, 0].tolist(), FRAME["a"], FRAME[["a"]]
    after = set()
    for y in same:
        model = rewind()
        model.train_on_batch(WHOLE, y)
        after.add(model.fingerprint())
    assert len(after) == 1


def test_a_flat_feature_meets_its_column():
    model = Sequential([Dense(1, input_shape=(1,))], seed=0)
    assert_array_equal(model.predict(WHOLE[:, 0]), model.predict(WHOLE[:, :1]))


def test_a_column_of_weights_counts_as_flat(rewind):
    same = np.arange(12.0), np.arange(12)[:, None], pd.Series(np.arange(12)), np.arange(12).tolist()
    after = set()
    for weight in same:
        model = rewind()
        model.train_on_batch(WHOLE, WHOLE[:, 0], sample_weight=weight)
        after.add(model.fingerprint())
    assert len(after) == 1


def test_integer_labels_may_be_floats_or_a_column():
    model = Sequential([Dense(3, activation="softmax", input_shape=(3,))], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    labels, losses = WHOLE[:, 0] % 3, set()
    for y in labels, labels[:, None], labels.astype(float), labels.astype(np.uint8), labels.tolist(), pd.Series(labels):
        losses.add(model.test_on_batch(WHOLE, y))
    assert len(losses) == 1


def test_what_the_user_holds_is_not_changed(rewind):
    model = rewind()
    x, y, weight = WHOLE.astype(np.float64), WHOLE[:, 0].astype(np.float64), np.arange(12.0)
    kept = x.copy(), y.copy(), weight.copy()
    model.fit(x, y, sample_weight=weight, epochs=2, verbose=0)
    model.predict(x)
    for array, before in zip((x, y, weight), kept, strict=True):
        assert_array_equal(array, before)


def test_weights_do_not_share_memory_with_what_the_user_holds():
    model = Sequential([Dense(500, use_bias=False, input_shape=(500,))], seed=0)
    for given in [np.zeros((500, 500), np.float32)], model.get_weights():
        model.set_weights(given)
        expected = given[0].copy()
        given[0][:] = 7                                     # at once, while JAX may still be copying
        assert_array_equal(model.get_weights()[0], expected)
    tree = {"dense": {"kernel": np.zeros((500, 500), np.float32)}}
    model.params = tree
    tree["dense"]["kernel"][:] = 7
    assert not model.get_weights()[0].any()


def test_predictions_belong_to_the_user(rewind, expected):
    model = rewind()
    ours = model.predict(WHOLE)
    ours[:] = 0
    assert_array_equal(model.predict(WHOLE), expected)


def test_the_global_numpy_generator_is_neither_read_nor_moved(rewind):
    after = set()
    for seed in 1, 2:
        np.random.seed(seed)
        before = np.random.get_state()[1:]
        model = rewind()
        model.fit(WHOLE, WHOLE[:, 0], epochs=2, batch_size=4, validation_split=0.25, verbose=0)
        model.evaluate(WHOLE, WHOLE[:, 0], verbose=0)
        model.predict(WHOLE)
        for one, other in zip(before, np.random.get_state()[1:], strict=True):
            assert_array_equal(one, other)
        after.add(model.fingerprint())
    assert len(after) == 1
