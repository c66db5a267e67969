"""The table that summary() prints."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from jaxseq.api.showing.described import Line, lines, printable, totals


def text(model: Any, line_length: int | None = None, expand_nested: bool = False) -> str:
    """Name, class, output shape and number of weights of every layer, and the totals."""
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f'Model "{model.name}"', title_justify="left", title_style="bold", box=ROUNDED, width=line_length)
    least = (28, 20, 9) if line_length is None else (None, None, None)
    table.add_column("Layer (class)", overflow="fold", min_width=least[0])
    table.add_column("Output shape", overflow="fold", min_width=least[1])
    table.add_column("Weights", justify="right", min_width=least[2], no_wrap=True)
    for each in lines(model, expand_nested):
        table.add_row(_told(each), "?" if each.shape is None else str(each.shape), each.size)
    out = io.StringIO()
    console = Console(file=out, width=line_length or 78, highlight=False, color_system=None,
                      force_jupyter=False)
    console.print(table)
    console.print(totals(model))
    return out.getvalue()


def show(model: Any, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None,
         expand_nested: bool = False) -> None:
    """Prints the table, or hands its lines to `print_fn`."""
    for line in text(model, line_length, expand_nested).splitlines():
        (print_fn or print)(line)


def _told(line: Line) -> Any:
    """A layer's name and class, which rich prints as they are: they may look like markup."""
    from rich.text import Text

    return Text(printable(f"{'  ' * line.depth}{line.name} ({line.kind}{', frozen' if line.frozen else ''})"))
