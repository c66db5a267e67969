"""A figure that shows itself in a notebook and is gone with its last reference: pyplot, which keeps figures, has no part."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A Figure of matplotlib."""

    def _repr_png_(self) -> bytes:
        """What a notebook shows, whether or not pyplot was imported there."""
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=110)
        return out.getvalue()
