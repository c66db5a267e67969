"""Names at the top of the package that are looked for when they are asked for: Keras 3's, and the estimators' module."""

from __future__ import annotations

import importlib
from typing import Any

IN_MODULES = {"Layer": "layers", "Metric": "metrics", "Loss": "losses", "Optimizer": "optimizers",
              "Initializer": "initializers", "Regularizer": "regularizers"}
HINTS = {"ops": "Write jax.numpy, or jaxseq.backend in the words of Keras 2.",
         "random": "Draw with jax.random and the layer's own key: ctx.key in apply, self.draw_key() in call.",
         "Model": "Every model is a Sequential; model.functional() opens it for what is none.",
         "Variable": "Weights are made by self.add_weight(...) in a layer, or in init."}


def named(name: str) -> Any:
    """What jaxseq.<name> is; AttributeError for what is not here. jaxseq.wrappers needs scikit-learn."""
    if name == "wrappers":
        return importlib.import_module("jaxseq.wrappers")
    found = getattr(importlib.import_module(f"jaxseq.{IN_MODULES[name]}"), name, None) if name in IN_MODULES else None
    if found is None:
        raise AttributeError(f"module 'jaxseq' has no attribute {name!r}." + (f" {HINTS[name]}" if name in HINTS else ""))
    return found
