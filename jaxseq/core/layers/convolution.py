"""Conv1D, Conv2D and Conv3D: a learned kernel that slides over sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from jaxseq.core.kernels.conv import conv
from jaxseq.core.layer import sequence_in_words
from jaxseq.core.require import require
from jaxseq.core.spatial import Convolving


class _Convolution(Convolving):
    """What convolutions over any number of axes have in common."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Any = 1
    groups: int = 1
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
        require(self.filters % self.groups == 0, f"{self._class}(filters={self.filters}, groups={self.groups}): the "
                f"filters are cut into groups of one size. Write filters as a multiple of {self.groups}.")
        self.refuse_both()

    def weight_shapes(self, x):
        kernel = (*self.per_axis("kernel_size"), self.channels(x) // self.groups, self.filters)
        return {"kernel": kernel, "bias": (self.filters,)}

    def convolved(self, params, x):
        return conv(x, params["kernel"], params.get("bias"), *self.walk, self.groups)

    def require_fit(self, x):
        super().require_fit(x)
        channels = self.channels(x)
        require(channels % self.groups == 0, f"{self._class}(groups={self.groups}) cuts the channels into groups of "
                f"one size, got x {x.shape} with {channels} channels. Write groups as a divisor of {channels}.")


class Conv1D(_Convolution):
    """Slides a learned kernel over sequences: y[t] = activation(sum_k x[t s + k d] @ kernel[k] + bias).

    Shapes: x (batch, steps, channels) -> y (batch, steps', filters); with data_format="channels_first" the channels and
        filters stand second. s is strides, d dilation_rate.
        steps' = ceil((steps - d (kernel_size - 1)) / s) with padding "valid", and ceil(steps / s) with "same" and with
        "causal", where y[t] sees nothing after x[t s].
    Params: kernel (kernel_size, channels / groups, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, for filters or channels that groups does not divide, for strides and
        dilation_rate both above 1, and for sequences shorter than the kernel with "valid".
    Gradients: in reverse mode alone, as in the layers of more axes; jax.jvp, jax.jacfwd and jax.hessian raise TypeError.
    Source: Dumoulin & Visin 2016; causal: van den Oord et al. 2016 (WaveNet). As keras.layers.Conv1D; a mask ends here
        without a word (Keras 2 raises, Keras 3 warns), and masked steps are convolved like the others.
    """

    axes = ("steps",)
    paddings = ("valid", "same", "causal")
    shape_in_words = staticmethod(sequence_in_words)


class Conv2D(_Convolution):
    """Slides a learned kernel over images:

    y[i, j] = activation(sum_{k, l} x[i s + k d, j s + l d] @ kernel[k, l] + bias).

    Shapes: x (batch, height, width, channels) -> y (batch, height', width', filters); with data_format="channels_first"
        the channels and filters stand second. s is strides, d dilation_rate; each may differ by axis.
        height' = ceil((height - d (kernel_size - 1)) / s) with padding "valid", ceil(height / s) with "same".
    Params: kernel (*kernel_size, channels / groups, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, for filters or channels that groups does not divide, for strides and
        dilation_rate both above 1, and for images smaller than the kernel with "valid".
    Source: LeCun et al. 1998; Dumoulin & Visin 2016. As keras.layers.Conv2D.
    """

    axes = ("height", "width")


class Conv3D(_Convolution):
    """Slides a learned kernel over volumes, along each axis as Conv2D.

    Shapes: x (batch, depth, height, width, channels) -> y (batch, depth', height', width', filters); with
        data_format="channels_first" the channels and filters stand second. depth', height' and width' as in Conv2D;
        kernel_size, strides and dilation_rate may differ by axis.
    Params: kernel (*kernel_size, channels / groups, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: as Conv2D.
    Source: Ji et al. 2013; Tran et al. 2015. As keras.layers.Conv3D.
    """

    axes = ("depth", "height", "width")


# The names Keras has kept beside them.
Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
