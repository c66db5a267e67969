"""jaxseq: a Keras-style Sequential on a purely functional JAX core.

    from jaxseq.models import Sequential
    from jaxseq.layers import Dense

    model = Sequential([Dense(64, activation="relu", input_shape=(20,)), Dense(10, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=5)

`model.functional()` opens the same model as pure functions over named pytrees.
"""

from jaxseq import (
    activations as activations,
    backend as backend,
    callbacks as callbacks,
    config as config,
    constraints as constraints,
    datasets as datasets,
    distribution as distribution,
    initializers as initializers,
    layers as layers,
    losses as losses,
    metrics as metrics,
    mixed_precision as mixed_precision,
    models as models,
    optimizers as optimizers,
    plotting as plotting,
    preprocessing as preprocessing,
    regularizers as regularizers,
    saving as saving,
    utils as utils,
)
from jaxseq.api.ensemble.ensemble import Ensemble as Ensemble
from jaxseq.api.keras3 import named as __getattr__  # noqa: F401
from jaxseq.api.selfcheck import self_check as self_check
from jaxseq.layers import Input as Input
from jaxseq.mixed_precision import DTypePolicy as DTypePolicy
from jaxseq.models import Sequential as Sequential

__version__ = "0.1.0"
