"""load_model: a whole model out of a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, BinaryIO

from jaxseq.api.files import hdf5, keras_zip, legacy_h5, weights_h5, whole_h5
from jaxseq.api.files.methods import KERAS, LEGACY
from jaxseq.api.files.places import places
from jaxseq.api.files.rebuilt import NONSENSE
from jaxseq.api.files.recompiled import Recompiler
from jaxseq.api.files.refusal import Source
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.sequential import Sequential
from jaxseq.core.require import require
from jaxseq.core.types import Spec

STATE = 64 * 2**20      # bytes of state beside the weights, such as the memory of stateful layers


def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Sequential:
    """The model in a `.keras` file of Keras 3, on any backend, in an `.h5` or `.hdf5` file of Keras 2 or 3, or in one of ours.

    custom_objects: {name: class or function} of your own layers, losses and functions; nothing else that a file names is
        run, and no code in it.
    compile: also as it was compiled, with the optimizer's state, so that training goes on where it was.
    Raises: FileRejected (a ValueError) for a file that is damaged or could do harm, and for what a Sequential cannot hold.
    """
    path = os.fspath(filepath)
    require(path.endswith((KERAS, *LEGACY)), f"load_model({path!r}): whole models are read from .keras, .h5 and .hdf5 files.")
    source = Source(path)
    if path.endswith(LEGACY):
        with open(path, "rb") as file, at_step_boundary():
            return _of_keras_2(source, file, custom_objects, compile)
    with open(path, "rb") as file, keras_zip.opened(source, file) as archive:
        data = keras_zip.config_of(source, archive)
        held = keras_zip.weights_of(archive)
    with hdf5.opened(source, held) as root:
        hdf5.survey(source, root)
        groups = hdf5.groups(root)
    recompiler = Recompiler(source, custom_objects, Sequential, groups)
    model = recompiler.model(data)
    _begin(source, model, held)
    if compile:
        recompiler.compile(model, data)
    with at_step_boundary():
        model.train_state = weights_h5.read(source, held, model)
    return model


def _of_keras_2(source: Source, file: BinaryIO, custom_objects: dict[str, Any] | None, compile: bool) -> Sequential:
    """`load_model` of an .h5 file."""
    told = whole_h5.described(source, file)
    recompiler = Recompiler(source, custom_objects, Sequential, told.groups)
    model = recompiler.model(told.model)
    with source.readable("its layers do not fit together", *NONSENSE):
        specs, slots = model.specs(), set(model._slots())
    size = _bytes(spec for slot, spec in specs.items() if slot in slots)
    source.require(size <= told.held, f"the layers need {size:,} bytes of weights, and the file has {told.held:,}.")
    _fill(source, model, [spec for slot, spec in specs.items() if slot not in slots])
    if compile and told.compiled is not None:
        recompiler.compile(model, {"compile_config": told.compiled})
    model.train_state = legacy_h5.read(source, file, model)
    if compile and told.compiled is not None:
        model.train_state = whole_h5.remembering(source, file, model)
    return model


def _begin(source: Source, model: Sequential, held: Any) -> None:
    """Gives the model weights to be replaced. FileRejected before, unless the file has every one of them in its shape."""
    with source.readable("its layers do not fit together", *NONSENSE):
        specs = model.specs()
        wanted = {f"{place.path}/{number}": slot for place in places(model) for number, slot in enumerate(place.slots)}
    with hdf5.opened(source, held) as root:
        found = hdf5.survey(source, root, weights_h5.parts(model))
        weights_h5.check(source, found, {path: tuple(specs[slot].shape) for path, slot in wanted.items()})
    held.seek(0)
    _fill(source, model, [spec for slot, spec in specs.items() if slot not in wanted.values()])


def _fill(source: Source, model: Sequential, beside: list[Spec]) -> None:
    """Makes the arrays that the file's take the place of. beside: what the model carries that no file has."""
    source.require(_bytes(beside) <= STATE, f"a state of {_bytes(beside):,} bytes beside the weights; {STATE:,} are made for a "
                   "file.")
    if beside:
        model.build()               # a memory begins as its layer says
    else:
        model.fill_with_zeros()


def _bytes(specs: Iterable[Spec]) -> int:
    return sum(spec.size * spec.dtype.itemsize for spec in specs)
