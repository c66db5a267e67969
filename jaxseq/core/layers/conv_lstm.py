"""ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: LSTMs over sequences of images, with convolutions for products."""

from __future__ import annotations

from dataclasses import field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxseq.core import activations
from jaxseq.core.kernels.conv import conv
from jaxseq.core.kernels.recurrence import lstm_cell, over_time
from jaxseq.core.layers.cells import Weighted, with_forget_bias
from jaxseq.core.layers.recurrent import Sequences
from jaxseq.core.precision import widened
from jaxseq.core.require import positive_int, require
from jaxseq.core.spatial import Windowed
from jaxseq.core.types import Array, Ctx, Params, Spec


class _Fields(Windowed):
    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Any = 1
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"


class _ConvLSTM(Sequences, Weighted, _Fields):    # pyright: ignore[reportIncompatibleMethodOverride]  # a mask goes on
    """The LSTM over any number of spatial axes."""

    unit_forget_bias: bool = field(default=True, kw_only=True)

    gates = 4
    carries = "h", "c"

    def __post_init__(self):
        positive_int(f"{self._class}(filters)", self.filters)
        Sequences.__post_init__(self)
        Windowed.__post_init__(self)
        self.per_axis("kernel_size")
        self.refuse_both()

    def require_sequence(self, x):
        order = ("channels", *self.axes) if self._first else (*self.axes, "channels")
        require(len(x.shape) == 2 + len(order), f"{self._class} needs x (batch, time, {', '.join(order)}), got {x.shape}.")

    def shapes(self, x):
        size, width = self.per_axis("kernel_size"), 4 * self.filters
        self.require_room(x, size, self.per_axis("dilation_rate"))
        return {"kernel": (*size, self.channels(x), width), "recurrent_kernel": (*size, self.filters, width),
                "bias": (width,)}

    def units_of(self, x):
        kernel = Spec(self.shapes(x)["kernel"], jnp.float32)
        z = jax.eval_shape(lambda x, kernel: self._input_conv(x, kernel, None), Spec(x.shape, jnp.float32), kernel)
        return (*z.shape[1:-1], self.filters)

    def draw_weights(self, key, x):
        params = super().draw_weights(key, x)
        return with_forget_bias(params) if self.use_bias and self.unit_forget_bias else params

    def first_output(self, params, carry, x, ctx):
        return self.as_it_came(carry["h"])

    def read(self, params, now, x, mask, ctx, unroll):
        """One convolution for all steps of x, then one of h in each step. h and c have their channels last."""
        _, carry = now
        cell = lstm_cell(self._recurrent_conv(params, carry["h"], ctx), activations.get(self.activation),
                         activations.get(self.recurrent_activation))
        z = self._projected(params, self.input_dropped(x, ctx))
        outputs, (h, c) = over_time(cell, (carry["h"], carry["c"]), z, mask, unroll=unroll)
        return jax.vmap(self.as_it_came)(outputs), (self.as_it_came(h), {"h": h, "c": c})

    def _projected(self, params: Params, x: Array) -> Array:
        """z of all steps: (batch, time, *lengths', 4 * filters)."""
        images = x.swapaxes(0, 1).reshape(-1, *x.shape[2:])             # in the order of time, in which the loop reads them
        z = widened(self._input_conv(images, params["kernel"], params.get("bias")))
        return z.reshape(x.shape[1], x.shape[0], *z.shape[1:]).swapaxes(0, 1)

    def _input_conv(self, images: Array, kernel: Array, bias: Array | None) -> Array:
        return conv(self.channels_last(images), kernel, bias, self.per_axis("strides"), self.padding,
                    self.per_axis("dilation_rate"))

    def _recurrent_conv(self, params: Params, h: Array, ctx: Ctx) -> Any:
        """The function of h that stands for its product with the recurrent kernel; with recurrent dropout gate by gate."""
        kernel, kept = widened(params["recurrent_kernel"]), self.kept(h, ctx)
        if kept is None:
            return partial(conv, kernel=kernel, padding="same")

        def by_gate(h: Array) -> Array:
            gates = jnp.concatenate([h * kept[:, gate] for gate in range(4)], axis=-1)      # (batch, *lengths', 4 * filters)
            return conv(gates, kernel, padding="same", groups=4)

        return by_gate


class ConvLSTM1D(_ConvLSTM):
    """An LSTM over sequences of sequences: as ConvLSTM2D, with one spatial axis.

    Shapes: x (batch, time, steps, channels) -> h after the last time (batch, steps', filters), or with return_sequences
        after each (batch, time, steps', filters); with data_format="channels_first" channels and filters stand before steps.
    Params: kernel (kernel_size, channels, 4 * filters), recurrent_kernel (kernel_size, filters, 4 * filters),
        bias (4 * filters,). All else as in ConvLSTM2D.
    """

    axes = ("steps",)


class ConvLSTM2D(_ConvLSTM):
    """An LSTM over sequences of images, whose products are convolutions (*):

        z = x_t * kernel + bias + h * recurrent_kernel,   i, f, o = recurrent_activation(z_i, z_f, z_o)
        c <- f c + i activation(z_c),   h <- o activation(c)

    Shapes: x (batch, time, height, width, channels) -> h after the last time (batch, height', width', filters), or with
        return_sequences after each (batch, time, height', width', filters); with data_format="channels_first" channels and
        filters stand before the height. height' and width' are those of Conv2D with the same strides, padding and
        dilation_rate. The convolution of h has padding "same" and no strides. Gates stand in the order i, f, c, o.
    Params: kernel (*kernel_size, channels, 4 * filters), Glorot-uniform; recurrent_kernel (*kernel_size, filters,
        4 * filters), orthogonal; bias (4 * filters,), ones for f with unit_forget_bias, else zeros.
    State: none; if stateful, h and c (batch, height', width', filters), with their channels last whatever data_format says.
    Mask, options: as for LSTM. dropout drops single elements of the images, the same in all steps and for all gates.
    Raises: ValueError for numbers below 1, for strides and dilation_rate both above 1, for images smaller than the kernel
        with "valid"; and as for LSTM.
    Gradients: in reverse mode alone, as in the layers of more axes; jax.jvp, jax.jacfwd and jax.hessian raise TypeError.
    Source: Shi et al. 2015, without its peepholes, as keras.layers.ConvLSTM2D, which draws x four times for dropout.
    """

    axes = ("height", "width")


class ConvLSTM3D(_ConvLSTM):
    """An LSTM over sequences of volumes: as ConvLSTM2D, with three spatial axes.

    Shapes: x (batch, time, depth, height, width, channels) -> h after the last time (batch, depth', height', width',
        filters), or with return_sequences after each (batch, time, ...); with data_format="channels_first" channels and
        filters stand before the depth.
    Params: kernel (*kernel_size, channels, 4 * filters), recurrent_kernel (*kernel_size, filters, 4 * filters),
        bias (4 * filters,). All else as in ConvLSTM2D.
    """

    axes = ("depth", "height", "width")
