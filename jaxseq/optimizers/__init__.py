"""Optimizers: `from jaxseq.optimizers import SGD`. Any Optax transformation serves as well."""

from jaxseq.core.declared import to_config
from jaxseq.core.optimizers import (
    SGD as SGD,
    Adadelta as Adadelta,
    Adafactor as Adafactor,
    Adagrad as Adagrad,
    Adam as Adam,
    Adamax as Adamax,
    AdamW as AdamW,
    Ftrl as Ftrl,
    Lamb as Lamb,
    Lion as Lion,
    LossScaleOptimizer as LossScaleOptimizer,
    Muon as Muon,
    Nadam as Nadam,
    Optimizer as Optimizer,
    RMSprop as RMSprop,
    ScheduleFreeAdamW as ScheduleFreeAdamW,
    averaged_weights as averaged_weights,
    get as get,
)
from jaxseq.optimizers import schedules as schedules

# Keras 2's second names, and the same for the others.
sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam = SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam
adamw, ftrl, lion, adafactor, lamb = AdamW, Ftrl, Lion, Adafactor, Lamb
serialize, deserialize = to_config, get
