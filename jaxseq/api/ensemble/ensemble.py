"""Ensemble: many models of one declaration, with Keras's words to train, measure and ask them all at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxseq.api import intake
from jaxseq.api.callback_list import CallbackList, has
from jaxseq.api.callbacks import HOOKS, Callback
from jaxseq.api.ensemble import loop, sweeping
from jaxseq.api.ensemble.crew import Crew, units_of
from jaxseq.api.ensemble.files import require_own_files
from jaxseq.api.ensemble.histories import Histories
from jaxseq.api.ensemble.kinds import Member, TrialOf, kinds_of
from jaxseq.api.ensemble.naming import name_of, named
from jaxseq.api.ensemble.results import Results
from jaxseq.api.ensemble.telling import Teller
from jaxseq.api.ensemble.units import Unit
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.monitoring import EarlyStopping
from jaxseq.api.progress import shown
from jaxseq.api.sequential import Sequential
from jaxseq.api.showing.ensembles import counted
from jaxseq.api.sources import source_of
from jaxseq.core.precision import wide_dtype
from jaxseq.core.require import Spelled, one_of, require, spelled
from jaxseq.core.types import Shape, Spec

CALLED = {"on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_run_begin"}   # the hooks of callbacks


class Ensemble(Spelled):
    """Models of the same layers, compiled alike, which differ in their seed and in the settings of a sweep.

    model: a compiled Sequential. It says what the members are like, and stays as it is. What it has learnt is not theirs: they
        draw their own weights. Those of frozen layers, which cannot learn any, they take from the model, with their state, as
        they are now.
    seeds: one for each member, as Sequential takes them; the model's own when absent.
    sweep: {setting: values}. Every combination of values is trained with every seed. A setting is a field of the optimizer,
        "learning_rate", or of a layer behind its name or its class, "dense.kernel_regularizer.l2", "Dropout.rate".
    Member k is the model that its seed, its settings and the frozen weights give alone: the same first weights, draws and order
    of rows. Where the members differ in their seeds or their learning rates alone, it is so to the bit on a CPU, unless a
    single fit shares the sum of a large product among threads; else to rounding.

    len, iteration and ensemble[k] give the members, which are models of their own: they may be trained on, saved and asked.
    Raises: TypeError for a model that is none; ValueError for one that is not compiled, for settings that there are not, and
        for values that they do not take; for a seed or a value that stands there twice; for a model that was compiled to be
        spread over devices. An error that only some members of a sweep have carries a note with their number and settings.
    """

    def __init__(self, model: Sequential, seeds: Iterable[Any] | None = None, *,
                 sweep: Mapping[str, Iterable[Any]] | None = None):
        require(isinstance(model, Sequential), f"Ensemble({model!r}): pass a compiled Sequential.", TypeError)
        require(model.layers, "Ensemble: the model is empty, add a layer first, model.add(Dense(10)).")
        _ = model.task                                     # which a model has once it is compiled with a loss
        require(model.layout is None, "Ensemble: the model was compiled to be spread over devices, and an Ensemble places its "
                "members itself, each whole on one device. Compile it without distribution=..., and where "
                "set_distribution(...) is in force after set_distribution(None).")
        require(not model.run_eagerly, "Ensemble: the model was compiled with run_eagerly=True, and members run in programs "
                "alone. Compile it without.")
        require(seeds is None or isinstance(seeds, Iterable) and not isinstance(seeds, str), f"seeds={seeds!r}: write one for "
                "each member, seeds=range(16).", TypeError)
        choices = sweeping.grid(sweep)
        seeds = [model.seed] if seeds is None else list(seeds)
        require(seeds, "seeds is empty: write one for each member, seeds=range(16).")
        sweeping.require_other_seeds(seeds)
        words = sweeping.all_places(model, sweep or ())
        self.settings, self.seeds, self._members = [], [], []
        for chosen in choices:
            placed = {place: value for word, value in chosen.items() for place in words[word]}
            for seed in seeds:
                name = name_of(len(self._members), seed, chosen)
                with named(name):
                    made = sweeping.made(model, seed, placed)
                self._members.append(Member(len(self._members), made, placed, name))
                self.settings.append(chosen)
                self.seeds.append(seed)
        self.history: Histories | None = None
        self.results: Results | None = None
        self._units: dict[str, tuple[list[Any], list[Unit]]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, place: Any) -> Any:
        """The member of that number, a Sequential; of a slice, a list of them."""
        models = [member.model for member in self._members]
        return models[place]

    def __iter__(self) -> Iterator[Sequential]:
        return (member.model for member in self._members)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_units": {}}                # programs are compiled anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        for model in self:              # whatever set_distribution says of models out of a pickle: members are not spread
            model.distribution, model.layout = None, None

    def __repr__(self) -> str:
        return f"<Ensemble of {counted(len(self), 'member')} of {self[0]!r}>"

    @spelled
    def fit(self, x: Any, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = 1,
            callbacks: Iterable[Callback] | Callback | Callable[[int], Any] | None = None, validation_split: float = 0.0,
            validation_data: Any = None, shuffle: bool | str = True, class_weight: dict[int, float] | None = None,
            sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
            validation_steps: int | None = None, validation_batch_size: int | None = None, validation_freq: Any = 1, *,
            check_inputs: bool = True) -> Histories:
        """Trains all members, each in the order of rows that its seed gives. The arguments are those of Sequential.fit.

        x, y: arrays. verbose: 0 nothing, else a line per epoch. callbacks: of each member a copy; or a function
        (number of a member) -> callbacks of its own, which such as write files need: no two members may write one path. They
        are called at the edges of epochs. A member that one of them stops stays where it is while the others go on.
        Returns the members' Histories; they are also at `ensemble.history`, and each at its model's.
        Raises: one clear error before the first step. After Ctrl-C every member stands at its last whole step, and its History
        has all whole epochs; after an error in a callback it may lack those that other members have made meanwhile.
        """
        first = self[0]
        wish = intake.FitWish(batch_size, epochs, validation_split, shuffle, initial_epoch, steps_per_epoch, validation_steps,
                              validation_batch_size, validation_freq)
        _require_arrays(x, validation_data)
        with at_step_boundary() as interrupt, Crew(interrupt) as crew:
            plan, shape = self._fitting(lambda model: intake.fit_plan(
                model.architecture, model.task.loss, x, y, sample_weight, class_weight, validation_data, wish, check_inputs,
                model.task))
            own = {member.number: self._callbacks(callbacks, member, plan) for member in self._members}
            require_own_files(own)
            tell = Teller(plan.epochs.stop, len(self), shown(verbose))
            units = self._ready(shape, "fit", lambda ts: loop.trial(ts, first, plan.train))
            plan = plan._replace(train=units[0].readable(plan.train))
            for model in self:
                model.stop_training = False
            try:
                loop.fit_loop(units, plan, own, crew, interrupt, tell)
            finally:                    # after an interruption, too
                self.history = Histories([each.history for each in own.values()], list(map(_kept, own.values())))
                self.results = Results(self.settings, self.seeds, self.history.last)
        return self.history

    @spelled
    def evaluate(self, x: Any, y: Any = None, batch_size: int | None = None, sample_weight: Any = None,
                 steps: int | None = None, *, check_inputs: bool = True) -> dict[str, np.ndarray]:
        """Measures all members on the data: {"loss": (members,) float64, each metric: ...}."""
        _require_arrays(x)
        first = self[0]
        with at_step_boundary() as interrupt, Crew(interrupt) as crew:
            feed, shape = self._fitting(lambda model: intake.evaluation_feed(
                model.architecture, model.task.loss, x, y, sample_weight, batch_size, check_inputs, model.task))
            units = self._ready(shape, "fit", lambda ts: loop.trial(ts, first, feed))
            crew.compile(units, lambda unit: unit.measuring_jobs(feed))
            steps = intake.limited("steps", steps, feed.steps)
            found = crew.do(lambda unit: unit.evaluate(feed, steps, range(len(self)), crew.broken_off), units)
        logs = {number: own for part in found for number, own in part.items()}
        return {name: np.array([logs[number][name] for number in sorted(logs)]) for name in logs[0]}

    @spelled
    def predict(self, x: Any, batch_size: int | None = None, steps: int | None = None, *, reduce: str | None = None,
                check_inputs: bool = True) -> np.ndarray:
        """The members' outputs for every row of x: (members, rows, ...), or with reduce="mean" their mean, (rows, ...)."""
        one_of("reduce", reduce, (None, "mean"))
        _require_arrays(x)
        with at_step_boundary() as interrupt, Crew(interrupt) as crew:
            batches, shape = intake.prediction_feed(self[0].architecture, x, batch_size, steps, check_inputs)
            x_spec = Spec((1, *shape[1:]), batches.x.dtype)
            units = self._ready(shape, "predict", lambda ts: ("predict", (ts.params, ts.state, x_spec)))
            found = crew.do(lambda unit: unit.predict(batches, steps, crew.broken_off), units)
        each = {number: y for part in found for number, y in part.items()}
        stacked = np.stack([each[number] for number in sorted(each)])
        return stacked if reduce is None else stacked.mean(axis=0, dtype=wide_dtype(stacked.dtype)).astype(stacked.dtype)

    # ---- within

    def _fitting(self, read: Callable[[Sequential], tuple[Any, Shape]]) -> tuple[Any, Shape]:
        """(the data as the first member reads them, the shape of x); asked are also those whose output is of another shape."""
        first, *others = self._members
        with named(first.told if len({model.output_shape for model in self}) > 1 else ""):
            feed, shape = read(first.model)
        output = lambda member: intake.shown(member.model.architecture, Spec(shape, first.model.input_dtype)).edges[-1][0]
        seen = {output(first)}
        for member in others:
            with named(member.told):
                if output(member) not in seen:
                    seen.add(output(member))
                    read(member.model)
        return feed, shape

    def _ready(self, shape: Shape, what: str, trial: TrialOf) -> list[Unit]:
        """The members with their weights, in units; the same ones as long as no member was compiled anew or changed."""
        for model in self:
            model.learn_from(shape)
        signatures, units = self._units.get(what, ([], []))
        now = [model.signature() for model in self]
        if len(now) != len(signatures) or not all(map(_same_signature, now, signatures)):
            kinds = kinds_of(self._members, trial)
            for kind in kinds:
                kind.draw()
            units = units_of(kinds)
            self._units[what] = now, units
        return units

    def _callbacks(self, given: Any, member: Member, plan: Any) -> CallbackList:
        """The callbacks of one member, and its History."""
        own = given(member.number) if callable(given) and not isinstance(given, Callback) else copy.deepcopy(given)
        for each in CallbackList(own):
            never = sorted(hook for hook in HOOKS - CALLED if has(each, hook))
            require(not never, f"{type(each).__name__} has {', '.join(never)}, which an Ensemble never calls: it calls "
                    "callbacks at the edges of epochs. Train that member by itself, ensemble[0].fit(...).")
        names = member.model.metrics_names
        return CallbackList(own, True, False, member.model, verbose=0, epochs=plan.epochs.stop, steps=plan.steps,
                                 batch_size=plan.train.batch_size, samples=plan.train.rows,
                                 do_validation=plan.valid is not None,
                                 metrics=names if plan.valid is None else names + [f"val_{name}" for name in names])


def _require_arrays(x: Any, validation_data: Any = None) -> None:
    for name, data in ("x", x), ("validation_data", validation_data):
        require(data is None or source_of(data) is None, f"{name} gives batches by itself, and each member reads the rows in "
                "an order of its own: pass arrays.", TypeError)


def _kept(callbacks: CallbackList) -> int | None:
    """The epoch whose weights were put back at the end; None where none were, or where training has not begun."""
    put_back = [each.best_epoch for each in callbacks
                if isinstance(each, EarlyStopping) and getattr(each, "best_weights", None) is not None]
    return put_back[-1] if put_back else None


def _same_signature(one: Any, other: Any) -> bool:
    return one[0] is other[0] and one[1] == other[1] and one[2] is other[2]
