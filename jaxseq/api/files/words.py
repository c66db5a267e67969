"""A model in the words of Keras 3's config.json: {"module", "class_name", "config", "registered_name"} for every object.

What Keras has not (a layer of Keras 2, a setting of ours that is not at its default) is written all the same: this library
reads it again, and Keras says by name what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from types import FunctionType
from typing import Any

import numpy as np

from jaxseq.api.config import CATALOGUE
from jaxseq.core import activations, constraints, initializers, losses, metrics, optimizers, regularizers, schedules
from jaxseq.core.declared import Declared
from jaxseq.core.keras_style import KerasStyle
from jaxseq.core.layer import BASE, Layer
from jaxseq.core.optimizers import LossScaleOptimizer, Optimizer
from jaxseq.core.require import require

# Where Keras 3 looks for our classes of the same names.
MODULES: dict[str, Mapping[str, Any]] = {
    "keras.layers": CATALOGUE, "keras.initializers": initializers.TABLE, "keras.regularizers": regularizers.TABLE,
    "keras.constraints": constraints.TABLE, "keras.optimizers": optimizers.CLASSES,
    "keras.optimizers.schedules": schedules.CLASSES, "keras.losses": losses.CLASSES,
    "keras.metrics": metrics.CLASSES | {each.__name__: each for each in (metrics.Mean, metrics.Sum, metrics.MeanMetricWrapper)}}
# And for our functions.
FUNCTIONS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "keras.activations": activations.TABLE, "keras.losses": losses.TABLE | losses.UNPAIRED, "keras.metrics": metrics.TABLE}

ONLY_HERE = {"LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU"}         # layers that Keras 3 has not
# Settings that Keras 3 does not know, or does not know in every layer: left out while they are at their defaults.
UNKNOWN = {"implementation", "remat", "alpha", "data_format", "mask", "activity_regularizer", "decay", "schedule_decay",
           "from_sorted_ids"}


def of_model(model: Any, compile_config: dict[str, Any] | None, outer: str = "float32",
             name: str | None = None) -> dict[str, Any]:
    """The whole of config.json. outer, name: the dtype of the model that it stands in, which it computes in if it has none, and
    what it is called there."""
    dtype = model.dtype or outer
    shape = list(model.input_shape)
    entry = {"batch_shape": shape, "dtype": model.input_dtype, "sparse": False, "name": "input_layer"}
    listed = [_object("keras.layers", "InputLayer", entry), *(_of_part(own, layer, dtype) for own, layer in model.named_layers)]
    config = {"name": name or model.name, "trainable": model.trainable, "dtype": dtype, "layers": listed,
              "build_input_shape": shape}
    described = _object("keras", "Sequential", config) | {"build_config": {"input_shape": shape}}
    return described if compile_config is None else described | {"compile_config": compile_config}


def _of_part(name: str, layer: Any, dtype: str) -> dict[str, Any]:
    """A layer, or a model that stands as one, with its name in this model and the dtype that it computes in."""
    return of_layer(layer.under(dtype), name) if isinstance(layer, Layer) else of_model(layer, None, dtype, name)


def of_layer(layer: Layer, called: str | None = None) -> dict[str, Any]:
    """A layer, and the layers and cells within it. called: its name in the model, where that is not the layer's own."""
    name, called = type(layer).__name__, called or layer.name
    own = type(layer) is CATALOGUE.get(name)
    settings = {key: value for key, value in _settings(layer) if key not in BASE}
    if name == "Lambda" and isinstance(settings["arguments"], tuple):
        settings["arguments"] = dict(settings["arguments"])
    dtype = layer.dtype_policy.name
    about = {"dtype": dtype} if called is None else {"name": called, "dtype": dtype}
    if not layer.trainable:
        about["trainable"] = False              # not every layer of Keras takes the word
    config = about | {key: of_value(value, f"{name}({key})", dtype, promised(key)) for key, value in settings.items()}
    if not own:
        return _object(type(layer).__module__, name, config, name)
    return _object("jaxseq.layers" if name in ONLY_HERE else "keras.layers", name, config)


def _settings(layer: Layer) -> Iterator[tuple[str, Any]]:
    """(name, value) of what the layer was told; one in Keras's way says itself what that was."""
    if isinstance(layer, KerasStyle):
        yield from layer.get_config().items()
        return
    for each in fields(layer):
        value = getattr(layer, each.name)
        if each.name not in UNKNOWN or isinstance(value, np.ndarray) or value != each.default:
            yield each.name, value


def of_compile(model: Any) -> dict[str, Any] | None:
    """compile_config; None where nothing is compiled. ValueError for a loss or metric that has no name to be saved by."""
    if model._compiled is None or not known_to_keras(model._compiled.optimizer):
        return None
    given = {name: of_value(value, f"compile({name})", names=_NAMES_IN_COMPILE.get(name, {}))
             for name, value in model._compiled.given.items() if name not in _NOT_WRITTEN}
    return {"optimizer": of_optimizer(model._compiled.optimizer, model.learning_rate), **given,
            "run_eagerly": model.run_eagerly, "steps_per_execution": 1, "jit_compile": "auto"}


_NOT_WRITTEN = "optimizer", "remat"      # the one in words of its own; the other is how to compute, and Keras refuses it
_NAMES_IN_COMPILE = {"loss": losses.TABLE, "metrics": metrics.TABLE, "weighted_metrics": metrics.TABLE}


def known_to_keras(optimizer: Any) -> bool:
    """Whether the optimizer can be written down: one of jaxseq.optimizers, or one around another."""
    return isinstance(getattr(optimizer, "inner_optimizer", optimizer), Optimizer)


def of_optimizer(optimizer: Optimizer | LossScaleOptimizer, rate: float) -> dict[str, Any]:
    """The optimizer at its present rate. Keras 2's `decay` is a schedule in Keras 3: see `DECAY`."""
    if isinstance(optimizer, LossScaleOptimizer):
        told = {"initial_scale": optimizer.initial_scale, "dynamic_growth_steps": optimizer.dynamic_growth_steps}
        named = {} if optimizer.name is None else {"name": optimizer.name}
        return _object("keras.optimizers", "LossScaleOptimizer",
                       {**named, "inner_optimizer": of_optimizer(optimizer.inner_optimizer, rate), **told})
    config = {each.name: getattr(optimizer, each.name) for each in fields(optimizer)
              if each.name not in UNKNOWN or each.name != "decay" and getattr(optimizer, each.name) != each.default}
    if callable(optimizer.learning_rate) or np.float32(optimizer.learning_rate) == np.float32(rate):
        rate = optimizer.learning_rate          # as it was written, and not as float32 has it
    config["learning_rate"] = rate
    if optimizer.decay:
        every = optimizer.gradient_accumulation_steps or 1      # Keras counts batches, decay counts updates
        config["learning_rate"] = schedules.InverseTimeDecay(rate, every, optimizer.decay, staircase=every > 1, name=DECAY)
    if config["name"] is None:
        del config["name"]
    patterns = config.get("exclude_layers", ())
    require(plain_patterns(patterns), f"optimizer(exclude_layers)={patterns!r} cannot be written to a file, which may hold no "
            "patterns but letters, digits, spaces, '_', '-', '/', '^' and '$': write the names of the layers.")
    return _declared(optimizer, {key: of_value(value, f"optimizer({key})") for key, value in config.items()})


LAMBDA = "<lambda>"
IS_LAMBDA = "is a lambda, which has no name to be found by when the file is loaded: write it as a def."
DECAY = "decay"     # the name of an InverseTimeDecay that stands for it: learning_rate / (1 + decay * step)


def plain_patterns(patterns: Any) -> bool:
    """Whether these are patterns that cost next to nothing to look for, whoever wrote them."""
    few = isinstance(patterns, list | tuple) and len(patterns) <= 1000
    return few and all(isinstance(each, str) and re.fullmatch(r"[\w /^$-]{0,200}", each) for each in patterns)


def of_value(value: Any, where: str, dtype: str | None = None, names: Mapping[str, Any] = {}) -> Any:       # noqa: B006
    """A setting as JSON can hold it. ValueError for what has no name, as a lambda.

    dtype: that of the layer around a layer. names: our functions that are found by their bare names where it is read.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [of_value(each, where, dtype, names) for each in value]
    if isinstance(value, Mapping):
        require(value.get("config") != LAMBDA, f"{where} {IS_LAMBDA}")
        require(all(isinstance(key, str) for key in value), f"{where}={dict(value)!r} cannot be written to a file: keys that "
                "are no text.")
        return {key: of_value(each, where, dtype, names) for key, each in value.items()}
    if isinstance(value, Layer):
        return of_layer(value.under(dtype))
    if hasattr(value, "as_row"):
        return of_model(value, None, dtype or "float32")
    if isinstance(value, type) and issubclass(value, Declared | metrics.Metric):
        value = value()
    if isinstance(value, Declared | metrics.Metric):
        return _declared(value, {key: of_value(each, where) for key, each in value.get_config().items()})
    value = activations.get(value) if callable(value) else value           # JAX's own become ours, which have names
    require(isinstance(value, FunctionType), f"{where}={value!r} cannot be written to a file: it has no settings and no name.")
    return _function(value, where, names)


def promised(key: str) -> Mapping[str, Any]:
    """Our functions that a setting of that name is read as, where it is a bare name."""
    return activations.TABLE if key.endswith("activation") else {}


def _function(function: Callable[..., Any], where: str, names: Mapping[str, Any]) -> Any:
    """A function of ours by its name; the user's own as Keras writes them, to be found again in custom_objects."""
    if names.get(function.__name__) is function:
        return function.__name__
    for module, table in FUNCTIONS.items():
        for name in (function.__name__, *table):
            if table.get(name) is function:
                return _object(module, "function", name, name)
    name = function.__name__
    require(name != LAMBDA, f"{where} {IS_LAMBDA}")
    return _object(function.__module__, "function", name, name)


def _declared(value: Any, config: dict[str, Any]) -> dict[str, Any]:
    """An object of settings, in the module where Keras has it."""
    name = type(value).__name__
    for module, table in MODULES.items():
        if table.get(name) is type(value):
            return _object(module, name, config)
    return _object(type(value).__module__, name, config, name)


def _object(module: str, class_name: str, config: Any, registered: str | None = None) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}
