"""Where do the seconds of the guide's script go, from the first import to evaluated?

    python benchmarks/startup.py [--rounds 5]

Each round is a first run, with an empty folder of compiled programs, and a second one. Tracing, lowering and compiling are what
JAX reports of them; to compile is to load, where a program is found in the folder.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from peers import HERE, OURS, PEERS, variables

RUNS = "first", "second"
STAGES = {"trace": "/jax/core/compile/jaxpr_trace_duration", "lower": "/jax/core/compile/jaxpr_to_mlir_module_duration",
          "compile or load": "/jax/core/compile/backend_compile_duration"}


def start(rounds: int) -> list[dict]:
    """[{"size": a part of the script, "first": its seconds, "second": those of a second run}, ...], medians over the rounds."""
    taken = defaultdict(lambda: {run: [] for run in RUNS})
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            for run in RUNS:
                for part, seconds in in_a_process(cache).items():
                    taken[part][run].append(seconds)
    return [{"size": part, **{run: median(each) for run, each in runs.items()}} for part, runs in taken.items()]


def in_a_process(cache: str) -> dict[str, float]:
    """{part: seconds} of one run, and the whole."""
    began = time.time()
    done = subprocess.run([sys.executable, __file__, "--child", str(began)], env=variables(PEERS[OURS], cache),
                          capture_output=True, text=True, check=True)
    whole = time.time() - began
    parts = json.loads(done.stdout.splitlines()[-1])
    return {**parts, "Python ends": whole - sum(parts.values()), "the whole script": whole}


def child(began: float) -> dict[str, float]:
    """The parts of this process's life until the script is done."""
    times = [began, time.time()]
    import jax

    times.append(time.time())
    stages: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def note(event: str, seconds: float, **_) -> None:
        stages[event].append((time.time() - seconds, time.time()))

    jax.monitoring.register_event_duration_secs_listener(note)
    import jaxseq.layers
    import jaxseq.models
    import jaxseq.optimizers
    import jaxseq.utils  # noqa: F401

    times.append(time.time())
    exec(compile((HERE / "scripts" / "guide_jaxseq.py").read_text(), "guide_jaxseq.py", "exec"), {})
    times.append(time.time())
    python, imports, ours, script = (after - before for before, after in zip(times, times[1:], strict=False))
    return {"Python starts": python, "import jax": imports, "import jaxseq": ours, **staged(stages, script)}


def staged(spans: dict[str, list[tuple[float, float]]], script: float) -> dict[str, float]:
    """{stage: seconds}, and the rest of the script. What lies in two stages, one within the other, counts for the later one."""
    later, before, parts = [], 0.0, {}
    for stage, event in reversed(STAGES.items()):
        later += spans[event]
        parts[stage], before = covered(later) - before, covered(later)
    return {**dict(reversed(parts.items())), "train, evaluate and all else": script - before}


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of what (begin, end) lie over, each place once."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child)))
        return
    for part in start(given.rounds):
        print(f"{part['size']:30} {part['first']:.2f} s and {part['second']:.2f} s")


if __name__ == "__main__":
    main()
