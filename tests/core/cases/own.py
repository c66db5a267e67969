"""Layers in Keras's way, as a user writes them, for the contract: (id, layer, batch input shape, dtype)."""

import jax
import jax.numpy as jnp

from jaxseq.core import keras_style
from jaxseq.core.layer import Layer
from jaxseq.core.layers import BatchNormalization, Dense, Dropout

assert keras_style.KerasStyle       # who defines call finds it under the class


class Gated(Layer):
    """Weights of both kinds, and everything that add_weight may be told."""

    def __init__(self, units=2, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation = units, activation

    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1], self.units), regularizer="l2", constraint="non_neg")
        self.mean = self.add_weight(shape=(input_shape[-1],), trainable=False, initializer="zeros", name="mean")

    def call(self, x, training=None):
        if training:
            self.mean.assign(self.mean * 0.9 + jnp.mean(x.astype(self.mean.dtype), axis=0) * 0.1)
        y = (x - self.mean.astype(x.dtype)) @ self.w
        return jnp.tanh(y) if self.activation == "tanh" else y


class Stack(Layer):
    """Layers within, a loss, and draws."""

    def __init__(self, units=3, **kwargs):
        super().__init__(activity_regularizer="l2", **kwargs)
        self.inner = [Dense(units, activation="tanh", kernel_constraint="max_norm"), BatchNormalization(), Gated(units)]
        self.drop = Dropout(0.5)

    def call(self, x, training=None, mask=None):
        for layer in self.inner:
            x = layer(x)
        if training:
            x = x * (1 + jax.random.bernoulli(self.draw_key(), 0.5, x.shape).astype(x.dtype))
        self.add_loss(jnp.mean(x))
        return self.drop(x)


CASES: list[tuple[str, Layer, tuple[int, ...], str]] = [
    ("own_weights_and_state", Gated(3, activation="tanh"), (4, 3), "float32"),
    ("own_parts_and_draws", Stack(2), (4, 3), "float32"),
]
