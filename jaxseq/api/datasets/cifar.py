"""The batches of CIFAR: pickles of Python 2 in a gzipped tar file, which are read in passing and never unpacked to disk."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api.datasets.unpickled import unpickled
from jaxseq.api.files.refusal import Source

LARGEST = 2**28             # bytes of a member; the largest is CIFAR-100's training set, of 155 million
Batch = tuple[np.ndarray, list[int]]


def batches(path: Path, names: tuple[str, ...], labels: str) -> list[Batch]:
    """[(images uint8 (n, 32, 32, 3), labels), ...] of the members of these names. labels: the key that they stand under.

    FileRejected for a file that is damaged, or does not hold each of them once as a plain file.
    """
    source = Source(path)
    return [_batch(source, content, labels) for content in _contents(source, path, names)]


def _contents(source: Source, path: Path, names: tuple[str, ...]) -> list[bytes]:
    """What the members hold, in the order of the names; the archive is gone through once."""
    found: dict[str, bytes] = {}
    with source.readable("this is no whole tar file", tarfile.TarError, OSError, EOFError, zlib.error), \
            tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name, size = member.name, member.size
            source.require(0 <= size <= LARGEST, f"{size:,} bytes, and at most {LARGEST:,} are read.", name)
            if name in names:
                source.require(member.isreg() and name not in found, "is no plain file, or there twice.", name)
                found[name] = archive.extractfile(member).read()                # type: ignore[union-attr]
    missing = [name for name in names if name not in found]
    source.require(not missing, f"does not hold {', '.join(missing)}.")
    return [found[name] for name in names]


def _batch(source: Source, content: bytes, key: str) -> Batch:
    held = unpickled(source, content)
    source.require(isinstance(held, dict) and {"data", key} <= held.keys(), f"a batch without data and {key}.")
    images: Any = held["data"]
    labels: Any = held[key]
    source.require(isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (3072,),
                   "the images of a batch are not bytes of shape (n, 3072).")
    source.require(isinstance(labels, list) and len(labels) == len(images) and all(
        type(label) is int and 0 <= label < 100 for label in labels), f"{key} are not one class for each of the images.")
    return np.ascontiguousarray(images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels
