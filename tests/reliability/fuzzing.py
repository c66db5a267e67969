"""Mutants of good files, opened in cells: each is loaded, or refused as files are refused, and nothing else ever happens."""

import time
from pathlib import Path

from .attack import FILES, LOADERS
from .cells import Died
from .harness import faults_of, remove
from .lab import Report, opened as lab_opened

HANGS = 5           # seconds for one file
BATCH = 500         # files that one cell opens
SHARES = {"keras": 0.25, "weights": 0.15, "legacy": 0.1, "whole": 0.15, "tensors": 0.15, "checkpoint": 0.15, "history": 0.05}


def fuzz(count, first=0, kinds=tuple(SHARES), said=None, before=lambda cell: None, lab=None):
    """Opens about `count` mutants, from the number `first` on, of every kind according to SHARES.

    said: is told how far it is. before: is called with every new cell. lab: where, if there is one.
    """
    report, total = Report(), sum(SHARES[kind] for kind in kinds)
    with lab_opened(lab) as here:
        began = time.monotonic()
        for kind in kinds:
            start, stop = first, first + max(1, round(count * SHARES[kind] / total))
            while start < stop:
                start = _in_one_cell(here, kind, start, min(stop, start + BATCH), report, said, before)
        report.figures["a second"] = report.cases / (time.monotonic() - began)
    return report


def _in_one_cell(lab, kind, start, stop, report, said, before):
    """Opens the mutants from start to stop. Returns where the next cell goes on: behind one that this cell has died of."""
    mark = lab.world.root / "tmp" / "mark"
    mark.write_text(str(start))
    with lab.warm_cell([kind]) as cell:
        before(cell)
        try:
            told = cell.ask("fuzzing.opened", seconds=HANGS, watched=mark.read_text, kind=kind, start=start, stop=stop,
                            good=str(lab.good), place=str(lab.world.root / "files" / FILES[kind]), mark=str(mark))
        except Died as death:
            stop = int(mark.read_text()) + 1
            told = {"failures": [f"{stop - 1}: {death}"], "megabytes": 0, "seconds": 0, "outcomes": {}}
    report.cases += stop - start
    report.failures += [f"{kind} {failure}" for failure in told["failures"]]
    report.at_most("megabytes", told["megabytes"])
    report.at_most("seconds", told["seconds"])
    for outcome, number in told["outcomes"].items():
        report.figures[outcome] = report.figures.get(outcome, 0) + number
    if said:
        said(f"{kind} {start} to {stop}: {told['outcomes']}" + "".join(f"\n    FAILED: {each}" for each in told["failures"]))
    return stop


def opened(kind, start, stop, good, place, mark):
    """In a cell: opens the mutants one after another, and writes down the number of each before."""
    from . import readers
    from .mutants import mutant

    place, mark, found = Path(place), Path(mark), {"failures": [], "megabytes": 0, "seconds": 0, "outcomes": {}}
    for number in range(start, stop):
        mark.write_text(str(number))
        how, content = mutant(kind, good, number)
        put(place, content)
        loader = LOADERS[kind][number % len(LOADERS[kind])]
        told = readers.opened(kind, loader, str(place))
        for fault in faults_of(told, loader, str(place), HANGS):
            found["failures"].append(f"{number} ({how}, {loader}): {fault}")
        found["megabytes"] = max(found["megabytes"], told["megabytes"])
        found["seconds"] = max(found["seconds"], told["seconds"])
        found["outcomes"][told["outcome"]] = found["outcomes"].get(told["outcome"], 0) + 1
    return found


def put(place, content):
    """Writes a file, or the files of a checkpoint in a folder."""
    if isinstance(content, bytes):
        place.write_bytes(content)
        return
    remove(place)
    held = place / "0000000000-000002-00000000"
    held.mkdir(parents=True)
    for name, each in content.items():
        (held / name).write_bytes(each)
