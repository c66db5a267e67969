"""Cropping and zero-padding: less of x at its borders, or zeros around it."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.window import Edges, pairs
from jaxseq.core.require import require
from jaxseq.core.spatial import Spatial
from jaxseq.core.types import Array


class _Cropping(Spatial):
    """What cropping along any number of axes has in common."""

    cropping: Any = 1
    data_format: str | None = None

    def __post_init__(self):
        super().__post_init__()
        self._pairs()

    def apply(self, params, state, x, ctx):
        edges = self._pairs()
        for name, length, edge in zip(self.axes, self.lengths(x), edges, strict=True):
            require(sum(edge) < length, f"{self!r}: it takes {sum(edge)} off x {x.shape}, which has only {length} along its "
                    f"{name}. Write a smaller cropping.")
        return _bordered(x, self.places, tuple((-before, -after) for before, after in edges)), state

    def _pairs(self) -> Edges:
        return pairs(f"{self._class}: cropping", self.cropping, len(self.axes))


class Cropping1D(_Cropping):
    """Takes steps off both ends of sequences: y = x[before : steps - after].

    cropping: how many at both ends, or (before, after).
    Shapes: x (batch, steps, channels) -> y (batch, steps - before - after, channels); with data_format="channels_first",
        which Keras does not have here, the channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0, and where nothing is left.
    Source: as keras.layers.Cropping1D; a mask ends here without a word (Keras 2 raises, Keras 3 warns).
    """

    cropping: Any = (1, 1)

    axes = ("steps",)


class Cropping2D(_Cropping):
    """Takes rows and columns off the borders of images.

    cropping: how many at every border; or (height, width), the same at both ends; or a pair (before, after) for each.
    Shapes: x (batch, height, width, channels) -> y (batch, height - before - after, width - before - after, channels);
        data_format="channels_first": the channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0, and where nothing is left.
    Source: as keras.layers.Cropping2D.
    """

    cropping: Any = ((0, 0), (0, 0))

    axes = ("height", "width")


class Cropping3D(_Cropping):
    """Takes slices off the borders of volumes, along depth, height and width.

    cropping: how many at every border; or one number for each axis; or a pair (before, after) for each.
    Shapes: x (batch, depth, height, width, channels) -> y the same with shorter axes; data_format="channels_first": the
        channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0, and where nothing is left.
    Source: as keras.layers.Cropping3D.
    """

    cropping: Any = ((1, 1), (1, 1), (1, 1))

    axes = ("depth", "height", "width")


class _ZeroPadding(Spatial):
    """What zero-padding along any number of axes has in common."""

    padding: Any = 1
    data_format: str | None = None

    def __post_init__(self):
        super().__post_init__()
        self._pairs()

    def apply(self, params, state, x, ctx):
        self.lengths(x)
        return _bordered(x, self.places, self._pairs()), state

    def _pairs(self) -> Edges:
        return pairs(f"{self._class}: padding", self.padding, len(self.axes))


class ZeroPadding1D(_ZeroPadding):
    """Puts steps of zeros before and after sequences.

    padding: how many at both ends, or (before, after).
    Shapes: x (batch, steps, channels) -> y (batch, before + steps + after, channels); data_format="channels_first": the
        channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0.
    Source: as keras.layers.ZeroPadding1D; a mask ends here without a word (Keras 2 raises, Keras 3 warns).
    """

    axes = ("steps",)


class ZeroPadding2D(_ZeroPadding):
    """Puts rows and columns of zeros around images.

    padding: how many at every border; or (height, width), the same at both ends; or a pair (before, after) for each.
    Shapes: x (batch, height, width, channels) -> y (batch, before + height + after, before + width + after, channels);
        data_format="channels_first": the channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0.
    Source: as keras.layers.ZeroPadding2D.
    """

    padding: Any = (1, 1)

    axes = ("height", "width")


class ZeroPadding3D(_ZeroPadding):
    """Puts slices of zeros around volumes, along depth, height and width.

    padding: how many at every border; or one number for each axis; or a pair (before, after) for each.
    Shapes: x (batch, depth, height, width, channels) -> y the same with longer axes; data_format="channels_first": the
        channels stand second. Params: none. State: none.
    Raises: ValueError for numbers below 0.
    Source: as keras.layers.ZeroPadding3D.
    """

    padding: Any = (1, 1, 1)

    axes = ("depth", "height", "width")


def _bordered(x: Array, places: tuple[int, ...], edges: Edges) -> Array:
    """x with zeros (before, after) its axes `places`; negative where it is cropped."""
    border = [(0, 0, 0)] * x.ndim
    for place, (before, after) in zip(places, edges, strict=True):
        border[place] = before, after, 0
    return lax.pad(x, jnp.zeros((), x.dtype), border)
