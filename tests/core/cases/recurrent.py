"""Recurrent layers for the contract: (id, layer, batch input shape, dtype)."""

from jaxseq.core.layer import Layer
from jaxseq.core.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from jaxseq.core.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from jaxseq.core.layers.dense import Dense
from jaxseq.core.layers.dropout import Dropout
from jaxseq.core.layers.normalization import BatchNormalization
from jaxseq.core.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from jaxseq.core.layers.wrappers import Bidirectional, TimeDistributed

STEP, SEQUENCE = (2, 3), (2, 4, 3)

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
    ("simple_rnn", SimpleRNN(3), SEQUENCE, "float32"),
    ("simple_rnn_all", SimpleRNN(3, activation="softsign", return_sequences=True, go_backwards=True, stateful=True, dropout=0.3,
                                 recurrent_dropout=0.3), SEQUENCE, "float32"),
    ("gru", GRU(3), SEQUENCE, "float32"),
    ("gru_reset_before", GRU(3, reset_after=False, return_sequences=True), SEQUENCE, "float32"),
    ("gru_no_bias_unrolled", GRU(3, use_bias=False, unroll=True, recurrent_activation="hard_sigmoid"), SEQUENCE, "float32"),
    ("gru_both_dropouts_stateful", GRU(3, dropout=0.3, recurrent_dropout=0.3, stateful=True), SEQUENCE, "float32"),
    ("gru_reset_before_dropouts", GRU(3, reset_after=False, dropout=0.3, recurrent_dropout=0.3, seed=2), SEQUENCE, "float32"),
    ("gru_regularized", GRU(2, kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2",
                            activity_regularizer="l2", kernel_constraint="max_norm", recurrent_constraint="unit_norm",
                            bias_constraint="non_neg", remat=True), SEQUENCE, "float32"),
    ("simple_rnn_cell", SimpleRNNCell(3), STEP, "float32"),
    ("gru_cell", GRUCell(3, dropout=0.3), STEP, "float32"),
    ("lstm_cell", LSTMCell(3, dropout=0.3, recurrent_dropout=0.3), STEP, "float32"),
    ("stacked_rnn_cells", StackedRNNCells((SimpleRNNCell(2), LSTMCell(3))), STEP, "float32"),
    ("rnn", RNN(GRUCell(3), zero_output_for_mask=True, return_sequences=True), SEQUENCE, "float32"),
    ("rnn_of_cells_stateful", RNN([LSTMCell(3, dropout=0.3), SimpleRNNCell(2, kernel_regularizer="l2",
                                                                           kernel_constraint="non_neg")], stateful=True),
     SEQUENCE, "float32"),
    ("conv_lstm1d", ConvLSTM1D(2, 3, padding="same", return_sequences=True, go_backwards=True), (2, 3, 4, 2), "float32"),
    ("conv_lstm2d", ConvLSTM2D(2, (2, 3)), (2, 3, 4, 5, 2), "float32"),
    ("conv_lstm2d_channels_first", ConvLSTM2D(2, 2, strides=2, data_format="channels_first", return_sequences=True,
                                              stateful=True, dropout=0.3, recurrent_dropout=0.3), (2, 3, 2, 4, 5), "float32"),
    ("conv_lstm3d", ConvLSTM3D(2, 2, kernel_regularizer="l2", unit_forget_bias=False), (2, 2, 2, 3, 2, 2), "float32"),
    ("bidirectional", Bidirectional(LSTM(3)), SEQUENCE, "float32"),
    ("bidirectional_sum", Bidirectional(GRU(3, return_sequences=True, kernel_regularizer="l1", recurrent_constraint="non_neg"),
                                        merge_mode="sum"), SEQUENCE, "float32"),
    ("bidirectional_stateful", Bidirectional(SimpleRNN(2, stateful=True, dropout=0.5), merge_mode="ave",
                                             backward_layer=GRU(2, stateful=True, go_backwards=True)), SEQUENCE, "float32"),
    ("time_distributed", TimeDistributed(Dense(2, kernel_regularizer="l2", bias_constraint="non_neg",
                                               activity_regularizer="l2")), SEQUENCE, "float32"),
    ("time_distributed_dropout", TimeDistributed(Dropout(0.5)), SEQUENCE, "float32"),
    ("time_distributed_moments", TimeDistributed(BatchNormalization()), SEQUENCE, "float32"),
    ("time_distributed_nested", TimeDistributed(Bidirectional(LSTM(2), merge_mode="mul")), (2, 3, 4, 2), "float32"),
]
