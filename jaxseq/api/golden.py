"""Golden programs: rows of layers whose outputs and gradients are written out beside them in NumPy.

An oracle takes x and the layer's weights by name, in float64. It gives y and a function `back` from dy, the gradient of a
loss with respect to y, to that of x and of each weight: ({"kernel": ...}, dx).
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseq.core import chain, rng
from jaxseq.core.layer import Layer
from jaxseq.core.layers import (
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    MaxPooling2D,
)
from jaxseq.core.types import Array, Key, Spec

Arrays = dict[str, Any]
Oracle = Callable[[Any, Arrays], tuple[Any, Callable[[Any], tuple[Arrays, Any]]]]


class Case(NamedTuple):
    """A golden program's numbers: x (batch, ...), weights and states by layer, and dy, like y."""

    x: Any
    params: dict[str, Arrays]
    state: dict[str, Arrays]
    dy: Any


class Golden(NamedTuple):
    """A row of layers, each with its name and its oracle, and the shape of an input without its batch axis.

    batches: the sizes it is run at. differentiated: whether gradients are asked for, too. vocabulary: where x are ids, what
    they lie below. seed: where a layer draws, from what.
    """

    name: str
    x: tuple[int, ...]
    rows: tuple[tuple[str, Layer, Oracle], ...]
    batches: tuple[int, ...]
    differentiated: bool = True
    vocabulary: int | None = None
    seed: int | None = None

    def case(self, batch: int) -> tuple[Case, Arrays]:
        """Numbers for a batch size, always the same ones, and the outputs that the oracles give, in float64, by name."""
        draw = np.random.default_rng([zlib.crc32(self.name.encode()), batch])
        normal = lambda like: draw.normal(size=like.shape).astype(np.float32)
        shape = (batch, *self.x)
        ids = self.vocabulary
        x = normal(np.empty(shape)) if ids is None else draw.integers(ids, size=shape, dtype=np.int32)
        params, state = jax.eval_shape(lambda: chain.init(self._layers, rng.root_key(0), Spec(shape, x.dtype)))
        params = jax.tree.map(normal, params)
        y, back = self.expected(x, params)
        case = Case(x, params, jax.tree.map(lambda like: np.zeros(like.shape, like.dtype), state), normal(y))
        return case, {"y": y, **(back(case.dy.astype(np.float64)) if self.differentiated else {})}

    def computed(self, case: Case) -> dict[str, Array]:
        """The same outputs as the layers give them: y, and the gradients of sum(y * dy)."""
        run = lambda params, x: chain.apply(self._layers, params, case.state, x, train=True, key=self._key).y
        if not self.differentiated:
            return {"y": run(case.params, case.x)}
        if self.vocabulary is None:
            y, back = jax.vjp(run, case.params, case.x)
            params, dx = back(case.dy)
            return {"y": y, "x": dx, **_flat(params)}
        y, back = jax.vjp(lambda params: run(params, case.x), case.params)
        return {"y": y, **_flat(*back(case.dy))}

    def expected(self, x: Any, params: dict[str, Arrays]) -> tuple[Any, Callable[[Any], Arrays]]:
        """y of all oracles in a row, and the function from dy to the gradients by name."""
        y, backs = x if self.vocabulary else x.astype(np.float64), []
        for name, _, oracle in self.rows:
            y, back = oracle(y, {weight: value.astype(np.float64) for weight, value in params.get(name, {}).items()})
            backs.append((name, back))

        def all_back(dy: Any) -> Arrays:
            found = {}
            for name, back in reversed(backs):
                weights, dy = back(dy)
                found |= _flat({name: weights})
            return found if dy is None else {"x": dy, **found}

        return y, all_back

    @property
    def _layers(self) -> chain.Layers:
        return [(name, layer) for name, layer, _ in self.rows]

    @property
    def _key(self) -> Key | None:
        return None if self.seed is None else rng.root_key(self.seed)


def _flat(params: dict[str, Any]) -> Arrays:
    return {f"{name}/{weight}": value for name, weights in params.items() for weight, value in weights.items()}


# ---- oracles


def dense(x, w):
    """y = x W + b."""
    return x @ w["kernel"] + w["bias"], lambda dy: ({"kernel": x.T @ dy, "bias": dy.sum(0)}, dy @ w["kernel"].T)


def dropout(x, w, *, seed):
    """y = 2 x where the bits of the place lie in the upper half, else 0."""
    key = threefry(divmod(seed, 2**32), zlib.crc32(b"dropout"))
    high, low = threefry(key, np.arange(x.size, dtype=np.uint32))
    kept = 2.0 * ((high ^ low).reshape(x.shape) >= 2**31)
    return x * kept, lambda dy: ({}, dy * kept)


def threefry(key: tuple[Any, Any], place: Any) -> tuple[Any, Any]:
    """The two uint32 that threefry2x32 makes of a key of two words and the counter (0, place).

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    first, second = (np.asarray(word, np.uint32) for word in key)
    schedule = first, second, first ^ second ^ np.uint32(0x1BD11BDA)
    place = np.atleast_1d(np.asarray(place, np.uint32))
    a, b = np.zeros_like(place) + first, place + second
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            a = a + b
            b = (b << np.uint32(turn) | b >> np.uint32(32 - turn)) ^ a
        a, b = a + schedule[(group + 1) % 3], b + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def conv2d(x, w, *, edge):
    """y[i, j] = sum over k, l of x[i + k, j + l] W[k, l] + b, with an edge of zeros around x."""
    kernel = w["kernel"]
    wide = np.pad(x, ((0, 0), *edge, (0, 0)))
    rows, columns = wide.shape[1] - kernel.shape[0] + 1, wide.shape[2] - kernel.shape[1] + 1
    windows = {(k, m): np.s_[:, k:k + rows, m:m + columns] for k, m in np.ndindex(kernel.shape[:2])}
    y = sum(wide[window] @ kernel[place] for place, window in windows.items()) + w["bias"]

    def back(dy):
        dkernel, dwide = np.zeros(kernel.shape), np.zeros(wide.shape)
        for place, window in windows.items():
            dkernel[place] = np.tensordot(wide[window], dy, ((0, 1, 2), (0, 1, 2)))
            dwide[window] += dy @ kernel[place].T
        (top, _), (left, _) = edge
        dx = dwide[:, top:top + x.shape[1], left:left + x.shape[2]]
        return {"kernel": dkernel, "bias": dy.sum((0, 1, 2))}, dx

    return y, back


def max_pool(x, w):
    """y = the largest of each 2 x 2 block, which alone receives the gradient."""
    blocks = _blocks(x)
    largest = blocks.max((2, 4), keepdims=True)
    return largest[:, :, 0, :, 0], lambda dy: ({}, ((blocks == largest) * dy[:, :, None, :, None]).reshape(x.shape))


def _blocks(x):
    """(batch, height, width, channels) -> (batch, height / 2, 2, width / 2, 2, channels)."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def embedding(x, w):
    """y = the row of the table that each id names; the gradients of one id add up."""
    def back(dy):
        table = np.zeros(w["embeddings"].shape)
        np.add.at(table, x, dy)
        return {"embeddings": table}, None

    return w["embeddings"][x], back


def batch_norm(x, w):
    """y = gamma n + beta, with n = (x - mean) / sqrt(variance + 0.001) over all axes but the last."""
    over = tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt(x.var(over) + 1e-3)
    n = (x - x.mean(over)) * scale

    def back(dy):
        dn = dy * w["gamma"]
        dx = scale * (dn - dn.mean(over) - n * (dn * n).mean(over))
        return {"gamma": (dy * n).sum(over), "beta": dy.sum(over)}, dx

    return n * w["gamma"] + w["beta"], back


def lstm(x, w):
    """y = the last h. Gates in the order i, f, c, o."""
    kernel, recurrent = w["kernel"], w["recurrent_kernel"]
    h = c = np.zeros((len(x), len(recurrent)))
    steps = []
    for t in range(x.shape[1]):
        z = np.split(x[:, t] @ kernel + h @ recurrent + w["bias"], 4, -1)
        i, f, g, o = _sigmoid(z[0]), _sigmoid(z[1]), np.tanh(z[2]), _sigmoid(z[3])
        steps.append((h, c, i, f, g, o))                            # h and c from before the step
        c = f * c + i * g
        h = o * np.tanh(c)

    def back(dh):
        d, dx, dc = {name: np.zeros(value.shape) for name, value in w.items()}, np.zeros(x.shape), 0
        for t in reversed(range(len(steps))):
            h, c, i, f, g, o = steps[t]
            shown = np.tanh(f * c + i * g)
            dc = dc + dh * o * (1 - shown**2)
            gates = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * shown * o * (1 - o)
            dz = np.concatenate(gates, -1)
            d["kernel"] += x[:, t].T @ dz
            d["recurrent_kernel"] += h.T @ dz
            d["bias"] += dz.sum(0)
            dx[:, t], dh, dc = dz @ kernel.T, dz @ recurrent.T, dc * f
        return d, dx

    return h, back


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


# ---- programs. They are few, for nearly all of the time goes into compiling them.


class MeanTimesOnes(Layer):
    """y = (mean over the steps of x) @ ones (features, 64)."""

    def apply(self, params, state, x, ctx):
        return x.mean(1) @ jnp.ones((x.shape[-1], 64), x.dtype), state


def mean_times_ones(x, w):
    """Each y is the sum of the means."""
    y = np.repeat(x.mean(1).sum(1, keepdims=True), 64, 1)
    return y, lambda dy: ({}, np.broadcast_to(dy.sum(1)[:, None, None] / x.shape[1], x.shape))


SEED = 2**33 + 5        # both words of the key are used
PROGRAMS = (
    # On the CPU, jax 0.10.2 with its own options is off by up to 1e35 here: at this size, and where no other part of the
    # program uses the same ones, as its gradient would (jax#39103).
    Golden("mean", (20, 32), (
        ("mean_times_ones", MeanTimesOnes(), mean_times_ones),
    ), batches=(128,), differentiated=False),
    Golden("perceptron", (50,), (
        ("dense", Dense(32), dense),
    ), batches=(1, 7, 128)),
    Golden("noise", (33,), (
        ("dropout", Dropout(0.5), functools.partial(dropout, seed=SEED)),
    ), batches=(7,), seed=SEED),
    Golden("pooling", (12, 12, 3), (
        ("max_pool", MaxPooling2D(), max_pool),                     # first: what is rounded may have another maximum
        ("batch_norm", BatchNormalization(), batch_norm),
    ), batches=(7,)),
    Golden("convolution", (6, 6, 3), (
        ("conv", Conv2D(8, 3, padding="same"), functools.partial(conv2d, edge=((1, 1), (1, 1)))),
    ), batches=(1, 128)),
    Golden("sequence", (9,), (
        ("embedding", Embedding(11, 5), embedding),
        ("lstm", LSTM(4), lstm),
    ), batches=(128,), vocabulary=11),
)
