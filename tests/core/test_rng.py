"""Keys and bits against jax.random, threefry against its published vectors, and the golden values of every draw."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import layers, metrics, rng
from jaxseq.core.rng import Purpose, bits, fold_in, keep, root_key, row_order
from jaxseq.core.types import Spec

WORDS = [(0, 0), (0, 1), (1, 0), (0x13198A2E, 0x03707344), (2**32 - 1, 2**32 - 1)]
KEYS = pytest.mark.parametrize("words", WORDS, ids=str)


def key_of(words):
    return jax.random.wrap_key_data(jnp.array(words, jnp.uint32), impl="threefry2x32")


def words_of(key):
    return tuple(int(word) for word in jax.random.key_data(key))


# ---- keys ----


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_the_root_key_of_a_seed_below_2_to_the_32_is_that_of_jax(seed):
    assert words_of(root_key(seed)) == words_of(jax.random.key(seed, impl="threefry2x32")) == (0, seed)


def test_both_words_of_a_seed_count():
    assert words_of(jax.random.key(2**33, impl="threefry2x32")) == words_of(root_key(0))       # what is mended here
    assert words_of(root_key(2**33)) == (2, 0)
    assert words_of(root_key(2**63 - 1)) == (2**31 - 1, 2**32 - 1)
    assert words_of(root_key(np.int64(2**33 + 5))) == (2, 5)


def test_a_jax_key_is_taken_as_it_is():
    key = jax.random.fold_in(jax.random.key(3, impl="threefry2x32"), 9)
    for given in key, jax.random.key_data(key), np.asarray(jax.random.key_data(key)):
        assert jnp.issubdtype(root_key(given).dtype, jax.dtypes.prng_key) and words_of(root_key(given)) == words_of(key)
    assert words_of(root_key(jax.random.PRNGKey(5))) == (0, 5)


@pytest.mark.parametrize(("seed", "message"), [
    (-1, "seed=-1: write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (2**63, "seed=9223372036854775808: write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (True, "seed=True: write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (1.0, "seed=1.0: write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (np.float32(1), "seed=np.float32(1.0): write a whole number from 0 to 2**63 - 1, or a JAX key."),
    ("0", "seed='0': write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (None, "seed=None: write a whole number from 0 to 2**63 - 1, or a JAX key."),
    (jax.random.key(0, impl="rbg"), "seed is a key of rbg, shape (): pass one key made by jax.random.key(seed, "
     "impl='threefry2x32')."),
    (jax.random.split(jax.random.key(0, impl="threefry2x32")), "seed is a key of threefry2x32, shape (2,): pass one key "
     "made by jax.random.key(seed, impl='threefry2x32')."),
    (jax.random.PRNGKey(0, impl="rbg"), "seed is an array (4,) uint32: pass an int, jax.random.key(0) or "
     "jax.random.PRNGKey(0)."),
    (jnp.int32(3), "seed is an array () int32: pass an int, jax.random.key(0) or jax.random.PRNGKey(0)."),
    (np.zeros(2), "seed is an array (2,) float64: pass an int, jax.random.key(0) or jax.random.PRNGKey(0)."),
], ids=lambda each: None if isinstance(each, str) else type(each).__name__)
def test_a_seed_that_is_none_is_refused(seed, message):
    with pytest.raises(ValueError) as error:
        root_key(seed)
    assert str(error.value) == message


@KEYS
@pytest.mark.parametrize("data", [0, 1, 7, 2**31, 2**32 - 1])
def test_fold_in_is_that_of_jax(words, data):
    expected = words_of(jax.random.fold_in(key_of(words), data))
    for given in data, np.uint32(data), jnp.uint32(data):
        assert words_of(fold_in(key_of(words), given)) == expected


def test_a_purpose_folds_in_by_its_number_and_a_name_by_its_crc(key):
    assert [int(purpose) for purpose in Purpose] == [1, 2, 3]
    assert words_of(fold_in(key, Purpose.STEP)) == words_of(jax.random.fold_in(key, 2))
    assert words_of(fold_in(key, "größe")) == words_of(jax.random.fold_in(key, zlib.crc32("größe".encode())))
    assert words_of(fold_in(key, jnp.int32(5))) == words_of(jax.random.fold_in(key, 5))        # a step is an int32


@pytest.mark.parametrize("data", [-1, 2**32])
def test_fold_in_refuses_what_is_no_word(data, key):
    with pytest.raises(ValueError) as error:
        fold_in(key, data)
    assert str(error.value) == f"fold_in takes a whole number from 0 to 2**32 - 1, or a name, got {data}."
    with pytest.raises(TypeError, match="float"):
        fold_in(key, 1.0)


def test_the_keys_of_a_hundred_thousand_layers_and_steps_differ():
    names = jnp.array([zlib.crc32(f"layer_{i}".encode()) for i in range(100)], jnp.uint32)
    step_key = fold_in(root_key(0), Purpose.STEP)
    of = lambda name, step: jax.random.key_data(fold_in(fold_in(step_key, step), name))
    grid = jax.jit(jax.vmap(jax.vmap(of, (0, None)), (None, 0)))(names, jnp.arange(1000))      # (steps, names, 2)
    words = np.asarray(grid).reshape(-1, 2).astype(np.uint64)
    assert len(np.unique(words[:, 0] << np.uint64(32) | words[:, 1])) == 100_000


def test_the_order_of_folding_matters(key):
    assert words_of(fold_in(fold_in(key, 1), 2)) != words_of(fold_in(fold_in(key, 2), 1))


# ---- bits ----


@pytest.mark.parametrize(("key_words", "counter", "expected"), [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
])
def test_threefry_gives_the_vectors_of_random123(key_words, counter, expected):
    words = [jnp.uint32(word) for word in (*key_words, *counter)]
    assert tuple(int(word) for word in rng._threefry(*words)) == expected


@KEYS
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (2, 3, 4), (64, 257)], ids=str)
def test_bits_are_those_of_jax(words, shape):
    ours = jax.jit(bits, static_argnums=1)(key_of(words), shape)
    assert ours.dtype == jnp.uint32
    assert_array_equal(ours, jax.random.bits(key_of(words), shape))


def test_bits_are_the_same_compiled_mapped_and_in_a_loop(key):
    shape = (3, 5)
    alone = [bits(fold_in(key, step), shape) for step in range(4)]
    of = lambda step: bits(fold_in(key, step), shape)
    assert_array_equal(jax.jit(jax.vmap(of))(jnp.arange(4)), alone)
    assert_array_equal(jax.jit(lambda: jax.lax.map(of, jnp.arange(4)))(), alone)


def test_more_rows_leave_the_first_ones_as_they_are(key):
    of = jax.jit(bits, static_argnums=1)
    assert_array_equal(of(key, (32, 7))[:30], of(key, (30, 7)))


def test_where_the_counter_would_wrap_jax_is_asked(key, monkeypatch):
    monkeypatch.setattr(jax.random, "bits", lambda key, shape: shape)
    assert bits(key, (2**16, 2**16)) == (2**16, 2**16)


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.1, 0.25, 0.5, 0.9, 1 - 2**-33])
def test_keep_is_false_at_the_given_rate(rate, key):
    count = 1_000_000
    kept = jax.jit(lambda key: keep(key, rate, (1000, 1000)))(key)
    assert kept.dtype == bool
    assert_array_equal(kept, np.asarray(jax.random.bits(key, (1000, 1000))) >= min(round(rate * 2**32), 2**32 - 1))
    assert abs(int(kept.sum()) - (1 - rate) * count) <= 4 * np.sqrt(rate * (1 - rate) * count) + 1


# ---- the order of rows ----


@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_a_row_order_is_a_permutation(rows):
    order = row_order((0, 7), 3, rows)
    assert order.dtype == np.int32
    assert_array_equal(np.sort(order), np.arange(rows))


@pytest.mark.parametrize("words", [[3, 1, 2], [2, 1, 2, 1, 2, 2, 1], [], [5]])
def test_equal_words_stay_in_their_order(words):
    words = np.array(words, np.uint64)
    assert rng._stable_order(words).tolist() == sorted(range(len(words)), key=words.__getitem__)
    many = np.repeat(words, 1000)
    assert rng._stable_order(many).tolist() == np.argsort(many, kind="stable").tolist()


def test_row_orders_differ_by_step_and_by_either_word_of_the_seed():
    orders = [row_order(words, step, 100) for words in ((0, 0), (0, 1), (1, 0)) for step in (0, 1, 2**32, 2**40)]
    assert len({order.tobytes() for order in orders}) == len(orders)


def test_every_row_comes_first_as_often():
    firsts = np.bincount([row_order((0, 0), step, 5)[0] for step in range(2000)], minlength=5)
    assert (np.abs(firsts - 400) < 4 * np.sqrt(2000 * 0.2 * 0.8)).all()


def test_the_global_generator_is_neither_read_nor_moved():
    before = np.random.get_state()
    first = row_order((1, 2), 3, 50), words_of(root_key(9))
    assert_array_equal(np.random.get_state()[1], before[1])
    assert np.random.get_state()[2] == before[2]
    np.random.seed(0)
    try:
        again = row_order((1, 2), 3, 50), words_of(root_key(9))
    finally:
        np.random.set_state(before)
    assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


# ---- the promise: these values stay, on every platform and in every version ----

# (seed, step, layer name) -> the layer's key for that step, keep(key, 0.25, (4, 8)) a row per byte, row_order of 10 rows
GOLDEN = {
    (0, 0, "dropout"): ((0xA368398D, 0x996E1525), "de09dfde", [7, 1, 0, 9, 5, 8, 3, 4, 6, 2]),
    (0, 1, "dropout"): ((0xC15AA74C, 0xCC079488), "cd8aecf5", [9, 0, 8, 1, 2, 6, 5, 3, 4, 7]),
    (0, 1, "dropout_1"): ((0x34BEC457, 0xA543CBBB), "bfe15eff", [9, 0, 8, 1, 2, 6, 5, 3, 4, 7]),
    (7, 0, "lstm"): ((0x9C013A28, 0xE8149EDC), "64f7ba96", [2, 8, 9, 4, 0, 6, 7, 5, 1, 3]),
    (7, 60_000, "lstm"): ((0x64D7F9B0, 0x2924CA37), "efff71f8", [0, 3, 5, 8, 4, 2, 9, 7, 1, 6]),
    (2**33, 0, "dropout"): ((0x33705BB0, 0x21D82AF3), "76bffdff", [7, 6, 1, 5, 4, 0, 8, 9, 3, 2]),
    (2**63 - 1, 2**31 - 1, "größe"): ((0x5726F021, 0xB5392515), "affe7f6f", [0, 8, 9, 5, 1, 4, 3, 2, 6, 7]),
}


@pytest.mark.parametrize("place", GOLDEN, ids=str)
def test_golden_key_mask_and_row_order(place):
    seed, step, name = place
    words, mask, order = GOLDEN[place]
    root = root_key(seed)
    key = fold_in(fold_in(fold_in(root, Purpose.STEP), step), name)
    assert words_of(key) == words
    assert np.packbits(keep(key, 0.25, (4, 8)), axis=1).tobytes().hex() == mask
    assert row_order(words_of(root), step, 10).tolist() == order


def test_golden_key_of_the_first_weights():
    first = fold_in(root_key(0), Purpose.INIT)
    assert words_of(first) == (0x375F238F, 0xCDDB151D)
    assert words_of(fold_in(fold_in(first, "dense"), "kernel")) == (0x207F8785, 0x27243223)


# ---- numbers ----

SHAPES = pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (2, 0, 3), (64, 257)], ids=str)


@KEYS
@SHAPES
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (-0.05, 0.05), (3.0, 1000.0)])
def test_uniform_numbers_are_those_of_jax(words, shape, low, high):
    ours = jax.jit(rng.uniform, static_argnums=(1, 2, 3))(key_of(words), shape, low, high)
    theirs = jax.random.uniform(key_of(words), shape, jnp.float32, low, high)
    assert ours.dtype == jnp.float32
    assert ours.shape == shape
    assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()
    assert ((ours >= low) & (ours < high)).all()


@KEYS
@SHAPES
def test_normal_numbers_are_those_of_jax(words, shape):
    ours = jax.jit(rng.normal, static_argnums=1)(key_of(words), shape)
    assert ours.dtype == jnp.float32
    assert np.asarray(ours).tobytes() == np.asarray(jax.random.normal(key_of(words), shape, jnp.float32)).tobytes()


def test_uniform_numbers_that_are_not_compiled_differ_by_one_rounding_at_most(key):
    draw = lambda key: rng.uniform(key, (9, 7), -0.3, 0.3)
    assert_allclose(draw(key), jax.jit(draw)(key), rtol=0, atol=np.spacing(np.float32(0.3)))


@KEYS
@pytest.mark.parametrize("names", [["dense"], ["dense", "dense_1", "größe", ""], [f"layer_{i}" for i in range(40)]], ids=len)
def test_names_folded_in_side_by_side_give_the_keys_of_each_alone(words, names):
    for together in rng.fold_in_each(key_of(words), names), jax.jit(lambda key: rng.fold_in_each(key, names))(key_of(words)):
        assert [words_of(each) for each in together] == [words_of(fold_in(key_of(words), name)) for name in names]


def test_no_names_give_no_keys(key):
    assert rng.fold_in_each(key, []) == []


def test_what_a_key_looks_like_does_not_depend_on_the_default():
    with jax.default_prng_impl("rbg"):
        assert rng.key_spec().dtype == rng.root_key(0).dtype and rng.key_spec().shape == ()
        stack = layers.RNN([layers.LSTMCell(2), layers.GRUCell(3)])
        assert stack.init(rng.root_key(0), Spec((2, 4, 3), jnp.float32))[0]
        assert metrics.Mean().add_variable((2,), "uniform", name="drawn").shape == (2,)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other compilers fuse otherwise")
def test_no_kernel_of_the_first_weights_makes_two_hashes(key):
    """A chain of hashes in one kernel takes XLA:CPU seconds to compile."""
    draw = jax.jit(lambda key: layers.Dense(3).init(fold_in(fold_in(key, Purpose.INIT), "dense"), jnp.zeros((1, 5))))
    kernels = draw.lower(key).compile().as_text().split("\n\n")
    rotations = [kernel.count(" shift-left(") for kernel in kernels]
    assert sum(rotations) >= 60 and max(rotations) <= 20
