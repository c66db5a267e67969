"""An architecture as plain data, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxseq.api.architecture import Architecture
from jaxseq.core import layers as catalogue
from jaxseq.core.layer import Layer
from jaxseq.core.require import nearest, require


def of_model(name: str, architecture: Architecture) -> dict[str, Any]:
    """{"name", "layers": [{"class_name", "config"}], "build_input_shape"}; the input stands first among the layers."""
    described = [{"class_name": type(layer).__name__, "config": layer.get_config()} for _, layer in architecture.layers]
    if architecture.input is not None:
        shape = list(architecture.input)
        described.insert(0, {"class_name": "InputLayer", "config": {"batch_input_shape": shape, "dtype": architecture.dtype}})
    return {"name": name, "layers": described,
            "build_input_shape": None if architecture.input is None else list(architecture.input)}


def layers(data: dict[str, Any], custom_objects: dict[str, Any]) -> Iterator[Layer]:
    """The layers that `of_model` described. ValueError for a class that is neither ours nor in custom_objects."""
    known = {name: cls for name, cls in vars(catalogue).items() if isinstance(cls, type)} | custom_objects
    for each in data["layers"]:
        name = each["class_name"]
        require(name in known, f"Unknown layer {name!r}." + nearest(name, known) + " For a layer of your own pass "
                f"custom_objects={{{name!r}: {name}}}.")
        yield known[name](**{field: _meant(value, custom_objects) for field, value in each["config"].items()})


def _meant(value: Any, custom_objects: dict[str, Any]) -> Any:
    """The value that `Layer.get_config` wrote down; a function is one of the user's custom_objects, or a name of ours."""
    if isinstance(value, list):
        return tuple(_meant(each, custom_objects) for each in value)
    if isinstance(value, dict) and value.get("class_name") == "function":
        return custom_objects.get(value["config"], value["config"])
    return value
