"""Values and gradients against keras.regularizers; what Keras gets wrong, against the formula."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.regularizers import ALL_OBJECTS_DICT as KERAS_TABLE
from numpy.testing import assert_allclose

from jaxseq.core import regularizers
from jaxseq.core.declared import to_config
from jaxseq.core.regularizers import L1, L1L2, L2, OrthogonalRegularizer

pytestmark = pytest.mark.usefixtures("quickly_compiled")

PAIRS = [
    (L1(), keras.regularizers.L1()), (L1(0.3), keras.regularizers.L1(0.3)),
    (L2(), keras.regularizers.L2()), (L2(0.3), keras.regularizers.L2(0.3)),
    (L1L2(), keras.regularizers.L1L2()), (L1L2(0.1, 0.2), keras.regularizers.L1L2(0.1, 0.2)),
    (OrthogonalRegularizer(), keras.regularizers.OrthogonalRegularizer()),
    (OrthogonalRegularizer(0.2, "columns"), keras.regularizers.OrthogonalRegularizer(0.2, "columns")),
]
KINDS = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda each: type(each).__name__)


@pytest.fixture
def w(key):
    return jax.random.normal(key, (5, 3)).at[1, 1].set(0.0)


@pytest.mark.every(3)
@KINDS
def test_value_and_gradient_are_those_of_keras(ours, theirs, w):
    value, gradient = jax.jit(jax.value_and_grad(ours))(w)
    assert value.shape == () and value.dtype == jnp.float32
    assert_allclose(value, jax.jit(theirs)(w), rtol=1e-6)
    assert_allclose(gradient, jax.jit(jax.grad(theirs))(w), rtol=1e-5, atol=1e-7)


@KINDS
def test_bfloat16_weights_are_added_up_in_float32(ours, theirs, w):
    half = jnp.tile(w, (40, 1)).astype(jnp.bfloat16)
    value, gradient = jax.jit(jax.value_and_grad(ours))(half)
    assert value.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    assert_allclose(value, jax.jit(ours)(half.astype(jnp.float32)), rtol=1e-6)


@KINDS
def test_config_round_trips_and_is_that_of_keras(ours, theirs):
    assert regularizers.get(to_config(ours)) == ours
    assert_allclose(*(list(each.get_config().values())[0] for each in (ours, theirs)), rtol=1e-6)
    assert ours.get_config().keys() == theirs.get_config().keys()
    read = regularizers.get(keras.regularizers.serialize(theirs))
    assert type(read) is type(ours)
    assert type(keras.regularizers.get(to_config(ours))) is type(theirs)


def test_there_is_no_half_in_the_squares():
    assert_allclose(L2(0.5)(jnp.array([1.0, 2.0])), 2.5)


def test_orthogonal_regularizer_without_pairs_or_length(w):
    assert jax.jit(OrthogonalRegularizer())(w[:1]) == 0
    value, gradient = jax.jit(jax.value_and_grad(OrthogonalRegularizer()))(w.at[2].set(0.0))
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all() and (gradient[2] == 0).all()


def test_words_of_keras_2():
    assert regularizers.l1(0.2) == regularizers.l1(l=0.2) == regularizers.l1(l1=0.2) == L1(0.2)
    assert regularizers.l2(0.2) == regularizers.l2(l=0.2) == regularizers.l2(l2=0.2) == L2(0.2)
    assert regularizers.l1() == L1(0.01) and regularizers.l2() == L2(0.01)
    assert regularizers.l1_l2() == L1L2(0.01, 0.01)
    assert regularizers.get({"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.25}}) == L1L2(0.0, 0.25)


def test_every_name_of_keras_is_known():
    assert set(KERAS_TABLE) - {"Regularizer", "regularizer"} <= set(regularizers.TABLE)


def test_get():
    mine = lambda w: jnp.sum(w)
    assert regularizers.get(None) is None
    assert regularizers.get("l2") == regularizers.get(L2) == regularizers.get(regularizers.l2) == L2(0.01)
    assert regularizers.get("l1_l2") == regularizers.get(regularizers.l1_l2) == L1L2(0.01, 0.01)
    assert regularizers.get(mine) is mine and to_config(mine) is mine
    assert regularizers.get("mine", {"mine": mine}) is mine


def test_a_users_class_comes_back_from_its_config():
    class Shrink(regularizers.Regularizer):
        def __init__(self, by=2.0):
            self.by = by

        def __call__(self, w):
            return self.by * jnp.sum(w)

        def get_config(self):
            return {"by": self.by}

    config = to_config(Shrink(3.0))
    assert config == {"class_name": "Shrink", "config": {"by": 3.0}}
    back = regularizers.get(config, {"Shrink": Shrink})
    assert isinstance(back, Shrink) and back.by == 3.0


def test_numpy_numbers_are_numbers(w):
    assert L2(np.float64(0.5)) == L2(0.5)
    assert L2(np.float64(0.5))(w).dtype == jnp.float32
    assert to_config(L2(np.float32(0.5))) == {"class_name": "L2", "config": {"l2": 0.5}}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: L1(-1), "L1(l1=-1): write a finite number of at least 0."),
    (lambda: L2("0.1"), "L2(l2='0.1'): write a finite number of at least 0."),
    (lambda: L1L2(0.1, float("nan")), "L1L2(l2=nan): write a finite number of at least 0."),
    (lambda: L1L2(True), "L1L2(l1=True): write a finite number of at least 0."),
    (lambda: OrthogonalRegularizer(mode="row"), "OrthogonalRegularizer mode='row': write one of 'rows', 'columns'."),
    (lambda: OrthogonalRegularizer()(jnp.ones(3)), "OrthogonalRegularizer wants weights (rows, columns), got (3,). For "
     "other weights write lambda w: OrthogonalRegularizer()(w.reshape(-1, w.shape[-1]))."),
    (lambda: regularizers.get("l3"), "Unknown regularizer 'l3'. Known: L1, L1L2, L2, OrthogonalRegularizer, l1, l1_l2, "
     "l1l2, l2, orthogonal_regularizer."),
    (lambda: regularizers.get(0.01), "0.01 is no regularizer: write one of the names L1, L1L2, L2, "
     "OrthogonalRegularizer, l1, l1_l2, l1l2, l2, orthogonal_regularizer, or pass an object that can be called."),
    (lambda: regularizers.get({"l2": 0.1}), "{'l2': 0.1} is no regularizer: write "
     '{"class_name": ..., "config": {...}}.'),
])
def test_errors_say_what_to_write(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def test_a_misspelt_setting():
    with pytest.raises(TypeError) as error:
        regularizers.get({"class_name": "OrthogonalRegularizer", "config": {"modes": "rows"}})
    assert str(error.value) == "OrthogonalRegularizer takes no argument 'modes'. Did you mean 'mode'?"
