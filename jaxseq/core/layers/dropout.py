"""Dropout: zeros at random, in training only."""

from __future__ import annotations

from typing import ClassVar

from jaxseq.core.declared import is_zero
from jaxseq.core.kernels.dropout import check_rate, dropped, noise_shape, own_key
from jaxseq.core.layer import Layer
from jaxseq.core.precision import floating
from jaxseq.core.require import one_of, require


class Dropout(Layer):
    """Zeroes each element with probability `rate` in training, and scales the rest: y = x * kept / (1 - rate).

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    noise_shape: the shape of the mask, with 1 where one draw serves a whole axis and None where x's own length stands.
    seed: a number that sets this layer's draws apart; they stay a function of (model seed, step, layer).
    Raises: ValueError for a rate outside [0, 1).
    Source: Srivastava et al. 2014. Keras 3 draws from a counter kept in the layer; nothing is kept here.
    """

    rate: float
    noise_shape: tuple[int | None, ...] | None = None
    seed: int | None = None

    def __post_init__(self):
        check_rate("Dropout", self.rate)
        if self.noise_shape is not None:
            object.__setattr__(self, "noise_shape", tuple(self.noise_shape))

    def apply(self, params, state, x, ctx):
        x = floating(x)
        if not ctx.train or is_zero(self.rate):
            return x, state
        return dropped(x, own_key(ctx.key, self.seed), self.rate, noise_shape(self.noise_shape, x.shape)), state


class _SpatialDropout(Layer):
    """What dropping whole channels has in common."""

    rate: float
    data_format: str | None = None
    seed: int | None = None

    axes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        check_rate(type(self).__name__, self.rate)
        one_of(f"{type(self).__name__}: data_format", self.data_format, (None, "channels_last", "channels_first"))

    def apply(self, params, state, x, ctx):
        require(x.ndim == len(self.axes) + 2, f"{type(self).__name__} needs x (batch, {', '.join(self.axes)}, channels), got "
                f"{x.shape}.")
        x = floating(x)
        if not ctx.train or is_zero(self.rate):
            return x, state
        each = (1,) * len(self.axes)
        batch, channels = x.shape[0], x.shape[1 if self.data_format == "channels_first" else -1]
        shape = (batch, channels, *each) if self.data_format == "channels_first" else (batch, *each, channels)
        return dropped(x, own_key(ctx.key, self.seed), self.rate, shape), state


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of a sequence: one draw for all steps of a channel.

    Shapes: x (batch, steps, channels) -> y of the same shape; data_format="channels_first": x (batch, channels, steps).
    Params: none. State: none. rate, seed: as in Dropout.
    Raises: ValueError for a rate outside [0, 1), and when x has another number of axes.
    Source: Tompson et al. 2015, "Efficient object localization using convolutional networks".
    """

    axes = ("steps",)


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of an image: one draw for all pixels of a channel.

    Shapes: x (batch, height, width, channels) -> y of the same shape; data_format="channels_first": the channels stand
        second. Params, errors, source: as SpatialDropout1D.
    """

    axes = ("height", "width")


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of a volume: one draw for all its elements.

    Shapes: x (batch, depth, height, width, channels) -> y of the same shape; data_format="channels_first": the channels
        stand second. Params, errors, source: as SpatialDropout1D.
    """

    axes = ("depth", "height", "width")
