"""Processes that save one file while another one reads it: `python crowd.py <folder> <writers> <saves> <kills>`.

Each writer fills its model with a number that tells writer and save. The reader saves first and last; between, it loads the
file as often as it can until all writers have ended, and all that it finds has to be of one number. The first writers go
on until it kills them, one now and then. What came of it is printed as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

from jaxseq.layers import Dense
from jaxseq.models import Sequential, load_model

NAME, MOST = "m.keras", 1000                # saves of one writer are fewer


def model() -> Sequential:
    made = Sequential([Dense(40, input_shape=(60,)), Dense(3)])
    made.build()
    return made


def save(made: Sequential, number: int, path: Path) -> None:
    made.set_weights([np.full_like(each, number) for each in made.get_weights()])
    made.save(path)


def write(path: Path, writer: int, saves: int, begin: int) -> int:
    """One writer's life, which waits for the end of a pipe to begin. Returns its exit status."""
    try:
        made = model()
        os.read(begin, 1)
        for number in range(saves):
            save(made, MOST * writer + number, path)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def numbers_in(path: Path, made: Sequential | None = None) -> list[float]:
    """What the weights in the file are, read into a model that is there or as a model."""
    if made is None:
        made = load_model(path)
    else:
        made.load_weights(path)
    return sorted({float(value) for each in made.get_weights() for value in np.unique(each)})


def main(folder: Path, writers: int, saves: int, kills: int) -> None:
    path, statuses, found = folder / NAME, [], []
    alive = []
    begin, hold = os.pipe()
    for writer in range(writers):                           # before this process has computed anything
        alive.append(os.fork())
        if alive[-1] == 0:
            os.close(hold)
            os._exit(write(path, writer, MOST if writer < kills else saves, begin))
    doomed = alive[:kills]
    save(made := model(), MOST * writers, path)
    numbers_in(path)
    os.close(hold)
    while alive:
        found.append(numbers_in(path, made if len(found) % 10 else None))
        if doomed and len(found) % 20 == 0:
            os.kill(doomed.pop(), signal.SIGKILL)
        for child in list(alive):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                alive.remove(child)
                statuses.append(os.waitstatus_to_exitcode(status))
    before = sorted(os.listdir(folder))
    save(made, MOST * writers, path)
    print(json.dumps({"found": found, "statuses": sorted(statuses), "before": before, "after": sorted(os.listdir(folder))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
