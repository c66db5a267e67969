"""Writes jaxseq/api/datasets/digits.npz from scikit-learn's copy of the UCI digits, and prints its SHA-256.

    python tools/make_digits.py [file]

The same arrays give the same bytes on every machine: fixed dates and no compression, since deflate differs between
builds of zlib. (A wheel and git compress the file anyway.)
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "jaxseq/api/datasets/digits.npz"


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """An .npz file of the arrays, in the order given, which depends on nothing but them."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3                       # Unix, also where this runs on Windows
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, npy_bytes(array))
    return whole.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    """The array as the content of an .npy file, format 1.0, without pickle."""
    member = io.BytesIO()
    np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return member.getvalue()


def digits() -> dict[str, np.ndarray]:
    """images (1797, 8, 8), values 0 to 16, and labels (1797,), both uint8, in scikit-learn's order."""
    pixels, classes = map(np.asarray, load_digits(return_X_y=True))
    if not np.array_equal(pixels, np.clip(np.round(pixels), 0, 16)):
        raise ValueError("The pixels are no longer whole numbers from 0 to 16: look at what scikit-learn changed.")
    return {"images": pixels.reshape(-1, 8, 8).astype(np.uint8), "labels": classes.astype(np.uint8)}


def main(target: Path) -> None:
    content = npz_bytes(**digits())
    target.write_bytes(content)
    print(f"{target}: {len(content)} bytes\nSHA256 = \"{hashlib.sha256(content).hexdigest()}\"")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
