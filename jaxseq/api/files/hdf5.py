"""HDF5 as far as weights need it: groups of arrays of numbers, written with checksums, read without trust.

HDF5 itself can do much that a file of weights has no use for: links to other files, data that lie elsewhere, filters that
load programs, declared shapes with nothing behind them. `survey` looks at every node of a file before a number is read and
refuses all of that. Files are written by h5py and read by our own reader: see h5/__init__.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from jaxseq.api.files.h5 import reader
from jaxseq.api.files.h5.links import Elsewhere
from jaxseq.api.files.refusal import Source

NODES, DEPTH = 20_000, 32           # of one file; a model of a thousand layers has half of that
SOME, EACH = 500, 8                 # nodes of a file: so many in any case, and so many for each part that is looked for
RATIO, ALLOWANCE = 4, 64 * 2**20    # all arrays together: so many times the file, and so many bytes more
FILTERS = {1, 2, 3}                 # deflate, shuffle, checksum; others are looked for among plugins
EXPANSION = 1100                    # of deflate at most: bytes read for each byte stored
SLACK = 2**20                       # bytes of a chunk that hold nothing
WHOLE_CHUNK = 2**31                 # up to this size an array is one chunk, as a checksum needs some

DAMAGE = OSError, ValueError


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
def opened(source: Source, file: BinaryIO) -> Iterator[reader.Group]:
    """The root of an HDF5 file. What is damaged, or not read, is FileRejected wherever it shows inside."""
    with source.readable("this is no whole HDF5 file, or of a kind that is not read", *DAMAGE):
        yield reader.root(file)


def survey(source: Source, root: reader.Group, parts: int | None = None) -> dict[str, reader.Dataset]:
    """{path: array} of the whole file, each of plain numbers in the file itself; else FileRejected.

    parts: how many groups and arrays of weights are looked for; a file has a few for each, with what an optimizer remembers.
    """
    found, seen, waiting = {}, {root.address}, [("", root, 0)]
    need = stored = 0
    most = NODES if parts is None else min(NODES, SOME + EACH * parts)
    while waiting:
        path, group, depth = waiting.pop()
        source.require(len(group.links) <= most - len(seen), f"more than {most:,} groups and arrays.")
        source.require(depth < DEPTH or not group.links, "groups that lie too deep.", path)
        for name, target in group.links.items():
            here = f"{path}/{name}" if path else name
            source.require(not isinstance(target, Elsewhere), f"{target}: a file of weights holds its own arrays and no links. "
                           "Save it anew from the program that made it.", here)
            source.require(target not in seen, "groups that contain themselves, or an array that stands in two places.", here)
            seen.add(target)
            node = group.open(name)
            if isinstance(node, reader.Group):
                waiting.append((here, node, depth + 1))
            else:
                source.require(node is not None, "neither a group nor an array.", here)
                assert node is not None
                _check(source, here, node)
                need, stored, found[here] = need + node.nbytes, stored + node.stored, node
    size = root.file_size
    source.require(stored <= size and need <= RATIO * size + ALLOWANCE, f"declares {need:,} bytes in all, has {stored:,}, "
                   f"and is a file of {size:,}.")
    return found


def groups(root: reader.Group) -> int:
    """How many groups there are below the root, of a file that was surveyed."""
    below = [node for node in map(root.open, root.links) if isinstance(node, reader.Group)]
    return len(below) + sum(map(groups, below))


def _check(source: Source, path: str, node: reader.Dataset) -> None:
    """Refuses an array that lies elsewhere, that needs a plugin, or that is declared larger than it can be."""
    source.require(not node.virtual, "an array whose numbers lie in another file.", path)
    source.require(node.shape is not None and is_plain(node), f"an array of {node.called}, not of numbers.", path)
    filters = {each.kind for each in node.filters}
    source.require(filters <= FILTERS, f"an array behind the filter {min(filters - FILTERS, default=0)}, which is not read.",
                   path)
    need, stored = node.nbytes, node.stored
    whole = stored >= need if not filters else need <= EXPANSION * stored
    source.require(whole, f"declares {need:,} bytes for its shape {node.shape} and has {stored:,}.", path)
    chunk = 0 if node.chunk is None else math.prod(node.chunk) * node.width
    source.require(chunk <= need + SLACK, f"is packed in pieces of {chunk:,} bytes for {need:,}.", path)


def is_plain(node: reader.Dataset) -> bool:
    """Whether the numbers are floats or integers of the usual forms; of bfloat16, the two bytes."""
    return node.dtype is not None and (node.dtype.kind != "V" or text(node, "dtype") == "bfloat16")


def text(node: reader.Object, name: str, default: str = "") -> str:
    """An attribute that is one text. ValueError for anything else."""
    found = texts(node, name) if name in node.attributes else [default]
    if len(found) != 1:
        raise ValueError(f"{name} is no text, but {len(found):,}")
    return found[0]


def texts(node: reader.Object, name: str) -> list[str]:
    """An attribute that is one text or a list of them. ValueError for anything else."""
    found = node.attributes[name].texts()
    if found is None:
        raise ValueError(f"{name} is no text")
    return found
