"""HDF5 that means harm: links, data that lie elsewhere, shapes with nothing behind them, filters, circles, types (H1 to H7)."""

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

from .attack import LOADERS, Attack, bytes_of
from .rebuilding import with_tree

# Where the first kernel stands, its layer's group, and the group above it, in files of each kind.
KERNELS = {"keras": "layers/dense/vars/0", "weights": "layers/dense/vars/0", "legacy": "dense/dense/kernel:0",
           "whole": "model_weights/dense/dense/kernel:0"}
GROUPS = {"keras": "layers/dense", "weights": "layers/dense", "legacy": "dense", "whole": "model_weights/dense"}
TOPS = {"keras": "layers", "weights": "layers", "legacy": "dense", "whole": "model_weights"}
SHAPE = 4, 6


def elsewhere(root, kernel, secret):
    del root[kernel]
    root.create_dataset(kernel, SHAPE, "f4", external=[(secret, 0, 96)])


def elsewhere_in_parts(root, kernel, secret):
    del root[kernel]
    root.create_dataset(kernel, SHAPE, "f4", external=[(secret, 0, 48), ("/etc/passwd", 0, 48)])


def virtual(root, kernel, secret):
    del root[kernel]
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(secret, "data", SHAPE)
    root.create_virtual_dataset(kernel, layout)


def virtual_here(root, kernel, secret):
    """A virtual array of the file itself: of whatever file is there under that name."""
    root.move(kernel, "moved")
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(".", "moved", SHAPE)
    root.create_virtual_dataset(kernel, layout)


def linked(path, link):
    """Another link in the place of what stands at path: "" the kernel, ".." its layer's group, "..." all of it."""
    def change(root, kernel, secret):
        kind = next(kind for kind, each in KERNELS.items() if each == kernel)
        place = {"": kernel, "..": GROUPS[kind], "...": TOPS[kind]}[path]
        del root[place]
        root[place] = link(secret)

    return change


def array(**how):
    def change(root, kernel, secret):
        del root[kernel]
        root.create_dataset(kernel, **how)

    return change


def low(kind, prepare=lambda plan: None, space=SHAPE):
    """An array made by HDF5's own functions."""
    def change(root, kernel, secret):
        del root[kernel]
        group, name = kernel.rsplit("/", 1)
        plan = h5p.create(h5p.DATASET_CREATE)
        prepare(plan)
        room = h5s.create_simple(space) if space is not None else h5s.create(h5s.NULL)
        h5d.create(root[group].id, name.encode(), kind(), room, plan)

    return change


def behind(number):
    """An array behind a filter that is no checksum and no deflate."""
    def prepare(plan):
        plan.set_chunk(SHAPE)
        plan.set_filter(number, h5z.FLAG_OPTIONAL, (1, 2))

    return low(lambda: h5t.IEEE_F32LE, prepare)


def opaque(size, word):
    """Bytes of no kind, called by some word what they are."""
    def change(root, kernel, secret):
        array(data=np.zeros(SHAPE, f"V{size}"))(root, kernel, secret)
        root[kernel].attrs["dtype"] = word

    return change


def precise(places):
    """Whole numbers of which some bits alone count."""
    def kind():
        made = h5t.STD_I32LE.copy()
        made.set_precision(places)
        return made

    return kind


def odd_float():
    """A float with another bias than all others."""
    made = h5t.IEEE_F32LE.copy()
    made.set_ebias(100)
    return made


def many(number):
    def change(root, kernel, secret):
        for each in range(number):
            root.create_dataset(f"more/{each}", data=np.float32(0))

    return change


def one_in_many_places(root, kernel, secret):
    for number in range(100):
        root[f"more/{number}"] = root[kernel]


def swollen(root, kernel, secret):
    for number in range(30):
        root.create_dataset(f"more/{number}", (2**20,), "f4", chunks=(2**20,), compression="gzip")[:] = 0


def two_ways(root, kernel, secret):
    root["again"] = root[kernel.split("/")[0]]


TREES = {
    "H1 another file's bytes": (elsewhere, "an array whose numbers lie in another file"),
    "H1 two other files' bytes": (elsewhere_in_parts, "an array whose numbers lie in another file"),
    "H2 a virtual array": (virtual, "an array whose numbers lie in another file"),
    "H2 a virtual array of the file itself": (virtual_here, "an array whose numbers lie in another file"),
    "H3 a kernel in another file": (linked("", lambda secret: h5py.ExternalLink(secret, "/data")), "ExternalLink"),
    "H3 a layer in another file": (linked("..", lambda secret: h5py.ExternalLink(secret, "/")), "ExternalLink"),
    "H3 everything in another file": (linked("...", lambda secret: h5py.ExternalLink(secret, "/")), "ExternalLink"),
    "H3 a soft link": (linked("", lambda secret: h5py.SoftLink("/somewhere")), "SoftLink"),
    "H3 a soft link to a group": (linked("..", lambda secret: h5py.SoftLink("/somewhere")), "SoftLink"),
    "H3 a soft link at the top": (linked("...", lambda secret: h5py.SoftLink("/somewhere")), "SoftLink"),
    "H3 a link beside": (lambda root, kernel, secret: root.__setitem__("x", h5py.ExternalLink(secret, "/")), "ExternalLink"),
    "H4 a shape with nothing behind it": (array(shape=(2**38,), dtype="f4"), "declares 1,099,511,627,776 bytes"),
    "H4 a packed shape": (array(shape=(2**40,), dtype="f4", chunks=(2**18,), compression="gzip"),
                          "declares 4,398,046,511,104 bytes"),
    "H4 600 MB": (array(shape=(150_000_000,), dtype="f4"), "declares 600,000,000 bytes"),
    "H4 3.9 GiB, packed": (array(shape=(1_046_898_278,), dtype="f4", chunks=(2**18,), compression="gzip"),
                           "declares 4,187,593,112 bytes"),
    "H4 an array with no end": (array(shape=(2**20,), maxshape=(None,), dtype="f4", chunks=(2**18,), compression="gzip"),
                                "declares 4,194,304 bytes"),
    "H5 arrays that swell": (swollen, "declares 125,"),
    "H5 a large piece": (array(shape=SHAPE, maxshape=(None, None), dtype="f4", chunks=(2**12, 2**12), compression="gzip",
                               data=np.ones(SHAPE, "f4")), "is packed in pieces of"),
    "H5 a filter out of a plugin": (behind(40000), "the filter 40000"),
    "H5 a filter of others": (behind(h5z.FILTER_LZF), "the filter 32000"),
    "H5 numbers of few bits": (behind(h5z.FILTER_NBIT), "the filter 5"),
    "H5 numbers that are scaled": (array(data=np.zeros(SHAPE, "i4"), scaleoffset=0), "the filter 6"),
    "H6 a circle": (lambda root, kernel, secret: root.__setitem__("loop", root["/"]), "groups that contain themselves"),
    "H6 a group in two places": (two_ways, ""),
    "H6 40 levels": (lambda root, kernel, secret: root.create_group("/".join("a" * 40)), "too deep"),
    "H6 3,000 levels": (lambda root, kernel, secret: root.create_group("/".join("a" * 3000)), "too deep"),
    "H6 an array in many places": (one_in_many_places, "an array that stands in two places"),
    "H7 text": (array(shape=SHAPE, dtype=h5py.string_dtype()), "not of numbers"),
    "H7 text of one length": (array(data=np.full(SHAPE, b"text")), "not of numbers"),
    "H7 lists": (array(shape=SHAPE, dtype=h5py.vlen_dtype("f4")), "not of numbers"),
    "H7 references": (array(shape=SHAPE, dtype=h5py.ref_dtype), "not of numbers"),
    "H7 references to parts": (array(shape=SHAPE, dtype=h5py.regionref_dtype), "not of numbers"),
    "H7 records": (array(shape=SHAPE, dtype=[("a", "f4"), ("b", "i8")]), "not of numbers"),
    "H7 words for numbers": (array(shape=SHAPE, dtype=h5py.enum_dtype({"a": 1})), "not of numbers"),
    "H7 yes and no": (array(data=np.ones(SHAPE, bool)), "not of numbers"),
    "H7 complex numbers": (array(data=np.zeros(SHAPE, "c8")), "not of numbers"),
    "H7 arrays of arrays": (array(shape=(4,), dtype=np.dtype(("f4", (6,)))), "not of numbers"),
    "H7 bits": (low(lambda: h5t.STD_B32LE), "not of numbers"),
    "H7 moments": (low(lambda: h5t.UNIX_D32LE), ""),
    "H7 bytes": (opaque(4, "float32"), "not of numbers"),
    "H7 three bytes that are called bfloat16": (opaque(3, "bfloat16"), "not of numbers"),
    "H7 two bytes of another name": (opaque(2, "float8"), "not of numbers"),
    "H7 a name that is a number": (opaque(2, 3), ""),
    "H7 numbers of 24 bits": (low(precise(24)), "not of numbers"),
    "H7 a float of its own": (low(odd_float), "not of numbers"),
    "H7 no room at all": (low(lambda: h5t.IEEE_F32LE, space=None), "not of numbers"),
    "H7 a type for an array": (lambda root, kernel, secret: (root.__delitem__(kernel), root.__setitem__(
        kernel, np.dtype("f4"))), "neither"),
    "B1 a name with escapes": (lambda root, kernel, secret: root.__setitem__("\x1b[2J\r", h5py.SoftLink("/x")), "SoftLink"),
    "B1 a long name": (lambda root, kernel, secret: root.__setitem__("x" * 60_000, h5py.SoftLink("/x")), "SoftLink"),
}


def tree(change, kind):
    return bytes_of(lambda good, trap: with_tree(good, lambda root: change(root, KERNELS[kind], str(trap.secret))))


def attacks(table, kinds, by=None):
    """The attacks of a table in files of some kinds; by: the loaders that have to refuse them, where others may not."""
    for kind in kinds:
        twin = tree(lambda root, kernel, secret: None, kind)
        loaders = by or tuple(each for each in LOADERS[kind] if each.startswith("load"))
        for name, (change, told) in table.items():
            yield Attack(name, kind, told, tree(change, kind), twin, loaders)


ATTACKS = [*attacks(TREES, KERNELS)]
