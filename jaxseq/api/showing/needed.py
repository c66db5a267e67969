"""matplotlib, imported when a picture is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxseq.api.showing.picture import Picture


def picture(width: float, height: float, layout: Any = "constrained") -> Picture:
    """An empty picture of so many inches. ImportError that says what to install."""
    try:
        from jaxseq.api.showing.picture import Picture
    except ImportError as error:
        raise ImportError("Pictures are made with matplotlib: pip install 'jaxseq[plot]'.") from error
    return Picture(figsize=(width, height), layout=layout)
