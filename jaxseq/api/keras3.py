"""Keras 3's names at the top of the package: those that stand in a module here, and what to write for others."""

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
    """What keras.<name> is here. AttributeError for what is not here."""
    found = getattr(importlib.import_module(f"jaxseq.{IN_MODULES[name]}"), name, None) if name in IN_MODULES else None
    if found is None:
        raise AttributeError(f"module 'jaxseq' has no attribute {name!r}." + (f" {HINTS[name]}" if name in HINTS else ""))
    return found
