"""HDF5 as far as weights need it: groups of arrays of numbers, written with checksums, read without trust.

HDF5 itself can do much that a file of weights has no use for: links to other files, data that lie elsewhere, filters that
load programs, declared shapes with nothing behind them. `survey` looks at every node of a file before a number is read and
refuses all of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxseq.api.files.refusal import Source

NODES, DEPTH = 200_000, 32          # of one file
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
    """Writes groups by their paths ("" is the root). Data and structure carry checksums; every HDF5 from 1.10 on reads them."""
    import h5py

    with h5py.File(file, "w", libver=("v110", "v110")) as root:
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


def survey(source: Source, root: Any) -> dict[str, Any]:
    """{path: dataset} of the whole file, each a plain array of numbers in the file itself; else FileRejected."""
    import h5py

    found, seen, waiting = {}, set(), [("", root, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        source.require(address not in seen and depth <= DEPTH, "groups that contain themselves, or lie too deep.", path)
        seen.add(address)
        source.require(len(group) <= NODES - len(seen) - len(found), f"more than {NODES:,} groups and arrays.")
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
                _check(source, here, node)
                found[here] = node
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

    usual = ("F16", "F32", "F64"), ("I8", "I16", "I32", "I64"), ("U8", "U16", "U32", "U64")
    names = [f"{kind}_{size}{end}" for kind, sizes in zip(("IEEE", "STD", "STD"), usual, strict=True)
             for size in sizes for end in ("LE", "BE")]
    kind = node.id.get_type()
    if kind.get_class() == h5py.h5t.OPAQUE:
        return kind.get_size() == 2 and text(node.attrs.get("dtype", "")) == "bfloat16"
    return any(kind.equal(getattr(h5py.h5t, name)) for name in names)


def text(value: Any) -> str:
    """An attribute as text: h5py gives bytes or str. ValueError for anything else."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value
