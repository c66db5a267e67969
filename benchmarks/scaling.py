"""How jaxseq's cost grows with the data: with the rows, with the length of a sequence, with what is too much for the device
as a whole, and with a file larger than memory. Asked by questions.py.

The sizes of a question are trained in turns.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
from child import last_line
from ratios import median, ratio
from turns import rotated
from workloads import WORKLOADS, data

ROWS = (1_000, 10_000, 100_000, 1_000_000)      # a round trains on the last number of rows, whatever the size
LENGTHS = (32, 128, 512, 2048)
TIME_STEPS = 16 * 2048                          # of every sequence of a batch together, in a round
SLABS = {"guide-mlp": 1_000_000, "mlp": 60_000}  # rows, more than a CPU is given as a whole
MEBIBYTES = (256, 512, 1024)
WIDTH = 1024                                    # numbers in a row of the file


def rows(rounds: int) -> list[dict]:
    """Microseconds per sample of the guide's perceptron, batches of 128, for columns of more and more rows."""
    from dataclasses import replace

    from contestants.jaxseq import make

    trainers = {size: make(replace(WORKLOADS["guide-mlp"], rows=size)) for size in ROWS}
    seconds = in_turns({size: lambda size=size: trainers[size](ROWS[-1] // size) for size in ROWS}, rounds)
    return [{"size": size, "us": 1e6 * median(times) / ROWS[-1]} for size, times in seconds.items()]


def lengths(rounds: int) -> list[dict]:
    """Nanoseconds per sample and time step of LSTM(32) on x (rows, T, 8), batches of 32, for longer and longer T."""
    trainers = {size: lstm_trainer(size) for size in LENGTHS}
    seconds = in_turns(trainers, rounds)
    return [{"size": size, "ns": 1e9 * median(times) / (32 * TIME_STEPS)} for size, times in seconds.items()]


def lstm_trainer(length: int):
    """Trains on TIME_STEPS / length batches."""
    from jaxseq.layers import LSTM, Dense
    from jaxseq.models import Sequential

    rng = np.random.default_rng(0)
    x = rng.standard_normal((32 * TIME_STEPS // length, length, 8), np.float32)
    y = rng.standard_normal((len(x), 1), np.float32)
    model = Sequential([LSTM(32, input_shape=(length, 8)), Dense(1)], seed=0)
    model.compile("rmsprop", "mse")
    return lambda: model.fit(x, y, batch_size=32, verbose=0)


def slabs(rounds: int) -> list[dict]:
    """Microseconds per sample where all data lie on the device, and where the same data come from the host in slabs."""
    from dataclasses import replace

    import jax.numpy as jnp
    from ensembles import built

    found = []
    for name, rows in SLABS.items():
        workload = replace(WORKLOADS[name], rows=rows)
        host = data(workload)
        columns = {"device": tuple(map(jnp.asarray, host)), "slabs": host}
        seconds = in_turns({place: partial(built(workload, seed=0).fit, *each, batch_size=workload.batch, verbose=0)
                            for place, each in columns.items()}, rounds)
        found.append({"size": name, "ratios": ratio(seconds["slabs"], seconds["device"]),
                      **{place: 1e6 * median(times) / rows for place, times in seconds.items()}})
    return found


def in_turns(trainers: dict, rounds: int) -> dict:
    """The seconds of every call, by the trainer's name. The first call of each, which compiles, does not count."""
    seconds = {size: [] for size in trainers}
    for train in trainers.values():
        train()
    for size in itertools.chain.from_iterable(rotated(list(trainers), number) for number in range(rounds)):
        began = time.perf_counter()
        trainers[size]()
        seconds[size].append(time.perf_counter() - began)
    return seconds


def streaming(rounds: int) -> list[dict]:
    """Peak memory of training from a memory-mapped file, each size in a process of its own."""
    found = []
    for size in MEBIBYTES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.float32"
            write(path, size)
            command = [sys.executable, __file__, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(last_line(done.stderr))
            found.append({"size": size, **json.loads(done.stdout.splitlines()[-1])})
    return found


def write(path: Path, mebibytes: int) -> None:
    """Random numbers, a mebibyte at a time."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(rng.random(2**18, np.float32).tobytes())


def stream(path: Path) -> dict:
    """{"before_mib", "peak_mib", "seconds"} of one epoch over the file. Its own pages are not counted: they may go any time."""
    from jaxseq.layers import Dense
    from jaxseq.models import Sequential

    x = np.memmap(path, np.float32, "r").reshape(-1, WIDTH)
    y = np.zeros((len(x), 1), np.float32)
    model = Sequential([Dense(64, activation="relu", input_shape=(WIDTH,)), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    model.fit(np.array(x[:512]), y[:512], batch_size=256, verbose=0)
    before, began = anonymous_mib(), time.perf_counter()
    with Watch() as watch:
        model.fit(x, y, batch_size=256, verbose=0)
    return {"before_mib": before, "peak_mib": watch.peak, "seconds": time.perf_counter() - began}


class Watch:
    """Looks at this process's memory every few milliseconds, from a thread."""

    def __enter__(self):
        self.peak, self.over = anonymous_mib(), threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.005):
            self.peak = max(self.peak, anonymous_mib())

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def anonymous_mib() -> float:
    """Resident memory that is no file's."""
    if not os.path.exists("/proc/self/status"):
        raise SystemExit("Only Linux says how much of a process's memory is no file's.")
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(stream(Path(sys.argv[1]))))
