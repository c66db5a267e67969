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


def all_tables(results: dict) -> list[Table]:
    """In the order of the report."""
    tables = [summary(results)] if results["workloads"] else []
    tables += [workload_table(name, record) for name, record in results["workloads"].items()]
    tables += [floor_table(results)] if results["workloads"] else []
    tables += [scripts_table(results["scripts"])] if results["scripts"] else []
    return tables + scaling_tables(results["scaling"])


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


def scaling_tables(found: dict[str, list[dict]]) -> list[Table]:
    return [SCALING[question](cases) for question, cases in found.items()]


def rows_table(cases: list[dict]) -> Table:
    return Table("Rows", "The guide's perceptron, batches of 128; every line trains on as many samples.",
                 ["rows", "us a sample", "x the first"], growth(cases, "us"))


def lengths_table(cases: list[dict]) -> Table:
    return Table("Length of a sequence", "LSTM(32) on x (32, T, 8); every line trains on as many time steps.",
                 ["T", "ns a sample and time step", "x the first"], growth(cases, "ns"))


def slabs_table(cases: list[dict]) -> Table:
    note = "Microseconds a sample: all data on the device, and the same data from the host, 16 MiB at a time."
    rows = []
    for case in cases:
        against = Ratio(*case["ratios"])
        rows.append([case["size"], number(case["device"]), number(case["slabs"]), number(against.median), span(against)])
    return Table("Slabs", note, ["", "on the device", "in slabs", "in slabs / on the device", "from, to"], rows)


def streaming_table(cases: list[dict]) -> Table:
    """Memory that is no file's: pages of the mapped file do not count."""
    note = "Training from a numpy.memmap; memory of the process that is no file's, before and at its peak."
    rows = [[f"{case['size']:,}", number(case["before_mib"]), number(case["peak_mib"]),
             number(case["peak_mib"] - case["before_mib"])] for case in cases]
    return Table("Streaming", note, ["file MiB", "before MiB", "peak MiB", "more MiB"], rows)


def growth(cases: list[dict], unit: str) -> list[list[str]]:
    return [[f"{case['size']:,}", number(case[unit]), number(case[unit] / cases[0][unit])] for case in cases]


SCALING = {"rows": rows_table, "lengths": lengths_table, "slabs": slabs_table, "streaming": streaming_table}
