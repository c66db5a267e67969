"""Saving: `from jaxseq.saving import load_model`, where Keras 3 has it."""

from typing import Any

from jaxseq.api.files.loading import load_model as load_model
from jaxseq.models import save_model as save_model


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'jaxseq.saving' has no attribute {name!r}. No class is registered here: pass your own to "
                         "each call, load_model(path, custom_objects={'Mine': Mine}).")
