"""How much of a training step is the way forward and back through its layers, and nothing else?

    python benchmarks/bare.py [--workloads a,b] [--rounds 9]

In turns with `fit`: the same layers and loss on one batch that never changes, the gradient, and plain gradient descent. No row
is fetched, nothing is measured, no moment is kept, no epoch ends; once with dropout, once without its layers. What is left of
fit's step is the most that could be gained beside the layers. (On a CPU large arrays are copied here, which fit avoids.)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import jax
from contestants import jaxseq as contestant, keras_words
from ratios import Ratio, ratio
from scaling import in_turns
from workloads import WORKLOADS, Workload, data

from jaxseq import layers
from jaxseq.core import rng, run
from jaxseq.core.layers import Dropout
from jaxseq.core.types import Batch
from jaxseq.models import Sequential

RATE = 0.001        # small, so that many steps on one batch do not end in infinities


def shares(workload: Workload, rounds: int) -> dict[str, Ratio]:
    """{"with dropout": ..., "without": ...} of the step that fit makes."""
    model = Sequential(seed=0)
    train = keras_words.trainer(workload, model, layers, contestant.optimizer(workload))
    train(1)
    x, y = (column[:workload.batch] for column in data(workload))
    task, ts, steps = model.programs.task, model.train_state, workload.epochs * workload.steps
    ways = {"with dropout": descent(task), "without": descent(dry(task))}
    calls = {way: lambda way=way: jax.block_until_ready(ways[way](ts, Batch(x, y), steps)) for way in ways}
    seconds = in_turns({"fit": lambda: train(workload.epochs), **calls}, rounds)
    return {way: ratio(seconds[way], seconds["fit"]) for way in ways}


def dry(task: run.Task) -> run.Task:
    """The same without its dropout."""
    return task._replace(layers=tuple((name, layer) for name, layer in task.layers if not isinstance(layer, Dropout)))


def descent(task: run.Task) -> Callable:
    """(TrainState, batch, steps) -> (params, state), compiled as fit's program is."""
    def descend(ts, batch, steps):
        key = rng.fold_in(ts.key, rng.Purpose.STEP)

        def step(number, carry):
            params, state = carry
            of_params = lambda params: run.objective(task, params, state, batch, train=True, key=rng.fold_in(key, number))
            grads, (state, _sums) = jax.grad(of_params, has_aux=True)(params)          # which nobody asks for
            return jax.tree.map(lambda weight, grad: weight - RATE * grad, params, grads), state

        return jax.lax.fori_loop(0, steps, step, (ts.params, ts.state))

    return run.compiled(descend)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for name in given.workloads.split(","):
        told = (f"{way} {share.median:.2f} ({share.low:.2f} to {share.high:.2f})"
                for way, share in shares(WORKLOADS[name], given.rounds).items())
        print(f"{name:14} {', '.join(told)} of fit's step", flush=True)


if __name__ == "__main__":
    main()
