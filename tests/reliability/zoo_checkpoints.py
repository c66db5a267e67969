"""Checkpoints that mean harm: manifests whose hash is right and which lie, links and pipes in the place of files.

The hash of a checkpoint tells of damage. Whoever means harm computes it anew, as the builders here do.
"""

import hashlib
import json
import os
import shutil

import numpy as np
from safetensors.numpy import load, save

from .attack import Attack

MANIFEST, ARRAYS = "manifest.json", "arrays.safetensors"


def copied(place, good, trap):
    shutil.copytree(good, place)


def only(place):
    """The one checkpoint in a folder."""
    found, = (each for each in place.iterdir() if not each.name.startswith("."))
    return found


def digest(content):
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def signed(told, payload):
    """The manifest with hashes that are right."""
    told = {**told, "arrays": {"bytes": len(payload), "blake2b": digest(payload)}}
    told.pop("blake2b", None)
    return json.dumps({**told, "blake2b": digest(json.dumps(told, sort_keys=True).encode())}).encode()


def manifest(change):
    """Another manifest: change(told) alters it, or returns another."""
    def make(place, good, trap):
        copied(place, good, trap)
        held = only(place)
        told = json.loads((held / MANIFEST).read_bytes())
        (held / MANIFEST).write_bytes(signed(change(told) or told, (held / ARRAYS).read_bytes()))

    return make


def arrays(change):
    """Other arrays: change({name: array}) alters them."""
    def make(place, good, trap):
        copied(place, good, trap)
        held = only(place)
        named = load((held / ARRAYS).read_bytes())
        change(named)
        payload = save(named)
        (held / ARRAYS).write_bytes(payload)
        (held / MANIFEST).write_bytes(signed(json.loads((held / MANIFEST).read_bytes()), payload))

    return make


def instead(name, put):
    """Something else in the place of a file: put(path, trap)."""
    def make(place, good, trap):
        copied(place, good, trap)
        path = only(place) / name
        path.unlink()
        put(path, trap)

    return make


def text(content):
    return instead(MANIFEST, lambda path, trap: path.write_bytes(content))


def zeros(size):
    """So many zeros, which take no room on the disk."""
    def put(path, trap):
        with open(path, "wb") as file:
            file.truncate(size)

    return put


def without(*names):
    return manifest(lambda told: [told.pop(name) for name in names] and None)


def place_of(**told):
    return manifest(lambda manifest: manifest["place"].update(told))


def callback(**told):
    return manifest(lambda manifest: manifest["callbacks"][0].update(told))


def history(**values):
    """What the History is given, which is the last of the callbacks."""
    return manifest(lambda manifest: manifest["callbacks"][-1]["values"].update(values))


def value(packed):
    """A value that a callback is given."""
    return callback(values={"x": packed})


def swelling(place, good, trap):
    """One array of 16 MB, which a callback is given 500 times."""
    arrays(lambda named: named.update({"callbacks/0/0": np.zeros(2**22, np.float32)}))(place, good, trap)
    held = only(place)
    told = json.loads((held / MANIFEST).read_bytes())
    told["callbacks"][0]["values"] = {"x": [{"array": 0}] * 500}
    (held / MANIFEST).write_bytes(signed(told, (held / ARRAYS).read_bytes()))


LINKS = {
    "a link for the manifest": (instead(MANIFEST, lambda path, trap: path.symlink_to(trap.secret)), "is no file"),
    "a link for the arrays": (instead(ARRAYS, lambda path, trap: path.symlink_to(trap.secret)), "is no file"),
    "a link to zeros without end": (instead(ARRAYS, lambda path, trap: path.symlink_to("/dev/zero")), "is no file"),
    "a pipe for the manifest": (instead(MANIFEST, lambda path, trap: os.mkfifo(path)), "is no file"),
    "a folder for the manifest": (instead(MANIFEST, lambda path, trap: path.mkdir()), "is no file"),
    "a manifest of 100 MB": (instead(MANIFEST, zeros(100_000_000)), "bytes of JSON"),
    "arrays of 300 MB": (instead(ARRAYS, zeros(300_000_000)), "arrays.safetensors"),
    "no arrays": (instead(ARRAYS, lambda path, trap: None), "cannot be read"),
}

MANIFESTS = {
    "another version": (manifest(lambda told: told.update(version=2)), "has the form 2, and this version reads 1"),
    "no version": (without("version"), "has the form None"),
    "a version that is a list": (manifest(lambda told: told.update(version=[1])), "has the form [1]"),
    "no JSON": (text(b"{"), "manifest.json is no JSON"),
    "a list": (text(b"[]"), "JSON that is no object"),
    "500,000 levels": (text(b'{"a":' + b"[" * 500_000), "levels deep"),
    "a hash of something else": (text(b'{"version": 1, "blake2b": "x"}'), "its hash is another"),
    "a hash alone": (text(signed({}, b"")), "has the form None"),
    "no place": (without("place"), "does not hold what a checkpoint holds"),
    "no seed": (without("seed"), "does not hold what a checkpoint holds"),
    "no environment": (without("environment"), "does not hold what a checkpoint holds"),
    "data that are a list": (manifest(lambda told: told.update(data=[])), "does not hold what a checkpoint holds"),
    "an environment that is a list": (manifest(lambda told: told.update(environment=[])), "does not hold what a checkpoint"),
    "a seed that is text": (manifest(lambda told: told.update(seed="x")), "does not hold what a checkpoint holds"),
    "a seed beyond 2^63": (manifest(lambda told: told.update(seed=2**70)), "does not hold what a checkpoint holds"),
    "an epoch that is text": (place_of(epoch="2"), "does not hold what a checkpoint holds"),
    "an epoch below none": (place_of(epoch=-1), "does not hold what a checkpoint holds"),
    "steps beyond the epoch": (place_of(done=10**12), "does not hold what a checkpoint holds"),
    "steps that are true": (place_of(done=True), "does not hold what a checkpoint holds"),
    "an end that is a number": (place_of(stopped=3), "does not hold what a checkpoint holds"),
    "frozen layers that are numbers": (manifest(lambda told: told.update(frozen=[1])), "does not hold what a checkpoint"),
    "frozen layers that are not there": (manifest(lambda told: told.update(frozen=["x"])), "does not hold what a checkpoint"),
    "logs that are a number": (manifest(lambda told: told.update(logs=3)), "does not hold what a checkpoint holds"),
    "callbacks that are a number": (manifest(lambda told: told.update(callbacks=3)), "does not hold what a checkpoint holds"),
    "a callback that is text": (manifest(lambda told: told.update(callbacks=["x"])), "does not hold what a checkpoint holds"),
    "a callback of no class": (callback(**{"class": [1]}), "does not hold what a checkpoint holds"),
    "os.system for a callback": (callback(**{"class": "os.system"}), "was made with the callbacks os.system"),
    "values that are a list": (callback(values=[1]), "does not hold what a checkpoint holds"),
    "a value of no kind": (value({"pickle": "gASV"}), "does not hold what a checkpoint holds"),
    "a value of two kinds": (value({"tuple": [], "set": []}), "does not hold what a checkpoint holds"),
    "a tuple of a number": (value({"tuple": 3}), "does not hold what a checkpoint holds"),
    "a set of lists": (value({"set": [[1]]}), "does not hold what a checkpoint holds"),
    "a dict of lists": (value({"dict": [[[1], 2]]}), "does not hold what a checkpoint holds"),
    "a dict of one": (value({"dict": [[1]]}), "does not hold what a checkpoint holds"),
    "an array that is not there": (value({"array": 99}), "does not hold what a checkpoint holds"),
    "an array before the first": (value({"array": -1}), "does not hold what a checkpoint holds"),
    "a float of text": (value({"float": "x"}), "does not hold what a checkpoint holds"),
    "an array many times": (swelling, "does not hold what a checkpoint holds"),
    "text in the place of a number": (callback(values={"wait": "x"}), "does not hold what a checkpoint holds: wait"),
    "a number in the place of a dict": (history(run=3), "does not hold what a checkpoint holds: run"),
    "a history of numbers": (history(history={"dict": [["loss", 3]]}), "does not hold what a checkpoint holds: History"),
    "epochs of text": (history(epoch=["0", "1"]), "does not hold what a checkpoint holds: History"),
    "a value in the place of a method": (callback(values={"on_epoch_end": 3}), "does not hold what a checkpoint holds"),
    "a value in the place of a class": (callback(values={"__class__": 3}), "does not hold what a checkpoint holds"),
    "a value in the place of the model": (callback(values={"model": 3}), "does not hold what a checkpoint holds"),
}

HELD = {
    "no key": (arrays(lambda named: named.pop("key")), "does not hold what a checkpoint holds"),
    "a key of another size": (arrays(lambda named: named.update(key=np.zeros(7, np.uint32))), "does not hold what a"),
    "a key of floats": (arrays(lambda named: named.update(key=np.zeros(2, np.float32))), "does not hold what a checkpoint"),
    "no sums": (arrays(lambda named: named.pop("sums/0")), "does not hold what a checkpoint holds"),
    "sums of another shape": (arrays(lambda named: named.update({"sums/0": np.zeros((9, 9))})), "does not hold what a"),
    "a weight less": (arrays(lambda named: named.pop("state['params']['dense']['kernel']")), "is missing"),
    "a weight more": (arrays(lambda named: named.update({"state../x": np.zeros(1)})), "is not in this model"),
    "a weight of another shape": (arrays(lambda named: named.update({"state['params']['dense']['kernel']": np.zeros((
        6, 4), np.float32)})), "is (6, 4) float32"),
    "a weight of another kind": (arrays(lambda named: named.update({"state['params']['dense']['kernel']": np.zeros((4, 6))})),
                                 "float64"),
    "a step below none": (arrays(lambda named: named.update({"state['step']": np.array(-5, np.int32)})), "does not hold what"),
}

ATTACKS = [Attack(f"{rule} {name}", "checkpoint", told, make, copied, ("resume",))
           for rule, table in (("Z7", LINKS), ("N1", MANIFESTS), ("N1", HELD)) for name, (make, told) in table.items()]
