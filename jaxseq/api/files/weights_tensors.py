"""`.safetensors`: the weights alone, each under its path in the model: dense/kernel."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

import numpy as np

from jaxseq.api import weights
from jaxseq.api.files import tensors, weights_h5
from jaxseq.api.files.refusal import Source
from jaxseq.core.types import TrainState


def write(file: BinaryIO, model: Any) -> None:
    """Writes every weight that get_weights gives."""
    ts = model.train_state
    file.write(tensors.hashed({weights.told(slot): np.asarray(weights.at(ts, slot)) for slot in model._slots()}))


def read(source: Source, file: BinaryIO, model: Any, *, skip_mismatch: bool = False) -> TrainState:
    """The model's TrainState with the weights of the file, found by their paths. Raises: FileRejected."""
    header = tensors.header_of(source, file)
    ts, wanted = model.train_state, {weights.told(slot): slot for slot in model._slots()}
    faults = weights_h5.compared(source, header.places, {path: tuple(weights.at(ts, slot).shape)
                                                         for path, slot in wanted.items()}, strict=not skip_mismatch)
    found = tensors.read(source, file, header)
    if faults:
        warnings.warn(f"{source.path}: left as they are: " + "; ".join(faults), stacklevel=4)
    fitting = {path: slot for path, slot in wanted.items() if path in found and found[path].shape == weights.at(ts, slot).shape}
    values = {slot: weights_h5.typed(source, path, found[path], weights.at(ts, slot).dtype) for path, slot in fitting.items()}
    return weights_h5.with_values(ts, values)
