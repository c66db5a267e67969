"""The other layers for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core import activations
from jaxseq.core.layer import Layer
from jaxseq.core.layers.activation import Activation
from jaxseq.core.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from jaxseq.core.layers.einsum_dense import EinsumDense
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.functions import ActivityRegularization, Lambda
from jaxseq.core.layers.identity import Identity
from jaxseq.core.layers.input import InputLayer
from jaxseq.core.layers.layer_normalization import GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization
from jaxseq.core.layers.masking import Masking
from jaxseq.core.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from jaxseq.core.layers.scaling import Normalization, Rescaling
from jaxseq.core.layers.spectral_normalization import SpectralNormalization

ROWS, SEQUENCE, IMAGE, VOLUME = (4, 3), (2, 4, 3), (2, 3, 4, 5), (2, 2, 3, 2, 4)

CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("dense", Dense(2), ROWS, "float32"),
    ("dense_sequence_softmax", Dense(3, activation="softmax"), SEQUENCE, "float32"),
    ("dense_no_bias", Dense(2, activation="tanh", use_bias=False), ROWS, "float32"),
    ("dense_regularized", Dense(2, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2",
                                kernel_constraint="max_norm", bias_constraint="non_neg"), ROWS, "float32"),
    ("einsum_dense", EinsumDense("abc,cd->abd", (None, 2), "tanh", "d"), SEQUENCE, "float32"),
    ("einsum_dense_dots", EinsumDense("...x,xy->...y", 2, kernel_regularizer="l2"), SEQUENCE, "float32"),
    ("einsum_dense_heads", EinsumDense("ab...,bcd->acd...", (2, 3), bias_axes="cd"), SEQUENCE, "float32"),
    ("spectral_normalization", SpectralNormalization(Dense(2, activation="tanh"), 60), ROWS, "float32"),
    ("activation", Activation("sigmoid"), SEQUENCE, "float32"),
    ("activation_softmax", Activation("softmax"), ROWS, "float32"),
    ("identity", Identity(), SEQUENCE, "float32"),
    ("input", InputLayer(batch_input_shape=(None, 3)), ROWS, "float32"),
    ("flatten", Flatten(), IMAGE, "float32"),
    ("flatten_one_axis", Flatten(), ROWS, "float32"),
    ("flatten_channels_first", Flatten(data_format="channels_first"), IMAGE, "float32"),
    ("reshape", Reshape((6, 2)), SEQUENCE, "float32"),
    ("reshape_rest", Reshape((5, -1, 3)), IMAGE, "float32"),
    ("dropout", Dropout(0.5), SEQUENCE, "float32"),
    ("dropout_whole_steps", Dropout(0.3, noise_shape=(None, 4, 1), seed=1), SEQUENCE, "float32"),
    ("dropout_nothing", Dropout(0.0), ROWS, "float32"),
    ("dropout_channels1d", SpatialDropout1D(0.5), SEQUENCE, "float32"),
    ("dropout_channels2d", SpatialDropout2D(0.5, "channels_first", seed=3), IMAGE, "float32"),
    ("dropout_channels3d", SpatialDropout3D(0.5), VOLUME, "float32"),
    ("gaussian_noise", GaussianNoise(0.1), SEQUENCE, "float32"),
    ("gaussian_dropout", GaussianDropout(0.2, seed=1), ROWS, "float32"),
    ("alpha_dropout", AlphaDropout(0.3), SEQUENCE, "float32"),
    ("permute", Permute((3, 1, 2)), IMAGE, "float32"),
    ("repeat_vector", RepeatVector(3), ROWS, "float32"),
    ("lambda", Lambda(activations.softsign), ROWS, "float32"),
    ("activity_regularization", ActivityRegularization(0.1, 0.2), ROWS, "float32"),
    ("relu", ReLU(1.5, 0.1), ROWS, "float32"),
    ("leaky_relu", LeakyReLU(0.2), SEQUENCE, "float32"),
    ("prelu", PReLU("random_normal", "l2", "non_neg", shared_axes=(1,)), SEQUENCE, "float32"),
    ("elu", ELU(0.5), ROWS, "float32"),
    ("thresholded_relu", ThresholdedReLU(0.5), ROWS, "float32"),
    ("softmax", Softmax(axis=1), SEQUENCE, "float32"),
    ("layer_normalization", LayerNormalization(), SEQUENCE, "float32"),
    ("layer_normalization_axes", LayerNormalization((1, 2), gamma_regularizer="l2", beta_constraint="non_neg"), IMAGE,
     "float32"),
    ("group_normalization", GroupNormalization(5), IMAGE, "float32"),
    ("group_normalization_first", GroupNormalization(3, axis=1, center=False), IMAGE, "float32"),
    ("rms_normalization", RMSNormalization(), SEQUENCE, "float32"),
    ("unit_normalization", UnitNormalization(1), SEQUENCE, "float32"),
    ("rescaling", Rescaling((1, 2, 3), -1.0), ROWS, "float32"),
    ("normalization", Normalization(-1, (1, 2, 3), (4, 5, 6)), ROWS, "float32"),
    ("embedding", Embedding(5, 3), (2, 4), "int32"),
    ("embedding_masking", Embedding(4, 2, mask_zero=True, input_length=4), (3, 4), "int32"),
    ("embedding_regularized", Embedding(4, 2, embeddings_regularizer="l2", activity_regularizer="l1",
                                        embeddings_constraint="unit_norm"), (3, 4), "int32"),
    ("embedding_two_axes", Embedding(4, 2), (2, 3, 2), "int32"),
    ("masking", Masking(), SEQUENCE, "float32"),
    ("masking_value", Masking(mask_value=-1.0), SEQUENCE, "float32"),
    ("batch_normalization", BatchNormalization(), ROWS, "float32"),
    ("batch_normalization_sequence", BatchNormalization(momentum=0.5, epsilon=1e-2), SEQUENCE, "float32"),
    ("batch_normalization_image", BatchNormalization(scale=False), IMAGE, "float32"),
    ("batch_normalization_channels_first", BatchNormalization(axis=1, center=False), IMAGE, "float32"),
    ("batch_normalization_frozen", BatchNormalization(trainable=False, gamma_regularizer="l2", beta_regularizer="l1",
                                                      gamma_constraint="non_neg", beta_constraint="max_norm",
                                                      moving_mean_initializer="random_normal"), ROWS, "float32"),
]
