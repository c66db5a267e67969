"""Files of every kind with something in them changed at random, always the same for the same number.

`mutant(kind, folder, number)` gives what was done and the file's content. Half of the changes know nothing of the format; the
others keep what is around the change whole (lengths, checksums, hashes), so that it reaches the readers behind it.
"""

import io
import json
import random
import struct
from functools import cache
from pathlib import Path

import h5py

from jaxseq.api.files.h5.pieces import checksum

from .attack import FILES
from .mutating import as_text, blindly, other_json
from .rebuilding import CONFIG, WEIGHTS, in_form, parts, zipped
from .zoo_checkpoints import ARRAYS, MANIFEST, only, signed


def mutant(kind, folder, number):
    """(what was done, the content) of the mutant of that number. folder: of the good files."""
    draw = random.Random(f"{kind} {number}")
    how = draw.choice(AWARE[kind])
    return how.__name__, how(draw, Path(folder) / FILES[kind])


def blind(draw, path):
    """The whole file, changed blindly."""
    return blindly(draw, _content(path))


@cache
def _content(path):
    return path.read_bytes()


# ---- .keras


def config(draw, path):
    """Another config.json in a sound archive."""
    held = parts(path)
    return zipped({**held, CONFIG: as_text(draw, other_json(draw, json.loads(held[CONFIG])))}.items())


def config_bytes(draw, path):
    held = parts(path)
    return zipped({**held, CONFIG: blindly(draw, held[CONFIG])}.items(), draw.choice((0, 8)))


def weights_within(draw, path):
    """Other HDF5 in a sound archive."""
    held = parts(path)
    return zipped({**held, WEIGHTS: blindly(draw, draw.choice((held[WEIGHTS], plain_tree(path))))}.items())


def directory(draw, path):
    """Other numbers in the table of contents, or in front of a member."""
    content = bytearray(_content(path))
    mark, size = draw.choice(((b"PK\1\2", 46), (b"PK\1\2", 46), (b"PK\3\4", 30), (b"PK\5\6", 22)))
    starts = [place for place in range(len(content)) if content.startswith(mark, place)]
    for _ in range(draw.choice((1, 1, 2, 3))):
        width = draw.choice((1, 2, 4))
        place = draw.choice(starts) + draw.randrange(4, size - width + 1)
        value = draw.choice((0, 1, 8, 12, 2**15, 2**16 - 1, 2**31, 2**32 - 1, draw.getrandbits(32), len(content)))
        content[place:place + width] = (value % 2**(8 * width)).to_bytes(width, "little")
    return bytes(content)


# ---- HDF5


plain_tree = cache(in_form)


@cache
def summed_tree(path):
    """The tree in the form that has checksums, with a group that is large enough for a heap and a B-tree."""
    return in_form(path, ("v110", "v110"), lambda root: [root.create_group(f"more/{number}") for number in range(60)])


def tree(draw, path):
    """HDF5 without checksums, changed blindly."""
    return blindly(draw, plain_tree(path))


def nodes(draw, path):
    """HDF5 without checksums, with numbers changed near the marks of its structures."""
    content = bytearray(plain_tree(path))
    marks = b"TREE", b"SNOD", b"HEAP", b"GCOL", b"OHDR", b"\1\0\4\0", b"\x10\0", b"\x01\x00", b"\x08\x00", b"\x0c\x00"
    places = [place for mark in draw.sample(marks, 2) for place in range(len(content)) if content.startswith(mark, place)]
    for _ in range(draw.choice((1, 1, 2, 4))):
        start = (draw.choice(places) if places else 0) + draw.randrange(40)
        _number_at(draw, content, min(start, len(content) - 8))
    return bytes(content)


def _number_at(draw, content, place):
    size = draw.choice((1, 1, 2, 4, 8))
    value = draw.choice((0, 1, 2, 3, 0xFF, 2**15, 2**31, 2**62, 2**64 - 1, draw.getrandbits(64), draw.randrange(len(content))))
    content[place:place + size] = (value % 2**(8 * size)).to_bytes(size, "little")


def summed(draw, path):
    """HDF5 with checksums that are right, with other bytes in something that has one."""
    content = bytearray(summed_tree(path))
    sizes = {b"OHDR": _header_size, b"FRHP": lambda *_: 146, b"BTHD": lambda *_: 38}
    mark = draw.choice([*sizes])
    starts = [place for place in range(len(content)) if content.startswith(mark, place)]
    for _ in range(draw.choice((1, 1, 2))):
        start = draw.choice(starts)
        size = sizes[mark](content, start)
        for _ in range(draw.choice((1, 1, 3))):
            _number_at(draw, content, start + draw.randrange(4, max(5, size - 11)))       # a changed header may be short
        end = start + sizes[mark](content, start)
        content[end - 4:end] = checksum(bytes(content[start:end - 4])).to_bytes(4, "little")
    return bytes(content)


def _header_size(content, start):
    flags = content[start + 5]
    before = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(content[start + before:start + before + width], "little")
    return min(before + width + size + 4, len(content) - start)


def attributes(draw, path):
    """Other JSON, or other names, in the attributes of a sound file."""
    held = io.BytesIO(plain_tree(path))
    with h5py.File(held, "r+") as root:
        found = [(node, name) for node in [root, *_groups(root)] for name in node.attrs]
        node, name = draw.choice(found)
        root.attrs.pop("blake2b", None)
        if name in ("model_config", "training_config"):
            node.attrs[name] = as_text(draw, other_json(draw, json.loads(node.attrs[name])))
        else:
            node.attrs[name] = draw.choice((b"", b"x", 3, [b"dense"], [b"dense", b"x"], [1.5], b"\xff", "2.2.4", [[b"dense"]]))
    return held.getvalue()


def _groups(root):
    found = []
    root.visititems(lambda _, node: found.append(node) if isinstance(node, h5py.Group) else None)
    return found


# ---- .safetensors


def header(draw, path):
    """Another header in front of the same arrays, of the right length."""
    content = _content(path)
    size, = struct.unpack("<Q", content[:8])
    told = json.loads(content[8:8 + size])
    if draw.randrange(2):
        told.pop("__metadata__", None)
    text = as_text(draw, other_json(draw, told))
    return struct.pack("<Q", len(text) + draw.choice((0, 0, 0, 1, -1))) + text + content[8 + size:]


# ---- checkpoints: {name of a file: content}


def _checkpoint(path):
    held = only(path)
    return {name: _content(held / name) for name in (MANIFEST, ARRAYS)}


def files(draw, path):
    held = _checkpoint(path)
    name = draw.choice((MANIFEST, ARRAYS))
    return {**held, name: blindly(draw, held[name])}


def manifest(draw, path):
    """Another manifest with the right hash."""
    held = _checkpoint(path)
    told = other_json(draw, json.loads(held[MANIFEST]))
    return {**held, MANIFEST: signed(told, held[ARRAYS]) if isinstance(told, dict) else as_text(draw, told)}


def arrays(draw, path):
    """Other arrays with the right hash."""
    held = _checkpoint(path)
    payload = draw.choice((blindly(draw, held[ARRAYS]), header(draw, only(path) / ARRAYS)))
    return {MANIFEST: signed(json.loads(held[MANIFEST]), payload), ARRAYS: payload}


# ---- History


def run(draw, path):
    return as_text(draw, other_json(draw, json.loads(_content(path))))


AWARE = {"keras": (blind, directory, config, config, config, config_bytes, weights_within, weights_within),
         "weights": (blind, tree, tree, nodes, nodes, summed, summed), "legacy": (blind, tree, nodes, attributes, summed),
         "whole": (blind, tree, nodes, attributes, attributes, attributes, summed), "tensors": (blind, header, header),
         "checkpoint": (files, manifest, manifest, manifest, arrays), "history": (blind, run, run)}
