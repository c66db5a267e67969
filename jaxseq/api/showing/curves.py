"""What a notebook shows of a History: its curves as SVG, and the last and the best of every metric."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jaxseq.api.monitoring import known_direction
from jaxseq.api.progress import told
from jaxseq.api.showing.described import printable
from jaxseq.api.showing.markup import Markup, table, tag
from jaxseq.api.showing.series import Curve, panels, thinned, ticks

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 52, 308, 26, 164         # of the field in which the curves lie
TRAINED, VALIDATED = "#3b82f6", "#f97316"           # told apart by their dashes as well
FONT = "11px system-ui,sans-serif"


def of_history(history: Any) -> Markup:
    """The curves, and under them a table."""
    head = tag("div", tag("b", f"History of {len(history.epoch)} epoch{'' if len(history.epoch) == 1 else 's'}"),
               style="margin:.2em 0;color:inherit")
    if not history.epoch:
        return tag("div", head)
    best = [(printable(name), *_last_and_best(history, name)) for name, values in history.history.items() if values]
    return tag("div", head, drawn(history), table(("Metric", "Last", "Best", "Epoch of the best"), best, right={1, 2, 3}))


def drawn(history: Any, metrics: Any = None, log: bool = False) -> Markup:
    """A picture for each metric, side by side where the page is wide enough."""
    pictures = [_panel(name, list(map(thinned, curves)), log) for name, curves in panels(history, metrics).items()]
    return tag("div", *pictures, style="display:flex;flex-wrap:wrap;gap:.5em;color:inherit")


def _last_and_best(history: Any, name: str) -> tuple[str, str, str]:
    """The last value; the best, and its epoch, where it is known which is better, and of finite numbers."""
    curve = next(each for each in panels(history, name)[name.removeprefix("val_")] if each.label == name)
    last = told(curve.values[-1] if curve.values.shape[1] > 1 else curve.values[-1, 0], _short)
    direction = known_direction(name)
    scores = curve.values[:, 0] * (-1 if direction == "max" else 1)
    if direction is None or curve.values.shape[1] > 1 or not np.isfinite(scores).any():
        return last, "–", "–"
    place = int(np.argmin(np.where(np.isfinite(scores), scores, np.inf)))
    return last, _short(curve.values[place, 0]), str(curve.epochs[place])


def _panel(name: str, curves: list[Curve], log: bool) -> Markup:
    """The curves of one metric over the epochs, with the numbers at both axes."""
    values = np.concatenate([each.values.ravel() for each in curves])
    usable = values[np.isfinite(values) & ((values > 0) | (not log))]
    scale = np.log10 if log else np.asarray
    low, high = _widened(*((scale(usable.min()), scale(usable.max())) if usable.size else (0.0, 1.0)))
    first, last = min(each.epochs[0] for each in curves), max(each.epochs[-1] for each in curves)
    x = lambda epoch: LEFT + (RIGHT - LEFT) * ((epoch - first) / (last - first) if last > first else 0.5)
    y = lambda value: BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)
    grid = [part for value in ticks(low, high, log) for part in (
        tag("line", x1=LEFT, x2=RIGHT, y1=y(value), y2=y(value), stroke="currentColor", stroke_opacity=0.18),
        tag("text", _short(10.0**value if log else value), x=LEFT - 5, y=y(value) + 4, text_anchor="end"))]
    epochs = [tag("text", epoch, x=float(x(epoch)), y=BOTTOM + 15, text_anchor="middle") for epoch in sorted({first, last})]
    with np.errstate(invalid="ignore", divide="ignore"):
        lines = [part for each in curves for part in _lines(each, x, lambda value: y(scale(value)))]
    return tag("svg", tag("title", f"{name} by epoch"), *grid, *epochs,
               tag("text", "epoch", x=(LEFT + RIGHT) / 2, y=BOTTOM + 15, text_anchor="middle", opacity=0.7),
               *_legend(name, curves), *lines, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {HEIGHT}",
               width=WIDTH, height=HEIGHT, role="img", fill="currentColor",
               style=f"font:{FONT};max-width:100%;height:auto")


def _lines(curve: Curve, x: Any, y: Any) -> list[Markup]:
    """One line for each of the numbers that the metric gives, in pieces where it is not finite; a point by itself is a dot."""
    color, dashes = (VALIDATED, "5 3") if curve.is_validation else (TRAINED, None)
    found = []
    for column in curve.values.T:
        piece: list[tuple[float, float]] = []
        for epoch, value in [*zip(curve.epochs, y(column), strict=True), (0, math.nan)]:
            if math.isfinite(value):
                piece.append((float(x(epoch)), float(value)))
            elif len(piece) == 1:
                found.append(tag("circle", cx=piece[0][0], cy=piece[0][1], r=2.5, fill=color))
            elif piece:
                found.append(tag("polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in piece), fill="none", stroke=color,
                                 stroke_width=1.8, stroke_dasharray=dashes, stroke_linejoin="round"))
            piece = piece if math.isfinite(value) else []
    return found


def _legend(name: str, curves: list[Curve]) -> list[Markup]:
    parts = [tag("text", printable(name, 30), x=LEFT, y=15, font_weight=600)]
    words = [("validation", VALIDATED, "5 3") if each.is_validation else ("training", TRAINED, None) for each in curves]
    for place, (word, color, dashes) in enumerate(words[::-1]):
        left = RIGHT - 72 - 76 * place
        parts += [tag("text", word, x=left + 20, y=15),
                  tag("line", x1=left, x2=left + 16, y1=11, y2=11, stroke=color, stroke_width=2, stroke_dasharray=dashes)]
    return parts


def _widened(low: float, high: float) -> tuple[float, float]:
    """The same range with some room, so that no curve lies on its edge, and a constant one in the middle."""
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - room), float(high + room)


def _short(value: float) -> str:
    return f"{value:.4g}"
