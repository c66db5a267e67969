"""Every layer, one line each. A new layer is one file and one line here."""

from jaxseq.core.layers.activation import Activation as Activation
from jaxseq.core.layers.convolution import Conv1D as Conv1D, Conv2D as Conv2D
from jaxseq.core.layers.dense import Dense as Dense
from jaxseq.core.layers.dropout import Dropout as Dropout
from jaxseq.core.layers.embedding import Embedding as Embedding
from jaxseq.core.layers.identity import Identity as Identity
from jaxseq.core.layers.input import Input as Input, InputLayer as InputLayer
from jaxseq.core.layers.masking import Masking as Masking
from jaxseq.core.layers.normalization import BatchNormalization as BatchNormalization
from jaxseq.core.layers.pooling import (
    AveragePooling1D as AveragePooling1D,
    AveragePooling2D as AveragePooling2D,
    AvgPool1D as AvgPool1D,
    AvgPool2D as AvgPool2D,
    GlobalAveragePooling1D as GlobalAveragePooling1D,
    GlobalAveragePooling2D as GlobalAveragePooling2D,
    GlobalAvgPool1D as GlobalAvgPool1D,
    GlobalAvgPool2D as GlobalAvgPool2D,
    GlobalMaxPool1D as GlobalMaxPool1D,
    GlobalMaxPool2D as GlobalMaxPool2D,
    GlobalMaxPooling1D as GlobalMaxPooling1D,
    GlobalMaxPooling2D as GlobalMaxPooling2D,
    MaxPool1D as MaxPool1D,
    MaxPool2D as MaxPool2D,
    MaxPooling1D as MaxPooling1D,
    MaxPooling2D as MaxPooling2D,
)
from jaxseq.core.layers.recurrent import LSTM as LSTM
from jaxseq.core.layers.reshaping import Flatten as Flatten, Reshape as Reshape
