"""An architecture as plain data, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from jaxseq.api.architecture import Architecture
from jaxseq.core import layers as catalogue
from jaxseq.core.declared import restored
from jaxseq.core.layer import Layer
from jaxseq.core.require import require, require_known

CATALOGUE = {name: cls for name, cls in vars(catalogue).items() if isinstance(cls, type)}
MODELS = "Sequential", "Functional"     # Keras's words for a row of layers


def of_model(name: str, layers: list[tuple[str, Any]], architecture: Architecture) -> dict[str, Any]:
    """{"name", "layers": [{"class_name", "config"}], "build_input_shape"}, and "dtype" where it was written.

    The input stands first among the layers. layers: (name, layer or model), named as they are in this model.
    """
    kind = lambda layer: type(layer).__name__ if isinstance(layer, Layer) else "Sequential"
    described = [{"class_name": kind(layer), "config": layer.get_config() | {"name": own}} for own, layer in layers]
    if architecture.input is not None:
        shape = list(architecture.input)
        described.insert(0, {"class_name": "InputLayer", "config": {"batch_input_shape": shape, "dtype": architecture.dtype}})
    return {"name": name, "layers": described,
            "build_input_shape": None if architecture.input is None else list(architecture.input),
            **({} if architecture.policy is None else {"dtype": architecture.policy})}


def layers(data: dict[str, Any], custom_objects: dict[str, Any], model: Callable[[dict[str, Any]], Any]) -> Iterator[Any]:
    """The layers that `of_model` described. ValueError for a class that is neither ours nor in custom_objects.

    model: makes a model within the model, of its config.
    """
    for each in data["layers"]:
        yield model(each["config"]) if each["class_name"] == "Sequential" else _layer(each, custom_objects, model)


def _layer(data: dict[str, Any], custom_objects: dict[str, Any], model: Callable[[dict[str, Any]], Any]) -> Layer:
    name, known = data["class_name"], CATALOGUE | custom_objects
    require_known(name, known, f"Unknown layer {name!r}.", cure=f" For a layer of your own pass custom_objects={{{name!r}: "
                  f"{name}}}.")
    settings = {field: _meant(value, custom_objects, model) for field, value in data["config"].items()}
    return known[name].from_config(settings)


def to_json(data: dict[str, Any], **options: Any) -> str:
    """What `of_model` gave, as JSON text in the form of Keras 2."""
    return json.dumps({"class_name": "Sequential", "config": data, "backend": "jax"}, **options)


def in_words_of_keras(data: dict[str, Any]) -> bool:
    """Whether Keras 3 wrote the config of the model: it says of every object in which module that is, and of a functional
    model what that begins with."""
    objects = data.get("dtype"), *data["layers"]
    return "input_layers" in data or any("module" in each for each in objects if isinstance(each, dict))


def from_json(text: str) -> dict[str, Any]:
    """{"class_name", "config", ...} of a model, as `to_json` or Keras wrote it. ValueError for text that is no JSON, or of
    another model."""
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"This is no JSON: {error}. Pass what model.to_json() returned.") from None
    config = data.get("config") if isinstance(data, dict) and data.get("class_name") in MODELS else None
    rows = config.get("layers") if isinstance(config, dict) else config if "keras_version" in (data or {}) else None
    require(isinstance(rows, list), "This JSON does not describe a Sequential: pass what model.to_json() returned.")
    return data


def _meant(value: Any, custom_objects: dict[str, Any], model: Callable[[dict[str, Any]], Any]) -> Any:
    """The value that `Layer.get_config` wrote down; a function is one of the user's custom_objects, or a name of ours."""
    if isinstance(value, list):
        return tuple(_meant(each, custom_objects, model) for each in value)
    if isinstance(value, dict) and value.get("class_name") == "function":
        return custom_objects.get(value["config"], value["config"])
    if isinstance(value, dict) and value.get("class_name") in CATALOGUE | custom_objects:
        return _layer(value, custom_objects, model)                             # the part of a wrapper
    if isinstance(value, dict) and value.get("class_name") == "Sequential":
        return model(value["config"])
    return restored(value)
