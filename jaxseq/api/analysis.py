"""What a model's programs need, asked of the programs before they run: memory, arithmetic, time to compile.

Of a model that is spread over devices every number is that of one device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from jaxseq.api.dealing import dealt_like, place_of_rows
from jaxseq.api.files.exporting import signature
from jaxseq.api.showing import reports
from jaxseq.core import losses, run
from jaxseq.core.flops import flops
from jaxseq.core.require import positive_int, require
from jaxseq.core.types import Batch, Spec

SPARSE = losses.sparse_categorical_crossentropy


class ProgramMemory(NamedTuple):
    """What one program holds, in bytes, as its compiler says.

    arguments: weights, optimizer state and one batch. outputs: what comes out beside them. temporaries: what lives in between.
    code: the program itself, where the device keeps it among the data. together: all of it, which is the most that it needs.
    """

    arguments: int
    outputs: int
    temporaries: int
    code: int
    together: int


class MemoryReport(NamedTuple):
    """What a model holds on a device, and what each of its programs does there with one batch, in bytes.

    devices: over how many the model is spread; the numbers are those of one. batch_size: the rows of all.
    programs: {"train", "evaluate", "predict": ProgramMemory}; without a loss the last alone.
    """

    device: str
    batch_size: int
    parameters: int
    state: int
    optimizer: int
    programs: dict[str, ProgramMemory]
    devices: int = 1

    def __repr__(self) -> str:
        return reports.memory_text(self)

    def _repr_html_(self) -> str:
        return reports.memory_html(self)


class ProgramCost(NamedTuple):
    """What one step of a program costs a device.

    flops: of its matrix products and convolutions, counted in the traced program: see `jaxseq.core.flops`. Of a model that is
        spread the number of all devices' work, divided by their number, rounded up; what several of them compute alike, as
        layers that a ModelParallel leaves whole, is counted once.
    compiler_flops, bytes_accessed: the compiler's own estimates for everything; a loop within a step, as over the time of an
        LSTM, counts once there. None where it makes none.
    compile_seconds: how long it took to trace and compile now; less where the program was found in the cache.
    """

    flops: int
    compiler_flops: float | None
    bytes_accessed: float | None
    compile_seconds: float


class CostReport(NamedTuple):
    """What one step of each program costs a device: {"train", "evaluate", "predict": ProgramCost}.

    devices: over how many the model is spread. batch_size: the rows of all.
    """

    device: str
    batch_size: int
    programs: dict[str, ProgramCost]
    devices: int = 1

    def __repr__(self) -> str:
        return reports.cost_text(self)

    def _repr_html_(self) -> str:
        return reports.cost_html(self)


class AnalysisMethods:
    """What a Sequential says of its programs before they run."""

    def memory(self, batch_size: int | None = None, input_signature: Any = None) -> MemoryReport:
        """How much memory training, evaluating and predicting take for batches of that size: 32 when absent, or the fixed one.

        The programs are compiled and asked, and nothing runs. Beside them the data lie on the device, all of them up to
        64 MiB, or an eighth of what an accelerator has left, else three pieces of 16 MiB. input_signature: the shape of x,
        where the model leaves a length open. Of a model that is spread over devices the numbers are those of each device.
        Returns: a MemoryReport, which shows itself; a model that is not compiled has `predict` alone.
        """
        model: Any = self
        x = _asked(model, "memory", batch_size, input_signature)
        ts = model.settled_state()
        programs = {name: _memory(program.lower(*given).compile()) for name, program, given in _programs(model, x)}
        held = (_bytes(part) for part in (ts.params, ts.state, ts.opt_state))
        return MemoryReport(_device(), x.shape[0], *held, programs, _devices(model))

    def cost(self, batch_size: int | None = None, input_signature: Any = None) -> CostReport:
        """What one step of training, evaluating and predicting costs a device: operations, bytes moved, time to compile.

        Arguments as those of `memory`. Returns: a CostReport, which shows itself.
        """
        x, devices = _asked(self, "cost", batch_size, input_signature), _devices(self)
        programs = {name: _cost(program, given, devices) for name, program, given in _programs(self, x)}
        return CostReport(_device(), x.shape[0], programs, devices)


def _asked(model: Any, what: str, batch_size: Any, input_signature: Any) -> Spec:
    """The Spec of a batch of x."""
    shape, dtype = signature(model, input_signature, what)
    size = shape[0] or 32 if batch_size is None else positive_int("batch_size", batch_size)
    require(shape[0] in (None, size), f"{what}(batch_size={size}): the model's input is {shape}, so batches have {shape[0]} "
            "rows.")
    require(None not in shape[1:], f"{what}: x has an unknown length, {shape}. Write which to reckon with: "
            f"input_signature={(None, *(each or 128 for each in shape[1:]))}.")
    return Spec((size, *shape[1:]), dtype)


def _programs(model: Any, x: Spec) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """(name, program, arguments like those of one step) of each program that the model has."""
    ts = model.settled_state()
    if model.loss is not None:
        programs = model.programs
        batch, rows = Batch(x, _target(model, programs.task, ts, x)), Spec((1, x.shape[0]), "int32")
        batch = batch if model.layout is None else dealt_like(model.layout, batch, 1, x.shape[0])
        yield "train", programs.train, (ts, programs.zero, batch, rows, 0, 1)
        yield "evaluate", programs.evaluate, (ts.params, ts.state, programs.zero, batch, rows, 0, 1)
    if model.layout is not None:
        x = Spec(x.shape, x.dtype, sharding=place_of_rows(model.layout, x.shape[0]))
    yield "predict", model.predict_program, (ts.params, ts.state, x)


def _target(model: Any, task: run.Task, ts: Any, x: Spec) -> Spec:
    """The Spec of y: of the predictions' shape or, where the loss takes labels, without its last axis."""
    y, _ = jax.eval_shape(model.predict_program, ts.params, ts.state, x)
    like, labels = Spec(y.shape, "float32"), Spec(y.shape[:-1], "int32")
    first, second = (labels, like) if losses.plain(task.loss) is SPARSE else (like, labels)
    try:
        run.check(task, ts, Batch(x, first), train=False)
    except Exception:           # of any kind, from a loss of the user's own: the next one says what is wrong
        run.check(task, ts, Batch(x, second), train=False)
        return second
    return first


def _memory(program: Any) -> ProgramMemory:
    told = program.memory_analysis()
    parts = told.argument_size_in_bytes, told.output_size_in_bytes, told.temp_size_in_bytes, told.generated_code_size_in_bytes
    return ProgramMemory(*parts, sum(parts) - told.alias_size_in_bytes)


def _cost(program: Any, given: tuple[Any, ...], devices: int) -> ProgramCost:
    began = time.perf_counter()
    traced = program.trace(*given)
    told = traced.lower().compile().cost_analysis() or {}
    seconds = time.perf_counter() - began
    return ProgramCost(-(-flops(traced.jaxpr.jaxpr) // devices), told.get("flops"), told.get("bytes accessed"), seconds)


def _bytes(tree: Any) -> int:
    """What one device holds of the arrays."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _devices(model: Any) -> int:
    return 1 if model.layout is None else model.layout.mesh.size


def _device() -> str:
    return jax.devices()[0].device_kind
