"""A History shows its curves: as SVG and a table in a notebook, by matplotlib where it is asked to plot."""

import re
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxseq.api.showing import curves, series
from jaxseq.callbacks import History


def recorded(logs, first=0):
    """A History that was told these logs, epoch by epoch."""
    history = History()
    for epoch, each in enumerate(logs, first):
        history.on_epoch_end(epoch, each)
    return history


def svgs(text):
    return [ElementTree.fromstring(each) for each in re.findall("<svg.*?</svg>", text)]


def parts(svg, kind):
    return svg.findall(f"{{http://www.w3.org/2000/svg}}{kind}")


def points(line):
    return np.array([each.split(",") for each in line.get("points").split()], float)


RUN = recorded([{"loss": 4.0, "accuracy": 0.2}, {"loss": 2.0, "accuracy": 0.9, "val_loss": 3.0},
                {"loss": 1.0, "accuracy": 0.8}, {"loss": 1.5, "accuracy": 0.7, "val_loss": 5.0}])


def test_a_run_has_its_curves_and_its_best_epochs(model, data):
    history = model.fit(data.x, data.y, epochs=4, validation_split=0.2, validation_freq=2, verbose=0)
    assert history.measured == {"loss": [0, 1, 2, 3], "accuracy": [0, 1, 2, 3], "val_loss": [1, 3], "val_accuracy": [1, 3]}
    text = history._repr_html_()
    assert [parts(svg, "title")[0].text for svg in svgs(text)] == ["loss by epoch", "accuracy by epoch"]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
    for name, last, best, epoch in zip(*[iter(cells)] * 4, strict=True):
        values = history.history[name]
        wanted = (np.argmin if "loss" in name else np.argmax)(values)
        assert (last, best, epoch) == (f"{values[-1]:.4g}", f"{values[wanted]:.4g}", str(history.measured[name][wanted] + 1))


def test_a_curve_stands_where_its_numbers_are():
    loss, accuracy = svgs(RUN._repr_html_())
    trained, validated = parts(loss, "polyline")
    across, up = points(trained).T
    assert_allclose(np.diff(across), np.diff(across)[0], atol=0.11)
    slope, at_zero = np.polyfit(up, [4, 2, 1, 1.5], 1)          # height is a straight function of the loss, downwards
    assert slope < 0
    assert_allclose(slope * up + at_zero, [4, 2, 1, 1.5], atol=0.01)
    assert_allclose(points(validated)[:, 0], across[[1, 3]])
    assert_allclose(slope * points(validated)[:, 1] + at_zero, [3, 5], atol=0.01)
    assert validated.get("stroke-dasharray") and not trained.get("stroke-dasharray")
    written = [each.text for each in parts(loss, "text")]
    assert {"1", "4", "epoch", "training", "validation", "loss"} <= set(written)
    assert "validation" not in [each.text for each in parts(accuracy, "text")]


def test_a_logarithmic_scale():
    history = recorded([{"loss": value} for value in (1.0, 1e-2, 1e-4)])
    svg, = svgs(curves.drawn(history, log=True))
    up = points(parts(svg, "polyline")[0])[:, 1]
    assert_allclose(np.diff(up), np.diff(up)[0], atol=0.11)
    assert {"1", "0.01", "0.0001"} <= {each.text for each in parts(svg, "text")}
    assert len(parts(svgs(curves.drawn(recorded([{"loss": 0.0}, {"loss": 0.0}]), log=True))[0], "polyline")) == 0


def test_what_is_not_finite_leaves_a_gap_and_is_never_the_best():
    history = recorded([{"loss": value} for value in (3.0, 2.0, np.nan, 1.0, np.inf)])
    svg, = svgs(history._repr_html_())
    assert [len(points(line)) for line in parts(svg, "polyline")] == [2] and len(parts(svg, "circle")) == 1
    assert re.findall(r"<td[^>]*>([^<]*)</td>", history._repr_html_()) == ["loss", "inf", "1", "4"]
    assert "–" in recorded([{"loss": np.nan}])._repr_html_()


def test_a_metric_whose_better_side_nobody_knows_and_one_of_several_numbers():
    history = recorded([{"mine": 1.0, "f1": np.array([0.1, 0.2])}, {"mine": 2.0, "f1": np.array([0.3, 0.4])}])
    assert re.findall(r"<td[^>]*>([^<]*)</td>", history._repr_html_()) == ["mine", "2", "–", "–", "f1", "[0.3, 0.4]", "–", "–"]
    assert len(parts(svgs(history._repr_html_())[1], "polyline")) == 2


def test_a_long_run_stays_small():
    history = recorded([{"loss": 1 / (epoch + 1)} for epoch in range(20_000)])
    text = history._repr_html_()
    assert len(text) < 12_000
    line = points(parts(svgs(text)[0], "polyline")[0])
    assert len(line) == series.POINTS and "20000" in [each.text for each in parts(svgs(text)[0], "text")]


def test_it_takes_the_colors_of_the_page_and_nothing_from_elsewhere():
    text = RUN._repr_html_()
    assert not re.search(r"https?:(?!//www.w3.org/2000/svg)|src=|href=|<script|<style|url\(", text)
    assert {*re.findall(r"#[0-9a-f]{6}", text)} == {curves.TRAINED, curves.VALIDATED}


def test_names_are_escaped():
    assert "<b>" not in recorded([{"<b>loss": 1.0}])._repr_html_().replace("<b>History", "")


def test_an_empty_history_says_so():
    assert History()._repr_html_().count("History of 0 epochs") == 1 and repr(History()) == "<History of 0 epochs>"


@pytest.mark.parametrize(("low", "high", "wanted"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 14, [0, 5, 10]),
                                                     (0.31, 0.322, [0.31, 0.315, 0.32])])
def test_the_numbers_at_an_axis_are_round(low, high, wanted):
    assert_allclose(series.ticks(low, high), wanted, atol=1e-12)


# ---- matplotlib


def test_plot_has_a_panel_for_each_metric():
    figure = RUN.plot()
    loss, accuracy = figure.axes
    assert [loss.get_title(), accuracy.get_title()] == ["loss", "accuracy"]
    assert [line.get_label() for line in loss.lines] == ["loss", "val_loss"]
    assert_allclose(loss.lines[0].get_xydata(), [[1, 4], [2, 2], [3, 1], [4, 1.5]])
    assert_allclose(loss.lines[1].get_xydata(), [[2, 3], [4, 5]])
    assert loss.get_xlabel() == "epoch" and loss.get_yscale() == "linear"
    assert figure._repr_png_().startswith(b"\x89PNG") and plt.get_fignums() == []


def test_plot_of_some_and_with_a_logarithmic_scale():
    only, = RUN.plot("val_loss", log=True).axes
    assert [line.get_label() for line in only.lines] == ["val_loss"] and only.get_yscale() == "log"
    assert len(RUN.plot(["accuracy", "loss"]).axes) == 2


def test_plot_into_axes_of_ones_own():
    figure, ax = plt.subplots()
    assert RUN.plot(ax=ax) is ax and [line.get_label() for line in ax.lines] == ["loss", "val_loss", "accuracy"]
    plt.close(figure)


def test_epochs_of_a_run_that_went_on_are_its_own():
    assert_allclose(recorded([{"loss": 1.0}, {"loss": 2.0}], first=5).plot().axes[0].lines[0].get_xdata(), [6, 7])


def test_what_cannot_be_plotted_is_said(refuses, monkeypatch):
    with refuses("The History has no 'los'. Did you mean 'loss'?"):
        RUN.plot("los")
    with refuses("The History is empty: there is nothing to plot before fit."):
        History().plot()
    monkeypatch.setitem(sys.modules, "jaxseq.api.showing.picture", None)
    with refuses("Pictures are made with matplotlib: pip install 'jaxseq[plot]'.", ImportError):
        RUN.plot()
    assert "<svg" in RUN._repr_html_()


def test_what_was_measured_when_is_saved(tmp_path):
    RUN.save(tmp_path / "run.json")
    again = History.load(tmp_path / "run.json")
    assert again.measured == RUN.measured and again._repr_html_() == RUN._repr_html_()


def test_a_history_joined_by_hand_is_counted_from_one():
    history = recorded([{"loss": 1.0}, {"loss": 2.0}], first=5)
    history.history["loss"] += [3.0]
    assert_allclose(history.plot().axes[0].lines[0].get_xdata(), [1, 2, 3])
