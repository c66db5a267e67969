"""save, save_weights, load_weights and export: what the ends of names mean."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jaxseq.api import hosts
from jaxseq.api.files import exporting, keras_zip, legacy_h5, weights_h5, weights_tensors, whole_h5
from jaxseq.api.files.atomic import replacing
from jaxseq.api.files.refusal import FileRejected, Source
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.core.require import require, spelled

KERAS, WEIGHTS, LEGACY, TENSORS = ".keras", ".weights.h5", (".h5", ".hdf5"), ".safetensors"


class FileMethods:
    """What a Sequential does with files. Every file is written as a whole or not at all, and read before the model changes."""

    if TYPE_CHECKING:
        build: Any
        train_state: Any
        _gathered: Any

    @spelled
    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Writes the whole model to a `.keras` file, or to `.h5` or `.hdf5` in Keras 2's form. Keras 3 opens all of them:
        `keras.models.load_model(filepath)`.

        include_optimizer: also how it is trained, and the optimizer's state, so that training goes on where it was.
        Raises: ValueError for another ending and for what cannot be written down (a lambda); FileExistsError with
            overwrite=False. The file that was there stays whole until the new one is.
        """
        path = model_path(filepath)
        write = keras_zip.write if path.endswith(KERAS) else whole_h5.write
        self._written(path, overwrite, lambda file: write(file, self, include_optimizer=include_optimizer))

    @spelled
    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights alone: to `.weights.h5` as Keras 3 does, with the optimizer's state; to `.h5` or `.hdf5` as
        Keras 2 does, or to `.safetensors`, each under its path (dense/kernel), without. The state of an optimizer that Keras
        has not is left out, with a warning. Raises: ValueError for another ending; FileExistsError with overwrite=False."""
        path = weights_path(filepath)
        writers = {WEIGHTS: weights_h5.write, TENSORS: weights_tensors.write}
        write = next((each for end, each in writers.items() if path.endswith(end)), legacy_h5.write)
        self._written(path, overwrite, lambda file: write(file, self))

    @spelled
    def load_weights(self, filepath: Any, by_name: bool = False, skip_mismatch: bool = False) -> None:
        """Replaces the model's weights by those of a file: `.weights.h5` or `.keras` of Keras 3, `.h5` or `.hdf5` of Keras 2,
        or `.safetensors`.

        Files of Keras 3 also hold the optimizer's state, which is taken over when the model is compiled for it.
        by_name: of Keras 2's files, the layers of the same names; others stay as they are.
        skip_mismatch: what does not fit stays as it is, with a warning, instead of an error.
        Raises: FileRejected (a ValueError) for a file of another model, and for one that is damaged or could do harm. The
            model is then as it was. FileNotFoundError.
        """
        path = os.fspath(filepath)
        source = Source(path)
        with at_step_boundary(), open(path, "rb") as file:
            self.build()
            readers = {WEIGHTS: weights_h5.read, KERAS: keras_zip.read_weights, TENSORS: weights_tensors.read}
            read = next((each for end, each in readers.items() if path.endswith(end)), None)
            if read is not None:
                require(not by_name, f"load_weights({path!r}, by_name=True): Keras 2's files (.h5, .hdf5) are read by names "
                        "or by order; in others every weight has its place. Leave by_name out.")
                self.train_state = read(source, file, self, skip_mismatch=skip_mismatch)
                return
            require(path.endswith(LEGACY), f"load_weights({path!r}): files that end in .weights.h5, .keras, .h5, .hdf5 or "
                    ".safetensors are read.")
            self.train_state = legacy_h5.read(source, file, self, by_name=by_name, skip_mismatch=skip_mismatch)

    @spelled
    def export(self, filepath: Any, format: str = "stablehlo", verbose: Any = None, input_signature: Any = None, *,
               overwrite: bool = True) -> None:
        """Writes predict as a program for other processes: StableHLO with the weights inside, lowered for CPU, CUDA and TPU.

        It needs jax and flatbuffers alone: `jax.export.deserialize(bytearray(Path(filepath).read_bytes())).call(x)`, for
        batches of any size, of the dtype of `model.input_dtype`. Lengths that are not known may be any from the least on that
        the model takes.
        input_signature: the shape of x where another than the model's is wanted: (None, 128, 3), or something with a shape and
            a dtype, as jax.ShapeDtypeStruct; or a list of one. verbose: print what the program takes and gives.
        Raises: ValueError for other formats, for a model that carries a state from call to call, and where a layer must know a
            length; FileExistsError with overwrite=False. Source: as Keras 3's, whose default is TensorFlow's SavedModel.
        """
        exporting.check_format(format)
        path = exporting.path_of(filepath)
        with at_step_boundary():
            program = exporting.exported(self, input_signature)
            _by_the_first(self._in_parts(), path, overwrite, lambda file: file.write(program.serialized))
        if verbose:
            print(f"{path}: {program.told}")

    def _written(self, path: str, overwrite: bool, write: Callable[..., None]) -> None:
        with at_step_boundary():
            self.build()
            in_parts = self._in_parts()
            with self._gathered():
                _by_the_first(in_parts, path, overwrite, write)

    def _in_parts(self) -> bool:
        return not hosts.is_whole(self.train_state)


def _by_the_first(joint: bool, path: str, overwrite: bool, write: Callable[..., Any]) -> None:
    """The first process writes the file. joint: whether all have come here, and go on once it is there."""
    with hosts.ended_by_all(joint):
        if hosts.is_first():
            with replacing(path, overwrite) as file:
                write(file)


def save_model(model: FileMethods, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """model.save(filepath, ...)."""
    model.save(filepath, overwrite, include_optimizer)


def model_path(filepath: Any) -> str:
    """The name of a file for a whole model; ValueError for an ending that stands for no format of models."""
    path = os.fspath(filepath)
    usable = path.endswith((KERAS, *LEGACY)) and not path.endswith(WEIGHTS)
    other = f", or save_weights({path!r}) for the weights alone." if path.endswith(WEIGHTS) else "."
    require(usable, f"save({path!r}): whole models are written as .keras (Keras 3), .h5 or .hdf5 (Keras 2). Write "
            f"{path.removesuffix(WEIGHTS).removesuffix(os.path.splitext(path)[1]) + KERAS!r}" + other)
    return path


def weights_path(filepath: Any) -> str:
    """The name of a file for weights; ValueError for an ending that stands for no format of weights."""
    path = os.fspath(filepath)
    require(path.endswith((*LEGACY, TENSORS)), f"save_weights({path!r}): weights are written as .weights.h5 (Keras 3), .h5 or "
            f".hdf5 (Keras 2), or .safetensors. Write {os.path.splitext(path)[0] + WEIGHTS!r}.")
    return path


__all__ = ["FileMethods", "FileRejected", "model_path", "save_model", "weights_path"]
