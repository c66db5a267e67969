"""Optimizers: `from jaxseq.optimizers import SGD`. Any Optax transformation serves as well."""

from jaxseq.core.optimizers import (
    SGD as SGD,
    Adagrad as Adagrad,
    Adam as Adam,
    Optimizer as Optimizer,
    RMSprop as RMSprop,
    get as get,
)

sgd, rmsprop, adagrad, adam = SGD, RMSprop, Adagrad, Adam       # Keras 2's second names
