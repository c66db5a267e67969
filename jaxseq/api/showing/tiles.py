"""Many small pictures in one field, which costs one set of axes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxseq.api.showing.needed import picture


class Field(NamedTuple):
    """images: (n, height, width), or with three or four colors behind. labels: a title for each. columns: in a row."""

    title: str
    images: np.ndarray
    labels: Any = None
    columns: int | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns)."""
        columns = self.columns or math.ceil(len(self.images) ** 0.5)
        return math.ceil(len(self.images) / columns), columns

    @property
    def room(self) -> float:
        """The height of a title, in widths of an image."""
        return 0.08 if self.labels is None else 0.3

    @property
    def step(self) -> float:
        """From the top of an image to that of the one below, in widths of an image."""
        return self.images.shape[1] / self.images.shape[2] + self.room

    @property
    def inches(self) -> tuple[float, float]:
        """(width, height)."""
        if len(self.images) == 1:
            return 4.0, min(max(4.0 * self.step, 2.0), 4.5)
        rows, columns = self.grid
        size = min(max(0.8, 4.5 / columns), 1.6)
        return size * columns * 1.08, size * rows * self.step + 0.4


def tiled(fields: list[Field], bar: bool, **scale: Any) -> Any:
    """A picture of fields side by side. scale: cmap, vmin, vmax of all; bar: show it."""
    sizes = [field.inches for field in fields]
    figure = picture(sum(width for width, _ in sizes) + 0.9 * bar + 0.3, max(height for _, height in sizes) + 0.3)
    every = figure.subplots(1, len(fields), squeeze=False, width_ratios=[width for width, _ in sizes])[0]
    for ax, field in zip(every, fields, strict=True):
        drawn = _matrix(ax, field, scale) if len(field.images) == 1 and field.labels is None else _grid(ax, field, scale)
        ax.set_title(field.title, fontsize=10)
    if bar:
        figure.colorbar(drawn, ax=list(every))
    return figure


def _matrix(ax: Any, field: Field, scale: dict[str, Any]) -> Any:
    """A single one with numbers at its axes. One that is much longer than wide, or wider than long, is pressed together."""
    height, width = field.images.shape[1:3]
    aspect = "equal" if 0.5 <= height / width <= 1.2 else "auto"
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.get_major_locator().set_params(integer=True)
    return ax.imshow(field.images[0], aspect=aspect, interpolation="nearest", **scale)


def _grid(ax: Any, field: Field, scale: dict[str, Any]) -> Any:
    rows, columns = field.grid
    high = field.images.shape[1] / field.images.shape[2]
    for place, image in enumerate(field.images):
        row, column = divmod(place, columns)
        left, top = 1.08 * column, field.step * row + field.room
        drawn = ax.imshow(image, extent=(left, left + 1, top + high, top), interpolation="nearest", **scale)
        if field.labels is not None:
            ax.text(left + 0.5, top - 0.06, str(field.labels[place])[:16], ha="center", va="bottom", fontsize=8)
    ax.set(xlim=(0, 1.08 * columns - 0.08), ylim=(field.step * rows, 0), aspect="equal")
    ax.set_axis_off()
    return drawn
