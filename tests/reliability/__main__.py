"""How far files and long runs can be trusted, counted: a line for each goal, and status 1 unless all are reached.

    cd tests; python -m reliability [--share 0.01]

Everything is drawn by seed: the same version finds the same. With all of it, two cores take about half an hour.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from .crash_images import crash_images
from .disk_faults import disk_faults
from .flips import READ, flips
from .fuzzing import fuzz
from .harness import MEGABYTES, SECONDS, hostile
from .kills import kills

KILLS, IMAGES, FAULTS, ATTACKS, MUTANTS, FLIPS = 120, 1500, 300, 120, 10_000, 5000


class Line(NamedTuple):
    """One goal. least: so many cases are wanted. measured: what was found, in words. failures: none is wanted."""

    goal: str
    least: int
    cases: int
    measured: str
    failures: list[str]


def measurements(share: float) -> list[Callable[[], Line]]:
    """One for each goal, in order; of `share` of all cases."""
    whole = share >= 1
    some = lambda count: max(1, round(share * count))

    def killed():
        found = kills(some(20))
        return Line("G1", some(KILLS), found.count, "kills, each run ending with the bits of the one that was not killed",
                    [*found.failures])

    def crashed():
        found = crash_images(whole)
        return Line("G2", some(IMAGES), found.count, "crashes in saves: the old file or the new one, whole", [*found.failures])

    def faulty():
        found = disk_faults(whole)
        return Line("G3", some(FAULTS), found.count, "faults of the disk: file and model as they were", [*found.failures])

    def harmful():
        found = hostile()
        cost = f"{found.figures['megabytes']:.0f} of {MEGABYTES} MiB, {found.figures['seconds']:.2f} of {SECONDS} s at most"
        return Line("G5", ATTACKS, int(found.figures["attacks"]), f"attacks refused, none did anything; {cost}", found.failures)

    def mutated():
        found = fuzz(some(MUTANTS))
        outcomes = ", ".join(f"{found.figures.get(name, 0):,.0f} {name}" for name in ("refused", "loaded"))
        return Line("G6", some(MUTANTS) - 5, found.cases, f"mutants: {outcomes}, nothing else", found.failures)

    def flipped():
        found = flips(some(FLIPS))
        return Line("G7", some(FLIPS) * len(READ), found.cases, f"flipped bits in {len(READ)} kinds of files, none unnoticed",
                    found.failures)

    return [killed, crashed, faulty, harmful, mutated, flipped]


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--share", type=float, default=1.0, help="of all cases, from 0 to 1")
    missed = 0
    for measure in measurements(words.parse_args().share):
        began = time.monotonic()
        line = measure()
        reached = line.cases >= line.least and not line.failures
        missed += not reached
        print(f"{line.goal}  {'reached' if reached else 'MISSED '}  {line.cases:>6,} (at least {line.least:,}) "
              f"{line.measured}; {len(line.failures)} failures; {time.monotonic() - began:.0f} s", flush=True)
        for failure in line.failures[:20]:
            print(f"      {failure}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
