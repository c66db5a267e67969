"""The reports of memory and cost, as text and in a notebook."""

from __future__ import annotations

import io
from typing import Any

from jaxseq.api.showing.markup import Markup, table, tag

MEMORY = "Program", "Arguments", "Outputs", "Temporaries", "Code", "Together"
COST = "Program", "FLOPs", "Compiler's FLOPs", "Bytes accessed", "Compiled in"
ESTIMATES = ("FLOPs: of matrix products and convolutions, counted. The compiler's numbers are its estimates for everything, "
             "loops within a step counted once.")


def memory_text(report: Any) -> str:
    """What repr gives of a MemoryReport."""
    return _text(_memory_title(report), MEMORY, _memory_rows(report), _held(report))


def memory_html(report: Any) -> Markup:
    """What a notebook shows of a MemoryReport."""
    return _html(_memory_title(report), MEMORY, _memory_rows(report), _held(report))


def cost_text(report: Any) -> str:
    """What repr gives of a CostReport."""
    return _text(_cost_title(report), COST, _cost_rows(report), ESTIMATES)


def cost_html(report: Any) -> Markup:
    """What a notebook shows of a CostReport."""
    return _html(_cost_title(report), COST, _cost_rows(report), ESTIMATES)


def told_bytes(number: float | None) -> str:
    """A number of bytes in the unit that suits it."""
    return _in_units(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def told_count(number: float | None) -> str:
    """A number of operations in the unit that suits it."""
    return _in_units(number, 1000, ("", "k", "M", "G", "T", "P"))


def _in_units(number: float | None, step: int, units: tuple[str, ...]) -> str:
    if number is None:
        return "?"
    place = 0
    while number >= step and place < len(units) - 1:
        number, place = number / step, place + 1
    return f"{number:.{0 if place == 0 else 1 if number >= 100 else 2}f} {units[place]}".rstrip()


def _memory_title(report: Any) -> str:
    return f"Memory for batches of {report.batch_size} on {_where(report)}"


def _cost_title(report: Any) -> str:
    return f"Cost of a step of {report.batch_size} rows on {_where(report)}"


def _where(report: Any) -> str:
    return report.device if report.devices == 1 else f"each of {report.devices} devices ({report.device})"


def _held(report: Any) -> str:
    parts = {"Parameters": report.parameters, "state": report.state, "optimizer": report.optimizer}
    return ", ".join(f"{name} {told_bytes(size)}" for name, size in parts.items()) + ". Data lie beside them."


def _memory_rows(report: Any) -> list[tuple[str, ...]]:
    return [(name, *map(told_bytes, each)) for name, each in report.programs.items()]


def _cost_rows(report: Any) -> list[tuple[str, ...]]:
    return [(name, told_count(each.flops), told_count(each.compiler_flops), told_bytes(each.bytes_accessed),
             f"{each.compile_seconds:.2f} s") for name, each in report.programs.items()]


def _text(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]], below: str) -> str:
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, title_justify="left", title_style="bold", box=ROUNDED)
    for place, word in enumerate(head):
        shown.add_column(word, justify="right" if place else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False, color_system=None, force_jupyter=False)
    console.print(shown)
    console.print(below)
    return out.getvalue().rstrip("\n")


def _html(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]], below: str) -> Markup:
    return tag("div", tag("b", title), table(head, rows, right=set(range(1, len(head)))), tag("div", below))
