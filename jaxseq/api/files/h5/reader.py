"""An HDF5 file as groups and arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import BinaryIO

from jaxseq.api.files.h5 import headers
from jaxseq.api.files.h5.arrays import FIXED, LIST, TEXT, Array
from jaxseq.api.files.h5.heaps import Links, Texts
from jaxseq.api.files.h5.indexes import records
from jaxseq.api.files.h5.links import Elsewhere, links
from jaxseq.api.files.h5.pieces import NOWHERE, Image, Piece, decoded, demand

MARK = b"\x89HDF\r\n\x1a\n"
ROOM = 2**23                    # bytes of all texts in one attribute
LONGEST = 1000                  # levels of names in a path


class Object:
    """What groups and arrays have in common. address: of the header, which tells objects apart."""

    def __init__(self, image: Image, texts: Texts, address: int, told: list[headers.Message]):
        self._image, self._texts, self.address, self._told = image, texts, address, told

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """What is written at the object, by name."""
        bodies = [body for kind, body in self._told if kind == headers.ATTRIBUTE]
        for kind, body in self._told:
            if kind == headers.ATTRIBUTES:
                bodies += self._apart(Piece(body))
        found = [Attribute(self._texts, Piece(body)) for body in bodies]
        demand(len({each.name for each in found}) == len(found), "two attributes of one name")
        return {each.name: each for each in found}

    def _apart(self, piece: Piece) -> Iterator[bytes]:
        """Attributes in a heap, where there are many."""
        version, flags = piece.numbers(1, 1)
        demand(version == 0, f"attributes of version {version}")
        piece.take(2 if flags & 1 else 0)
        heap, names = piece.numbers(8, 8)
        kept = None if heap == NOWHERE else Links(self._image, heap)
        for record in records(self._image, names) if kept else ():
            demand(not record[8] & headers.SHARED, "an attribute that stands in another place")
            assert kept is not None
            yield kept.at(record[:kept.width])


class Group(Object):
    """Named objects. `group["a/b"]` finds one, `name in group` tells whether it is there."""

    def __init__(self, image: Image, texts: Texts, address: int, told: list[headers.Message]):
        super().__init__(image, texts, address, told)
        self._known: dict[str, Group | Dataset | None] = {}

    @cached_property
    def links(self) -> dict[str, int | Elsewhere]:
        """{name: address of the object, or the kind of a link that leads elsewhere}."""
        found: dict[str, int | Elsewhere] = {}
        for name, target in links(self._image, self._told):
            demand(name not in found and name and "/" not in name, "two of one name, or a name that is none")
            found[name] = target
        return found

    @property
    def file_size(self) -> int:
        """The bytes of the whole file."""
        return self._image.size

    def open(self, name: str) -> Group | Dataset | None:
        """What stands under a name, the same for every call; None for what is neither a group nor an array."""
        if name not in self._known:
            address = self.links[name]
            demand(not isinstance(address, Elsewhere), f"{address}: {name}")
            assert isinstance(address, int)
            self._known[name] = opened(self._image, self._texts, address)
        return self._known[name]

    def __getitem__(self, path: str) -> Group | Dataset:
        first, _, rest = path.partition("/")
        found = self.open(first) if first in self.links else None
        demand(found is not None and (isinstance(found, Group) or not rest), f"{path} is not there")
        return found[rest] if isinstance(found, Group) and rest else found          # type: ignore[return-value]

    def __contains__(self, path: str) -> bool:
        first, _, rest = path.partition("/")
        if first not in self.links or isinstance(self.links[first], Elsewhere):
            return False
        found = self.open(first) if rest else None
        return not rest or isinstance(found, Group) and rest in found


class Dataset(Object, Array):
    """An array of numbers with attributes."""

    def __init__(self, image: Image, texts: Texts, address: int, told: list[headers.Message]):
        Object.__init__(self, image, texts, address, told)
        Array.__init__(self, image, told)


class Attribute:
    """A value at an object. shape: None for none."""

    def __init__(self, texts: Texts, piece: Piece):
        version, flags, *sizes = piece.numbers(1, 1, 2, 2, 2)
        demand(version in (1, 2, 3), f"an attribute of version {version}")
        demand(version == 1 or not flags & 3, "what an attribute says of itself stands in another place")
        piece.take(1 if version == 3 else 0)
        name, kind, space = (self._part(piece, size, version == 1) for size in sizes)
        self.name = decoded(name.split(b"\0")[0])
        self._type, self._texts, self._raw = headers.datatype(kind), texts, piece.take(piece.left)
        self.shape = headers.dataspace(space)

    @staticmethod
    def _part(piece: Piece, size: int, padded: bool) -> bytes:
        part = piece.take(size)
        piece.take(-size % 8 if padded else 0)
        return part

    def texts(self) -> list[str] | None:
        """The texts in it; None where it is none, or something else."""
        if self.shape is not None and 0 in self.shape:
            return []                           # Keras writes a list of nothing as numbers
        number, width, piece = math.prod(self.shape or ()), self._type.width, Piece(self._raw)
        if self.shape is None:
            return None
        if self._type.kind == TEXT:
            return [decoded(piece.take(width).split(b"\0")[0]) for _ in range(number)]
        if self._type.kind != LIST or self._type.flags & 0x0F != 1:
            return None
        base = headers.datatype(self._type.rest)
        if base.kind not in (FIXED, TEXT) or base.width != 1:
            return None
        told = [piece.numbers(4, 8, 4) for _ in range(number)]
        room = sum(size for size, _, _ in told)
        demand(room <= ROOM, f"{self.name} is {number:,} texts of {room:,} bytes")
        return [decoded(self._texts.at(address, index, size).split(b"\0")[0] if size else b"") for size, address, index in told]


def opened(image: Image, texts: Texts, address: int) -> Group | Dataset | None:
    """The object at an address; None for what is neither a group nor an array."""
    told = headers.messages(image, address)
    kinds = {kind for kind, _ in told}
    if kinds & {headers.SYMBOLS, headers.LINKS, headers.LINK}:
        return Group(image, texts, address, told)
    return Dataset(image, texts, address, told) if headers.LAYOUT in kinds or headers.SPACE in kinds else None


def root(file: BinaryIO) -> Group:
    """The group that everything stands in. Damaged for what is no HDF5 file."""
    image = Image(file)
    demand(image.size >= 48 and image.at(0, 8) == MARK, "it does not begin as one")
    version = image.at(8, 1)[0]
    demand(version <= 3, f"it has the version {version}")
    if version < 2:
        front = Piece(image.at(13, 67))
        widths = front.take(2)
        front.take(9 + 4 * version)
        base, _, end, driver, _, address = front.numbers(8, 8, 8, 8, 8, 8)
    else:
        front = image.summed(0, 48, MARK)
        front.take(1)
        widths = front.take(2)
        front.take(1)
        base, driver, end, address = front.numbers(8, 8, 8, 8)
    demand(widths == b"\x08\x08", "its addresses have another width than 8 bytes")
    demand(base == 0 and driver == NOWHERE, "it is a part of several, or says more of itself than is read")
    demand(end <= image.size, "it is cut short")
    found = opened(image, Texts(image), address)
    demand(isinstance(found, Group), "there is no group in it")
    assert isinstance(found, Group)
    return found
