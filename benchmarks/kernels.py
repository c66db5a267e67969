"""What is a training step made of? Read from a trace of `fit`, kernel by kernel.

    python benchmarks/kernels.py [--workloads a,b] [--most 12]

Every moment of a dispatch counts for the kernel that is at work; where several are, for the one that began first. A product
that is shared among threads goes on after its own entry in the trace has ended, so that for a while none is at work: more than
5 us of that are "shared" (or a core was taken away meanwhile), less lies between two kernels. A traced step takes longer than
others, for every kernel is written down: shares are what this is for.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from contestants.jaxseq import make
from workloads import WORKLOADS, Workload

from jaxseq.api.profiling import profiled

TRAIN = "jit_train"                     # the module's name in the trace
PRODUCTS, SHARED, DRAWS, COPIES, OTHERS, BETWEEN = KINDS = "products", "shared", "draws", "copies", "others", "between"
BRANCH = "cond"                         # of these models nothing but dropout's draws stands in one
HOLDERS = "while", "call", BRANCH
NAMES = {"dot": PRODUCTS, "conv_": PRODUCTS, "convolution": PRODUCTS, "custom-call": PRODUCTS, "copy": COPIES}
LONG = 5e-6                             # seconds without a kernel at work


class Kernel(NamedTuple):
    """One that ran, in seconds. kind: one of KINDS."""

    name: str
    kind: str
    start: float
    end: float


def kernels(rounds: int) -> list[dict]:
    """Of every workload: {"size": its name, "kernels": their number in a step, "us": {kind: microseconds}}."""
    found = []
    for name, workload in WORKLOADS.items():
        dispatches = traced(workload)
        spent = together(dispatches, lambda kernel: kernel.kind)
        found.append({"size": name, "kernels": sum(map(len, dispatches)) / workload.steps,
                      "us": {kind: 1e6 * sum(spent[kind]) / workload.steps for kind in KINDS}})
    return found


def traced(workload: Workload) -> list[list[Kernel]]:
    """The kernels of one epoch, dispatch by dispatch, in the order in which they began."""
    train = make(workload)
    train(2)                            # the first epoch compiles
    with tempfile.TemporaryDirectory() as folder:
        with profiled(folder):
            train(1)
        return dispatches_in(next(Path(folder).rglob("*.xplane.pb")))


def dispatches_in(path: Path) -> list[list[Kernel]]:
    from jax.profiler import ProfileData

    dispatches: dict[int, list[Kernel]] = defaultdict(list)
    for plane in ProfileData.from_file(str(path)).planes:
        for line in plane.lines:
            told = ((event, dict(event.stats)) for event in line.events)
            events = [(event.name, event.start_ns, event.duration_ns, stats["run_id"]) for event, stats in told
                      if stats.get("hlo_module") == TRAIN]
            for kernel, run in innermost(events):
                dispatches[run].append(kernel)
    return [sorted(each, key=lambda kernel: kernel.start) for each in dispatches.values()]


def innermost(events: Iterable[tuple[str, float, float, int]]) -> Iterator[tuple[Kernel, int]]:
    """(kernel, run) of (name, beginning and length in nanoseconds, run), of one thread: those that hold no other, and are no
    loop or branch whose kernels ran in another thread."""
    holders: list[tuple[str, float]] = []               # (name, end)
    ordered = sorted(events, key=lambda event: (event[1], -event[2]))
    for (name, start, length, run), after in pairwise([*ordered, None]):
        holders = [holder for holder in holders if holder[1] > start]
        if name.startswith(HOLDERS) or (after is not None and after[1] < start + length):
            holders.append((name, start + length))
        else:
            branched = any(holder.startswith(BRANCH) for holder, _ in holders)
            kind = DRAWS if branched else next((kind for word, kind in NAMES.items() if name.startswith(word)), OTHERS)
            yield Kernel(name, kind, start / 1e9, (start + length) / 1e9), run


def shares(dispatch: list[Kernel]) -> Iterator[tuple[Kernel, float]]:
    """(kernel, the seconds that count for it); between two of them a Kernel without a name."""
    until = dispatch[0].start
    for kernel in dispatch:
        if kernel.start > until:
            yield Kernel("", SHARED if kernel.start - until > LONG else BETWEEN, until, kernel.start), kernel.start - until
        yield kernel, max(0.0, kernel.end - max(kernel.start, until))
        until = max(until, kernel.end)


def together(dispatches: list[list[Kernel]], word: Callable[[Kernel], str]) -> dict[str, list[float]]:
    """{word of a kernel: the seconds that count for each with that word}"""
    found: dict[str, list[float]] = defaultdict(list)
    for dispatch in dispatches:
        for kernel, own in shares(dispatch):
            found[word(kernel)].append(own)
    return found


def show(workload: Workload, most: int) -> None:
    spent = together(traced(workload), lambda kernel: f"{kernel.kind:9} {kernel.name or 'no kernel at work'}")
    seconds = {name: sum(each) / workload.steps for name, each in spent.items()}
    print(f"{workload.name}: a traced step takes {1e6 * sum(seconds.values()):.1f} us")
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:most]:
        print(f"    {name:50} {len(spent[name]) / workload.steps:6.1f} x, together {1e6 * seconds[name]:8.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--most", type=int, default=12, help="kernels to name")
    given = parser.parse_args()
    for name in given.workloads.split(","):
        show(WORKLOADS[name], given.most)


if __name__ == "__main__":
    main()
