"""Single flipped bits: a file that has one is refused, or gives exactly what was saved."""

import random
import time
from pathlib import Path

from .attack import FILES
from .fuzzing import put
from .lab import Report, opened as lab_opened
from .zoo_checkpoints import ARRAYS, MANIFEST, only

# The loaders for each kind, the cheap ones first: what one refuses, the next would refuse as well.
READ = {"checkpoint": ("resume",), "keras": ("load_weights", "load_model"), "weights": ("load_weights",),
        "whole": ("load_weights", "load_model"), "legacy": ("load_weights",), "tensors": ("load_weights",)}


def flips(count, first=0, kinds=tuple(READ), said=None, lab=None):
    """Flips `count` bits in a file of every kind, one at a time, and loads it each time. said: is told how far it is."""
    report = Report()
    with lab_opened(lab) as here:
        began = time.monotonic()
        for kind in kinds:
            with here.warm_cell([kind]) as cell:
                told = cell.ask("flips.opened", seconds=3600, kind=kind, first=first, count=count, good=str(here.good),
                                place=str(here.world.root / "files" / FILES[kind]))
            report.cases += count
            report.failures += [f"{kind} {failure}" for failure in told["failures"]]
            report.figures |= {f"{kind} {outcome}": number for outcome, number in told["outcomes"].items()}
            if said:
                said(f"{kind}: {told['outcomes']}" + "".join(f"\n    FAILED: {each}" for each in told["failures"]))
        report.figures["a second"] = report.cases / (time.monotonic() - began)
    return report


def opened(kind, first, count, good, place):
    """In a cell: flips bits and loads."""
    from . import readers

    good, place = Path(good) / FILES[kind], Path(place)
    found = {"failures": [], "outcomes": {"refused": 0, "the same": 0}}
    for bit in bits(kind, good, first, count):
        put(place, flipped(good, bit))
        outcome = "refused"
        for loader in READ[kind]:
            told = readers.opened(kind, loader, str(place))
            if told["outcome"] == "refused":
                outcome = "refused"
                break
            outcome = "the same" if told["same"] else "another"
            if told["outcome"] != "loaded" or not told["same"]:
                found["failures"].append(f"bit {bit}, {loader}: {told['outcome']}, not the same: {told['said']}")
                break
        found["outcomes"][outcome] = found["outcomes"].get(outcome, 0) + 1
    return found


def bits(kind, good, first, count):
    """The places of bits, the same for the same numbers."""
    content = _contents(good)
    return random.Random(f"{kind} {first}").choices(range(8 * sum(map(len, content.values()))), k=count)


def flipped(good, bit):
    """The file, or the files of the checkpoint, with one bit turned round."""
    contents = _contents(good)
    for name, content in contents.items():
        if bit < 8 * len(content):
            turned = bytearray(content)
            turned[bit // 8] ^= 1 << bit % 8
            contents[name] = bytes(turned)
            break
        bit -= 8 * len(content)
    return contents if good.is_dir() else contents[good.name]


def _contents(good):
    """{name: content} of a file, or of those of a checkpoint."""
    held, names = (only(good), (MANIFEST, ARRAYS)) if good.is_dir() else (good.parent, (good.name,))
    return {name: (held / name).read_bytes() for name in names}
