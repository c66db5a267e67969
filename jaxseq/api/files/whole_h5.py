"""`.h5` and `.hdf5`, the whole models of Keras 2, which Keras 3 still reads and writes.

    attributes         model_config, training_config (JSON), keras_version, backend; in ours a hash of them
    model_weights      as legacy_h5.py has them
    optimizer_weights  a list of arrays, in an order of each writer's own
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxseq.api.files import hdf5, keras2, keras_zip, legacy_h5, optimizer_state, plain_json, weights_h5
from jaxseq.api.files.hdf5 import Group
from jaxseq.api.files.refusal import Source
from jaxseq.core import losses
from jaxseq.core.types import TrainState

MODEL, TRAINING, OPTIMIZER = "model_config", "training_config", "optimizer_weights"
HASH, HASHED = "blake2b", (MODEL, TRAINING, "keras_version", "backend")     # HDF5 has no checksum of texts of any length


def write(file: BinaryIO, model: Any, *, include_optimizer: bool = True) -> None:
    """Writes architecture and weights, and with include_optimizer how it is trained and the optimizer's state."""
    about_model = keras_zip.described(model, include_optimizer)
    compiled = about_model.pop("compile_config", None)
    about = {MODEL: json.dumps(about_model, allow_nan=False)}
    groups = {f"model_weights/{path}".rstrip("/"): group for path, group in legacy_h5.groups(model).items()}
    listed = None
    if compiled is not None:
        optimizer = compiled.pop("optimizer")
        told = {**compiled, "loss": _in_full(compiled.get("loss")), "optimizer_config": optimizer}
        about[TRAINING] = json.dumps(told, allow_nan=False)
        listed = weights_h5.listed(model, model.settled_state())
    if listed is not None:
        known, leaves = listed
        names = [f"variable_{number}" for number in range(len(known))]
        groups[OPTIMIZER] = Group({name: np.asarray(each.read(leaves)) for name, each in zip(names, known, strict=True)},
                                  legacy_h5.names("weight_names", names))
    about |= {"keras_version": keras_zip.VERSION, "backend": "jax"}
    about[HASH] = _digest(about[name] for name in HASHED if name in about)
    hdf5.write(file, {"": Group({}, {name: text.encode() for name, text in about.items()}), **groups})


def _in_full(loss: Any) -> Any:
    """The loss by its long name: Keras 3 does not know the short ones, such as "mse", where it reads an .h5."""
    if isinstance(loss, list):
        return [_in_full(each) for each in loss]
    return losses.TABLE[loss].__name__ if isinstance(loss, str) and loss in losses.TABLE else loss


class Described(NamedTuple):
    """What a file says of its model, in Keras 3's words. held: bytes of numbers in it, each as wide as float32 at least.
    groups: of weights."""

    model: dict[str, Any]
    compiled: dict[str, Any] | None
    held: int
    groups: int


def described(source: Source, file: BinaryIO) -> Described:
    """What the file says, before anything is made of it. Raises: FileRejected."""
    with hdf5.opened(source, file) as root:
        found = hdf5.survey(source, root)
        source.require(MODEL in root.attributes, "weights without a model. Build the model and write model.load_weights(...).")
        told = attributes(source, root)
        model = plain_json.parsed(source, MODEL, told[MODEL].encode())
        training = plain_json.parsed(source, TRAINING, told[TRAINING].encode()) if TRAINING in told else None
        old = keras2.is_old(told.get("keras_version", "1"))
        held, groups = sum(node.size * max(4, node.dtype.itemsize) for node in found.values()), hdf5.groups(root)
    return Described(keras2.model(model, old), None if training is None else keras2.compiled(training), held, groups)


def attributes(source: Source, root: Any) -> dict[str, str]:
    """What a file says beside its arrays, as texts. FileRejected where it is not what we wrote."""
    told = {name: hdf5.text(root, name) for name in HASHED if name in root.attributes}
    same = HASH not in root.attributes or hdf5.text(root, HASH) == _digest(told.values())
    source.require(same, "is damaged: the hash of its attributes is another than when it was written.")
    return told


def _digest(texts: Iterable[str]) -> str:
    """A hash of texts in the order of HASHED."""
    digest = hashlib.blake2b(digest_size=32)
    for text in texts:
        digest.update(f"{len(text)} {text}".encode())
    return digest.hexdigest()


def remembering(source: Source, file: BinaryIO, model: Any) -> TrainState:
    """The TrainState with the optimizer's state of the file; where it has none that fits, as it was, with a warning."""
    ts = model.settled_state()
    listed = weights_h5.listed(model, ts)
    with hdf5.opened(source, file) as root:
        if OPTIMIZER not in root or listed is None:
            return ts
        found = hdf5.survey(source, root)
        paths = [f"{OPTIMIZER}/{name}" for name in legacy_h5.names_in(source, root[OPTIMIZER], "weight_names")]
        for path in paths:
            source.require(path in found, "is in the list of weights and not in the file.", path)
        nodes = [found[path] for path in paths]
        known, leaves = listed
        order = _order(model.optimizer, known, leaves, model.trained_slots(), [node.shape for node in nodes])
        if order is None:
            warnings.warn(f"{source.path}: the optimizer's state in the file is in no order that is known for "
                          f"{model.optimizer!r}; it begins anew.", stacklevel=4)
            return ts
        for path, node, each in zip(paths, nodes, order, strict=False):
            value = node.read().astype(np.int32) if each.whole else weights_h5.numbers(
                source, path, node, weights_h5.digits(each, leaves))
            source.require(not each.whole or value >= 0, f"{value} updates.", path)
            each.write(leaves, value)
    batches = int(known[0].read(leaves))
    return ts._replace(opt_state=optimizer_state.closed(ts.opt_state, leaves), step=jnp.array(batches, ts.step.dtype))


def _order(optimizer: Any, known: list[optimizer_state.Variable], leaves: Any, slots: Any,
           shapes: list[tuple[int, ...]]) -> list[optimizer_state.Variable] | None:
    """What the arrays of those shapes are, in their order: Keras 3's, or Keras 2's with or without a count of updates."""
    early = optimizer_state.in_keras_2_order(optimizer, leaves, slots)
    for order in known, early, early and early[1:]:
        if order and [each.shape for each in order] == shapes[:len(order)] and all(
                shape in ((), (1,)) for shape in shapes[len(order):]):              # Adam's place for what amsgrad keeps
            return order
    return None
