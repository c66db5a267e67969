"""What an attack is: a file that means harm, built from a good one, and what a reader has to say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# The kinds of files that are read, what a good one is called, and the loaders that a user has for it (see loaders.py).
FILES = {"keras": "m.keras", "weights": "w.weights.h5", "whole": "m.h5", "legacy": "w.h5", "tensors": "w.safetensors",
         "checkpoint": "run", "history": "run.json"}
LOADERS = {"keras": ("load_model", "load_weights", "inspect"), "weights": ("load_weights", "inspect"),
           "whole": ("load_model", "load_weights", "inspect"), "legacy": ("load_weights", "load_by_name", "inspect"),
           "tensors": ("load_weights", "inspect"), "checkpoint": ("resume", "inspect"), "history": ("load_history",)}


class Trap(NamedTuple):
    """A folder under watch, where nothing may be opened or made, and an address that nothing may call."""

    folder: Path
    url: str = "http://127.0.0.1:9/x"

    @property
    def made(self) -> Path:
        """A file that an attack would make."""
        return self.folder / "made"

    @property
    def secret(self) -> Path:
        """A file that an attack would read."""
        return self.folder / "secret.h5"


Make = Callable[[Path, Path, Trap], None]


@dataclass(frozen=True)
class Attack:
    """name: the row of the table in zoo.py, and what the file does. told: what the refusal says.

    make(place, good, trap): writes the file from the good one of its kind. twin: the same without the harm, which loads.
    by: the loaders that have to refuse it; others read less of the file, and may load what is good of it.
    """

    name: str
    kind: str
    told: str
    make: Make
    twin: Make
    by: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.name} [{self.kind}]"


def bytes_of(build: Callable[[Path, Trap], bytes]) -> Make:
    """A maker out of what gives the whole content of a file."""
    def make(place: Path, good: Path, trap: Trap) -> None:
        place.write_bytes(build(good, trap))

    return make


copied = bytes_of(lambda good, trap: good.read_bytes())
