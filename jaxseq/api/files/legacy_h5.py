"""`.h5` and `.hdf5`, the weights of Keras 2: a group for each layer, called by its name, in an order that attributes keep.

Keras 2 and Keras 3 read what is written here. The weights within a whole model of Keras 2 are read as well.
"""

from __future__ import annotations

import warnings
from itertools import count, takewhile
from typing import Any, BinaryIO

import numpy as np

from jaxseq.api import weights
from jaxseq.api.files import hdf5, weights_h5
from jaxseq.api.files.hdf5 import Group
from jaxseq.api.files.places import by_layer
from jaxseq.api.files.refusal import Source
from jaxseq.core.layer import Layer
from jaxseq.core.types import TrainState

ATTRIBUTE = 64_000      # bytes: HDF5's limit for one attribute, above which Keras cuts lists of names into pieces
VERSION = "2.2.4"       # of Keras, whose form this is


def write(file: BinaryIO, model: Any) -> None:
    """Writes the weights of every layer, by its name and in Keras's order."""
    hdf5.write(file, groups(model))


def groups(model: Any) -> dict[str, Group]:
    """What a file of weights holds, by path."""
    ts, listed = model.train_state, _by_layer(model)
    found = {"": Group({}, names("layer_names", list(listed)) | {"backend": b"jax", "keras_version": VERSION.encode()})}
    for layer, slots in listed.items():
        found[layer] = Group({}, names("weight_names", [f"{layer}/{_name(slot)}" for slot in slots]))
        found[f"{layer}/{layer}"] = Group({_name(slot): np.asarray(weights.at(ts, slot)) for slot in slots})
    return found


def read(source: Source, file: BinaryIO, model: Any, *, by_name: bool = False, skip_mismatch: bool = False) -> TrainState:
    """The model's TrainState with the weights of the file: layer by layer in order, or by_name those of the same name."""
    with hdf5.opened(source, file) as root:
        found = hdf5.survey(source, root)
        base = "model_weights/" if "model_weights" in root else ""
        group = root["model_weights"] if base else root
        source.require({"layer_names", "layer_names0"} & group.attributes.keys(), "no weights in the form of Keras 2: if it "
                       "comes from Keras 3, its name should end in .weights.h5.")
        source.require(hdf5.text(group, "backend") != "theano", "weights of Keras on Theano, whose kernels are "
                       "turned round. Load them in Keras 2 on TensorFlow and save them there.")
        stored = _stored(source, group, base, found)
        ts = model.settled_state()
        pairs = _pairs(source, {name: slots for name, slots in _by_layer(model).items() if slots}, stored, by_name)
        wanted = _fitting(source, pairs, ts, found, skip_mismatch)
        values = {slot: weights_h5.numbers(source, path, found[path], weights.at(ts, slot).dtype)
                  for path, slot in wanted.items()}
    return weights_h5.with_values(ts, values)


def _by_layer(model: Any) -> dict[str, list[weights.Slot]]:
    """{layer: where its weights stand, in Keras 2's order}: of a model within, those that are trained come first."""
    listed = by_layer(model)
    for name, part in model.named_layers:
        if not isinstance(part, Layer):
            trained = part._trained_slots()
            listed[name].sort(key=lambda slot: (slot[0], *slot[2:]) not in trained)
    return listed


def _name(slot: weights.Slot) -> str:
    """A weight as the group of its layer calls it; behind the names of models between, where there are any."""
    return "/".join(slot[2:]) + ":0"


def _stored(source: Source, group: Any, base: str, found: dict[str, Any]) -> dict[str, list[str]]:
    """{layer: paths of its arrays in order}, for layers that have any."""
    stored: dict[str, list[str]] = {}
    for layer in names_in(source, group, "layer_names"):
        source.require(layer in group, "is in the list of layers and not in the file.", layer)
        paths = [f"{base}{layer}/{weight}" for weight in names_in(source, group[layer], "weight_names")]
        for path in paths:
            source.require(path in found, "is in the list of weights and not in the file.", path)
        source.require(len(paths) == len(set(paths)) and layer not in stored, "is listed twice.", layer)
        if paths:
            stored[layer] = paths
    return stored


def _pairs(source: Source, own: dict[str, list[weights.Slot]], stored: dict[str, list[str]],
           by_name: bool) -> list[tuple[str, list[weights.Slot], list[str]]]:
    """(layer, its weights, the paths of what they become)."""
    if by_name:
        return [(name, own[name], stored[name]) for name in own if name in stored]
    source.require(len(own) == len(stored), f"weights of {len(stored)} layers, for a model with {len(own)} layers that have "
                   "any. Build the model they were saved from, or pass by_name=True to load the layers of the same names.")
    return [(name, slots, paths) for (name, slots), paths in zip(own.items(), stored.values(), strict=True)]


def _fitting(source: Source, pairs: list[tuple[str, list[weights.Slot], list[str]]], ts: TrainState, found: dict[str, Any],
             skip: bool) -> dict[str, weights.Slot]:
    """{path: slot} of the layers that fit as a whole; FileRejected for others, or with `skip` a warning."""
    fitting: dict[str, weights.Slot] = {}
    for name, slots, paths in pairs:
        have, want = [found[path].shape for path in paths], [tuple(weights.at(ts, slot).shape) for slot in slots]
        told = f"the layer {name!r} has weights {want}, the file {have}"
        source.require(have == want or skip, told + ". Build the model they were saved from, or pass skip_mismatch=True.")
        if have == want:
            fitting |= dict(zip(paths, slots, strict=True))
        else:
            warnings.warn(f"{source.path}: {told}: it is left as it is.", stacklevel=6)
    return fitting


def names(attribute: str, listed: list[str]) -> dict[str, np.ndarray]:
    """A list of names as Keras keeps it: one attribute of bytes, or several where that would be too large."""
    encoded = [name.encode() for name in listed]
    each = max(1, ATTRIBUTE // max(map(len, encoded), default=1))
    if len(encoded) <= each:
        return {attribute: np.array(encoded, "S") if encoded else np.zeros(0, "S1")}
    pieces = range(0, len(encoded), each)
    return {f"{attribute}{number}": np.array(encoded[start:start + each]) for number, start in enumerate(pieces)}


def names_in(source: Source, group: Any, attribute: str) -> list[str]:
    """What `_names` wrote."""
    pieces = takewhile(group.attributes.__contains__, (f"{attribute}{number}" for number in count()))
    parts = [attribute] if attribute in group.attributes else pieces
    listed = [name for part in parts for name in hdf5.texts(group, part)]
    for name in listed:
        plain = name and not name.startswith("/") and ".." not in name.split("/")
        source.require(plain, f"{ascii(name)} is no name of a layer or weight.", attribute)
    return listed
