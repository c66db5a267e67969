"""A model out of Keras 3's config.json, through closed tables of names: nothing that a file names is imported or looked up.

A name means one of our classes, or one of the `custom_objects` of this call. The module that Keras writes beside a name only
says whether the name is Keras's; another's module leads to custom_objects and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from jaxseq.api.config import CATALOGUE, MODELS
from jaxseq.api.files import plain_json
from jaxseq.api.files.bounds import Asked
from jaxseq.api.files.plain_json import NUMBERS
from jaxseq.api.files.refusal import Source
from jaxseq.api.files.words import FUNCTIONS, MODULES
from jaxseq.core import activations, constraints, initializers, regularizers
from jaxseq.core.layer import Layer
from jaxseq.core.layers import InputLayer, Lambda
from jaxseq.core.require import nearest

if TYPE_CHECKING:
    from jaxseq.api.stack import Stack

# Settings of Keras that this library has not, with the values at which they change nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "quantization_config": (None,), "synchronized": (False,), "renorm": (False,), "rms_scaling": (False,),
    "renorm_clipping": (None,), "renorm_momentum": (0.99,), "lora_rank": (None,), "lora_alpha": (None,),
    "time_major": (False,), "muon_a": (3.4445,), "muon_b": (-4.775,), "muon_c": (2.0315,), "autocast": (True,)}
INPUT = {"sparse": (False, None), "ragged": (False, None), "optional": (False,)}

# Nonsense in a file fails in a class in that class's way; all of these are the file's fault.
NONSENSE = ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError, NotImplementedError, MemoryError

M = TypeVar("M", bound="Stack")


def of_config(kind: type[M], config: dict[str, Any], custom: Mapping[str, Any] | None, seed: Any = None) -> M:
    """The model of that kind which Keras's own get_config describes, not built unless it says the input. Raises: FileRejected.

    It is read as if it stood in a file, so a file's bounds are its, too, and tuples in it are lists.
    """
    source = Source("The model's config")
    with source.readable("it is no plain data", *NONSENSE):
        text = json.dumps({"class_name": "Sequential", "config": config})
    return Rebuilder(source, custom, kind).model(plain_json.parsed(source, "config", text.encode()), seed=seed)


class Rebuilder:
    """Makes a model of parsed JSON.

    custom: the user's own {name: class or function}. kind: the class of the models, Sequential or one like it.
    groups: of weights, in the same file; None where there is no file, and a model need not know its input.
    """

    def __init__(self, source: Source, custom: Mapping[str, Any] | None, kind: Any, groups: int | None = None):
        self.source, self.custom, self._kind = source, dict(custom or {}), kind
        self._asked, self._whole = Asked(source, groups), groups is not None

    def model(self, data: dict[str, Any], outer: str = "float32", seed: Any = None) -> Any:
        """The untrained model, whose weights are not drawn. outer: the dtype around it. Raises: FileRejected."""
        _, name, config = self._node(data, "model")
        rows = self._rows(name, config)
        self._asked.rows(len(rows))
        dtype = _dtype_name(config.get("dtype")) or outer
        with self.source.readable("its settings", *NONSENSE):
            model = self._kind(name=str(config.get("name", "sequential")), dtype=None if dtype == outer else dtype, seed=seed)
        for row in rows:
            within = self._node(row, "layer")[1] in MODELS
            layer = self.model(row, dtype) if within else self.layer(row, dtype)
            with self.source.readable(f"its layer {layer!r} cannot stand where it does", *NONSENSE):
                model.add(layer)
        with self.source.readable("its settings", *NONSENSE):
            model.trainable = config.get("trainable", True)
        shape = config.get("build_input_shape")
        if model.input_shape is None and isinstance(shape, list) and rows:
            with self.source.readable("its build_input_shape", *NONSENSE):
                model._declare(self._asked.shape(shape), None)
        known = model.layers and model.input_shape is not None
        self.source.require(known or not self._whole, "a model without layers, or that was saved before "
                            "its input was known.")
        return model

    def layer(self, data: Any, outer: str = "float32") -> Layer:
        """The layer, or the cell, that a node describes. outer: the dtype of what it stands in."""
        self._asked.layer()
        module, name, config = self._node(data, "layer")
        cls = self._known(module, name, "layer", CATALOGUE, data.get("registered_name"))
        self.source.require(isinstance(cls, type) and issubclass(cls, Layer), f"custom_objects[{name!r}] is {cls!r}: pass the "
                            "class of the layer.")
        if cls is InputLayer:
            return self._input(config)
        if cls is Lambda:
            config["function"] = self._function(config.get("function"), "function", {})
        config = self._stripped(name, config, NEUTRAL)
        self._asked.settings(name, config)
        dtype = _dtype_name(config.pop("dtype", None)) or outer
        if dtype != outer:              # else what is around it says as much
            config["dtype"] = dtype
        with self.source.readable(f"its {name} cannot be made", *NONSENSE):
            return cls.from_config({key: self._setting(cls, key, value, dtype) for key, value in config.items()})

    # ---- rows

    def _rows(self, name: str, config: dict[str, Any]) -> list[Any]:
        """The nodes of the layers in their order."""
        rows = config.get("layers")
        self.source.require(isinstance(rows, list), f"a {name} without a list of layers.")
        assert isinstance(rows, list)
        if "input_layers" not in config and "output_layers" not in config:
            self.source.require(name == "Sequential" or name in self.custom, f"a model of the class {name!r}; this is a "
                                "library of Sequential models.")
            return rows
        last = None
        for row in rows:
            _, own, inner = self._node(row, "layer")
            came = _sources(row.get("inbound_nodes")) if own != "InputLayer" else ([] if last is None else None)
            self.source.require(came == ([] if last is None else [last]), f"its layer {inner.get('name')!r} does not take the "
                                "output of the one before it alone: a Sequential is a plain row of layers. Branches, several "
                                "inputs and shared layers are not in this library.")
            last = inner.get("name")
        self.source.require(config.get("output_layers") in ([last, 0, 0], [[last, 0, 0]]), "a model whose output is not that "
                            "of its last layer alone.")
        return rows

    # ---- nodes

    def _node(self, data: Any, kind: str) -> tuple[Any, str, dict[str, Any]]:
        """(module, class name, config) of an object."""
        usual = isinstance(data, dict) and isinstance(data.get("class_name"), str) and isinstance(data.get("config"), dict)
        self.source.require(usual, f'{_one(kind)} that is no {{"class_name": ..., "config": {{...}}}}.')
        return data.get("module"), data["class_name"], dict(data["config"])

    def _known(self, module: Any, name: str, kind: str, table: Mapping[str, Any], registered: Any = None) -> Any:
        """What a name stands for, in custom_objects or, where it is Keras's or ours, in the table."""
        for own in registered, name:
            if isinstance(own, str) and own in self.custom:
                return self.custom[own]
        ours = module is None or str(module).split(".")[0] in ("keras", "jaxseq", "tf_keras")
        if not ours or name not in table:
            told = nearest(name, table) if ours and len(table) > 20 else ""
            self.source.require(False, f"the {kind} {name!r} is not one of this library.{told} If it is your own, pass "
                                f"custom_objects={{{name!r}: {name}}}.")
        return table[name]

    def _setting(self, cls: type[Layer], key: str, value: Any, dtype: str) -> Any:
        """A field of a layer: what its name promises, or plain data, with tuples for lists."""
        kind = key.rsplit("_", 1)[-1]
        if kind in _KINDS and value is not None:
            made = self._object(kind, value, dtype)
            default = next((each.default for each in fields(cls) if each.name == key), None)
            usual = None if default in (None, MISSING) or callable(default) else _KINDS[kind][1](default)
            return default if made == usual else made
        return self._plain(value, dtype)

    def _plain(self, value: Any, dtype: str = "float32") -> Any:
        """A setting whose name promises nothing: plain data with tuples for lists, an array, a function, an object."""
        if isinstance(value, list):
            return tuple(self._plain(each, dtype) for each in value)
        if not isinstance(value, dict):
            return value
        if "class_name" not in value:
            return {key: self._plain(each, dtype) for key, each in value.items()}
        if value["class_name"] == "function":
            return self._function(value, "function", {})
        if value["class_name"] in MODELS:
            return self.model(value, dtype)
        _, name, config = self._node(value, "setting")
        if name in ("__numpy__", "__tensor__"):
            with self.source.readable("an array", *NONSENSE):
                return np.asarray(config["value"], config["dtype"])
        return self._thing(value, dtype)

    def _thing(self, node: dict[str, Any], dtype: str) -> Any:
        """A layer, or another object of ours or of the user's that knows its own config."""
        module, name, config = self._node(node, "setting")
        table = next((table for place, table in MODULES.items() if module in (place, None) and name in table), CATALOGUE)
        known = self._known(module, name, "layer" if table is CATALOGUE else "setting", table, node.get("registered_name"))
        if isinstance(known, type) and issubclass(known, Layer):
            return self.layer(node, dtype)
        self.source.require(hasattr(known, "from_config"), f"the setting {name!r} is an object that is not read.")
        with self.source.readable(f"its {name} cannot be made", *NONSENSE):
            return known.from_config({key: self._plain(each, dtype) for key, each in config.items()})

    def _object(self, kind: str, value: Any, dtype: str) -> Any:
        """An activation, which may be a layer, an initializer, regularizer or constraint."""
        table, get = _KINDS[kind]
        if isinstance(value, str):
            known = get(value, self.custom)
            return value if value in table else known
        if isinstance(value, dict) and value.get("class_name") == "function":
            return self._function(value, kind, table)
        module, name, config = self._node(value, kind)
        table = CATALOGUE if kind == "activation" else table
        known = self._known(module, name, kind, table, value.get("registered_name"))
        if isinstance(known, type) and issubclass(known, Layer):
            return self.layer(value, dtype)
        if kind == "activation" or not hasattr(known, "from_config"):
            self.source.require(name in self.custom, f"the {kind} {name!r} is an object that is not read. Use a function.")
            return known(**config)
        return known.from_config(config)

    def _function(self, node: Any, kind: str, table: Mapping[str, Any]) -> Any:
        """A function by its name: the user's, or one of ours."""
        named = isinstance(node, dict) and node.get("class_name") == "function" and isinstance(node.get("config"), str)
        self.source.require(named, f"{_one(kind)} that is no named function.")
        module = str(node.get("module"))
        if module in ("None", "builtins"):              # so Keras writes its own
            module, table = "keras", {name: each for known in FUNCTIONS.values() for name, each in known.items()} | dict(table)
        return self._known(module, node["config"], kind, FUNCTIONS.get(module, table), node.get("registered_name"))

    def _input(self, config: dict[str, Any]) -> InputLayer:
        """What the data are like. float32 is left open: an Embedding in front then takes its ids as whole numbers."""
        config = self._stripped("InputLayer", config, INPUT)
        dtype = _dtype_name(config.get("dtype"))
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        self.source.require(isinstance(shape, list), "an InputLayer without a shape.")
        self.source.require(dtype is None or dtype in NUMBERS, f"an InputLayer of the dtype {dtype!r}.")
        with self.source.readable("its InputLayer cannot be made", *NONSENSE):
            return InputLayer(dtype=None if dtype == "float32" else dtype, batch_input_shape=self._asked.shape(shape or []))

    def _stripped(self, name: str, config: dict[str, Any], neutral: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """The config without settings that this library has not, which must say nothing."""
        for key, harmless in neutral.items():
            if key in config:
                value = config.pop(key)
                self.source.require(value in harmless, f"{name}({key}={value!r}) is not in this library.")
        return config


_KINDS: dict[str, tuple[Mapping[str, Any], Any]] = {
    "activation": (activations.TABLE, activations.get), "initializer": (initializers.TABLE, initializers.get),
    "regularizer": (regularizers.TABLE, regularizers.get), "constraint": (constraints.TABLE, constraints.get)}


def _one(kind: str) -> str:
    """The kind with its article."""
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _dtype_name(dtype: Any) -> str | None:
    """The name in a dtype policy."""
    if isinstance(dtype, dict):
        config = dtype.get("config")
        dtype = config.get("name") if isinstance(config, dict) else "unknown"
    return dtype if dtype is None else str(dtype)


def _sources(nodes: Any) -> list[Any] | None:
    """The layers whose outputs a layer takes, in a file of a functional model; None for what is no plain call."""
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], dict):
        return None
    found, waiting = [], [nodes[0].get("args"), nodes[0].get("kwargs")]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict) and each.get("class_name") == "__keras_tensor__":
            config = each.get("config")
            history = config.get("keras_history") if isinstance(config, dict) else None
            found.append(history[0] if isinstance(history, list) and history[1:] == [0, 0] else None)
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return found
