"""Layers that stand in two models: one set of weights, whoever trains it."""

import copy
import gc
import weakref

import jax
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import jaxseq
from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Input
from jaxseq.models import Sequential, clone_model

pytestmark = pytest.mark.usefixtures("quickly_compiled")

DRAW = np.random.default_rng(4)
X = DRAW.normal(size=(24, 6)).astype("float32")
CODES = DRAW.normal(size=(24, 3)).astype("float32")
FIT = dict(batch_size=8, epochs=2, shuffle=False, verbose=0)


def autoencoder(k, **words):
    """Two layers in, one out."""
    layers = [k.Input((6,)), k.layers.Dense(4, activation="tanh"), k.layers.Dense(3), k.layers.Dense(6)]
    model = k.Sequential(layers, **words)
    model.compile(k.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


def close(ours, theirs, **tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert_allclose(a, b, **{"rtol": 1e-4, "atol": 1e-5} | tolerance)


def test_an_encoder_shares_the_weights_as_in_keras():
    results, start = {}, None
    for k in keras, jaxseq:
        whole = autoencoder(k)
        start = start or whole.get_weights()
        whole.set_weights(start)
        encoder = k.Sequential([*([k.Input((6,))] if k is keras else []), *whole.layers[:2]])
        encoder.compile(k.optimizers.SGD(0.05), "mse")
        history = []
        for model, y in (whole, X), (encoder, CODES), (whole, X):       # the optimizers' momenta are each model's own
            history += model.fit(X, y, **FIT).history["loss"]
        results[k] = [history, whole.predict(X, verbose=0), encoder.predict(X, verbose=0), whole.evaluate(X, X, verbose=0),
                      *whole.get_weights(), *encoder.get_weights()]
    close(results[jaxseq], results[keras])


def made():
    """(an autoencoder, its encoder)."""
    whole = autoencoder(jaxseq, seed=0)
    whole.build()
    return whole, Sequential(whole.layers[:2], "encoder", seed=1)


@pytest.fixture
def pair():
    return made()


def test_what_is_set_or_trained_in_one_is_seen_in_the_other(pair):
    whole, encoder = pair
    assert encoder.input_shape == (None, 6) and encoder.count_params() == 28 + 15
    encoder.set_weights([np.full_like(weight, number) for number, weight in enumerate(encoder.get_weights())])
    assert [weight.flat[0] for weight in whole.get_weights()[:4]] == [0, 1, 2, 3]
    whole.layers[1].set_weights([np.ones((4, 3)), np.zeros(3)])
    assert_array_equal(encoder.get_weights()[2], np.ones((4, 3)))
    whole.params = jax.tree.map(lambda leaf: leaf * 0, dict(whole.params))
    assert not any(weight.any() for weight in encoder.get_weights())


def test_one_array_serves_both(pair):
    whole, encoder = pair
    whole.train_on_batch(X, X)
    for name in "dense", "dense_1":
        assert whole.train_state.params[name]["kernel"] is encoder.train_state.params[name]["kernel"]
    assert list(whole.params) == ["dense", "dense_1", "dense_2"] and list(encoder.params["dense"]) == ["kernel", "bias"]


def test_fingerprints_tell_what_others_did(pair):
    whole, encoder = pair
    before, mine = encoder.fingerprint(), whole.fingerprint()
    assert encoder.fingerprint() == before
    whole.train_on_batch(X, X)
    assert encoder.fingerprint() != before and whole.fingerprint() != mine


def test_steps_and_optimizers_are_each_models_own(pair):
    whole, encoder = pair
    encoder.compile("adam", "mse")
    whole.fit(X, X, **FIT)
    assert int(whole.train_state.step) == 6 and int(encoder.train_state.step) == 0
    moments = jax.tree.leaves(encoder.train_state.opt_state)
    assert not any(np.any(leaf) for leaf in moments if leaf.ndim)


def test_a_frozen_layer_is_frozen_in_both(pair):
    whole, encoder = pair
    whole.layers[0].trainable = False
    before = whole.get_weights()
    encoder.compile("sgd", "mse")
    encoder.train_on_batch(X, CODES)
    whole.train_on_batch(X, X)
    after = whole.get_weights()
    assert_array_equal(before[0], after[0])
    assert np.any(before[2] != after[2]) and len(encoder.trainable_weights) == 2


def test_whichever_model_is_built_first_draws():
    layers = [Dense(4, input_shape=(6,)), Dense(3)]
    one, two = Sequential(layers, seed=0), Sequential(layers, seed=1)
    two.build()
    alone = Sequential([Dense(4, input_shape=(6,)), Dense(3)], seed=1)
    for ours, theirs, other in zip(one.get_weights(), alone.get_weights(), two.get_weights(), strict=True):
        assert_array_equal(ours, theirs)
        assert_array_equal(ours, other)


def test_the_part_behind_is_a_model_as_well(pair):
    whole, encoder = pair
    decoder = Sequential(whole.layers[2:])
    assert decoder.input_shape == (None, 3)
    assert_allclose(decoder.predict(encoder.predict(X)), whole.predict(X), rtol=1e-5, atol=1e-6)
    joined = Sequential([encoder, decoder])
    assert_allclose(joined.predict(X), whole.predict(X), rtol=1e-5, atol=1e-6)
    joined.compile("sgd", "mse")
    joined.train_on_batch(X, X)
    for ours, theirs in zip(joined.get_weights(), whole.get_weights(), strict=True):
        assert_array_equal(ours, theirs)


def test_a_shared_layer_may_be_added_and_popped_while_models_are_trained(pair):
    whole, encoder = pair
    whole.train_on_batch(X, X)
    kept = whole.get_weights()
    shorter = Sequential(whole.layers)
    assert shorter.pop() is whole.layers[-1] and whole.pop() is not None
    shorter.add(Dense(2))
    assert shorter.count_params() == encoder.count_params() + 8
    whole.pop()
    assert [layer.name for layer in whole.layers] == ["dense"]
    for ours, theirs in zip(encoder.get_weights(), kept[:4], strict=True):
        assert_array_equal(ours, theirs)
    assert encoder.layers[1].owner is encoder and encoder.layers[1].output_shape == (None, 3)


def test_names_that_are_taken_are_counted_on(refuses):
    one, two = (Sequential([Dense(3, input_shape=(3,))], seed=seed) for seed in (0, 1))
    both = Sequential([Dense(3, input_shape=(3,)), one.layers[0], two.layers[0]])
    assert [name for name, _ in both.named_layers] == ["dense", "dense_1", "dense_2"] == list(both.params)
    assert both.get_layer("dense_2") is two.layers[0] and two.layers[0].name == "dense"
    again = Sequential.from_config(both.get_config())
    assert [layer.name for layer in again.layers] == ["dense", "dense_1", "dense_2"]
    named = Sequential([Dense(3, input_shape=(3,), name="mine")])
    with refuses("Two layers are called 'mine': write another name for Dense(units=3, name='mine', "
                 "batch_input_shape=(None, 3))."):
        Sequential([Dense(3, name="mine"), named.layers[0]])


def test_a_copy_of_a_layer_shares_nothing(pair):
    whole, _ = pair
    for copied in copy.copy, copy.deepcopy:
        other = Sequential([copied(layer) for layer in whole.layers], seed=5)
        other.build((None, 6))
        assert np.any(other.get_weights()[0] != whole.get_weights()[0]) and other.layers[0].owner is other
    clone = clone_model(whole)
    clone.set_weights([weight * 0 for weight in clone.get_weights()])
    assert whole.get_weights()[0].any()


def test_a_shared_statistic_moves_in_both():
    whole = Sequential([Dense(4, input_shape=(6,)), BatchNormalization(momentum=0.5), Dense(6)], seed=0)
    part = Sequential(whole.layers[:2])
    whole.compile("sgd", "mse")
    whole.train_on_batch(X, X)
    assert part.get_weights()[4].any()
    assert_array_equal(part.get_weights()[4], whole.get_weights()[4])
    assert [weight.shape for weight in part.non_trainable_weights] == [(4,), (4,)]


def test_a_shared_carry_goes_on_from_one_model_to_the_other():
    sequences = DRAW.normal(size=(4, 5, 3)).astype("float32")
    first = Sequential([LSTM(2, stateful=True, batch_input_shape=(4, 5, 3))], seed=0)
    second = Sequential([*first.layers, Dense(1)], seed=0)
    y = first.predict(sequences, batch_size=4)
    second.predict(sequences, batch_size=4)
    carried = first.predict(sequences, batch_size=4)
    second.reset_states()
    assert_array_equal(first.predict(sequences, batch_size=4), y)
    second.predict(sequences, batch_size=4)
    assert_array_equal(first.predict(sequences, batch_size=4), carried)


def test_a_layer_that_cannot_take_its_new_input_is_refused(pair, refuses):
    whole, _ = pair
    with refuses("Dense(units=3, name='dense_1') has in its other model kernel (4, 3), bias (3,), and would need here "
                 "bias (3,), kernel (7, 3): write a new layer."):
        Sequential([Input((7,)), whole.layers[1]])
    late = Sequential([whole.layers[1], Dense(2)])
    assert late.input_shape == (None, 4)
    unknown = Sequential([Dense(5), whole.layers[2]])
    before = unknown.get_config()
    with pytest.raises(ValueError, match="has in its other model"):
        unknown.build((None, 4))
    assert unknown.get_config() == before
    model = Sequential([Dense(5, input_shape=(2,))])
    with pytest.raises(ValueError, match="has in its other model"):
        model.add(whole.layers[1])
    assert len(model.layers) == 1 and whole.layers[1].owner is whole


def test_a_layer_lives_as_long_as_one_of_its_models(refuses):
    whole, encoder = made()
    layer, last, weights = whole.layers[0], whole.layers[2], whole.layers[0].get_weights()
    gone = weakref.ref(whole)
    del whole
    gc.collect()
    assert gone() is None
    assert_array_equal(layer.get_weights()[0], weights[0])
    assert layer.owner is encoder and not layer.bereft and last.bereft
    with refuses("Dense(units=6, name='dense_2') had its weights in a model that is gone, and they with it. Keep that model "
                 "while its layers are used, base = ...; Sequential(base.layers[:-1]), or copy the layer: "
                 "layer.replaced()."):
        Sequential([last])


def test_a_layer_of_a_model_that_never_had_weights_is_free():
    layer = Dense(3)
    Sequential([layer])
    gc.collect()
    assert Sequential([layer, Dense(2)]).layers[0] is layer


def test_dropout_is_drawn_by_each_models_own_seed():
    one = Sequential([Dropout(0.5, input_shape=(6,)), Dense(1)], seed=0)
    two = Sequential(one.layers, seed=0)
    for model in one, two:
        model.compile("sgd", "mse")
    start = one.get_weights()
    one.train_on_batch(X, X[:, :1])
    after = one.get_weights()
    one.set_weights(start)
    two.train_on_batch(X, X[:, :1])
    close(one.get_weights(), after, rtol=0, atol=0)


def test_a_layer_that_is_popped_keeps_its_weights():
    model = Sequential([Dense(4, input_shape=(6,)), BatchNormalization(), Dense(2)], seed=0)
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], verbose=0)
    before, first = model.get_weights(), model.layers[0].get_weights()
    head, middle = model.pop(), model.pop()
    assert_array_equal(head.get_weights()[0], before[6])
    model.add(middle)
    model.add(head)
    assert [name for name, _ in model.named_layers] == ["dense", "batch_normalization", "dense_1"] and head.owner is model
    for one, other in zip(model.get_weights(), before, strict=True):
        assert_array_equal(one, other)
    model.fit(X, X[:, :2], verbose=0)
    other = Sequential([Dense(4, input_shape=(6,)), model.pop()], seed=1)
    assert_array_equal(other.get_weights()[2], other.layers[1].get_weights()[0])
    assert not np.array_equal(first[0], model.get_weights()[0])


def test_a_popped_layer_that_does_not_fit_any_more_keeps_its_weights(refuses):
    model = Sequential([Dense(4, input_shape=(6,)), Dense(2)], seed=0)
    model.build()
    head = model.pop()
    kept = head.get_weights()
    with pytest.raises(ValueError, match="has in its other model kernel"):
        Sequential([Dense(5, input_shape=(6,)), head]).build()
    assert_array_equal(head.get_weights()[0], kept[0])
    model.add(head)
    assert_array_equal(model.get_weights()[2], kept[0])


def test_a_pop_that_fails_leaves_the_model_as_it_was(monkeypatch):
    model = Sequential([Dense(4, input_shape=(6,)), Dense(2)], seed=0)
    before, head = model.fingerprint(), model.layers[1]

    def broken(self, layout):
        raise MemoryError

    monkeypatch.setattr(jaxseq.api.body.Body, "_drawn", broken)
    with pytest.raises(MemoryError):
        model.pop()
    assert model.layers[1] is head and head.owner is model and model.fingerprint() == before and not head.shared
