"""What is frozen cannot be learnt, so members have the model's own."""

from __future__ import annotations

import numpy as np
import pytest

import jaxseq
from jaxseq import Sequential
from jaxseq.layers import BatchNormalization, Dense, Rescaling, TimeDistributed
from jaxseq.models import clone_model

ROWS = np.random.default_rng(0)
X, Y = ROWS.standard_normal((40, 6), np.float32), ROWS.integers(0, 3, 40)


def compiled(*layers):
    model = Sequential(layers, seed=1)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def base(trainable=False):
    """A model that was trained on something else."""
    made = Sequential([Dense(5, "relu", input_shape=(6,)), BatchNormalization()], seed=7)
    made.compile("adam", "mse")
    made.fit(X, X[:, :5], verbose=0)
    made.trainable = trainable
    return made


def nested():
    return compiled(base(), Dense(3, "softmax"))


def built():
    model = nested()
    model.build()
    return model


def behind_a_layer():
    """The model has not seen its input yet, and what stands in it has."""
    return compiled(Rescaling(0.5), base(), Dense(3, "softmax"))


def a_layer_within():
    inner = base(trainable=True)
    inner.layers[1].trainable = False
    return compiled(inner, Dense(3, "softmax"))


def partly():
    model = compiled(Dense(5, "relu", input_shape=(6,)), BatchNormalization(), Dense(3, "softmax"))
    model.fit(X, Y, verbose=0)
    for layer in model.layers[:2]:
        layer.trainable = False
    return model


def layers_of(model):
    """Those at any depth."""
    return [leaf for layer in model.layers for leaf in (layers_of(layer) if isinstance(layer, Sequential) else [layer])]


def still(model):
    """Whether each of these stands still."""
    return [not leaf.trainable or isinstance(layer, Sequential) and not layer.trainable for layer in model.layers
            for leaf in (layers_of(layer) if isinstance(layer, Sequential) else [layer])]


def alone(model, seed):
    """The model of that seed with the frozen weights, put there by hand."""
    made = clone_model(model, seed=seed)
    made.build((None, 6))
    for layer, own, frozen in zip(layers_of(model), layers_of(made), still(model), strict=True):
        if frozen:
            own.set_weights(layer.get_weights())
    made.compile(**model.compile_arguments)
    return made


@pytest.mark.every(8)
@pytest.mark.parametrize("make", [nested, built, behind_a_layer, a_layer_within, partly])
def test_members_take_frozen_weights_from_the_model_and_draw_the_others(make):
    model = make()
    drawn, singles = model.drawn, [alone(model, seed) for seed in (3, 4)]
    ensemble = jaxseq.Ensemble(model, seeds=[3, 4])
    assert model.drawn == drawn
    ensemble.fit(X, Y, 20, verbose=0)
    model.build((None, 6))                              # as far as it was not
    for member, single in zip(ensemble, singles, strict=True):
        single.fit(X, Y, 20, verbose=0)
        assert member.fingerprint() == single.fingerprint()
        for layer, own, frozen in zip(layers_of(model), layers_of(member), still(model), strict=True):
            same = [np.array_equal(*pair) for pair in zip(layer.get_weights(), own.get_weights(), strict=True)]
            assert all(same) if frozen else not any(same)
    assert ensemble[0].layers[-1].get_weights()[0].tolist() != ensemble[1].layers[-1].get_weights()[0].tolist()


def test_they_are_those_that_the_model_had_when_the_ensemble_was_made():
    model = partly()
    kernel = model.layers[0].get_weights()[0]
    ensemble = jaxseq.Ensemble(model, seeds=[3])
    model.layers[0].set_weights([each * 0 for each in model.layers[0].get_weights()])
    np.testing.assert_array_equal(ensemble[0].layers[0].get_weights()[0], kernel)


def test_a_model_that_is_a_part_of_a_layer():
    layer = TimeDistributed(base(), input_shape=(2, 6))
    model = compiled(layer, Dense(3, "softmax"))
    member = jaxseq.Ensemble(model, seeds=[3])[0]
    for own, had in zip(member.layers[0].get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(own, had)


def test_a_model_that_was_frozen_as_a_whole():
    model = compiled(Dense(5, input_shape=(6,)), Dense(3, "softmax"))
    model.build()
    model.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    member = jaxseq.Ensemble(model, seeds=[3])[0]
    for own, had in zip(member.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(own, had)


def test_frozen_layers_of_a_model_without_weights_are_drawn():
    model = compiled(Dense(5, input_shape=(6,), trainable=False), Dense(3, "softmax"))
    ensemble, single = jaxseq.Ensemble(model, seeds=[3, 4]), alone_drawn(model, 4)
    ensemble.fit(X, Y, verbose=0)
    single.fit(X, Y, verbose=0)
    assert ensemble[1].fingerprint() == single.fingerprint() and not model.drawn


def alone_drawn(model, seed):
    made = clone_model(model, seed=seed)
    made.compile(**model.compile_arguments)
    return made


@pytest.mark.full
def test_a_sweep_takes_them_too():
    model = partly()
    sweep = jaxseq.Ensemble(model, sweep={"learning_rate": [0.1, 0.01], "dense_1.units": [3, 4]})
    sweep.fit(X, Y, 16, verbose=0)
    for member in sweep:
        np.testing.assert_array_equal(member.layers[0].get_weights()[0], model.layers[0].get_weights()[0])


def test_frozen_layers_whose_shape_is_swept_are_refused():
    with pytest.raises(ValueError, match=r"is frozen with weights of other shapes: .* \(5,\), and this member needs \(6,\)\."):
        jaxseq.Ensemble(partly(), sweep={"dense.units": [5, 6]})
