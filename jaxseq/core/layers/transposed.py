"""Transposed convolutions: a learned kernel that leads from few elements to many."""

from __future__ import annotations

from typing import Any

from jaxseq.core.kernels import window
from jaxseq.core.kernels.conv import conv_transpose
from jaxseq.core.layer import sequence_in_words
from jaxseq.core.require import require
from jaxseq.core.spatial import Convolving


class _Transposed(Convolving):
    """What transposed convolutions over any number of axes have in common."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    output_padding: Any = None
    data_format: str | None = None
    dilation_rate: Any = 1
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def __post_init__(self):
        super().__post_init__()
        self.refuse_both()
        fits = all(extra < stride for extra, stride in zip(self._extra or (), self.per_axis("strides"), strict=False))
        require(fits, f"{self._class}(output_padding={self.output_padding!r}, strides={self.strides!r}): write an "
                "output_padding below the strides, or None.")

    def weight_shapes(self, x):
        return {"kernel": (*self.per_axis("kernel_size"), self.filters, self.channels(x)), "bias": (self.filters,)}

    def convolved(self, params, x):
        return conv_transpose(x, params["kernel"], params.get("bias"), *self.walk, self._extra)

    def require_fit(self, x):
        self.lengths(x)                                                 # any length has room for what is laid out

    @property
    def _extra(self) -> window.Ints | None:
        return None if self.output_padding is None else self.per_axis("output_padding", least=0)


class Conv1DTranspose(_Transposed):
    """The way back of a Conv1D, from its outputs to as many steps as it had: each step lays out the kernel, times itself:

    y[t] = activation(sum over all i, k with i s + k d - before = t of kernel[k] @ x[i] + bias), with before outputs cut off
    in front by padding "same", none by "valid".

    Shapes: x (batch, steps, channels) -> y (batch, steps', filters); with data_format="channels_first" the channels and
        filters stand second. s is strides, d dilation_rate, w = d (kernel_size - 1) + 1 the kernel's reach.
        steps' = (steps - 1) s + max(w, s) with padding "valid", steps s with "same". A given output_padding says where y
        ends: steps' = (steps - 1) s + w + output_padding with "valid", (steps - 1) s + w % 2 + output_padding with "same".
    Params: kernel (kernel_size, filters, channels), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, for an output_padding not below the strides, for strides and dilation_rate both
        above 1, and where nothing would come out.
    Gradients: in reverse mode alone, as in the layers of more axes; jax.jvp, jax.jacfwd and jax.hessian raise TypeError.
    Source: Dumoulin & Visin 2016, 4; Zeiler et al. 2010. As keras.layers.Conv1DTranspose.
    """

    axes = ("steps",)
    shape_in_words = staticmethod(sequence_in_words)


class Conv2DTranspose(_Transposed):
    """The way back of a Conv2D, from its outputs to as large an image as it had, along each axis as Conv1DTranspose.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', filters); with data_format="channels_first"
        the channels and filters stand second. height' and width' as the steps' of Conv1DTranspose; strides,
        output_padding and dilation_rate may differ by axis.
    Params: kernel (*kernel_size, filters, channels), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: as Conv1DTranspose.
    Source: Dumoulin & Visin 2016, 4; Zeiler et al. 2010. As keras.layers.Conv2DTranspose.
    """

    axes = ("height", "width")


class Conv3DTranspose(_Transposed):
    """The way back of a Conv3D, from its outputs to as large a volume as it had, along each axis as Conv1DTranspose.

    Shapes: x (batch, depth, height, width, channels) -> y (batch, depth', height', width', filters); with
        data_format="channels_first" the channels and filters stand second. depth', height' and width' as the steps' of
        Conv1DTranspose; strides, output_padding and dilation_rate may differ by axis.
    Params: kernel (*kernel_size, filters, channels), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: as Conv1DTranspose.
    Source: Dumoulin & Visin 2016, 4. As keras.layers.Conv3DTranspose; the arguments stand in Keras 2's order
        (output_padding before data_format), which Keras 3 kept in one and two dimensions alone.
    """

    axes = ("depth", "height", "width")


# The names Keras has kept beside them.
Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
