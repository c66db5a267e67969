"""Checkpoints in a folder: each a folder of its own, there as a whole or not at all, and checked on every byte when read.

    0000000000-000002-00000120/     the step at which the run began, the epoch, the steps of it that are made
        manifest.json               what is in it, and a hash of everything
        arrays.safetensors          the numbers
        state/                      those that are cut over several processes: see sharded.py
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxseq.api.files import plain_json, regular, tensors
from jaxseq.api.files.atomic import close_quietly, make_folder, settle
from jaxseq.api.files.disk_errors import telling
from jaxseq.api.files.refusal import FileRejected, Source
from jaxseq.core.require import require

MANIFEST, ARRAYS, LOCK = "manifest.json", "arrays.safetensors", ".lock"
NAME = re.compile(r"\d{10}-\d{6}-\d{8}")
VERSION = 1
LARGEST = 16 * 2**20        # bytes of a manifest
UNWRITTEN = "It is not written; what was there before is whole."


def name_of(first_step: int, epoch: int, done: int) -> str:
    """The name of a checkpoint. Names of one run sort by age."""
    return f"{first_step:010d}-{epoch:06d}-{done:08d}"


def all_of(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first."""
    return sorted((each for each in folder.iterdir() if NAME.fullmatch(each.name)), reverse=True) if folder.is_dir() else []


def found(folder: Path, first_step: int) -> list[Path]:
    """Those of the run that began at that step."""
    return [each for each in all_of(folder) if each.name.startswith(f"{first_step:010d}-")]


def write(place: Path, told: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Writes a checkpoint: beside its place, forced to the disk, renamed. Raises: what the system raises."""
    finish(begun(place), place, told, arrays)


def begun(place: Path) -> Path:
    """An empty folder beside a checkpoint's place, where it is drafted. `sweep` removes what is left of it after a crash."""
    draft = place.with_name(f".{secrets.token_hex(8)}.part")
    with telling(place, draft, UNWRITTEN):
        make_folder(place.parent)
        draft.mkdir()
    return draft


def finish(draft: Path, place: Path, told: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Makes a checkpoint of a draft, in which some of it may lie already. The draft goes where that fails."""
    with telling(place, draft, UNWRITTEN):
        try:
            payload = tensors.packed(arrays)
            manifest = {"format": "jaxseq checkpoint", "version": VERSION, **told,
                        "arrays": {"bytes": len(payload), "blake2b": _hash(payload)}}
            _write(draft / ARRAYS, payload)
            _write(draft / MANIFEST, json.dumps({**manifest, "blake2b": _hash(_canonical(manifest))}).encode())
            settle(draft)
            _put(draft, place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    with telling(place, place.parent, "It is written, whole. Whether it outlasts a power cut is not known."):
        settle(place.parent)


def read(place: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(what the manifest tells, the arrays) of a checkpoint. FileRejected unless every byte is what was written."""
    source = Source(place)
    try:
        text = regular.content(source, place / MANIFEST, LARGEST)
        manifest = plain_json.parsed(source, MANIFEST, text, largest=LARGEST, longest=LARGEST)
        payload = regular.content(source, place / ARRAYS, _size(manifest))
    except OSError as error:
        raise FileRejected(f"{place}: it cannot be read: {error}") from error
    digest = manifest.pop("blake2b", None)
    source.require(digest == _hash(_canonical(manifest)), "is damaged: its hash is another than when it was written.", MANIFEST)
    version = manifest.get("version")
    source.require(version == VERSION, f"has the form {version!r}, and this version reads {VERSION}. "
                   "Read it with the version of jaxseq that wrote it.", MANIFEST)
    source.require(manifest.get("arrays") == {"bytes": len(payload), "blake2b": _hash(payload)}, "is damaged: its hash is "
                   "another than when it was written.", ARRAYS)
    return manifest, tensors.unpacked(source, payload)


def _size(manifest: dict[str, Any]) -> int:
    """How many bytes of arrays the manifest tells of; none where it does not."""
    told = manifest.get("arrays")
    size = told.get("bytes") if isinstance(told, dict) else None
    return size if type(size) is int and size > 0 else 0


def prune(folder: Path, first_step: int, keep: int) -> None:
    """Removes all checkpoints of a run but the newest ones, and then what crashes have left half done."""
    for old in reversed(found(folder, first_step)[keep:]):      # the newest one last
        with telling(old, old, "It could not be removed; newer ones are whole."):
            old.rename(old.with_name(f".{secrets.token_hex(8)}.part"))      # cut short, this leaves no half checkpoint
    sweep(folder)


def sweep(folder: Path) -> None:
    """Removes what crashes have left half done."""
    for left in folder.glob(".*.part"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """While inside, no other process writes checkpoints there: it gets a RuntimeError. A crash lets go by itself."""
    with telling(folder, folder, "No checkpoint is written."):
        make_folder(folder)
        require(os.access(folder, os.W_OK), f"{folder} cannot be written to: change its rights, or name another folder.",
                PermissionError)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(lock, folder)
        yield
    finally:
        close_quietly(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:                 # no such locks on this system
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(f"{folder} is in use: another run writes its checkpoints there. Give each its own folder.") from None
    except OSError:                     # nor on this file system
        return


def _put(draft: Path, place: Path) -> None:
    """Renames `draft` to `place`, where something damaged may lie."""
    if place.exists():
        old = place.with_name(f".{secrets.token_hex(8)}.part")
        place.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    draft.rename(place)


def _write(path: Path, content: bytes) -> None:
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True).encode()


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()
