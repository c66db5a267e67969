"""`.safetensors` that mean harm (N1): headers without end, arrays that lie in each other or nowhere, names, depths."""

import json
import struct

from .attack import Attack, bytes_of, copied


def split(good):
    """(header as a dict, data) of a file."""
    content = good.read_bytes()
    size, = struct.unpack("<Q", content[:8])
    return json.loads(content[8:8 + size]), content[8 + size:]


def joined(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def header(change):
    """The good file with its header changed: change(header) alters it, or returns another."""
    def build(good, trap):
        told, data = split(good)
        told.pop("__metadata__")                    # whose hash would tell of any change
        return joined(change(told) or told, data)

    return bytes_of(build)


def raw(change):
    """change(header as text, data) -> the whole file."""
    def build(good, trap):
        told, data = split(good)
        told.pop("__metadata__")
        return change(json.dumps(told).encode(), data)

    return bytes_of(build)


def entry(**told):
    return lambda header: header["dense/kernel"].update(told)


def more(name, **told):
    """One array more, which has no bytes."""
    described = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0], **told}
    return lambda header: {**header, name: {**described, "data_offsets": _end(header)}}


def _end(header):
    end = max(each["data_offsets"][1] for each in header.values())
    return [end, end]


def metadata(told):
    return lambda header: {"__metadata__": told, **header}


def large(place, good, trap):
    """A header of 100 MB that takes no room on the disk."""
    with open(place, "wb") as file:
        file.write(struct.pack("<Q", 100_000_000) + b"{")
        file.truncate(100_000_008)


def spaces(place, good, trap):
    """A header of 100 MB that says nothing wrong."""
    told, data = split(good)
    text = json.dumps(told).encode()
    place.write_bytes(joined(text + b" " * (100_000_000 - len(text)), data))


TENSORS = {
    "a header of 2^63 bytes": (raw(lambda text, data: struct.pack("<Q", 2**63) + text + data), "no whole .safetensors file"),
    "a header beyond the end": (raw(lambda text, data: struct.pack("<Q", 2**20) + text), "no whole .safetensors file"),
    "a header of 100 MB": (large, "a header of 100,000,000 bytes"),
    "a header of 100 MB of blanks": (spaces, "a header of 100,000,000 bytes"),
    "no header": (raw(lambda text, data: struct.pack("<Q", 0)), "JSON that can be read"),
    "a header that is a list": (raw(lambda text, data: joined(b"[]", data)), "does not begin with {"),
    "a header that is cut": (raw(lambda text, data: joined(text[:-1], data)), "JSON that can be read"),
    "blanks in front": (raw(lambda text, data: joined(b" " + text, data)), "does not begin with {"),
    "arrays in each other": (header(lambda h: h["dense/bias"].update(data_offsets=[0, 24])), "lie in each other"),
    "a hole": (raw(lambda text, data: joined({"dense/bias": {"dtype": "F32", "shape": [6], "data_offsets": [8, 32]}},
                                             bytes(32))), "lie in each other"),
    "bytes behind": (raw(lambda text, data: joined(text, data + b"x")), "bytes of arrays"),
    "bytes that are missing": (raw(lambda text, data: joined(text, data[:-1])), "bytes of arrays"),
    "a place of its own": (header(entry(data_offsets=[-96, 0])), "dense/kernel"),
    "a place that ends before it begins": (header(entry(data_offsets=[96, 0])), "dense/kernel"),
    "a place beyond 2^70": (header(entry(data_offsets=[0, 2**70])), "dense/kernel"),
    "a place of text": (header(entry(data_offsets=["0", "96"])), "dense/kernel"),
    "a place in parts": (header(entry(data_offsets=[0, 48, 96])), "dense/kernel"),
    "a shape of 2^80": (header(entry(shape=[2**40, 2**40])), "dense/kernel"),
    "a shape that is 0 again": (header(entry(shape=[2**32, 2**32])), "dense/kernel"),
    "a shape of another size": (header(entry(shape=[4, 7])), "dense/kernel"),
    "a shape below zero": (header(entry(shape=[-4, -6])), "dense/kernel"),
    "a shape of text": (header(entry(shape="46")), "dense/kernel"),
    "a shape of fractions": (header(entry(shape=[4.0, 6.0])), "dense/kernel"),
    "a shape of 100,000 axes": (header(entry(shape=[4, 6] + [1] * 100_000)), "dense/kernel"),
    "10^15 columns of nothing": (header(more("x", shape=[0, 10**15])), "x: an array of a size"),
    "2^70 columns of nothing": (header(more("x", shape=[0, 2**70])), "x: an array of a size"),
    "an array twice": (raw(lambda text, data: joined(text[:-1] + b"," + text[1:], data)), "a key that is written twice"),
    "70 levels": (header(metadata(json.loads("[" * 70 + "]" * 70))), "levels deep"),
    "500,000 levels": (raw(lambda text, data: joined(b'{"a":' + b"[" * 500_000, data)), "levels deep"),
    "NaN in the header": (header(entry(shape=[float("nan")])), "NaN in the place of a number"),
    "a name that is a way out": (header(more("../x")), "../x (0,) is not in the model"),
    "a name with escapes": (header(more("\x1b[2J\r")), "is not in the model"),
    "a name of 5,000 digits": (header(more("9" * 5000)), "is not in the model"),
    "a long name": (header(more("x" * 2_000_000)), "text of more than"),
    "a name of half a letter": (raw(lambda text, data: joined(text.replace(b"dense/kernel", b"dense/\\ud800"), data)), ""),
    "numbers of no kind": (header(entry(dtype="F33")), "numbers of the form"),
    "numbers of 8 bits": (header(entry(dtype="F8_E4M3", shape=[4, 24])), "numbers of the form"),
    "numbers of a kind that is a list": (header(entry(dtype=[])), "dense/kernel"),
    "whole numbers": (header(entry(dtype="I32")), "int32 numbers for weights of float32"),
    "yes and no": (header(entry(dtype="BOOL", shape=[4, 24])), "another model"),
    "an array that is a list": (header(lambda h: {**h, "dense/kernel": []}), "dense/kernel"),
    "an array that says more": (header(entry(path="/etc/passwd")), "dense/kernel"),
    "an array that says less": (header(lambda h: h["dense/kernel"].pop("dtype") and None), "dense/kernel"),
    "metadata of numbers": (header(metadata({"a": 1})), "metadata"),
    "metadata that are a list": (header(metadata([1])), "metadata"),
    "a hash of something else": (header(metadata({"blake2b": "0" * 64})), "its hash is another"),
    "a hash that is a number": (header(metadata({"blake2b": 0})), "metadata"),
    "one array less": (raw(lambda text, data: joined({"dense/kernel": {"dtype": "F32", "shape": [4, 6],
                                                                       "data_offsets": [0, 96]}}, bytes(96))), "is missing"),
    "50,000 arrays of nothing": (raw(lambda text, data: joined({str(number): {"dtype": "F32", "shape": [0],
                                     "data_offsets": [0, 0]} for number in range(50_000)})), "more than 20,000 arrays"),
    "empty": (raw(lambda text, data: b""), "no whole .safetensors file"),
}

ATTACKS = [Attack(f"N1 {name}", "tensors", told, make, header(lambda h: None) if make is not large else copied,
                  ("load_weights",)) for name, (make, told) in TENSORS.items()]
