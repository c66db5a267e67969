"""Images cut to one size: about their middle, or at random in training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxseq.core import rng
from jaxseq.core.kernels.crops import largest_part, middle
from jaxseq.core.kernels.dropout import own_key
from jaxseq.core.precision import as_given, floating, widened
from jaxseq.core.require import positive_int
from jaxseq.core.spatial import Spatial
from jaxseq.core.types import Array


class _ToSize(Spatial):
    """What cutting images to height x width has in common."""

    axes = ("height", "width")

    def __post_init__(self):
        super().__post_init__()
        for argument in self.axes:
            object.__setattr__(self, argument, positive_int(f"{self._class}: {argument}", getattr(self, argument)))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the output."""
        return getattr(self, "height"), getattr(self, "width")    # noqa: B009

    def has_room(self, x: Array) -> bool:
        """Whether the output is nowhere longer than x."""
        return all(wanted <= length for wanted, length in zip(self.size, self.lengths(x), strict=True))

    def largest_window(self, x: Array) -> Array:
        """The largest part in the middle of x that has the output's proportions, resized to it."""
        rows, columns = largest_part(self.lengths(x), self.size)
        cut = widened(self.channels_last(x))[:, rows, columns]
        y = jax.image.resize(cut, (x.shape[0], *self.size, cut.shape[-1]), "bilinear", antialias=False)
        return as_given(self.as_it_came(y), x)


class CenterCrop(_ToSize):
    """Cuts the middle out of images, in training and in evaluation.

    Where an image is smaller, its largest part of the proportions height : width is resized, between pixels linearly.
    Shapes: x (batch, rows, columns, channels) -> y (batch, height, width, channels), of floats; data_format="channels_first":
        the channels stand second. Params: none. State: none.
    Raises: ValueError for lengths below 1, and where x is no images.
    Source: as keras.layers.CenterCrop.
    """

    height: int
    width: int
    data_format: str | None = None

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not self.has_room(x):
            return self.largest_window(x), state
        rows, columns = map(middle, self.lengths(x), self.size)
        return self.as_it_came(self.channels_last(x)[:, rows, columns]), state


class RandomCrop(_ToSize):
    """Cuts height x width out of each image, at a place drawn evenly, in training.

    In evaluation, and where an image is smaller, its largest part of these proportions is resized, between pixels linearly.
    Shapes: x (batch, rows, columns, channels) -> y (batch, height, width, channels), of floats; data_format="channels_first":
        the channels stand second. Params: none. State: none.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer, row).
    Raises: ValueError for lengths below 1, and where x is no images.
    Source: as the documentation of keras.layers.RandomCrop, which takes one place for the whole batch.
    """

    height: int
    width: int
    seed: int | None = None
    data_format: str | None = None

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not (ctx.train and self.has_room(x)):
            return self.largest_window(x), state
        key = own_key(ctx.key, self.seed)

        def first(axis: str, rooms: int) -> Array:
            return rng.uniform(rng.fold_in(key, axis), x.shape[:1], 0, rooms).astype("int32")

        places = [first(*each) for each in zip(self.axes, self._rooms(x), strict=True)]
        images = self.channels_last(x)
        corners = jnp.stack([*places, jnp.zeros_like(places[0])], axis=-1)
        cut = jax.vmap(lambda image, corner: lax.dynamic_slice(image, corner, (*self.size, images.shape[-1])))
        return self.as_it_came(cut(images, corners)), state

    def _rooms(self, x: Array) -> list[int]:
        """How many places there are along each axis."""
        return [length - wanted + 1 for length, wanted in zip(self.lengths(x), self.size, strict=True)]
