"""load_model: a whole model out of a file."""

from __future__ import annotations

import os
from typing import Any

from jaxseq.api.files import hdf5, keras_zip, weights_h5
from jaxseq.api.files.methods import KERAS, LEGACY
from jaxseq.api.files.places import places
from jaxseq.api.files.rebuilt import NONSENSE, Rebuilder
from jaxseq.api.files.refusal import Source
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.sequential import Sequential
from jaxseq.core.require import require

STATE = 64 * 2**20      # bytes of state beside the weights, such as the memory of stateful layers


def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Sequential:
    """The model in a `.keras` file of Keras 3, on any backend, or of ours.

    custom_objects: {name: class or function} of your own layers, losses and functions; nothing else that a file names is
        run, and no code in it.
    compile: also as it was compiled, with the optimizer's state, so that training goes on where it was.
    Raises: FileRejected (a ValueError) for a file that is damaged or could do harm, and for what a Sequential cannot hold.
    """
    path = os.fspath(filepath)
    require(not path.endswith(LEGACY), f"load_model({path!r}): whole models are read from .keras files. Of an .h5 file of "
            "Keras 2 the weights are read: build the model and write model.load_weights(...).")
    require(path.endswith(KERAS), f"load_model({path!r}): whole models are read from .keras files.")
    source = Source(path)
    with open(path, "rb") as file, keras_zip.opened(source, file) as archive:
        data = keras_zip.config_of(source, archive)
        held = keras_zip.weights_of(archive)
    rebuilder = Rebuilder(source, custom_objects)
    model = rebuilder.model(data)
    _begin(source, model, held)
    if compile:
        rebuilder.compile(model, data)
    with at_step_boundary():
        model.train_state = weights_h5.read(source, held, model)
    return model


def _begin(source: Source, model: Sequential, held: Any) -> None:
    """Gives the model weights to be replaced. FileRejected before, unless the file has every one of them in its shape."""
    with source.readable("its layers do not fit together", *NONSENSE):
        specs = model.specs()
        wanted = {f"{place.path}/{number}": slot for place in places(model) for number, slot in enumerate(place.slots)}
    with hdf5.opened(source, held) as root:
        weights_h5.check(source, hdf5.survey(source, root), {path: tuple(specs[slot].shape) for path, slot in wanted.items()})
    held.seek(0)
    beside = {slot: spec for slot, spec in specs.items() if slot not in wanted.values()}
    size = sum(spec.size * spec.dtype.itemsize for spec in beside.values())
    source.require(size <= STATE, f"a state of {size:,} bytes beside the weights; {STATE:,} are made for a file.")
    if beside:
        model.build()               # a memory begins as its layer says
    else:
        model.fill_with_zeros()
