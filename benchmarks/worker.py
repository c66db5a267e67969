"""A child of the benchmark: one contestant, one workload. It warms up, then trains as many epochs as each line asks for.

    python worker.py MODULE WORKLOAD        (the module floor has no workload: any word does)

Requests and answers are lines of JSON on stdin and stdout. The first answer comes unasked, after the warm-up.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from workloads import WORKLOADS


def main(module: str, name: str) -> None:
    answers = private_stdout()
    contestant, workload = importlib.import_module(f"contestants.{module}"), WORKLOADS.get(name)
    began = time.perf_counter()
    train = contestant.make(workload)
    train(1)
    first = time.perf_counter() - began
    train(1)
    steps = workload.steps if workload else 1
    answers({"first": first, "versions": {"python": platform.python_version(), **contestant.versions()}})
    for line in sys.stdin:
        answers(answer(json.loads(line), train, steps))


def answer(request: dict, train: Callable[[int], None], steps: int) -> dict:
    """{"epochs": n} trains; {"peak": true} asks for the peak of the resident memory."""
    if "peak" in request:
        return {"peak_mib": peak_mib()}
    began = time.perf_counter()
    train(request["epochs"])
    return {"seconds": time.perf_counter() - began, "steps": request["epochs"] * steps}


def private_stdout() -> Callable[[dict], None]:
    """What writes an answer; whatever else is printed from now on goes to stderr."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def write(answer: dict) -> None:
        print(json.dumps(answer), file=channel, flush=True)

    return write


def peak_mib() -> float:
    """The largest resident size of this process so far. getrusage alone would count the parent before the exec, too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
