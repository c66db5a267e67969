"""Layers over x (batch, *lengths, channels): what convolution and pooling ask of their arguments and their input."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from jaxseq.core.kernels import window
from jaxseq.core.layer import Layer
from jaxseq.core.require import one_of, require
from jaxseq.core.types import Array, Spec


class Spatial(Layer):
    """A layer whose input has spatial axes, named in `axes`, and channels: last, or first where data_format says so.

    A mask ends here: the output has other steps, or none.
    """

    axes: ClassVar[tuple[str, ...]] = ()
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def __post_init__(self):
        layout, padding = getattr(self, "data_format", None), getattr(self, "padding", "valid")
        one_of(f"{self._class}: data_format", layout, (None, "channels_last", "channels_first"))
        if isinstance(padding, str) and padding != padding.lower():
            object.__setattr__(self, "padding", padding.lower())        # "SAME" is accepted, as in Keras
        one_of(f"{self._class}: padding", str(padding).lower(), self.paddings)
        for argument in "kernel_size", "pool_size", "strides", "dilation_rate":
            value = getattr(self, argument, None)
            if isinstance(value, list):
                object.__setattr__(self, argument, tuple(value))        # as a file holds it; a tuple can be hashed
            if value is not None:
                self.per_axis(argument)

    def out_mask(self, x, mask):
        return None

    def per_axis(self, argument: str) -> window.Ints:
        """The field `argument` as one number per axis."""
        return window.per_axis(f"{self._class}: {argument}", getattr(self, argument), len(self.axes))

    def lengths(self, x: Array | Spec) -> window.Ints:
        """The lengths of x along `axes`; ValueError when x has another number of axes."""
        order = ("batch", "channels", *self.axes) if self._first else ("batch", *self.axes, "channels")
        add = f" Add the axis of channels: {'x[:, None]' if self._first else 'x[..., None]'}."
        require(len(x.shape) == len(order), f"{self._class} needs x ({', '.join(order)}), got {x.shape}."
                + (add if len(x.shape) == len(order) - 1 else ""))
        return x.shape[2:] if self._first else x.shape[1:-1]

    def channels(self, x: Array | Spec) -> int:
        """The number of channels of x."""
        return x.shape[1 if self._first else -1]

    def channels_last(self, x: Array) -> Array:
        """x with its channels last, however it came."""
        return jnp.moveaxis(x, 1, -1) if self._first else x

    def as_it_came(self, y: Array) -> Array:
        """y (batch, *lengths, channels) in the layout of x."""
        return jnp.moveaxis(y, -1, 1) if self._first else y

    @property
    def _first(self) -> bool:
        return getattr(self, "data_format", None) == "channels_first"

    @property
    def _class(self) -> str:
        return type(self).__name__
