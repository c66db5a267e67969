"""`.keras`, the whole models of Keras 3: a zip of metadata.json, config.json and model.weights.h5."""

from __future__ import annotations

import io
import json
import stat
import struct
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from jaxseq.api.files import optimizer_state, plain_json, weights_h5, words
from jaxseq.api.files.refusal import Source
from jaxseq.core.types import TrainState

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
MEMBERS = METADATA, CONFIG, WEIGHTS
EXPANSION, SLACK = 10, 2**20        # a member may be so many times as large as what is stored of it, and so many bytes more
LISTED, DIRECTORY = 16, 2**16       # entries of a table of contents that is read at all, and its bytes
VERSION = "3.15.1"                  # of Keras, whose words these are

DAMAGE = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, KeyError, EOFError, struct.error,
          zlib.error)


def write(file: BinaryIO, model: Any, *, include_optimizer: bool = True) -> None:
    """Writes architecture, weights, and with include_optimizer how it is trained and the optimizer's state."""
    compiled = described(model, include_optimizer)
    held = io.BytesIO()
    weights_h5.write(held, model, optimizer=compiled.get("compile_config") is not None)
    metadata = {"keras_version": VERSION, "date_saved": time.strftime("%Y-%m-%d@%H:%M:%S")}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
        archive.writestr(CONFIG, json.dumps(compiled, allow_nan=False))
        archive.writestr(WEIGHTS, held.getbuffer())


def described(model: Any, include_optimizer: bool = True) -> dict[str, Any]:
    """What config.json holds. ValueError for a setting, a loss or a metric that cannot be written down."""
    unknown = model.optimizer is not None and not words.known_to_keras(model.optimizer)
    if include_optimizer and unknown:
        warnings.warn(f"{optimizer_state.called(model.optimizer)} cannot be written to a file: the model is saved without its "
                      "optimizer. Compile with one of jaxseq.optimizers to save it, too.", stacklevel=4)
    return words.of_model(model, words.of_compile(model) if include_optimizer and not unknown else None)


@contextmanager
def opened(source: Source, file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive, if it holds what a model needs and nothing else. FileRejected for any other."""
    with source.readable("this is no whole .keras file", *DAMAGE):
        source.require(file.read(4) == b"PK\x03\x04", "this is no .keras file: it does not begin as a zip archive.")
        size = file.seek(0, io.SEEK_END)
        _check_directory(source, file)
        with zipfile.ZipFile(file) as archive:
            _check(source, archive, size)
            yield archive


def config_of(source: Source, archive: zipfile.ZipFile) -> dict[str, Any]:
    """config.json, parsed."""
    return plain_json.parsed(source, CONFIG, _content(archive, CONFIG))


def metadata_of(source: Source, archive: zipfile.ZipFile) -> dict[str, Any]:
    """metadata.json, parsed; nothing where there is none."""
    return plain_json.parsed(source, METADATA, archive.read(METADATA)) if METADATA in archive.namelist() else {}


def weights_of(archive: zipfile.ZipFile) -> BinaryIO:
    """model.weights.h5, in memory. Its size was checked when the archive was opened, its checksum is now."""
    return io.BytesIO(_content(archive, WEIGHTS))


def read_weights(source: Source, file: BinaryIO, model: Any, *, skip_mismatch: bool = False) -> TrainState:
    """The model's TrainState with the weights of the archive: see `weights_h5.read`."""
    with opened(source, file) as archive:
        held = weights_of(archive)
    return weights_h5.read(source, held, model, skip_mismatch=skip_mismatch)


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member, of which no more is inflated than it declares. EOFError where that is more than it has."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as member:
        content = member.read(size)
    if len(content) < size:
        raise EOFError(f"{name} ends too soon")
    return content


def _check_directory(source: Source, file: BinaryIO) -> None:
    """Looks how long the table of contents is, before `zipfile` reads all of it."""
    file.seek(-END.size, io.SEEK_END)
    end = END.unpack(file.read(END.size))
    source.require(end[0] == b"PK\5\6" and end[7] == 0, "does not end as a zip archive, or a comment follows.")
    source.require(end[1] == end[2] == 0 and end[3] == end[4], "is one of several parts of an archive.")
    told = [end[4:6]]
    if file.tell() >= END.size + LOCATOR + END_64.size:             # of archives beyond 4 GiB
        file.seek(-END.size - LOCATOR - END_64.size, io.SEEK_END)
        told.append(END_64.unpack(file.read(END_64.size))[7:9])
        told = told if file.read(4) == b"PK\6\7" else told[:1]
    for entries, length in told:
        source.require(entries <= LISTED and length <= DIRECTORY, f"{entries:,} members in a table of contents of {length:,} "
                       "bytes.")


# How a zip archive ends: with the entries of its table of contents and their bytes; where it is large, before that once more.
END, END_64, LOCATOR = struct.Struct("<4s3H H 2L H"), struct.Struct("<4s Q 2H 2L Q Q Q Q"), 20


def _check(source: Source, archive: zipfile.ZipFile, size: int) -> None:
    """Looks at the table of contents alone: names, kinds, sizes, and where each member lies."""
    listed = archive.infolist()
    for info in listed:
        _check_member(source, info)
    names = [info.filename for info in listed]
    source.require(len(names) == len(set(names)), "a member that is there twice.")
    for name in CONFIG, WEIGHTS:
        source.require(name in names, f"there is no {name} in it.")
    source.require(not archive.comment, "a comment behind the archive.")
    ends = [*sorted(info.header_offset for info in listed), archive.start_dir]
    for info in listed:
        end = next((end for end in ends if end > info.header_offset), 0)
        reach = info.header_offset + zipfile.sizeFileHeader + info.compress_size
        source.require(ends.count(info.header_offset) == 1 and reach <= end <= size, "members that lie in each other.",
                       info.filename)
        archive.open(info).close()          # what stands in front of it says the same, as far as `zipfile` compares that


def _check_member(source: Source, info: zipfile.ZipInfo) -> None:
    name = ascii(info.filename)
    source.require(info.orig_filename == info.filename and info.filename in MEMBERS, f"the member {name}; a model of plain "
                   f"layers has {', '.join(MEMBERS)} and no others.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    source.require(kind in (0, stat.S_IFREG), "a link, a folder or a device.", name)
    source.require(not info.flag_bits & 0x2041, "is encrypted.", name)
    source.require(info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), f"is compressed in the way "
                   f"{info.compress_type}; stored and deflated members are read.", name)
    most = EXPANSION * info.compress_size + SLACK if info.filename == WEIGHTS else plain_json.LARGEST
    source.require(info.file_size <= most, f"declares {info.file_size:,} bytes; at most {most:,} are read.", name)
