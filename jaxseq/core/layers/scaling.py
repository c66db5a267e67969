"""Rescaling and Normalization: inputs brought to a known range."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jaxseq.core.axes import as_axis, axes_of
from jaxseq.core.layer import Layer
from jaxseq.core.precision import as_given, floating, widened
from jaxseq.core.require import require
from jaxseq.core.types import Array


class Rescaling(Layer):
    """y = scale * x + offset. Shapes: any; scale and offset may be lists, one number for each feature. Params, state: none.

    Source: as keras.layers.Rescaling.
    """

    scale: Any
    offset: Any = 0.0

    autocast: ClassVar[bool] = False

    def __post_init__(self):
        for argument in "scale", "offset":
            object.__setattr__(self, argument, as_numbers(f"Rescaling({argument})", getattr(self, argument)))

    def apply(self, params, state, x, ctx):
        x = floating(x)
        scale, offset = (jnp.asarray(each, x.dtype) for each in (self.scale, self.offset))
        return x * scale + offset, state


class Normalization(Layer):
    """Brings features to mean 0 and variance 1: y = (x - mean) / max(sqrt(variance), 1e-7).

    mean and variance are constants, written down or found by `adapt`, which is called before the layer is added.

    Shapes: x (batch, ...) -> y of the same shape. Params: none. State: none.
    axis: the axes that have a mean of their own each; None: one mean for all.
    invert: the way back, y = mean + x * max(sqrt(variance), 1e-7).
    Raises: ValueError for a mean without a variance, and when they do not fit x.
    Source: as keras.layers.Normalization, which keeps them among the weights.
    """

    axis: Any = -1
    mean: Any = None
    variance: Any = None
    invert: bool = False

    autocast: ClassVar[bool] = False
    SMALLEST: ClassVar[float] = 1e-7

    def __post_init__(self):
        if self.axis is not None:
            object.__setattr__(self, "axis", as_axis("Normalization", self.axis))
        require((self.mean is None) == (self.variance is None), "Normalization: give mean and variance, or neither, and "
                "call adapt(x).")
        if self.mean is not None:
            self._keep(self.mean, self.variance)

    def adapt(self, data: Any) -> None:
        """Finds mean and variance of the data, in float64, over all axes but `axis`."""
        require(self.owner is None, f"{self!r} stands in a model already: call adapt before add.")
        x = np.asarray(data, np.float64)
        others = tuple(axis for axis in range(x.ndim) if axis not in self._own(x.shape))
        self._keep(x.mean(others), x.var(others))

    def apply(self, params, state, x, ctx):
        require(self.mean is not None, f"{self!r} does not know mean and variance: call its adapt(x) before it is added, or "
                "give mean= and variance=.")
        own = self._own(x.shape)
        along = [size if axis in own else 1 for axis, size in enumerate(x.shape)]
        mean, variance = (self._spread(each, along, x) for each in (self.mean, self.variance))
        spread = jnp.maximum(jnp.sqrt(variance), self.SMALLEST)
        wide = widened(x)
        return as_given(mean + wide * spread if self.invert else (wide - mean) / spread, x), state

    def _own(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The axes with a mean of their own, counted from 0."""
        return () if self.axis is None else axes_of("Normalization", self.axis, shape)

    def _spread(self, numbers: Any, along: list[int], x: Array) -> Array:
        array = jnp.asarray(numbers, widened(x).dtype)
        size = int(np.prod(along))
        require(array.size in (1, size), f"{self!r} has {array.size} means, which does not fit x {x.shape}.")
        return array.reshape(along if array.size == size else [1] * x.ndim)

    def _keep(self, mean: Any, variance: Any) -> None:
        object.__setattr__(self, "mean", as_numbers("Normalization(mean)", mean))
        object.__setattr__(self, "variance", as_numbers("Normalization(variance)", variance))


def as_numbers(who: str, value: Any) -> Any:
    """A number, or nested tuples of them: what a declaration can hold and compare. TypeError for anything else."""
    array = np.asarray(value)
    require(array.dtype.kind in "iuf", f"{who}: write a number or a list of them, got {value!r}.", TypeError)
    return _tuples(array.tolist())


def _tuples(nested: Any) -> Any:
    return tuple(_tuples(each) for each in nested) if isinstance(nested, list) else nested
