"""Pickles of lists, words and arrays, read without `pickle`: no class is looked up and nothing is called.

NumPy pickles an array of lists into its .npz files, and Python 2 pickled the batches of CIFAR. What occurs in those is
understood here: the opcodes in OPCODES, the calls in `_called`, the states in `_built`. All else is refused. How an opcode's
argument is written is what `pickletools`, the standard library's disassembler, says.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxseq.api.files.refusal import Source

CONTAINERS = 2**20          # lists and dicts of one pickle: a byte of it makes one, of 56 bytes
FAULTS = (ValueError, TypeError, KeyError, IndexError, EOFError, struct.error)


def unpickled(source: Source, content: bytes) -> Any:
    """What a pickle holds: numbers, text, bytes, lists, tuples, dicts, arrays of uint8 and arrays of lists. Python 2's str is
    text, a letter for each byte. FileRejected, with the file's name, for anything else."""
    with source.readable("this pickle holds what no data set does, or is damaged", *FAULTS):
        return _Reader(content).result()


class _Name(str):
    """What a pickle calls by name: "numpy dtype"."""


class _Blank:
    """An array whose contents come later."""


class _Reader:
    """The stack that opcodes work on, what lies below the marks on it, and what was memorized."""

    def __init__(self, content: bytes):
        self.file = io.BytesIO(content)
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.containers = 0

    def result(self) -> Any:
        code, file = self.file.read, self.file
        while (opcode := code(1)) != b".":
            argument, act = OPCODES[opcode]
            act(self, argument(file))
        result, = self.stack
        return result

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """What was pushed since the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def container(self, kind: type) -> None:
        self.containers += 1
        if self.containers > CONTAINERS:
            raise ValueError(f"more than {CONTAINERS:,} lists")
        self.stack.append(kind())

    def extend(self, items: list[Any]) -> None:
        _of(list, self.stack[-1]).extend(items)

    def update(self, items: list[Any]) -> None:
        keys = [_of(str, key) for key in items[::2]]
        _of(dict, self.stack[-1]).update(zip(keys, items[1::2], strict=True))

    def tuple(self, length: int) -> None:
        items = self.popped(length)
        self.stack.append(tuple(items))

    def popped(self, length: int) -> list[Any]:
        if len(self.stack) < length:
            raise IndexError("it takes more than there is")
        items = self.stack[-length:]
        del self.stack[-length:]
        return items

    def name(self, text: str) -> None:
        self.stack.append(_Name(text))


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} is wanted")
    return value


def _called(function: Any, arguments: Any) -> Any:
    """What the three calls that occur would give."""
    match _of(_Name, function), arguments:
        case ("numpy.core.multiarray _reconstruct" | "numpy._core.multiarray _reconstruct",
              (_Name("numpy ndarray"), (0,), b"b" | "b")):
            return _Blank()
        case "numpy dtype", ("u1" | "O8" as code, 0, 1):
            return np.dtype(code[0] + code[1:].replace("8", ""))
        case "_codecs encode", (str(text), "latin1"):           # how Python 3 writes bytes for Python 2
            return text.encode("latin1")
    raise ValueError(f"a call of {function!r}")


def _built(begun: Any, state: Any) -> Any:
    """A dtype, or an array with its contents."""
    match begun, state:
        case np.dtype(), (3, "|", None, None, None, -1, -1, int()):
            return begun
        case _Blank(), (1, (int(length),), np.dtype(char="O"), 0, list(rows)) if length == len(rows):
            return column(rows)
        case _Blank(), (1, tuple(shape), np.dtype(char="B"), 0, bytes() | str() as content) if min(shape) >= 0:
            plain = content.encode("latin1") if isinstance(content, str) else content
            return np.frombuffer(plain, np.uint8).reshape(shape)
    raise ValueError(f"a state of {type(begun).__name__}")


def column(rows: list[Any]) -> np.ndarray:
    """object (n,) of rows, also where all are of one length, into which array[:] = rows would look."""
    array = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        array[place] = row
    return array


def _nothing(file: io.BytesIO) -> None:
    """The argument of an opcode that has none."""


def _opcodes() -> dict[bytes, tuple[Callable[[io.BytesIO], Any], Callable[[_Reader, Any], Any]]]:
    """{opcode: (what reads its argument, what it does)}"""
    push = lambda reader, value: reader.stack.append(value)
    put = lambda reader, place: reader.memo.__setitem__(place, reader.stack[-1])
    get = lambda reader, place: reader.stack.append(reader.memo[place])
    always = lambda value: lambda reader, _: reader.stack.append(value)
    pair = lambda function: lambda reader, _: reader.stack.append(function(*reader.popped(2)))
    tuples = lambda length: lambda reader, _: reader.tuple(length)
    acts = {
        **dict.fromkeys(("BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
                         "BINUNICODE", "SHORT_BINUNICODE"), push),
        **dict.fromkeys(("BINPUT", "LONG_BINPUT"), put), **dict.fromkeys(("BINGET", "LONG_BINGET"), get),
        **dict.fromkeys(("PROTO", "FRAME"), lambda reader, _: None),
        "MEMOIZE": lambda reader, _: put(reader, len(reader.memo)),
        "NONE": always(None), "NEWTRUE": always(True), "NEWFALSE": always(False), "EMPTY_TUPLE": always(()),
        "EMPTY_LIST": lambda reader, _: reader.container(list), "EMPTY_DICT": lambda reader, _: reader.container(dict),
        "MARK": _Reader.mark, "APPENDS": lambda reader, _: reader.extend(reader.marked()),
        "APPEND": lambda reader, _: reader.extend(reader.popped(1)),
        "SETITEMS": lambda reader, _: reader.update(reader.marked()),
        "SETITEM": lambda reader, _: reader.update(reader.popped(2)),
        "TUPLE1": tuples(1), "TUPLE2": tuples(2), "TUPLE3": tuples(3),
        "TUPLE": lambda reader, _: push(reader, tuple(reader.marked())),
        "GLOBAL": _Reader.name, "STACK_GLOBAL": pair(lambda module, name: _Name(f"{module} {name}")),
        "REDUCE": pair(_called), "BUILD": pair(_built),
    }
    known = {opcode.name: opcode for opcode in pickletools.opcodes}
    readers = {name: getattr(known[name].arg, "reader", _nothing) for name in acts}
    readers |= {"BININT1": lambda file: file.read(1)[0]}        # most of what there is, and so the faster way
    return {known[name].code.encode("latin1"): (readers[name], act) for name, act in acts.items()}


OPCODES = _opcodes()
