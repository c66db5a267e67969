"""Named arrays as safetensors, with a hash of all of them in its metadata: the format itself notices no damage."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np

from jaxseq.api.files.refusal import Source

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I64": np.int64,
          "I32": np.int32, "I16": np.int16, "I8": np.int8,
          "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_}
HASH = "blake2b"


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as the bytes of a .safetensors file."""
    from safetensors.numpy import save

    held = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    return save(held, {HASH: _digest(held), "format": "jaxseq"})


def unpacked(source: Source, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of such a file, and of any other .safetensors file. FileRejected for what is damaged."""
    from safetensors import SafetensorError, deserialize

    with source.readable("this is no whole .safetensors file", SafetensorError, *DAMAGE):
        told = deserialize(content)
        arrays = {name: _array(source, name, each) for name, each in told}
        metadata = _metadata(content)
    if HASH in metadata:
        source.require(metadata[HASH] == _digest(arrays), "is damaged: its hash is another than when it was written.")
    return arrays


DAMAGE = ValueError, TypeError, KeyError, OverflowError, UnicodeError


def _array(source: Source, name: str, told: Mapping[str, Any]) -> np.ndarray:
    source.require(told["dtype"] in DTYPES, f"numbers of the form {told['dtype']}, which are not read.", ascii(name))
    source.require(math.prod(told["shape"]) < 2**48, "an array of a size that cannot be.", ascii(name))
    return np.frombuffer(bytearray(told["data"]), DTYPES[told["dtype"]]).reshape(told["shape"])


def _metadata(content: bytes) -> dict[str, Any]:
    """The metadata of a file that has been parsed already."""
    import json

    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8:8 + size]).get("__metadata__", {})


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
