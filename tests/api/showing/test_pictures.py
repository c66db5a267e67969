"""Pictures of data and of a model: what stands in the axes is counted by scikit-learn, or computed by hand."""

import sys

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import confusion_matrix

from jaxseq import plotting
from jaxseq.layers import LSTM, Conv1D, Conv2D, Conv3D, Dense, Dropout, Flatten
from jaxseq.models import Sequential

DRAW = np.random.Generator(np.random.Philox(5))


def cells(figure):
    """{(row, column): the text there}"""
    return {(round(each.get_position()[1]), round(each.get_position()[0])): each.get_text() for each in figure.axes[0].texts}


def tiles(ax):
    return [np.asarray(each.get_array()) for each in ax.images]


# ---- confusion_matrix


@pytest.mark.parametrize("classes", [2, 5, 20])
def test_counts_and_shares(classes):
    true = DRAW.integers(0, classes, 500)
    predicted = np.where(DRAW.random(500) < 0.7, true, DRAW.integers(0, classes, 500))
    wanted = confusion_matrix(true, predicted)
    figure = plotting.confusion_matrix(true, predicted)
    ax, = figure.axes
    assert cells(figure) == {place: f"{count}\n{count / wanted[place[0]].sum():.0%}" for place, count in np.ndenumerate(wanted)
                             if count}
    assert_allclose(np.asarray(ax.images[0].get_array()), wanted / wanted.sum(1, keepdims=True))
    assert ax.get_title() == f"{np.trace(wanted)} of 500 right ({np.trace(wanted) / 500:.1%})"
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true", "predicted")


@pytest.mark.full
def test_twenty_classes_can_be_read():
    figure = plotting.confusion_matrix(np.repeat(np.arange(20), 1000), np.tile(np.arange(20), 1000),
                                       [f"class number {number}" for number in range(20)])
    figure.canvas.draw()
    box = figure.axes[0].get_window_extent()
    for text in figure.axes[0].texts:
        own = text.get_window_extent()
        assert own.width < box.width / 20 and own.height < box.height / 20 and text.get_fontsize() >= 8
    for labels in (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels()):
        assert [each.get_text() for each in labels] == [f"class number {number}" for number in range(20)]


@pytest.mark.parametrize("form", [lambda y: y, lambda y: y[:, None], lambda y: np.eye(3)[y], lambda y: y.tolist(),
                                  lambda y: y.astype(float)])
def test_the_forms_of_classes(form):
    true, predicted = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
    wanted = {(0, 0): "1\n100%", (1, 2): "1\n100%", (2, 1): "1\n50%", (2, 2): "1\n50%"}
    assert cells(plotting.confusion_matrix(true, form(predicted))) == wanted
    assert cells(plotting.confusion_matrix(form(true), predicted)) == wanted


def test_what_are_no_classes_is_said(refuses):
    with refuses("y_pred (2, 1) float64 holds no class numbers from 0 on, and no row of probabilities per class. Of one "
                 "probability per row write (y > 0.5).".replace("(2, 1)", "(2,)")):
        plotting.confusion_matrix([0, 1], [[0.2], [0.7]])
    with refuses("y_true has 2 rows and y_pred 3."):
        plotting.confusion_matrix([0, 1], [0, 1, 1])
    with refuses("There are 3 classes and 2 labels."):
        plotting.confusion_matrix([0, 2], [0, 1], ["a", "b"])
    with refuses("confusion_matrix: there are no rows."):
        plotting.confusion_matrix([], [])


@pytest.mark.parametrize(("predicted", "place"), [([[0.1, 0.9], [np.nan, np.nan]], [1, 0]), ([1, np.nan], [1])])
def test_nan_is_no_class(refuses, predicted, place):
    with refuses(f"y_pred holds NaN, which is no class and no probability: the first at {place}. Look with model.fit(..., "
                 "check_finite=True) for where it comes from."):
        plotting.confusion_matrix([0, 1], predicted)


def test_one_large_label_asks_for_no_memory(refuses):
    true, predicted = np.array([0, 200_000]), np.array([0, 0])
    with refuses("The largest class number is 200000, and confusion_matrix shows up to 1000 classes, from 0 on. Number those "
                 "that occur: classes = np.unique(np.concatenate([y_true, y_pred])), and pass "
                 "np.searchsorted(classes, y_true), np.searchsorted(classes, y_pred), labels=classes."):
        plotting.confusion_matrix(true, predicted)
    classes = np.unique(np.concatenate([true, predicted]))
    figure = plotting.confusion_matrix(np.searchsorted(classes, true), np.searchsorted(classes, predicted), labels=classes)
    assert cells(figure) == {(0, 0): "1\n100%", (1, 0): "1\n100%"}
    assert [each.get_text() for each in figure.axes[0].get_yticklabels()] == ["0", "200000"]


@pytest.mark.parametrize(("function", "written", "meant"), [
    ("confusion_matrix", "label", "labels"), ("image_grid", "column", "columns"), ("weights", "chanel", "channel"),
    ("activations", "rows", "row")])
def test_a_misspelt_word_is_told_the_nearest(refuses, function, written, meant):
    with refuses(f"{function} takes no argument {written!r}. Did you mean {meant!r}?", TypeError):
        getattr(plotting, function)([0], [0], **{written: None})


# ---- image_grid


@pytest.mark.parametrize(("images", "wanted"), [
    (DRAW.random((5, 3, 4)), lambda x: x), (DRAW.random((5, 3, 4, 1)), lambda x: x[..., 0]),
    (DRAW.random((5, 3, 4, 3)), lambda x: x), (DRAW.integers(0, 17, (5, 3, 4)).astype("uint8"), lambda x: x / x.max()),
    (DRAW.integers(0, 256, (5, 3, 4, 3)).astype("uint8"), lambda x: x / x.max()),
    (DRAW.normal(size=(5, 3, 4)), lambda x: (x - x.min()) / np.ptp(x)), (np.zeros((2, 3, 4)), lambda x: x)])
def test_images_are_shown_in_their_order(images, wanted):
    ax, = plotting.image_grid(images, columns=2).axes
    assert_allclose(tiles(ax), wanted(images))
    lefts, tops = np.array([(each.get_extent()[0], each.get_extent()[3]) for each in ax.images]).T
    rows = [sorted(set(tops)).index(top) for top in tops]
    assert rows == [place // 2 for place in range(len(images))] and len(set(lefts)) == 2
    assert all(each.get_clim() == (0, 1) for each in ax.images)


def test_labels_stand_above_their_images():
    ax, = plotting.image_grid(np.zeros((3, 2, 2)), ["a", "b", 7]).axes
    assert [each.get_text() for each in ax.texts] == ["a", "b", "7"]
    for text, image in zip(ax.texts, ax.images, strict=True):
        left, right, _, top = image.get_extent()
        assert left < text.get_position()[0] < right and text.get_position()[1] < top


def test_what_are_no_images_is_said(refuses):
    with refuses("image_grid wants images (n, height, width) or (n, height, width, 1, 3 or 4), got (4, 4). Write images[None] "
                 "for a single one."):
        plotting.image_grid(np.zeros((4, 4)))
    with refuses("image_grid shows 1 to 400 images, got 401: write images[:400]."):
        plotting.image_grid(np.zeros((401, 1, 1)))
    with refuses("There are 2 images and 1 labels."):
        plotting.image_grid(np.zeros((2, 1, 1)), [1])


# ---- weights and activations


@pytest.fixture(scope="module")
def model():
    return Sequential([Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), Conv2D(70, (2, 3)), Flatten(), Dropout(0.5),
                       Dense(5)], seed=0)


def test_the_filters_of_colors(model):
    figure = plotting.weights(model.layers[0])
    kernel = model.layers[0].get_weights()[0]
    ax, = figure.axes
    assert_allclose(tiles(ax), 0.5 + 0.5 * np.moveaxis(kernel, -1, 0) / np.abs(kernel).max(), rtol=1e-5)
    assert ax.get_title() == "kernel (3, 3, 3, 4)"


def test_the_filters_of_one_channel_of_many(model):
    ax, bar = plotting.weights(model.layers[1], channel=2).axes
    kernel = model.layers[1].get_weights()[0]
    assert_allclose(tiles(ax), np.moveaxis(kernel[:, :, 2, :64], -1, 0), rtol=1e-6)
    assert ax.get_title() == "kernel (2, 3, 4, 70), channel 2, the first 64"
    low, high = ax.images[0].get_clim()
    assert_allclose((low, high), (-np.abs(kernel).max(), np.abs(kernel).max()), rtol=1e-6)


def test_matrices(model):
    kernel, recurrent = (weight for weight in LSTM_MODEL.layers[0].get_weights() if weight.ndim > 1)
    one, two, bar = plotting.weights(LSTM_MODEL.layers[0]).axes
    assert_allclose(tiles(one), [kernel], rtol=1e-6)
    assert_allclose(tiles(two), [recurrent], rtol=1e-6)
    assert [one.get_title(), two.get_title()] == ["kernel (3, 8)", "recurrent_kernel (2, 8)"]


LSTM_MODEL = Sequential([LSTM(2, input_shape=(6, 3), return_sequences=True)], seed=0)


def test_filters_over_time_and_space():
    both = Sequential([Conv1D(5, 2, input_shape=(4, 3))]), Sequential([Conv3D(5, 2, input_shape=(4, 4, 4, 2))])
    one, three = (each.layers[0].get_weights()[0] for each in both)
    assert_allclose(tiles(plotting.weights(both[0].layers[0]).axes[0]), [one.reshape(6, 5)], rtol=1e-6)
    shown = tiles(plotting.weights(both[1].layers[0], channel=1).axes[0])
    assert_allclose(shown, [three[depth, :, :, 1, each] for each in range(5) for depth in range(2)], rtol=1e-6)


def test_layers_without_weights_are_named(model, refuses):
    with refuses("Dropout(rate=0.5, name='dropout') has no weights of two axes or more to show."):
        plotting.weights(model.layers[3])
    with refuses("channel=4: kernel (2, 3, 4, 70) has 4 input channels."):
        plotting.weights(model.layers[1], channel=4)
    with pytest.raises(ValueError, match="stands in no model yet"):
        plotting.weights(Dense(3))


X = DRAW.random((3, 8, 8, 3)).astype("float32")


@pytest.mark.parametrize("layer", ["conv2d", 0, -5, "itself"])
def test_maps_are_those_of_the_layers_before_by_themselves(model, layer):
    before = model.fingerprint()
    ax, bar = plotting.activations(model, X, model.layers[0] if layer == "itself" else layer, row=2).axes
    alone = Sequential([Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3))])
    alone.set_weights(model.layers[0].get_weights())
    assert_allclose(tiles(ax), np.moveaxis(alone.predict(X)[2], -1, 0), rtol=1e-5, atol=1e-6)
    assert ax.get_title() == "conv2d (6, 6, 4)" and model.fingerprint() == before


def test_the_last_layer_gives_what_predict_gives(model):
    ax, = plotting.activations(model, X, "dense", row=1).axes
    assert_allclose([bar.get_height() for bar in ax.patches], model.predict(X)[1], rtol=1e-4, atol=1e-5)


def test_a_sequence_and_a_fixed_batch():
    x = DRAW.random((2, 6, 3)).astype("float32")
    ax, bar = plotting.activations(LSTM_MODEL, x, 0, row=1).axes
    assert_allclose(tiles(ax), [LSTM_MODEL.predict(x)[1].T], rtol=1e-5, atol=1e-6)
    fixed = Sequential([LSTM(2, batch_input_shape=(2, 6, 3), stateful=True)], seed=0)
    before = fixed.fingerprint()
    ax, = plotting.activations(fixed, x, 0, row=1).axes
    assert fixed.fingerprint() == before
    assert_allclose([bar.get_height() for bar in ax.patches], fixed.predict(x)[1], rtol=1e-5, atol=1e-6)


def test_what_is_no_layer_or_row_is_said(model, refuses):
    with refuses("There is no layer 'conv2'. Did you mean 'conv2d' or 'conv2d_1'?"):
        plotting.activations(model, X, "conv2")
    with refuses("Dense(units=5) is no layer of this model: write a name, a place, or one of model.layers."):
        plotting.activations(model, X, Dense(5))
    with refuses("row=3: x has 3 rows."):
        plotting.activations(model, X, 0, row=3)
    with refuses("x has shape (8, 8, 3), and the model's input is (None, 8, 8, 3): write x[None] for a single row."):
        plotting.activations(model, X[0], 0)


def test_functional_until_a_layer(model):
    pure = model.functional(until="flatten")
    y, _ = pure.apply(model.params, model.state, X)
    assert y.shape == (3, model.layer_shapes("flatten")[1][1])
    params, _ = pure.init(jax.random.key(0))
    assert list(params) == ["conv2d", "conv2d_1"]


# ---- all of them


def test_pictures_show_themselves_and_pyplot_knows_none():
    for figure in (plotting.confusion_matrix([0, 1], [1, 1]), plotting.image_grid(np.zeros((2, 2, 2)))):
        assert figure._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_without_matplotlib(refuses, monkeypatch):
    monkeypatch.setitem(sys.modules, "jaxseq.api.showing.picture", None)
    with refuses("Pictures are made with matplotlib: pip install 'jaxseq[plot]'.", ImportError):
        plotting.image_grid(np.zeros((2, 2, 2)))
