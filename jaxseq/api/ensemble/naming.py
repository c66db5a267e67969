"""Errors that only some members of a sweep have say of which they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def name_of(number: int, seed: Any, chosen: Mapping[str, Any]) -> str:
    """The member's number, seed and settings; nothing where it has no settings, for then it is like all the others."""
    return "" if not chosen else ", ".join([f"In member {number}", *(f"{word}={value!r}" for word, value in
                                                                    {"seed": seed, **chosen}.items())]) + "."


@contextmanager
def named(name: str) -> Iterator[None]:
    """Errors inside carry the name of a member."""
    try:
        yield
    except Exception as error:
        if name:
            error.add_note(name)
        raise
