"""Layers over spatial axes for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from jaxseq.core.layers.borders import Cropping1D, Cropping2D, Cropping3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from jaxseq.core.layers.convolution import Conv1D, Conv2D, Conv3D
from jaxseq.core.layers.locally_connected import LocallyConnected1D, LocallyConnected2D
from jaxseq.core.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from jaxseq.core.layers.resizing import UpSampling1D, UpSampling2D, UpSampling3D
from jaxseq.core.layers.separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from jaxseq.core.layers.transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose

SEQUENCE, IMAGE, VOLUME = (3, 7, 4), (2, 6, 5, 4), (2, 3, 4, 3, 2)

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
    *((f"adaptive_{kind.__name__}", kind(size), shape, "float32") for kind, size, shape in (
        (AdaptiveMaxPooling1D, 3, SEQUENCE), (AdaptiveMaxPooling2D, (2, 3), IMAGE), (AdaptiveMaxPooling3D, (2, 2, 1), VOLUME),
        (AdaptiveAveragePooling1D, 3, SEQUENCE), (AdaptiveAveragePooling2D, 2, IMAGE),
        (AdaptiveAveragePooling3D, (1, 2, 2), VOLUME))),
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
    ("conv3d", Conv3D(3, 2, activation="tanh"), VOLUME, "float32"),
    ("conv3d_channels_first", Conv3D(2, (1, 3, 2), strides=(1, 2, 1), padding="same", groups=2,
                                     data_format="channels_first"), (2, 2, 3, 4, 3), "float32"),
    ("conv1d_transpose", Conv1DTranspose(3, 3, strides=2, activation="relu"), SEQUENCE, "float32"),
    ("conv1d_transpose_dilation", Conv1DTranspose(3, 2, dilation_rate=2, padding="same", use_bias=False), SEQUENCE,
     "float32"),
    ("conv2d_transpose_same", Conv2DTranspose(3, (3, 2), strides=2, padding="same", output_padding=(1, 0)), IMAGE, "float32"),
    ("conv2d_transpose_channels_first", Conv2DTranspose(3, 2, strides=(1, 3), data_format="channels_first"), (2, 4, 3, 5),
     "float32"),
    ("conv2d_transpose_regularized", Conv2DTranspose(
        2, 2, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2", kernel_constraint="max_norm",
        bias_constraint="non_neg"), IMAGE, "float32"),
    ("conv3d_transpose", Conv3DTranspose(2, 2, strides=(1, 2, 1)), VOLUME, "float32"),
    ("depthwise_conv1d", DepthwiseConv1D(3, strides=2, padding="same"), SEQUENCE, "float32"),
    ("depthwise_conv1d_causal", DepthwiseConv1D(2, padding="causal", dilation_rate=3, use_bias=False), SEQUENCE, "float32"),
    ("depthwise_conv2d_multiplier", DepthwiseConv2D((2, 3), depth_multiplier=2, activation="softmax"), IMAGE, "float32"),
    ("depthwise_conv2d_channels_first", DepthwiseConv2D(
        2, strides=(2, 1), dilation_rate=(1, 2), data_format="channels_first", depthwise_regularizer="l2",
        bias_regularizer="l1", depthwise_constraint="max_norm"), (2, 4, 6, 5), "float32"),
    ("separable_conv1d", SeparableConv1D(3, 2, depth_multiplier=2, activation="relu"), SEQUENCE, "float32"),
    ("separable_conv1d_causal", SeparableConv1D(3, 2, padding="causal", use_bias=False), SEQUENCE, "float32"),
    ("separable_conv2d", SeparableConv2D(3, (3, 2), strides=2, padding="same"), IMAGE, "float32"),
    ("separable_conv2d_channels_first", SeparableConv2D(
        3, 2, dilation_rate=2, data_format="channels_first", depthwise_regularizer="l2", pointwise_regularizer="l1",
        bias_regularizer="l2", depthwise_constraint="max_norm", pointwise_constraint="unit_norm"), (2, 4, 6, 5), "float32"),
    ("locally_connected1d", LocallyConnected1D(3, 3, strides=2, activation="tanh"), SEQUENCE, "float32"),
    ("locally_connected1d_no_bias", LocallyConnected1D(2, 2, use_bias=False, implementation=2), SEQUENCE, "float32"),
    ("locally_connected2d", LocallyConnected2D(2, (3, 2), strides=(2, 1)), IMAGE, "float32"),
    ("locally_connected2d_channels_first", LocallyConnected2D(
        2, 2, data_format="channels_first", kernel_regularizer="l2", bias_regularizer="l1", kernel_constraint="max_norm",
        bias_constraint="non_neg", activity_regularizer="l1"), (2, 4, 3, 5), "float32"),
    ("max_pooling3d_same", MaxPooling3D(2, strides=(1, 3, 2), padding="same", data_format="channels_first"), VOLUME,
     "float32"),
    ("average_pooling3d_same", AveragePooling3D((2, 3, 1), padding="same"), VOLUME, "float32"),
    ("global_max_pooling3d", GlobalMaxPooling3D(), VOLUME, "float32"),
    ("global_average_pooling3d_keepdims", GlobalAveragePooling3D("channels_first", keepdims=True), VOLUME, "float32"),
    ("cropping1d", Cropping1D((2, 1)), SEQUENCE, "float32"),
    ("cropping2d", Cropping2D(((1, 0), (2, 1))), IMAGE, "float32"),
    ("cropping3d", Cropping3D((1, 1, 0)), VOLUME, "float32"),
    ("zero_padding1d", ZeroPadding1D((0, 2)), SEQUENCE, "float32"),
    ("zero_padding1d_channels_first", ZeroPadding1D(1, "channels_first"), SEQUENCE, "float32"),
    ("zero_padding2d", ZeroPadding2D((1, 2)), IMAGE, "float32"),
    ("zero_padding3d", ZeroPadding3D(((1, 0), (0, 1), (2, 2))), VOLUME, "float32"),
    ("up_sampling1d", UpSampling1D(3), SEQUENCE, "float32"),
    ("up_sampling2d", UpSampling2D((1, 3), "channels_first"), IMAGE, "float32"),
    ("up_sampling2d_bilinear", UpSampling2D((3, 2), interpolation="bilinear"), IMAGE, "float32"),
    ("up_sampling3d", UpSampling3D((2, 1, 3)), VOLUME, "float32"),
]
