"""results.svg: for each workload the contestants' step times in jaxseq's, as bars on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path

from peers import OURS, PEERS
from summaries import number, time_ratio

LOOKS = {       # colour and hatching, so that the bars can be told apart in grey, too
    "keras-jax": ("#0072b2", ""), "keras-jax-plain": ("#56b4e9", "//"), "keras-tensorflow": ("#e69f00", ""),
    "keras-torch": ("#d55e00", "\\\\"), "torch": ("#cc79a7", ""), "torch-compile": ("#ead1df", "//"),
    "optax": ("#009e73", ""), "flax": ("#a6d9c7", "xx"),
}
BAR, GAP = 0.16, 0.34       # inches


def draw(results: dict, path: Path) -> None:
    """Bars to the right of the line at 1 are slower than jaxseq. The thin lines span the rounds."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "jaxseq"          # the same numbers make the same file
    from matplotlib import pyplot

    bars, ticks, height = placed(results)
    figure, axes = pyplot.subplots(figsize=(8, height + 1.3), layout="constrained")
    for name, place, ratio in bars:
        colour, hatch = LOOKS[name]
        axes.barh(place, ratio.median - 1, left=1, height=0.85 * BAR, color=colour, hatch=hatch, edgecolor="#333333", lw=0.4)
        axes.plot([ratio.low, ratio.high], [place, place], color="#333333", lw=0.8)
        axes.text(max(ratio.high, 1) * 1.04, place, number(ratio.median), va="center", fontsize=6.5)
    finish(axes, ticks, height)
    shown = [name for name in LOOKS if any(bar[0] == name for bar in bars)]
    handles = [pyplot.Rectangle((0, 0), 1, 1, facecolor=LOOKS[name][0], hatch=LOOKS[name][1], edgecolor="#333333", lw=0.4)
               for name in shown]
    figure.legend(handles, shown, loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def placed(results: dict) -> tuple[list, dict[str, float], float]:
    """([(contestant, height of its bar, ratio)], {workload: height of its label}, height of all), in inches from the top."""
    bars, ticks, y = [], {}, 0.0
    for workload, record in results["workloads"].items():
        ratios = [(name, time_ratio(record, name)) for name in PEERS if name != OURS]
        group = [(name, ratio) for name, ratio in ratios if ratio]
        bars += [(name, y + number * BAR, ratio) for number, (name, ratio) in enumerate(group)]
        ticks[workload] = y + (len(group) - 1) * BAR / 2
        y += len(group) * BAR + GAP
    return bars, ticks, y


def finish(axes, ticks: dict[str, float], height: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.axvline(1, color="black", lw=1)
    axes.set_yticks(list(ticks.values()), list(ticks))
    axes.set_ylim(height, -GAP)
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of a training step, jaxseq = 1 (right of the line: slower than jaxseq)")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
