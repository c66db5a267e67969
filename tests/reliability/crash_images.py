"""Every crash of every writer: what it leaves is the old state or the new one, and the next save finds nothing in its way."""

from __future__ import annotations

from collections.abc import Sequence

from .disk import Disk
from .outcome import Outcome, spread, total
from .volume import Image, Tree, Volume, images, put
from .writers import WRITERS, Writer, before, scratch

SOME = 4                                    # images of each writer, where not all are looked at


def crash_images(full: bool = True) -> Outcome:
    """Looks at the images of all writers and of all that may have been there before; unless full, at some."""
    return total([looked_at(WRITERS[writer], prior, full) for writer, prior in CASES])


CASES = [(name, prior) for name, writer in WRITERS.items() for prior in before(writer)]


def looked_at(writer: Writer, prior: str, full: bool) -> Outcome:
    """Looks at the images of one writer over one state of the folder."""
    there = before(writer)[prior](writer)
    old, made = None if prior == "nothing" else 1, made_by(writer, there)
    chosen = made if full else spread(made, SOME)
    faults = [(image.crash, fault_of(writer, old, image)) for image in chosen]
    return Outcome(len(chosen), tuple(f"{writer.name} over {prior}, {crash}: {fault}" for crash, fault in faults if fault))


def made_by(writer: Writer, there: Tree) -> Sequence[Image]:
    """All images of a save of state 2. The record has to account for all that the save has changed."""
    with scratch() as root:
        put(there, root)
        with Disk(root) as disk:
            writer.save(root, 2)
        assert disk.now.tree() == Volume.of(root).tree(), f"{writer.name} writes past the record"
    return list(images(disk.before, disk.requests))


def fault_of(writer: Writer, old: int | None, image: Image) -> str:
    """What is wrong with an image, if anything is."""
    with scratch() as root:
        put(image.tree, root)
        try:
            found = writer.read(root)
            if found != 2 and (image.returned or found != old):
                return f"reads as {found}, not as {'2' if image.returned else f'{old} or 2'}"
            writer.save(root, 3)
            if writer.read(root) != 3:
                return "the next save is not read"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        left = writer.leftovers(root)
    return f"the next save leaves {', '.join(left)}" if left else ""
