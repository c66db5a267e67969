"""Layers in Keras's way, each made over Keras's Layer or over ours: `linear(keras, keras.ops)`, `linear(jaxseq, Ours)`."""

import jax.numpy as jnp

from jaxseq import backend as K, layers


def linear(k, ops):
    class Linear(k.layers.Layer):
        """Weights in build, with everything that add_weight takes."""

        def __init__(self, units=2, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", regularizer="l2",
                                     constraint=k.constraints.MaxNorm(0.1), name="w")
            self.b = self.add_weight((self.units,), "zeros", name="b")
            super().build(input_shape)

        def call(self, x):
            return ops.matmul(x, self.w) + self.b

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], self.units)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Linear


def centered(k, ops):
    class Centered(k.layers.Layer):
        """A moving mean, made in the constructor, assigned in training."""

        def __init__(self, features=5, momentum=0.9, **kwargs):
            super().__init__(**kwargs)
            self.momentum = momentum
            self.mean = self.add_weight(shape=(features,), initializer="zeros", trainable=False, name="mean")
            self.scale = self.add_weight(shape=(features,), initializer="ones", name="scale")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

        def call(self, x, training=None):
            if training:
                self.mean.assign(self.mean * self.momentum + ops.mean(x, axis=0) * (1 - self.momentum))
                self.count.assign_add(1.0)
            return (x - self.mean) * self.scale

    return Centered


def costly(k, ops):
    class Costly(k.layers.Layer):
        """No weights; it adds to the loss, and has an activity regularizer."""

        def __init__(self, rate=0.1, **kwargs):
            super().__init__(activity_regularizer="l2", **kwargs)
            self.rate = rate

        def call(self, x):
            self.add_loss(self.rate * ops.mean(ops.square(x)))
            return x * 2.0

    return Costly


def block(k, ops):
    inner = linear(k, ops)

    class Block(k.layers.Layer):
        """Layers within a layer: in attributes and in a list, made in the constructor and in build."""

        def __init__(self, units=4, **kwargs):
            super().__init__(**kwargs)
            self.first = k.layers.Dense(units, activation="tanh", kernel_regularizer="l2")
            self.rest = [k.layers.Dense(units), inner(units)]
            self.norm = k.layers.BatchNormalization()

        def build(self, input_shape):
            self.last = k.layers.Dense(2)
            self.first.build(input_shape)
            shape = self.first.compute_output_shape(input_shape)
            for each in self.rest:
                each.build(shape)
                shape = each.compute_output_shape(shape)
            self.norm.build(shape)
            self.last.build(shape)

        def call(self, x, training=None):
            x = self.first(x)
            for each in self.rest:
                x = each(x) + x
            return self.last(self.norm(x, training=training))

    return Block


def measured(k, ops):
    class Measured(k.layers.Layer):
        """Takes the mean over what the mask leaves, and ends it."""

        def call(self, x, mask=None):
            if mask is None:
                return ops.mean(x, axis=1)
            real = ops.cast(mask, "float32")[..., None]
            return ops.sum(x * real, axis=1) / ops.sum(real, axis=1)

        def compute_mask(self, inputs, mask=None):
            return None

    return Measured


class Ours:
    """The few functions that the classes take, as jaxseq's users write them."""

    mean, matmul, square, sum = jnp.mean, jnp.matmul, jnp.square, jnp.sum
    cast = staticmethod(K.cast)


class Old(layers.Layer):
    """In the manner of Keras 2."""

    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[1], self.output_dim), initializer="uniform", trainable=True)
        self.calls = self.add_weight(name="calls", shape=(), initializer="zero", trainable=False)
        super().build(input_shape)

    def call(self, x, training=None):
        self.add_update([K.update(self.calls, self.calls + K.in_train_phase(1.0, 0.0, training=training))], x)
        return K.dot(x, self.kernel) + K.sqrt(self.calls) * 0

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.output_dim
