"""Named arrays as safetensors. The format itself notices no damage: `hashed` puts a hash of all of them in its metadata.

    8 bytes            the length of the header, a number
    the header         JSON: {name: {"dtype", "shape", "data_offsets": [begin, end]}}, and "__metadata__" with texts by name
    the arrays         one behind the other, each where its offsets say, without a gap
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

from jaxseq.api.files import plain_json
from jaxseq.api.files.refusal import Source

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I64": np.int64,
          "I32": np.int32, "I16": np.int16, "I8": np.int8,
          "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_}
HASH, METADATA = "blake2b", "__metadata__"
ARRAYS, AXES, SIZE = 20_000, 64, 2**48      # of one file, of one array, along one axis


class Place(NamedTuple):
    """Where an array lies behind the header, and what it is."""

    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """What a file says of itself. start: where the arrays begin."""

    places: dict[str, Place]
    metadata: dict[str, str]
    start: int


def hashed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as the bytes of a .safetensors file that tells when it is damaged."""
    held = _in_one_piece(arrays)
    return packed(held, {HASH: _digest(sorted(held.items())), "format": "jaxseq"})


def packed(arrays: Mapping[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """The arrays as the bytes of a .safetensors file, for those who keep a hash of these bytes elsewhere."""
    from safetensors.numpy import save

    return save(_in_one_piece(arrays), metadata)


def _in_one_piece(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}


def unpacked(source: Source, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of such a file, and of any other .safetensors file. FileRejected for what is damaged."""
    file = io.BytesIO(content)
    return read(source, file, header_of(source, file))


def header_of(source: Source, file: BinaryIO) -> Header:
    """What the file says, and that it can be so. FileRejected; no array is read."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    length, = struct.unpack("<Q", file.read(8)) if size >= 8 else (size,)
    source.require(size >= 8 and length <= size - 8, "this is no whole .safetensors file.")
    source.require(length <= plain_json.LARGEST, f"a header of {length:,} bytes; {plain_json.LARGEST:,} are read.")
    text = file.read(length)
    source.require(text[:1] in (b"{", b""), "this is no .safetensors file: its header does not begin with {.")
    told = plain_json.parsed(source, "the header", text)
    metadata = told.pop(METADATA, {})
    plain = isinstance(metadata, dict) and all(isinstance(each, str) for each in metadata.values())
    source.require(plain, "is something else than texts by their names.", METADATA)
    source.require(len(told) <= ARRAYS, f"more than {ARRAYS:,} arrays.")
    places = {name: _place(source, name, each) for name, each in told.items()}
    end = 0
    for name, place in sorted(places.items(), key=lambda item: item[1][2:]):
        source.require(place.begin == end, "arrays that lie in each other, or a gap between them.", name)
        end = place.end
    source.require(8 + length + end == size, f"{end:,} bytes of arrays, and the file has {size - length - 8:,}.")
    return Header(places, metadata, 8 + length)


def _place(source: Source, name: str, told: Any) -> Place:
    """Where the header says that an array lies."""
    whole = lambda listed, most: isinstance(listed, list) and all(type(each) is int and 0 <= each < most for each in listed)
    usual = isinstance(told, dict) and told.keys() == {"dtype", "shape", "data_offsets"} and isinstance(told["dtype"], str)
    source.require(usual, "an array that is described in another way.", name)
    kind, shape, offsets = told["dtype"], told["shape"], told["data_offsets"]
    source.require(kind in DTYPES, f"numbers of the form {kind}, which are not read.", name)
    source.require(whole(shape, SIZE) and len(shape) <= AXES and whole(offsets, 2**63) and len(offsets) == 2, "an array of a "
                   "size or at a place that cannot be.", name)
    dtype, (begin, end) = np.dtype(DTYPES[kind]), offsets
    need = math.prod(shape) * dtype.itemsize
    source.require(end - begin == need, f"{end - begin:,} bytes for an array that has {need:,}.", name)
    return Place(dtype, tuple(shape), begin, end)


def read(source: Source, file: BinaryIO, header: Header) -> dict[str, np.ndarray]:
    """The arrays. FileRejected where they are not those that were written."""
    arrays = {name: _array(file, header, place) for name, place in header.places.items()}
    _compare(source, header, sorted(arrays.items()))
    return arrays


def checked(source: Source, file: BinaryIO, header: Header) -> None:
    """Reads one array after the other and keeps none. FileRejected as in `read`."""
    _compare(source, header, ((name, _array(file, header, header.places[name])) for name in sorted(header.places)))


def _array(file: BinaryIO, header: Header, place: Place) -> np.ndarray:
    file.seek(header.start + place.begin)
    held = bytearray(place.end - place.begin)
    file.readinto(held)                         # type: ignore[attr-defined]
    return np.frombuffer(held, place.dtype).reshape(place.shape)


def _compare(source: Source, header: Header, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
    """Compares the arrays, which come sorted by name, with the hash in the header, where there is one."""
    if HASH in header.metadata:
        source.require(header.metadata[HASH] == _digest(arrays), "is damaged: its hash is another than when it was written.")


def _digest(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """A hash of arrays and their names, which come sorted."""
    digest = hashlib.blake2b(digest_size=32)
    for name, array in arrays:
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode(errors="surrogatepass"))
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
