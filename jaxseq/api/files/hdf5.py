"""HDF5 as far as weights need it: groups of arrays of numbers, written with checksums, read without trust.

HDF5 itself can do much that a file of weights has no use for: links to other files, data that lie elsewhere, filters that
load programs, declared shapes with nothing behind them. `survey` looks at every node of a file before a number is read and
refuses all of that.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxseq.api.files.refusal import Source

NODES, DEPTH = 20_000, 32           # of one file; a model of a thousand layers has half of that
SOME, EACH = 500, 8                 # nodes of a file: so many in any case, and so many for each part that is looked for
RATIO, ALLOWANCE = 4, 64 * 2**20    # all arrays together: so many times the file, and so many bytes more
FILTERS = {1, 2, 3}                 # deflate, shuffle, checksum; others are looked for among plugins
EXPANSION = 1100                    # of deflate at most: bytes read for each byte stored
SLACK = 2**20                       # bytes of a chunk that hold nothing
WHOLE_CHUNK = 2**31                 # up to this size an array is one chunk, as a checksum needs some

# What a parser of C and the layer above it raise over damaged bytes.
DAMAGE = OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError


class Group(NamedTuple):
    """What is written: arrays by name, and attributes."""

    arrays: Mapping[str, np.ndarray]
    attributes: Mapping[str, Any] = {}


def write(file: BinaryIO, groups: Mapping[str, Group]) -> None:
    """Writes groups by their paths ("" is the root). Data and structure carry checksums; every HDF5 from 1.10 on reads them.

    HDF5 itself writes to memory: a disk that is full in the middle of its work would take the process with it.
    """
    import h5py

    held = file if isinstance(file, io.BytesIO) else io.BytesIO()
    with h5py.File(held, "w", libver=("v110", "v110")) as root:
        for path, group in groups.items():
            node = root.require_group(path) if path else root
            node.attrs.update(group.attributes)
            for name, array in group.arrays.items():
                bfloat16 = array.dtype.name == "bfloat16"
                if bfloat16:
                    array = array.view("V2")        # two bytes that HDF5 has no number for, called what they are as in Keras
                if array.ndim == 0:
                    _write_number(node, name, array)
                else:
                    chunks = {} if array.size == 0 else {"chunks": array.shape if array.nbytes < WHOLE_CHUNK else True}
                    node.create_dataset(name, data=array, fletcher32=array.size > 0, **chunks)
                if bfloat16:
                    node[name].attrs["dtype"] = "bfloat16"
    if held is not file:
        file.write(held.getbuffer())


def _write_number(node: Any, name: str, number: np.ndarray) -> None:
    """Writes a single number into its header, whose checksum covers it: HDF5 has none for the number alone."""
    import h5py

    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    kind, space = h5py.h5t.py_create(number.dtype), h5py.h5s.create(h5py.h5s.SCALAR)
    h5py.Dataset(h5py.h5d.create(node.id, name.encode(), kind, space, plan))[()] = number


@contextmanager
def opened(source: Source, file: BinaryIO) -> Iterator[Any]:
    """The root of an HDF5 file. Whatever a damaged one makes h5py raise inside is FileRejected."""
    import h5py

    with source.readable("this is no whole HDF5 file", *DAMAGE), h5py.File(file, "r") as root:
        yield root


def survey(source: Source, root: Any, parts: int | None = None) -> dict[str, Any]:
    """{path: dataset} of the whole file, each a plain array of numbers in the file itself; else FileRejected.

    parts: how many groups and arrays of weights are looked for; a file has a few for each, with what an optimizer remembers.
    """
    import h5py

    found, seen, waiting = {}, set(), [("", root, 0)]
    need = stored = 0
    most = NODES if parts is None else min(NODES, SOME + EACH * parts)
    while waiting:
        path, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        source.require(address not in seen and depth <= DEPTH, "groups that contain themselves, or lie too deep.", path)
        seen.add(address)
        source.require(len(group) <= most - len(seen), f"more than {most:,} groups and arrays.")
        for name in group:
            here = f"{path}/{name}" if path else name
            link = group.get(name, getlink=True)
            source.require(isinstance(link, h5py.HardLink), f"{type(link).__name__}: a file of weights holds its own arrays "
                           "and no links. Save it anew from the program that made it.", here)
            node = group[name]
            if isinstance(node, h5py.Group):
                waiting.append((here, node, depth + 1))
            else:
                source.require(isinstance(node, h5py.Dataset), "neither a group nor an array.", here)
                address = h5py.h5o.get_info(node.id).addr
                source.require(address not in seen, "an array that stands in two places.", here)
                seen.add(address)
                _check(source, here, node)
                need, stored, found[here] = need + node.nbytes, stored + node.id.get_storage_size(), node
    size = root.id.get_filesize()
    source.require(stored <= size and need <= RATIO * size + ALLOWANCE, f"declares {need:,} bytes in all, has {stored:,}, "
                   f"and is a file of {size:,}.")
    return found


def _check(source: Source, path: str, node: Any) -> None:
    """Refuses an array that lies elsewhere, that needs a plugin, or that is declared larger than it can be."""
    source.require(not node.is_virtual and not node.external, "an array whose numbers lie in another file.", path)
    source.require(node.shape is not None and is_plain(node), f"an array of {node.dtype}, not of numbers.", path)
    plan = node.id.get_create_plist()
    filters = {plan.get_filter(place)[0] for place in range(plan.get_nfilters())}
    source.require(filters <= FILTERS, f"an array behind the filter {min(filters - FILTERS, default=0)}, which is not read.",
                   path)
    need, stored = math.prod(node.shape) * node.dtype.itemsize, node.id.get_storage_size()
    whole = stored >= need if not filters else need <= EXPANSION * stored
    source.require(whole, f"declares {need:,} bytes for its shape {node.shape} and has {stored:,}.", path)
    chunk = math.prod(node.chunks or ()) * node.dtype.itemsize
    source.require(chunk <= need + SLACK, f"is packed in pieces of {chunk:,} bytes for {need:,}.", path)


def is_plain(node: Any) -> bool:
    """Whether the numbers are floats or integers of the usual forms; of bfloat16, the two bytes."""
    import h5py

    kind = node.id.get_type()
    if kind.get_class() == h5py.h5t.OPAQUE:
        return kind.get_size() == 2 and text(node.attrs.get("dtype", "")) == "bfloat16"
    return any(kind.equal(each) for each in _usual(kind.get_class(), kind.get_size()))


@cache
def _usual(kind: int, size: int) -> tuple[Any, ...]:
    """The types of that class and size in bytes that are read."""
    import h5py

    letters = {h5py.h5t.FLOAT: ["IEEE_F"] if size > 1 else [], h5py.h5t.INTEGER: ["STD_I", "STD_U"]}.get(kind, [])
    names = [f"{name}{8 * size}{end}" for name in letters for end in ("LE", "BE")]
    return tuple(getattr(h5py.h5t, name) for name in names if size in (1, 2, 4, 8))


def text(value: Any) -> str:
    """An attribute as text: h5py gives bytes or str. ValueError for anything else."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value
