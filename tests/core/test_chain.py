"""Layers in a row: names, state, masks, penalties, constraints, shapes, and errors that say where they happened."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from jaxseq.core import chain, rng
from jaxseq.core.layer import Layer
from jaxseq.core.layers.activation import Activation
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.layers.recurrent import LSTM
from jaxseq.core.layers.reshaping import Flatten
from jaxseq.core.regularizers import L2
from jaxseq.core.types import Ctx, Spec

pytestmark = pytest.mark.usefixtures("quickly_compiled")

KEY = jax.random.key(0)
MLP = [("first", Dense(5, activation="relu")), ("norm", BatchNormalization()), ("drop", Dropout(0.5)), ("last", Dense(2))]
X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))


def note(error):
    return error.value.__notes__[-1]


# ---- init and apply


def test_params_and_state_stand_under_the_layers_names():
    params, state = chain.init(MLP, KEY, Spec((4, 3), jnp.float32))
    assert {name: sorted(entry) for name, entry in params.items()} == {
        "first": ["bias", "kernel"], "norm": ["beta", "gamma"], "last": ["bias", "kernel"]}
    assert {name: sorted(entry) for name, entry in state.items()} == {"norm": ["moving_mean", "moving_variance"]}
    assert params["first"]["kernel"].shape == (3, 5) and params["last"]["kernel"].shape == (5, 2)


def test_each_layer_draws_its_first_weights_from_its_own_name():
    params, _ = chain.init(MLP, KEY, Spec((4, 3), jnp.float32))
    longer, _ = chain.init([("before", Dense(3)), *MLP], KEY, Spec((4, 3), jnp.float32))
    assert_array_equal(longer["first"]["kernel"], params["first"]["kernel"])
    alone, _ = Dense(5).init(rng.fold_in(KEY, "first"), Spec((4, 3), jnp.float32))
    assert_array_equal(alone["kernel"], params["first"]["kernel"])


def test_apply_is_the_layers_one_after_the_other():
    params, state = chain.init(MLP, KEY, Spec((4, 3), jnp.float32))
    out = chain.apply(MLP, params, state, X, train=True, key=KEY)
    y, new_state = X, {}
    for name, layer in MLP:
        y, new_state[name] = layer.apply(params.get(name, {}), state.get(name, {}), y, Ctx(True, rng.fold_in(KEY, name)))
    assert_array_equal(out.y, y)
    assert list(out.state) == ["norm"] and out.mask is None
    assert_array_equal(out.state["norm"]["moving_mean"], new_state["norm"]["moving_mean"])


def test_another_layer_changes_no_draw():
    longer = [("hush", Dropout(0.2)), *MLP[2:3]]
    alone, _ = MLP[2][1].apply({}, {}, X, Ctx(True, rng.fold_in(KEY, "drop")))
    first = chain.apply(longer[:1], {}, {}, X, train=True, key=KEY).y
    both = chain.apply(longer, {}, {}, X, train=True, key=KEY).y
    assert_array_equal(both, jnp.where(alone == 0, 0, first * 2))


def test_evaluation_needs_no_key():
    params, state = chain.init(MLP, KEY, Spec((4, 3), jnp.float32))
    out = chain.apply(MLP, params, state, X)
    assert out.y.shape == (4, 2)
    assert_array_equal(out.state["norm"]["moving_mean"], state["norm"]["moving_mean"])


def test_a_mask_goes_from_layer_to_layer():
    layers = [("ids", Embedding(5, 3, mask_zero=True)), ("one", LSTM(2, return_sequences=True)), ("two", Dense(2))]
    ids = jnp.array([[1, 2, 0], [3, 0, 0]])
    params, state = chain.init(layers, KEY, Spec(ids.shape, ids.dtype))
    out = chain.apply(layers, params, state, ids)
    assert_array_equal(out.mask, ids != 0)
    assert_array_equal(out.y[0, 1], out.y[0, 2])
    last = [*layers[:1], ("one", LSTM(2))]
    assert chain.apply(last, params, state, ids).mask is None


# ---- penalties, constraints, resets


def test_weight_penalties_add_up():
    layers = [("a", Dense(1, kernel_regularizer=L2(0.1))), ("b", Dropout(0.5)), ("c", Dense(1, bias_regularizer=L2(1.0)))]
    params = {"a": {"kernel": jnp.array([[2.0]]), "bias": jnp.ones(1)},
              "c": {"kernel": jnp.ones((1, 1)), "bias": jnp.array([3.0])}}
    assert_allclose(chain.penalty(layers, params), 0.4 + 9.0, rtol=1e-6)
    assert_allclose(chain.penalty(layers, {"c": params["c"]}), 9.0)
    assert chain.penalty([], {}) == 0


@pytest.mark.parametrize("layer", [Dense(2, activity_regularizer=L2(0.5)), LSTM(2, activity_regularizer=L2(0.5)),
                                   LSTM(2, activity_regularizer=L2(0.5), stateful=True)], ids=str)
def test_activity_penalties_travel_in_the_state(layer):
    layers = [("it", layer), ("more", Dense(1))]
    x = jnp.ones((4, 3)) if isinstance(layer, Dense) else jnp.ones((4, 2, 3))
    params, state = chain.init(layers, KEY, Spec(x.shape, x.dtype))
    assert state["it"][chain.PENALTY] == 0
    out = chain.apply(layers, params, state, x)
    assert jax.tree.structure(out.state) == jax.tree.structure(state)
    y = chain.apply(layers[:1], params, state, x).y
    total, cleared = chain.take_penalties(out.state)
    assert_allclose(total, 0.5 * jnp.sum(y ** 2) / 4, rtol=1e-6)
    assert jax.tree.structure(cleared) == jax.tree.structure(state) and cleared["it"][chain.PENALTY] == 0
    if "h" in out.state["it"]:
        assert_array_equal(cleared["it"]["h"], out.state["it"]["h"])


def test_taking_penalties_where_there_are_none():
    total, cleared = chain.take_penalties({"norm": {"moving_mean": jnp.ones(3)}})
    assert total == 0
    assert_array_equal(cleared["norm"]["moving_mean"], np.ones(3))


def test_constraints_reach_the_weights_that_are_there():
    layers = [("a", Dense(1, kernel_constraint="non_neg")), ("b", Dense(1, bias_constraint="non_neg")), ("c", Dropout(0.5))]
    params = {"a": {"kernel": jnp.array([-1.0]), "bias": jnp.array([-1.0])}}
    assert {name: {weight: float(value[0]) for weight, value in entry.items()}
            for name, entry in chain.constrain(layers, params).items()} == {"a": {"kernel": 0.0, "bias": -1.0}}


def test_reset_clears_the_carry_and_leaves_the_statistics():
    layers = [("rnn", LSTM(2, stateful=True)), ("norm", BatchNormalization())]
    state = {"rnn": {"h": jnp.ones((1, 2)), "c": jnp.ones((1, 2))}, "norm": {"moving_mean": jnp.ones(2)}}
    after = chain.reset(layers, state)
    assert not after["rnn"]["h"].any() and not after["rnn"]["c"].any()
    assert_array_equal(after["norm"]["moving_mean"], np.ones(2))


# ---- errors


def test_an_error_in_init_says_where_it_happened():
    layers = [("first", Dense(5)), ("rnn", LSTM(3))]
    with pytest.raises(ValueError, match=r"^LSTM needs x \(batch, time, features\), got \(4, 5\)\.") as error:
        chain.init(layers, KEY, Spec((4, 3), jnp.float32))
    assert note(error) == "In layer 'rnn', LSTM(units=3), given x (4, 5) float32."


def test_an_error_in_apply_says_where_it_happened():
    def broken(x):
        raise ZeroDivisionError("by hand")

    layers = [("first", Dense(5)), ("odd", Activation(broken))]
    params = {"first": {"kernel": jnp.ones((3, 5)), "bias": jnp.zeros(5)}}
    with pytest.raises(ZeroDivisionError, match="^by hand") as error:
        chain.apply(layers, params, {}, X)
    assert note(error).startswith("In layer 'odd', Activation(activation=broken)")
    assert note(error).endswith("), given x (4, 5) float32.")


# ---- shapes


@pytest.mark.parametrize(("layer", "shape", "dtype", "expected"), [
    (Dense(5), (None, 3), "float32", (None, 5)),
    (Dense(5), (None, None, 3), "float32", (None, None, 5)),
    (Dense(5), (8, 3), "float32", (8, 5)),
    (LSTM(4), (None, None, 3), "float32", (None, 4)),
    (LSTM(4, return_sequences=True), (None, None, 3), "float32", (None, None, 4)),
    (LSTM(4, stateful=True), (8, None, 3), "float32", (8, 4)),
    (Embedding(9, 4), (None, None), "int32", (None, None, 4)),
    (Embedding(9, 4), (None, 7), "int32", (None, 7, 4)),
    (Flatten(), (None, 4, 3), "float32", (None, 12)),
    (Flatten(), (None, None, 3), "float32", (None, None)),
    (BatchNormalization(), (None, None, 3), "float32", (None, None, 3)),
], ids=str)
def test_unknown_lengths_stay_unknown(layer, shape, dtype, expected):
    assert chain.shapes("it", layer, shape, dtype) == (expected, jnp.float32)


class Fussy(Layer):
    """Refuses what it is given, in words that tell its lengths."""

    said: str

    def init(self, key, x):
        raise ValueError(self.said.format(x=x, all=math.prod(x.shape), twice=2 * x.shape[1]))

    def apply(self, params, state, x, ctx):
        return x, state


class Either(Fussy):
    """Refuses one of the two sizes alone."""

    def init(self, key, x):
        return super().init(key, x) if x.shape[1] == int(self.said.split()[0]) else ({}, {})


@pytest.mark.parametrize(("layer", "told"), [
    (Fussy("x {x.shape} of {x.dtype}: {all} numbers, 2 * {x.shape[1]} = {twice}"),
     "x (None, None, 3) of float32: None numbers, 2 * None = None"),
    (Fussy("twice 512 is 1024, and x is {x.shape}"), "twice 512 is 1024, and x is (None, None, 3)"),
    (Either("512 is too short: {x.shape}"), "None is too short: (None, None, 3)"),
    (Either("1024 is too long: {x.shape}"), "None is too long: (None, None, 3)"),
], ids=str)
def test_an_error_does_not_tell_at_what_lengths_a_layer_was_tried(layer, told):
    with pytest.raises(ValueError) as error:
        chain.shapes("it", layer, (None, None, 3), jnp.float32)
    assert str(error.value) == told
    assert note(error) == f"In layer 'it', {layer!r}, given x (None, None, 3) float32."


def test_lengths_that_are_known_are_told():
    with pytest.raises(ValueError, match=r"^x \(8, 512, 3\)"):
        chain.shapes("it", Fussy("x {x.shape}"), (8, 512, 3), jnp.float32)


def test_a_stateful_layer_needs_the_batch_size():
    message = ("LSTM(units=4, stateful=True) carries a state from batch to batch, so it needs the batch size, got "
               "(None, 6, 3). Give the first layer batch_input_shape=(32, ...), or batch_size=32 with input_shape=(...).")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        chain.shapes("lstm", LSTM(4, stateful=True), (None, 6, 3), jnp.float32)


@pytest.mark.parametrize("shape", [(None, None), (None, 4, None)], ids=str)
def test_weights_need_every_length_they_depend_on(shape):
    message = (f"Dense(units=4) needs to know every length of its input but the batch size, got {shape}. Write the missing "
               "one where the input is declared: input_shape=(...).")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        chain.shapes("dense", Dense(4), shape, jnp.float32)


def test_flatten_of_an_unknown_length_before_dense_is_refused():
    shape, dtype = chain.shapes("flatten", Flatten(), (None, None, 3), jnp.float32)
    with pytest.raises(ValueError, match=r"^Dense\(units=4\) needs to know every length of its input but the batch size"):
        chain.shapes("dense", Dense(4), shape, dtype)


def test_an_error_in_shapes_says_where_it_happened():
    with pytest.raises(ValueError, match=r"^LSTM needs x \(batch, time, features\)") as error:
        chain.shapes("rnn", LSTM(3), (8, 5), jnp.float32)
    assert note(error) == "In layer 'rnn', LSTM(units=3), given x (8, 5) float32."
