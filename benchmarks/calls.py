"""What does a call of `predict` cost beyond its program, and what does a model leave behind when it is gone?"""

from __future__ import annotations

import gc
import time

import numpy as np
from ratios import median, ratio
from scaling import anonymous_mib, in_turns

CALLS = 200                         # of one row, in a turn
MODELS = (20, 60, 200)              # built, compiled, fitted, asked and forgotten, one after the other


def one_row(rounds: int) -> list[dict]:
    """Microseconds of `predict` for one row, and of the bare compiled program, a NumPy array in and out."""
    found = []
    for name, model, shape in reading():
        x, bare = np.zeros((1, *shape), np.float32), program_of(model)
        ways = {"bare": bare, "predict": lambda x, model=model: model.predict(x, verbose=0)}
        np.testing.assert_allclose(ways["bare"](x), ways["predict"](x), rtol=1e-5)
        seconds = in_turns({way: lambda call=call, x=x: [call(x) for _ in range(CALLS)] for way, call in ways.items()}, rounds)
        found.append({"size": name, "ratios": ratio(seconds["predict"], seconds["bare"]),
                      **{way: 1e6 * median(times) / CALLS for way, times in seconds.items()}})
    return found


def reading():
    """(name, model, the shape of a row): the guide's perceptron, and an LSTM that reads 40 characters to guess the next."""
    from jaxseq.layers import LSTM, Dense
    from jaxseq.models import Sequential

    guide = [Dense(64, activation="relu", input_shape=(20,)), Dense(64, activation="relu"), Dense(10, activation="softmax")]
    yield "guide-mlp", Sequential(guide, seed=0), (20,)
    yield "40 characters", Sequential([LSTM(128, input_shape=(40, 57)), Dense(57, activation="softmax")], seed=0), (40, 57)


def program_of(model):
    """x -> y as arrays of NumPy, by the model's pure function, compiled as predict's is, and nothing else."""
    from jaxseq.core import run

    params, state = model.params, model.state
    program = run.compiled(lambda params, state, x: model.functional().apply(params, state, x)[0])
    return lambda x: np.asarray(program(params, state, x))


def models(rounds: int) -> list[dict]:
    """Memory of the process that is no file's, after so many models of one kind."""
    from jaxseq.layers import Dense
    from jaxseq.models import Sequential

    x, y, found, began = np.zeros((64, 20), np.float32), np.zeros((64, 1), np.float32), [], time.perf_counter()
    for number in range(1, max(MODELS) + 1):
        model = Sequential([Dense(64, activation="relu", input_shape=(20,)), Dense(1)], seed=number)
        model.compile("rmsprop", "mse")
        model.fit(x, y, verbose=0)
        model.predict(x, verbose=0)
        del model
        if number in MODELS:
            gc.collect()
            found.append({"size": number, "mib": anonymous_mib(), "seconds": time.perf_counter() - began})
    return found
