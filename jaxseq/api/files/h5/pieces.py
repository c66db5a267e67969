"""Bytes at addresses of a file, within bounds."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

NOWHERE = 2**64 - 1
STEPS, BYTES = 500_000, 32 * 2**20      # pieces that are read of what a file says of itself, and their bytes


class Damaged(ValueError):
    """Bytes that are no HDF5, or none of the kind that is read."""


def demand(ok: object, what: str) -> None:
    if not ok:
        raise Damaged(what)


class Piece:
    """Some bytes of a file, taken from the front to the end."""

    def __init__(self, raw: bytes):
        self.raw, self.place = raw, 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        demand(0 <= size <= len(self.raw) - self.place, "something ends too soon")
        self.place += size
        return self.raw[self.place - size:self.place]

    def number(self, size: int) -> int:
        """The next bytes as a number."""
        return int.from_bytes(self.take(size), "little")

    def numbers(self, *sizes: int) -> tuple[int, ...]:
        return tuple(self.number(size) for size in sizes)

    def text(self, end: int | None = None) -> str:
        """The text up to its zero byte, or up to `end`."""
        end = self.raw.find(b"\0", self.place) if end is None else end
        demand(end >= self.place, "a text without end")
        return decoded(self.take(end - self.place))

    def align(self, size: int) -> None:
        """Goes on at the next multiple of `size`."""
        self.take(-self.place % size)

    @property
    def left(self) -> int:
        return len(self.raw) - self.place


def decoded(raw: bytes) -> str:
    """A name or text; UTF-8, of which ASCII is a part."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"text that is none: {error}") from None


class Image:
    """A file as bytes at addresses. Reading what a file says of itself has an end, whatever it says."""

    def __init__(self, file: BinaryIO):
        self.file, self.size = file, file.seek(0, io.SEEK_END)
        self._steps, self._bytes = STEPS, BYTES

    def at(self, address: int, size: int) -> bytes:
        """So many bytes of what the file says of itself."""
        self._steps, self._bytes = self._steps - 1, self._bytes - size
        demand(self._steps >= 0 and self._bytes >= 0, "it says more of itself than a file of weights has to say")
        return self.content(address, size)

    def content(self, address: int, size: int) -> bytes:
        """So many bytes of numbers."""
        demand(address + size <= self.size, "something lies beyond the end of the file: it is cut short, or damaged")
        self.file.seek(address)
        return self.file.read(size)

    def signed(self, address: int, size: int, signature: bytes) -> Piece:
        """A piece that begins with a signature."""
        piece = Piece(self.at(address, size))
        demand(piece.take(len(signature)) == signature, f"there is no {signature!r} where one should be")
        return piece

    def summed(self, address: int, size: int, signature: bytes) -> Piece:
        """A piece that begins with a signature and ends with a checksum."""
        piece = self.signed(address, size, signature)
        demand(checksum(piece.raw[:-4]) == int.from_bytes(piece.raw[-4:], "little"), "a checksum is another than when it was "
               "written")
        piece.raw = piece.raw[:-4]
        return piece


def checksum(raw: bytes) -> int:
    """Bob Jenkins's lookup3 of some bytes, beginning with 0."""
    size = len(raw)
    a = b = c = 0xDEADBEEF + size & 0xFFFFFFFF
    words = struct.unpack(f"<{-(-size // 12) * 3}I", raw + bytes(-size % 12))
    for place in range(0, len(words) - 3, 3):
        a, b, c = _mixed(a + words[place] & M, b + words[place + 1] & M, c + words[place + 2] & M)
    if not size:
        return c
    a, b, c = a + words[-3] & M, b + words[-2] & M, c + words[-1] & M
    c = (c ^ b) - _turned(b, 14) & M
    a = (a ^ c) - _turned(c, 11) & M
    b = (b ^ a) - _turned(a, 25) & M
    c = (c ^ b) - _turned(b, 16) & M
    a = (a ^ c) - _turned(c, 4) & M
    b = (b ^ a) - _turned(a, 14) & M
    return (c ^ b) - _turned(b, 24) & M


M = 0xFFFFFFFF


def _turned(x: int, by: int) -> int:
    return (x << by | x >> 32 - by) & M


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c ^ (c << 4 | c >> 28)) & M
    c = c + b & M
    b = (b - a ^ (a << 6 | a >> 26)) & M
    a = a + c & M
    c = (c - b ^ (b << 8 | b >> 24)) & M
    b = b + a & M
    a = (a - c ^ (c << 16 | c >> 16)) & M
    c = c + b & M
    b = (b - a ^ (a << 19 | a >> 13)) & M
    a = a + c & M
    c = (c - b ^ (b << 4 | b >> 28)) & M
    return a, b + a & M, c
