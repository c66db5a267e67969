"""What docs/differences.md says of how a model shows itself, beside the installed Keras."""

import sys

import keras
import pytest
from test_differences import PAGE

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
