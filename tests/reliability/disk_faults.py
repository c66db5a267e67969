"""Every fault of the disk at every request of every writer: old state and model stay, and the error says what to do."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxseq.api.resuming import folder

from .disk import Disk, Fault, works
from .outcome import Outcome, spread, total
from .volume import NAMING, Request, Tree, put
from .writers import WRITERS, Writer, a_good_one, is_whole, model_in, scratch

SOME = 9                                    # faults of each writer, where not all happen

ROOM = "create", "mkdir", "rename", "write", "truncate", "sync"         # what needs room on the disk
RIGHTS = "open", *NAMING                                                # what needs rights
REMOVALS = "open", "unlink", "rmdir"                                     # what a removal consists of
NEWEST = folder.name_of(0, 2, 0)
# What has to stand in the error's notes, where the system's own words do not say what to do.
CURES = {errno.ENOSPC: "Make room", errno.EACCES: "another folder", errno.EIO: "another disk"}


def fails(code: int) -> Callable[[int], Fault]:
    """One request fails, and those after it do not."""
    return lambda at: lambda number, request: -code if number == at else works(number, request)


def fails_from_there(code: int, kinds: tuple[str, ...]) -> Callable[[int], Fault]:
    """A request fails, and all later ones of those kinds."""
    return lambda at: lambda number, request: (-code if number == at or number > at and request.what in kinds
                                               else works(number, request))


def halves(at: int) -> Fault:
    """From there on the system takes half of what it is given."""
    return lambda number, request: (len(request.data) + 1) // 2 if number >= at else works(number, request)


def fills(at: int) -> Fault:
    """A write finds room for its half, and nothing has room after that."""
    def fault(number: int, request: Request) -> int:
        if number > at and request.what in ROOM:
            return -errno.ENOSPC
        return len(request.data) // 2 if number == at else works(number, request)

    return fault


FAULTS: dict[str, Callable[[int], Fault]] = {
    "ENOSPC": fails(errno.ENOSPC), "ENOSPC from there": fails_from_there(errno.ENOSPC, ROOM), "the disk fills": fills,
    "EIO": fails(errno.EIO), "EIO from there": fails_from_there(errno.EIO, (*ROOM, *RIGHTS, "close", "lock")),
    "EACCES": fails(errno.EACCES), "EACCES from there": fails_from_there(errno.EACCES, RIGHTS),
    # Python calls again by itself when a signal comes (PEP 475). This is a call that came back all the same.
    "EINTR": fails(errno.EINTR),
    "short writes": halves}


def disk_faults(full: bool = True) -> Outcome:
    """Lets all faults happen at all requests of all writers; unless full, some of them."""
    return total([looked_at(writer, full) for writer in WRITERS.values()])


def looked_at(writer: Writer, full: bool) -> Outcome:
    """Lets the faults happen to one writer, over a good old state."""
    there = a_good_one(writer)
    all_of_them = list(cases(asked(writer, there)))
    chosen = all_of_them if full else spread(all_of_them, SOME)
    faults = [(name, at, fault_of(writer, there, name, at)) for name, at in chosen]
    return Outcome(len(chosen), tuple(f"{writer.name}, {name} at request {at}: {fault}" for name, at, fault in faults if fault))


def cases(requests: list[Request]) -> Iterator[tuple[str, int]]:
    """(fault, number of a request) for all that make sense: only what is written can be written by half."""
    for at, request in enumerate(requests):
        for name in FAULTS:
            if request.what == "write" or name not in ("the disk fills", "short writes"):
                yield name, at


def asked(writer: Writer, there: Tree) -> list[Request]:
    """What a save asks for, when nothing goes wrong."""
    requests: list[Request] = []

    def noting(number: int, request: Request) -> int:
        requests.append(request)
        return works(number, request)

    with scratch() as root:
        put(there, root)
        with Disk(root, noting):
            writer.save(root, 2)
    return requests


def fault_of(writer: Writer, there: Tree, name: str, at: int) -> str:
    """What is wrong after a fault, if anything is."""
    with scratch() as root:
        put(there, root)
        model_in(2)
        disk, error = Disk(root, FAULTS[name](at)), None
        try:
            with disk:
                writer.save(root, 2)
        except OSError as caught:
            error = caught
        except BaseException as other:
            return f"raises {type(other).__name__}: {other}"
        if not is_whole(2):
            return "the model has changed"
        renamed = any(request.what == "rename" and request.new in (writer.name, NEWEST) for request in disk.requests)
        wanted = 2 if error is None or renamed else 1
        try:
            if (found := writer.read(root)) != wanted:
                return f"reads as {found} and not as {wanted}"
        except ValueError as unread:
            return f"unreadable: {unread}"
        return (error and _wrong_words(error, str(root / writer.place))) or _wrong_end(writer, root, disk.failed)


def _wrong_words(error: OSError, place: str) -> str:
    notes = "\n".join(getattr(error, "__notes__", []))
    cure = CURES.get(error.errno or 0, "")
    return "" if place in str(error) and cure in notes else f"says only {error!s} {notes!r}"


def _wrong_end(writer: Writer, root: Path, failed: list[Request]) -> str:
    """Whether anything is left over: by this save only where it could not be removed, by the next one nothing."""
    left = [name for name in writer.leftovers(root) if not folder.NAME.fullmatch(name)]     # old checkpoints may wait
    if left and not any(request.what in (*REMOVALS, "rename") and request.new != NEWEST for request in failed):
        return f"leaves {', '.join(left)}"
    writer.save(root, 3)
    if writer.read(root) != 3:
        return "the next save is not read"
    left = writer.leftovers(root)
    return f"the next save leaves {', '.join(left)}" if left else ""
