"""Sequential: the thin shell. It holds one TrainState, checks what it is given, and delegates."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxseq.api import alike, hosts, intake, loop, pickling, weights
from jaxseq.api.ahead import Ahead
from jaxseq.api.analysis import AnalysisMethods
from jaxseq.api.body import Body
from jaxseq.api.callback_list import CallbackList
from jaxseq.api.callbacks import Callback, Logs
from jaxseq.api.compiling import Compiled, interpreted
from jaxseq.api.dealing import on_all, placed
from jaxseq.api.distribution.strategies import Distribution, distribution as current, layout_of, look_over
from jaxseq.api.files.methods import FileMethods
from jaxseq.api.history import History
from jaxseq.api.interrupt import Interrupt, at_step_boundary
from jaxseq.api.keras2 import Keras2Methods
from jaxseq.api.profiling import folder_of, profiled
from jaxseq.api.progress import shown
from jaxseq.api.shelf import shelve
from jaxseq.api.stack import Stack
from jaxseq.core import chain, optimizers, rng, run
from jaxseq.core.layer import Layer
from jaxseq.core.live import Standing
from jaxseq.core.policy import DTypePolicy
from jaxseq.core.precision import wide_dtype
from jaxseq.core.remat import stretches
from jaxseq.core.require import one_of, positive_int, require, spelled
from jaxseq.core.types import Array, Spec, TrainState


class Programs(NamedTuple):
    """The compiled programs of a model, for one choice of what is trained. zero: the totals they begin with. pace: what the
    loops have learnt of their speed."""

    task: run.Task
    train: Callable[..., Any]
    evaluate: Callable[..., Any]
    zero: run.Sums
    ahead: Ahead
    pace: dict[str, dict[int, int]]


# What Keras asks of a subclass's own. Here a step is a program made of layers, loss and optimizer, and asks none of them.
NEVER_ASKED = {"call", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "make_train_function",
               "make_test_function", "make_predict_function"}


class Sequential(Keras2Methods, FileMethods, AnalysisMethods, Body):
    """Layers in a row, with Keras's words to train them: add, compile, fit, evaluate, predict.

    layers: an iterable of layers, and of models that stand there as layers; more may be added.
    name: shown in summary().
    seed: an int from 0 to 2**63 - 1, or a JAX key. Every draw (first weights, dropout, row order) is a pure function of
        it. When absent it is drawn once from the operating system and kept in `model.seed`.
    dtype: the number format of layers that have none of their own, as "mixed_bfloat16" or a DTypePolicy; float32 when absent.
    trainable: whether it is trained as a whole; `trainable` may be set later, too.

    The model holds its whole training in one field, `train_state`; `params` and `state` are its named pytrees.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        asked = sorted(NEVER_ASKED & vars(cls).keys())
        require(not asked, f"{cls.__name__} defines {', '.join(asked)}, which a Sequential here never asks. Write it as a "
                "layer, a loss or a callback, or train in a loop of your own over model.functional().", TypeError)

    def __init__(self, layers: Iterable[Layer] = (), name: str = "sequential", *, seed: int | Array | None = None,
                 dtype: Any = None, trainable: bool = True):
        self._compiled: Compiled | None = None
        self._programs: dict[frozenset[str], Programs] = {}
        self._predict: Callable[..., Any] | None = None
        self.distribution: Distribution | None = None       # what compile() was told of it, or set_distribution
        self._begins_with: Any = None       # the optimizer's state before there are weights: see `opt_state`
        self.history: History | None = None
        self.stop_training = False
        self.run_eagerly = False
        self._optimized_without: frozenset[str] = frozenset()      # the layers that the optimizer's state leaves out
        super().__init__(layers, name, seed=seed, dtype=dtype, trainable=trainable)

    @spelled
    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, loss_weights: Any = None,
                sample_weight_mode: str | None = None, weighted_metrics: Any = None, target_tensors: None = None, *,
                run_eagerly: bool = False, steps_per_execution: int = 1, jit_compile: bool | str = "auto",
                auto_scale_loss: bool = True, remat: Any = False, distribution: Distribution | None = None) -> None:
        """Says how to train: an optimizer, a loss, and what to measure beside it. The order of arguments is Keras 2's.

        optimizer: a name, a class or instance of jaxseq.optimizers, or any Optax transformation.
        loss: a name or a function (y_true, y_pred) -> one number per row. metrics: a list of names and such functions.
        weighted_metrics: such a list, measured with sample_weight and class_weight, of which `metrics` see nothing.
        loss_weights: a number that the loss is multiplied by, penalties not.
            All of these may also be a list of one such, or a dict with the last layer's name; so may the loss.
        run_eagerly: nothing is compiled, so that print, float() and a debugger in a layer or a loss see real numbers; slow.
        auto_scale_loss: where the model or a layer computes in float16, the optimizer is put into a LossScaleOptimizer.
        remat: for less memory in training, a step keeps less of what it has computed, and computes it again for the gradient.
            A number: what goes in to every so many layers; True: to about the root of how many there are; a list of names: to
            these layers, as to models among them. It is no part of what save writes.
        distribution: the devices that training is spread over, a jaxseq.distribution.DataParallel or the like; when absent the
            one of jaxseq.distribution.set_distribution, else one device. Copies have it, too, and no file that save writes.
        steps_per_execution, jit_compile, sample_weight_mode: Keras's; accepted, and without meaning here.
        Raises: ValueError for unknown names, TypeError for what is none of these. The optimizer's state starts anew.
        """
        compiled = self._interpreted(optimizer, loss, metrics, loss_weights, weighted_metrics, auto_scale_loss, remat)
        compiled = compiled._replace(trainable=self.trainable)
        require(target_tensors is None, "target_tensors: there is no graph to feed. Pass the targets to fit, fit(x, y).")
        positive_int("steps_per_execution", steps_per_execution)
        one_of("jit_compile", jit_compile, ("auto", True, False))
        one_of("sample_weight_mode", sample_weight_mode, (None, "temporal"))
        require(isinstance(run_eagerly, bool), f"run_eagerly={run_eagerly!r}: write True or False.", TypeError)
        spread = current() if distribution is None else distribution
        layout = layout_of(spread)
        with at_step_boundary():
            if hosts.is_joint(layout):
                self.agree_on_seed()
            had = self._compiled, self.layout, self.distribution
            self._compiled, self.layout, self.distribution = compiled, layout, spread
            try:
                if self._train_state is not None:
                    self.train_state = self._fitted_optimizer(placed(self.layout, self.train_state))
            except BaseException:
                self._compiled, self.layout, self.distribution = had
                raise
            self._programs, self._predict, self._begins_with, self.run_eagerly = {}, None, None, run_eagerly

    @spelled
    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = 1,
            callbacks: Iterable[Callback] | Callback | None = None, validation_split: float = 0.0, validation_data: Any = None,
            shuffle: bool | str = True, class_weight: dict[int, float] | None = None, sample_weight: Any = None,
            initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None,
            validation_batch_size: int | None = None, validation_freq: Any = 1, *, check_inputs: bool = True,
            check_finite: bool = False, profile: Any = None, nb_epoch: int | None = None) -> History:
        """Trains for `epochs` passes over the data (up to epoch number `epochs`, from `initial_epoch`).

        x, y: arrays with one row per example; lists and pandas objects are taken, too. Or x alone: a generator, a
        jaxseq.utils.Sequence, a loader of PyTorch, TensorFlow or Grain, whose batches are (x, y) or (x, y, sample_weight);
        without steps_per_epoch an epoch then lasts until they end. batch_size: 32 when absent, or the
        model's fixed one; the last batch may be smaller and is trained on as it is. verbose: 0 nothing, 1 a bar, 2 a
        line per epoch. validation_split: the share of rows, from the end, that is measured and not trained on.
        validation_freq: measure after every so many epochs, or after those of a list, counted from 1.
        shuffle: True, False, or "batch" (whole batches change places). class_weight: {class: weight}.
        check_inputs: look for NaN and for labels and ids out of range before the first step.
        check_finite: a step that gives NaN or infinity is a FloatingPointError that names the layer, and the model then stands
        before that step; it cost 11 % of the time of a small perceptron on a busy machine.
        profile: a folder into which a trace of this run is written, with the layers' names, for XProf or Perfetto.
        Returns the History; it is also at `model.history`, and there after an interruption, too.
        Raises: one clear error before the first step for input that does not fit. Ctrl-C and errors in callbacks leave
        the model at its last whole step, or where on_train_end puts it: EarlyStopping(restore_best_weights=True) at the best.
        """
        compiled = self._need_compile("fit")
        wish = intake.FitWish(batch_size, epochs if nb_epoch is None else nb_epoch, validation_split, shuffle, initial_epoch,
                              steps_per_epoch, validation_steps, validation_batch_size, validation_freq, check_finite)
        folder = folder_of(profile)
        with at_step_boundary() as interrupt:
            with self._agreed() as told:
                plan, shape = intake.fit_plan(self._architecture, compiled.loss, x, y, sample_weight, class_weight,
                                              validation_data, wish, check_inputs, self.task)
                names = self.metrics_names
                run_callbacks = CallbackList(
                    callbacks, True, shown(verbose), self, verbose=verbose, epochs=plan.epochs.stop, steps=plan.steps,
                    batch_size=plan.train.batch_size, samples=plan.train.rows, do_validation=plan.valid is not None,
                    metrics=names if plan.valid is None else names + [f"val_{name}" for name in names])
                told.append(lambda: alike.of_plan(plan, run_callbacks))
            self._see(shape)
            with alike.agreed(self.layout) as told:
                told.append(lambda: alike.of_weights(self))
            self.stop_training = False
            run_callbacks.show_validation(plan.valid)
            try:
                run_callbacks.run("train", lambda: self._trained(plan, run_callbacks, interrupt, folder))
            finally:
                for programs in self._programs.values():
                    programs.ahead.stop()
                run_callbacks.show_validation(None)         # the History, which stays with the model, keeps no data
        return run_callbacks.history

    @spelled
    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = 1, sample_weight: Any = None,
                 steps: int | None = None, callbacks: Iterable[Callback] | Callback | None = None, *, return_dict: bool = False,
                 check_inputs: bool = True) -> float | list[float] | dict[str, float]:
        """Measures loss and metrics on the data; nothing is trained and nothing is drawn.

        Returns the loss, or [loss, metrics...] in the order of `metrics_names`; return_dict=True gives a dict.
        """
        compiled = self._need_compile("evaluate")
        with at_step_boundary() as interrupt:
            with self._agreed() as told:
                feed, shape = intake.evaluation_feed(self._architecture, compiled.loss, x, y, sample_weight, batch_size,
                                                     check_inputs, self.task)
                steps = intake.limited("steps", steps, feed.steps)
                run_callbacks = CallbackList(callbacks, False, shown(verbose), self, verbose=verbose, epochs=1, steps=steps,
                                             batch_size=feed.batch_size, samples=feed.rows)
                told.append(lambda: alike.of_pass(feed, steps, run_callbacks))
            self._see(shape)
            logs = loop.evaluate_loop(self, feed, steps, run_callbacks, interrupt)
        return _reported(logs, return_dict)

    @spelled
    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None,
                callbacks: Iterable[Callback] | Callback | None = None, *, check_inputs: bool = True) -> np.ndarray:
        """The model's output for every row of x, as a NumPy array."""
        if self._is_plain_call(verbose, steps, callbacks):
            ready = intake.ready_rows(self._architecture, x, batch_size, check_inputs)
            if ready is not None:
                return loop.predict_at_once(self, ready, len(x))
        with at_step_boundary() as interrupt:
            with self._agreed() as told:
                batches, shape = intake.prediction_feed(self._architecture, x, batch_size, steps, check_inputs,
                                                        hosts.is_joint(self.layout))
                steps = intake.limited("steps", steps, batches.steps)
                run_callbacks = CallbackList(callbacks, False, shown(verbose), self, verbose=verbose, epochs=1, steps=steps,
                                             batch_size=batches.batch_size, samples=batches.rows)
                told.append(lambda: alike.of_pass(batches, steps, run_callbacks))
            self._see(shape)
            return loop.predict_loop(self, batches, steps, run_callbacks, interrupt)

    @spelled
    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: dict[int, float] | None = None,
                       return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """One training step on exactly these rows. Returns what `evaluate` returns, as measured before the update."""
        compiled = self._need_compile("train_on_batch")
        with at_step_boundary() as interrupt:
            with alike.agreed(self.layout) as told:
                feed, shape = intake.training_batch(self._architecture, compiled.loss, x, y, sample_weight, class_weight,
                                                    self.layout)
                told.append(lambda: alike.of_data(feed))
            self._see(shape)
            logs = loop.train_once(self, feed, interrupt)
        return _reported(logs, return_dict)

    @spelled
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                      return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """Loss and metrics of exactly these rows as one batch."""
        return self.evaluate(x, y, batch_size=intake.one_batch(self._architecture, x), sample_weight=sample_weight, verbose=0,
                             return_dict=return_dict)

    @spelled
    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The model's output for exactly these rows as one batch."""
        return self.predict(x, batch_size=intake.one_batch(self._architecture, x))

    @property
    def metrics_names(self) -> list[str]:
        """The names of what evaluate returns, in order."""
        return ["loss", *(metric.name for metric in self._need_compile("metrics_names").metrics)]

    @property
    def optimizer(self) -> Any:
        """The optimizer that compile() was given, in this model: its learning_rate is the one of the next step, and may be
        set; its iterations are the updates made."""
        given = None if self._compiled is None else self._compiled.optimizer
        return given.bound_to(self) if isinstance(given, Standing) else given

    @property
    def loss(self) -> Any:
        """The loss that compile() was given, as it was written; None before."""
        return None if self._compiled is None else self._compiled.given["loss"]

    @property
    def compile_arguments(self) -> dict[str, Any]:
        """What compile() was given, so that another model can be compiled alike: other.compile(**model.compile_arguments).

        distribution: also where set_distribution gave it.
        """
        return {**self._need_compile("compile_arguments").given, "run_eagerly": self.run_eagerly,
                "distribution": self.distribution}

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step. Assign a number to change it."""
        return float(self._rate())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        usable = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf" and 0 <= value < np.inf
        require(usable, f"learning_rate={value!r}: write a number from 0 on.")
        follows = getattr(self._compiled and self._compiled.optimizer, "learning_rate", None)
        require(not callable(follows), "The learning rate follows a schedule: compile with a number to set it.", TypeError)
        rate = jnp.asarray(value, self._rate().dtype)
        self.opt_state = optax.tree.set(self.opt_state, learning_rate=rate)

    @property
    def opt_state(self) -> Any:
        """What the optimizer remembers; while the model has no weights, what it is going to begin with."""
        if self.drawn:
            return self.train_state.opt_state
        if self._begins_with is None:
            self._begins_with = run.init_optimizer(self._compiled.transform, {}) if self._compiled else ()
        return self._begins_with

    @opt_state.setter
    def opt_state(self, value: Any) -> None:
        if self.drawn:
            self.train_state = self.train_state._replace(opt_state=value)
        else:
            self._begins_with = value

    # ---- copies and pickles

    def __copy__(self) -> Self:
        """A model of its own: the same as copy.deepcopy, for half of a model cannot be changed without the other."""
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        compiled = self._compiled and (self._compiled.given, self._compiled.trainable)
        return pickling.packed({**vars(self), "_compiled": compiled, "_programs": {}, "_predict": None, "_users": None,
                                "_fingerprint": None, "layout": None, "distribution": pickling.Spread(self.distribution)})

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(pickling.unpacked(state))
        self._move_in()
        if self._compiled is not None:
            given, trainable = state["_compiled"]
            self._compiled = self._interpreted(**given)._replace(trainable=trainable)
        self.distribution = None if self._compiled is None else state["distribution"].distribution
        self.layout = layout_of(self.distribution)

    # ---- what the loops ask

    @property
    def programs(self) -> Programs:
        """The compiled programs for what is trained at present; others when a layer was frozen or freed."""
        frozen = self._frozen()
        if frozen not in self._programs:
            if self.distribution is not None:
                shapes = {path: each.shape for path, each in weights.by_path(self.train_state.params)}
                look_over(self.distribution, self.name, shapes)
            task = self.task
            self._programs[frozen] = Programs(task, run.make_train(task), run.make_evaluate(task), self.zero_sums(), Ahead(),
                                              {"train": {}, "test": {}})
        self.settled_state()
        return self._programs[frozen]

    def settled_state(self) -> TrainState:
        """The TrainState, with the optimizer's state for what is trained at present."""
        ts = self.train_state
        if self._compiled is not None and self._frozen() != self._optimized_without:
            self.train_state = ts = self._fitted_optimizer(ts, ts.opt_state)
        if self.layout is not None:
            self.train_state = ts = placed(self.layout, ts)
        return ts

    def signature(self) -> tuple[Any, frozenset[str], Any]:
        """What the model's programs follow from: other objects, or other frozen layers, once that has changed."""
        return self._compiled, self._frozen(), self._architecture.layers

    @property
    def task(self) -> run.Task:
        """What is trained at present, and towards what."""
        compiled = self._need_compile("fit")
        assert compiled.loss is not None
        layers = self._architecture.typed if compiled.trainable else chain.stilled(self._architecture.typed)
        return run.Task(layers, self._architecture.input_dtype, compiled.loss, compiled.metrics,
                        compiled.transform, self._frozen(), compiled.loss_weight,
                        stretches(compiled.remat, self._architecture.names), self.layout)

    @property
    def declared_optimizer(self) -> Any:
        """The optimizer as compile() took it, which stands in no model."""
        return self._need_compile("fit").optimizer

    def zero_sums(self) -> run.Sums:
        """The totals that an epoch begins with."""
        y_hat = None
        if self._architecture.edges:
            shape, dtype = self._architecture.edges[-1]
            y_hat = Spec(tuple(size or 1 for size in shape), wide_dtype(dtype))
        zero = run.zero_sums(self.task, y_hat)
        return zero if self.layout is None else on_all(self.layout, zero)

    def state_spec(self) -> TrainState:
        """What the TrainState of a model without weights is going to look like. Nothing is drawn."""
        layers, x = self.drawing()
        params, state = run.specs(layers, self._key, x, [name for name, _ in layers])
        trained, _ = chain.parted(params, self._frozen())
        opt_state = jax.eval_shape(self.task.optimizer.init, trained)
        return TrainState(params, state, opt_state, Spec((), np.int32), rng.key_spec())

    def share_programs(self, other: Sequential) -> None:
        """Takes over the compiled programs of a model whose task is the same as this one's."""
        self._programs[self._frozen()] = other.programs
        self._predict = other.predict_program

    @property
    def frozen_paths(self) -> frozenset[str]:
        """The paths of the layers that are not trained, as they are marked at present."""
        return chain.frozen(self._architecture.layers)

    def trained_slots(self) -> list[weights.Slot]:
        """Where the weights stand that the optimizer moves, in Keras's order."""
        trained = self._slots_without(self._frozen())
        return [slot for slot in self._slots() if slot in trained]

    @property
    def predict_program(self) -> Callable[..., Any]:
        """The compiled program of predict."""
        if self._predict is None:
            self._predict = run.make_predict(self._architecture.typed, self._architecture.input_dtype, self.layout)
        if self.layout is not None:
            self.settled_state()
        return self._predict

    # ---- within

    def _trained(self, plan: loop.Plan, callbacks: CallbackList, interrupt: Interrupt, folder: str | None) -> Logs:
        """The logs of the last epoch, once all are trained, and the average is taken. What on_train_end does comes after."""
        with profiled(folder):
            logs = loop.fit_loop(self, plan, callbacks, interrupt)
        self.take_average()
        return logs

    def _is_plain_call(self, verbose: Any, steps: int | None, callbacks: Any) -> bool:
        """Whether nothing is called, shown or counted beside the program, which runs compiled and in one place."""
        return verbose == 0 and steps is None and callbacks is None and not self.run_eagerly and self.layout is None

    @contextmanager
    def _agreed(self) -> Iterator[list[Callable[[], alike.Facts]]]:
        """Inside, what is asked of the model is looked at; outside, all processes that train it know that it is the same."""
        with alike.agreed(self.layout) as told:
            told.append(lambda: alike.of_model(self))
            yield told

    @contextmanager
    def _gathered(self) -> Iterator[None]:
        """Inside, every process holds the whole of all arrays; all processes have to come here."""
        kept = self.train_state, self.layout
        self.train_state, self.layout = hosts.whole(self.train_state), None
        try:
            yield
        finally:
            self.train_state, self.layout = kept

    def take_average(self) -> None:
        """The trained weights become their moving average where the optimizer keeps one (use_ema=True)."""
        ts = self.train_state
        average = optimizers.average_to_take(ts.opt_state)
        if average:
            self.train_state = ts._replace(params=chain.merged(ts.params, average))

    def _interpreted(self, optimizer: Any, loss: Any, metrics: Any, loss_weights: Any, weighted_metrics: Any,
                     auto_scale_loss: bool = True, remat: Any = False) -> Compiled:
        names = self._architecture.names
        stretches(remat, names)             # what is no such thing is refused here, not at the first step
        half = any(DTypePolicy(each).compute_dtype == "float16" for each in self._architecture.formats)
        return interpreted(optimizer, loss, metrics, loss_weights, weighted_metrics, names[-1] if names else None,
                           auto_scale_loss, half, remat)

    def _rate(self) -> Array:
        optimizer = self._compiled and self._compiled.optimizer
        rate = optimizers.rate_now(optimizer, self.opt_state) if self._compiled else None
        require(rate is not None, f"The optimizer {optimizer!r} keeps no learning rate: compile with one of "
                "jaxseq.optimizers.", AttributeError)
        return rate

    def _frozen(self) -> frozenset[str]:
        """What is not trained: all of a model that was frozen as a whole at its compile()."""
        whole = self._compiled is not None and not self._compiled.trainable
        return frozenset(self._architecture.names) if whole else chain.frozen(self._architecture.layers)

    def _fitted_optimizer(self, ts: TrainState, old: Any = ()) -> TrainState:
        if self._compiled is None:
            return ts._replace(opt_state=())
        frozen = self._frozen()
        trained, _ = chain.parted(ts.params, frozen)
        if not self.drawn and self._begins_with is not None:
            old = self._begins_with
        ts = ts._replace(opt_state=weights.grafted(self._compiled.transform, trained, old, self.layout))
        self._optimized_without = frozen
        return ts

    def _shelve(self, layer: Layer) -> Stack:
        return shelve(self, layer)

    def _changed(self) -> None:
        self._programs, self._predict = {}, None
        super()._changed()

    def _need_compile(self, what: str) -> Compiled:
        require(self._compiled is not None, f"{what} needs a compiled model: write model.compile(optimizer='rmsprop', "
                "loss='mse') first.", RuntimeError)
        assert self._compiled is not None
        require(self._compiled.loss is not None, f"{what} needs a loss: write model.compile(optimizer, loss='mse').")
        return self._compiled


def _reported(logs: Logs, as_dict: bool) -> float | list[float] | dict[str, float]:
    if as_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
