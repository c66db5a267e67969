"""From what was measured to tables. A table is its title, a sentence, the names of its columns, and rows of words."""

from __future__ import annotations

import math
from statistics import median
from typing import NamedTuple

from peers import OURS, PEERS
from ratios import Ratio, compile_seconds, floor_rates, floor_seconds, ratio, step_seconds

REFERENCE = "keras-jax"     # whose memory the others' is compared with
NONE = "-"


class Table(NamedTuple):
    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]


def number(value: float) -> str:
    """Three digits that count, and no exponent."""
    places = 0 if value == 0 else 2 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(places, 0)}f}"


def span(value: Ratio) -> str:
    return f"{number(value.low)} to {number(value.high)}"


def time_ratio(record: dict, name: str) -> Ratio | None:
    """A contestant's step in jaxseq's steps, round by round; None where one of the two is missing."""
    peers = record["contestants"]
    if name not in peers or OURS not in peers:
        return None
    return ratio(step_seconds(peers[name]["rounds"]), step_seconds(peers[OURS]["rounds"]))


def summary(results: dict) -> Table:
    workloads = results["workloads"]
    ratios = lambda name: [time_ratio(record, name) for record in workloads.values()]
    rows = [[name, *(number(each.median) if each else NONE for each in ratios(name))] for name in PEERS]
    shown = [row for row in rows if row[0] != OURS and any(cell != NONE for cell in row[1:])]
    return Table("Step time, in jaxseq's", "Above 1: jaxseq is faster. Medians of the ratios within a round.",
                 ["", *workloads], shown)


def workload_table(name: str, record: dict) -> Table:
    """One row for each contestant, in the order of PEERS."""
    rows = [contestant_row(peer, record) for peer in PEERS if peer in record["contestants"]]
    note = f"Batches of {record['batch']}, {record['steps'] * record['epochs']:,} steps in a round."
    columns = ["", "step ms", "samples/s", "x jaxseq", "from, to", "compile s", "peak MiB", f"x {REFERENCE}"]
    return Table(name, note, columns, rows)


def contestant_row(name: str, record: dict) -> list[str]:
    found = record["contestants"][name]
    step = median(step_seconds(found["rounds"]))
    samples = record["rows"] / record["steps"] / step
    against = time_ratio(record, name)
    compiling = compile_seconds(found["first"], found["rounds"], record["epochs"])
    reference = record["contestants"].get(REFERENCE)
    memory = number(found["peak_mib"] / reference["peak_mib"]) if reference else NONE
    return [name, number(1000 * step), number(samples), number(against.median) if against else NONE,
            span(against) if against else NONE, number(compiling), number(found["peak_mib"]), memory]


def floor_table(results: dict) -> Table:
    rows = [floor_row(name, record) for name, record in results["workloads"].items()
            if record["floor"] and OURS in record["contestants"]]
    note = ("The products and convolutions of a step, as if all went at the rate of one large matrix product, measured in "
            "the same round. No program can be at 1: the rest of a step takes time, too.")
    return Table("Distance from the floor", note,
                 ["", "GFLOP a step", "GFLOP/s", "floor ms", "jaxseq ms", "x floor", "from, to"], rows)


def floor_row(name: str, record: dict) -> list[str]:
    steps = step_seconds(record["contestants"][OURS]["rounds"])
    floors = floor_seconds(record["flops"], record["floor"])
    distance = ratio(steps, floors)
    return [name, number(record["flops"] / 1e9), number(median(floor_rates(record["floor"])) / 1e9),
            number(1000 * median(floors)), number(1000 * median(steps)), number(distance.median), span(distance)]


def scripts_table(scripts: dict[str, list]) -> Table:
    """First and second runs; the ratios are taken pair by pair."""
    note = ("The guide's perceptron, 1,000 rows and 20 epochs, as a process from the first import to evaluated. The first "
            "run finds no compiled programs; the second finds those that jaxseq keeps by itself.")
    rows = [[name, *script_cells(scripts, name, 0), *script_cells(scripts, name, 1)] for name in PEERS if name in scripts]
    columns = ["", "first run s", "x jaxseq", "from, to", "second run s", "x jaxseq", "from, to"]
    return Table("Whole script", note, columns, rows)


def script_cells(scripts: dict, name: str, which: int) -> list[str]:
    seconds = [pair[which] for pair in scripts[name]]
    if OURS not in scripts:
        return [number(median(seconds)), NONE, NONE]
    against = ratio(seconds, [pair[which] for pair in scripts[OURS]])
    return [number(median(seconds)), number(against.median), span(against)]
