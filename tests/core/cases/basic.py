"""The other layers for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.activation import Activation
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.layers.embedding import Embedding
from jaxseq.core.layers.identity import Identity
from jaxseq.core.layers.input import InputLayer
from jaxseq.core.layers.masking import Masking
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.layers.reshaping import Flatten, Reshape

ROWS, SEQUENCE, IMAGE = (4, 3), (2, 4, 3), (2, 3, 4, 5)

CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("dense", Dense(2), ROWS, "float32"),
    ("dense_sequence_softmax", Dense(3, activation="softmax"), SEQUENCE, "float32"),
    ("dense_no_bias", Dense(2, activation="tanh", use_bias=False), ROWS, "float32"),
    ("dense_regularized", Dense(2, kernel_regularizer="l2", bias_regularizer="l1", activity_regularizer="l2",
                                kernel_constraint="max_norm", bias_constraint="non_neg"), ROWS, "float32"),
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
