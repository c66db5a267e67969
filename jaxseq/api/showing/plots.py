"""The curves of a History, by matplotlib."""

from __future__ import annotations

from typing import Any

from jaxseq.api.showing.needed import picture
from jaxseq.api.showing.series import Curve, panels
from jaxseq.core.require import require


def of_history(history: Any, metrics: Any = None, ax: Any = None, log: bool = False) -> Any:
    """See `History.plot`."""
    found = panels(history, metrics)
    require(found, "The History is empty: there is nothing to plot before fit.")
    if ax is not None:
        _draw(ax, [curve for curves in found.values() for curve in curves], log)
        return ax
    figure = picture(5.0 * min(len(found), 3), 3.4 * -(-len(found) // 3))
    field = figure.subplots(-(-len(found) // 3), min(len(found), 3), squeeze=False).ravel()
    for axes, (name, curves) in zip(field, found.items(), strict=False):
        _draw(axes, curves, log)
        axes.set_title(name)
    for axes in field[len(found):]:
        axes.remove()
    return figure


def _draw(ax: Any, curves: list[Curve], log: bool) -> None:
    """Curves into one field: solid ones of the training, dashed ones of the validation; few epochs are points as well."""
    from matplotlib.ticker import MaxNLocator

    for curve in curves:
        lines = ax.plot(curve.epochs, curve.values, "--" if curve.is_validation else "-",
                        marker="." if len(curve.epochs) < 30 else None)
        for place, line in enumerate(lines):
            line.set_label(curve.label if len(lines) == 1 else f"{curve.label}[{place}]")
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_yscale("log" if log and any((curve.values > 0).any() for curve in curves) else "linear")
    ax.grid(alpha=0.3)
    ax.legend()
