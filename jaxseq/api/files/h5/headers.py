"""What an object of an HDF5 file says of itself: its header is a list of messages, in pieces that continue each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jaxseq.api.files.h5.pieces import Damaged, Image, Piece, demand

SPACE, LINKS, TYPE, LINK, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, CONTINUED, SYMBOLS, ATTRIBUTES = (
    0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x0B, 0x0C, 0x10, 0x11, 0x15)
KNOWN = range(0x19)
SHARED, MUST_BE_KNOWN = 0x02, 0x80      # flags of a message
PIECES, LONGEST = 200, 2**20            # of one header, bytes of one piece


class Message(NamedTuple):
    """kind: see above. body: its bytes."""

    kind: int
    body: bytes


def messages(image: Image, address: int) -> list[Message]:
    """What the object at an address says."""
    new = image.at(address, 4) == b"OHDR"
    piece, order = _first_new(image, address) if new else (_first_old(image, address), False)
    found, waiting, seen = [], [piece], 0
    while waiting:
        seen += 1
        demand(seen <= PIECES, "a header without end")
        for kind, flags, body in _of(waiting.pop(0), new, order):
            demand(not flags & SHARED, "what an object says of itself stands in another place")
            demand(kind in KNOWN or not flags & MUST_BE_KNOWN, f"it needs to know of messages of the kind {kind}")
            if kind == CONTINUED:
                waiting.append(_next(image, Piece(body), new))
            else:
                found.append(Message(kind, body))
    return found


def _first_old(image: Image, address: int) -> Piece:
    """The first piece of a header of version 1."""
    version, _, _, _, size = Piece(image.at(address, 12)).numbers(1, 1, 2, 4, 4)
    demand(version == 1 and size <= LONGEST, "there is no header where one should be")
    return Piece(image.at(address + 16, size))


def _first_new(image: Image, address: int) -> tuple[Piece, bool]:
    """The first piece of a header of version 2, and whether its messages are numbered."""
    _, version, flags = Piece(image.at(address, 6)).numbers(4, 1, 1)
    demand(version == 2, f"a header of version {version}")
    before = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = Piece(image.at(address + before, width)).number(width)
    demand(size <= LONGEST, "a header without end")
    piece = image.summed(address, before + width + size + 4, b"OHDR")
    piece.place = before + width
    return piece, bool(flags & 0x04)


def _next(image: Image, told: Piece, new: bool) -> Piece:
    """The piece that a message of continuation tells of."""
    address, size = told.numbers(8, 8)
    demand(size <= LONGEST, "a header without end")
    return image.summed(address, size, b"OCHK") if new else Piece(image.at(address, size))


def _of(piece: Piece, new: bool, order: bool) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, body) of the messages in a piece."""
    head = 4 + 2 * order if new else 8
    while piece.left >= head:
        kind, size, flags = piece.numbers(1, 2, 1) if new else piece.numbers(2, 2, 1)
        piece.take(head - 4 if new else 3)
        yield kind, flags, piece.take(size)


class Type(NamedTuple):
    """A datatype. kind: its class. width: bytes of one element. rest: what it says further."""

    kind: int
    width: int
    flags: int
    rest: bytes


def datatype(body: bytes) -> Type:
    piece = Piece(body)
    kind, flags, width = piece.numbers(1, 3, 4)
    return Type(kind & 0x0F, width, flags, piece.take(piece.left))


def dataspace(body: bytes) -> tuple[int, ...] | None:
    """The shape; None for no room at all."""
    piece = Piece(body)
    version, rank, flags = piece.numbers(1, 1, 1)
    if version == 1:
        piece.take(5)
    elif version == 2:
        if piece.number(1) == 2:
            return None
    else:
        raise Damaged(f"a dataspace of version {version}")
    demand(rank <= 32, f"{rank} axes")
    return tuple(piece.number(8) for _ in range(rank))
