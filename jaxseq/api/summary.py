"""The table that summary() prints."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from jaxseq.api.showing.described import Line, lines, printable, totals
from jaxseq.core.declared import is_number
from jaxseq.core.require import require

WIDTH = 78
COLUMNS: tuple[tuple[str, Any, int], ...] = (               # (head, where the words stand, the least width)
    ("Layer (class)", "left", 27), ("Output shape", "left", 20), ("Weights", "right", 9), ("Trainable", "center", 9))
TRAINABLE = {"trained": "Y", "frozen": "N", "": "-"}        # what Keras writes


def text(model: Any, line_length: int | None = None, positions: Sequence[float] | None = None, expand_nested: bool = False,
         show_trainable: bool = False) -> str:
    """Name, class, output shape and number of weights of every layer, and the totals. See `Body.summary`."""
    from rich.box import ROUNDED
    from rich.console import Console
    from rich.table import Table

    columns = COLUMNS if show_trainable else COLUMNS[:3]
    free, widths = positions is None, _widths(positions, line_length or WIDTH, len(columns))
    table = Table(title=f'Model "{model.name}"', title_justify="left", title_style="bold", box=ROUNDED,
                  width=line_length if free else None)
    for (head, side, least), width in zip(columns, widths, strict=True):
        table.add_column(head, overflow="fold", justify=side, min_width=least if free and line_length is None else None,
                         width=width, no_wrap=free and side != "left")
    for each in lines(model, expand_nested):
        cells = [_told(each), "?" if each.shape is None else str(each.shape), each.size, TRAINABLE[each.training]]
        table.add_row(*cells[:len(columns)])
    out = io.StringIO()
    console = Console(file=out, width=line_length or WIDTH, highlight=False, color_system=None,
                      force_jupyter=False)
    console.print(table)
    console.print(totals(model))
    return out.getvalue()


def _widths(positions: Sequence[float] | None, line_length: int, columns: int) -> list[int | None]:
    """How wide columns are that end at the positions, letters or shares of the line; None for those that nothing is said of.

    Of more positions than columns the last is where the table ends: Keras 2 has them for a column of connections.
    """
    ends = [] if positions is None else [*positions] if isinstance(positions, Iterable) else [None]
    usable = all(map(is_number, ends)) and [0, *ends] == sorted({0, *ends})
    require(usable, f"summary(positions={positions!r}): write where the columns end, such as [0.5, 0.8, 1.0].")
    ends = [round(each * line_length if ends[-1] <= 1 else each) for each in [*ends[:columns - 1], *ends[-1:]][:len(ends)]]
    widths = [max(1, end - begin - 3) for begin, end in pairwise([1, *ends])]       # without a border and two spaces
    return [*widths, *[None] * (columns - len(widths))]


def show(model: Any, print_fn: Callable[[str], Any] | None = None, *settings: Any) -> None:
    """Prints the table, or hands its lines to `print_fn`. settings: of `text`."""
    for line in text(model, *settings).splitlines():
        (print_fn or print)(line)


def _told(line: Line) -> Any:
    """A layer's name and class, which rich prints as they are: they may look like markup."""
    from rich.text import Text

    return Text(printable(f"{'  ' * line.depth}{line.name} ({line.kind}{', frozen' if line.frozen else ''})"))
