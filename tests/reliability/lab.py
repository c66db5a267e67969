"""Where files are opened: folders under watch, good files of every kind, and a process that forks cells."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .attack import LOADERS
from .cells import Cell, Nursery
from .traps import World

MODULES = "jaxseq.models", "jaxseq.callbacks", "jaxseq.__main__", "optax", "h5py", "safetensors.numpy", "rich.table"


@dataclass
class Report:
    """cases: files times loaders. failures: a line for each. figures: what was measured."""

    cases: int = 0
    failures: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def at_most(self, name: str, value: float) -> None:
        """Notes the largest."""
        self.figures[name] = max(value, self.figures.get(name, 0.0))


@dataclass
class Lab:
    world: World
    nursery: Nursery

    @property
    def good(self) -> Path:
        """The folder of the good files."""
        return self.world.root / "good"

    @contextmanager
    def warm_cell(self, kinds=tuple(LOADERS)) -> Iterator[Cell]:
        """A cell that is ready to open files of some kinds, under watch."""
        with self.nursery.cell() as cell:
            cell.ask("readers.enter", folder=str(self.world.work))
            cell.ask("readers.warm", folder=str(self.good), kinds=kinds)
            self.world.settle()
            yield cell


@contextmanager
def opened(lab: Lab | None = None) -> Iterator[Lab]:
    """The lab, or a new one."""
    if lab is not None:
        yield lab
        return
    with tempfile.TemporaryDirectory() as root, World(root) as world, \
            Nursery(*MODULES, environment=world.environment) as nursery:
        with nursery.cell() as cell:
            cell.ask("readers.make", folder=str(world.root / "good"))
        yield Lab(world, nursery)
