"""What questions.py was answered, as tables."""

from __future__ import annotations

from ratios import Ratio
from summaries import Table, number, span


def answer_tables(found: dict[str, list[dict]]) -> list[Table]:
    return [ANSWERS[question](cases) for question, cases in found.items()]


def rows_table(cases: list[dict]) -> Table:
    return Table("Rows", "The guide's perceptron, batches of 128; every line trains on as many samples.",
                 ["rows", "us a sample", "x the first"], growth(cases, "us"))


def lengths_table(cases: list[dict]) -> Table:
    return Table("Length of a sequence", "LSTM(32) on x (32, T, 8); every line trains on as many time steps.",
                 ["T", "ns a sample and time step", "x the first"], growth(cases, "ns"))


def slabs_table(cases: list[dict]) -> Table:
    note = "Microseconds a sample: all data on the device, and the same data from the host, 16 MiB at a time."
    return Table("Slabs", note, ["", "on the device", "in slabs", "in slabs / on the device", "from, to"],
                 compared(cases, "device", "slabs"))


def streaming_table(cases: list[dict]) -> Table:
    """Memory that is no file's: pages of the mapped file do not count."""
    note = "Training from a numpy.memmap; memory of the process that is no file's, before and at its peak."
    rows = [[f"{case['size']:,}", number(case["before_mib"]), number(case["peak_mib"]),
             number(case["peak_mib"] - case["before_mib"])] for case in cases]
    return Table("Streaming", note, ["file MiB", "before MiB", "peak MiB", "more MiB"], rows)


def growth(cases: list[dict], unit: str) -> list[list[str]]:
    return [[f"{case['size']:,}", number(case[unit]), number(case[unit] / cases[0][unit])] for case in cases]


def compared(cases: list[dict], one: str, other: str) -> list[list[str]]:
    """Rows of two ways, and of the ratio of the second to the first."""
    rows = []
    for case in cases:
        against = Ratio(*case["ratios"])
        rows.append([case["size"], number(case[one]), number(case[other]), number(against.median), span(against)])
    return rows


def products_table(cases: list[dict]) -> Table:
    note = "Milliseconds of a step's products and convolutions, each by itself in a loop, as XLA makes them (products.py)."
    return Table("Products by themselves", note, ["", "ms a step"], [[case["size"], number(case["ms"])] for case in cases])


def kernels_table(cases: list[dict]) -> Table:
    note = ("Microseconds of a traced step, by what its kernels do; *between* is the way from one to the next. A trace makes a "
            "step longer, most where kernels are many and short: see kernels.py.")
    kinds = list(cases[0]["us"])
    rows = [[case["size"], number(case["kernels"]), *(number(case["us"][kind]) for kind in kinds),
             number(sum(case["us"].values()))] for case in cases]
    return Table("What a step is made of", note, ["", "kernels", *kinds, "traced step"], rows)


def one_row_table(cases: list[dict]) -> Table:
    note = "Microseconds of predict for one row, and of the compiled program alone with the same arrays of NumPy."
    return Table("One row", note, ["", "program", "predict", "predict / program", "from, to"],
                 compared(cases, "bare", "predict"))


def models_table(cases: list[dict]) -> Table:
    note = "Memory of a process that is no file's, after it has built, compiled, fitted and asked so many models."
    return Table("Many models", note, ["models", "MiB", "x the first"], growth(cases, "mib"))


def start_table(cases: list[dict]) -> Table:
    note = "Seconds of the guide's script, a first run and a second one: jaxseq's row above, taken apart (startup.py)."
    rows = [[case["size"], number(case["first"]), number(case["second"])] for case in cases]
    return Table("Start", note, ["", "first run s", "second run s"], rows)


ANSWERS = {"rows": rows_table, "lengths": lengths_table, "slabs": slabs_table, "streaming": streaming_table,
           "products": products_table, "kernels": kernels_table, "one_row": one_row_table, "models": models_table,
           "start": start_table}
