"""The programs of many models of one kind: those of `run.py`, with what tells the models apart among their arguments.

    train(settings, ts, sums, data, rows, start, stop) -> (ts, sums)     rows, sums: of several epochs
    evaluate(settings, params, state, sums, data, rows, start, stop) -> (state, sums)
    predict(settings, params, state, x) -> (y_hat, state)

A small model's epoch is over before Python can begin the next one, so rows and sums are those of several: sums have an axis of
the epochs in front, and each epoch has as many of the rows' steps.

`alone` makes a program of one model, which several threads may drive, each with another one: a small model keeps one core of a
processor busy and no more. `together` makes one of all models side by side, for a device that has room for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseq.core import run
from jaxseq.core.settings import Given

Settings = dict[Any, tuple[Any, Any]]       # {which: the number in two parts}, see `settings.in_two_parts`
TaskOf = Callable[[dict[Any, Given]], run.Task]


class Steps(NamedTuple):
    """What models of one kind do. See the head of this file."""

    train: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]


Trial = tuple[str, tuple[Any, ...]]         # which of the steps, and its arguments but for the settings, as specs


def _steps(task_of: TaskOf) -> Steps:
    """The functions, not compiled. task_of: ({setting: number}) -> what is trained with these."""

    def task(settings: Settings) -> run.Task:
        return task_of({which: Given(*parts) for which, parts in settings.items()})

    def train(settings, ts, sums, data, rows, start, stop):
        of_one, steps = run.training(task(settings)), len(rows) // len(sums["loss"][0])

        def epoch(number, carry):
            (ts, sums), first = carry, number * steps
            own = jax.tree.map(lambda each: each[number], sums)
            ts, own = of_one(ts, own, data, rows, jnp.maximum(start, first), jnp.minimum(stop, first + steps))
            return ts, jax.tree.map(lambda each, new: each.at[number].set(new), sums, own)

        return lax.fori_loop(start // steps, -(-stop // steps), epoch, (ts, sums))

    def evaluate(settings, params, state, sums, data, rows, start, stop):
        return run.evaluation(task(settings))(params, state, sums, data, rows, start, stop)

    def predict(settings, params, state, x):
        wanted = task(settings)
        return run.prediction(wanted.layers, wanted.input_dtype)(params, state, x)

    return Steps(train, evaluate, predict)


def of_epochs(zero: run.Sums, epochs: int) -> run.Sums:
    """The totals before the first example of each of so many epochs."""
    return jax.tree.map(lambda each: jax.device_put(np.broadcast_to(each, (epochs, *each.shape))), zero)


def alone(task_of: TaskOf) -> Steps:
    """Compiled programs of one model."""
    return Steps(*map(run.compiled, _steps(task_of)))


def in_a_crowd(task_of: TaskOf) -> Steps:
    """Those of one model, beside which others keep all cores busy."""
    return Steps(*map(run.compiled_for_one_core, _steps(task_of)))


def together(task_of: TaskOf) -> Steps:
    """Compiled programs of several models side by side: all arguments but the data, and the rows of an evaluation, have an axis
    of the models in front."""
    train, evaluate, predict = _steps(task_of)
    return Steps(run.compiled(jax.vmap(train, in_axes=(0, 0, 0, None, 0, None, None))),
                 run.compiled(jax.vmap(evaluate, in_axes=(0, 0, 0, 0, None, None, None, None))),
                 run.compiled(jax.vmap(predict, in_axes=(0, 0, 0, None))))


def joiner() -> Callable[[Sequence[Any]], Any]:
    """([tree of each model]) -> one tree with an axis of the models in front, by one compiled program."""
    def join(trees):
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

    return run.compiled(join)


def splitter(count: int) -> Callable[[Any], list[Any]]:
    """The way back."""
    def split(tree):
        of = lambda place: jax.tree.map(lambda leaf: leaf[place], tree)
        return list(map(of, range(count)))

    return run.compiled(split)


def begin_optimizer(task_of: TaskOf) -> Callable[[Settings, Any], Any]:
    """(settings, what is trained) -> the optimizer's state before the first step: one compiled program for all models."""
    def begin(settings, trained):
        return task_of({which: Given(*parts) for which, parts in settings.items()}).optimizer.init(trained)

    return run.compiled(begin)


def takes(task_of: TaskOf, settings: Settings, trial: Trial) -> bool:
    """Whether these settings can be arguments of a program: they say with what numbers something is computed, and not what.

    Nothing is compiled.
    """
    which, arguments = trial
    try:
        jax.eval_shape(getattr(_steps(task_of), which), settings, *arguments)
    except (TypeError, ValueError):         # a `Given` was asked what it is; what else is wrong every program will say
        return False
    return True
