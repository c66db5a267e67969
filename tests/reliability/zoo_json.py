"""JSON that means harm, before anything is made of it (Z13): in a config.json, and in a History."""

import json
import os
from functools import partial

from .attack import Attack, bytes_of, copied
from .rebuilding import CONFIG, parts, zipped
from .zoo_archives import TWIN

TEXTS = {
    "70 levels": (b'{"a": ' * 70 + b"1" + b"}" * 70, "more than 64 levels deep"),
    "500,000 levels": (b"[" * 500_000, "more than 64 levels deep"),
    "a key twice": (b'{"a": 1, "a": 2}', "a key that is written twice"),
    "10,000 digits": (b'{"a": ' + b"9" * 10_000 + b"}", "JSON that can be read"),
    "no object": (b"[1]", "JSON that is no object"),
    "another coding": (b"\xff\xfe{\0}\0", "JSON that can be read"),
    "a mark in front": (b"\xef\xbb\xbf{}", "JSON that can be read"),
    "half a letter": (b'{"a": "\xc3"}', "JSON that can be read"),
    "an end that is missing": (b"{", "JSON that can be read"),
    "something behind": (b"{} {}", "JSON that can be read"),
    "nothing in it": (b"{}", ""),
    "lists": (b'{"a":[' + b"[]," * 2_000_000 + b"[]]}", "JSON of more than"),
    "objects": (b'{"a":[' + b"{}," * 200_000 + b"{}]}", "JSON of more than"),
    "texts": (b'{"a":[' + b'"",' * 1_100_000 + b'""]}', "JSON of more than"),
    "half of a pair of letters": (rb'{"class_name": "\ud800", "config": {}}', ""),
    "a long text": (b'{"class_name": "' + b"x" * 2_000_000 + b'", "config": {}}', "text of more than"),
    "500,000 numbers": (b'{"a":[' + b"0.12345678," * 499_999 + b"0]}", ""),
    "blanks and a letter of four bytes": (b" " * 8_000_000 + '{"a": "\U0001F600"}'.encode(), "8,000,013 bytes of JSON"),
    "a long key": (b'{"' + b"x" * 2_000_000 + b'": 1}', "text of more than"),
}
CONSTANTS = {
    "NaN": (b'{"a": NaN}', "NaN in the place of a number"),
    "Infinity": (b'{"a": -Infinity}', "-Infinity in the place of a number"),
    "a number that is infinite": (b'{"a": 1e999}', "1e999 in the place of a number"),
}


def config(content):
    return bytes_of(lambda good, trap: zipped({**parts(good), CONFIG: content}.items(), 8))


def history(change):
    """A History with something in it changed."""
    def build(good, trap):
        told = json.loads(good.read_bytes())
        return json.dumps(change(told) or told).encode()

    return bytes_of(build)


def large(place, good, trap):
    """100 MB that take no room on the disk."""
    with open(place, "wb") as file:
        file.write(b"{")
        file.truncate(100_000_000)


def link_to_zeros(place, good, trap):
    place.symlink_to("/dev/zero")


def pipe(place, good, trap):
    os.mkfifo(place)


HISTORIES = {
    "Z13 100 MB": (large, "of JSON"),
    "Z7 zeros without end": (link_to_zeros, "is no file"),
    "Z7 a pipe": (pipe, "is no file"),
    "Z13 values that are text": (history(partial(lambda what, h: h["history"].update(loss=what), "x")), "is no History"),
    "Z13 epochs of text": (history(lambda h: h.update(epoch=["0", "1"])), "is no History"),
    "Z13 epochs that are a number": (history(lambda h: h.update(epoch=2)), "is no History"),
    "Z13 a run that is a list": (history(lambda h: h.update(run=[])), "is no History"),
    "Z13 no run": (history(lambda h: {"history": h["history"], "epoch": h["epoch"]}), "is no History"),
}

ATTACKS = [Attack(f"Z13 {name}", "keras", told, config(content), TWIN, ("load_model",))
           for name, (content, told) in {**TEXTS, **CONSTANTS}.items()]
ATTACKS += [Attack(f"Z13 {name}", "history", told, bytes_of(lambda good, trap, content=content: content), copied,
                   ("load_history",)) for name, (content, told) in TEXTS.items()]
ATTACKS += [Attack(name, "history", told, make, copied, ("load_history",)) for name, (make, told) in HISTORIES.items()]
