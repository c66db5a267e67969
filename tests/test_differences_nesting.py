"""What docs/differences.md says of models within models and shared layers, shown against the installed Keras."""

import gc

import keras
import pytest
from numpy.testing import assert_array_equal

import jaxseq

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def small(k, *layers):
    return k.Sequential([k.Input((3,)), *(layers or [k.layers.Dense(3)])])


def test_a_models_trainable_leaves_its_layers_alone():
    for k, layers_say in (keras, False), (jaxseq, True):
        base = small(k)
        base.trainable = False
        assert base.layers[0].trainable is layers_say
        outer = small(k, base, k.layers.Dense(1))
        assert len(outer.trainable_weights) == 2 and len(base.trainable_weights) == 0


def test_weights_of_a_model_within_come_layer_by_layer():
    shapes = [[weight.shape for weight in small(k, small(k, k.layers.BatchNormalization(), k.layers.Dense(2))).get_weights()]
              for k in (keras, jaxseq)]
    assert shapes[0] == shapes[1] == [(3,)] * 4 + [(3, 2), (2,)]


def test_no_weights_stand_in_a_model_twice():
    def twice(k):
        shared = k.layers.Dense(3)
        return small(k, small(k, shared), small(k, shared))

    assert len(twice(keras).layers) == 2
    with pytest.raises(ValueError, match="stands in this model already"):
        twice(jaxseq)


def test_a_layer_whose_model_is_gone():
    for k in keras, jaxseq:
        model = small(k)
        layer, weights = model.layers[0], model.get_weights()
        del model
        gc.collect()
        if k is keras:
            assert_array_equal(small(k, layer).get_weights()[0], weights[0])
        else:
            with pytest.raises(ValueError, match="in a model that is gone"):
                small(k, layer)


def test_a_model_within_another_keeps_its_layers():
    for k in keras, jaxseq:
        base = small(k)
        outer = small(k, base)
        if k is keras:
            base.add(k.layers.Dense(2))
            assert len(outer.layers[0].layers) == 2
        else:
            with pytest.raises(ValueError, match="which stands in another one"):
                base.add(k.layers.Dense(2))
