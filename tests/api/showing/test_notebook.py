"""In a kernel of its own: a cell that runs again gives the same numbers, and everything shows itself. Showing keeps nothing."""

import gc
import os
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from test_notebooks import ThisInterpreter, environment

from jaxseq import plotting
from jaxseq.callbacks import PlotHistory
from jaxseq.layers import Dense
from jaxseq.models import Sequential

DATA = """import numpy as np
from jaxseq.callbacks import PlotHistory
from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential

draw = np.random.Generator(np.random.Philox(0))
x, y = draw.normal(size=(64, 4)).astype("float32"), draw.integers(0, 2, 64)
"""
CELL = """layers = [Dense(8, activation="relu", input_shape=(4,)), Dropout(0.5), Dense(1, activation="sigmoid")]
model = Sequential(layers, seed=7)
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.25, callbacks=[PlotHistory()])
print(model.fingerprint(), history.history)
display(model.layers[0], history, history.plot("loss"), model.plot(show_shapes=True))
model"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Those of one cell that was run twice."""
    scratch = tmp_path_factory.mktemp("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (DATA, CELL, CELL)])
    client = NotebookClient(book, kernel_manager_class=ThisInterpreter, timeout=240, record_timing=False,
                            resources={"metadata": {"path": str(scratch)}})
    client.execute(env=os.environ | environment(scratch))
    return [cell.outputs for cell in book.cells[1:]]


def test_a_cell_that_runs_again_gives_the_same(outputs):
    once, again = ([(each.get("text"), each.get("data")) for each in outputs] for outputs in outputs)
    assert once == again
    assert re.match(r"[0-9a-f]{64} \{'loss': \[", next(text for text, _ in once if text))


def test_everything_shows_itself_in_one_place(outputs):
    shown = [each.data for each in outputs[0] if "data" in each]
    live, layer, history, plot, graph, model = shown
    assert live["text/plain"] == "<Curves of 3 epochs>"            # drawn three times, in one place
    assert live["text/html"] in history["text/html"] and "<svg" in live["text/html"]
    assert layer["text/plain"].startswith("Dense(units=8") and "kernel" in layer["text/html"]
    assert "image/png" in plot and "text/html" not in plot
    assert graph["image/svg+xml"].count("<rect") == 4
    assert "Output shape" in model["text/html"] and model["text/plain"].startswith("Sequential([")
    assert not [each for each in outputs[0] if each.get("name") == "stderr"]


@pytest.mark.full
def test_a_hundred_pictures_leave_nothing(make_model, data):
    model = make_model()
    history = model.fit(data.x, data.y, epochs=2, verbose=0, callbacks=[PlotHistory()])
    grown = Sequential([Dense(2, input_shape=(3,))])

    def show():
        for each in (model, history, *model.layers, grown):
            each._repr_html_()
        model.plot()._repr_svg_()
        history.plot()._repr_png_()
        plotting.confusion_matrix([0, 1], [1, 1])
        plotting.image_grid(np.zeros((4, 2, 2)))
        plotting.weights(model.layers[0])
        plotting.activations(model, data.x[:1], 0)

    counts = []
    for times in (5, 50, 50):
        for _ in range(times):
            show()
        gc.collect()
        counts.append(len(gc.get_objects()))
        assert plt.get_fignums() == []
    assert abs(counts[2] - counts[1]) < 200, counts
