"""A model as a program that runs without this library: StableHLO, by jax.export, with the weights inside."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import export

from jaxseq.api import hosts
from jaxseq.api.dealing import placed
from jaxseq.api.stack import fits
from jaxseq.core import run
from jaxseq.core.nested import PENALTY
from jaxseq.core.require import require
from jaxseq.core.types import Array, Shape, Spec

PLATFORMS = "cpu", "cuda", "tpu"
OURS = "stablehlo"
# Keras's other formats, and what to write instead.
OTHERS = {
    "onnx": "jax2onnx makes ONNX of model.functional().apply; docs/how-to/export.md says of which layers",
    "tf_saved_model": "jax2tf makes a SavedModel of model.functional().apply where TensorFlow is installed",
    "openvino": "OpenVINO reads ONNX, and jax2onnx makes that of model.functional().apply",
    "litert": "model.save('m.keras'), and Keras with TensorFlow under it exports that",
    "torch": "model.save('m.keras'), and Keras with PyTorch under it exports that",
}
LONGEST = 512               # unknown lengths are tried up to here


def check_format(format: Any) -> None:
    """ValueError for a format that is not written here, with the way to it."""
    other = f" {OTHERS[format]}." if isinstance(format, str) and format in OTHERS else ""
    require(format == OURS, f"export(format={format!r}): programs are written as {OURS!r}, which jax.export.deserialize reads, "
            f"without this library.{other}")


class Program(NamedTuple):
    """A program in bytes, as jax.export.deserialize reads it, and what it takes and gives in words."""

    serialized: bytes
    told: str


def exported(model: Any, input_signature: Any = None) -> Program:
    """The program x -> predictions of the model as it is now, lowered for `PLATFORMS`.

    Raises: ValueError where the model carries a state from call to call, or needs lengths that are not known.
    """
    shape, dtype = signature(model, input_signature)
    _require_stateless(model, shape, dtype)
    try:
        program = _lowered(model, shape, dtype)
    except Exception as error:      # of many kinds, from within JAX and from layers of the user's own
        raise ValueError(_refusal(shape, dtype, error)) from error
    (x,), (y,) = program.in_avals, program.out_avals
    return Program(bytes(_serialized(program)), f"{x.str_short()} -> {y.str_short()}, for {', '.join(PLATFORMS)}")


def signature(model: Any, given: Any = None, what: str = "export") -> tuple[Shape, Any]:
    """(shape, dtype) of what the program takes: None for a length that may be any.

    given: None, a shape, something with a shape and a dtype, or a list of one of these. what: the method that asks.
    """
    model.build()
    known, dtype = model.input_shape, model.input_dtype
    if isinstance(given, list | tuple) and len(given) == 1 and not isinstance(given[0], int | None):
        given, = given
    shape = known if given is None else getattr(given, "shape", given)
    shape = tuple(shape) if isinstance(shape, list | tuple) else ()
    require(fits(shape, known), f"{what}(input_signature={given!r}): the model takes {known}. Write such a shape, with None or "
            "a number where it has None.")
    return shape, getattr(given, "dtype", None) or dtype


def _lowered(model: Any, shape: Shape, dtype: Any) -> export.Exported:
    """The program. Where jax cannot tell whether a product of symbols is a length, as that of all steps of all rows, it is
    told so; whoever runs the program is held to it, as to the other bounds."""
    names, bounds = _in_symbols(model, shape, dtype)
    while True:
        x = Spec(export.symbolic_shape(names, constraints=bounds), dtype)
        try:
            return export.export(run.compiled(_forward(model)), platforms=PLATFORMS)(x)
        except jax.errors.InconclusiveDimensionOperation as error:
            asked = re.search(r"comparison '([^']*\*[^']*)' >= '0'", str(error))
            if asked is None or f"{asked[1]} >= 0" in bounds:
                raise
            bounds.append(f"{asked[1]} >= 0")


def _forward(model: Any) -> Callable[[Array], Array]:
    apply, ts = model.functional().apply, placed(None, hosts.here(hosts.whole(model.train_state)))

    def predict(x):         # a name of its own in the program
        return apply(ts.params, ts.state, x)[0]

    return predict


def _require_stateless(model: Any, shape: Shape, dtype: Any) -> None:
    """ValueError where a prediction moves the state on."""
    apply, ts = model.functional().apply, model.train_state
    carry = lambda state, x: apply(ts.params, state, x)[1]
    program = jax.make_jaxpr(carry)(ts.state, Spec(_filled(shape, LONGEST), dtype)).jaxpr
    passed_on = {made.outvars[0]: made.invars[0] for made in program.eqns if made.primitive.name == "stop_gradient"}
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(ts.state)]
    moved = {path[0].key for path, before, after in zip(paths, program.invars, program.outvars, strict=False)
             if passed_on.get(after, after) is not before and not path[-1].key.endswith(PENALTY)}
    require(not moved, f"export: {', '.join(sorted(moved))} carries a state from call to call, and the program is a function "
            "of x alone. Export the state with it: jax.export.export(jax.jit(model.functional().apply))(model.params, "
            "model.state, x).")


def _filled(shape: Shape, length: int) -> tuple[int, ...]:
    """The shape with a length for every unknown one, and one row where the batch size is."""
    batch, *rest = shape
    return (batch or 1, *(each or length for each in rest))


def _refusal(shape: Shape, dtype: Any, error: Exception) -> str:
    told = [f"export: of x {shape} {dtype} no program can be made for {', '.join(PLATFORMS)}.",
            *(note for note in getattr(error, "__notes__", ()) if note.startswith("In layer ")),
            f"{type(error).__name__}: {str(error).strip().splitlines()[0].rstrip('.')}."]
    if None in shape:
        known = (shape[0], *_filled(shape, 128)[1:]) if None in shape[1:] else _filled((32, *shape[1:]), 128)
        told.append(f"Where a layer must know a length, write it: input_signature={known}.")
    return " ".join(told)


def _in_symbols(model: Any, shape: Shape, dtype: Any) -> tuple[str, list[str]]:
    """The shape with names for unknown lengths, and what holds of them: each is at least as long as the model needs."""
    names = [_name(axis) if length is None else str(length) for axis, length in enumerate(shape)]
    least = {_name(axis): _least(model, shape, axis, dtype) for axis, length in enumerate(shape) if axis and length is None}
    bounds = [f"{name} >= {length}" for name, length in least.items() if length > 1]
    return ",".join(names), bounds


def _name(axis: int) -> str:
    return "batch" if axis == 0 else f"length_{axis}"


def _least(model: Any, shape: Shape, axis: int, dtype: Any) -> int:
    """The least length of that axis at which the model runs; other unknown ones are long. Nothing is computed."""
    def runs(length: int) -> bool:
        tried = list(_filled(shape, LONGEST))
        tried[axis] = length
        try:
            return 0 not in jax.eval_shape(_forward(model), Spec(tuple(tried), dtype)).shape
        except (ValueError, TypeError):     # the layer's own words against a short input
            return False

    short, long = 0, LONGEST                # it does not run at `short`, and does at `long`
    while long - short > 1:
        middle = (short + long) // 2
        short, long = (short, middle) if runs(middle) else (middle, long)
    return long


def _serialized(program: export.Exported) -> bytearray:
    try:
        return program.serialize()
    except ImportError as error:
        raise ImportError("Programs are written with flatbuffers: pip install 'jaxseq[export]'.") from error


def path_of(filepath: Any) -> str:
    """The name of a file for a program; ValueError for an ending that means a model or its weights."""
    path = os.fspath(filepath)
    require(not path.endswith((".keras", ".h5", ".hdf5", ".safetensors")), f"export({path!r}): that is the name of a file that "
            f"save or save_weights write. Write {os.path.splitext(path)[0] + '.' + OURS!r}.")
    return path
