"""Files put together anew with something changed in them: archives, what their JSON says, the arrays in them."""

import io
import json
import warnings
import zipfile
from pathlib import Path

import h5py

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"


def parts(path) -> dict[str, bytes]:
    """The members of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members, method=zipfile.ZIP_STORED) -> bytes:
    """An archive of (name or ZipInfo, content) pairs, the same at any time."""
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w") as archive:
        warnings.simplefilter("ignore")                 # of a name that comes twice
        for name, content in members:
            archive.writestr(_undated(name, method) if isinstance(name, str) else name, content)
    return held.getvalue()


def _undated(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = method, 0o600 << 16
    return info


def with_config(path, change) -> bytes:
    """The file with its config.json changed: change(config) alters it in place, or returns another."""
    members = parts(path)
    config = json.loads(members[CONFIG])
    members[CONFIG] = json.dumps(change(config) or config).encode()
    return zipped(members.items())


def with_weights(path, change) -> bytes:
    """The .keras file with its HDF5 changed: change(root) alters it in place."""
    members = parts(path)
    members[WEIGHTS] = _changed(members[WEIGHTS], change)
    return zipped(members.items())


def with_tree(path, change) -> bytes:
    """The HDF5 file, or the .keras file with its HDF5, changed: change(root) alters it in place."""
    return with_weights(path, change) if str(path).endswith(".keras") else _changed(Path(path).read_bytes(), change)


def _changed(content: bytes, change) -> bytes:
    held = io.BytesIO(content)
    with h5py.File(held, "r+") as root:
        change(root)
    return held.getvalue()


def in_form(path, libver="earliest", change=lambda root: None) -> bytes:
    """The tree of a file, or of the weights in a .keras file, in another of HDF5's forms: the earliest has no checksums."""
    held, source = io.BytesIO(), parts(path)[WEIGHTS] if str(path).endswith(".keras") else Path(path).read_bytes()
    with h5py.File(io.BytesIO(source), "r") as old, h5py.File(held, "w", libver=libver) as new:
        _copy(old, new)
        change(new)
    return held.getvalue()


def _copy(old, new):
    for name, value in old.attrs.items():
        new.attrs[name] = value
    for name, node in old.items():
        if isinstance(node, h5py.Group):
            _copy(node, new.create_group(name))
        else:
            new[name] = node[()]
