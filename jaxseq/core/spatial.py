"""Layers over x (batch, *lengths, channels): what all of them, those with windows, and those with kernels have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar

import jax.numpy as jnp

from jaxseq.core import activations
from jaxseq.core.kernels import window
from jaxseq.core.last_activation import taken_off
from jaxseq.core.layer import Layer
from jaxseq.core.precision import floating
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.types import Array, Params, Spec


class Spatial(Layer):
    """A layer whose input has spatial axes, named in `axes`, and channels: last, or first where data_format says so.

    A mask ends here: the output has other steps, or none.
    """

    axes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        for each in fields(self):
            object.__setattr__(self, each.name, _in_tuples(getattr(self, each.name)))
        layout = getattr(self, "data_format", None)
        one_of(f"{self._class}: data_format", layout, (None, "channels_last", "channels_first"))

    def out_mask(self, x, mask):
        return None

    def per_axis(self, argument: str, least: int = 1) -> window.Ints:
        """The field `argument` as one number per axis."""
        return window.per_axis(f"{self._class}: {argument}", getattr(self, argument), len(self.axes), least)

    def lengths(self, x: Array | Spec) -> window.Ints:
        """The lengths of x along `axes`; ValueError when x has another number of axes."""
        order = ("batch", "channels", *self.axes) if self._first else ("batch", *self.axes, "channels")
        add = f" Add the axis of channels: {'x[:, None]' if self._first else 'x[..., None]'}."
        require(len(x.shape) == len(order), f"{self._class} needs x ({', '.join(order)}), got {x.shape}."
                + (add if len(x.shape) == len(order) - 1 else ""))
        return tuple(x.shape[axis] for axis in self.places)

    @property
    def places(self) -> window.Ints:
        """The numbers of the spatial axes of x."""
        first = 2 if self._first else 1
        return tuple(range(first, first + len(self.axes)))

    def channels(self, x: Array | Spec) -> int:
        """The number of channels of x."""
        return x.shape[1 if self._first else -1]

    def channels_last(self, x: Array) -> Array:
        """x with its channels last, however it came."""
        return jnp.moveaxis(x, 1, -1) if self._first else x

    def as_it_came(self, y: Array) -> Array:
        """y (batch, *lengths, channels) in the layout of x."""
        return jnp.moveaxis(y, -1, 1) if self._first else y

    def in_lower_case(self, argument: str, choices: tuple[str, ...]) -> None:
        """Makes the word in the field `argument` one of `choices`; capitals are accepted, as in Keras."""
        value = getattr(self, argument)
        if isinstance(value, str):
            object.__setattr__(self, argument, value.lower())
        one_of(f"{self._class}: {argument}", getattr(self, argument), choices)

    @property
    def _first(self) -> bool:
        return getattr(self, "data_format", None) == "channels_first"

    @property
    def _class(self) -> str:
        return type(self).__name__


class Windowed(Spatial):
    """A layer that moves a window along the axes, with `padding` in a word."""

    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def __post_init__(self):
        super().__post_init__()
        self.in_lower_case("padding", self.paddings)

    def require_room(self, x: Array | Spec, size: window.Ints, dilation: window.Ints) -> None:
        """ValueError where x has other axes, or where the window is longer and nothing is padded."""
        cure = "padding='same', or a smaller window" if "same" in self.paddings else "a smaller window"
        padding = getattr(self, "padding", "valid")
        window.require_room(repr(self), x.shape, self.axes, self.lengths(x), size, padding, dilation, cure)

    def refuse_both(self) -> None:
        """ValueError where strides and dilation_rate are both above 1."""
        arguments = "strides", "dilation_rate"
        told = (f"{argument}={getattr(self, argument)!r}" for argument in arguments)
        require(any(max(self.per_axis(argument)) == 1 for argument in arguments), f"{self._class}({', '.join(told)}): write "
                "strides=1 or dilation_rate=1. With both above 1 the kernel would pass over inputs.")


class Convolving(Windowed):
    """A layer that moves learned kernels along the axes, adds a bias and applies an activation."""

    def __post_init__(self):
        super().__post_init__()
        for argument in "kernel_size", "strides", "dilation_rate":
            if hasattr(self, argument):
                self.per_axis(argument)
        for argument in "filters", "groups", "depth_multiplier":
            if hasattr(self, argument):
                positive_int(f"{self._class}: {argument}", getattr(self, argument))

    def init(self, key, x):
        self.require_fit(x)
        shapes = self.weight_shapes(x)
        if not getattr(self, "use_bias", True):
            shapes.pop("bias", None)
        return self.draw(key, shapes), {}

    def apply(self, params, state, x, ctx):
        self.require_fit(x)
        y = self.convolved(params, floating(self.channels_last(x), self.compute_dtype))
        return self._activation(self.as_it_came(y)), state

    def without_activation(self):
        return taken_off(self)

    @abstractmethod
    def weight_shapes(self, x: Array | Spec) -> dict[str, tuple[int, ...]]:
        """The shapes of the kernels and of the bias, in Keras's order."""

    @abstractmethod
    def convolved(self, params: Params, x: Array) -> Array:
        """x (batch, *lengths, channels) under the kernels, with the bias: y (batch, *lengths', filters)."""

    def require_fit(self, x: Array | Spec) -> None:
        """ValueError where the kernel does not fit x."""
        self.require_room(x, self.per_axis("kernel_size"), self.walk[-1])

    @property
    def walk(self) -> tuple[window.Ints, str, window.Ints]:
        """(strides, padding, dilation), as the kernels take them."""
        dilation = self.per_axis("dilation_rate") if hasattr(self, "dilation_rate") else (1,) * len(self.axes)
        return self.per_axis("strides"), getattr(self, "padding", "valid"), dilation

    @property
    def _activation(self) -> Callable[[Array], Array]:
        return activations.get(getattr(self, "activation", None))


def _in_tuples(value: Any) -> Any:
    """Lists, as a file holds them, become tuples, which can be hashed."""
    return tuple(map(_in_tuples, value)) if isinstance(value, list | tuple) else value
