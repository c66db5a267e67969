"""Members that run through the same programs, and those programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax

from jaxseq.api.ensemble.sweeping import OPTIMIZER, Place
from jaxseq.api.sequential import Sequential
from jaxseq.core import chain, members, optimizers, rng, run
from jaxseq.core.declared import is_number
from jaxseq.core.settings import Given, in_two_parts, placed

Values = dict[Place, Any]
TrialOf = Callable[[Any], members.Trial]        # (specs of a TrainState) -> what is going to be done with it


class Member(NamedTuple):
    """A model, its number among all, and the values that a sweep has put into it. told: which they are, for errors."""

    number: int
    model: Sequential
    values: Values
    told: str = ""


class Kind:
    """Members whose programs are the same but for numbers, which are given to them.

    given: the places of these numbers; none where the members differ in their seeds alone, or in what stands in their state.
    """

    def __init__(self, all_members: Sequence[Member], given: Sequence[Place]):
        self.members, self.given = list(all_members), tuple(given)
        self.model = self.members[0].model
        self.task_of = _task_of(self.model)
        self._zeros: tuple[int, run.Sums] = (0, {})

    @cached_property
    def zero(self) -> run.Sums:
        """The totals that an epoch begins with. Threads ask for them, so the model is asked once, before these begin."""
        return self.model.programs.zero

    def zeros(self, epochs: int) -> run.Sums:
        """Those of so many epochs; the last ones that were asked for are kept."""
        if self._zeros[0] != epochs:
            self._zeros = epochs, members.of_epochs(self.zero, epochs)
        return self._zeros[1]

    def settings(self, member: Member) -> members.Settings:
        """The numbers of a member, as its programs take them."""
        return {place: in_two_parts(float(member.values[place])) for place in self.given}

    def draw(self) -> None:
        """First weights for members that have none, and their optimizers' states: two compiled programs for all."""
        waiting = [member for member in self.members if not member.model.drawn]
        if not self.model.draws_for_itself():
            for member in waiting:
                member.model.build()
        elif waiting:
            layers, spec = self.model.drawing()
            draw, begin = run.drawer(layers, spec, [name for name, _ in layers]), members.begin_optimizer(self.task_of)
            for member in waiting:
                params, state = draw(rng.root_key(member.model.seed))
                trained, _ = chain.parted(params, self.model.task.frozen)
                member.model.begin_with(params, state, begin(self.settings(member), trained))


def kinds_of(all_members: Sequence[Member], trial: TrialOf) -> list[Kind]:
    """The members, sorted into as few kinds as there can be. trial: what is going to be done with one."""
    found: list[list[Member]] = []
    for member in all_members:
        home = next((each for each in found if _alike(each[0], member)), None)
        found.append([member]) if home is None else home.append(member)
    return [kind for each in found for kind in _fitting(each, trial)]


def _fitting(alike: list[Member], trial: TrialOf) -> list[Kind]:
    """One kind where programs can be given all that differs; else one for each value of what they cannot be given."""
    differing = _differing(alike)
    kind = Kind(alike, differing)
    if not differing or _takes(kind, differing, trial):
        return [kind]
    given = [place for place in differing if _takes(kind, [place], trial)]
    parts: dict[Any, list[Member]] = {}
    for member in alike:
        parts.setdefault(tuple(member.values[place] for place in differing if place not in given), []).append(member)
    return [Kind(part, [place for place in _differing(part) if place in given]) for part in parts.values()]


def _takes(kind: Kind, given: Sequence[Place], trial: TrialOf) -> bool:
    settings = Kind(kind.members, given).settings(kind.members[0])
    return members.takes(kind.task_of, settings, trial(_state_spec(kind.model)))


def _differing(alike: Sequence[Member]) -> list[Place]:
    first = alike[0].values
    return [place for place in first if any(member.values[place] != first[place] for member in alike)]


def _alike(first: Member, other: Member) -> bool:
    """Whether a member is what the first one becomes when the other's numbers are put into it, and its state looks the same."""
    differing = {place: value for place, value in other.values.items() if value != first.values[place]}
    if not all(map(is_number, differing.values())) or not _compiled_alike(first.model, other.model):
        return False
    layers, optimizer = _declarations(first.model, differing)
    if layers != other.model.task.layers or optimizer != other.model.declared_optimizer:
        return False
    begins_alike = not (differing or first.model.drawn or other.model.drawn)
    return begins_alike or _form(first.model) == _form(other.model)


def _compiled_alike(one: Sequential, other: Sequential) -> bool:
    told = lambda model: {**model.compile_arguments, "optimizer": None}
    task, other_task = one.task, other.task
    return (told(one) == told(other) and task.frozen == other_task.frozen and task.input_dtype == other_task.input_dtype
            and one.input_shape == other.input_shape)


def _form(model: Sequential) -> Any:
    """What the TrainState looks like."""
    spec = _state_spec(model)
    return jax.tree.structure(spec), [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(spec)]


def _state_spec(model: Sequential) -> Any:
    return jax.eval_shape(lambda ts: ts, model.train_state) if model.drawn else model.state_spec()


def _declarations(model: Sequential, values: Values) -> tuple[chain.Layers, Any]:
    """(layers, optimizer) of a model with other values at some places, which may be `Given`."""
    layers, optimizer = list(model.task.layers), model.declared_optimizer
    for (number, path), value in values.items():
        if number == OPTIMIZER:
            optimizer = placed(optimizer, path, value)
        else:
            name, layer = layers[number]
            layers[number] = name, placed(layer, path, value)
    return tuple(layers), optimizer


def _task_of(model: Sequential) -> members.TaskOf:
    """({place: number}) -> the model's task with these."""
    task = model.task

    def with_numbers(numbers: dict[Any, Given]) -> run.Task:
        if not numbers:
            return task
        layers, optimizer = _declarations(model, numbers)
        return task._replace(layers=layers, optimizer=optimizers.transformation(optimizer))

    return with_numbers
