"""Stacks of layers as hypothesis draws them: what both jaxseq and Keras 3 can build, away from where they differ on purpose.

A stack is the shape of its input, its dtype, and [(class, words)], a word being plain data or a further (class, words).
What is left out, because docs/differences.md says that the two differ there: masks beside go_backwards, activity penalties
within wrappers, rows that are masked throughout, dropout in training. And a Softmax beside
a mask, which Keras lays on the features.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, settings, strategies as st

import jaxseq
from jaxseq.core import chain

IDS = 7                                                         # an Embedding's rows


class Stack(NamedTuple):
    """shape: of the input, without its batch axis. dtype: "float32" or "int32". layers: [(class, words)]."""

    shape: tuple[int, ...]
    dtype: str
    layers: list[tuple[str, dict[str, Any]]]

    @property
    def masked(self) -> bool:
        """Whether it begins with a mask."""
        return any(name == "Masking" or words.get("mask_zero") for name, words in self.layers)

    def built(self, library: Any) -> Any:
        """The model of jaxseq or of Keras."""
        layers = [made(library, each) for each in self.layers]
        return library.Sequential([library.Input(self.shape, dtype=self.dtype), *layers])

    def data(self, rows: int, draw: np.random.Generator) -> np.ndarray:
        """x, some of whose later steps are masked where the stack begins with a mask."""
        if self.dtype == "int32":
            x = draw.integers(0, IDS, (rows, *self.shape)).astype("int32")
            x[:, 0] = draw.integers(1, IDS, rows)
            return x
        x = draw.normal(size=(rows, *self.shape)).astype("float32")
        if self.layers[0][0] == "Masking":
            x[:, 1:][draw.random((rows, self.shape[0] - 1)) < 0.4] = 0.0
        return x


def examples(number: int) -> settings:
    """So many stacks, the same in every run."""
    return settings(max_examples=number, derandomize=True, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))


def made(library: Any, each: tuple[str, dict[str, Any]]) -> Any:
    """One layer of jaxseq or of Keras."""
    name, words = each
    inner = {word: made(library, value) if isinstance(value, tuple) and isinstance(value[0], str) else value
             for word, value in words.items()}
    return getattr(library.layers, name)(**inner)


# ---- words that several layers take

small, length = st.integers(2, 4), st.integers(2, 5)
activation = st.sampled_from(["relu", "tanh", "sigmoid", "linear", "elu", "selu", "softplus", "softsign", "swish", "gelu",
                              "hard_sigmoid", "softmax", "leaky_relu", "mish", "silu", "relu6"])
regularizer = st.sampled_from([None, None, None, "l1", "l2"])
padding = st.sampled_from(["valid", "same"])
recurrence = st.sampled_from(["LSTM", "GRU", "SimpleRNN"])


def weighted(draw, **more):
    """Words of a layer with a kernel and a bias."""
    return {"activation": draw(activation), "use_bias": draw(st.booleans()), "kernel_regularizer": draw(regularizer), **more}


# ---- layers: (draw, shape without the batch axis) -> (class, words)


def dense(draw, shape):
    penalty = draw(st.sampled_from([None, None, "l2"]))
    return "Dense", weighted(draw, units=draw(small), activity_regularizer=penalty, bias_regularizer=draw(regularizer))


def pointwise(draw, shape):
    return draw(st.sampled_from([
        ("Activation", {"activation": draw(activation)}), ("LeakyReLU", {"negative_slope": 0.2}), ("ELU", {"alpha": 0.7}),
        ("ReLU", {"max_value": 1.5, "negative_slope": 0.1}), ("Softmax", {}), ("PReLU", {}), ("Dropout", {"rate": 0.0}),
        ("ActivityRegularization", {"l1": 0.01, "l2": 0.02}), ("Rescaling", {"scale": 0.5, "offset": 0.1}), ("Identity", {}),
        ("GaussianNoise", {"stddev": 0.0})]))


def normalization(draw, shape):
    return draw(st.sampled_from([
        ("BatchNormalization", {"momentum": draw(st.sampled_from([0.5, 0.9])), "scale": draw(st.booleans())}),
        ("LayerNormalization", {"epsilon": 0.01, "center": draw(st.booleans())}), ("UnitNormalization", {}),
        ("RMSNormalization", {"epsilon": 0.01}), ("GroupNormalization", {"groups": 1, "epsilon": 0.01})]))


def repeated(draw, shape):
    return "RepeatVector", {"n": draw(small)}


def reshaped(draw, shape):
    steps = draw(st.sampled_from([each for each in (1, 2, 3, 4) if math.prod(shape) % each == 0]))
    return "Reshape", {"target_shape": (steps, -1)}


def flattened(draw, shape):
    return "Flatten", {}


def recurrent(draw, shape, whole=None):
    name = draw(recurrence)
    words = {"units": draw(small), "return_sequences": draw(st.booleans()) if whole is None else whole,
             "use_bias": draw(st.booleans()), "recurrent_regularizer": draw(regularizer),
             "activation": draw(st.sampled_from(["tanh", "relu", "sigmoid"]))}
    if name == "GRU":
        words["reset_after"] = draw(st.booleans())
    if name == "LSTM":
        words["unit_forget_bias"] = draw(st.booleans())
    return name, words


def bidirectional(draw, shape):
    merge = draw(st.sampled_from(["concat", "sum", "ave", "mul"]))
    return "Bidirectional", {"layer": recurrent(draw, shape), "merge_mode": merge}


def per_step(draw, shape):
    return "TimeDistributed", {"layer": ("Dense", weighted(draw, units=draw(small)))}


def conv1d(draw, shape):
    border = draw(st.sampled_from(["valid", "same", "causal"]))
    size = draw(st.integers(1, min(3, shape[0])))
    stretched = border == "valid" and 2 * (size - 1) + 1 > shape[0]
    how = draw(st.sampled_from([{}, {"strides": 2}, {} if stretched else {"dilation_rate": 2}]))
    return "Conv1D", weighted(draw, filters=draw(small), kernel_size=size, padding=border, **how)


def separable1d(draw, shape):
    size = draw(st.integers(1, min(3, shape[0])))
    words = {"filters": draw(small), "kernel_size": size, "padding": draw(padding),
             "depth_multiplier": draw(st.integers(1, 2)), "activation": draw(activation)}
    return "SeparableConv1D", words


def pool1d(draw, shape):
    name = draw(st.sampled_from(["MaxPooling1D", "AveragePooling1D"]))
    words = {"pool_size": draw(st.integers(1, min(3, shape[0]))), "padding": draw(padding)}
    return name, {**words, "strides": draw(st.sampled_from([None, 1, 2]))}


def moved1d(draw, shape):
    choices = [("ZeroPadding1D", {"padding": draw(st.sampled_from([1, (0, 2)]))}), ("UpSampling1D", {"size": 2})]
    return draw(st.sampled_from(choices + [("Cropping1D", {"cropping": (1, 0)})] * (shape[0] > 1)))


def global1d(draw, shape):
    return draw(st.sampled_from(["GlobalMaxPooling1D", "GlobalAveragePooling1D"])), {"keepdims": draw(st.booleans())}


def permuted(draw, shape):
    return "Permute", {"dims": (2, 1)}


def conv2d(draw, shape):
    size = tuple(draw(st.integers(1, min(3, length))) for length in shape[:2])
    how = draw(st.sampled_from([{}, {"strides": (2, 1)}]))
    return "Conv2D", weighted(draw, filters=draw(small), kernel_size=size, padding=draw(padding), **how)


def other_conv2d(draw, shape):
    size = tuple(draw(st.integers(1, min(2, length))) for length in shape[:2])
    name = draw(st.sampled_from(["SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose"]))
    words = {"kernel_size": size, "padding": draw(padding), "activation": draw(activation)}
    words |= {} if name == "DepthwiseConv2D" else {"filters": draw(small)}
    return name, words | ({"strides": 2} if name == "Conv2DTranspose" else {"depth_multiplier": draw(st.integers(1, 2))})


def pool2d(draw, shape):
    name = draw(st.sampled_from(["MaxPooling2D", "AveragePooling2D"]))
    size = tuple(draw(st.integers(1, min(2, length))) for length in shape[:2])
    return name, {"pool_size": size, "strides": draw(st.sampled_from([None, 1])), "padding": draw(padding)}


def moved2d(draw, shape):
    choices = [("ZeroPadding2D", {"padding": ((1, 0), (0, 2))}), ("UpSampling2D", {"size": (1, 2)})]
    return draw(st.sampled_from(choices + [("Cropping2D", {"cropping": ((1, 0), (0, 1))})] * (min(shape[:2]) > 1)))


def global2d(draw, shape):
    return draw(st.sampled_from(["GlobalMaxPooling2D", "GlobalAveragePooling2D"])), {"keepdims": draw(st.booleans())}


ANYWHERE = [dense, pointwise, pointwise, normalization, normalization]
BY_RANK = {
    1: [*ANYWHERE, repeated, reshaped],
    2: [*ANYWHERE, recurrent, recurrent, recurrent, bidirectional, bidirectional, per_step, conv1d, conv1d, separable1d, pool1d,
        pool1d, moved1d, global1d, flattened, reshaped, permuted],
    3: [*ANYWHERE, conv2d, conv2d, conv2d, other_conv2d, other_conv2d, pool2d, pool2d, moved2d, global2d, flattened, reshaped],
}
NEEDS_WIDTH = {normalization}                       # a feature alone, once normalized, is nothing but rounding


@st.composite
def beginnings(draw) -> Stack:
    """An input, with the layer that belongs to it: rows, sequences, masked ones, token ids, images."""
    kind = draw(st.sampled_from(["row", "sequence", "masked", "ids", "image"]))
    if kind == "row":
        return Stack((draw(st.integers(2, 5)),), "float32", [])
    if kind == "image":
        return Stack((draw(length), draw(length), draw(st.integers(1, 3))), "float32", [])
    if kind == "ids":
        words = {"input_dim": IDS, "output_dim": draw(small), "mask_zero": draw(st.booleans())}
        return Stack((draw(length),), "int32", [("Embedding", words)])
    return Stack((draw(length), draw(small)), "float32", [("Masking", {})] if kind == "masked" else [])


@st.composite
def stacks(draw, most: int = 5) -> Stack:
    """A stack of up to `most` further layers, each of which fits the output of those before it."""
    stack = draw(beginnings())
    shape, dtype = (None, *stack.shape), stack.dtype
    for each in stack.layers:
        shape, dtype = chain.shapes("", made(jaxseq, each), shape, dtype)
    for _ in range(draw(st.integers(0 if stack.layers else 1, most))):
        choices = [each for each in BY_RANK[len(shape) - 1] if each not in NEEDS_WIDTH or shape[-1] > 1]
        layer = draw(st.sampled_from(choices))(draw, shape[1:])
        if stack.masked and layer[0] == "Softmax":
            continue
        shape, dtype = chain.shapes("", made(jaxseq, layer), shape, dtype)
        stack.layers.append(layer)
    return stack
