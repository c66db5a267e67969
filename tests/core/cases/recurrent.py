"""Recurrent layers for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.recurrent import LSTM

SEQUENCE = (2, 4, 3)

CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("lstm", LSTM(3), SEQUENCE, "float32"),
    ("lstm_one_step", LSTM(2), (3, 1, 2), "float32"),
    ("lstm_sequences", LSTM(3, return_sequences=True), SEQUENCE, "float32"),
    ("lstm_backwards", LSTM(3, return_sequences=True, go_backwards=True), SEQUENCE, "float32"),
    ("lstm_stateful", LSTM(3, stateful=True), SEQUENCE, "float32"),
    ("lstm_stateful_sequences", LSTM(2, stateful=True, return_sequences=True, recurrent_activation="hard_sigmoid"), SEQUENCE,
     "float32"),
    ("lstm_other_activations", LSTM(3, activation="softsign", recurrent_activation="hard_sigmoid"), SEQUENCE, "float32"),
    ("lstm_no_bias_unrolled", LSTM(3, use_bias=False, unroll=True), SEQUENCE, "float32"),
    ("lstm_no_forget_bias", LSTM(3, unit_forget_bias=False, bias_initializer="random_normal"), SEQUENCE, "float32"),
    ("lstm_dropout", LSTM(4, dropout=0.5, seed=3), SEQUENCE, "float32"),
    ("lstm_recurrent_dropout", LSTM(4, recurrent_dropout=0.5, return_sequences=True), SEQUENCE, "float32"),
    ("lstm_both_dropouts_stateful", LSTM(4, dropout=0.3, recurrent_dropout=0.3, stateful=True), SEQUENCE, "float32"),
    ("lstm_regularized", LSTM(2, kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2",
                              activity_regularizer="l2", kernel_constraint="max_norm", recurrent_constraint="unit_norm",
                              bias_constraint="non_neg"), SEQUENCE, "float32"),
]
