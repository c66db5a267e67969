"""Files of Keras 3's weights that are of another model than they say, or hold more than a model has (H6, H7, H9, Z15)."""

import h5py
import numpy as np

from .attack import Attack, bytes_of, copied
from .rebuilding import in_form
from .zoo_trees import array, attacks, linked, many, opaque

KINDS = "keras", "weights"


def put(path, value):
    """Another number in the place of one."""
    return lambda root, kernel, secret: root[path].__setitem__((), value)


def emptied(root, kernel, secret):
    del root[kernel]
    root.create_group(kernel)


def without(path):
    return lambda root, kernel, secret: root.__delitem__(path)


COMPARED = {
    "H3 an optimizer in another file": (lambda root, kernel, secret: (root.__delitem__("optimizer"), root.__setitem__(
        "optimizer", h5py.ExternalLink(secret, "/"))), "ExternalLink"),
    "H3 weights by way of the next layer": (linked("..", lambda secret: h5py.SoftLink("/layers/dense_1")), "SoftLink"),
    "H6 1,000 arrays": (many(1000), "more than 588 groups and arrays"),
    "H7 another shape": (array(data=np.zeros((6, 4), "f4")), "another model"),
    "H7 one number": (array(data=np.float32(1)), "another model"),
    "H7 no rows": (array(data=np.zeros((0, 6), "f4")), "another model"),
    "H7 10^15 columns of nothing": (array(shape=(0, 10**15), dtype="f4"), "another model"),
    "H7 one weight more": (lambda root, kernel, secret: root.create_dataset("layers/dense/vars/2", data=np.zeros(6, "f4")),
                           "layers/dense/vars/2 (6,) is not in the model"),
    "H7 one layer more": (lambda root, kernel, secret: root.create_dataset("layers/dense_2/vars/0", data=np.zeros(6, "f4")),
                          "is not in the model"),
    "H7 a layer less": (without("layers/dense_1"), "layers/dense_1/vars/0 is missing"),
    "H7 no layers": (without("layers"), "is missing"),
    "H7 a group for an array": (emptied, "is missing"),
    "H7 whole numbers": (array(data=np.zeros((4, 6), "i4")), "int32 numbers for weights of float32"),
    "H7 whole numbers beyond 2^40": (array(data=np.full((4, 6), 2**40)), "int64 numbers for weights of float32"),
    "H7 floats that are called bfloat16": (lambda root, kernel, secret: root[kernel].attrs.__setitem__("dtype", "bfloat16"),
                                           "numbers that are called bfloat16"),
    "H7 a name of the numbers that is a list": (lambda root, kernel, secret: root[kernel].attrs.__setitem__(
        "dtype", np.array([b"bfloat16"] * 3)), ""),
    "H7 bfloat16 of another name": (opaque(2, b"\xff\xfe"), ""),
    "Z15 updates below none": (put("optimizer/vars/0", -5), "-5 updates"),
}
COMPARED["B1 a layer with escapes"] = (lambda root, kernel, secret: root.create_dataset("layers/\x1b[2J\r/vars/0", data=[1.0]),
                                       "is not in the model")

# What HDF5 has in front of the tree.
FRONTS = {
    "H9 512 bytes in front": (lambda good, trap: bytes(512) + good.read_bytes(), "does not begin as one"),
    "H9 a script in front": (lambda good, trap: b"#!/bin/sh\nid\n".ljust(512, b"#") + good.read_bytes(), "does not begin as"),
    "H9 a file that is being written": (lambda good, trap: patched(good.read_bytes(), 11, b"\x05"), ""),
    "H9 a version of its own": (lambda good, trap: patched(good.read_bytes(), 8, b"\x63"), ""),
    "H9 addresses of 4 bytes": (lambda good, trap: patched(in_form(good), 13, b"\4\4"), "another width"),
    "H9 a root beyond the end": (lambda good, trap: patched(good.read_bytes(), 36, b"\xff" * 7), ""),
    "H9 something else": (lambda good, trap: b"\x89PNG\r\n\x1a\n" + bytes(2000), "this is no whole HDF5 file"),
    "H9 empty": (lambda good, trap: b"", "this is no whole HDF5 file"),
    "H9 its mark alone": (lambda good, trap: b"\x89HDF\r\n\x1a\n", "this is no whole HDF5 file"),
}


def patched(content, place, more):
    return content[:place] + more + content[place + len(more):]


def split(place, good, trap):
    """A file that HDF5's driver for several files would put together of others."""
    driver = b"\0" * 4 + (24).to_bytes(4, "little") + b"NCSAmult" + bytes(24)
    with h5py.File(place, "w", libver="earliest") as root:
        root["data"] = np.zeros(3)
    content = bytearray(place.read_bytes())
    end = len(content)
    content += driver
    content[48:56] = end.to_bytes(8, "little")                  # where version 0 keeps the address of what a driver says
    place.write_bytes(content)


ATTACKS = [*attacks(COMPARED, KINDS)]
ATTACKS += [Attack(name, kind, told, bytes_of(build), copied, ("load_weights",))
            for kind in ("weights", "legacy", "whole") for name, (build, told) in FRONTS.items()]
ATTACKS += [Attack("H9 a file out of several", "legacy", "", split, copied, ("load_weights",))]
