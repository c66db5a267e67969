"""The words of Keras 2's config, and of tf.keras's, in those that `Rebuilder` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HARD_SIGMOID = "hard_sigmoid_keras2"        # what Keras 2 means by hard_sigmoid; Keras 3's has another slope
ACTIVATIONS = "activation", "recurrent_activation"


def is_old(version: str) -> bool:
    """Whether Keras 2 or 1 is that version: what it wrote means something else."""
    return version[:1] in ("1", "2")


def model(described: dict[str, Any], old: bool) -> dict[str, Any]:
    """The model of a file, whose config is a bare list in the oldest. old: whether Keras 2 or 1 wrote it."""
    config = described.get("config")
    if isinstance(config, list):
        described = {**described, "config": {"layers": config}}
    return _everywhere(described, _layer if old else lambda name, config: config)


def compiled(told: dict[str, Any]) -> dict[str, Any]:
    """What training_config says, as compile_config says it."""
    config = {"optimizer": told.get("optimizer_config"), "loss": told.get("loss"), "loss_weights": told.get("loss_weights"),
              "metrics": _metrics(told.get("metrics")), "weighted_metrics": _metrics(told.get("weighted_metrics"))}
    return _everywhere(config, _setting)


def _everywhere(data: Any, change: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Any:
    """The data with change(class_name, config) in the place of the config of every object. The depth is bounded."""
    if isinstance(data, list):
        return [_everywhere(each, change) for each in data]
    if not isinstance(data, dict):
        return data
    data = {key: _everywhere(value, change) for key, value in data.items()}
    if isinstance(data.get("class_name"), str) and isinstance(data.get("config"), dict):
        data["class_name"] = data["class_name"].removeprefix("Custom>")        # tf.keras's own optimizers, for one
        data["config"] = change(data["class_name"], data["config"])
    return data


def _layer(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """A layer's settings where they meant something else, or had another form."""
    meant = {word: HARD_SIGMOID for word in ACTIVATIONS if config.get(word) == "hard_sigmoid"}
    if name in ("GRU", "GRUCell"):
        meant["reset_after"] = config.get("reset_after", False)         # files from before 2.1.6 do not say
    if name == "BatchNormalization" and isinstance(config.get("axis"), list) and len(config["axis"]) == 1:
        meant["axis"] = config["axis"][0]
    if name == "Lambda" and config.get("function_type") == "function":
        meant["function"] = {"class_name": "function", "config": config.get("function")}
    gone = _GONE | (_OF_PLAIN_KERNELS if name.startswith(("Separable", "Depthwise")) else set())
    return {key: value for key, value in (config | meant).items() if key not in gone and (key, value) != ("groups", 1)}


# Of Lambda, whose other words say nothing that would matter here.
_GONE = {"function_type", "output_shape_type", "output_shape_module", "module"}
# Settings that layers with two kernels, or with one for each channel, carry along and never read.
_OF_PLAIN_KERNELS = {"kernel_initializer", "kernel_regularizer", "kernel_constraint"}


def _setting(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a loss, metric or optimizer without those that only tf.keras has."""
    gone = {"fn", "is_legacy_optimizer", "jit_compile"} | ({"reduction"} if config.get("reduction") == "auto" else set())
    return {key: value for key, value in config.items() if key not in gone}


def _metrics(told: Any) -> Any:
    """Metrics as compile takes them: of tf.keras's MeanMetricWrapper the function that it wraps."""
    if isinstance(told, list):
        return [_metrics(each) for each in told]
    config = told.get("config") if isinstance(told, dict) else None
    if isinstance(config, dict) and "fn" in config:
        return config["fn"]
    return told
