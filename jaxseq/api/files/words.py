"""A model in the words of Keras 3's config.json: {"module", "class_name", "config", "registered_name"} for every object.

What Keras has not (a layer of Keras 2, a setting of ours that is not at its default) is written all the same: this library
reads it again, and Keras says by name what it does not know.
"""

from __future__ import annotations

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
from jaxseq.core.optimizers import Optimizer
from jaxseq.core.require import require

# Where Keras 3 looks for our classes of the same names.
MODULES: dict[str, Mapping[str, Any]] = {
    "keras.layers": CATALOGUE, "keras.initializers": initializers.TABLE, "keras.regularizers": regularizers.TABLE,
    "keras.constraints": constraints.TABLE, "keras.optimizers": optimizers.CLASSES,
    "keras.optimizers.schedules": schedules.CLASSES, "keras.losses": losses.CLASSES, "keras.metrics": metrics.CLASSES}

ONLY_HERE = {"LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU"}         # layers that Keras 3 has not
# Settings that Keras 3 does not know, or does not know in every layer: left out while they are at their defaults.
UNKNOWN = {"implementation", "remat", "alpha", "data_format", "mask", "activity_regularizer", "decay", "schedule_decay",
           "from_sorted_ids"}


def of_model(model: Any, compile_config: dict[str, Any] | None, outer: str = "float32") -> dict[str, Any]:
    """The whole of config.json. outer: the dtype of the model that it stands in, which it computes in if it has none."""
    dtype = model.dtype or outer
    shape = list(model.input_shape)
    entry = {"batch_shape": shape, "dtype": model.input_dtype, "sparse": False, "name": "input_layer"}
    listed = [_object("keras.layers", "InputLayer", entry), *(_of_part(layer, dtype) for layer in model.layers)]
    config = {"name": model.name, "trainable": model.trainable, "dtype": dtype, "layers": listed,
              "build_input_shape": shape}
    described = _object("keras", "Sequential", config) | {"build_config": {"input_shape": shape}}
    return described if compile_config is None else described | {"compile_config": compile_config}


def _of_part(layer: Any, dtype: str) -> dict[str, Any]:
    """A layer, or a model that stands as one, with the dtype that it computes in."""
    return of_layer(layer.under(dtype)) if isinstance(layer, Layer) else of_model(layer, None, dtype)


def of_layer(layer: Layer) -> dict[str, Any]:
    """A layer, and the layers and cells within it."""
    name = type(layer).__name__
    own = type(layer) is CATALOGUE.get(name)
    settings = {key: value for key, value in _settings(layer) if key not in BASE}
    if name == "Lambda" and isinstance(settings["arguments"], tuple):
        settings["arguments"] = dict(settings["arguments"])
    dtype = layer.dtype_policy.name
    about = {"dtype": dtype} if layer.name is None else {"name": layer.name, "dtype": dtype}
    if not layer.trainable:
        about["trainable"] = False              # not every layer of Keras takes the word
    config = about | {key: of_value(value, f"{name}({key})", dtype) for key, value in settings.items()}
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
        if each.name not in UNKNOWN or value != each.default:
            yield each.name, value


def of_compile(model: Any) -> dict[str, Any] | None:
    """compile_config; None where nothing is compiled. ValueError for a loss or metric that has no name to be saved by."""
    if model._compiled is None or not isinstance(model._compiled.optimizer, Optimizer):
        return None
    given = {name: of_value(value, f"compile({name})") for name, value in model._compiled.given.items()
             if name != "optimizer"}
    return {"optimizer": of_optimizer(model._compiled.optimizer, model.learning_rate), **given,
            "run_eagerly": model.run_eagerly, "steps_per_execution": 1, "jit_compile": "auto"}


def of_optimizer(optimizer: Optimizer, rate: float) -> dict[str, Any]:
    """The optimizer at its present rate. Keras 2's `decay` is a schedule in Keras 3: see `DECAY`."""
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
    return _declared(optimizer, {key: of_value(value, f"optimizer({key})") for key, value in config.items()})


DECAY = "decay"     # the name of an InverseTimeDecay that stands for it: learning_rate / (1 + decay * step)


def of_value(value: Any, where: str, dtype: str | None = None) -> Any:
    """A setting as JSON can hold it. dtype: that of the layer around a layer. ValueError for what has no name, as a lambda."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [of_value(each, where, dtype) for each in value]
    if isinstance(value, Mapping):
        return {key: of_value(each, where, dtype) for key, each in value.items()}
    if isinstance(value, Layer):
        return of_layer(value.under(dtype))
    if hasattr(value, "as_row"):
        return of_model(value, None, dtype or "float32")
    if isinstance(value, type) and issubclass(value, Declared):
        value = value()
    if isinstance(value, Declared):
        return _declared(value, {key: of_value(each, where) for key, each in value.get_config().items()})
    value = activations.get(value) if callable(value) else value           # JAX's own become ours, which have names
    require(isinstance(value, FunctionType), f"{where}={value!r} cannot be written to a file: it has no settings and no name.")
    return _function(value, where)


def _function(function: Callable[..., Any], where: str) -> Any:
    """A function of ours by its name; the user's own as Keras writes them, to be found again in custom_objects."""
    for table in activations.TABLE, losses.TABLE, metrics.TABLE:
        for name, known in table.items():
            if function is known:
                return name
    name = function.__name__
    require(name != "<lambda>", f"{where} is a lambda, which has no name to be found by when the file is loaded: write it as a "
            "def.")
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
