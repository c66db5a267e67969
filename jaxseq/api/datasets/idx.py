"""IDX, the format of MNIST's makers: two zeros, the kind of number, how many axes, their lengths, then the numbers.

Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, "File formats". Lengths are big-endian, of four bytes each.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from jaxseq.api.files.refusal import Source

BYTES = 8                   # the kind of number: unsigned bytes
LARGEST = 2**28             # bytes of an array


def read(path: Path, axes: int) -> np.ndarray:
    """The array of bytes in a gzipped IDX file, uint8 with so many axes. FileRejected for a file that is damaged or another."""
    source = Source(path)
    with source.readable("this is no whole IDX file", OSError, EOFError, zlib.error, struct.error), gzip.open(path) as file:
        magic, *shape = struct.unpack(f">{1 + axes}I", file.read(4 * (1 + axes)))
        source.require(magic == BYTES << 8 | axes, f"begins with {magic:#010x}; bytes along {axes} axes begin with "
                       f"{BYTES << 8 | axes:#010x}.")
        size = math.prod(shape)
        source.require(size <= LARGEST, f"an array of {size:,} bytes, and at most {LARGEST:,} are read.")
        content = bytearray(file.read(size + 1))
    source.require(len(content) == size, f"has {'more' if len(content) > size else 'less'} than the {size:,} bytes of "
                   f"{tuple(shape)}.")
    return np.frombuffer(content, np.uint8).reshape(shape)
