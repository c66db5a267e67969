"""Conv1D and Conv2D: a learned kernel that slides over sequences and images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jaxseq.core import activations
from jaxseq.core.kernels.conv import conv
from jaxseq.core.kernels.window import require_room
from jaxseq.core.layer import Layer, sequence_in_words
from jaxseq.core.require import positive_int, require
from jaxseq.core.spatial import Spatial
from jaxseq.core.types import Array, Spec


class _Convolution(Spatial):
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
        for argument in "filters", "groups":
            positive_int(f"{self._class}: {argument}", getattr(self, argument))
        require(self.filters % self.groups == 0, f"{self._class}(filters={self.filters}, groups={self.groups}): the "
                f"filters are cut into groups of one size. Write filters as a multiple of {self.groups}.")
        both = max(self.per_axis("strides")) > 1 and max(self.per_axis("dilation_rate")) > 1
        require(not both, f"{self._class}(strides={self.strides!r}, dilation_rate={self.dilation_rate!r}): write "
                "strides=1 or dilation_rate=1. With both above 1 the kernel would pass over inputs.")

    def init(self, key, x):
        self._require_fit(x)
        kernel = (*self.per_axis("kernel_size"), self.channels(x) // self.groups, self.filters)
        return self.draw(key, {"kernel": kernel, "bias": (self.filters,)} if self.use_bias else {"kernel": kernel}), {}

    def apply(self, params, state, x, ctx):
        self._require_fit(x)
        strides, dilation = self.per_axis("strides"), self.per_axis("dilation_rate")
        y = conv(self.channels_last(x), params["kernel"], params.get("bias"), strides, self.padding, dilation, self.groups)
        return activations.get(self.activation)(self.as_it_came(y)), state

    def without_activation(self) -> tuple[Layer, Callable] | None:
        if self.activity_regularizer is not None:
            return None                                                 # it looks at what the activation gives
        return replace(self, activation=None), activations.get(self.activation)

    def _require_fit(self, x: Array | Spec) -> None:
        lengths, channels = self.lengths(x), self.channels(x)
        require(channels % self.groups == 0, f"{self._class}(groups={self.groups}) cuts the channels into groups of "
                f"one size, got x {x.shape} with {channels} channels. Write groups as a divisor of {channels}.")
        size, dilation = self.per_axis("kernel_size"), self.per_axis("dilation_rate")
        require_room(repr(self), x.shape, self.axes, lengths, size, self.padding, dilation)


class Conv1D(_Convolution):
    """Slides a learned kernel over sequences: y[t] = activation(sum_k x[t s + k d] @ kernel[k] + bias).

    Shapes: x (batch, steps, channels) -> y (batch, steps', filters); with data_format="channels_first" the channels and
        filters stand second. s is strides, d dilation_rate.
        steps' = ceil((steps - d (kernel_size - 1)) / s) with padding "valid", and ceil(steps / s) with "same" and with
        "causal", where y[t] sees nothing after x[t s].
    Params: kernel (kernel_size, channels / groups, filters), Glorot-uniform; bias (filters,), zeros. State: none.
    Raises: ValueError for numbers below 1, for filters or channels that groups does not divide, for strides and
        dilation_rate both above 1, and for sequences shorter than the kernel with "valid".
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


Convolution1D, Convolution2D = Conv1D, Conv2D       # the names Keras has kept beside them
