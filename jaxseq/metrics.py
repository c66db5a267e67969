"""Metrics, by the names that compile(metrics=[...]) knows: `from jaxseq.metrics import categorical_accuracy`."""

from jaxseq.core.metrics import (
    Metric as Metric,
    binary_accuracy as binary_accuracy,
    categorical_accuracy as categorical_accuracy,
    get as get,
    mean as mean,
    sparse_categorical_accuracy as sparse_categorical_accuracy,
)
from jaxseq.losses import (
    MAE as MAE,
    MSE as MSE,
    binary_crossentropy as binary_crossentropy,
    categorical_crossentropy as categorical_crossentropy,
    mae as mae,
    mean_absolute_error as mean_absolute_error,
    mean_squared_error as mean_squared_error,
    mse as mse,
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)
