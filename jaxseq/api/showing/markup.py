"""HTML and SVG in a few words. What is not marked up already is escaped."""

from __future__ import annotations

import html
from typing import Any


class Markup(str):
    """Text that is markup, and goes into other markup as it is."""


def tag(name: str, *content: Any, **attributes: Any) -> Markup:
    """<name attribute="...">content</name>. Attributes are written with _ for -, and with one behind Python's own words."""
    written = "".join(f' {word.rstrip("_").replace("_", "-")}="{html.escape(_told(value))}"'
                      for word, value in attributes.items() if value is not None)
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Any) -> Markup:
    """All of it in a row."""
    return Markup("".join(each if isinstance(each, Markup) else html.escape(str(each)) for each in content))


def _told(value: Any) -> str:
    """Numbers in as few digits as a picture needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def table(head: tuple[str, ...], rows: Any, right: frozenset[int] | set[int] = frozenset()) -> Markup:
    """A table that takes the colors of its page, and can be moved sideways where the page is narrow.

    right: the columns of numbers.
    """
    side = lambda place: f"text-align:{'right' if place in right else 'left'};{CELL}"
    top = tag("tr", *(tag("th", word, style=f"{side(place)};font-weight:600") for place, word in enumerate(head)), style=CLEAR)
    body = [tag("tr", *(tag("td", each, style=side(place)) for place, each in enumerate(row)), style=CLEAR) for row in rows]
    return tag("div", tag("table", tag("thead", top), tag("tbody", *body), style="border-collapse:collapse;margin:.3em 0;"
                          "font-size:.92em;color:inherit"), style="overflow-x:auto;max-width:100%")


CELL = "padding:.25em .5em;color:inherit;border:0;border-bottom:1px solid rgba(128,128,128,.35)"
CLEAR = "background:transparent"        # where the page's own style stripes its tables
