"""get_file: a file of the user's choice from the network, kept, checked where a hash is given, and unpacked if wished."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jaxseq.api.datasets import archives
from jaxseq.api.datasets.fetch import Published, download, fetch, fits, home
from jaxseq.core.require import one_of, require


def get_file(fname: Any = None, origin: str | None = None, untar: bool = False, md5_hash: str | None = None,
             file_hash: str | None = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto", extract: bool = False,
             archive_format: str | Iterable[str] | None = "auto", cache_dir: Any = None, force_download: bool = False) -> str:
    """The path of the file at `origin`, downloaded if it is not there yet; with extract, of the folder it is unpacked to.

        path = get_file("nietzsche.txt", origin="https://.../nietzsche.txt")

    fname: its name, by default that in `origin`. An archive "a.tar.gz" is unpacked to "a_extracted", one named "a" (kept as
    "a_archive") to "a", as in Keras 3; untar=True is extract=True of a tar file. file_hash: SHA-256 or MD5, told by its
    length. It lies in cache_dir/cache_subdir, cache_dir being $JAXSEQ_HOME or the user's cache folder; without a cache_dir,
    JAXSEQ_DATA and Keras's own folder are looked in, too.

    Raises: ValueError for arguments that do not fit; FileNotFoundError when it cannot be had; FileRejected, a ValueError, for
    an archive that is damaged, or holds links or names that lead out of its folder, where Keras leaves those out.
    """
    require(origin, "get_file needs the address of the file: write origin='https://...'.")
    unpack = archives.formats("tar" if untar else archive_format) if extract or untar else ()
    theirs = os.path.basename(urlsplit(str(origin)).path)
    name = os.fspath(fname) if fname else theirs
    require(name and os.path.basename(name) == name and name not in (".", ".."),
            f"fname={fname!r}, origin={origin!r}: write a name without folders as fname, and the folder as cache_dir.")
    checksums = _checksums(file_hash, hash_algorithm) if file_hash else _checksums(md5_hash, "md5") if md5_hash else ()
    kept, folder = _names(name, bool(fname)) if unpack else (name, name)
    file = Published(kept, checksums, (str(origin),), (theirs,) if unpack and theirs not in (kept, folder) else ())
    base = (home() if cache_dir is None else Path(cache_dir).expanduser()) / cache_subdir
    path = _path(file, base, cache_subdir if cache_dir is None else None, force_download)
    if not unpack:
        return str(path)
    base.mkdir(0o755, parents=True, exist_ok=True)
    return str(archives.unpacked(path, base / folder, unpack))


def _checksums(digest: str, algorithm: str) -> tuple[str]:
    one_of("hash_algorithm", algorithm, ("auto", "sha256", "md5"))
    kind = algorithm if algorithm != "auto" else "sha256" if len(digest) == 64 else "md5"
    return (f"{kind}:{digest.lower()}",)


def _names(name: str, given: bool) -> tuple[str, str]:
    """(of the archive, of the folder) in Keras 3's way."""
    if given and "." in name:
        return name, f"{name.partition('.')[0]}_extracted"
    return f"{name}_archive", name


def _path(file: Published, base: Path, subfolder: str | None, force: bool) -> Path:
    """Where the file is. subfolder: of every folder that is looked in; None for `base` alone."""
    if force:
        return download(file, base / file.name)
    if subfolder is not None:
        return fetch(file, subfolder)
    return base / file.name if fits(base / file.name, file.checksums) else download(file, base / file.name)
