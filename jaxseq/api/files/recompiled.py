"""A compiled model out of Keras 3's compile_config: its optimizer, losses and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxseq.api.files.rebuilt import NEUTRAL, NONSENSE, Rebuilder
from jaxseq.api.files.words import DECAY, MODULES, plain_patterns
from jaxseq.api.sequential import Sequential
from jaxseq.core import losses, metrics, optimizers

# What Keras once wrote of a LossScaleOptimizer, where it means nothing.
UNSET: dict[str, tuple[Any, ...]] = {
    "weight_decay": (None,), "clipnorm": (None,), "global_clipnorm": (None,), "clipvalue": (None,), "use_ema": (False,),
    "ema_momentum": (0.99,), "ema_overwrite_frequency": (None,), "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,)}


class Recompiler(Rebuilder):
    """A Rebuilder that also compiles the model which it has made."""

    def compile(self, model: Sequential, data: dict[str, Any]) -> None:
        """Compiles the model as compile_config says. Raises: FileRejected."""
        config = data.get("compile_config")
        if not isinstance(config, dict) or config.get("optimizer") is None:     # Keras writes an empty one if not compiled
            return
        hint = "compile_config: pass compile=False to load the model without it"
        with self.source.readable(hint, *NONSENSE):
            model.compile(self._optimizer(config.get("optimizer")), _each(self._loss, config.get("loss")),
                          _each(self._metric, config.get("metrics")), config.get("loss_weights"),
                          weighted_metrics=_each(self._metric, config.get("weighted_metrics")),
                          run_eagerly=config.get("run_eagerly") is True,
                          auto_scale_loss=config.get("auto_scale_loss") is not False)

    def _optimizer(self, data: Any) -> Any:
        module, name, config = self._node(data, "optimizer")
        known = self._known(module, name, "optimizer", _OPTIMIZERS, data.get("registered_name"))
        if known is optimizers.LossScaleOptimizer:
            return known(self._optimizer(config.pop("inner_optimizer", None)), **self._stripped(name, config, UNSET))
        config = self._stripped(name, config, NEUTRAL)
        self._asked.settings(name, config, "compile_config")
        self.source.require(plain_patterns(config.get("exclude_layers") or ()), f"{name}(exclude_layers): patterns are not "
                            "read from files, but for letters, digits, spaces, '_', '-', '/', '^' and '$'.", "compile_config")
        rate = config.get("learning_rate")
        inner = rate.get("config") if isinstance(rate, dict) else None
        if isinstance(inner, dict) and inner.get("name") == DECAY:          # how `words` writes Keras 2's decay
            config |= {"learning_rate": inner["initial_learning_rate"], "decay": inner["decay_rate"]}
        return known.from_config({key: self._plain(value) for key, value in config.items()})

    def _loss(self, data: Any) -> Any:
        if data is None or isinstance(data, str) and data not in self.custom:
            return data
        if isinstance(data, str):
            return self.custom[data]
        if isinstance(data, dict) and data.get("class_name") == "function":
            return self._function(data, "loss", losses.TABLE | losses.UNPAIRED)
        module, name, config = self._node(data, "loss")
        known = self._known(module, name, "loss", losses.CLASSES, data.get("registered_name"))
        config.pop("dtype", None)
        return known.from_config({key: self._plain(value) for key, value in config.items()})

    def _metric(self, data: Any) -> Any:
        if isinstance(data, str):
            return self.custom.get(data, data)
        if isinstance(data, dict) and data.get("class_name") == "function":
            return self._function(data, "metric", metrics.TABLE)
        module, name, config = self._node(data, "metric")
        known = self._known(module, name, "metric", MODULES["keras.metrics"], data.get("registered_name"))
        config.pop("dtype", None)
        if known is metrics.CLASSES.get(name):
            self._asked.counters(name, config)
        return known.from_config({key: self._plain(value) for key, value in config.items()})


_OPTIMIZERS: dict[str, Any] = {**optimizers.CLASSES, "LossScaleOptimizer": optimizers.LossScaleOptimizer}


def _each(make: Callable[[Any], Any], told: Any) -> Any:
    """What make gives of everything in lists, and in dicts by the names of outputs; None stays none."""
    if isinstance(told, list):
        return [_each(make, each) for each in told]
    if isinstance(told, dict) and "class_name" not in told:
        return {name: _each(make, each) for name, each in told.items()}
    return None if told is None else make(told)
