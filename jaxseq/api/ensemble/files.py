"""Callbacks that write files: each member wants its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from jaxseq.api.callbacks import Callback
from jaxseq.core.require import require


def require_own_files(callbacks: Mapping[int, Iterable[Callback]]) -> None:
    """ValueError where two members' callbacks would write the same path. callbacks: {number of a member: its own}."""
    written: dict[Path, int] = {}
    for number, own in callbacks.items():
        for each in own:
            if each.writes_to is None:
                continue
            first, who = written.setdefault(Path(each.writes_to).absolute(), number), type(each).__name__
            require(first == number, f"The {who} of the members {first} and {number} would write the same "
                    f"{str(each.writes_to)!r}: give each its own, callbacks=lambda member: [{who}(f'member-{{member}}...')].")
