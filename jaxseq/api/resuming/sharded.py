"""Arrays that are cut over several processes: each process writes and reads its own parts of them, through Orbax.

In a checkpoint's folder they have a folder of their own, `state`, in a form of Orbax's. There the arrays have numbers; the
manifest tells their names, shapes and dtypes, and every file of the folder with its hash, for Orbax keeps none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax
import numpy as np

from jaxseq.api.files import tensors
from jaxseq.api.files.atomic import settle
from jaxseq.api.files.refusal import FileRejected, Source

STATE, TOLD = "state", "sharded"        # the folder of the checkpoint, and its entry in the manifest
NUMBERS = {np.dtype(each).name: np.dtype(each) for each in tensors.DTYPES.values()}
AXES = 64


class Apart(NamedTuple):
    """An array that lies in Orbax's folder, under a number."""

    folder: Path
    number: str
    shape: tuple[int, ...]
    dtype: np.dtype


def orbax() -> Any:
    """Orbax, which is imported when it is needed. ImportError with the line to write where it is not there."""
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("Weights that are cut over several processes are kept with Orbax: pip install 'jaxseq[sharded]'.") \
            from error
    return orbax.checkpoint


def write(draft: Path, cut: Mapping[str, jax.Array]) -> None:
    """Each process writes its parts of the arrays into the draft of a checkpoint. All have to ask, in their main threads:
    they wait for each other, by exchanges that have their turn among those of the training. Raises: OSError."""
    place = draft.absolute() / STATE
    try:
        with _checkpointer() as writer:
            writer.save(place, args=orbax().args.StandardSave({str(number): each for number, each in enumerate(cut.values())}))
    except ValueError as error:         # what TensorStore makes of an error of the disk
        raise OSError(f"{place} is not written: {error}") from error


def told(draft: Path, cut: Mapping[str, jax.Array]) -> dict[str, Any]:
    """What the manifest says of the arrays, once they are written, and of the files, which are forced to the disk."""
    folder = draft / STATE
    with ThreadPoolExecutor() as threads:
        names = sorted(_files(Source(draft), folder))
        files = dict(zip(names, threads.map(lambda name: _settled(folder / name), names), strict=True))
    for each in {(folder / name).parent for name in names} | {folder}:
        settle(each)
    arrays = [{"name": name, "shape": [*each.shape], "dtype": each.dtype.name} for name, each in cut.items()]
    return {TOLD: {"arrays": arrays, "files": files}}


def lying(place: Path, manifest: Mapping[str, Any]) -> dict[str, Apart]:
    """The arrays that lie apart, by name; none where all lie together. FileRejected for what `told` never says."""
    source = Source(place)
    with source.readable("it does not tell of arrays as a checkpoint does", KeyError, TypeError, ValueError, AttributeError):
        said = manifest.get(TOLD)
        if said is None:
            return {}
        named = {each["name"]: Apart(place / STATE, str(number), _shape(each["shape"]), NUMBERS[each["dtype"]])
                 for number, each in enumerate(said["arrays"])}
        source.require(len(named) == len(said["arrays"]) > 0 and all(name.startswith("state") for name in named), "one name "
                       "for two arrays, none, or one of what is never cut.", TOLD)
        for each in said["files"].values():
            source.require(each.keys() == {"bytes", "blake2b"}, "a file of which other things are told.", TOLD)
        return named


def check(place: Path, manifest: Mapping[str, Any]) -> None:
    """FileRejected unless the files of the arrays that lie apart are those that were written, every byte of them."""
    if not lying(place, manifest):
        return
    source, folder, files = Source(place), place / STATE, manifest[TOLD]["files"]
    try:
        source.require(not folder.is_symlink(), "is no folder of its own, but a link.", STATE)
        found = set(_files(source, folder))
        differing = sorted(found ^ files.keys())
        source.require(not differing, f"is damaged: {', '.join(differing[:9])} should not be there, or is missing.", STATE)
        with ThreadPoolExecutor() as threads:
            for name, same in zip(files, threads.map(lambda name: _is(folder / name, files[name]), files), strict=True):
                source.require(same, "is damaged: its hash is another than when it was written.", f"{STATE}/{name}")
    except OSError as error:
        raise FileRejected(f"{place}: it cannot be read: {error}") from error


def read(source: Source, apart: Mapping[str, Apart], like: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """The arrays, each of which lies where the one of its name in `like` does: every process reads the parts that its devices
    have. All have to ask. FileRejected for what Orbax cannot read, or would need more room than the array has."""
    if not apart:
        return {}
    folder = next(iter(apart.values())).folder.absolute()
    wanted = {each.number: jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=like[name].sharding)
              for name, each in apart.items()}
    with source.readable("its arrays cannot be read", ValueError, KeyError, TypeError, OSError), _checkpointer() as reader:
        held = reader.metadata(folder).item_metadata
        for name, each in apart.items():
            source.require(held is not None and _agrees(held.tree.get(each.number), each), "is another array than the manifest "
                           "says.", name)
        found = reader.restore(folder, args=orbax().args.StandardRestore(wanted))
    return {name: found[each.number] for name, each in apart.items()}


def _checkpointer() -> Any:
    ocp = orbax()
    return ocp.Checkpointer(ocp.StandardCheckpointHandler())


def _agrees(held: Any, apart: Apart) -> bool:
    """Whether Orbax has that array, in blocks no larger than it: a block is unpacked in memory as a whole."""
    blocks = getattr(getattr(held, "storage", None), "chunk_shape", None)
    return blocks is not None and (held.shape, held.dtype) == (apart.shape, apart.dtype) \
        and all(block <= size for block, size in zip(blocks, apart.shape, strict=True))


def _shape(given: Any) -> tuple[int, ...]:
    if not (isinstance(given, list) and len(given) <= AXES and all(type(each) is int and 0 <= each < 2**48 for each in given)):
        raise ValueError(f"{given!r} is no shape")
    return tuple(given)


def _files(source: Source, folder: Path) -> Iterator[str]:
    """The names of all files in the folder and in those within. FileRejected for a link, or a device."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    source.require(entry.is_file(follow_symlinks=False), "is no file of its own.", f"{STATE}/{name}")
                    yield name


def _settled(path: Path) -> dict[str, Any]:
    """Forces a file to the disk. Its length, and its hash."""
    with open(path, "r+b") as file:
        os.fsync(file.fileno())
        return {"bytes": os.fstat(file.fileno()).st_size, "blake2b": _hash(file)}


def _is(path: Path, told: Mapping[str, Any]) -> bool:
    with open(path, "rb", opener=lambda name, ways: os.open(name, ways | getattr(os, "O_NOFOLLOW", 0))) as file:
        return os.fstat(file.fileno()).st_size == told["bytes"] and _hash(file) == told["blake2b"]


def _hash(file: BinaryIO) -> str:
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
