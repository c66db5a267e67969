"""What a notebook and a picture show of an ensemble: curves with their spread, and the table of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxseq.api.ensemble.spread import spread_of
from jaxseq.api.monitoring import known_direction
from jaxseq.api.showing.described import printable
from jaxseq.api.showing.markup import Markup, table, tag
from jaxseq.api.showing.needed import picture
from jaxseq.core.require import require, require_known


def of_histories(histories: Any) -> Markup:
    """A table: of every metric mean and spread of what the members ended with, and the best mean that all of them have."""
    head = tag("div", tag("b", titled(histories)), style="margin:.2em 0;color:inherit")
    mean, together = histories.mean, _together(histories)
    rows = [(printable(name), told(values.mean(), spread_of(values)),
             *_best(name, np.where(together[name], mean[name], np.nan), histories.epoch))
            for name, values in histories.last.items()]
    return tag("div", head, table(("Metric", "Last", "Best mean", "Epoch"), rows, right={1, 2, 3}) if rows else Markup())


def of_results(results: Any) -> Markup:
    """The table of a sweep."""
    head, rows = cells(results)
    return table(tuple(map(printable, head)), rows, right=set(range(len(head))))


def cells(results: Any) -> tuple[list[str], list[list[str]]]:
    """The head of the table, and its rows, as text."""
    words, names = list(results.settings[0]), list(results.last)
    rows = [[*(_short(row.settings[word]) for word in words), str(len(row.members)),
             *(told(row.mean[name], row.spread[name]) for name in names)] for row in results.rows]
    return [*words, "members", *names], rows


def curves(histories: Any, metrics: Any, ax: Any, log: bool) -> Any:
    """See `Histories.plot`."""
    wanted = histories.names if metrics is None else [metrics] if isinstance(metrics, str) else list(metrics)
    require(histories.epoch, "The Histories are empty: there is nothing to plot before fit.")
    for name in wanted:
        require_known(name, histories.names, f"The Histories have no {name!r}.")
    panels: dict[str, list[str]] = {}
    for name in histories.names:
        bare = name.removeprefix("val_")
        if name in wanted or bare in wanted:
            panels.setdefault(bare, []).append(name)
    if ax is not None:
        _draw(ax, histories, [name for names in panels.values() for name in names], log)
        return ax
    figure = picture(5.0 * min(len(panels), 3), 3.4 * -(-len(panels) // 3))
    field = figure.subplots(-(-len(panels) // 3), min(len(panels), 3), squeeze=False).ravel()
    for axes, (bare, names) in zip(field, panels.items(), strict=False):
        _draw(axes, histories, names, log)
        axes.set_title(bare)
    for axes in field[len(panels):]:
        axes.remove()
    return figure


def scores(results: Any, metric: str, setting: str | None, ax: Any, log: bool) -> Any:
    """See `Results.plot`."""
    words = list(results.settings[0])
    require(words, "The members have the same settings: there is nothing to plot them over. Write a sweep={...}.")
    setting = words[0] if setting is None else setting
    require_known(metric, results.last, f"The members have not measured {metric!r}.")
    require_known(setting, words, f"The sweep has no {setting!r}.")
    figure = None if ax is not None else picture(5.0, 3.4)
    ax = figure.subplots() if figure is not None else ax
    xs = [chosen[setting] for chosen in results.settings]
    ax.plot(xs, results.last[metric], ".", alpha=0.5)
    values = list(dict.fromkeys(xs))
    means = [np.mean([y for x, y in zip(xs, results.last[metric], strict=True) if x == value]) for value in values]
    ax.plot(values, means, "-")
    ax.set_xlabel(setting)
    ax.set_ylabel(metric)
    ax.set_xscale("log" if log else ax.get_xscale())
    ax.grid(alpha=0.3)
    return ax if figure is None else figure


def _draw(ax: Any, histories: Any, names: list[str], log: bool) -> None:
    epochs = np.asarray(histories.epoch) + 1
    values, mean, spread = histories.values, histories.mean, histories.spread
    for place, name in enumerate(names):
        color, line = f"C{place}", "--" if name.startswith("val_") else "-"
        ax.plot(epochs, values[name].T, line, color=color, alpha=0.2, linewidth=0.8)
        ax.plot(epochs, mean[name], line, color=color, label=name)
        ax.fill_between(epochs, mean[name] - spread[name], mean[name] + spread[name], color=color, alpha=0.15, linewidth=0)
    ax.set_xlabel("epoch")
    ax.set_yscale("log" if log else "linear")
    ax.grid(alpha=0.3)
    ax.legend()


def _best(name: str, mean: np.ndarray, epochs: list[int]) -> tuple[str, str]:
    direction = known_direction(name)
    if direction is None or not np.isfinite(mean).any():
        return "–", "–"
    place = int((np.nanargmax if direction == "max" else np.nanargmin)(mean))
    return _short(mean[place]), str(epochs[place] + 1)


def _together(histories: Any) -> dict[str, np.ndarray]:
    """{name: (epochs,) whether as many members measured it in that epoch as in any}."""
    measured = {name: np.array([sum(epoch in each.measured.get(name, ()) for each in histories) for epoch in histories.epoch])
                for name in histories.names}
    return {name: counts == counts.max() for name, counts in measured.items()}


def titled(histories: Any) -> str:
    """Histories of 4 members, 5 to 12 epochs."""
    lengths = sorted({len(each.epoch) for each in histories}) or [0]
    epochs = counted(lengths[-1], "epoch")
    return f"Histories of {counted(len(histories), 'member')}, {f'{lengths[0]} to {epochs}' if lengths[1:] else epochs}"


def counted(number: int, what: str) -> str:
    """1 member, 2 members."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def told(mean: float, spread: float) -> str:
    """0.301 ± 0.01; without a spread where there is none."""
    return f"{mean:.4g}" if np.isnan(spread) else f"{mean:.4g} ± {spread:.2g}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
