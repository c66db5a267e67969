"""Several processes that train one model, each with devices of its own: what they agree on, and which of them speaks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from jaxseq.api.interrupt import keeping
from jaxseq.core.layout import Layout
from jaxseq.core.require import require

SILENCE = 30            # seconds after which a process that says nothing is taken for lost
LONGEST = 4000          # letters of an error that the others are told


def initialize(job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None) -> None:
    """Joins this process to the others of a run; afterwards every process sees the devices of all. It comes first in a script.

    job_addresses: "host:port" of the first process, or those of all behind commas. num_processes: how many there are; as many
    as addresses when absent. process_id: which this is, from 0. Where a TPU pod, Slurm, Open MPI or Kubernetes has started the
    processes, nothing need be written: they are asked. The environment variables JAXSEQ_JOB_ADDRESSES, JAXSEQ_NUM_PROCESSES
    and JAXSEQ_PROCESS_ID stand for arguments that are absent.
    A process that is lost ends the others within a minute, with an error that says so. SIGTERM stays what it is without JAX's
    service for preemptions, which would take it: it ends a process, and in a run with BackupAndRestore all of them.

    Raises: RuntimeError when JAX has begun already, were it only to list its devices, or when the others do not come within
    five minutes.
    Source: jax.distributed.initialize, and as keras.distribution.initialize.
    """
    addresses = job_addresses or os.environ.get("JAXSEQ_JOB_ADDRESSES")
    listed = [each.strip() for each in addresses.split(",")] if addresses else []
    require(all(":" in each for each in listed[:1]), f"job_addresses={addresses!r}: write host and port of the first process, "
            "job_addresses='10.0.0.1:8476'.")
    count = _number("num_processes", num_processes, "JAXSEQ_NUM_PROCESSES")
    number = _number("process_id", process_id, "JAXSEQ_PROCESS_ID")
    try:
        with keeping(signal.SIGTERM):       # JAX's service for preemptions takes it, so that it would end nothing any more
            jax.distributed.initialize(listed[0] if listed else None,
                                       len(listed) if count is None and len(listed) > 1 else count, number,
                                       heartbeat_timeout_seconds=SILENCE)
    except RuntimeError as error:
        require("must be called before" not in str(error), "initialize() comes too late: JAX knows this process's own devices "
                "already. Write it before the first model, array, list_devices() and DeviceMesh(...).", RuntimeError)
        raise


def _number(argument: str, given: int | None, variable: str) -> int | None:
    if given is None and variable in os.environ:
        require(os.environ[variable].isdigit(), f"{variable}={os.environ[variable]!r}: write a number.")
        given = int(os.environ[variable])
    require(given is None or type(given) is int and given >= 0, f"{argument}={given!r}: write a number.", TypeError)
    return given


def is_first() -> bool:
    """Whether this process is the one that prints and writes for all."""
    return jax.process_index() == 0


def agreed(seconds: float, signum: int) -> tuple[float, int]:
    """(the first process's seconds, the signal that one of the processes has got; 0: none), in all of them; all have to ask."""
    told = np.asarray(multihost_utils.process_allgather(np.array([seconds, signum], np.float32)))
    return float(told[0, 0]), int(told[:, 1].max())


def is_joint(layout: Layout | None) -> bool:
    """Whether a model that lies so is trained by several processes together."""
    return layout is not None and layout.mesh.is_multi_process


def exchanged(numbers: Sequence[int], error: BaseException | None = None) -> np.ndarray:
    """The numbers (int32) of every process, one row each; all have to ask, and for as many.

    error: what this process has come to instead. Then none goes on: it is raised here, and a RuntimeError that tells of it in
    the processes that have none of their own.
    """
    found = np.asarray(multihost_utils.process_allgather(np.array([error is not None, *numbers], np.int32)))
    if not found[:, 0].any():
        return found[:, 1:]
    own = [] if error is None else [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
    told = everyones("\n".join(own)[:LONGEST])
    if error is not None:
        raise error
    raise RuntimeError("\n".join(f"Process {process} has raised {each}" for process, each in enumerate(told) if each))


@contextmanager
def ended_by_all(joint: bool) -> Iterator[None]:
    """What is inside has ended in all processes before any goes on, where `joint`; an error in one of them is one in all."""
    error = None
    try:
        yield
    except BaseException as raised:
        if not joint:
            raise
        error = raised
    if joint:
        exchanged([], error)


def everyones(text: str) -> list[str]:
    """The text of every process; all have to ask."""
    letters = np.frombuffer(text.encode(), np.uint8)
    sizes = np.asarray(multihost_utils.process_allgather(np.array([len(letters)], np.int32))).ravel()
    found = np.asarray(multihost_utils.process_allgather(np.pad(letters, (0, max(sizes) - len(letters)))))
    return [bytes(each[:size]).decode() for each, size in zip(found, sizes, strict=True)]


def agreed_words(words: np.ndarray) -> np.ndarray:
    """The first process's numbers, in all of them."""
    return np.asarray(multihost_utils.broadcast_one_to_all(words))


def agreed_name(name: str) -> str:
    """The first process's text."""
    return name if jax.process_count() == 1 else everyones(name)[0]


def here(tree: Any) -> Any:
    """The arrays as this process holds them, where every process holds the whole of them: to compute with them alone."""
    alone = lambda leaf: leaf if leaf.is_fully_addressable else leaf.addressable_data(0)
    return jax.tree.map(lambda leaf: alone(leaf) if isinstance(leaf, jax.Array) else leaf, tree)


def whole(tree: Any) -> Any:
    """The arrays, put together where each process holds a part of them; all have to ask."""
    return jax.tree.map(_whole, tree)


def is_whole(tree: Any) -> bool:
    """Whether this process holds the whole of the arrays."""
    return all(leaf.is_fully_addressable or leaf.is_fully_replicated for leaf in jax.tree.leaves(tree))


def _whole(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array) or is_whole(leaf):
        return leaf
    return jax.device_put(leaf, NamedSharding(leaf.sharding.mesh, PartitionSpec()))


def on_host(leaf: Any) -> np.ndarray:
    """The whole of an array, on the host. JAX's arrays remember what they were read as: here one that goes again does so, but
    where it is the array's own memory, on a CPU.

    Where each process holds a part, all have to ask.
    """
    if not isinstance(leaf, jax.Array) or _on_one_cpu(leaf):
        return np.asarray(leaf)
    leaf = _whole(leaf)
    parts = [part.data for part in leaf.addressable_shards]
    return np.asarray(jax.make_array_from_single_device_arrays(leaf.shape, leaf.sharding, parts))


def _on_one_cpu(leaf: jax.Array) -> bool:
    device, *others = leaf.sharding.device_set
    return not others and device.platform == "cpu"


@contextmanager
def advised() -> Iterator[None]:
    """An error from within that tells of a lost process carries a note on what to do; every error goes on."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() > 1:
            error.add_note("Another process of this run has ended, or cannot be reached. Start all of them again: with "
                           "BackupAndRestore the run goes on from its last checkpoint, on fewer processes, too.")
        raise
