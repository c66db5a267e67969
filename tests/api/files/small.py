"""What the tests of files share: small models, and Keras's twins of them out of a file."""

import warnings
from functools import cache

import jax
import jax.numpy as jnp
import keras
import numpy as np
from reliability.rebuilding import parts as parts, with_config as with_config, with_weights as with_weights, zipped as zipped

from jaxseq.layers import LSTM, BatchNormalization, Dense, Dropout, Embedding
from jaxseq.models import Sequential

DRAW = np.random.Generator(np.random.Philox(11))
X = DRAW.normal(size=(12, 4)).astype("float32")
Y = DRAW.integers(0, 3, 12)
IDS = DRAW.integers(0, 7, (12, 5))


def perceptron(seed=0, optimizer="adam", units=6) -> Sequential:
    """A compiled classifier of X with moving statistics, on its first day. The same words give the same object."""
    model, start = _made(seed, optimizer, units)
    for each in model, *model.layers:
        each.trainable = True
    model.train_state = start
    return model


@cache
def _made(seed, optimizer, units):
    rows = [Dense(units, activation="relu", input_shape=(4,)), BatchNormalization(), Dense(3, activation="softmax")]
    model = Sequential(rows, seed=seed)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, model.train_state


def reader(seed=0) -> Sequential:
    """A built, not compiled reader of IDS."""
    model = Sequential([Embedding(7, 3, mask_zero=True, input_length=5), LSTM(4, return_sequences=True), Dropout(0.5), LSTM(2)],
                       seed=seed)
    model.build()
    return model


def gives(model, x):
    """What a model of either library makes of x, as one program that is quickly compiled."""
    if isinstance(model, Sequential):
        _, apply = model.functional()
        run, held = (lambda params, state, x: apply(params, state, x)[0]), (model.params, model.state)
    else:
        run = lambda trained, other, x: model.stateless_call(trained, other, x, training=False)[0]
        held = tuple([each.value for each in kind] for kind in (model.trainable_variables, model.non_trainable_variables))
    return np.asarray(jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})(*held, jnp.asarray(x)))


def in_keras(path, **how):
    """The model as Keras opens it, without its remarks on what it does not find."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras.models.load_model(path, **how)
