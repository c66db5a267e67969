"""The files that Keras publishes: their addresses."""

from __future__ import annotations

from jaxseq.api.datasets.fetch import Published

KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def published(name: str, checksum: str, folder: str = "") -> Published:
    """A file of Keras 3, at its address, and at that of Keras 2 in the bucket `folder` if it was there."""
    second = (f"https://s3.amazonaws.com/{folder}/{name}",) if folder else ()
    return Published(name, (checksum,), (KERAS + name, *second))
