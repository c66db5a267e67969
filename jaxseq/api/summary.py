"""The table that summary() prints."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from jaxseq.core.layer import Layer


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
    for row in _rows(model, expand_nested):
        table.add_row(*row)
    out = io.StringIO()
    console = Console(file=out, width=line_length or 78, highlight=False, color_system=None,
                      force_jupyter=False)
    console.print(table)
    for line in _totals(model):
        console.print(line)
    return out.getvalue()


def show(model: Any, line_length: int | None = None, print_fn: Callable[[str], Any] | None = None,
         expand_nested: bool = False) -> None:
    """Prints the table, or hands its lines to `print_fn`."""
    for line in text(model, line_length, expand_nested).splitlines():
        (print_fn or print)(line)


def _rows(model: Any, expand_nested: bool, depth: int = 0, frozen: bool = False) -> Iterator[tuple[Any, str, str]]:
    """A row of the table for each layer; with expand_nested, those of a model within the model after its own."""
    for name, layer in model.named_layers:
        still = frozen or (layer.stands_still if isinstance(layer, Layer) else not layer.trainable)
        told = f"{'  ' * depth}{name} ({type(layer).__name__}{', frozen' if still else ''})"
        yield _plain(told), *_shape_and_count(model, name)
        if expand_nested and hasattr(layer, "named_layers"):
            yield from _rows(layer, expand_nested, depth + 1, still)


def _shape_and_count(model: Any, name: str) -> tuple[str, str]:
    if model.input_shape is None:
        return "?", "?"
    return str(model.layer_shapes(name)[1]), f"{model.layer_count(name):,}"


def _totals(model: Any) -> list[str]:
    if model.input_shape is None:
        return ["The input is not known yet: declare it with input_shape=(...), or call build or fit."]
    total, trained = model.count_params(), model.count_trainable_params()
    size = sum(weight.nbytes for weight in model.weights)
    readable = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"
    return [f"Weights: {total:,} ({readable}), trained {trained:,}, not trained {total - trained:,}"]


def _plain(words: str) -> Any:
    """Text that rich prints as it is: names come from users and files and may look like markup."""
    from rich.text import Text

    return Text("".join(c if c.isprintable() else "?" for c in words[:80]))
