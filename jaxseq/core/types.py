"""The nouns of the core: arrays, specs, and the two records that travel through every program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

Array = jax.Array
Key = jax.Array                     # a typed threefry key, shape ()
Spec = jax.ShapeDtypeStruct         # a shape with its batch axis, and a dtype
Shape = tuple[int | None, ...]      # None: any length
Params = Mapping[str, Any]          # what is trained: {"kernel": ..., "bias": ...}
State = Mapping[str, Any]           # what is carried but not differentiated: {"moving_mean": ...}


class Ctx(NamedTuple):
    """What a layer may know besides its weights and its input.

    train: a Python bool, chosen when the program is built, never traced.
    key: this layer's key for this step; None in evaluation, where nothing is drawn.
    mask: (batch, time) bool, True = a real step; None where every step is real.
    """

    train: bool = False
    key: Key | None = None
    mask: Array | None = None


class Batch(NamedTuple):
    """Rows of the data: x and y (rows, ...), weight (rows,) or (rows, time). No y: only to predict from; no weight: ones."""

    x: Array
    y: Array | None
    weight: Array | None = None


class TrainState(NamedTuple):
    """The whole of training. It is passed, returned, saved and compared as one thing.

    params: {layer name: {weight name: array}}, every weight, trained or frozen.
    state: {layer name: {name: array}}, moving statistics and the carry of stateful layers.
    opt_state: the optimizer's own state, over the trained part of params.
    step: () int32, the number of updates made.
    key: the root key; every draw is a pure function of it.
    """

    params: dict[str, Any]
    state: dict[str, Any]
    opt_state: Any
    step: Array
    key: Key
