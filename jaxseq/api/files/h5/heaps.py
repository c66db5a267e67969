"""Heaps of an HDF5 file: of names (local), of texts of any length (global), of links and attributes (fractal)."""

from __future__ import annotations

from functools import cached_property

from jaxseq.api.files.h5.pieces import NOWHERE, Damaged, Image, Piece, checksum, decoded, demand

LARGEST = 2**24                 # bytes of one heap, or of a block of one


class Names:
    """A local heap: names at offsets, each with a zero byte behind it."""

    def __init__(self, image: Image, address: int):
        piece = image.signed(address, 32, b"HEAP")
        version, _, size, _, data = piece.numbers(1, 3, 8, 8, 8)
        demand(version == 0 and size <= LARGEST, "a heap of names that is none")
        self._raw = image.at(data, size)

    def at(self, offset: int) -> str:
        end = self._raw.find(b"\0", offset)
        demand(0 <= offset <= end, "a name that is not there")
        return decoded(self._raw[offset:end])


class Texts:
    """Global heaps: texts by the address of a heap and a number in it."""

    def __init__(self, image: Image):
        self._image, self._known = image, {}

    def at(self, address: int, index: int, size: int) -> bytes:
        """The first bytes of a text."""
        if address not in self._known:
            self._known[address] = self._places(address)
        place, room = self._known[address].get(index, (0, -1))
        demand(size <= room, "a text that is not there")
        return self._image.at(place, size)

    def _places(self, address: int) -> dict[int, tuple[int, int]]:
        """{number: (address, bytes)} of the texts in a heap."""
        version, _, whole = self._image.signed(address, 16, b"GCOL").numbers(1, 3, 8)
        demand(version == 1 and address + whole <= self._image.size, "a heap of texts that is none")
        found, at = {}, 16
        while at + 16 <= whole:
            index, _, _, size = Piece(self._image.at(address + at, 16)).numbers(2, 2, 4, 8)
            if index == 0:
                break                           # the room that is left
            demand(16 + size <= whole - at, "a text beyond its heap")
            found[index] = address + at + 16, size
            at += 16 + -(-size // 8) * 8
        return found


class Links:
    """A fractal heap: pieces of bytes by an identifier, in blocks that grow."""

    def __init__(self, image: Image, address: int):
        self._image = image
        told = image.summed(address, 146, b"FRHP")
        version, self.width, filters, flags, self._largest_object = told.numbers(1, 2, 2, 1, 4)
        demand(version == 0 and not filters, "a heap that is packed")
        told.take(12 * 8)
        self._columns, self._first, self._largest, bits, _, self._root, self._rows = told.numbers(2, 8, 8, 2, 2, 8, 2)
        usual = 0 < self._columns <= 256 and 0 < self._first <= self._largest <= LARGEST and bits <= 64 and self._rows <= 64
        demand(usual and self._first & self._first - 1 == 0, "a heap of a form that cannot be")
        self._summed, self._offset = bool(flags & 2), -(-bits // 8)
        log = lambda size: max(size, 1).bit_length() - 1
        self._length = min((log(self._largest) + 7) // 8, log(self._largest_object) // 8 + 1)

    def at(self, identifier: bytes) -> bytes:
        """The piece behind an identifier."""
        piece = Piece(identifier)
        kind = piece.number(1)
        demand(kind & 0xF0 == 0, "a piece of a heap that lies by itself")
        offset, size = piece.numbers(self._offset, self._length)
        for start, raw in self._blocks:
            if start <= offset < start + len(raw):
                demand(offset + size <= start + len(raw), "a piece beyond its block")
                return raw[offset - start:offset - start + size]
        raise Damaged("a piece that is not there")

    @cached_property
    def _blocks(self) -> list[tuple[int, bytes]]:
        """(offset in the heap, bytes) of every block."""
        if self._root == NOWHERE:
            return []
        if self._rows == 0:
            return [(0, self._block(self._root, self._first))]
        return self._below(self._root, self._rows, 0, 0)

    def _block(self, address: int, size: int) -> bytes:
        """A block of pieces."""
        raw = self._image.signed(address, size, b"FHDB").raw
        if self._summed:
            place = 13 + self._offset           # where the checksum stands, which counts as zeros
            told = int.from_bytes(raw[place:place + 4], "little")
            demand(checksum(raw[:place] + bytes(4) + raw[place + 4:]) == told, "a checksum is another than when it was written")
        return raw

    def _below(self, address: int, rows: int, start: int, depth: int) -> list[tuple[int, bytes]]:
        """The blocks that a block of addresses tells of."""
        demand(depth <= 4, "a heap without end")
        sizes = [self._first << max(0, row - 1) for row in range(rows)]
        piece = self._image.summed(address, 13 + self._offset + 8 * self._columns * rows + 4, b"FHIB")
        piece.take(9 + self._offset)
        found = []
        for size in sizes:
            for _ in range(self._columns):
                child = piece.number(8)
                if child != NOWHERE and size <= self._largest:
                    found.append((start, self._block(child, size)))
                elif child != NOWHERE:
                    found += self._below(child, (size // (self._first * self._columns)).bit_length(), start, depth + 1)
                start += size
        return found
