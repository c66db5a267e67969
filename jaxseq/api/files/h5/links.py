"""What is in a group of an HDF5 file: names, and the addresses of objects."""

from __future__ import annotations

from collections.abc import Iterator

from jaxseq.api.files.h5 import headers, indexes
from jaxseq.api.files.h5.heaps import Links, Names
from jaxseq.api.files.h5.pieces import NOWHERE, Image, Piece, demand

HARD, SOFT, EXTERNAL = 0, 1, 64
CALLED = {SOFT: "SoftLink", EXTERNAL: "ExternalLink"}


class Elsewhere(str):
    """A link that leads to no object of the file: the word for its kind."""


def links(image: Image, told: list[headers.Message]) -> Iterator[tuple[str, int | Elsewhere]]:
    """(name, address of the object) of everything in the group that says this."""
    for kind, body in told:
        if kind == headers.SYMBOLS:
            yield from _symbols(image, *Piece(body).numbers(8, 8))
        elif kind == headers.LINK:
            yield _link(Piece(body))
        elif kind == headers.LINKS:
            piece = Piece(body)
            version, flags = piece.numbers(1, 1)
            demand(version == 0, f"links of version {version}")
            piece.take(8 if flags & 1 else 0)
            heap, names = piece.numbers(8, 8)
            if heap != NOWHERE:
                kept = Links(image, heap)
                for record in indexes.records(image, names):
                    yield _link(Piece(kept.at(record[4:4 + kept.width])))


def _symbols(image: Image, tree: int, heap: int) -> Iterator[tuple[str, int | Elsewhere]]:
    names = Names(image, heap)
    for entry in indexes.symbols(image, tree):
        offset, address, cached = entry.numbers(8, 8, 4)
        yield names.at(offset), Elsewhere(CALLED[SOFT]) if cached == 2 or address == NOWHERE else address


def _link(piece: Piece) -> tuple[str, int | Elsewhere]:
    """A link as a message has it."""
    version, flags = piece.numbers(1, 1)
    demand(version == 1, f"a link of version {version}")
    kind = piece.number(1) if flags & 0x08 else HARD
    piece.take((8 if flags & 0x04 else 0) + (1 if flags & 0x10 else 0))
    size = piece.number(1 << (flags & 3))
    name = piece.text(piece.place + size)
    return name, piece.number(8) if kind == HARD else Elsewhere(CALLED.get(kind, f"a link of the kind {kind}"))
