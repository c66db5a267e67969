"""Every layer, one line each. A new layer is one file and one line here."""

from jaxseq.core.layers.activation import Activation as Activation
from jaxseq.core.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D as AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D as AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D as AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D as AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D as AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D as AdaptiveMaxPooling3D,
)
from jaxseq.core.layers.advanced_activations import (
    ELU as ELU,
    LeakyReLU as LeakyReLU,
    PReLU as PReLU,
    ReLU as ReLU,
    Softmax as Softmax,
    ThresholdedReLU as ThresholdedReLU,
)
from jaxseq.core.layers.borders import (
    Cropping1D as Cropping1D,
    Cropping2D as Cropping2D,
    Cropping3D as Cropping3D,
    ZeroPadding1D as ZeroPadding1D,
    ZeroPadding2D as ZeroPadding2D,
    ZeroPadding3D as ZeroPadding3D,
)
from jaxseq.core.layers.cells import (
    GRUCell as GRUCell,
    LSTMCell as LSTMCell,
    SimpleRNNCell as SimpleRNNCell,
    StackedRNNCells as StackedRNNCells,
)
from jaxseq.core.layers.conv_lstm import ConvLSTM1D as ConvLSTM1D, ConvLSTM2D as ConvLSTM2D, ConvLSTM3D as ConvLSTM3D
from jaxseq.core.layers.convolution import (
    Conv1D as Conv1D,
    Conv2D as Conv2D,
    Conv3D as Conv3D,
    Convolution1D as Convolution1D,
    Convolution2D as Convolution2D,
    Convolution3D as Convolution3D,
)
from jaxseq.core.layers.dense import Dense as Dense
from jaxseq.core.layers.dropout import (
    Dropout as Dropout,
    SpatialDropout1D as SpatialDropout1D,
    SpatialDropout2D as SpatialDropout2D,
    SpatialDropout3D as SpatialDropout3D,
)
from jaxseq.core.layers.einsum_dense import EinsumDense as EinsumDense
from jaxseq.core.layers.embedding import Embedding as Embedding
from jaxseq.core.layers.functions import ActivityRegularization as ActivityRegularization, Lambda as Lambda
from jaxseq.core.layers.identity import Identity as Identity
from jaxseq.core.layers.image_crops import CenterCrop as CenterCrop, RandomCrop as RandomCrop
from jaxseq.core.layers.input import Input as Input, InputLayer as InputLayer
from jaxseq.core.layers.layer_normalization import (
    GroupNormalization as GroupNormalization,
    LayerNormalization as LayerNormalization,
    RMSNormalization as RMSNormalization,
    UnitNormalization as UnitNormalization,
)
from jaxseq.core.layers.locally_connected import (
    LocallyConnected1D as LocallyConnected1D,
    LocallyConnected2D as LocallyConnected2D,
)
from jaxseq.core.layers.masking import Masking as Masking
from jaxseq.core.layers.noise import (
    AlphaDropout as AlphaDropout,
    GaussianDropout as GaussianDropout,
    GaussianNoise as GaussianNoise,
)
from jaxseq.core.layers.normalization import BatchNormalization as BatchNormalization
from jaxseq.core.layers.pooling import (
    AveragePooling1D as AveragePooling1D,
    AveragePooling2D as AveragePooling2D,
    AveragePooling3D as AveragePooling3D,
    AvgPool1D as AvgPool1D,
    AvgPool2D as AvgPool2D,
    AvgPool3D as AvgPool3D,
    GlobalAveragePooling1D as GlobalAveragePooling1D,
    GlobalAveragePooling2D as GlobalAveragePooling2D,
    GlobalAveragePooling3D as GlobalAveragePooling3D,
    GlobalAvgPool1D as GlobalAvgPool1D,
    GlobalAvgPool2D as GlobalAvgPool2D,
    GlobalAvgPool3D as GlobalAvgPool3D,
    GlobalMaxPool1D as GlobalMaxPool1D,
    GlobalMaxPool2D as GlobalMaxPool2D,
    GlobalMaxPool3D as GlobalMaxPool3D,
    GlobalMaxPooling1D as GlobalMaxPooling1D,
    GlobalMaxPooling2D as GlobalMaxPooling2D,
    GlobalMaxPooling3D as GlobalMaxPooling3D,
    MaxPool1D as MaxPool1D,
    MaxPool2D as MaxPool2D,
    MaxPool3D as MaxPool3D,
    MaxPooling1D as MaxPooling1D,
    MaxPooling2D as MaxPooling2D,
    MaxPooling3D as MaxPooling3D,
)
from jaxseq.core.layers.random_colors import (
    RandomBrightness as RandomBrightness,
    RandomColorDegeneration as RandomColorDegeneration,
    RandomColorJitter as RandomColorJitter,
    RandomContrast as RandomContrast,
    RandomHue as RandomHue,
    RandomSaturation as RandomSaturation,
)
from jaxseq.core.layers.random_effects import (
    RandomGrayscale as RandomGrayscale,
    RandomInvert as RandomInvert,
    RandomSharpness as RandomSharpness,
    Solarization as Solarization,
)
from jaxseq.core.layers.random_geometry import (
    RandomFlip as RandomFlip,
    RandomRotation as RandomRotation,
    RandomShear as RandomShear,
    RandomTranslation as RandomTranslation,
    RandomZoom as RandomZoom,
)
from jaxseq.core.layers.recurrent import (
    GRU as GRU,
    LSTM as LSTM,
    RNN as RNN,
    CuDNNGRU as CuDNNGRU,
    CuDNNLSTM as CuDNNLSTM,
    SimpleRNN as SimpleRNN,
)
from jaxseq.core.layers.reshaping import (
    Flatten as Flatten,
    Permute as Permute,
    RepeatVector as RepeatVector,
    Reshape as Reshape,
)
from jaxseq.core.layers.resizing import UpSampling1D as UpSampling1D, UpSampling2D as UpSampling2D, UpSampling3D as UpSampling3D
from jaxseq.core.layers.scaling import Normalization as Normalization, Rescaling as Rescaling
from jaxseq.core.layers.separable import (
    DepthwiseConv1D as DepthwiseConv1D,
    DepthwiseConv2D as DepthwiseConv2D,
    SeparableConv1D as SeparableConv1D,
    SeparableConv2D as SeparableConv2D,
    SeparableConvolution1D as SeparableConvolution1D,
    SeparableConvolution2D as SeparableConvolution2D,
)
from jaxseq.core.layers.spectral_normalization import SpectralNormalization as SpectralNormalization
from jaxseq.core.layers.transposed import (
    Conv1DTranspose as Conv1DTranspose,
    Conv2DTranspose as Conv2DTranspose,
    Conv3DTranspose as Conv3DTranspose,
    Convolution1DTranspose as Convolution1DTranspose,
    Convolution2DTranspose as Convolution2DTranspose,
    Convolution3DTranspose as Convolution3DTranspose,
)
from jaxseq.core.layers.wrappers import Bidirectional as Bidirectional, TimeDistributed as TimeDistributed
