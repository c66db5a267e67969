"""Losses, by the names that compile(loss=...) knows: `from jaxseq.losses import mse`."""

from jaxseq.core.losses import (
    binary_crossentropy as binary_crossentropy,
    categorical_crossentropy as categorical_crossentropy,
    get as get,
    mean_absolute_error as mean_absolute_error,
    mean_squared_error as mean_squared_error,
    sparse_categorical_crossentropy as sparse_categorical_crossentropy,
)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
