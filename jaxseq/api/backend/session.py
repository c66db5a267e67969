"""Reading values; and the names that need the graph, session or variables which Keras has and jaxseq has not.

The latter raise RuntimeError and say what to write instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from jax.core import Tracer

from jaxseq.api.backend.inputs import array
from jaxseq.core.live import Live
from jaxseq.core.require import require
from jaxseq.core.variable import Variable

__all__ = [
    "backend", "batch_get_value", "batch_set_value", "clear_session", "count_params", "eval", "function", "get_value",
    "gradients", "in_test_phase", "in_train_phase", "learning_phase", "set_learning_phase", "set_value", "update",
]


def backend() -> str:
    """"jax"."""
    return "jax"


def get_value(x: Any) -> np.ndarray:
    """x as a NumPy array.

    Raises: RuntimeError while a program is traced, where x has no value yet.
    """
    require(not isinstance(x, Tracer), "K.get_value(x): x has no value while a program is traced. Return it "
            "from the function, or write jax.debug.print('{}', x) to see it in every step.", RuntimeError)
    return np.asarray(x)


def eval(x: Any) -> np.ndarray:
    """The same as get_value(x)."""
    return get_value(x)


def batch_get_value(ops: Sequence[Any]) -> list[np.ndarray]:
    """Each of several arrays as a NumPy array."""
    return [get_value(x) for x in ops]


def count_params(x: Any) -> int:
    """The number of elements of x."""
    return math.prod(array(x).shape)


def clear_session() -> None:
    """Does nothing, so that programs which call it run: no graph grows, and layer names are counted in each model."""


def set_value(x: Any, value: Any) -> None:
    """Sets model.optimizer.lr, or its iterations, for the next step.

    Raises: RuntimeError for anything else: arrays do not change.
    """
    if not isinstance(x, Live):
        _refuse("set_value(x, value)", "arrays do not change", "x = K.constant(value) for an array of your own, "
                "layer.set_weights([...]) for weights, and K.set_value(model.optimizer.lr, value) for the learning rate")
    x.assign(value)


def batch_set_value(tuples: Any) -> None:
    """set_value(x, value) for each of the pairs (x, value)."""
    pairs = list(tuples)
    if not all(isinstance(x, Live) for x, _ in pairs):
        _refuse("batch_set_value(tuples)", "arrays do not change", "model.set_weights([...]) or layer.set_weights([...])")
    for x, value in pairs:
        set_value(x, value)


def update(x: Any, new_x: Any) -> Any:
    """x.assign(new_x), where x is a weight with trainable=False in the `call` of a layer.

    Raises: RuntimeError for arrays: they do not change.
    """
    if isinstance(x, Variable):
        return x.assign(new_x)
    return _refuse("update(x, new_x)", "arrays do not change", "a Layer whose apply returns (y, new state)")


def learning_phase() -> NoReturn:
    """Raises RuntimeError: a layer is told whether it trains."""
    _refuse("learning_phase()", "every layer is told whether it trains", "`if ctx.train:` in the apply of a Layer")


def set_learning_phase(value: Any) -> NoReturn:
    """Raises RuntimeError: fit trains; evaluate and predict do not."""
    _refuse(f"set_learning_phase({value!r})", "fit trains, evaluate and predict do not, and nothing else decides it",
            "nothing in its place; to freeze a layer write layer.trainable = False")


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x if training else alt, called where it can be called.

    Raises: RuntimeError without `training`: a layer is told whether it trains.
    """
    if training is not None:
        chosen = x if training else alt
        return chosen() if callable(chosen) else chosen
    return _refuse("in_train_phase(x, alt)", "every layer is told whether it trains",
                   "`x if ctx.train else alt` in the apply of a Layer")


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """alt if training else x, called where it can be called.

    Raises: RuntimeError without `training`: a layer is told whether it trains.
    """
    if training is not None:
        chosen = alt if training else x
        return chosen() if callable(chosen) else chosen
    return _refuse("in_test_phase(x, alt)", "every layer is told whether it trains",
                   "`alt if ctx.train else x` in the apply of a Layer")


def function(inputs: Any, outputs: Any, updates: Any = None, **options: Any) -> NoReturn:
    """Raises RuntimeError: there is no graph to cut a function from."""
    _refuse("function(inputs, outputs)", "there is no graph to cut a function from",
            "Sequential(model.layers[:n]).predict(x) for the output of the n-th layer, or jax.jit(f) for a function of "
            "your own")


def gradients(loss: Any, variables: Any) -> NoReturn:
    """Raises RuntimeError: gradients are taken of functions."""
    _refuse("gradients(loss, variables)", "gradients are taken of functions, not of values",
            "jax.grad(f)(x), with f a function from x to a scalar")


def _refuse(call: str, reason: str, instead: str) -> NoReturn:
    raise RuntimeError(f"K.{call}: {reason}. Write {instead}.")
