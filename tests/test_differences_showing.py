"""What docs/differences.md says of how a model shows itself, beside the installed Keras."""

import sys

import jax
import keras
import numpy as np
import pytest
from differing import PAGE

import jaxseq


def test_a_graph_without_pydot_and_graphviz(tmp_path, monkeypatch):
    assert "| `plot_model(model)` without pydot and graphviz |" in PAGE
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras.src.utils.model_visualization, "pydot", None)
    monkeypatch.delitem(sys.modules, "IPython.core.magics.namespace", raising=False)
    with pytest.raises(ImportError, match="pydot"):
        keras.utils.plot_model(keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]))
    jaxseq.utils.plot_model(jaxseq.Sequential([jaxseq.layers.Dense(1, input_shape=(2,))]))
    assert [path.name for path in tmp_path.iterdir()] == ["model.svg"]


def test_weights_are_variables_with_names_or_arrays_without():
    assert "| `model.weights`, `layer.weights` |" in PAGE
    for k in keras, jaxseq:
        rows = [k.layers.Dense(3, name="first"), k.layers.BatchNormalization(name="second")]
        model = k.Sequential([k.Input((2,)), *rows])
        held, before = model.weights, model.get_weights()
        for layer in model.layers:
            layer.set_weights([value + 1 for value in layer.get_weights()])
        offset = float(k is keras)
        for variable, value in zip(held, before, strict=True):
            np.testing.assert_allclose(np.asarray(variable), value + offset, rtol=1e-6)
        names = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"]
        if k is keras:
            assert [each.name for each in held] == names and held[0].path.endswith("first/kernel")
        else:
            assert all(isinstance(each, jax.Array) and not hasattr(each, "name") for each in [*held, *rows[0].weights])
            assert [name for tree in (model.params, model.state) for entry in tree.values() for name in entry] == names
            assert model.params["first"]["kernel"].shape == (2, 3)
