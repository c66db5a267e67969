"""JSON out of a file that is not trusted: its size, depth, keys and numbers are bounded before anything is made of it."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from jaxseq.api.files.refusal import Source

LARGEST, DEEPEST = 8 * 2**20, 64            # bytes, of which there are four in memory where not all letters are of ASCII
LONGEST, DIGITS = 2**20, 100                # bytes of one text, digits of one number
VALUES, OBJECTS = 1_000_000, 100_000        # a model of a thousand layers has a tenth of that
# How Keras writes what is no plain data. Code is refused with the way out; the others have no use in a Sequential.
CODE = "__lambda__"
SPECIAL = {"__typespec__", "__bytes__", "__slice__", "__ellipsis__"}
NUMBERS = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32",
           "float64"}


def parsed(source: Source, member: str, content: bytes, *, numbers: bool = False, largest: int = LARGEST,
           longest: int = LONGEST) -> dict[str, Any]:
    """The JSON object in `content`. FileRejected for any other, and for what could do harm later.

    numbers: whether NaN and Infinity are numbers in it, as Python writes them. largest, longest: bytes of all, of one text.
    """
    most = largest if content.isascii() else largest // 4
    source.require(len(content) <= most, f"{len(content):,} bytes of JSON; {most:,} are read.", member)
    count = lambda marks: sum(map(content.count, marks))
    few = count((b",", b"[", b"{")) <= VALUES and count((b'"', b"\\")) <= 2 * VALUES and count((b"{",)) <= OBJECTS
    source.require(few, f"JSON of more than {VALUES:,} values, or {OBJECTS:,} objects.", member)
    extent = measured(content)
    source.require(extent.depth <= DEEPEST, f"JSON more than {DEEPEST} levels deep.", member)
    source.require(extent.text <= longest, f"text of more than {longest:,} bytes.", member)
    with source.readable(f"{member} is no JSON that can be read", ValueError):
        data = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=float if numbers else _refused,
                          parse_float=float if numbers else _finite, parse_int=_short)
    source.require(isinstance(data, dict), "JSON that is no object.", member)
    _vet(source, member, data)
    return data


class Extent(NamedTuple):
    """How deep brackets are nested, and the bytes of the longest text."""

    depth: int
    text: int


def measured(content: bytes) -> Extent:
    """The extent of JSON that is not parsed yet."""
    deepest = level = longest = 0
    begin, escaped = -1, -1                 # of the text that we are in, and the place of a byte that a backslash stands before
    for mark in _MARKS.finditer(content):
        place, byte = mark.start(), content[mark.start()]
        if begin >= 0 and byte == 0x5C and place != escaped:
            escaped = place + 1
        elif byte == 0x22 and place != escaped:
            longest = max(longest, place - begin - 1 if begin >= 0 else 0)
            begin = place if begin < 0 else -1
        elif begin < 0 and byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif begin < 0 and byte in b"]}":
            level -= 1
    return Extent(deepest, longest)


_MARKS = re.compile(rb'["\\[\]{}]')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs; ValueError for a key that comes twice, of which readers choose one or the other."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key that is written twice")
    return data


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} in the place of a number")


def _finite(digits: str) -> float:
    """The number; ValueError for one that is larger than any."""
    number = float(digits)
    if not math.isfinite(number):
        _refused(digits[:20])
    return number


def _short(digits: str) -> int:
    """The whole number; ValueError for one that nothing can have so many of."""
    if len(digits) > DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _vet(source: Source, member: str, data: Any) -> None:
    """Refuses code, and arrays of anything but numbers, wherever they stand."""
    waiting = [data]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            kind = each.get("class_name")
            source.require(kind != CODE, "holds the code of a lambda, which is never run. Save the model with a named function "
                           "in its place (def, not lambda), and pass custom_objects={'its_name': its_name}.", member)
            source.require(not isinstance(kind, str) or kind not in SPECIAL, f"{kind} has no place in a Sequential.", member)
            if kind in ("__numpy__", "__tensor__"):
                config = each.get("config")
                kind = config.get("dtype") if isinstance(config, dict) else None
                source.require(isinstance(kind, str) and kind in NUMBERS, "an array of something else than numbers.", member)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
