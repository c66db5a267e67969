"""What to do when the device's memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def advised(advice: str) -> Iterator[None]:
    """An out-of-memory error from within carries `advice` as a note; every error goes on."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            error.add_note(advice)
        raise
