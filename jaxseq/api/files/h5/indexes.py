"""Indexes of an HDF5 file: B-trees of names and of the chunks of an array, and arrays of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jaxseq.api.files.h5.pieces import NOWHERE, Image, Piece, demand

NAMES, CHUNKS = 0, 1            # the kinds of the older B-trees
DEEPEST, RECORDS, CHUNKS_OF_ONE = 20, 100_000, 2**18


class Chunk(NamedTuple):
    """Where a part of an array lies. start: its first element in the array. skipped: the filters that it did not go through, a
    bit for each."""

    start: tuple[int, ...]
    address: int
    size: int
    skipped: int


def symbols(image: Image, address: int, level: int | None = None) -> Iterator[Piece]:
    """The entries of 40 bytes in the nodes of an older B-tree of names: where a name stands, where its object does."""
    level, children = _children(image, address, NAMES, 8, level)
    for _, child in children:
        if level:
            yield from symbols(image, child, level - 1)
        else:
            version, _, number = image.signed(child, 8, b"SNOD").numbers(1, 1, 2)
            demand(version == 1, f"names of version {version}")
            node = Piece(image.at(child + 8, 40 * number))
            yield from (Piece(node.take(40)) for _ in range(number))


def chunks(image: Image, address: int, rank: int, level: int | None = None) -> Iterator[Chunk]:
    """The chunks in an older B-tree."""
    level, children = _children(image, address, CHUNKS, 8 + 8 * (rank + 1), level)
    for key, child in children:
        if level:
            yield from chunks(image, child, rank, level - 1)
        else:
            size, skipped = key.numbers(4, 4)
            yield Chunk(key.numbers(*[8] * rank), child, size, skipped)


def _children(image: Image, address: int, kind: int, width: int, wanted: int | None) -> tuple[int, list[tuple[Piece, int]]]:
    """(the level of a node, [(key, address of a child)]). wanted: the level that it has to have, which grows less downwards."""
    own, level, number = image.signed(address, 8, b"TREE").numbers(1, 1, 2)
    demand(own == kind and level <= DEEPEST and wanted in (None, level), "a B-tree without end, or of another kind")
    node = Piece(image.at(address + 24, (width + 8) * number))
    return level, [(Piece(node.take(width)), node.number(8)) for _ in range(number)]


def records(image: Image, address: int) -> Iterator[bytes]:
    """The records of a newer B-tree."""
    told = image.summed(address, 38, b"BTHD")
    version, _, size, width, depth, _, root, number, _ = told.numbers(1, 1, 4, 2, 2, 2, 8, 2, 8)
    demand(version == 0 and depth <= DEEPEST and 0 < width <= size <= 2**16, "a B-tree without end, or of another kind")
    if root != NOWHERE:
        yield from _records(image, root, number, depth, _Form(size, width, depth))


class _Form:
    """How wide numbers are in the nodes of each depth: as wide as the largest that could stand there."""

    def __init__(self, size: int, width: int, depth: int):
        self.size, self.width = size, width
        most = total = (size - 10) // width
        self.count, self.total = [bytes_of(most)], [0]
        for _ in range(depth):
            pointer = 8 + self.count[-1] + self.total[-1]
            most = max(0, size - 10 - pointer) // (width + pointer)
            total = most + (most + 1) * total
            self.count.append(bytes_of(most))
            self.total.append(bytes_of(total))


def bytes_of(number: int) -> int:
    """How many bytes a number needs."""
    return (max(number, 1).bit_length() - 1) // 8 + 1


def _records(image: Image, address: int, number: int, depth: int, form: _Form) -> Iterator[bytes]:
    """The records of a node and of those below it."""
    own = form.width * number
    if depth == 0:
        piece = image.summed(address, 6 + own + 4, b"BTLF")
        piece.take(2)
        yield from (piece.take(form.width) for _ in range(number))
        return
    below = form.count[depth - 1], form.total[depth - 1]
    piece = image.summed(address, 6 + own + (number + 1) * (8 + sum(below)) + 4, b"BTIN")
    piece.take(2)
    held = [piece.take(form.width) for _ in range(number)]
    for place in range(number + 1):
        child, records_there, _ = piece.numbers(8, *below)
        yield from _records(image, child, records_there, depth - 1, form)
        yield from held[place:place + 1]


def fixed(image: Image, address: int, number: int, filtered: bool) -> list[tuple[int, int, int]]:
    """[(address, bytes, skipped filters)] of all chunks in a fixed array; bytes is 0 where nothing is filtered."""
    version, client, width, page, told, place = image.summed(address, 28, b"FAHD").numbers(1, 1, 1, 1, 8, 8)
    demand(version == 0 and client == filtered and told == number <= CHUNKS_OF_ONE and 8 <= width <= 20 and page <= 32,
           "an index of chunks that is of another array")
    size = 14 + number * width + 4
    if number > 1 << page:
        pages = -(-number >> page)
        front = image.summed(place, 14 + -(-pages // 8) + 4, b"FADB")
        front.take(10)
        raw = b"".join(_pages(image, place + len(front.raw) + 4, number, 1 << page, width))
    else:
        piece = image.summed(place, size, b"FADB")
        piece.take(10)
        raw = piece.take(number * width)
    entries = Piece(raw)
    sizes = (8, width - 12, 4) if filtered else (8,)
    return [(*entries.numbers(*sizes), *([] if filtered else [0, 0])) for _ in range(number)]      # type: ignore[misc]


def _pages(image: Image, address: int, number: int, each: int, width: int) -> Iterator[bytes]:
    """The pages of a fixed array, each with a checksum."""
    for first in range(0, number, each):
        size = min(each, number - first) * width + 4
        page = image.summed(address, size, b"")
        yield page.raw
        address += size
