"""Tables on the terminal, and RESULTS.md."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from answers import answer_tables
from peers import PEERS, WHAT_THEY_ARE
from rich import box
from rich.console import Console
from rich.table import Table as Grid
from summaries import Table, floor_table, scripts_table, summary, workload_table

AGAIN = """\
    make bench-setup        # the environments of the other libraries, once
    make bench              # everything; this file is written anew"""

HOW = """\
For every workload all contestants live at the same time, each in a process of its own, and train in turns: one round is one
turn of each, and the order moves on from round to round. Ratios are taken within a round; the tables show their median and
their range. All train the same model on the same data with dropout, the accuracy, and (where the model is not stateful) a
fresh order of rows in every epoch. *compile s* is what building the model and the first epoch take beyond a warm epoch;
caches of compiled programs are off for it. *peak MiB* is the largest resident size of the process, with everything
that it has imported."""


def show(table: Table) -> None:
    """On the terminal."""
    console = Console()
    console = console if console.is_terminal else Console(width=128)
    grid = Grid(box=box.SIMPLE_HEAD)
    for number, column in enumerate(table.columns):
        grid.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in table.rows:
        grid.add_row(*row)
    console.print(f"[bold]{table.title}[/bold]  {table.note}", grid, highlight=False)


def markdown(results: dict) -> str:
    """The whole of RESULTS.md."""
    machine = results["machine"]
    parts = [
        "# Results",
        f"{results['date']}; {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; "
        f"{machine['system']}; {results['rounds']} rounds.",
        AGAIN, HOW, *figure(results), *map(in_markdown, all_tables(results)),
        "## Contestants", contestants(results["versions"]),
        "## Left out", left_out(results["skipped"]),
    ]
    return "\n\n".join(parts) + "\n"


def all_tables(results: dict) -> list[Table]:
    """In the order of the report."""
    tables = [summary(results)] if results["workloads"] else []
    tables += [workload_table(name, record) for name, record in results["workloads"].items()]
    tables += [floor_table(results)] if results["workloads"] else []
    tables += [scripts_table(results["scripts"])] if results["scripts"] else []
    return tables + answer_tables(results["answers"])


def figure(results: dict) -> list[str]:
    return ["![Step times in jaxseq's](results.svg)"] if results["workloads"] else []


def in_markdown(table: Table) -> str:
    line = lambda cells: "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    rule = "|---|" + "---:|" * (len(table.columns) - 1)
    return "\n".join([f"## {table.title}", "", table.note, "", line(table.columns), rule, *map(line, table.rows)])


def contestants(versions: dict[str, dict[str, str]]) -> str:
    """A line for each: what it is, and the versions that it reported itself."""
    listed = lambda found: ", ".join(f"{library} {version}" for library, version in found.items())
    lines = [f"* `{name}`: {WHAT_THEY_ARE[name]}. {listed(versions[name])}." for name in PEERS if name in versions]
    return "\n".join(lines) or "None."


def left_out(skipped: list[list[str]]) -> str:
    return "\n".join(f"* {where}: `{name}`: {why}" for where, name, why in skipped) or "Nobody."


def machine() -> dict:
    """What the numbers were measured on."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    affinity = getattr(os, "sched_getaffinity", None)
    return {"processor": processor(), "cores": len(affinity(0)) if affinity else os.cpu_count(),
            "memory_gib": round(pages / 2**30), "system": system()}


def processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
