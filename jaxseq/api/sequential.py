"""Sequential: the thin shell. It holds one TrainState, checks what it is given, and delegates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from jaxseq.api import intake, loop, weights
from jaxseq.api.ahead import Ahead
from jaxseq.api.body import Body
from jaxseq.api.callbacks import Callback, CallbackList, Logs
from jaxseq.api.history import History
from jaxseq.api.interrupt import at_step_boundary
from jaxseq.api.keras2 import Keras2Methods
from jaxseq.api.progress import reporters
from jaxseq.core import losses, metrics, optimizers, run
from jaxseq.core.layer import Layer
from jaxseq.core.precision import wide_dtype
from jaxseq.core.require import one_of, positive_int, require
from jaxseq.core.types import Array, Spec, TrainState


class Programs(NamedTuple):
    """The compiled programs of a model, for one choice of what is trained. zero: the totals they begin with."""

    task: run.Task
    train: Callable[..., Any]
    evaluate: Callable[..., Any]
    zero: run.Sums
    ahead: Ahead


class Compiled(NamedTuple):
    """What compile() was told, interpreted."""

    optimizer: Any
    transform: optax.GradientTransformation
    loss: losses.LossFn | None
    metrics: tuple[metrics.Metric, ...]


class Sequential(Keras2Methods, Body):
    """Layers in a row, with Keras's words to train them: add, compile, fit, evaluate, predict.

    layers: an iterable of layers; more may be added.
    name: shown in summary().
    seed: an int from 0 to 2**63 - 1, or a JAX key. Every draw (first weights, dropout, row order) is a pure function of
        it. When absent it is drawn once from the operating system and kept in `model.seed`.
    dtype: the number format of layers that have none of their own, as "mixed_bfloat16" or a DTypePolicy; float32 when absent.

    The model holds its whole training in one field, `train_state`; `params` and `state` are its named pytrees.
    """

    def __init__(self, layers: Iterable[Layer] = (), name: str = "sequential", *, seed: int | Array | None = None,
                 dtype: Any = None):
        self._compiled: Compiled | None = None
        self._programs: dict[frozenset[str], Programs] = {}
        self._predict: Callable[..., Any] | None = None
        self.history: History | None = None
        self.stop_training = False
        self.run_eagerly = False
        self._optimized_without: frozenset[str] = frozenset()      # the layers that the optimizer's state leaves out
        super().__init__(layers, name, seed=seed, dtype=dtype)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, *, run_eagerly: bool = False,
                steps_per_execution: int = 1, jit_compile: bool | str = "auto", auto_scale_loss: bool = True,
                sample_weight_mode: str | None = None) -> None:
        """Says how to train: an optimizer, a loss, and what to measure beside it.

        optimizer: a name, a class or instance of jaxseq.optimizers, or any Optax transformation.
        loss: a name or a function (y_true, y_pred) -> one number per row. metrics: a list of names and such functions.
        run_eagerly: nothing is compiled, so that print, float() and a debugger in a layer or a loss see real numbers; slow.
        auto_scale_loss: where the model or a layer computes in float16, the optimizer is put into a LossScaleOptimizer.
        steps_per_execution, jit_compile, sample_weight_mode: Keras's; accepted, and without meaning here.
        Raises: ValueError for unknown names, TypeError for what is none of these. The optimizer's state starts anew.
        """
        compiled = interpreted(optimizer, loss, metrics, auto_scale_loss and self._computes_in_float16())
        require(getattr(compiled.loss, "reduction", "sum") not in (None, "none"), f"loss={loss!r} leaves its values as they "
                "are, so there is no one number to train on: write reduction='sum_over_batch_size'.")
        positive_int("steps_per_execution", steps_per_execution)
        one_of("jit_compile", jit_compile, ("auto", True, False))
        one_of("sample_weight_mode", sample_weight_mode, (None, "temporal"))
        require(isinstance(run_eagerly, bool), f"run_eagerly={run_eagerly!r}: write True or False.", TypeError)
        with at_step_boundary():
            had, self._compiled = self._compiled, compiled
            try:
                ts = None if self._train_state is None else self._fitted_optimizer(self._train_state)
            except BaseException:
                self._compiled = had
                raise
            self._train_state, self._programs, self.run_eagerly = ts, {}, run_eagerly

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = 1,
            callbacks: Iterable[Callback] | Callback | None = None, validation_split: float = 0.0, validation_data: Any = None,
            shuffle: bool | str = True, class_weight: dict[int, float] | None = None, sample_weight: Any = None,
            initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None,
            validation_batch_size: int | None = None, validation_freq: Any = 1, *, check_inputs: bool = True,
            nb_epoch: int | None = None) -> History:
        """Trains for `epochs` passes over the data (up to epoch number `epochs`, from `initial_epoch`).

        x, y: arrays with one row per example; lists and pandas objects are taken, too. Or x alone: a generator, a
        jaxseq.utils.Sequence, a loader of PyTorch, TensorFlow or Grain, whose batches are (x, y) or (x, y, sample_weight);
        without steps_per_epoch an epoch then lasts until they end. batch_size: 32 when absent, or the
        model's fixed one; the last batch may be smaller and is trained on as it is. verbose: 0 nothing, 1 a bar, 2 a
        line per epoch. validation_split: the share of rows, from the end, that is measured and not trained on.
        validation_freq: measure after every so many epochs, or after those of a list, counted from 1.
        shuffle: True, False, or "batch" (whole batches change places). class_weight: {class: weight}.
        check_inputs: look for NaN and for labels and ids out of range before the first step.
        Returns the History; it is also at `model.history`, and there after an interruption, too.
        Raises: one clear error before the first step for input that does not fit. Ctrl-C and errors in callbacks leave
        the model at its last whole step.
        """
        compiled = self._need_compile("fit")
        wish = intake.FitWish(batch_size, epochs if nb_epoch is None else nb_epoch, validation_split, shuffle, initial_epoch,
                              steps_per_epoch, validation_steps, validation_batch_size, validation_freq)
        history = History()
        with at_step_boundary() as interrupt:
            plan, shape = intake.fit_plan(self._architecture, compiled.loss, x, y, sample_weight, class_weight,
                                          validation_data, wish, check_inputs, self._task())
            run_callbacks = CallbackList([*reporters(verbose), *_listed(callbacks), history], self, {
                "epochs": plan.epochs.stop, "steps": plan.steps, "batch_size": plan.train.batch_size,
                "samples": plan.train.rows, "do_validation": plan.valid is not None, "verbose": verbose,
                "metrics": [each.name for each in compiled.metrics]})
            self._see(shape)
            self.history, self.stop_training = history, False
            run_callbacks.run("train", lambda: loop.fit_loop(self, plan, run_callbacks, interrupt))
            self._take_average()
        return history

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = 1, sample_weight: Any = None,
                 steps: int | None = None, callbacks: Iterable[Callback] | Callback | None = None, *, return_dict: bool = False,
                 check_inputs: bool = True) -> float | list[float] | dict[str, float]:
        """Measures loss and metrics on the data; nothing is trained and nothing is drawn.

        Returns the loss, or [loss, metrics...] in the order of `metrics_names`; return_dict=True gives a dict.
        """
        compiled = self._need_compile("evaluate")
        with at_step_boundary() as interrupt:
            feed, shape = intake.evaluation_feed(self._architecture, compiled.loss, x, y, sample_weight, batch_size,
                                                 check_inputs, self._task())
            steps = intake.limited("steps", steps, feed.steps)
            run_callbacks = CallbackList([*reporters(verbose, alone=True), *_listed(callbacks)],
                                         self, {"steps": steps, "verbose": verbose})
            self._see(shape)
            logs = loop.evaluate_loop(self, feed, steps, run_callbacks, interrupt)
        return _reported(logs, return_dict)

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None,
                callbacks: Iterable[Callback] | Callback | None = None, *, check_inputs: bool = True) -> np.ndarray:
        """The model's output for every row of x, as a NumPy array."""
        with at_step_boundary() as interrupt:
            batches, shape = intake.prediction_feed(self._architecture, x, batch_size, steps, check_inputs)
            steps = intake.limited("steps", steps, batches.steps)
            run_callbacks = CallbackList([*reporters(verbose, alone=True), *_listed(callbacks)],
                                         self, {"steps": steps, "verbose": verbose})
            self._see(shape)
            return loop.predict_loop(self, batches, steps, run_callbacks, interrupt)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: dict[int, float] | None = None,
                       return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """One training step on exactly these rows. Returns what `evaluate` returns, as measured before the update."""
        compiled = self._need_compile("train_on_batch")
        with at_step_boundary() as interrupt:
            feed, shape = intake.training_batch(self._architecture, compiled.loss, x, y, sample_weight, class_weight)
            self._see(shape)
            logs = loop.train_once(self, feed, interrupt)
        return _reported(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                      return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """Loss and metrics of exactly these rows as one batch."""
        return self.evaluate(x, y, batch_size=intake.one_batch(self._architecture, x), sample_weight=sample_weight, verbose=0,
                             return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The model's output for exactly these rows as one batch."""
        return self.predict(x, batch_size=intake.one_batch(self._architecture, x))

    @property
    def metrics_names(self) -> list[str]:
        """The names of what evaluate returns, in order."""
        return ["loss", *(metric.name for metric in self._need_compile("metrics_names").metrics)]

    @property
    def optimizer(self) -> Any:
        """The optimizer that compile() was given."""
        return None if self._compiled is None else self._compiled.optimizer

    @property
    def learning_rate(self) -> float:
        """The learning rate that stands in the optimizer's state. Assign a number to change it for the next step."""
        return float(self._rate())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        usable = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf" and 0 <= value < np.inf
        require(usable, f"learning_rate={value!r}: write a number from 0 on.")
        scheduled = callable(getattr(self.optimizer, "learning_rate", None))
        require(not scheduled, "The learning rate follows a schedule: compile with a number to set it.", TypeError)
        rate, ts = jnp.asarray(value, self._rate().dtype), self.train_state
        self._train_state = ts._replace(opt_state=optax.tree.set(ts.opt_state, learning_rate=rate))

    # ---- what the loops ask

    @property
    def programs(self) -> Programs:
        """The compiled programs for what is trained at present; others when a layer was frozen or freed."""
        frozen = self._frozen()
        if frozen not in self._programs:
            task = self._task()
            self._programs[frozen] = Programs(task, run.make_train(task), run.make_evaluate(task), self._zero(task), Ahead())
        if frozen != self._optimized_without:
            self._train_state = self._fitted_optimizer(self.train_state, self.train_state.opt_state)
        return self._programs[frozen]

    @property
    def predict_program(self) -> Callable[..., Any]:
        """The compiled program of predict."""
        if self._predict is None:
            self._predict = run.make_predict(self._architecture.typed, self._architecture.input_dtype)
        return self._predict

    # ---- within

    def _take_average(self) -> None:
        """The trained weights become their moving average where the optimizer keeps one (use_ema=True)."""
        ts = self.train_state
        average = optimizers.averaged_weights(ts.opt_state)
        if average is not None:
            self._train_state = ts._replace(params={**ts.params, **average})

    def _zero(self, task: run.Task) -> run.Sums:
        """The totals that an epoch begins with."""
        y_hat = None
        if self._architecture.edges:
            shape, dtype = self._architecture.edges[-1]
            y_hat = Spec(tuple(size or 1 for size in shape), wide_dtype(dtype))
        return run.zero_sums(task, y_hat)

    def _computes_in_float16(self) -> bool:
        policies = self.dtype_policy, *(layer.dtype_policy for layer in self.layers)
        return any(each.compute_dtype == "float16" for each in policies)

    def _task(self) -> run.Task:
        """What is trained at present, and towards what."""
        compiled = self._need_compile("fit")
        assert compiled.loss is not None
        return run.Task(self._architecture.typed, self._architecture.input_dtype, compiled.loss, compiled.metrics,
                        compiled.transform, self._frozen())

    def _rate(self) -> Array:
        rate = optax.tree.get(self.train_state.opt_state, "learning_rate")
        require(rate is not None, f"The optimizer {self.optimizer!r} keeps no learning rate: compile with one of "
                "jaxseq.optimizers.", AttributeError)
        return rate

    def _frozen(self) -> frozenset[str]:
        return frozenset(name for name, layer in self._architecture.layers if not layer.trainable)

    def _fitted_optimizer(self, ts: TrainState, old: Any = ()) -> TrainState:
        if self._compiled is None:
            return ts._replace(opt_state=())
        frozen = self._frozen()
        trained = {name: entry for name, entry in ts.params.items() if name not in frozen}
        ts = ts._replace(opt_state=weights.grafted(self._compiled.transform, trained, old))
        self._optimized_without = frozen
        return ts

    def _changed(self) -> None:
        self._programs, self._predict = {}, None
        super()._changed()

    def _need_compile(self, what: str) -> Compiled:
        require(self._compiled is not None, f"{what} needs a compiled model: write model.compile(optimizer='rmsprop', "
                "loss='mse') first.", RuntimeError)
        assert self._compiled is not None
        require(self._compiled.loss is not None, f"{what} needs a loss: write model.compile(optimizer, loss='mse').")
        return self._compiled


def interpreted(optimizer: Any, loss: Any, measured: Any, scaled: bool = False) -> Compiled:
    """compile()'s arguments as the core takes them. scaled: whether the loss is scaled, as float16 wants it."""
    optimizer = optimizers.get(optimizer)
    if scaled and not isinstance(optimizer, optimizers.LossScaleOptimizer):
        optimizer = optimizers.LossScaleOptimizer(optimizer)
    loss = None if loss is None else losses.get(loss)
    require(measured is None or isinstance(measured, list | tuple), f"metrics={measured!r}: write a list, "
            f"metrics=[{measured!r}].", TypeError)
    found: list[metrics.Metric] = []
    for each in measured or ():
        metric = metrics.get(each, loss)
        taken = {"loss", *(other.name for other in found)}
        name, count = metric.name, 1
        while name in taken:
            name, count = f"{metric.name}_{count}", count + 1
        found.append(metric._replace(name=name))
    return Compiled(optimizer, optimizers.transformation(optimizer), loss, tuple(found))


def _listed(callbacks: Iterable[Callback] | Callback | None) -> list[Callback]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]


def _reported(logs: Logs, as_dict: bool) -> float | list[float] | dict[str, float]:
    if as_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
