"""Ensemble: many models of one declaration, with Keras's words to train, measure and ask them all at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from jaxseq.api import intake
from jaxseq.api.callback_list import CallbackList
from jaxseq.api.callbacks import HOOKS, Callback
from jaxseq.api.ensemble import loop, sweeping
from jaxseq.api.ensemble.crew import Crew, units_of
from jaxseq.api.ensemble.histories import Histories
from jaxseq.api.ensemble.kinds import Member, TrialOf, kinds_of
from jaxseq.api.ensemble.results import Results
from jaxseq.api.ensemble.telling import Teller
from jaxseq.api.ensemble.units import Unit
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.monitoring import EarlyStopping
from jaxseq.api.progress import shown
from jaxseq.api.sequential import Sequential
from jaxseq.api.sources import source_of
from jaxseq.core.require import Spelled, one_of, require, spelled
from jaxseq.core.types import Shape, Spec

CALLED = {"on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_run_begin"}   # the hooks of callbacks


class Ensemble(Spelled):
    """Models of the same layers, compiled alike, which differ in their seed and in the settings of a sweep.

    model: a compiled Sequential. It says what the members are like, and stays as it is; its weights are not theirs.
    seeds: one for each member, as Sequential takes them; the model's own when absent.
    sweep: {setting: values}. Every combination of values is trained with every seed. A setting is a field of the optimizer,
        "learning_rate", or of a layer behind its name or its class, "dense.kernel_regularizer.l2", "Dropout.rate".
    Member k is the model that its seed and its settings give alone: the same first weights, draws and order of rows. Where the
    members differ in their seeds or their learning rates alone, it is so to the bit on a CPU, else to rounding.

    len, iteration and ensemble[k] give the members, which are models of their own: they may be trained on, saved and asked.
    Raises: TypeError for a model that is none; ValueError for one that is not compiled, for settings that there are not, and
        for values that they do not take.
    """

    def __init__(self, model: Sequential, seeds: Iterable[Any] | None = None, *,
                 sweep: Mapping[str, Iterable[Any]] | None = None):
        require(isinstance(model, Sequential), f"Ensemble({model!r}): pass a compiled Sequential.", TypeError)
        require(model.layers, "Ensemble: the model is empty, add a layer first, model.add(Dense(10)).")
        _ = model.task                                     # which a model has once it is compiled with a loss
        require(not model.run_eagerly, "Ensemble: the model was compiled with run_eagerly=True, and members run in programs "
                "alone. Compile it without.")
        require(seeds is None or isinstance(seeds, Iterable) and not isinstance(seeds, str), f"seeds={seeds!r}: write one for "
                "each member, seeds=range(16).", TypeError)
        choices = sweeping.grid(sweep)
        seeds = [model.seed] if seeds is None else list(seeds)
        require(seeds, "seeds is empty: write one for each member, seeds=range(16).")
        words = {word: sweeping.places(model, word) for word in sweep or ()}
        self.settings, self.seeds, self._members = [], [], []
        for chosen in choices:
            placed = {place: value for word, value in chosen.items() for place in words[word]}
            for seed in seeds:
                self._members.append(Member(len(self._members), sweeping.made(model, seed, placed), placed))
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
        return f"<Ensemble of {len(self)} members of {self[0]!r}>"

    @spelled
    def fit(self, x: Any, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = 1,
            callbacks: Iterable[Callback] | Callback | Callable[[int], Any] | None = None, validation_split: float = 0.0,
            validation_data: Any = None, shuffle: bool | str = True, class_weight: dict[int, float] | None = None,
            sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
            validation_steps: int | None = None, validation_batch_size: int | None = None, validation_freq: Any = 1, *,
            check_inputs: bool = True) -> Histories:
        """Trains all members, each in the order of rows that its seed gives. The arguments are those of Sequential.fit.

        x, y: arrays. verbose: 0 nothing, else a line per epoch. callbacks: of each member a copy; or a function
        (number of a member) -> callbacks of its own, for such as write files. They are called at the edges of epochs. A member
        that one of them stops stays where it is while the others go on.
        Returns the members' Histories; they are also at `ensemble.history`, and each at its model's.
        Raises: one clear error before the first step. After Ctrl-C every member stands at its last whole step.
        """
        first = self[0]
        wish = intake.FitWish(batch_size, epochs, validation_split, shuffle, initial_epoch, steps_per_epoch, validation_steps,
                              validation_batch_size, validation_freq)
        _require_arrays(x, validation_data)
        with at_step_boundary() as interrupt, Crew(interrupt) as crew:
            plan, shape = intake.fit_plan(first.architecture, first.task.loss, x, y, sample_weight, class_weight,
                                          validation_data, wish, check_inputs, first.task)
            own = {member.number: self._callbacks(callbacks, member, plan) for member in self._members}
            tell = Teller(plan.epochs.stop, len(self), shown(verbose))
            units = self._ready(shape, "fit", lambda ts: loop.trial(ts, first, plan.train))
            plan = plan._replace(train=units[0].readable(plan.train))
            for model in self:
                model.stop_training = False
            loop.fit_loop(units, plan, own, crew, interrupt, tell)
        self.history = Histories([each.history for each in own.values()])
        last = {name: np.array([_at_the_end(own[number], row) for number, row in enumerate(rows)])
                for name, rows in self.history.values.items()}
        self.results = Results(self.settings, self.seeds, last)
        return self.history

    @spelled
    def evaluate(self, x: Any, y: Any = None, batch_size: int | None = None, sample_weight: Any = None,
                 steps: int | None = None, *, check_inputs: bool = True) -> dict[str, np.ndarray]:
        """Measures all members on the data: {"loss": (members,) float64, each metric: ...}."""
        _require_arrays(x)
        first = self[0]
        with at_step_boundary() as interrupt, Crew(interrupt) as crew:
            feed, shape = intake.evaluation_feed(first.architecture, first.task.loss, x, y, sample_weight, batch_size,
                                                 check_inputs, first.task)
            units = self._ready(shape, "fit", lambda ts: loop.trial(ts, first, feed))
            crew.compile(units, valid=feed)
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
        return stacked if reduce is None else stacked.mean(axis=0, dtype=stacked.dtype)

    # ---- within

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
            never = sorted(hook for hook in HOOKS - CALLED if CallbackList(each).wants(hook))
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


def _at_the_end(callbacks: CallbackList, row: np.ndarray) -> float:
    """Of a member's values over the epochs, that of the weights it was left with; else the last there is."""
    put_back = [each.best_epoch for each in callbacks if isinstance(each, EarlyStopping) and each.best_weights is not None]
    measured = row[~np.isnan(row)]
    first = callbacks.history.epoch[:1]
    return row[put_back[-1] - first[0]] if put_back else measured[-1] if len(measured) else np.nan


def _same_signature(one: Any, other: Any) -> bool:
    return one[0] is other[0] and one[1] == other[1] and one[2] is other[2]
