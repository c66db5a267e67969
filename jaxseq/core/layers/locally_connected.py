"""Locally connected layers: convolutions that have a kernel of their own at every place."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxseq.core.kernels.window import Ints
from jaxseq.core.layer import sequence_in_words
from jaxseq.core.require import one_of
from jaxseq.core.spatial import Convolving
from jaxseq.core.types import Array, Spec


class _LocallyConnected(Convolving):
    """What locally connected layers over any number of axes have in common."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: str | None = None
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    implementation: int = 1

    paddings = ("valid",)

    def __post_init__(self):
        super().__post_init__()
        one_of(f"{self._class}: implementation", self.implementation, (1, 2, 3))

    def weight_shapes(self, x):
        outputs, window = self._outputs(x), math.prod(self.per_axis("kernel_size")) * self.channels(x)
        return {"kernel": (math.prod(outputs), window, self.filters), "bias": (*outputs, self.filters)}

    def convolved(self, params, x):
        windows = _windows(x, self.per_axis("kernel_size"), self.walk[0])
        outputs = windows.shape[1:1 + len(self.axes)]
        if self._first:
            windows = jnp.moveaxis(windows, -1, 1 + len(self.axes))     # each window laid out as it stands in the input
        windows = windows.reshape(x.shape[0], math.prod(outputs), params["kernel"].shape[1])
        y = jnp.einsum("bop,opf->bof", windows, params["kernel"]).reshape(x.shape[0], *outputs, self.filters)
        return y + params["bias"] if self.use_bias else y

    def _outputs(self, x: Array | Spec) -> Ints:
        steps = zip(self.lengths(x), self.per_axis("kernel_size"), self.walk[0], strict=True)
        return tuple((length - size) // stride + 1 for length, size, stride in steps)


class LocallyConnected1D(_LocallyConnected):
    """Slides over sequences with another learned kernel at every step:

    y[t] = activation(window(t) @ kernel[t] + bias[t]), window(t) the inputs x[t s], ..., x[t s + kernel_size - 1] in a row.

    Shapes: x (batch, steps, channels) -> y (batch, steps', filters), steps' = (steps - kernel_size) // s + 1, s = strides.
        With data_format="channels_first" the channels and filters stand second, and each window is a row of channels.
    Params: kernel (steps', kernel_size channels, filters), Glorot-uniform, over all places together as in Keras 2;
        bias (steps', filters), zeros. State: none.
    implementation: 1, 2 or 3 as TensorFlow's Keras 2 had; they give the same numbers, from the one kernel above.
    Raises: ValueError for numbers below 1, for another padding than "valid", and for sequences shorter than the kernel.
    Source: as keras.layers.LocallyConnected1D of Keras 2; Keras 3 has none.
    """

    axes = ("steps",)
    shape_in_words = staticmethod(sequence_in_words)


class LocallyConnected2D(_LocallyConnected):
    """Slides over images with another learned kernel at every place:

    y[i, j] = activation(window(i, j) @ kernel[i width' + j] + bias[i, j]), window(i, j) the inputs under it in a row.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', filters),
        height' = (height - kernel_size) // strides + 1; kernel_size and strides may differ by axis. With
        data_format="channels_first" the channels and filters stand second, and each window is a row of channels.
    Params: kernel (height' width', window, filters), Glorot-uniform, over all places together as in Keras 2;
        bias (height', width', filters), zeros. State: none. implementation: as LocallyConnected1D.
    Raises: ValueError for numbers below 1, for another padding than "valid", and for images smaller than the kernel.
    Source: LeCun 1989; as keras.layers.LocallyConnected2D of Keras 2; Keras 3 has none.
    """

    axes = ("height", "width")


def _windows(x: Array, sizes: Ints, strides: Ints) -> Array:
    """The windows of x (batch, *lengths, channels): (batch, *lengths', *sizes, channels)."""
    for axis, (size, stride) in enumerate(zip(sizes, strides, strict=True), 1):
        reach = (x.shape[axis] - size) // stride * stride + 1
        x = jnp.stack([lax.slice_in_dim(x, place, place + reach, stride, axis) for place in range(size)], axis=-2)
    return x
