"""What processes that train one model together must have in common: asked before the first step, and of every batch.

Each would else train a model of its own under one name, or wait for ever for a step that another does not make.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

import jax
import numpy as np

from jaxseq.api import hosts
from jaxseq.api.data import NO_ROW, SAMPLED, Segment
from jaxseq.core import rng
from jaxseq.core.layout import Layout
from jaxseq.core.require import require

Facts = dict[str, Any]          # {what it is: a plain value}

WORDS = 4                       # of 32 bits, in the digest of all facts
SHOWN = 240                     # letters of a fact that an error shows
CURES = {
    "seed": "Write the seed, Sequential(..., seed=0), or compile before anything else.",
    "weights": "Drawn before compile they want a seed, Sequential(..., seed=0); where they are set, set the same everywhere.",
    "x": "Every process passes the same whole arrays; a loader alone gives each its part.",
    "batches of the loader": "All loaders give as many batches: a DistributedSampler with drop_last=True, or steps_per_epoch.",
    "batch hooks": "Pass the same callbacks everywhere; one that writes says for_all = True, and is called in process 0 alone.",
}


@contextmanager
def agreed(layout: Layout | None) -> Iterator[list[Callable[[], Facts]]]:
    """Inside, a process looks at what it is asked to do, and appends what tells of it; outside all know that it is the same.

    An error from within ends all of them. Raises: ValueError in all, where anything differs.
    """
    told: list[Callable[[], Facts]] = []
    if not hosts.is_joint(layout):
        yield told
        return
    try:
        yield told
        facts = {name: json.dumps(value, default=_plain, skipkeys=True) for each in told for name, value in each().items()}
    except Exception as error:
        hosts.exchanged([0] * WORDS, error)
        raise
    text = json.dumps(facts)
    words = np.frombuffer(hashlib.blake2b(text.encode(), digest_size=4 * WORDS).digest(), np.int32)
    everywhere = hosts.exchanged(words)
    if (everywhere != everywhere[0]).any():
        raise ValueError(_difference([json.loads(each) for each in hosts.everyones(text)]))


def of_model(model: Any) -> Facts:
    """What is trained, and how."""
    compiled, frozen, _ = model.signature()
    layers = {f"layer {name}": (type(layer).__name__, _settings(layer)) for name, layer in model.named_layers}
    mesh = model.layout.mesh
    return {"layers": len(layers), "input": model.input_shape, "dtype": model.dtype, **layers,
            **{f"compile({name}=)": value for name, value in compiled.given.items()}, "frozen layers": sorted(frozen),
            "distribution": [dict(mesh.shape), model.layout.batch, model.layout.together],
            "seed": model.seed if isinstance(model.seed, int) else jax.random.key_data(rng.root_key(model.seed)).tolist()}


def of_weights(model: Any) -> Facts:
    """Where the training stands: its step, and of every weight that this process holds whole some values."""
    ts = model.train_state
    held = [np.asarray(hosts.here(leaf)).ravel() for leaf in jax.tree.leaves((ts.params, ts.state)) if hosts.is_whole(leaf)]
    some = b"".join(each[::max(1, each.size // SAMPLED)].tobytes() for each in held)
    return {"step": int(hosts.here(ts.step)), "weights": f"{zlib.crc32(some):08x}"}


def of_plan(plan: Any, callbacks: Any) -> Facts:
    """What fit was asked to do."""
    valid = {} if plan.valid is None else of_data(plan.valid, "validation ")
    return {**of_data(plan.train), "epochs": [plan.epochs.start, plan.epochs.stop], "steps_per_epoch": plan.steps, **valid,
            "validation_steps": plan.valid_steps, "validation_freq": sorted(plan.validated), "check_finite": plan.check_finite,
            "batch hooks": callbacks.wants("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")}


def of_pass(feed: Any, steps: int | None, callbacks: Any) -> Facts:
    """What evaluate or predict was asked to do."""
    return {**of_data(feed), "steps": steps, "batch hooks": callbacks.wants("on_test_batch_begin", "on_test_batch_end")}


def of_data(feed: Any, which: str = "") -> Facts:
    """What tells the data from others. Those of a loader are looked at batch by batch: see `in_step`."""
    told = feed.told()
    if told["rows"] is None:
        return {f"{which}batches of the loader": told["steps"]}
    return {f"{which}x": f"{told['rows']} rows", f"{which}batch_size": told["batch_size"],
            f"{which}shuffle": told.get("shuffle"), f"{which}x, content": told["content"]}


def in_step(segments: Generator[Segment], told: Callable[[Segment], str], cure: str,
            first: int = 0) -> Generator[Segment]:
    """The segments of a pass, each once all processes have theirs; it ends where it ends in all of them.

    told: what must be the same in all. cure: what to do where it is not. first: the number of the first batch.
    Raises: in all processes, where one has no batch, or another one, or an error instead.
    """
    with closing(segments):
        for number in count(first):
            try:
                segment = next(segments, None)
                text = "" if segment is None else told(segment)
            except Exception as error:
                hosts.exchanged([0, 0], error)
                raise
            everywhere = hosts.exchanged([segment is None, zlib.crc32(text.encode()) >> 1])
            _require_all(everywhere[:, 0], number)
            if segment is None:
                return
            if (everywhere != everywhere[0]).any():
                raise ValueError(f"Batch {number} of the data, counted from 0: {_listed(hosts.everyones(text))}. {cure}")
            yield segment


def parts(segments: Generator[Segment], first: int = 0) -> Generator[Segment]:
    """Batches of which every process gives a part, in step."""
    def told(segment: Segment) -> str:
        rows = np.count_nonzero(np.asarray(segment.rows) != NO_ROW) // jax.process_count()
        x, y, weight = ("nothing" if leaf is None else f"{leaf.shape[2:]} {leaf.dtype}" for leaf in segment.slab)
        return f"{rows} rows of x {x}, y {y}, sample_weight {weight}"

    return in_step(segments, told, "All processes give parts of as many rows and of one shape.", first)


def wholes(segments: Generator[Segment]) -> Generator[Segment]:
    """Batches that every process gives as a whole, in step."""
    def told(segment: Segment) -> str:
        x = segment.slab.x
        return f"{segment.rows.shape[1]} rows of x {x.shape[1:]} {x.dtype}, content {zlib.crc32(np.ascontiguousarray(x)):08x}"

    return in_step(segments, told, "To predict, every process gives the same whole batches, and gets all predictions.")


def _require_all(ended: np.ndarray, number: int) -> None:
    """RuntimeError where the data have ended in some processes, and not in others."""
    names = lambda which: ", ".join(map(str, np.flatnonzero(which)))
    require(ended.all() or not ended.any(), f"The data of process {names(ended)} ended after {number} batches of this pass, "
            f"those of process {names(ended == 0)} go on. All processes give as many: let a DistributedSampler(drop_last=True) "
            f"deal the rows, or say steps_per_epoch={number}.", RuntimeError)


def _difference(facts: list[Facts]) -> str:
    """What differs first, and what to do."""
    name = next(name for each in facts for name in each if any(other.get(name) != each[name] for other in facts))
    told = _listed([str(each.get(name, "nothing"))[:SHOWN].strip('"') for each in facts])
    cure = CURES.get(name.removeprefix("validation ").split(",")[0], "Run the same script in all of them.")
    return f"The processes do not train the same. {name}: {told}. {cure}"


def _listed(told: list[str]) -> str:
    """'48 rows in process 0, 2; 32 rows in process 1'."""
    where: dict[str, list[str]] = {}
    for process, each in enumerate(told):
        where.setdefault(each, []).append(str(process))
    return "; ".join(f"{each} in process {', '.join(processes)}" for each, processes in where.items())


def _settings(layer: Any) -> Any:
    try:
        return layer.get_config()
    except (TypeError, NotImplementedError):        # of a layer whose settings no file could hold
        return None


def _plain(value: Any) -> Any:
    """Something as JSON can hold it: the same in all processes where it is meant to be the same."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "get_config"):
        return type(value).__name__, _settings(value)
    return getattr(value, "__name__", type(value).__name__)
