"""Draws against Keras 3: the very values where both have a seed, the distribution where they have not."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.initializers import ALL_OBJECTS_DICT as KERAS_TABLE
from keras.src.initializers.random_initializers import compute_fans
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from jaxseq.core import initializers
from jaxseq.core.declared import to_config
from jaxseq.core.initializers import (
    Constant,
    GlorotUniform,
    HeNormal,
    Identity,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAWN = [
    ("RandomNormal", {}), ("RandomNormal", {"mean": 1.0, "stddev": 0.2}), ("TruncatedNormal", {}),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 0.2}), ("RandomUniform", {}), ("RandomUniform", {"minval": 0.0}),
    ("GlorotUniform", {}), ("GlorotNormal", {}), ("HeUniform", {}), ("HeNormal", {}), ("LecunUniform", {}),
    ("LecunNormal", {}), ("VarianceScaling", {}), ("VarianceScaling", {"distribution": "normal", "mode": "fan_out"}),
    ("VarianceScaling", {"distribution": "untruncated_normal", "scale": 3.0}),
    ("VarianceScaling", {"distribution": "uniform", "mode": "fan_avg", "input_axes": [0, 1], "output_axes": [-1]}),
    ("Orthogonal", {}), ("Orthogonal", {"gain": 1.5}),
]
EACH = pytest.mark.parametrize(("name", "settings"), DRAWN, ids=str)
DENSE, CONVOLUTION = (256, 256), (3, 3, 16, 32)


def ours_and_theirs(name, settings, **seed):
    return getattr(initializers, name)(**settings, **seed), getattr(keras.initializers, name)(**settings, **seed)


# ---- what is drawn ----


@pytest.mark.every(4)
@EACH
def test_a_seed_draws_the_values_of_keras_whatever_the_key(name, settings, key):
    ours, theirs = ours_and_theirs(name, settings, seed=42)
    for shape in (DENSE, CONVOLUTION):
        assert_allclose(ours(key, shape), theirs(shape), rtol=1e-6, atol=1e-7)


@EACH
def test_a_key_draws_the_distribution_of_keras(name, settings, key):
    ours, theirs = ours_and_theirs(name, settings)
    for shape in (DENSE, CONVOLUTION):
        draw, wanted = np.ravel(ours(key, shape)), np.ravel(theirs(shape))
        assert stats.ks_2samp(draw, wanted).pvalue > 1e-3


def test_the_variance_is_the_scale_over_the_fan(key):
    for distribution in ("truncated_normal", "untruncated_normal", "uniform"):
        draw = VarianceScaling(2.0, "fan_in", distribution)(key, CONVOLUTION)
        assert_allclose(np.var(draw), 2 / (3 * 3 * 16), rtol=0.05)


@EACH
def test_a_draw_is_pure_and_its_own_in_every_dtype(name, settings, key):
    initializer = getattr(initializers, name)(**settings)
    draw, half = initializer(key, DENSE), initializer(key, DENSE, jnp.bfloat16)
    assert draw.dtype == jnp.float32 and half.dtype == jnp.bfloat16
    assert_array_equal(initializer(key, list(DENSE)), draw)
    assert_array_equal(half.astype(jnp.float32), draw.astype(jnp.bfloat16).astype(jnp.float32))
    assert (initializer(jax.random.key(1), DENSE) != draw).any()


@pytest.mark.parametrize("initializer", [TruncatedNormal(), GlorotUniform(), Orthogonal()], ids=repr)
def test_jit_draws_the_same(initializer, key):
    assert_allclose(jax.jit(initializer, static_argnums=1)(key, DENSE), initializer(key, DENSE), rtol=1e-6, atol=1e-7)


def test_both_words_of_a_seed_count(key):
    draws = [RandomNormal(seed=seed)(key, (8,)) for seed in (0, 1, 2**32, 2**33)]
    assert len({draw.tobytes() for draw in map(np.asarray, draws)}) == 4


@pytest.mark.every(3)
@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (24, 8), (3, 3, 2, 8), (2, 2, 3, 32)], ids=str)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_orthogonal_columns_or_rows(shape, dtype, key):
    flat = np.asarray(Orthogonal(2.0)(key, shape, dtype), np.float64).reshape(-1, shape[-1])
    flat = flat if flat.shape[0] >= flat.shape[1] else flat.T
    assert_allclose(flat.T @ flat, 4 * np.eye(flat.shape[1]), atol=1e-5 if dtype == jnp.float32 else 0.05)


@pytest.mark.parametrize("shape", [(), (5,), (5, 7), (2, 5, 7), (2, 3, 5, 7), (2, 2, 3, 5, 7)], ids=str)
def test_fans_are_those_of_keras(shape):
    assert initializers.fans(shape) == compute_fans(shape)


@pytest.mark.parametrize("shape", [(), (5,), (0, 3)], ids=str)
def test_vectors_and_empty_weights(shape, key):
    assert GlorotUniform()(key, shape).shape == shape
    assert_allclose(GlorotUniform(seed=3)(key, shape), keras.initializers.GlorotUniform(seed=3)(shape), rtol=1e-6)


# ---- what is not drawn ----


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32])
def test_constants(dtype, key):
    for ours, wanted in [(Zeros(), np.zeros((2, 3))), (Ones(), np.ones((2, 3))), (Constant(3), np.full((2, 3), 3)),
                         (Constant([1, 2, 3]), [[1, 2, 3]] * 2), (Identity(2.0), 2 * np.eye(2, 3))]:
        values = jax.jit(ours, static_argnums=(1, 2))(key, (2, 3), dtype)
        assert values.dtype == dtype
        assert_array_equal(values.astype(jnp.float32), wanted)


def test_constant_takes_pretrained_embeddings(key):
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    constant = Constant(matrix)
    matrix[:] = 0
    assert_array_equal(constant(key, (2, 3)), np.arange(6).reshape(2, 3))
    assert constant == Constant(np.arange(6, dtype=np.float32).reshape(2, 3)) != Constant(matrix)
    assert hash(constant) == hash(Constant(constant.value))
    assert repr(constant) == "Constant(value=<array (2, 3) float32>)"
    assert Constant(1) == Constant(1.0) and repr(Constant(1.5)) == "Constant(value=1.5)"


# ---- names and configs ----


@EACH
def test_configs_are_those_of_keras(name, settings):
    ours, theirs = ours_and_theirs(name, settings, seed=7)
    config = theirs.get_config() if "distribution" not in settings else theirs.get_config() | {
        "distribution": settings["distribution"]}
    assert ours.get_config() == config
    assert initializers.get(to_config(ours)) == ours and hash(initializers.get(to_config(ours))) == hash(ours)
    assert keras.initializers.get(to_config(ours)).get_config() == theirs.get_config()
    assert initializers.get(keras.initializers.serialize(theirs)).get_config() == theirs.get_config()


@pytest.mark.parametrize("constant", [Zeros(), Ones(), Constant(2.5), Constant(np.eye(2)), Identity(3.0)], ids=repr)
def test_configs_of_constants_go_to_keras_and_back(constant, key):
    theirs = keras.initializers.get(to_config(constant))
    assert initializers.get(to_config(constant)) == constant
    if not isinstance(constant, Identity):      # Keras 3.15 forgets the gain
        assert initializers.get(keras.initializers.serialize(theirs)) == constant
    assert_array_equal(constant(key, (2, 2)), theirs((2, 2)))


def test_every_name_of_keras_means_the_same_class():
    beyond = {"Initializer", "initializer", "STFT", "stft", "STFTInitializer"}
    for name in set(KERAS_TABLE) - beyond:
        assert initializers.TABLE[name].__name__ == KERAS_TABLE[name].__name__


def test_words_of_keras_2(key):
    assert initializers.glorot_uniform(seed=3) == GlorotUniform(3) and initializers.he_normal() == HeNormal()
    assert initializers.uniform(-1, 1) == RandomUniform(-1, 1) and initializers.normal(0, 1) == RandomNormal(0, 1)
    assert initializers.zero() == Zeros() and initializers.one() == Ones() and initializers.constant(2) == Constant(2)
    config = {"class_name": "VarianceScaling",
              "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "normal", "seed": None}}
    assert_array_equal(initializers.get(config)(key, (4, 4)), initializers.GlorotNormal()(key, (4, 4)))


@pytest.mark.parametrize(("name", "settings"), DRAWN)
def test_with_a_seed_they_are_called_as_in_keras(name, settings):
    ours, theirs = (getattr(library, name)(seed=3, **settings) for library in (initializers, keras.initializers))
    assert_array_equal(ours((3, 4)), ours((3, 4)))
    for call in lambda f: f((3, 4)), lambda f: f([3, 4], "float32"), lambda f: f(shape=(3, 4), dtype="float32"):
        assert_allclose(call(ours), call(theirs), rtol=1e-6)
    assert ours((3, 4), dtype="bfloat16").dtype == ours((3, 4), jnp.bfloat16).dtype == jnp.bfloat16


@pytest.mark.parametrize("name", ["Zeros", "Ones", "Constant", "Identity"])
def test_what_draws_nothing_needs_no_key(name, key):
    ours, theirs = (getattr(library, name)() for library in (initializers, keras.initializers))
    for values in ours((3, 4)), ours(shape=[3, 4]), ours((3, 4), "float32"), ours(key, (3, 4)), ours(None, (3, 4), None):
        assert_array_equal(values, theirs((3, 4)))
        assert values.dtype == jnp.float32


def test_a_wrapped_function_is_called_as_in_keras():
    assert_array_equal(initializers.get(lambda shape, dtype=None: np.full(shape, 2.0))((3,)), 2 * np.ones(3))


@pytest.mark.parametrize("call", [lambda f: f((3, 4)), lambda f: f(shape=(3, 4)), lambda f: f(None, (3, 4))])
def test_what_draws_without_a_seed_asks_for_a_key(call):
    with pytest.raises(ValueError) as error:
        call(initializers.get("glorot_uniform"))
    assert str(error.value) == (f"{GlorotUniform()} draws, so it needs a key: write initializer(jax.random.key(0), (3, 4)), or "
                                "GlorotUniform(seed=0) for the same numbers at each call.")
    with pytest.raises(TypeError, match=r"is called as \(key, shape, dtype\)"):
        initializers.get("glorot_uniform")(jax.random.key(0))


def test_frozen_and_plain():
    assert inspect.signature(RandomNormal) == inspect.signature(TruncatedNormal)
    assert RandomNormal(np.float64(0.5), seed=np.int64(3)) == RandomNormal(0.5, seed=3)
    assert to_config(RandomNormal(np.float32(0.5)))["config"] == {"mean": 0.5, "stddev": 0.05, "seed": None}
    with pytest.raises(AttributeError):
        HeNormal().seed = 3


# ---- functions of the user ----


def test_jax_initializers_pass_untouched(key):
    for function in (jax.nn.initializers.he_normal(), jax.nn.initializers.zeros, lambda rng, size, dtype: 0):
        assert initializers.get(function) is function


def test_keras_functions_are_called_with_shape_and_dtype(key):
    def with_dtype(shape, dtype=None):
        return np.full(shape, 2.0, dtype)

    class Threes(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return jnp.full(shape, 3, dtype)

    for function, wanted in [(with_dtype, 2), (lambda shape: np.full(shape, 2.0), 2), (lambda size, dtype: 2 * np.ones(
            size, dtype), 2), (Threes(), 3), (Threes, 3), (np.ones, 1), (jnp.ones, 1), (keras.initializers.Ones(), 1)]:
        for dtype in (jnp.float32, jnp.bfloat16):
            values = initializers.get(function)(key, (2, 3), dtype)
            assert values.dtype == dtype
            assert_array_equal(values.astype(jnp.float32), np.full((2, 3), wanted))
    assert initializers.get(with_dtype) == initializers.get(with_dtype)


def test_custom_objects(key):
    class Sevens(initializers.Initializer):
        def __call__(self, key, shape, dtype=jnp.float32):
            return jnp.full(shape, 7, dtype)

    def eights(shape, dtype=None):
        return jnp.full(shape, 8, dtype)

    custom = {"Sevens": Sevens, "eights": eights}
    assert to_config(Sevens()) == {"class_name": "Sevens", "config": {}}
    assert initializers.get(to_config(Sevens()), custom)(key, (1,)) == 7
    assert initializers.get("eights", custom)(key, (1,)) == 8
    assert initializers.get({"class_name": "function", "config": "eights"}, custom)(key, (1,)) == 8


# ---- errors ----


@pytest.mark.parametrize(("make", "message"), [
    (lambda: RandomNormal(stddev=-1), "RandomNormal(stddev=-1): write a finite number of at least 0."),
    (lambda: TruncatedNormal(mean="0"), "TruncatedNormal(mean='0'): write a finite number."),
    (lambda: RandomUniform(1, 0), "RandomUniform(minval=1, maxval=0): write the smaller one first."),
    (lambda: VarianceScaling(0), "VarianceScaling(scale=0): write a number above 0."),
    (lambda: VarianceScaling(mode="fan"), "VarianceScaling mode='fan': write one of 'fan_in', 'fan_out', "
     "'fan_avg'."),
    (lambda: VarianceScaling(distribution="gauss"), "VarianceScaling distribution='gauss': write one of "
     "'truncated_normal', 'untruncated_normal', 'uniform', 'normal'."),
    (lambda: GlorotUniform(input_axes=[0]), "GlorotUniform(input_axes=(0,), output_axes=None): give both or "
     "neither."),
    (lambda: HeNormal(seed=-1), "HeNormal(seed=-1): write a whole number from 0 to 2**63 - 1, or None."),
    (lambda: HeNormal(seed=1.5), "HeNormal(seed=1.5): write a whole number from 0 to 2**63 - 1, or None."),
    (lambda: Constant("0"), "Constant(value='0'): write a number, or pass an array of numbers."),
    (lambda: initializers.get("glorot"), "Unknown initializer 'glorot'. Did you mean 'glorot_normal' or "
     "'glorot_uniform'?"),
    (lambda: initializers.get(None), "None is no initializer: write 'zeros', or leave the argument out."),
    (lambda: initializers.get(np.ones(3)), "An array is no initializer: write Constant(array)."),
    (lambda: initializers.get(jax.nn.initializers.he_normal), f"The initializer {jax.nn.initializers.he_normal!r} "
     "takes (in_axis, out_axis, batch_axis, dtype): write a function of (key, shape, dtype) or (shape, dtype). If it "
     "makes an initializer, add () to it."),
    (lambda: initializers.get(dict.get), f"The initializer {dict.get!r} takes (self, key, default): write a function "
     "of (key, shape, dtype) or (shape, dtype). If it makes an initializer, add () to it."),
    (lambda: initializers.get(max), "The initializer <built-in function max> does not tell its parameters: write a "
     "function of (key, shape, dtype) that calls it."),
], ids=lambda each: str(each).split(" at 0x")[0])        # workers must name the cases alike
def test_construction_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def flat(shape, dtype=None):
    return jnp.ones(int(np.prod(shape)), dtype)


@pytest.mark.parametrize(("initializer", "shape", "dtype", "message"), [
    (Identity(), (3,), jnp.float32, "Identity fills weights (rows, columns), got (3,). Write 'orthogonal' for more "
     "axes."),
    (Orthogonal(), (3,), jnp.float32, "Orthogonal fills weights of two axes and more, got (3,). Write 'zeros' or "
     "'ones' for a vector."),
    (Constant([1, 2]), (3,), jnp.float32, "Constant(value=<array (2,) int64>) cannot fill weights of shape (3,): pass "
     "an array of that shape."),
    (HeNormal(), (3, 3), jnp.int32, "HeNormal(seed=None, input_axes=None, output_axes=None) draws floating numbers, "
     "got dtype int32: write dtype=jnp.float32."),
    (initializers.get(flat), (2, 3), jnp.float32, f"{flat!r} returned the shape (6,) for weights of shape (2, 3)."),
], ids=["identity", "orthogonal", "constant", "integers", "function"])
def test_errors_at_the_first_call_say_what_to_write(initializer, shape, dtype, message, key):
    with pytest.raises(ValueError) as error:
        initializer(key, shape, dtype)
    assert str(error.value) == message
