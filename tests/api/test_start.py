"""A cold start: how few programs stand between the import and the end of the first fit."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import jaxseq

FIRST_FIT = """
import json
import jax

names = []
jax.monitoring.register_event_duration_secs_listener(lambda event, seconds, fun_name="", **about: (
    names.append(fun_name) if event == "/jax/core/compile/backend_compile_duration" else None))
import numpy as np
from jaxseq.layers import Dense, Dropout
from jaxseq.models import Sequential

middle = [layer for _ in range({pairs}) for layer in (Dense(8, activation="relu"), Dropout(0.5))]
model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dropout(0.5), *middle, Dense(1)], seed=0)
model.compile("adam", "mse", metrics=["mae"])
model.fit(np.ones((64, 4)), np.ones((64, 1)), batch_size=16, epochs=2, verbose=0)
print(json.dumps([len(model.layers), names]))
"""


def child(script: str):
    """What a new process prints that runs the script on the CPU and has no cache of programs."""
    root = str(Path(jaxseq.__file__).parents[1])
    environment = {**os.environ, "JAXSEQ_CACHE": "0", "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


@functools.cache
def first_fit(pairs: int) -> tuple[int, list[str]]:
    """The number of layers of a model with so many more pairs of Dense and Dropout, and the programs of its first fit."""
    return child(FIRST_FIT.replace("{pairs}", str(pairs)))


def test_a_first_fit_compiles_five_programs_at_most_and_the_weights_are_one_of_them():
    layers, names = first_fit(0)
    assert layers == 3
    assert names.count("jit(init)") == 1
    assert names.count("jit(train)") == 1
    assert len(names) <= 5, names


def test_a_longer_model_compiles_no_more_programs():
    layers, names = first_fit(5)
    assert layers >= 12
    assert sorted(names) == sorted(first_fit(0)[1])
