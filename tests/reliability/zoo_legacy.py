"""Keras 2's files that mean harm: what attributes say of a model, and names that lie (H8)."""

import json

import h5py
import numpy as np
from h5py import h5a, h5s, h5t

from .attack import Attack, bytes_of
from .rebuilding import with_tree
from .zoo_configs import LAYERS, layer, node
from .zoo_trees import attacks, tree

MODEL, TRAINING = "model_config", "training_config"


def told_of(change, attribute=MODEL):
    """A change of what the attribute says, as JSON: change(config, trap)."""
    def build(good, trap):
        def alter(root):
            config = json.loads(root.attrs[attribute])
            root.attrs[attribute] = json.dumps(change(config, trap) or config)
            del root.attrs["blake2b"]               # whose value would tell of any change

        return with_tree(good, alter)

    return bytes_of(build)


def listed(attribute, *names, at=""):
    """Another list of names; at: the group below the one that holds all weights."""
    def change(root, kernel, secret):
        top = root.get("model_weights", root)
        (top[at] if at else top).attrs[attribute] = np.array(names)

    return change


def in_pieces(root, kernel, secret):
    """A list of layers in pieces, of which the second is missing."""
    top = root.get("model_weights", root)
    names = top.attrs["layer_names"]
    del top.attrs["layer_names"]
    top.attrs["layer_names0"], top.attrs["layer_names2"] = names[:1], names[1:]


def attribute(name, value):
    def change(root, kernel, secret):
        top = root.get("model_weights", root)
        top.attrs[name] = value

    return change


def one_text_many_times(where):
    """A list of 4,000 names, each of which is one and the same megabyte."""
    def make(place, good, trap):
        with h5py.File(place, "w", libver="earliest") as root:      # the form without checksums
            root.require_group(where).attrs.create("layer_names", ["n" * 2**20, *["x"] * 3999], dtype=h5py.string_dtype())
        content = bytearray(place.read_bytes())
        first = content.index((2**20).to_bytes(4, "little"))        # length, place of the heap, number in it: the second is 1
        while content[first + 16:first + 20] != b"\1\0\0\0":
            first = content.index((2**20).to_bytes(4, "little"), first + 1)
        content[first:first + 16 * 4000] = content[first:first + 16] * 4000
        place.write_bytes(content)

    return make


# By their names, the layers that are there may be loaded.
FEWER = {
    "H8 a weight for a layer": (listed("layer_names", b"dense/dense/kernel:0"), ""),
    "H8 fewer layers": (listed("layer_names", b"dense"), "weights of 1 layers, for a model with 3"),
    "H8 a list in pieces with a gap": (in_pieces, "weights of 1 layers"),
}
NAMES = {
    "H8 a layer twice": (listed("layer_names", b"dense", b"dense", b"dense_1"), "dense: is listed twice."),
    "H8 a place of its own": (listed("layer_names", b"/dense"), "is no name of a layer or weight."),
    "H8 a way out": (listed("layer_names", b"../x"), "is no name of a layer or weight."),
    "H8 a way out below": (listed("weight_names", b"dense/../../x", at="dense"), "is no name of a layer or weight."),
    "H8 no name": (listed("layer_names", b""), "is no name of a layer or weight."),
    "H8 another layer": (listed("layer_names", b"other"), "is in the list of layers and not in the file."),
    "H8 another weight": (listed("weight_names", b"dense/other:0", at="dense"), "is in the list of weights and not"),
    "H8 a weight twice": (listed("weight_names", b"dense/bias:0", b"dense/bias:0", at="dense"), "is listed twice."),
    "H8 names that are numbers": (attribute("layer_names", 3), "is no text"),
    "H8 names of numbers": (attribute("layer_names", np.arange(3)), "is no text"),
    "H8 names that are no text": (attribute("layer_names", np.array([b"\xff\xfe"])), "this is no whole HDF5 file"),
    "H8 names in a square": (attribute("layer_names", np.full((3, 3), b"dense")), ""),
    "H8 no list": (lambda root, kernel, secret: (root.attrs if "layer_names" in root.attrs else root["model_weights"].attrs
                                                 ).__delitem__("layer_names"), "no weights in the form of Keras 2"),
    "H8 another backend": (attribute("backend", b"theano"), "weights of Keras on Theano"),
    "H8 a backend that is a list": (attribute("backend", np.arange(4)), "is no text"),
    "B1 names with escapes": (listed("layer_names", b"\x1b[2J\r"), ""),
}


def wide(root, kernel, secret):
    """20,001 groups."""
    for number in range(20_001):
        h5py.h5g.create(root.id, b"%d" % number)


def empty_attribute(name):
    """An attribute that has a type and no value."""
    def change(root, kernel, secret):
        del root.attrs[name], root.attrs["blake2b"]
        h5a.create(root.id, name.encode(), h5t.C_S1, h5s.create(h5s.NULL))

    return change


def words(name, value):
    def change(root, kernel, secret):
        del root.attrs["blake2b"]
        root.attrs[name] = value

    return change


MODELS = {
    "H8 a config that is a number": (words(MODEL, 3), "is no text"),
    "H8 a config that is a list of texts": (words(MODEL, np.array([b"{}", b"{}"])), "is no text"),
    "H8 a config without a value": (empty_attribute(MODEL), "is no text"),
    "H8 another hash": (lambda root, kernel, secret: root.attrs.__setitem__("blake2b", "0" * 64), "is damaged: the hash"),
    "H8 a hash that is a number": (lambda root, kernel, secret: root.attrs.__setitem__("blake2b", 0), "is no text"),
    "H8 no config": (lambda root, kernel, secret: root.attrs.__delitem__(MODEL), "weights without a model"),
    "H8 a config of 100 MB": (words(MODEL, b"{" + b" " * 100_000_000 + b"}"), "1 texts of 100,000,002 bytes"),
    "H8 a key twice": (words(MODEL, b'{"class_name": "Sequential", "class_name": "Sequential"}'), "written twice"),
    "H8 500,000 levels": (words(MODEL, b'{"a":' + b"[" * 500_000), "levels deep"),
    "H8 a version that is a list": (words("keras_version", np.arange(3)), "is no text"),
    "H8 an optimizer's names that lie": (lambda root, kernel, secret: root["optimizer_weights"].attrs.__setitem__(
        "weight_names", np.array([b"../model_weights/dense/dense/kernel:0"])), "is no name of a layer or weight."),
    "H8 an optimizer in another file": (lambda root, kernel, secret: (root.__delitem__("optimizer_weights"), root.__setitem__(
        "optimizer_weights", h5py.ExternalLink(secret, "/"))), "ExternalLink"),
    "H8 updates below none": (lambda root, kernel, secret: root["optimizer_weights/variable_0"].__setitem__((), -5),
                              "-5 updates"),
}

# What Keras 2 wrote, and Keras 3 has no words for.
OLD = {
    "H8 more units than there are numbers": (lambda c, trap: layer(c)["config"].update(units=10**9), "the layers need"),
    "H8 a bare list of code": (lambda c, trap: {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": {
        "function": ["x", None, None], "function_type": "lambda"}}]}, "a function that is no named function"),
    "H8 a bare list of nothing": (lambda c, trap: {"class_name": "Sequential", "config": [3]}, "a layer that is no"),
    "H8 layers that are a dict": (lambda c, trap: c["config"].update(layers={}), "without a list of layers"),
    "H8 another kind of model": (lambda c, trap: c.update(class_name="Model"), "a model of the class 'Model'"),
}
TRAININGS = {
    "H8 os.system for an optimizer": (lambda c, trap: c.update(optimizer_config=node("os", "system", {"command": "id"})),
                                      "the optimizer 'system'"),
    "H8 code for a loss": (lambda c, trap: c.update(loss={"class_name": "__lambda__", "config": {"code": "x"}}),
                           "code of a lambda"),
    "H8 get_file for a metric": (lambda c, trap: c.update(metrics=[{"class_name": "function", "config": "get_file",
                                                                   "module": "keras.utils"}]), "the metric 'get_file'"),
}

MODEL_TWIN, TRAINING_TWIN = told_of(lambda c, trap: None), told_of(lambda c, trap: None, TRAINING)

ATTACKS = [*attacks(NAMES, ("legacy", "whole")),
           *attacks(FEWER, ("legacy", "whole"), ("load_weights",)),
           *(Attack(name, "whole", told, tree(change, "whole"), tree(lambda *_: None, "whole"), ("load_model",))
             for name, (change, told) in MODELS.items()),
           *(Attack(name, "whole", told, told_of(change), MODEL_TWIN, ("load_model",))
             for name, (change, told) in {**LAYERS, **OLD}.items()),
           *(Attack(name, "whole", told, told_of(change, TRAINING), TRAINING_TWIN, ("load_model",))
             for name, (change, told) in TRAININGS.items()),
           Attack("H6 20,001 groups", "legacy", "groups and arrays", tree(wide, "legacy"), tree(lambda *_: None, "legacy"),
                  ("load_weights",)),
           *(Attack("H8 4,000 names that are one megabyte", kind, "4,000 texts of 4,194,304,000 bytes",
                    one_text_many_times(where), tree(lambda *_: None, kind), ("load_weights",))
             for kind, where in (("legacy", "/"), ("whole", "model_weights")))]
