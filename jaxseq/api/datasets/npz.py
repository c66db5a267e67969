"""Arrays out of .npz files, none of which runs anything: lists that NumPy has pickled come through `unpickled`."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxseq.api.datasets.unpickled import unpickled
from jaxseq.api.files.refusal import Source

LARGEST = 2**26             # bytes of pickled lists; IMDB's have some 15 million
DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, ValueError, TypeError, MemoryError,
          RuntimeError)


def numbers(path: Path, *names: str) -> tuple[np.ndarray, ...]:
    """The arrays of numbers of these names. FileRejected for a file that is damaged or has others."""
    with Source(path).readable("this is no whole .npz file", *DAMAGE), open(path, "rb") as file, \
            np.load(file, allow_pickle=False) as arrays:
        return tuple(arrays[name] for name in names)


def lists(path: Path, *names: str) -> tuple[np.ndarray, ...]:
    """The arrays of lists of whole numbers of these names, object (n,)."""
    source = Source(path)
    with source.readable("this is no whole .npz file", *DAMAGE), zipfile.ZipFile(path) as archive:
        return tuple(_lists(source, archive, name) for name in names)


def _lists(source: Source, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(f"{name}.npy")
    source.require(info.file_size <= LARGEST, f"{info.file_size:,} bytes, and at most {LARGEST:,} are read.", name)
    file = io.BytesIO(archive.read(info))
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = read_header[np.lib.format.read_magic(file)](file)
    source.require(len(shape) == 1 and dtype.hasobject, f"{dtype} of shape {shape}, and no row of lists.", name)
    pickled = file.read()
    rows = unpickled(source, pickled)
    source.require(isinstance(rows, np.ndarray) and rows.dtype == object and rows.shape == shape
                   and all(type(row) is list for row in rows), f"does not hold {shape[0]} lists.", name)
    total = sum(map(len, rows))         # of one list that stands in many places, too
    source.require(total <= len(pickled), f"{total:,} numbers of {len(pickled):,} bytes.", name)
    source.require(all({*map(type, row)} <= {int} for row in rows), "holds something that is no whole number.", name)
    return rows
