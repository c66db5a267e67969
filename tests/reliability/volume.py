"""A model of a file system: folders of names and files of bytes, what of both is on the disk, and what crashes leave of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

Tree = dict[str, bytes | None]              # {path: content}, None for a folder

SECTOR = 512                                # bytes that reach the disk together
NAMING = "create", "mkdir", "rename", "unlink", "rmdir"


class Request(NamedTuple):
    """One thing that a program asks of the system. node: the number of the file or folder that it is about."""

    what: str                               # one of NAMING, write, truncate, sync; or what changes nothing: open, lock, close
    node: int = -1
    folder: int = -1                        # of a name: the number of the folder that it stands in
    name: str = ""
    new: str = ""                           # what it is renamed to, within the folder
    offset: int = 0
    data: bytes = b""

    def __str__(self) -> str:
        return f"{self.what} {self.name}{' -> ' + self.new if self.new else ''}".strip()


class Volume:
    """Nodes by number; the folder 0 is the one that everything lies in."""

    def __init__(self, names: dict[int, dict[str, int]] | None = None, content: dict[int, bytes] | None = None):
        self.names = {0: {}} if names is None else names
        self.content = {} if content is None else content

    @classmethod
    def of(cls, root: Path) -> Volume:
        """What lies in a folder."""
        self = cls()
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            folder, number = self.node(relative.parent), self.free
            self.names[folder][path.name] = number
            if path.is_dir():
                self.names[number] = {}
            else:
                self.content[number] = path.read_bytes()
        return self

    @property
    def free(self) -> int:
        """A number that no node has."""
        return max([*self.names, *self.content]) + 1

    def node(self, path: Path | str) -> int:
        """The number behind a path from the folder 0. KeyError where nothing is."""
        number = 0
        for part in Path(path).parts:
            number = self.names[number][part]
        return number

    def after(self, requests: Iterable[Request]) -> Volume:
        """The volume when all of that has been done."""
        later = Volume({number: dict(names) for number, names in self.names.items()}, dict(self.content))
        for request in requests:
            later.do(request)
        return later

    def do(self, request: Request) -> None:
        what, node = request.what, request.node
        if what in NAMING:
            self._name(self.names.setdefault(request.folder, {}), request)
        elif what == "write":
            before = self.content.get(node, b"").ljust(request.offset, b"\0")
            self.content[node] = before[:request.offset] + request.data + before[request.offset + len(request.data):]
        elif what == "truncate":
            self.content[node] = self.content.get(node, b"")[:request.offset].ljust(request.offset, b"\0")

    def _name(self, names: dict[str, int], request: Request) -> None:
        if request.what == "create":
            names[request.name] = request.node
            self.content.setdefault(request.node, b"")
        elif request.what == "mkdir":
            names[request.name] = request.node
            self.names.setdefault(request.node, {})
        elif request.what == "rename":
            names[request.new] = names.pop(request.name)
        else:
            del names[request.name]

    def tree(self, folder: int = 0, above: str = "") -> Tree:
        """All that can be reached by names."""
        found: Tree = {}
        for name, number in self.names.get(folder, {}).items():
            path = above + name
            if number in self.names:
                found |= {path: None, **self.tree(number, path + "/")}
            else:
                found[path] = self.content[number]
        return found


class Image(NamedTuple):
    """What a crash leaves. returned: whether the program had been told before that all was done."""

    crash: str
    tree: Tree
    returned: bool


def images(before: Volume, requests: Sequence[Request]) -> Iterator[Image]:
    """What is left by every crash between two requests or within one, without repetitions.

    killed: the process ends; the system goes on and brings all that was asked for to the disk.
    torn: the same within a write, of which the first byte is there, some of its sectors, or all but the last byte.
    data lost: the power fails. Names are as they were asked for. What was written since the last sync of a file is missing
        (the file is as long as it was then), or zeros are in its place; in all sectors, in one, or in those from one on.
    names lost: the power fails. Of each folder, names are as they were at any time since its last sync.
    """
    seen = set()
    for count in range(len(requests) + 1):
        last = f"after {count} requests" + (f", the last one {requests[count - 1]}" if count else "")
        for crash, volume in _crashes(before, requests[:count]):
            tree, returned = volume.tree(), count == len(requests)
            known = (frozenset(tree.items()), returned)
            if known not in seen:
                seen.add(known)
                yield Image(f"{crash} {last}", tree, returned)


def _crashes(before: Volume, done: Sequence[Request]) -> Iterator[tuple[str, Volume]]:
    yield "killed", before.after(done)
    if done and done[-1].what == "write":
        data = done[-1].data
        for length in {1, len(data) - 1, *range(SECTOR, len(data), SECTOR)}:
            yield "torn", before.after([*done[:-1], done[-1]._replace(data=data[:length])])
    named = before.after(request for request in done if request.what in NAMING)
    contents = list(_contents(before, done))
    for name, content in contents:
        yield f"data lost ({name})", Volume(named.names, {**named.content, **content})
    for names in _names(before, done):
        for content in before.after(done).content, contents[0][1]:
            yield "names lost", Volume(names, {**named.content, **content})


def _contents(before: Volume, done: Sequence[Request]) -> Iterator[tuple[str, dict[int, bytes]]]:
    """(what is there of writes since the last sync, the files then)."""
    synced = {request.node: number for number, request in enumerate(done) if request.what == "sync"}
    early = [request for number, request in enumerate(done)
             if request.what in ("write", "truncate") and number < synced.get(request.node, -1)]
    whole, forced = before.after(done).content, before.after(early).content
    forced = {number: forced.get(number, b"") for number in whole}
    yield "none", forced
    sectors = range(max(len(content) for content in whole.values()) // SECTOR + 1) if whole != forced else ()
    for sector in sectors:
        lost, behind = slice(sector * SECTOR, (sector + 1) * SECTOR), slice(sector * SECTOR, None)
        for part in lost, behind:
            yield "zeros", {number: _without(content, forced[number], part) for number, content in whole.items()}


def _without(content: bytes, forced: bytes, part: slice) -> bytes:
    """The content with a part of it as it was when it was forced to the disk, and zeros where nothing was."""
    there = bytearray(content)
    there[part] = forced.ljust(len(content), b"\0")[:len(content)][part]
    return bytes(there)


def _names(before: Volume, done: Sequence[Request]) -> Iterator[dict[int, dict[str, int]]]:
    """The names of all folders, of each at every time since its last sync."""
    changes: dict[int, list[Request]] = {}
    forced: dict[int, int] = {}
    for request in done:
        if request.what in NAMING:
            changes.setdefault(request.folder, []).append(request)
        elif request.what == "sync":
            forced[request.node] = len(changes.get(request.node, []))
    lengths = [range(forced.get(folder, 0), len(asked) + 1) for folder, asked in changes.items()]
    for kept in product(*lengths):
        there = [asked[:length] for asked, length in zip(changes.values(), kept, strict=True)]
        yield before.after(request for asked in there for request in asked).names


def put(tree: Tree, root: Path) -> None:
    """Writes a tree below a folder."""
    for path, content in tree.items():
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)
