"""Models made from other models: out of JSON, and copies with fresh weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxseq.api import config
from jaxseq.api.files import keras2, plain_json, rebuilt
from jaxseq.api.files.refusal import Source
from jaxseq.api.sequential import Sequential
from jaxseq.core.layer import Layer
from jaxseq.core.layers import InputLayer
from jaxseq.core.types import Array


def model_from_json(text: str, custom_objects: dict[str, Any] | None = None) -> Sequential:
    """The model that `model.to_json()` described, ours or that of Keras 2 or 3, with first weights of its own and not compiled.
    ValueError for any other text.

    custom_objects: {name: class or function} of the user's own.
    """
    data = config.from_json(text)
    version = data.get("keras_version")
    if isinstance(version, str):
        bounded = plain_json.parsed(Source("The model's config"), "config", text.encode())
        return rebuilt.of_config(Sequential, keras2.model(bounded, keras2.is_old(version))["config"], custom_objects)
    return Sequential.from_config(data["config"], custom_objects)


def clone_model(model: Sequential, clone_function: Callable[[Layer], Layer] | None = None, *,
                seed: int | Array | None = None) -> Sequential:
    """A model of the same layers with first weights of its own, not compiled. Models within it are cloned, too.

    clone_function: (layer) -> the layer that takes its place; a copy when absent. seed: as in Sequential.
    """
    copied = clone_function or (lambda layer: layer.with_models(clone_model))
    clone = type(model)(name=model.name, seed=seed, dtype=model.dtype)
    if model.input_shape is not None:
        clone.add(InputLayer(batch_input_shape=model.input_shape, dtype=model.input_dtype))
    for name, layer in model.named_layers:
        if isinstance(layer, Sequential):
            part = clone_model(layer, clone_function)
            part.name = name
        else:
            part = copied(layer)
        clone.add(part)
    clone.trainable = model.trainable
    return clone
