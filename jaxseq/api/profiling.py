"""A trace of a run: what the device did when, under the names of the layers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from jaxseq.core.require import require


def folder_of(profile: Any) -> str | None:
    """The folder that fit(profile=...) names; None: nothing is traced."""
    if profile is None:
        return None
    require(isinstance(profile, str | os.PathLike), f"profile={profile!r}: write the name of a folder, "
            "profile='trace'.", TypeError)
    folder = Path(profile)
    there = next(each for each in (folder, *folder.parents) if each.exists())
    require(there.is_dir(), f"profile={os.fspath(profile)!r}: {there} is no folder. Write another name.", NotADirectoryError)
    return os.fspath(profile)


@contextmanager
def profiled(folder: str | None) -> Iterator[None]:
    """What is within is traced into plugins/profile of the folder, with nothing of Python's, which would take most of the time.

    Raises: RuntimeError where something is traced already.
    """
    if folder is None:
        yield
        return
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with jax.profiler.trace(folder, profiler_options=options):
        yield
