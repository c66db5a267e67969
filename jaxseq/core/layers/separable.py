"""Depthwise and separable convolutions: every channel has kernels of its own, and 1x1 kernels mix what they give."""

from __future__ import annotations

from typing import Any

from jaxseq.core.kernels.conv import conv, depthwise_conv
from jaxseq.core.layer import sequence_in_words
from jaxseq.core.spatial import Convolving


class _Depthwise(Convolving):
    """What depthwise convolutions over any number of axes have in common."""

    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    data_format: str | None = None
    dilation_rate: Any = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None

    def weight_shapes(self, x):
        channels, each = self.channels(x), self.depth_multiplier
        return {"depthwise_kernel": (*self.per_axis("kernel_size"), channels, each), "bias": (channels * each,)}

    def convolved(self, params, x):
        return depthwise_conv(x, params["depthwise_kernel"], params.get("bias"), *self.walk)


class DepthwiseConv1D(_Depthwise):
    """Slides kernels over sequences, for every channel its own:

    y[t, c m + j] = activation(sum_k x[t s + k d, c] kernel[k, c, j] + bias[c m + j]), m = depth_multiplier.

    Shapes: x (batch, steps, channels) -> y (batch, steps', channels m); with data_format="channels_first" the channels
        stand second. s is strides, d dilation_rate; steps' and padding as in Conv1D.
    Params: depthwise_kernel (kernel_size, channels, m), Glorot-uniform; bias (channels m,), zeros. State: none.
    Raises: ValueError for numbers below 1, and for sequences shorter than the kernel with "valid".
    Gradients: in reverse mode alone, as in the layers of more axes; jax.jvp, jax.jacfwd and jax.hessian raise TypeError.
    Source: Chollet 2017 (Xception). As keras.layers.DepthwiseConv1D, which has no padding "causal".
    """

    axes = ("steps",)
    paddings = ("valid", "same", "causal")
    shape_in_words = staticmethod(sequence_in_words)


class DepthwiseConv2D(_Depthwise):
    """Slides kernels over images, for every channel its own, along each axis as DepthwiseConv1D.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', channels depth_multiplier); with
        data_format="channels_first" the channels stand second. height' and width' as in Conv2D; strides and
        dilation_rate may differ by axis.
    Params: depthwise_kernel (*kernel_size, channels, depth_multiplier), Glorot-uniform; bias, zeros. State: none.
    Raises: ValueError for numbers below 1, and for images smaller than the kernel with "valid".
    Source: Howard et al. 2017 (MobileNets); Chollet 2017. As keras.layers.DepthwiseConv2D.
    """

    axes = ("height", "width")


class _Separable(Convolving):
    """What separable convolutions over any number of axes have in common."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Any = 1
    depth_multiplier: int = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    pointwise_constraint: Any = None
    bias_constraint: Any = None

    def weight_shapes(self, x):
        sizes, channels, each = self.per_axis("kernel_size"), self.channels(x), self.depth_multiplier
        ones = (1,) * len(sizes)
        return {"depthwise_kernel": (*sizes, channels, each), "pointwise_kernel": (*ones, channels * each, self.filters),
                "bias": (self.filters,)}

    def convolved(self, params, x):
        y = depthwise_conv(x, params["depthwise_kernel"], None, *self.walk)
        return conv(y, params["pointwise_kernel"], params.get("bias"))


class SeparableConv1D(_Separable):
    """Slides a kernel of its own over every channel of sequences, then mixes the channels step by step:

    y[t] = activation(depthwise[t] @ pointwise + bias), where depthwise is what DepthwiseConv1D gives.

    Shapes: x (batch, steps, channels) -> y (batch, steps', filters); with data_format="channels_first" the channels and
        filters stand second. steps' and padding as in Conv1D.
    Params: depthwise_kernel (kernel_size, channels, depth_multiplier) and pointwise_kernel
        (1, channels depth_multiplier, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, and for sequences shorter than the kernel with "valid".
    Gradients: in reverse mode alone, as in the layers of more axes; jax.jvp, jax.jacfwd and jax.hessian raise TypeError.
    Source: Chollet 2017 (Xception). As keras.layers.SeparableConv1D, which has no padding "causal" in Keras 3.
    """

    axes = ("steps",)
    paddings = ("valid", "same", "causal")
    shape_in_words = staticmethod(sequence_in_words)


class SeparableConv2D(_Separable):
    """Slides a kernel of its own over every channel of images, then mixes the channels place by place:

    y[i, j] = activation(depthwise[i, j] @ pointwise + bias), where depthwise is what DepthwiseConv2D gives.

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', filters); with data_format="channels_first"
        the channels and filters stand second. height' and width' as in Conv2D; strides and dilation_rate may differ by axis.
    Params: depthwise_kernel (*kernel_size, channels, depth_multiplier) and pointwise_kernel
        (1, 1, channels depth_multiplier, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, and for images smaller than the kernel with "valid".
    Source: Chollet 2017 (Xception). As keras.layers.SeparableConv2D.
    """

    axes = ("height", "width")


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D       # the names Keras has kept beside them
