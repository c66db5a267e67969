"""One workload: all contestants live at the same time and train in turns, so that one at a time is at work.

In every round each trains the same number of epochs, and the order moves on by one from round to round. What else the
machine does then disturbs all of them alike, and the ratios within a round hardly at all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from child import Child, Fallen
from peers import FLOOR, HERE, PEERS, Peer, python_of, variables
from workloads import Workload

WARM_UP, ROUND = 900, 600       # seconds until a contestant counts as hung
PRODUCTS, ASKED = 5, 3          # the floor: products per answer, answers per round (their median counts)

Say = Callable[[str], None]


def race(workload: Workload, names: Iterable[str], rounds: int, say: Say) -> tuple[dict, dict[str, str]]:
    """({contestant: what was measured}, {contestant: why it is missing}); "floor" is one of the contestants."""
    racing, found, fallen = {}, {}, {}

    def trying(name, action):
        try:
            return action()
        except (Fallen, OSError) as error:
            fallen[name] = str(error) if isinstance(error, Fallen) else missing(PEERS.get(name, FLOOR))
            say(f"{workload.name}: {name} is out: {fallen[name]}")
            found.pop(name, None)
            if name in racing:
                racing.pop(name).close()

    try:
        for name in (*names, "floor"):
            say(f"{workload.name}: {name} warms up")
            trying(name, lambda name=name: start(name, workload, racing, found))
        for number in range(rounds):
            for name in rotated(list(racing), number):
                say(f"{workload.name}: round {number + 1} of {rounds}: {name}")
                trying(name, lambda name=name: found[name]["rounds"].append(one_round(name, racing[name], workload)))
        for name in list(racing):
            trying(name, lambda name=name: found[name].update(racing[name].ask({"peak": True}, ROUND)))
    finally:
        for child in racing.values():
            child.close()
    return found, fallen


def start(name: str, workload: Workload, racing: dict, found: dict) -> None:
    """Starts a contestant and waits until it is warm."""
    peer, trained = (FLOOR, name) if name == "floor" else (PEERS[name], workload.name)
    command = [str(python_of(peer.environment)), str(HERE / "worker.py"), peer.module, trained]
    racing[name] = Child(command, variables(peer))
    found[name] = {**racing[name].answer(WARM_UP), "rounds": []}


def one_round(name: str, child: Child, workload: Workload) -> dict:
    """{"seconds", "steps"} of one round."""
    if name != "floor":
        return child.ask({"epochs": workload.epochs}, ROUND)
    answers = [child.ask({"epochs": PRODUCTS}, ROUND) for _ in range(ASKED)]
    return sorted(answers, key=lambda answer: answer["seconds"])[ASKED // 2]


def rotated(names: list[str], number: int) -> list[str]:
    """The order of a round."""
    cut = number % len(names) if names else 0
    return names[cut:] + names[:cut]


def missing(peer: Peer) -> str:
    return f"the environment {peer.environment!r} is missing; make it with: python benchmarks/environments.py"


def to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
