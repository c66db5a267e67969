"""HDF5 whose own structures go round in circles or have no end (H6): the library of HDF5 loops or crashes over most of them."""

import io
import struct

import h5py
import numpy as np
from h5py import h5o

from jaxseq.api.files.h5.pieces import checksum

from .attack import Attack, bytes_of, copied
from .rebuilding import in_form


def earliest(change=lambda root: None):
    """The good file in the form without checksums, with more in it."""
    return lambda good: bytearray(in_form(good, "earliest", change))


def places(content, mark):
    """Where something with that signature begins."""
    found, place = [], content.find(mark)
    while place >= 0:
        found.append(place)
        place = content.find(mark, place + 1)
    return found


def wide(root):
    """Groups enough for a B-tree of two levels, beside those that are there."""
    for number in range(600):
        h5py.h5g.create(root.id, b"more%d" % number)


def chunked(root):
    """An array in so many pieces that their B-tree has two levels."""
    root.create_dataset("more", data=np.zeros((200, 100), "f4"), chunks=(4, 4))


def circular(kind, key):
    """B-trees of a kind in which every node with others below it is itself below itself."""
    def change(content):
        for node in places(content, b"TREE"):
            own, level, number = struct.unpack_from("<BBH", content, node + 4)
            for child in range(number if own == kind and level else 0):
                struct.pack_into("<Q", content, node + 24 + key + (key + 8) * child, node)

    return change


def levels(content):
    """B-trees that have 200 levels, as they say."""
    for node in places(content, b"TREE"):
        content[node + 5] = 200


def endless_texts(size):
    """A heap in which nothing comes after the first text, or a text without end."""
    def change(content):
        for heap in places(content, b"GCOL\1"):
            struct.pack_into("<HHxxxxQ", content, heap + 16, 1 if size else 0, 1, size)

    return change


def endless_room(content):
    """Heaps of names in which the room that is left leads to itself."""
    for heap in places(content, b"HEAP"):
        size, free, data = struct.unpack_from("<QQQ", content, heap + 8)
        if free < size:
            struct.pack_into("<Q", content, data + free, free)


def at(name):
    """Where the header of an object stands in the form without checksums."""
    def find(content):
        with h5py.File(io.BytesIO(content), "r") as root:
            return h5o.get_info(root[name].id).addr

    return find


def first(content, place, kind):
    """The first message of a kind in a header of version 1: where its body stands, and its size."""
    end = place + 16 + struct.unpack_from("<L", content, place + 8)[0]
    place += 16
    while place < end:
        found, size = struct.unpack_from("<HH", content, place)
        if found == kind:
            return place + 8, size
        place += 8 + size
    raise LookupError(f"no message {kind}")


def shared_type(content):
    """An array whose type stands in another object, which is the array."""
    place = at("more")(content)
    body, _ = first(content, place, 3)
    content[body - 4] |= 2
    struct.pack_into("<BBQ", content, body, 3, 2, place)


def continued(content):
    """A header that goes on in itself."""
    place = at("more")(content)
    body, size = first(content, place, 0)
    struct.pack_into("<HH", content, body - 8, 0x10, size)
    struct.pack_into("<QQ", content, body, place + 16, struct.unpack_from("<L", content, place + 8)[0])


def summed(mark, size, change):
    """The first thing with that signature changed, and its checksum as it should be."""
    def build(good, trap):
        more = lambda root: [root.create_group(f"more/{number}") for number in range(60)]
        content = bytearray(in_form(good, ("v110", "v110"), more))
        start = content.index(mark)
        change(content, start)
        content[start + size - 4:start + size] = checksum(bytes(content[start:start + size - 4])).to_bytes(4, "little")
        return bytes(content)

    return build


def number(place, form, value):
    return lambda content, start: struct.pack_into(form, content, start + place, value)


def changed(base, change):
    def build(good, trap):
        content = base(good)
        change(content)
        return bytes(content)

    return build


TYPES = earliest(lambda root: root.create_dataset("more", data=np.zeros(3, "f4")))

STRUCTURES = {
    "a B-tree of names below itself": (changed(earliest(wide), circular(0, 8)), "a B-tree without end"),
    "a B-tree of pieces below itself": (changed(earliest(chunked), circular(1, 32)), "a B-tree without end"),
    "a B-tree of 200 levels": (changed(earliest(), levels), "a B-tree without end"),
    "a type that is that of itself": (changed(TYPES, shared_type), "stands in another place"),
    "a header that goes on in itself": (changed(TYPES, continued), "a header without end"),
    "a newer B-tree of 30,000 levels": (summed(b"BTHD", 38, number(12, "<H", 30_000)), "a B-tree without end"),
    "a newer B-tree of nothing": (summed(b"BTHD", 38, number(10, "<H", 0)), "a B-tree without end"),
    "a newer B-tree without its root": (summed(b"BTHD", 38, number(16, "<Q", 2**62)), "beyond the end of the file"),
    "a heap that is packed by a plugin": (summed(b"FRHP", 146, number(7, "<H", 8)), "a heap that is packed"),
    "a heap of no columns": (summed(b"FRHP", 146, number(110, "<H", 0)), "a heap of a form that cannot be"),
    "a heap of 65,535 rows": (summed(b"FRHP", 146, number(140, "<H", 65_535)), "a heap of a form that cannot be"),
    "a heap of blocks of 2^60": (summed(b"FRHP", 146, number(112, "<Q", 2**60)), "a heap of a form that cannot be"),
    "an array of pieces that can grow": (lambda good, trap: in_form(good, ("v110", "v110"), lambda root: root.create_dataset(
        "more", data=np.zeros(100), chunks=(2,), maxshape=(None,))), "an array that can grow"),
}
TEXTS = {
    "texts that are followed by nothing, for ever": changed(earliest(), endless_texts(0)),
    "a text of 2^64 bytes": changed(earliest(), endless_texts(2**64 - 16)),
    "a text beyond the end": changed(earliest(), endless_texts(2**20)),
}
# What our own reader never looks at: the file loads as if nothing were the matter.
UNREAD = {"room that leads to itself": changed(earliest(), endless_room)}


def twin(good, trap):
    return in_form(good)


KINDS = {"weights": ("load_weights",), "legacy": ("load_weights", "load_by_name"), "whole": ("load_model", "load_weights")}

ATTACKS = [Attack(f"H6 {name}", kind, told, bytes_of(build), bytes_of(twin), by)
           for kind, by in KINDS.items() for name, (build, told) in STRUCTURES.items()]
ATTACKS += [Attack(f"H8 {name}", "whole", "a text", bytes_of(build), copied, ("load_model",)) for name, build in TEXTS.items()]
ATTACKS += [Attack(f"H6 {name}", kind, "", bytes_of(build), bytes_of(twin), ())
            for kind in KINDS for name, build in UNREAD.items()]
