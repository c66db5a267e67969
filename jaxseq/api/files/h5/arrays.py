"""The numbers of an HDF5 file: where they lie, and through which filters they went."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from jaxseq.api.files.h5 import headers, indexes
from jaxseq.api.files.h5.indexes import Chunk
from jaxseq.api.files.h5.pieces import NOWHERE, Damaged, Image, Piece, demand

COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = range(4)
DEFLATE, SHUFFLE, FLETCHER = 1, 2, 3
FIXED, FLOAT, TEXT, OPAQUE, LIST = 0, 1, 3, 5, 9            # classes of types
# What a float of a width says of itself: bits, sign, exponent, mantissa, bias.
FLOATS = {2: (0, 16, 15, 10, 5, 0, 10, 15), 4: (0, 32, 31, 23, 8, 0, 23, 127), 8: (0, 64, 63, 52, 11, 0, 52, 1023)}
CALLED = {2: "times", 3: "text", 4: "bits", 5: "bytes", 6: "records", 7: "references", 8: "words", 9: "lists", 10: "arrays",
          11: "complex numbers"}


class Filter(NamedTuple):
    """A step between the numbers and the file. width: of the elements that are shuffled."""

    kind: int
    width: int


def number_type(told: headers.Type) -> np.dtype | None:
    """NumPy's type of plain floats and whole numbers; of two bytes of any kind, two bytes. None for everything else."""
    piece, end = Piece(told.rest), ">" if told.flags & 1 else "<"
    if told.kind == FIXED and told.width in (1, 2, 4, 8):
        offset, precision = piece.numbers(2, 2)
        plain = (offset, precision) == (0, 8 * told.width) and not told.flags & ~0x09
        return np.dtype(f"{end}{'i' if told.flags & 8 else 'u'}{told.width}") if plain else None
    if told.kind == FLOAT and told.width in FLOATS:
        offset, bits, *parts = piece.numbers(2, 2, 1, 1, 1, 1, 4)
        sign = told.flags >> 8 & 0xFF
        plain = (offset, bits, sign, *parts) == FLOATS[told.width] and told.flags & 0xFE == 0x20
        return np.dtype(f"{end}f{told.width}") if plain else None
    return np.dtype("V2") if told.kind == OPAQUE and told.width == 2 else None


class Array:
    """An array of numbers. shape, dtype: as NumPy has them; dtype is None for what is no number, and shape for no room at all.

    width: bytes of one element. virtual: whether the numbers lie in other files. filters: what they went through. called: a
    word for the type.
    """

    def __init__(self, image: Image, told: list[headers.Message]):
        said = {kind: body for kind, body in told if kind in (headers.SPACE, headers.TYPE, headers.LAYOUT, headers.FILTERS)}
        demand({headers.SPACE, headers.TYPE, headers.LAYOUT} <= said.keys(), "an array that says too little of itself")
        self._image, self.shape = image, headers.dataspace(said[headers.SPACE])
        kind = headers.datatype(said[headers.TYPE])
        self.dtype, self.width = number_type(kind), kind.width
        self.called = f"{self.dtype or CALLED.get(kind.kind, 'numbers of an own form')}"
        self.filters = _filters(Piece(said.get(headers.FILTERS, b"\2\0")))
        self._layout = Piece(said[headers.LAYOUT])
        version, self._class = self._layout.numbers(1, 1)
        demand(version in (3, 4, 5) and self._class <= VIRTUAL, f"an array that is laid out in the way {version}")
        self._version = version
        self.virtual = self._class == VIRTUAL or any(kind == headers.EXTERNAL for kind, _ in told)

    @property
    def size(self) -> int:
        return math.prod(self.shape or ())

    @property
    def nbytes(self) -> int:
        return self.size * self.width

    @property
    def stored(self) -> int:
        """The bytes in the file."""
        match self._place:
            case bytes() as held:
                return len(held)
            case (address, size):
                return 0 if address == NOWHERE else size
            case _:
                return sum(chunk.size for chunk in self._chunks)

    @property
    def chunk(self) -> tuple[int, ...] | None:
        """The shape of the pieces in which it is packed."""
        return self._place.shape if isinstance(self._place, _Index) else None

    def read(self) -> np.ndarray:
        """The numbers. Damaged where they are not there, or are not what was written."""
        assert self.shape is not None and self.dtype is not None
        match self._place:
            case bytes() as held:
                return self._numbers(held).reshape(self.shape)
            case (address, size):
                demand(size >= self.nbytes, "fewer numbers than it has room for")
                return self._numbers(self._image.content(address, self.nbytes) if size else b"").reshape(self.shape)
        whole = np.empty(self.shape, self.dtype)
        covered = 0
        for chunk in self._chunks:
            part = self._unpacked(chunk)
            room = tuple(slice(start, start + size) for start, size in zip(chunk.start, part.shape, strict=True))
            target = whole[room]
            whole[room] = part[tuple(slice(size) for size in target.shape)]
            covered += target.size
        demand(covered == whole.size, "parts of it are missing")
        return whole

    def _numbers(self, raw: bytes) -> np.ndarray:
        demand(len(raw) >= self.nbytes, "fewer numbers than it has room for")
        return np.frombuffer(raw, self.dtype, self.size)

    @cached_property
    def _place(self) -> bytes | tuple[int, int] | _Index:
        """Where the numbers lie: here, at an address, or in chunks."""
        piece = self._layout
        if self._class == COMPACT:
            return piece.take(piece.number(2))
        if self._class == CONTIGUOUS:
            return piece.numbers(8, 8)              # type: ignore[return-value]
        demand(self._class == CHUNKED and self.shape, "an array that lies in other files, or in chunks of nothing")
        return _Index(piece, self._version, len(self.shape or ()), self.width)

    @cached_property
    def _chunks(self) -> list[Chunk]:
        """All chunks, of which no two begin at one place."""
        assert isinstance(self._place, _Index) and self.shape is not None
        found = []
        for chunk in self._place.chunks(self._image, self.shape, bool(self.filters), self.width):
            found.append(chunk)
            demand(len(found) <= indexes.CHUNKS_OF_ONE, "an array of too many pieces")
        demand(len({chunk.start for chunk in found}) == len(found), "two pieces of an array in one place")
        return found

    def _unpacked(self, chunk: Chunk) -> np.ndarray:
        """A chunk as numbers, before its filters."""
        assert isinstance(self._place, _Index) and self.dtype is not None
        raw, need = self._image.content(chunk.address, chunk.size), math.prod(self._place.shape) * self.width
        for place, each in reversed([*enumerate(self.filters)]):
            if not chunk.skipped >> place & 1:
                raw = _undone(each, raw, need)
        demand(len(raw) == need, f"a piece of {len(raw):,} bytes that should have {need:,}")
        return np.frombuffer(raw, self.dtype).reshape(self._place.shape)


class _Index:
    """Where the chunks of an array are listed. shape: of one chunk."""

    def __init__(self, piece: Piece, version: int, rank: int, width: int):
        new = version > 3
        flags = piece.number(1) if new else 0
        demand(piece.number(1) == rank + 1, "chunks of another rank")
        self._address = 0 if new else piece.number(8)
        size = piece.number(1) if new else 4
        *shape, told = (piece.number(size) for _ in range(rank + 1))
        demand(told == width and all(shape), "chunks of another width, or of nothing")
        self.shape, self._kind = tuple(shape), 0
        if new:
            self._kind = piece.number(1)
            demand(self._kind in (1, 2, 3), "an array that can grow, in the form of newer files")
            self._only = piece.numbers(8, 4) if self._kind == 1 and flags & 2 else (0, 0)
            piece.take(1 if self._kind == 3 else 0)
            self._address = piece.number(8)

    def chunks(self, image: Image, shape: tuple[int, ...], filtered: bool, width: int) -> Iterator[Chunk]:
        """All chunks that are there."""
        if self._address == NOWHERE:
            return
        if self._kind == 0:
            yield from indexes.chunks(image, self._address, len(shape))
            return
        whole, counts = math.prod(self.shape) * width, [-(-size // each) for size, each in zip(shape, self.shape, strict=True)]
        number = math.prod(counts)
        demand(number <= indexes.CHUNKS_OF_ONE, "an array of too many pieces")
        if self._kind == 1:
            demand(number == 1, "one piece of an array of several")
            listed = [(self._address, *(self._only if filtered else (whole, 0)))]
        elif self._kind == 2:
            listed = [(self._address + place * whole, whole, 0) for place in range(number)]
        else:
            listed = indexes.fixed(image, self._address, number, filtered)
        for place, (address, size, skipped) in enumerate(listed):
            start = tuple(int(each) for each in np.unravel_index(place, counts))
            if address != NOWHERE:
                at = tuple(each * own for each, own in zip(start, self.shape, strict=True))
                yield Chunk(at, address, size if filtered else whole, skipped)


def _filters(piece: Piece) -> list[Filter]:
    """What a message says of the filters."""
    version, number = piece.numbers(1, 1)
    demand(version in (1, 2), f"filters of version {version}")
    piece.take(6 if version == 1 else 0)
    found = []
    for _ in range(number):
        kind = piece.number(2)
        name = piece.number(2) if version == 1 or kind >= 256 else 0
        _, values = piece.numbers(2, 2)
        piece.take(-(-name // 8) * 8 if version == 1 else name)
        told = piece.numbers(*[4] * values)
        piece.take(4 if version == 1 and values % 2 else 0)
        found.append(Filter(kind, told[0] if kind == SHUFFLE and told else 1))
    return found


def _undone(each: Filter, raw: bytes, need: int) -> bytes:
    """Some bytes as they were before a filter. need: so many there are at most, and four more of a checksum."""
    if each.kind == DEFLATE:
        stream = zlib.decompressobj()
        try:
            unpacked = stream.decompress(raw, need + 5)
        except zlib.error as error:
            raise Damaged(f"what is packed cannot be unpacked: {error}") from None
        demand(stream.eof, "what is packed has another size than it should")
        return unpacked
    if each.kind == SHUFFLE:
        whole = len(raw) // max(1, each.width) * each.width
        turned = np.frombuffer(raw, np.uint8, whole).reshape(max(1, each.width), -1).T.tobytes()
        return turned + raw[whole:]
    demand(each.kind == FLETCHER and len(raw) >= 4, f"the filter {each.kind}")
    demand(fletcher32(raw[:-4]) == int.from_bytes(raw[-4:], "little"), "a checksum is another than when it was written")
    return raw[:-4]


BLOCK = 2**16


def fletcher32(raw: bytes) -> int:
    """Fletcher's checksum of some bytes, in words of 16 bits whose larger half comes first."""
    words = np.frombuffer(raw + bytes(len(raw) % 2), ">u2")
    one = two = 0
    for start in range(0, len(words), BLOCK):
        sums = np.cumsum(words[start:start + BLOCK].astype(np.uint64))
        two += one * len(sums) + int(sums.sum())
        one += int(sums[-1])
    return _folded(two) << 16 | _folded(one)


def _folded(total: int) -> int:
    """A sum modulo 65535, for which 65535 itself stands where it is not nothing."""
    return (total - 1) % 65535 + 1 if total else 0
