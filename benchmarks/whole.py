"""Whole scripts: the guide's perceptron from the first import to evaluated, one process after the other, in turns.

Each round is two runs of every script, one right after the other: the first with an empty folder of compiled programs,
the second with what the first has left there. Only jaxseq keeps such a folder by default.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterable

from child import Fallen, last_line
from peers import HERE, PEERS, python_of, variables
from turns import Say, missing, rotated

PATIENCE = 600      # seconds


def run_scripts(names: Iterable[str], rounds: int, say: Say) -> tuple[dict[str, list], dict[str, str]]:
    """({contestant: [[first, second], ...] in seconds}, {contestant: why it is missing})"""
    found = {name: [] for name in names if PEERS[name].script}
    fallen = {}
    for number in range(-1, rounds):            # round -1 fills the disk's cache and compiles Python's files
        for name in rotated(list(found), max(number, 0)):
            say(f"scripts: round {number + 1} of {rounds}: {name}")
            try:
                seconds = pair(name)
            except Fallen as error:
                fallen[name] = str(error)
                say(f"scripts: {name} is out: {error}")
                del found[name]
            else:
                found[name] += [seconds] if number >= 0 else []
    return found, fallen


def pair(name: str) -> list[float]:
    """The seconds of a first run and of a second one."""
    with tempfile.TemporaryDirectory() as cache:
        return [run(name, cache), run(name, cache)]


def run(name: str, cache: str) -> float:
    peer = PEERS[name]
    command = [str(python_of(peer.environment)), str(HERE / "scripts" / f"{peer.script}.py")]
    began = time.perf_counter()
    try:
        subprocess.run(command, env=variables(peer, cache), capture_output=True, text=True, check=True, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        raise Fallen(last_line(error.stderr)) from None
    except subprocess.TimeoutExpired:
        raise Fallen(f"not ready within {PATIENCE} s") from None
    except OSError:
        raise Fallen(missing(peer)) from None
    return time.perf_counter() - began
