"""plot_model and model.plot: boxes in a row with what was asked for in them, as SVG, and in a file."""

import inspect
import sys
import xml.etree.ElementTree as ElementTree

import keras
import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

from jaxseq.layers import Conv2D, Dense, Dropout, Flatten
from jaxseq.models import Sequential
from jaxseq.utils import plot_model

SVG = "{http://www.w3.org/2000/svg}"
ALL = dict.fromkeys(["show_shapes", "show_dtype", "show_layer_names", "show_layer_activations", "show_trainable"], True)


@pytest.fixture(scope="module")
def model():
    deep = Sequential([Dense(4, activation="relu"), Dropout(0.2)], "deep")
    base = Sequential([Dense(8), deep], "base", trainable=False)
    return Sequential([Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)), Flatten(), base, Dense(2)])


def texts(diagram):
    """The lines of every box and frame, as they stand in the SVG."""
    groups = [group for group in ElementTree.fromstring(diagram.svg).iter(f"{SVG}g") if group.find(f"{SVG}rect") is not None]
    return [[each.text for each in group.iter(f"{SVG}text")] for group in groups]


def test_a_bare_graph_has_the_classes(model):
    assert texts(model.plot()) == [["Input"], ["Conv2D"], ["Flatten"], ["Sequential"], ["Dense"]]
    assert repr(model.plot()) == "<Diagram of 5 boxes>" and not model.drawn


def test_everything_that_can_be_shown(model):
    shown = texts(model.plot(**ALL, expand_nested=True))
    assert shown == [
        ["Input", "(None, 12, 12, 1)", "float32"],
        ["conv2d (Conv2D)", "relu", "(None, 12, 12, 1) → (None, 10, 10, 8)", "float32", "trained"],
        ["flatten (Flatten)", "(None, 10, 10, 8) → (None, 800)", "float32"],
        ["base (Sequential)"], ["dense (Dense)", "(None, 800) → (None, 8)", "float32", "frozen"],
        ["deep (Sequential)"], ["dense (Dense)", "relu", "(None, 8) → (None, 4)", "float32", "frozen"],
        ["dropout (Dropout)", "(None, 4) → (None, 4)", "float32", "frozen"],
        ["dense (Dense)", "(None, 4) → (None, 2)", "float32", "trained"]]


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_boxes_stand_in_a_line_inside_of_their_frames_and_nothing_overlaps(model, rankdir):
    diagram = model.plot(rankdir=rankdir, expand_nested=True, **ALL)
    frames = [box for box in diagram.boxes if box.fill is None]
    boxes = [box for box in diagram.boxes if box.fill]
    along = (lambda box: (box.y, box.y + box.height)) if rankdir == "TB" else (lambda box: (box.x, box.x + box.width))
    across = (lambda box: box.x + box.width / 2) if rankdir == "TB" else (lambda box: box.y + box.height / 2)
    assert np.ptp([across(box) for box in boxes]) < 1e-9
    assert all(along(one)[1] < along(two)[0] for one, two in zip(boxes, boxes[1:], strict=False))
    inside = lambda box, x, y, width, height: (x <= box.x and y <= box.y and box.x + box.width <= x + width
                                               and box.y + box.height <= y + height)
    assert all(inside(box, 0, 0, diagram.width, diagram.height) for box in diagram.boxes)
    assert [sum(inside(box, *frame[2:]) for box in boxes) for frame in frames] == [3, 2]
    for one, two, (x1, y1, x2, y2) in zip(boxes, boxes[1:], diagram.arrows, strict=False):
        assert (y1, y2) == (along(one)[1], along(two)[0]) if rankdir == "TB" else (x1, x2) == (along(one)[1], along(two)[0])


def test_texts_fit_into_their_boxes(model):
    for box in model.plot(**ALL).boxes:
        assert all(len(text) * 0.6 * 12 <= box.width - 16 for text in box.text)        # a monospaced letter is 0.6 em wide
        assert len(box.text) * 16 <= box.height


def test_a_model_that_knows_no_input_yet():
    assert texts(Sequential([Dense(3)]).plot(show_shapes=True, show_dtype=True)) == [["Input", "?", "?"], ["Dense", "?", "?"]]
    assert texts(Sequential().plot()) == [["Input"]]


def test_an_activation_of_ones_own_is_named():
    def swish_2(x):
        return x

    assert texts(Sequential([Dense(1, activation=swish_2)]).plot(show_layer_activations=True))[1] == ["Dense", "swish_2"]


def test_the_file_is_what_is_shown(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    diagram = plot_model(model)
    assert (tmp_path / "model.svg").read_text() == diagram.svg == diagram._repr_svg_()
    plot_model(model, None)
    assert [path.name for path in tmp_path.iterdir()] == ["model.svg"]


def test_pictures_have_the_dots_that_were_asked_for(model, tmp_path):
    diagram = plot_model(model, tmp_path / "m.png", dpi=96, expand_nested=True, **ALL)
    height, width, _ = matplotlib.image.imread(tmp_path / "m.png").shape
    assert abs(width - diagram.width) <= 1 and abs(height - diagram.height) <= 1
    model.plot(tmp_path / "m.pdf", rankdir="LR")
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF") and plt.get_fignums() == []


def test_what_cannot_be_drawn_is_said(model, tmp_path, refuses, monkeypatch):
    with refuses("'model.jpeg': write a name that ends in .svg, .png or .pdf."):
        plot_model(model, "model.jpeg")
    with refuses("rankdir='BT': write one of 'TB', 'LR'."):
        model.plot(rankdir="BT")
    with refuses("plot_model takes no argument 'show_shape'. Did you mean 'show_shapes' or 'show_dtype'?", TypeError):
        model.plot(show_shape=True)
    monkeypatch.setitem(sys.modules, "jaxseq.api.showing.picture", None)
    with refuses("Pictures are made with matplotlib: pip install 'jaxseq[plot]'.", ImportError):
        model.plot(tmp_path / "m.png")
    assert [*tmp_path.iterdir()] == []


def test_the_words_are_those_of_keras():
    ours, theirs = (inspect.signature(each.plot_model).parameters for each in (sys.modules["jaxseq.utils"], keras.utils))
    assert list(ours) == [name for name in theirs if name != "kwargs"]
    assert {name: each.default for name, each in ours.items() if name != "to_file"} == {
        name: theirs[name].default for name in ours if name != "to_file"}
