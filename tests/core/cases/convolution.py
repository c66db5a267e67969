"""Convolution and pooling layers for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.convolution import Conv1D, Conv2D
from jaxseq.core.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)

SEQUENCE, IMAGE = (3, 7, 4), (2, 6, 5, 4)

CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("conv1d", Conv1D(3, 2), SEQUENCE, "float32"),
    ("conv1d_same_strides", Conv1D(3, 3, strides=2, padding="same", activation="relu"), SEQUENCE, "float32"),
    ("conv1d_causal_dilation", Conv1D(3, 2, padding="causal", dilation_rate=2, use_bias=False), SEQUENCE, "float32"),
    ("conv1d_channels_first", Conv1D(2, 3, data_format="channels_first", groups=2), (3, 4, 7), "float32"),
    ("conv1d_regularized", Conv1D(2, 1, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2",
                                  kernel_constraint="max_norm"), SEQUENCE, "float32"),
    ("conv2d", Conv2D(3, 3, activation="tanh"), IMAGE, "float32"),
    ("conv2d_same_strides", Conv2D(3, (3, 2), strides=(2, 1), padding="same"), IMAGE, "float32"),
    ("conv2d_dilation", Conv2D(3, 2, dilation_rate=(3, 2)), IMAGE, "float32"),
    ("conv2d_groups", Conv2D(6, 2, groups=2, activation="softmax"), IMAGE, "float32"),
    ("conv2d_channels_first", Conv2D(3, 2, data_format="channels_first"), (2, 4, 6, 5), "float32"),
    ("max_pooling1d", MaxPooling1D(), SEQUENCE, "float32"),
    ("max_pooling1d_overlapping", MaxPooling1D(3, 2, padding="same"), SEQUENCE, "float32"),
    ("max_pooling1d_channels_first", MaxPooling1D(2, data_format="channels_first"), (3, 4, 7), "float32"),
    ("max_pooling2d", MaxPooling2D(), IMAGE, "float32"),
    ("max_pooling2d_uneven", MaxPooling2D((3, 2), strides=(2, 3)), IMAGE, "float32"),
    ("average_pooling1d", AveragePooling1D(), SEQUENCE, "float32"),
    ("average_pooling1d_same", AveragePooling1D(3, 2, "same"), SEQUENCE, "float32"),
    ("average_pooling2d", AveragePooling2D(), IMAGE, "float32"),
    ("average_pooling2d_same", AveragePooling2D((3, 2), (2, 1), "same"), IMAGE, "float32"),
    ("average_pooling2d_channels_first", AveragePooling2D(2, data_format="channels_first"), (2, 4, 6, 5), "float32"),
    ("global_max_pooling1d", GlobalMaxPooling1D(), SEQUENCE, "float32"),
    ("global_max_pooling2d_keepdims", GlobalMaxPooling2D(keepdims=True), IMAGE, "float32"),
    ("global_average_pooling1d", GlobalAveragePooling1D(), SEQUENCE, "float32"),
    ("global_average_pooling1d_channels_first", GlobalAveragePooling1D("channels_first"), (3, 4, 7), "float32"),
    ("global_average_pooling2d", GlobalAveragePooling2D(), IMAGE, "float32"),
]
