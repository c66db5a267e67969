"""The names of Keras 2's `K` that are not here, and what to write in their place."""

from __future__ import annotations

from typing import NoReturn

_CONVOLUTION = "jax.lax.conv_general_dilated, or the layer {}"
_RESIZED = "jax.image.resize, or the layer {}"
_SESSION = "nothing in its place: there is no session"
_ASSIGNED = "self.count.{}(value) in the call of a layer, of a weight with trainable=False"

INSTEAD = {
    "batch_normalization": "the layer BatchNormalization", "normalize_batch_in_training": "the layer BatchNormalization",
    "bias_add": "x + bias", "identity": "x", "slice": "jax.lax.dynamic_slice(x, start, size)",
    "conv1d": _CONVOLUTION.format("Conv1D"), "conv2d": _CONVOLUTION.format("Conv2D"), "conv3d": _CONVOLUTION.format("Conv3D"),
    "conv2d_transpose": "jax.lax.conv_transpose, or the layer Conv2DTranspose",
    "depthwise_conv2d": _CONVOLUTION.format("DepthwiseConv2D"), "separable_conv2d": _CONVOLUTION.format("SeparableConv2D"),
    "pool2d": "jax.lax.reduce_window, or the layer MaxPooling2D or AveragePooling2D",
    "pool3d": "jax.lax.reduce_window, or the layer MaxPooling3D or AveragePooling3D",
    "resize_images": _RESIZED.format("UpSampling2D"), "resize_volumes": _RESIZED.format("UpSampling3D"),
    "map_fn": "jax.vmap(f)(x), or jax.lax.map(f, x)", "foldl": "jax.lax.scan", "foldr": "jax.lax.scan with reverse=True",
    "rnn": "jax.lax.scan, or the layer RNN with a cell", "ctc_batch_cost": "jaxseq.losses.ctc(y_true, logits)",
    "placeholder": "Input(shape=...) at the front of a Sequential: functions here take arrays",
    "print_tensor": "jax.debug.print('{}', x)", "name_scope": "jax.named_scope(name)",
    "get_session": _SESSION, "set_session": _SESSION,
    "update_add": _ASSIGNED.format("assign_add"), "update_sub": _ASSIGNED.format("assign_sub"),
    "moving_average_update": _ASSIGNED.format("assign"),
    "image_dim_ordering": "K.image_data_format()", "set_image_dim_ordering": "K.set_image_data_format('channels_last')",
}


def named(name: str) -> NoReturn:
    """AttributeError that says what to write instead of K.<name>."""
    instead = INSTEAD.get(name, "jax.numpy, jax.lax or a layer; dir(jaxseq.backend) lists what there is")
    raise AttributeError(f"module 'jaxseq.backend' has no attribute {name!r}. Write {instead}.")
