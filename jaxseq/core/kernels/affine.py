"""Images looked up at other places: the one composition behind shifts, rotations, zooms and shears."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from jaxseq.core.types import Array

FILL_MODES = "reflect", "wrap", "constant", "nearest"
ORDERS = {"nearest": 0, "bilinear": 1}


def moved(x: Array, matrix: Array, offset: Array, interpolation: str, fill_mode: str, fill_value: float) -> Array:
    """y[p] = x[matrix p + offset] for every pixel p = (row, column), between pixels as `interpolation` says.

    Shapes: x (batch, height, width, channels) of floats, matrix (batch, 2, 2), offset (batch, 2) -> y like x.
    fill_mode: what x is beyond its border: "reflect", d c b a | a b c d | d c b a; "wrap", a b c d | a b c d | a b c d;
        "nearest", a a a a | a b c d | d d d d; "constant", fill_value.
    """
    pixels = jnp.stack(jnp.meshgrid(*(jnp.arange(length, dtype=x.dtype) for length in x.shape[1:3]), indexing="ij"))
    places = jnp.einsum("bij,jhw->bihw", matrix.astype(x.dtype), pixels, precision="highest")
    places = places + offset.astype(x.dtype)[:, :, None, None]

    def looked_up(plane: Array, places: Array) -> Array:
        return map_coordinates(plane, list(places), ORDERS[interpolation], fill_mode, fill_value)

    return jax.vmap(jax.vmap(looked_up, (2, None), 2))(x, places)


def about_centre(matrix: Array, lengths: tuple[int, ...]) -> Array:
    """The offset (batch, 2) with which `matrix` leaves the middle of an image of these lengths where it is."""
    centre = jnp.asarray([(length - 1) / 2 for length in lengths], matrix.dtype)
    return centre - jnp.einsum("bij,j->bi", matrix, centre, precision="highest")


def matrices(entries: list[list[Array]]) -> Array:
    """(batch, 2, 2) of rows of entries, each (batch,)."""
    return jnp.stack([jnp.stack(row, axis=-1) for row in entries], axis=-2)
