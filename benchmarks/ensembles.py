"""What do many models cost at once? Sixteen members as an Ensemble, in turns with sixteen models that are fitted one by one.

    python benchmarks/ensembles.py [--rounds 9] [--members 16] [--epochs 20] [--forms] [--no-first] [--quiet SECONDS]

Of 1,000 rows: the guide's perceptron in batches of 128, and the three stacked LSTMs in batches of 64. Both ways run in one
process, all programs compiled, and each round changes the order; a round's ratio is seconds of the ensemble / seconds of the
single fits, and what counts is the median. Beside it stands the ratio of the processor's seconds, which other processes disturb
less: two cores cannot do better than half of that. After all rounds every member must have the bits of the model of its seed,
which was fitted as often. Then the time to the first result, from the declaration to the end of the first epoch, compilation
included: fresh processes in turns, without a cache of programs.

--forms: also units of 2, 4, 8 and all members side by side within a thread's program, which an Ensemble takes on other devices.
--quiet: a round is begun, and counts, only where other processes take less than a tenth of a core; given up after so many
seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import jax
from contestants import keras_words
from workloads import RMSPROP, SGD, WORKLOADS, Workload, data

import jaxseq
from jaxseq import layers, optimizers
from jaxseq.api.ensemble import crew, ensemble

CASES = {"perceptron": replace(WORKLOADS["guide-mlp"], rows=1000), "lstm": replace(WORKLOADS["stacked-lstm"], rows=1000)}
SIDE_BY_SIDE = 2, 4, 8
ANSWERS = "members", "models"
OTHERS = 0.1                # of a core, in a quiet round


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=9)
    words.add_argument("--members", type=int, default=16)
    words.add_argument("--epochs", type=int, default=20)
    words.add_argument("--forms", action="store_true")
    words.add_argument("--first", action=argparse.BooleanOptionalAction, default=True)
    words.add_argument("--quiet", type=float)
    words.add_argument("--answer", choices=ANSWERS, help=argparse.SUPPRESS)
    words.add_argument("--case", choices=CASES, action="append")
    how = words.parse_args()
    if how.answer is not None:
        print(first_result(CASES[how.case[0]], how.members, how.answer))
        return
    for name in how.case or CASES:
        for way, (ratios, shares, same) in compared(CASES[name], how).items():
            print(f"{name}, {way} / {how.members} single fits: {told(ratios)}; of the processor's seconds {told(shares)}; "
                  f"{same} of {how.members} end with the same bits", flush=True)
        if how.first:
            print(f"{name}, first epoch from nothing, the ensemble's / {how.members} models': {told(firsts(name, how))}")


def compared(workload: Workload, how: Any) -> dict[str, tuple[list[float], list[float], int]]:
    """{way to train all: (the ratio of every round, that of the processor's seconds, how many members equal their model)}"""
    sizes = {"ensemble": None}
    if how.forms:
        sizes |= {f"{size} side by side": size for size in (*SIDE_BY_SIDE, how.members)}
    members = {way: jaxseq.Ensemble(built(workload, 0), seeds=range(how.members)) for way in sizes}
    ways = {way: trainer(members[way], workload, how, size) for way, size in sizes.items()}
    models, (x, y) = [built(workload, seed) for seed in range(how.members)], data(workload)

    def one_by_one() -> None:
        for model in models:
            model.fit(x, y, batch_size=workload.batch, epochs=how.epochs, verbose=0)

    turns = {"models": one_by_one, **ways}
    for train in turns.values():
        train()                                                     # compiles
    found, began = {way: ([], []) for way in ways}, time.monotonic()
    while len(found["ensemble"][0]) < how.rounds and (how.quiet is None or time.monotonic() < began + how.quiet):
        if how.quiet is not None and seconds(lambda: time.sleep(0.5))[2] > OTHERS:
            continue
        turns = dict(reversed(turns.items()))
        taken = {way: seconds(train) for way, train in turns.items()}
        if how.quiet is None or all(others < OTHERS for _, _, others in taken.values()):
            for way, (ratios, shares) in found.items():
                ratios.append(taken[way][0] / taken["models"][0])
                shares.append(taken[way][1] / taken["models"][1])
    prints = [model.fingerprint() for model in models]
    return {way: (*found[way], sum(members[way][seed].fingerprint() == prints[seed] for seed in range(how.members)))
            for way in ways}


def trainer(together: jaxseq.Ensemble, workload: Workload, how: Any, size: int | None) -> Callable[[], Any]:
    """Trains an ensemble. size: how many members run side by side in one thread's program; None: as it chooses."""
    (x, y), usual = data(workload), ensemble.units_of

    def train() -> None:
        if size is not None:
            ensemble.units_of = lambda kinds: [unit for kind in kinds for unit in crew.side_by_side(kind, size, jax.devices())]
        try:
            together.fit(x, y, batch_size=workload.batch, epochs=how.epochs, verbose=0)
        finally:
            ensemble.units_of = usual

    return train


def built(workload: Workload, seed: int) -> jaxseq.Sequential:
    parts = [keras_words.layer(part, layers, stateful=False) for part in workload.parts]
    model = jaxseq.Sequential([layers.Input(workload.shape), *parts], seed=seed)
    optimizer = optimizers.SGD(**SGD, nesterov=True) if workload.optimizer == "sgd" else optimizers.RMSprop(**RMSPROP)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def seconds(train: Callable[[], Any]) -> tuple[float, float, float]:
    """(the seconds that it took, those of the processor, the cores that other processes had busy meanwhile)"""
    began, own, all_ = time.perf_counter(), time.process_time(), busy()
    train()
    took, used = time.perf_counter() - began, time.process_time() - own
    return took, used, (busy() - all_ - used) / took


def busy() -> float:
    """Seconds that the machine's cores were busy since it started; 0 where the system does not tell."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, *more = map(int, file.readline().split()[1:])
    except OSError:
        return 0.0
    return (user + nice + system + sum(more[:3])) / os.sysconf("SC_CLK_TCK")


def firsts(name: str, how: Any) -> list[float]:
    """The ratio of every round."""
    ratios = []
    for _ in range(max(1, how.rounds // 3)):
        command = [sys.executable, __file__, "--case", name, "--members", str(how.members), "--answer"]
        taken = {answer: float(subprocess.run([*command, answer], check=True, capture_output=True, text=True,
                                              env={**os.environ, "JAXSEQ_CACHE": "0"}).stdout) for answer in ANSWERS}
        ratios.append(taken["members"] / taken["models"])
        print(f"  {name}: {taken['members']:.2f} s and {taken['models']:.2f} s", flush=True)
    return ratios


def first_result(workload: Workload, members: int, answer: str) -> float:
    """Seconds from the declaration to the end of the first epoch of all."""
    (x, y), began = data(workload), time.perf_counter()
    if answer == "members":
        jaxseq.Ensemble(built(workload, 0), seeds=range(members)).fit(x, y, batch_size=workload.batch, verbose=0)
    else:
        for seed in range(members):
            built(workload, seed).fit(x, y, batch_size=workload.batch, verbose=0)
    return time.perf_counter() - began


def told(ratios: list[float]) -> str:
    if not ratios:
        return "no round was quiet"
    return f"{median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} rounds)"


if __name__ == "__main__":
    main()
