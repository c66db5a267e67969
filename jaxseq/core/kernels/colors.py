"""Colors: red, green and blue as hue, saturation and value, and as grey."""

from __future__ import annotations

import jax.numpy as jnp

from jaxseq.core.require import require
from jaxseq.core.types import Array


def hsv(x: Array) -> tuple[Array, Array, Array]:
    """Hue, saturation and value, each (...), of colors x (..., 3) from 0 to 1. Hue goes once round from red to red.

    Source: Smith 1978, "Color gamut transform pairs". Where saturation is 0 so is the hue, and its gradient.
    """
    _three(x)
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    value = jnp.maximum(jnp.maximum(red, green), blue)
    spread = value - jnp.minimum(jnp.minimum(red, green), blue)
    some = spread > 0
    whole = jnp.where(some, spread, 1)
    sixths = jnp.where((red >= green) & (red >= blue), (green - blue) / whole,
                       jnp.where(green >= blue, 2 + (blue - red) / whole, 4 + (red - green) / whole))
    return jnp.where(some, (sixths / 6) % 1, 0), jnp.where(some, spread / jnp.where(value > 0, value, 1), 0), value


def rgb(hue: Array, saturation: Array, value: Array) -> Array:
    """The way back: (..., 3). Each color is value (1 - saturation w), w by how far the hue stands from it."""
    steps = (hue[..., None] * 6 + jnp.array([5, 3, 1], hue.dtype)) % 6
    weight = jnp.clip(jnp.minimum(steps, 4 - steps), 0, 1)
    return value[..., None] * (1 - saturation[..., None] * weight)


def grey(x: Array) -> Array:
    """How bright colors (..., 3) are, (..., 1): 0.2989 red + 0.587 green + 0.114 blue (ITU-R BT.601)."""
    _three(x)
    return jnp.sum(x * jnp.array([0.2989, 0.5870, 0.1140], x.dtype), -1, keepdims=True)


def _three(x: Array) -> None:
    require(x.shape[-1] == 3, f"Colors are red, green and blue: 3 channels, got x {x.shape} with its channels last.")
