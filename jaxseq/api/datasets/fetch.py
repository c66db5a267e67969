"""Where a data file lies: looked for on this machine, else downloaded, and never taken without its checksum.

In this order:

    $JAXSEQ_DATA            a folder of the user's own; a file there that has another checksum is an error
    $JAXSEQ_HOME/datasets   what was downloaded; without that variable, the user's cache folder: ~/.cache/jaxseq/datasets
    ~/.keras/datasets       what Keras has downloaded ($KERAS_HOME)
    /usr/share/datasets     what the system's packages bring
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jaxseq.api.cache import user_cache_folder
from jaxseq.api.files.atomic import replacing
from jaxseq.api.files.refusal import FileRejected, told
from jaxseq.core.require import require

SYSTEM = Path("/usr/share/datasets")
PAUSES = 0, 2               # seconds before each round over all addresses
TIMEOUT = 10, 60            # seconds: to be connected, and between two pieces
PIECE = 2**16               # bytes
SAID = 300                  # letters of what went wrong at an address


class Published(NamedTuple):
    """A file that its makers publish.

    name: what it is called here. checksums: "sha256:..." or "md5:...", of which it has one. urls: where it is, the best first.
    aliases: what else it may be called.
    """

    name: str
    checksums: tuple[str, ...]
    urls: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    def called(self, path: Any) -> Published:
        """The same under the name that the user gave: one without folders, or a whole path, which is then the file.

        Raises: ValueError for what is neither, FileNotFoundError for a whole path into a folder that is not there.
        """
        name = os.fspath(path)
        require(os.path.isabs(name) or (name == os.path.basename(name) and name not in ("", ".", "..")),
                f"path={path!r}: write a name without folders, such as {self.name!r}, or a whole path.")
        folder = os.path.dirname(name)
        require(not folder or os.path.isdir(folder), f"path={path!r}: there is no folder {folder!r}. Make it first, or write a "
                f"name without folders, such as {self.name!r}.", FileNotFoundError)
        return self._replace(name=name)


def fetch(file: Published, subfolder: str = "datasets") -> Path:
    """The path of a file that has the right checksum.

    Raises: FileRejected when the file in JAXSEQ_DATA, or at a whole path, has another checksum; FileNotFoundError when it is
    nowhere and cannot be downloaded, ImportError when nothing is there to download it with.
    """
    own = _named(file)
    if own is not None:
        with open(own, "rb") as content:
            _check(own, content, file.checksums)
        return own
    kept = home() / subfolder
    folders = kept, keras_home() / subfolder, SYSTEM
    places = [folder / name for folder in folders for name in (file.name, *file.aliases)]
    return next((place for place in places if fits(place, file.checksums)), None) or download(file, kept / file.name)


def _named(file: Published) -> Path | None:
    """The file, if it is where the user said: in JAXSEQ_DATA, or at a whole path."""
    folder = os.environ.get("JAXSEQ_DATA", "")
    root = Path(folder).expanduser().absolute() if folder else Path()
    places = (root / name for name in (file.name, *file.aliases))
    return next((place for place in places if place.is_absolute() and place.is_file()), None)


def home() -> Path:
    """Where downloads are kept."""
    named = os.environ.get("JAXSEQ_HOME", "")
    return Path(named).expanduser().absolute() if named else user_cache_folder() / "jaxseq"


def keras_home() -> Path:
    """Where Keras keeps them."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def fits(place: Path, checksums: tuple[str, ...]) -> bool:
    """Whether a file is there and has one of the checksums; any, where none is known."""
    if not place.is_file():
        return False
    with open(place, "rb") as content:
        return _fault(content, checksums) is None


def download(file: Published, place: Path) -> Path:
    """`place`, with the file in it, whole and checked. Each address is asked, in turn, and all of them once more after a pause.

    Raises: FileNotFoundError that tells what went wrong at each, the checksum, and where the file may be put by hand.
    """
    get, errors = _downloader(file)
    for folder in (*reversed(place.parent.parents), place.parent):
        folder.mkdir(0o755, exist_ok=True)                  # never open to a group: compiled programs lie in the same folder
    failed: dict[str, str] = {}
    for pause in PAUSES:
        time.sleep(pause)
        for url in file.urls:
            try:
                with replacing(place) as draft:
                    get(url, draft, None)
                    _check(Path(url), draft, file.checksums)
                return place
            except errors as error:
                failed[url] = told(str(error), SAID)
    lines = "".join(f"\n  {url}: {fault}" for url, fault in failed.items())
    raise FileNotFoundError(f"{file.name} is not on this machine and could not be downloaded:{lines}\n{_by_hand(file, place)}")


def _downloader(file: Published) -> tuple[Callable[..., Any], tuple[type[Exception], ...]]:
    """(what writes an address into an open file, with a bar, and what it raises)"""
    try:
        from pooch import HTTPDownloader
        from requests.exceptions import RequestException
    except ImportError as error:
        raise ImportError(f"{file.name} is not on this machine, and is downloaded with pooch: pip install 'jaxseq[data]'. "
                          f"{_by_hand(file, home() / 'datasets' / file.name)}") from error
    as_it_is = {"Accept-Encoding": "identity"}              # a file that ends in .gz is not to be unpacked on the way
    get = HTTPDownloader(progressbar=True, chunk_size=PIECE, timeout=TIMEOUT, headers=as_it_is)
    return get, (RequestException, FileRejected)


def _by_hand(file: Published, place: Path) -> str:
    known = f" Its checksum is {' or '.join(file.checksums)}." if file.checksums else ""
    folder = os.environ.get("JAXSEQ_DATA", "")
    known += f" JAXSEQ_DATA={folder!r}: there is no such folder." if folder and not Path(folder).expanduser().is_dir() else ""
    return (f"Where there is no network, get it from {' or '.join(file.urls)} elsewhere, and put it at {place}, or as "
            f"{file.name} into a folder that the environment variable JAXSEQ_DATA names.{known}")


def _check(place: Path, content: Any, checksums: tuple[str, ...]) -> None:
    fault = _fault(content, checksums)
    if fault:
        raise FileRejected(f"{place}: {fault}")


def _fault(content: Any, checksums: tuple[str, ...]) -> str | None:
    """What is wrong with the checksum of an open file."""
    found = []
    for kind in {checksum.partition(":")[0] for checksum in checksums}:
        content.seek(0)
        found.append(f"{kind}:{hashlib.file_digest(content, kind).hexdigest()}")
    wanted = " or ".join(checksums)
    return None if not checksums or {*found} & {*checksums} else f"it has the checksum {', '.join(found)}; {wanted} is wanted."
