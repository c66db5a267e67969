"""Runs that are killed at random moments, once, twice or three times, and started again: how many end with the same bits?"""

from __future__ import annotations

import random
import signal
import tempfile
from pathlib import Path

from . import survivors
from .outcome import Outcome, total
from .zygote import Child, ended, zygote


def kills(each: int = 20) -> Outcome:
    """So many endings of every run. A third of them is killed while it goes on again, a third twice."""
    with tempfile.TemporaryDirectory() as folder, zygote(Path(folder) / "programs") as child:
        found = [killed(child, Path(folder), run, each) for run in survivors.RUNS]
    return total(found)


def killed(child: Child, folder: Path, run: str, endings: int) -> Outcome:
    """One run. What counts are the kills that hit: a child may have ended before."""
    draw, hits, failures = random.Random(run), 0, []
    wanted = ended(child, run, folder / run, without=True)
    for number in range(endings):
        place = folder / f"{run}-{number}"
        for _ in range(1 + number % 3):
            status = child(run, place, after=draw.uniform(0, 0.25), every=draw.choice([1, 2, 5, "epoch"]), slow=0.03)
            hits += status == -signal.SIGKILL
        if ended(child, run, place) != wanted:
            failures.append(f"{run}, ending {number + 1} of {endings}: other bits than those of the run that was not killed")
    return Outcome(hits, tuple(failures))
